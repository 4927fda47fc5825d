"""A model on disk and on paper: its weights in a file, and its summary."""

import copy
import os
from typing import Any

import numpy as np

from nnscratch.advice import every_layer
from nnscratch.guards import unexpected
from nnscratch.writing import replacing


def save_weights(model: Any, path: str | os.PathLike[str]) -> None:
    """Write all parameters of a model to one ``.npz`` file, at once or not at all."""
    every_layer(model)  # what is not in theta would be missing
    arrays: dict[str, Any] = dict(zip(names_in_file(model), model.get_weights(), strict=True))
    with replacing(path) as file:
        np.savez(file, **arrays)


def load_weights(model: Any, path: str | os.PathLike[str]) -> None:
    """Take over what ``save_weights`` wrote, all of it or nothing."""
    names = names_in_file(model)
    with open(path, "rb") as file:
        try:
            with np.load(file, allow_pickle=False) as archive:
                if archive.files != names:
                    raise unexpected(names, archive.files, "another architecture")
                model.set_weights([archive[name] for name in names])
        except Exception as error:  # a damaged archive fails in a dozen ways
            raise ValueError(
                f"{path}: expected a whole file that save_weights wrote for this architecture, got "
                f"one that fails: {error}; build that model, or save again"
            ) from error


def names_in_file(model: Any) -> list[str]:
    """What the parameters are called there: their number and their name."""
    return [f"{i}_{p.name}" for i, p in enumerate(model.parameters)]


def summary(model: Any) -> str:
    """A table of a model's layers with their output shapes and numbers of parameters."""
    # Before any data was seen, the first Dense tells how wide a row must be.
    widths = [(layer.n_in,) for layer in model.layers if hasattr(layer, "n_in")]
    shape = getattr(model, "row_shape", None) or (widths[0] if widths else None)
    lines = [f"{'Layer':<24}{'Output shape':<20}{'Params':>12}"]
    twin = copy.deepcopy(model)  # what the layers remember is not disturbed
    x = None if shape is None else np.zeros((1, *shape), model.theta.dtype)
    if x is not None:
        twin.forward(x)
    for layer in twin.layers:
        x = None if x is None else layer.forward(x)
        shown = "?" if x is None else f"(N, {str(x.shape[1:])[1:].rstrip(',)')})"
        lines.append(f"{layer!r:<24}{shown:<20}{sum(p.value.size for p in layer.parameters):>12,}")
    total = f"Total params: {model.theta.size:,} ({model.theta.nbytes / 1024:,.2f} KB)"
    return Text("\n".join([*lines, total]))


class Text(str):
    """A text that a notebook shows as it is, without quotes and backslashes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def settings(owner: Any) -> str:
    """The class and its numbers, such as Adam(learning_rate=0.001, ...), for a debugger."""
    numbers = {name: value for name, value in vars(owner).items() if isinstance(value, float)}
    shown = (f"{name.removeprefix('_')}={value:g}" for name, value in numbers.items())
    return f"{type(owner).__name__}({', '.join(shown)})"
