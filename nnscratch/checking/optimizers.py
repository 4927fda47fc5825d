"""Optimizers: is ``step`` the rule that it is meant to be?

Gradients can be measured, and a rule cannot: what an optimizer should do, only its paper knows. So
you write the rule down once more, the way the paper states it, as a loop over plain vectors. Both
get the same random gradients, and theta is compared after every step. Where they part, the error
names the step and the parameter, and ``missteps`` the usual mistake, if it can be told.
"""

import copy
import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnscratch import guards
from nnscratch.activations import ReLU
from nnscratch.checking.missteps import Trace, misstep
from nnscratch.checking.report import TOLERANCE, GradientError, Report, Row
from nnscratch.initializers import Rng
from nnscratch.layers import Dense, Layer
from nnscratch.model import Sequential
from nnscratch.parameter import Array, Parameter
from nnscratch.search import find

Make = Callable[[Sequential], Any]
Formula = Callable[[Array, Iterator[tuple[Array, float]]], Iterable[Array]]

STEPS = 70  # more than 64, at which some look after their memory
FEW = 10  # steps, where less is to be seen


class OptimizerReport(Report):
    """The same table, of parameters and steps."""

    __slots__ = ()

    def __str__(self) -> str:
        lines = super().__str__().splitlines()
        lines[1] = f"{'parameter':<16}{'shape':<16}{'steps':>7}{'relative error':>16}"
        return "\n".join(lines)


def check_optimizer(
    make: Make, formula: Formula, *, model: Sequential | None = None, rng: Rng = 0
) -> Report:
    """Check that an optimizer does what its rule says, step by step, and what else it promises.

    ``make`` is a class such as Adam, or any function that makes an optimizer for a model, such as
    ``lambda model: SGD(model, momentum=0.9)``. ``formula`` is the rule on plain vectors: it gets
    theta and an iterator of (gradient, learning rate), and yields theta after each step:

    >>> from nnscratch import SGD
    >>> def momentum(theta, steps):
    ...     velocity = 0
    ...     for g, learning_rate in steps:
    ...         velocity = 0.9 * velocity - learning_rate * g
    ...         theta = theta + velocity
    ...         yield theta
    >>> report = check_optimizer(lambda model: SGD(model, momentum=0.9), momentum)
    >>> report.largest_error < 1e-9
    True

    70 steps are made in float64 with random gradients from 1e-7 to 100, some of them 0, and as many
    with a learning rate that changes. ``model``, a small one, is to be given where the rule tells
    parameters or layers apart; a copy of it is trained. The report says what was tested. Errors:
    GradientError for another theta and for a broken promise; ValueError for a formula that yields
    no theta.
    """
    rng = np.random.default_rng(rng).spawn(1)[0]
    if model is None:
        model = Sequential([Dense(4, 3, rng=rng), ReLU(), Dense(3, 2, rng=rng)])
    guards.model_to_train(model, Sequential)
    trial = Trial(make, formula, model, rng)
    gradients = random_gradients(trial.start.size, rng)
    of_two = check_two(trial, gradients)  # first, as all else needs several of them
    report = compare(trial, gradients)
    said = [
        check_rates(trial, gradients, rng),
        of_two,
        check_float32(trial, gradients),
        check_statistics(trial, gradients),
    ]
    note = "also right: theta changes in place, grad is left alone;\n" + ";\n".join(said)
    return report._replace(note=note)


