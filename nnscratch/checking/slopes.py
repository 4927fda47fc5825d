"""Slopes: what ``backward`` should say, measured without it, by changing a number and looking what
happens."""

from collections.abc import Callable

import numpy as np

from nnscratch.parameter import Array

ROUNDING = 16 * 2.0**-52  # relative error allowed to a sum of products in float64
SMALLEST = 16 * np.finfo(np.float64).tiny  # below, numbers have fewer digits


def plain_slope(f: Callable[[Array], float], x: Array, i: int, h: float = 1e-5) -> float:
    """df / dx_i by central differences: the whole idea. Its error shrinks with h².

    >>> slope = plain_slope(lambda x: x[0] ** 2 * x[1], np.array([3.0, 2.0]), i=0)
    >>> round(slope, 6)                                     # 2 * 3 * 2
    12.0
    """
    step = np.zeros(x.shape)
    step.flat[i] = h
    return float((f(x + step) - f(x - step)) / (2 * h))


class KinkError(Exception):
    """The function has no derivative here."""


def steps(size: float) -> list[float]:
    """What to try, for numbers of that size: 1e-3 to 1e-6 where it is 1, longer ones where numbers
    are larger, very short ones first where they are tiny; in need down to 1e-8, at which x + h,
    which has 16 digits, holds only 8 of those of h."""
    longest, shortest = 1e-3 * max(1, size), 1e-8 * max(1, size)
    falling = [longest / 10**k for k in range(6)]
    tiny = [1e-3 * size / 10**k for k in range(4)] if 0 < size < 1e-4 else []
    return tiny + [h for h in falling if h > 0.9 * shortest]


def slope(
    outputs: Callable[[], Array], y: Array, x: Array, direction: Array, dy: Array
) -> tuple[float, float]:
    """d sum(dy * outputs) along a direction in x, and the rounding noise of this slope.

    outputs() depends on x, which is moved and put back; y is what it gives here. The direction may
    be a single entry, or all of x at once: then the slope is the sum of gradient * direction.

    The same idea as above, made robust: the formula of fourth order, whose error shrinks with h⁴;
    one slope for each output before they are summed; and of the steps h the first over which each
    output is smooth. Errors: KinkError if there is none.
    """
    here = x.copy()
    size = float(np.abs(here[direction != 0]).max(initial=0))
    for h in steps(size):
        values = []
        try:
            for k in (-2, -1, 1, 2):
                x[...] = here + k * h * direction
                with np.errstate(all="ignore"):
                    values.append(outputs())
        except (ValueError, AssertionError, ArithmeticError):
            continue  # the step left the function's domain: a score below 0
        finally:
            x[...] = here
        far_left, left, right, far_right = values
        rounding = ROUNDING * np.max(np.abs([y, *values]), axis=0) + SMALLEST
        # The second differences over 2h and over h stand 4 to 1 where the function is smooth, 2 to
        # 1 on a kink. The first ones stand 2 to 1, but not on a jump, or where it bends within h.
        rise = far_right - far_left
        bend = (far_right - 2 * y + far_left) - 4 * (right - 2 * y + left)
        twist = rise - 2 * (right - left)
        smooth = np.abs(bend) <= 1e-7 * np.abs(rise) + 4 * rounding
        if np.all(smooth & (np.abs(twist) <= 1e-4 * np.abs(rise) + 4 * rounding)):
            each = (8 * (right - left) - rise) / (12 * h)
            noise = np.abs(dy) * rounding / h
            total = float(np.sum(dy * each))
            noise = float(np.sum(noise[left != right]) + np.max(noise, initial=0))
            usual = h >= 0.9e-6 * max(1, size)  # shorter steps must be worth it
            if usual or noise <= max(1e-6 * abs(total), 1e-9 * np.abs(dy).max()):
                return total, noise
    raise KinkError
