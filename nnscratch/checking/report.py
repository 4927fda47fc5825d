"""What a check found: a table, or an error with the table in it."""

from typing import NamedTuple

SMALL = 100  # entries: of a larger array all are moved at once, along random directions
DIRECTIONS = 3
TOLERANCE = 1e-7  # relative error; right gradients are around 1e-10, wrong ones 1e-4 and worse


class GradientError(AssertionError):
    """A gradient is wrong, or a layer does not keep its other promises."""


class Row(NamedTuple):
    """The result for one array: the relative error of its worst entry, and, where that is wrong,
    details."""

    name: str
    shape: tuple[int, ...]
    checked: int
    error: float
    details: str

    @property
    def right(self) -> bool:
        return self.error <= TOLERANCE


class Report(NamedTuple):
    """The result of a check; printed, it is a table."""

    subject: str
    rows: list[Row]
    note: str = ""

    @property
    def largest_error(self) -> float:
        return max(row.error for row in self.rows)

    def __str__(self) -> str:
        lines = [self.subject, f"{'gradient':<16}{'shape':<16}{'checked':>7}{'relative error':>16}"]
        for row in self.rows:
            verdict = "right" if row.right else f"WRONG\n    {row.details}"
            lines.append(
                f"{row.name:<16}{row.shape!s:<16}{row.checked:>7}{row.error:>16.1e}  {verdict}"
            )
        if any(row.checked > SMALL for row in self.rows):
            lines.append(f"(more than {SMALL}: all at once, along {DIRECTIONS} random directions)")
        return "\n".join([*lines, self.note] if self.note else lines)

    def expect_right(self) -> "Report":
        if not self.largest_error <= TOLERANCE:
            raise GradientError(str(self))
        return self
