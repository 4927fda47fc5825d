"""Slopes: what ``backward`` should say, measured without it, by changing a number and looking what
happens."""

from collections.abc import Callable

import numpy as np

from nnscratch.parameter import Array

STEPS = (1e-3, 1e-4, 1e-5, 1e-6)  # the first over which the function is smooth is used
ROUNDING = 16 * 2.0**-52  # relative error allowed to a sum of products in float64


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


def slope(outputs: Callable[[], Array], flat: Array, i: int, dy: Array) -> tuple[float, float]:
    """d sum(dy * outputs) / d flat[i], where outputs() depends on flat, and the rounding noise of
    this slope.

    The same idea, made robust: the formula of fourth order, whose error shrinks with h⁴; one slope
    for each output before they are summed; and of the steps h the first over which each output is
    smooth.
    """
    here, y = flat[i], outputs()
    for step in STEPS:
        h, values = step * max(1.0, abs(here)), []
        try:
            for k in (-2, -1, 1, 2):
                flat[i] = here + k * h
                values.append(outputs())
        except ValueError:  # the step left the function's domain: a score below 0
            continue
        finally:
            flat[i] = here
        far_left, left, right, far_right = values
        rounding = ROUNDING * np.max(np.abs([y, *values]), axis=0)
        # The second differences over 2h and over h stand 4 to 1 where the function is smooth, 2 to
        # 1 on a kink. The first ones stand 2 to 1, but not on a jump, or where it bends within h.
        rise = far_right - far_left
        bend = (far_right - 2 * y + far_left) - 4 * (right - 2 * y + left)
        twist = rise - 2 * (right - left)
        smooth = np.abs(bend) <= 1e-7 * np.abs(rise) + 4 * rounding
        if np.all(smooth & (np.abs(twist) <= 1e-4 * np.abs(rise) + 4 * rounding)):
            each = (8 * (right - left) - rise) / (12 * h)
            noise = np.abs(dy) * rounding / h
            return float(np.sum(dy * each)), float(np.sum(noise[left != right]) + np.max(noise))
    raise KinkError
