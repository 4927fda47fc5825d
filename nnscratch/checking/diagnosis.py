"""What a wrong gradient looks like, in words: the classic mistakes leave traces."""

import numpy as np
from numpy.typing import NDArray

from nnscratch.parameter import Array


def diagnose(
    found: Array, slopes: Array, gradient: Array, entries: NDArray[np.intp], dy: Array
) -> str:
    """The likely mistake, or nothing.

    ``found`` are the entries that backward gave, ``slopes`` the measured ones; ``gradient`` is the
    array that the former come from, at the flat indices ``entries``; dy is what backward was given.
    """

    def close(a: Array, b: Array) -> bool:
        return a.shape == b.shape and bool(
            np.allclose(a, b, rtol=1e-5, atol=1e-9 * np.abs(slopes).max())
        )

    if np.isnan(found).any():
        return "NaN, as it was before: added to the old gradient (+=, not =), or never set"
    if not slopes.any():
        return "not zero, although nothing depends on this entry"
    factor = float(found @ slopes / (slopes @ slopes))
    if close(found, factor * slopes) and len(found) > 1:
        return constant(factor, dy.shape if dy.ndim else gradient.shape)
    if (
        gradient.ndim == 2
        and gradient.shape == gradient.shape[::-1]
        and close(gradient.T.ravel()[entries], slopes)
    ):
        return "it looks transposed: xᵀ dy, not dyᵀ x"
    if (
        dy.ndim > 1
        and dy.shape[1:] == gradient.shape
        and any(close(found, row.ravel()[entries]) for row in dy)
    ):
        return "it was not summed over the rows: dy.sum(axis=0), not one row of dy"
    if dy.ndim == 2 and dy.shape[:1] == gradient.shape and close(found, dy.sum(axis=1)[entries]):
        return "it was summed over the wrong axis: dy.sum(axis=0), not 1"
    wrong = ~np.isclose(found, slopes, rtol=1e-5, atol=1e-9 * np.abs(slopes).max())
    return "zero where the slope is not" if wrong.any() and not found[wrong].any() else ""


def constant(factor: float, shape: tuple[int, ...]) -> str:
    """A gradient that is wrong by a constant factor, where the batch is of that shape (N, ...)."""
    if np.isclose(factor, -1, rtol=1e-5):
        return "the sign is flipped"
    if np.isclose(factor, 0, atol=1e-9):
        return "zero where the slope is not"
    n, rest = shape[0], {*shape[1:], int(np.prod(shape[1:]))}
    for size, direction in ((factor, "large"), (1 / factor, "small")):
        if size < 2.5 or not np.isclose(size, whole := round(size), rtol=1e-5):
            continue  # a factor of 1 or 2 has other likely causes
        if whole == n and n in rest:
            return f"{n} times too {direction}, which is N, and the number of columns as well"
        if whole == n:
            mean = "the mean over the batch is taken in the loss, once, and nowhere else"
            return f"N = {n} times too {direction}: {mean}"
        if whole in rest:
            where = ("forward", "backward") if direction == "large" else ("backward", "forward")
            return (
                f"C = {whole} times too {direction}, the number of columns: is their mean taken in "
                f"{where[0]}, and not in {where[1]}?"
            )
    for c in rest - {n}:
        if n not in (2 * c, c / 2) and np.isclose(factor, n / c, rtol=1e-5):
            return (
                f"divided by C = {c}, the number of columns, where N = {n}, that of rows, is meant"
            )
    return f"{factor:.9g} times the slope, everywhere: a factor is missing or too much"
