"""What layers and losses share: forward remembers what backward will read."""

from typing import TYPE_CHECKING, Any


class StaleBackwardError(RuntimeError, AttributeError):
    """backward was called without the forward of the same batch."""


class Differentiable:
    """A function with a ``forward`` and a ``backward``. Reading what no forward has set is a clear error."""

    if not TYPE_CHECKING:  # a type checker should go on reporting misspelt names

        def __getattr__(self, name: str) -> Any:  # reached only when there is no such attribute
            if name.startswith("__"):
                raise AttributeError(name)  # Python itself, asking what this object can do
            raise StaleBackwardError(
                f"{type(self).__name__} has no attribute '{name}': is it misspelt, or does backward read it before a "
                "forward set it?"
            )

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"