def random_gradients(n: int, rng: np.random.Generator) -> Array:
    """(STEPS, n): each coordinate has a size of its own, each step as well. Some coordinates are
    never reached by a gradient, and in one step there is none at all."""
    sizes = 10 ** rng.permutation(np.linspace(1, -6, n))
    sizes[rng.permutation(n)[: n // 10]] = 0
    gradients = rng.standard_normal((STEPS, n)) * sizes * 10 ** rng.uniform(-1, 1, (STEPS, 1))
    gradients[4] = 0
    return gradients.astype(np.float32).astype(np.float64) + 0.0  # what float32 holds, and no -0


class Trial:
    """The optimizer and its formula, to be run on any gradients, from the same theta each time."""

    def __init__(
        self, make: Make, formula: Formula, model: Sequential, rng: np.random.Generator
    ) -> None:
        self.make, self.formula, self.model = make, formula, model
        start = rng.standard_normal(model.theta.size).astype(np.float32)
        self.start: Array = start.astype(np.float64)
        self.name = ""  # of the optimizer, in messages

    def build(self, model: Sequential) -> Any:
        """A new optimizer of a model, after a look at what it is."""
        before = model.theta.copy()
        optimizer = self.make(model)
        kind: Any = type(optimizer)
        unnamed = kind.__repr__ == object.__repr__  # it would show an address in memory
        self.name = kind.__name__ if unnamed else repr(optimizer)
        if not hasattr(optimizer, "step"):
            fix = "give a class such as Adam, or a function of a model such as lambda model: ..."
            raise guards.unexpected("make to return an optimizer", repr(optimizer), fix, TypeError)
        given = getattr(optimizer, "model", None) is model
        self.expect(given, "the optimizer of the model that make was given", "another's",
                    "build it with make's argument, and keep that as self.model")  # fmt: skip
        self.expect(np.array_equal(model.theta, before), "theta as it was before the first step",
                    "another one", "leave theta alone in __init__")  # fmt: skip
        return optimizer

    def fresh(self, dtype: Any = np.float64) -> Sequential:
        model = self.model.astype(dtype)
        model.theta = self.start
        return model

    def expect(self, kept: Any, what: str, got: str, fix: str) -> None:
        """GradientError unless the promise is kept."""
        if not kept:
            raise GradientError(f"{self.name}: expected {what}, got {got}: {fix}")

    def stepped(self, optimizer: Any, gradient: Array) -> Array:
        """theta after a step, in a copy; and what a step must not do."""
        model: Sequential = optimizer.model
        theta, grad = model.theta, model.grad
        grad[...] = gradient
        given = grad.copy()
        with np.errstate(all="ignore"):
            optimizer.step()
        self.expect(
            model.theta is theta and all(np.shares_memory(p.value, theta) for p in model.parameters
                                         if p.value.size),
            "theta to be changed in place", "another array", "use self.model.theta -= ...",
        )  # fmt: skip
        self.expect(
            model.grad is grad and np.array_equal(grad, given), "grad to be left alone by step",
            "another one", "work on a new array: others may want to read it",
        )  # fmt: skip
        return theta.copy()

    def optimizer_runs(self, gradients: Array, rates: Any = None) -> tuple[Array, list[float]]:
        """theta (steps, n) after each step, and the learning rate that each was made with."""
        optimizer, thetas, used = self.build(self.fresh()), [], []
        for t, gradient in enumerate(gradients):
            if rates is not None:
                optimizer.learning_rate = rates[t]
            used.append(getattr(optimizer, "learning_rate", math.nan))
            thetas.append(self.stepped(optimizer, gradient))
        return np.array(thetas), used

    def formula_runs(self, gradients: Array, rates: list[float]) -> Array:
        """The same of the formula."""
        steps = ((g.copy(), rate) for g, rate in zip(gradients, rates, strict=True))
        with np.errstate(all="ignore"):
            returned: Any = self.formula(self.start.copy(), steps)
            thetas = [np.array(theta) for theta in returned] if np.iterable(returned) else []
        shapes = [theta.shape for theta in thetas]
        if shapes != [self.start.shape] * len(gradients):
            what = f"formula to yield theta of shape {self.start.shape} after each of "
            what += f"{len(gradients)} steps"
            got = f"{len(shapes)} of shapes {sorted(set(shapes))}" if shapes else "nothing"
            fix = "end the body of its loop over steps with: yield theta"
            raise guards.unexpected(what, got, fix)
        return np.array(thetas)

    def both(self, gradients: Array, rates: Any = None) -> Trace:
        thetas, used = self.optimizer_runs(gradients, rates)
        return Trace(self.start, gradients, used, thetas, self.formula_runs(gradients, used))


def compare(trial: Trial, gradients: Array) -> Report:
    """A row for each parameter; an error, with a diagnosis, if theta is not what it should be."""
    trace = trial.both(gradients)
    if not np.isfinite(trace.wanted).all():
        t = int(np.argwhere(~np.isfinite(trace.wanted))[0, 0]) + 1
        what, got = "formula to yield finite numbers", f"others at step {t}"
        raise guards.unexpected(what, got, "some gradients are 0: is there an epsilon?")
    errors = relative(trace)
    rows, start = [], 0
    for name, p in named_parameters(trial.model):
        part, shape = slice(start, start + p.value.size), p.value.shape
        row = Row(name, shape, STEPS, float(errors[:, part].max(initial=0)), "")
        if not row.right:
            t = int((errors[:, part] > TOLERANCE).any(axis=1).argmax())  # the first wrong step
            entry = int(errors[t, part].argmax())
            place = [int(k) for k in np.unravel_index(entry, shape)]
            details = (
                f"step {t + 1}, {name}{place}: theta is {trace.got[t, start + entry]:.9g}, the "
                f"formula has {trace.wanted[t, start + entry]:.9g} (gradient "
                f"{gradients[t, start + entry]:.3g})"
            )
            row = row._replace(details=details)
        rows.append(row)
        start += p.value.size
    report = OptimizerReport(trial.name, rows)
    if report.largest_error > TOLERANCE:
        first_wrong = int((errors > TOLERANCE).any(axis=1).argmax()) + 1
        views = views_of_grad(trial, gradients[0])
        words = misstep(trace, first_wrong, report.largest_error, trial.both, views)
        report = report._replace(note=words)
    return report.expect_right()


def relative(trace: Trace) -> NDArray[np.float64]:
    """Errors (steps, n), relative to the way that each coordinate has come so far. What is shorter
    than a millionth of theta is only known to fewer digits."""
    way = np.abs(np.diff(trace.wanted, axis=0, prepend=trace.start[np.newaxis])).cumsum(axis=0)
    scale = np.maximum(way, 1e-6 * np.maximum(np.abs(trace.wanted), np.abs(trace.start)))
    with np.errstate(all="ignore"):
        errors = np.abs(trace.got - trace.wanted) / np.maximum(scale, 1e-300)
    return np.nan_to_num(errors, nan=np.inf, posinf=np.inf)


def views_of_grad(trial: Trial, gradient: Array) -> list[str]:
    """Which of the optimizer's arrays are the model's grad, after a step."""
    optimizer = trial.build(trial.fresh())
    trial.stepped(optimizer, gradient)
    own = {name: value for name, value in vars(optimizer).items() if name != "model"}
    grad = optimizer.model.grad
    return [name for name, a in find(np.ndarray, own) if np.may_share_memory(a, grad)]


def named_parameters(model: Sequential) -> list[tuple[str, Parameter]]:
    return [
        (f"layer {i} {place}", p)
        for i, layer in enumerate(model.layers)
        for place, p in find(Parameter, layer)
    ]


# ---- What else an optimizer promises ------------------------------------------------------------


def check_rates(trial: Trial, gradients: Array, rng: np.random.Generator) -> str:
    """The learning rate may change at any time, and formula says what that means."""
    optimizer = trial.build(trial.fresh())
    rate = getattr(optimizer, "learning_rate", None)
    if rate is None:
        return "not tested: a learning rate that changes, as there is none"
    factors = np.where(np.arange(STEPS) < FEW, 1.0, 10 ** rng.uniform(-1, 1, STEPS))
    trace = trial.both(gradients, [float(rate * factor) for factor in factors])
    errors = relative(trace)
    if errors.max() > TOLERANCE:
        t = int((errors > TOLERANCE).any(axis=1).argmax()) + 1
        constant, _ = trial.optimizer_runs(gradients)
        fix = "does a velocity hold the learning rate, where the formula multiplies by it later, "
        fix += "or the other way round?"
        if np.array_equal(trace.got, constant):
            fix = "read self.learning_rate in each step, do not keep what __init__ was given"
        elif np.array_equal(trace.wanted, trial.formula_runs(gradients, [rate] * STEPS)):
            fix = "the formula does not use the learning rate that it is given with each gradient"
        what = "the formula's theta also when learning_rate changes, as it does from step "
        trial.expect(False, f"{what}{FEW + 1} on", f"another one from step {t} on", fix)
    return "learning_rate may change at any time"


def check_two(trial: Trial, gradients: Array) -> str:
    """Two optimizers that work at the same time do not know of each other."""
    alone, _ = trial.optimizer_runs(gradients[:FEW])
    first, second = (trial.build(trial.fresh()) for _ in range(2))
    thetas = []
    for mine, others in zip(gradients[:FEW], gradients[:FEW][::-1], strict=True):
        thetas.append(trial.stepped(first, mine))
        trial.stepped(second, others)
    trial.expect(
        np.array_equal(thetas, alone, equal_nan=True),
        "an optimizer that does not know of another one",
        "another theta when two of them work at the same time",
        "make its memory in __init__ and keep it in self, not on the class or in a default",
    )  # fmt: skip
    return "two of them do not know of each other"


def check_float32(trial: Trial, gradients: Array) -> str:
    """In float32 everything stays float32, and theta is what it is in float64, to its accuracy."""
    optimizer = trial.build(trial.fresh(np.float32))
    thetas = np.array([trial.stepped(optimizer, g) for g in gradients.astype(np.float32)])
    wanted, _ = trial.optimizer_runs(gradients)
    names = [
        name
        for name, array in find(np.ndarray, dict(vars(optimizer)))
        if array.dtype == np.float64 and array.size >= trial.start.size
    ]
    fix = "make it with np.zeros_like(model.theta), and settings with float(...): an np.float64 "
    fix += "turns all that it meets into float64"
    what = "float32 to stay float32"
    trial.expect(not names, what, f"float64 in {', '.join(names)}", fix)
    way = np.abs(np.diff(wanted, axis=0, prepend=trial.start[np.newaxis])).cumsum(axis=0)
    allowed = 1e-3 * way + 1e-5 * np.abs(wanted)
    wrong = ~(np.abs(thetas - wanted) <= allowed)
    t, where = (int(k) for k in np.unravel_index(wrong.argmax(), wrong.shape))
    trial.expect(
        not wrong.any(), "theta in float32 as in float64",
        f"{thetas[t, where]:.6g} where it is {wanted[t, where]:.6g}, at step {t + 1} with a "
        f"gradient of {gradients[t, where]:.3g}",
        "numbers below 1e-38 are 0 in float32, an epsilon as well: is there another formula?",
    )  # fmt: skip
    return "float32 stays float32 and has float64's values"


class Statistics(Layer):
    """What BatchNorm keeps: a Parameter that no gradient moves, and that does not decay."""

    def __init__(self) -> None:
        self.mean = Parameter(np.array([3.0, -2.0]))
        self.mean.decays = False

    def forward(self, x: Array) -> Array:
        return x

    def backward(self, dy: Array) -> Array:
        return dy


def check_statistics(trial: Trial, gradients: Array) -> str:
    """What has a gradient of 0 and does not decay stays as it is, bit by bit."""
    statistics = Statistics()
    model = Sequential([*map(copy.deepcopy, trial.model.layers), statistics])
    optimizer, n = trial.build(model), trial.start.size
    before = statistics.mean.value.copy()
    for gradient in gradients[:FEW]:
        trial.stepped(optimizer, np.append(gradient, np.zeros(model.theta.size - n)))
    trial.expect(
        np.array_equal(statistics.mean.value, before),
        "a parameter with a gradient of 0 and decays = False, such as running statistics, to stay",
        "another value", "use Optimizer's own self.decay(), or ask p.decays",
    )  # fmt: skip
    return "a parameter with a gradient of 0 that does not decay stays"
