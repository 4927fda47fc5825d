"""What a wrong step looks like, in words: the classic mistakes in optimizers leave traces.

The optimizer and its formula are black boxes here. So both are given gradients that make one thing
visible at a time: all of one size, an impulse and then nothing, none at all, twice as large ones.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from nnscratch.parameter import Array

CLOSE = 1e-3  # of what the mistakes here change, which is far more


class Trace(NamedTuple):
    """A run: theta (n,) at the start; after each step (steps, n), of the optimizer and the formula;
    gradients (steps, n) and the learning rate of each step."""

    start: Array
    gradients: Array
    rates: list[float]
    got: Array
    wanted: Array

    def moves(self) -> tuple[Array, Array]:
        """How far theta went in each step, (steps, n) each."""
        first = self.start[np.newaxis]
        return np.diff(self.got, axis=0, prepend=first), np.diff(self.wanted, axis=0, prepend=first)


Both = Callable[[Array], Trace]  # runs the optimizer and the formula on gradients


def misstep(
    trace: Trace, first_wrong: int, largest_error: float, both: Both, views: list[str]
) -> str:
    """The likely mistake, or nothing. ``first_wrong`` counts from 1; ``views`` are the optimizer's
    arrays that are model.grad."""
    if views:
        return f"{', '.join(views)} is model.grad itself, which the next backward fills: copy it"
    if not np.isfinite(trace.got).all():
        return not_finite(trace)
    if not trace.moves()[0].any():
        return "theta does not move: change self.model.theta itself, in place, and not a copy of it"
    if largest_error < 1e-5:
        return "right but for rounding to float32: is there a float32 within?"
    rest = both(trace.gradients[trace.gradients.any(axis=1)])
    if np.allclose(rest.got, rest.wanted, rtol=1e-9, atol=0):
        return f"only step {first_wrong}, in which all gradients are 0, is wrong: it is a step, too"
    n = len(trace.start)
    unit = (1 + np.arange(n) % 7 / 7) * (-1.0) ** np.arange(n)  # 1 to 2, of both signs
    for look in (decay, factor, size, memory, small_or_large):
        words = look(both, unit)
        if words:
            return words
    return later(first_wrong)


def later(first_wrong: int) -> str:
    if first_wrong == 1:
        return ""
    return f"up to step {first_wrong - 1} all is right: look at what is kept from step to step"


def not_finite(trace: Trace) -> str:
    t = int(np.argwhere(~np.isfinite(trace.got))[0, 0])
    bad = ~np.isfinite(trace.got[t])
    if bad.all() and t == 0:
        return "nothing is finite at step 1: is t counted from 1? 1 - beta**0 is 0"
    if not trace.gradients[: t + 1, bad].any():
        return (
            f"not finite at step {t + 1}, where gradients are 0: is it 0 / 0, without an epsilon?"
        )
    return f"not finite from step {t + 1} on"


def alike(numbers: Array) -> bool:
    """Are they all the same, but for rounding?"""
    return bool(np.ptp(numbers) <= CLOSE * np.abs(numbers).max())


def decay(both: Both, unit: Array) -> str:
    """No gradients at all: what moves now is weight decay."""
    trace = both(np.zeros((1, len(unit))))
    got, wanted = (moves[0] for moves in trace.moves())
    if np.allclose(got, wanted, rtol=CLOSE, atol=1e-12):
        return ""
    if not got.any():
        return "without gradients the formula pulls theta towards 0: weight decay is missing"
    if not wanted.any():
        return "theta moves without gradients, and in the formula it does not: weight decay?"
    shares = got / trace.start, wanted / trace.start
    if alike(shares[1]) and not alike(shares[0]):
        if alike(np.abs(got)):
            return (
                "weight decay goes through the rest of the rule, as it is added to grad: in the "
                "formula it shrinks theta by itself"
            )
        return "not all parameters decay, and in the formula they do: look at p.decays"
    if alike(shares[0]) and not alike(shares[1]):
        return "all parameters decay, and in the formula not all do: set p.decays"
    if alike(shares[0]):
        quotient = float(shares[0].mean() / shares[1].mean())
        return f"weight decay is {quotient:.4g} times the formula's: the learning rate, or a sign?"
    return "weight decay is another one than in the formula"


def factor(both: Both, unit: Array) -> str:
    """The same gradients in each step. Are the moves those of the formula, times a number?"""
    trace = both(np.tile(unit, (30, 1)))
    got, wanted = trace.moves()
    moved = np.abs(wanted).max(axis=0) > 0
    if got[:, ~moved].any():
        return "some of theta moves that the formula leaves alone"
    if not got[:, moved].any(axis=0).all():
        return "some of theta does not move, and in the formula it does"
    quotients = got[:, moved] / np.where(wanted[:, moved] == 0, np.nan, wanted[:, moved])
    if not np.isfinite(quotients).all() or not all(alike(each) for each in quotients):
        return ""
    q = quotients.mean(axis=1)  # one for each step
    if alike(np.append(q, 1)):
        return ""
    for rest in (0.0, 0.01):
        got, wanted = impulse(both, unit, rest)
        off = np.abs(got - q[: len(got)] * wanted)
        if off.max() > CLOSE * np.abs(wanted).max():
            return ""  # the factor depends on the gradients, too
    return constant(float(q[0]), trace.rates[0]) if alike(q) else time(q)


def constant(q: float, rate: float) -> str:
    if math.isclose(q, -1, rel_tol=CLOSE):
        return "the sign is flipped: theta has to go against the gradient"
    if math.isclose(q * rate, 1, rel_tol=CLOSE):
        return "the learning rate is missing"
    if math.isclose(q, rate, rel_tol=CLOSE):
        return "the learning rate is in it twice"
    return f"each step is {q:.6g} times the formula's: a factor is missing or too much"


def time(q: Array) -> str:
    """Factors that depend on the step alone. Those of a mean without its correction are 1 - beta^t,
    of a mean of squares 1 / sqrt(1 - beta^t)."""
    near, second = 1 - q[:2], 1 - q[:2] ** -2.0
    if math.isclose(near[0] ** 2, near[1], rel_tol=0.01):
        return f"the bias correction of the mean is missing: 1 - beta**t, with beta {near[0]:.4g}"
    if math.isclose(second[0] ** 2, second[1], rel_tol=0.01):
        beta = f"with beta {second[0]:.4g}"
        return f"the bias correction of the mean of squares is missing: 1 - beta**t, {beta}"
    far = q[0] > 2 or q[0] < 0.5
    likely = "the bias correction is missing, or does not have the power t"
    likely = (
        likely if far or alike(np.array([1, q[0]])) else "is t the number of this step, from 1?"
    )
    return f"{q[0]:.4g} times the formula's step at first, {q[-1]:.4g} times at step 30: {likely}"


def impulse(both: Both, unit: Array, rest: float = 0.0) -> tuple[Array, Array]:
    """How far theta goes against gradients that come once, and then no more or much smaller ones:
    (steps,) each."""
    gradients = np.zeros((6, len(unit)))
    still = both(gradients).moves()  # weight decay alone
    gradients[:] = rest * unit
    gradients[0] = unit
    got, wanted = (
        (b - a) @ np.sign(unit) for a, b in zip(both(gradients).moves(), still, strict=True)
    )
    return got, wanted


def memory(both: Both, unit: Array) -> str:
    """Gradients once, then none: how fast is the first forgotten?"""
    got, wanted = impulse(both, unit)
    none = 1e-9 * max(abs(got[0]), abs(wanted[0]))
    goes_on, should_go_on = (np.abs(each[1:]).min() > none for each in (got, wanted))
    if should_go_on and not goes_on:
        return "nothing is kept from step to step: is the memory made anew, or never changed?"
    if goes_on and not should_go_on:
        return "old gradients take part in a step, and in the formula they do not"
    if not goes_on:
        return squares(both, unit)
    shrinks, should = got[2] / got[1], wanted[2] / wanted[1]
    q = shrinks / should
    if q < 0:
        return "what is kept from step to step has the wrong sign"
    if abs(q - 1) > CLOSE:
        beta = 1 / (1 + q)  # if it were (1 - beta) / beta
        turned = "momentum the wrong way round: beta * old + (1 - beta) * new?"
        if q > 1:
            turned = "is the mean of squares the wrong way round? beta_2 * old + (1 - beta_2) * new"
        likely = turned if q > 3 or abs(should / beta - 1) < 0.2 else "another beta?"
        return (
            f"after a single gradient the steps go on {shrinks:.4g} times as large each, in the "
            f"formula {should:.4g} times: {likely}"
        )
    first, rest = got[0] / wanted[0], got[1] / wanted[1]
    if abs(first / rest - 1) > 0.01:
        return (
            f"the newest gradient counts {first / rest:.4g} times as much as in the formula, "
            "compared with older ones: with or without Nesterov's look ahead, or (1 - beta)?"
        )
    return ""


def squares(both: Both, unit: Array) -> str:
    """Nothing but a mean of squares may be kept. After a large gradient, how fast do the steps that
    smaller ones make grow again?"""
    got, wanted = impulse(both, unit, 0.01)
    if not wanted[1:3].all() or not got[1:3].all():
        return ""
    grow, should = got[2] / got[1], wanted[2] / wanted[1]
    if abs(grow / should - 1) < CLOSE:
        return ""
    beta, q = should**-2.0, (grow / should) ** 2
    likely = "another beta?"
    if beta < 1 and abs(q * (1 - beta) / beta - 1) < 0.2:
        likely = "the mean of squares the wrong way round: beta * old + (1 - beta) * new?"
    return (
        f"after a large gradient, small ones make steps that are {grow:.4g} times as large each "
        f"time, in the formula {should:.4g} times: {likely}"
    )


def size(both: Both, unit: Array) -> str:
    """Gradients twice as large: how much larger is the first step?"""
    once, twice = (both(k * unit[np.newaxis]).moves() for k in (1, 2))
    still = both(0 * unit[np.newaxis]).moves()
    exponents = []
    for one, two, none in zip(once, twice, still, strict=True):
        a, b = np.abs(one - none).sum(), np.abs(two - none).sum()
        exponents.append(math.log2(b / a) if a > 0 and b > 0 else math.nan)
    got, wanted = exponents
    if not abs(got - wanted) > 0.05:
        return ""
    likely = {
        (0, 1): ": is it divided by the root of the mean of squares?",
        (0, -1): ": is it divided by the mean of squares, and not by its root?",
        (1, 0): ": is it the gradient, and not only its sign?",
    }.get((round(wanted), round(got)), "")
    return (
        f"gradients twice as large make the first step {2**got:.4g} times as large, in the formula "
        f"{2**wanted:.4g} times{likely}"
    )


def small_or_large(both: Both, unit: Array) -> str:
    """Gradients of all sizes at once: is only one end wrong?"""
    sizes = np.logspace(-8, 3, len(unit))
    got, wanted = (moves[-1] for moves in both(np.tile(np.sign(unit) * sizes, (3, 1))).moves())
    with np.errstate(all="ignore"):
        off = np.abs(got / wanted - 1)
    known = np.isfinite(off)
    small, large = off[known & (sizes < 1e-5)], off[known & (sizes > 10)]
    if not small.size or not large.size:
        return ""
    if large.max() < CLOSE and small.max() > 10 * large.max():
        return (
            "right where gradients are large, and wrong where they are tiny: look at epsilon, at "
            "its size, inside or outside of the root, before or after the bias correction"
        )
    if small.max() < CLOSE < large.max():
        return "right where gradients are small, and wrong where they are large: is it clipped?"
    return ""
