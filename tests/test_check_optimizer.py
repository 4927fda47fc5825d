"""The third proof: right optimizers pass, wrong ones do not, and the error says what is wrong."""

import inspect
import math
import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from nnscratch import SGD, Adam, Dense, GradientError, Optimizer, Parameter, ReLU, Sequential, check_optimizer
from nnscratch.checking.optimizers import FEW, STEPS, Trial, random_gradients, relative


class PlainAdam(Optimizer):
    """Adam as in Algorithm 1 of its paper."""

    beta_1, beta_2, epsilon = 0.9, 0.999, 1e-7

    def __init__(self, model, learning_rate=0.01):
        super().__init__(model, learning_rate)
        self.t = 0
        self.m, self.v = np.zeros_like(model.theta), np.zeros_like(model.theta)

    def step(self):
        g = self.model.grad
        self.t += 1
        self.m = self.beta_1 * self.m + (1 - self.beta_1) * g
        self.v = self.beta_2 * self.v + (1 - self.beta_2) * g**2
        m_hat = self.m / (1 - self.beta_1**self.t)
        v_hat = self.v / (1 - self.beta_2**self.t)
        self.model.theta -= self.learning_rate * m_hat / (np.sqrt(v_hat) + self.epsilon)


def adam(theta, steps, epsilon=1e-7):
    m = v = 0
    for t, (g, learning_rate) in enumerate(steps, start=1):
        m = 0.9 * m + 0.1 * g
        v = 0.999 * v + 0.001 * g**2
        theta = theta - learning_rate * m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.999**t)) + epsilon)
        yield theta


class PlainRMSprop(Optimizer):
    def __init__(self, model, learning_rate=0.01):
        super().__init__(model, learning_rate)
        self.v = np.zeros_like(model.theta)

    def step(self):
        g = self.model.grad
        self.v = 0.9 * self.v + 0.1 * g**2
        self.model.theta -= self.learning_rate * g / (np.sqrt(self.v) + 1e-7)


def rmsprop(theta, steps):
    v = 0
    for g, learning_rate in steps:
        v = 0.9 * v + 0.1 * g**2
        theta = theta - learning_rate * g / (v**0.5 + 1e-7)
        yield theta


class Momentum(Optimizer):
    def __init__(self, model, learning_rate=0.01):
        super().__init__(model, learning_rate)
        self.velocity = np.zeros_like(model.theta)

    def step(self):
        self.velocity = 0.9 * self.velocity - self.learning_rate * self.model.grad
        self.model.theta += self.velocity


def momentum(theta, steps):
    velocity = 0
    for g, learning_rate in steps:
        velocity = 0.9 * velocity - learning_rate * g
        theta = theta + velocity
        yield theta


def with_decay(formula, each):
    """A formula with decoupled weight decay before each step."""

    def decaying(theta, steps):
        pairs = list(steps)
        at_zero = list(formula(np.zeros_like(theta), iter(pairs)))
        before = np.zeros_like(theta)
        for (_, learning_rate), now in zip(pairs, at_zero, strict=True):
            theta = theta - learning_rate * each * theta + (now - before)  # these rules do not look at theta
            before = now
            yield theta

    return decaying


def wrong(kind, *edits):
    """The class with a mistake in it: what its source says, what it says instead, and so on."""
    source = inspect.getsource(kind)
    for old, new in zip(edits[::2], edits[1::2], strict=True):
        assert old in source, f"{kind.__name__} no longer says {old}"
        source = source.replace(old, new)
    namespace = {"np": np, "math": math, "Optimizer": Optimizer}
    exec(source, namespace)
    return namespace[kind.__name__]


# ---- Right ones ----


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_the_frameworks_own(decay):
    def adam_of_keras(theta, steps):
        m = v = 0
        for t, (g, learning_rate) in enumerate(steps, start=1):
            theta = theta - learning_rate * decay * theta
            m = 0.9 * m + 0.1 * g
            v = 0.999 * v + 0.001 * g**2
            alpha = learning_rate * math.sqrt(1 - 0.999**t) / (1 - 0.9**t)
            theta = theta - alpha * m / (np.sqrt(v) + 1e-7)
            yield theta

    def sgd(theta, steps):
        for g, learning_rate in steps:
            theta = theta - learning_rate * decay * theta - learning_rate * g
            yield theta

    assert check_optimizer(lambda model: SGD(model, weight_decay=decay), sgd).largest_error < 1e-9
    assert check_optimizer(lambda model: Adam(model, weight_decay=decay), adam_of_keras).largest_error < 1e-9
    decaying = with_decay(momentum, decay)
    assert check_optimizer(lambda model: SGD(model, 0.1, 0.9, decay), decaying).largest_error < 1e-9

    class PlainStep(Adam):
        step = Adam.step_as_it_reads

    assert check_optimizer(lambda model: PlainStep(model, weight_decay=decay), adam_of_keras).largest_error < 1e-9


@pytest.mark.parametrize(("kind", "formula"), [(PlainAdam, adam), (PlainRMSprop, rmsprop), (Momentum, momentum)])
def test_written_five_minutes_ago(kind, formula):
    for seed in range(5):
        assert check_optimizer(kind, formula, rng=seed).largest_error < 1e-9


def test_the_report_is_a_table():
    report = check_optimizer(Momentum, momentum)
    numbers = re.compile(r"\d\.\de[-+]\d\d")
    assert (
        numbers.sub("#.#e-##", str(report))
        == """\
Momentum(learning_rate=0.01, weight_decay=0)
parameter       shape             steps  relative error
layer 0 W       (4, 3)               70         #.#e-##  right
layer 0 b       (3,)                 70         #.#e-##  right
layer 2 W       (3, 2)               70         #.#e-##  right
layer 2 b       (2,)                 70         #.#e-##  right
also right: theta changes in place, grad is left alone;
learning_rate may change at any time;
two of them do not know of each other;
float32 stays float32 and has float64's values;
a parameter with a gradient of 0 that does not decay stays"""
    )
    again, other = (check_optimizer(lambda model: SGD(model, weight_decay=0.1), all_decay, rng=rng) for rng in (0, 1))
    assert again == check_optimizer(lambda model: SGD(model, weight_decay=0.1), all_decay) != other


def test_formulas_may_work_in_place():
    def in_place(theta, steps):
        velocity = np.zeros_like(theta)
        for g, learning_rate in steps:
            g *= learning_rate
            velocity *= 0.9
            velocity -= g
            theta += velocity
            yield theta

    assert check_optimizer(Momentum, in_place).largest_error < 1e-9
    trial = Trial(Momentum, in_place, Sequential([Dense(2, 2, rng=0)]), np.random.default_rng(0))
    start, gradients = trial.start.copy(), np.ones((3, 6))
    trial.both(gradients)
    assert (trial.start == start).all()
    assert (gradients == 1).all()


def test_a_rule_that_tells_parameters_apart_gets_its_model():
    model = Sequential([Dense(3, 2, rng=0), ReLU(), Dense(2, 4, rng=1)])
    before = model.theta.copy()

    class HalfForBiases(Optimizer):
        def step(self):
            for p in self.model.parameters:
                p.value -= self.learning_rate * p.grad * (0.5 if p.value.ndim == 1 else 1)

    factors = np.concatenate([np.full(p.value.size, 0.5 if p.value.ndim == 1 else 1) for p in model.parameters])

    def rule(theta, steps):
        for g, learning_rate in steps:
            theta = theta - learning_rate * g * factors
            yield theta

    report = check_optimizer(lambda model: HalfForBiases(model, 0.1), rule, model=model)
    assert [row.shape for row in report.rows] == [(3, 2), (2,), (2, 4), (4,)]
    assert (model.theta == before).all()
    assert model.theta.dtype == np.float32
    with pytest.raises(GradientError, match=r"layer 0 b .*WRONG") as caught:
        check_optimizer(lambda model: SGD(model, 0.1), rule, model=model)
    assert "layer 0 W       (3, 2)               70         0.0e+00  right" in str(caught.value)


def test_an_optimizer_need_not_be_an_optimizer():
    """A step and a model are enough; of a learning rate that is not there nothing can be said."""

    class Descent:
        def __init__(self, model):
            self.model = model

        def step(self):
            self.model.theta -= 0.1 * self.model.grad

    def rule(theta, steps):
        for g, learning_rate in steps:
            assert math.isnan(learning_rate)
            theta = theta - 0.1 * g
            yield theta

    report = check_optimizer(Descent, rule)
    assert "not tested: a learning rate that changes, as there is none" in report.note
    assert report.subject == "Descent"


# ---- Wrong ones ----

HAT = "(np.sqrt(v_hat) + self.epsilon)"
MEAN = "self.beta_1 * self.m + (1 - self.beta_1) * g"
SQUARES = "self.beta_2 * self.v + (1 - self.beta_2) * g**2"
EPSILON = "right where gradients are large, and wrong where they are tiny: look at epsilon"
MISTAKES = {  # what it is: (the class, its formula, the words, the edits)
    "the sign": (PlainAdam, adam, "the sign is flipped", "theta -=", "theta +="),
    "no correction of the mean": (
        PlainAdam, adam, r"bias correction of the mean is missing: 1 - beta\*\*t, with beta 0.9$",
        " / (1 - self.beta_1**self.t)", ""),
    "no correction of the squares": (
        PlainAdam, adam, r"bias correction of the mean of squares is missing: 1 - beta\*\*t, with beta 0.999$",
        " / (1 - self.beta_2**self.t)", ""),
    "no correction at all": (
        PlainAdam, adam, "3.162 times the formula's step at first, .*: the bias correction is missing",
        " / (1 - self.beta_1**self.t)", "", " / (1 - self.beta_2**self.t)", ""),
    "corrections without the power t": (PlainAdam, adam, "does not have the power t", "**self.t", ""),
    "t from 0": (
        PlainAdam, adam, r"nothing is finite at step 1: is t counted from 1\? 1 - beta\*\*0 is 0",
        "        self.t += 1\n", "", f"{HAT}\n", f"{HAT}\n        self.t += 1\n"),
    "t from 2": (PlainAdam, adam, "is t the number of this step, from 1", "self.t = 0", "self.t = 1"),
    "t by 2": (PlainAdam, adam, "is t the number of this step, from 1", "self.t += 1", "self.t += 2"),
    "epsilon inside the root": (PlainAdam, adam, EPSILON, HAT, "np.sqrt(v_hat + self.epsilon)"),
    "another epsilon": (PlainAdam, adam, EPSILON, "1e-7", "1e-8"),
    "epsilon before the correction": (
        PlainAdam, adam, EPSILON, HAT, "(np.sqrt(self.v) + self.epsilon) * math.sqrt(1 - self.beta_2**self.t)"),
    "no epsilon": (PlainAdam, adam, r"not finite at step 1, where gradients are 0: .* epsilon", "1e-7", "0.0"),
    "the mean the wrong way round": (
        PlainAdam, adam, r"momentum the wrong way round: beta \* old \+ \(1 - beta\) \* new", MEAN,
        "(1 - self.beta_1) * self.m + self.beta_1 * g"),
    "the squares the wrong way round": (
        PlainAdam, adam, "is the mean of squares the wrong way round", SQUARES,
        "(1 - self.beta_2) * self.v + self.beta_2 * g**2"),
    "RMSprop's squares the wrong way round": (
        PlainRMSprop, rmsprop, "3.147 times .* in the formula 1.054 times: the mean of squares the wrong way round",
        "0.9 * self.v + 0.1 * g**2", "0.1 * self.v + 0.9 * g**2"),
    "RMSprop with another beta": (PlainRMSprop, rmsprop, r"small ones make steps .*: another beta\?",
                                  "0.9 * self.v + 0.1 *", "0.5 * self.v + 0.5 *"),
    "RMSprop without its squares": (PlainRMSprop, rmsprop, "is it divided by the root of the mean of squares",
                                    "(np.sqrt(self.v) + 1e-7)", "1"),
    "RMSprop that forgets": (PlainRMSprop, rmsprop, "small ones make steps that are", "0.9 * self.v + 0.1 * g**2",
                             "g**2"),
    "no root": (PlainAdam, adam, "divided by the mean of squares, and not by its root", "np.sqrt(v_hat)", "v_hat"),
    "not divided": (PlainAdam, adam, "is it divided by the root of the mean of squares", f" / {HAT}", ""),
    "the gradient is not squared": (PlainAdam, adam, "twice as large make the first step 1.414 times", "g**2",
                                    "np.abs(g)"),
    "the sign of the mean only": (Momentum, momentum, "is it the gradient, and not only its sign",
                                  "* self.model.grad", "* np.sign(self.model.grad)"),
    "nothing is kept": (PlainAdam, adam, "nothing is kept from step to step", "self.beta_1 * self.m + ", ""),
    "another beta_1": (PlainAdam, adam, r"0.525 times as large each, in the formula 0.773 times: another beta\?",
                       "0.9, 0.999", "0.5, 0.999"),
    "another beta_2": (PlainAdam, adam, r"another beta\?", "0.9, 0.999", "0.9, 0.99"),
    "the largest square ever": (PlainAdam, adam, r"up to step \d all is right: look at what is kept", SQUARES,
                                f"np.maximum(self.v, {SQUARES})"),
    "the learning rate is missing": (PlainAdam, adam, "the learning rate is missing", "self.learning_rate * m", "m"),
    "the learning rate twice": (PlainAdam, adam, "the learning rate is in it twice", "self.learning_rate * m",
                                "self.learning_rate**2 * m"),
    "the learning rate of __init__": (
        Momentum, momentum, "another one from step 11 on: read self.learning_rate in each step",
        "(model, learning_rate)\n", "(model, learning_rate)\n        self.rate = learning_rate\n",
        "self.learning_rate *", "self.rate *"),
    "the learning rate outside of velocity": (
        Momentum, momentum, "another one from step 11 on: does a velocity hold the learning rate",
        "- self.learning_rate * self", "- self", "+= self.v", "+= self.learning_rate * self.v"),
    "momentum the wrong way round": (Momentum, momentum, "0.1 times .* 0.9 times: momentum the wrong way round",
                                     "0.9 * self.velocity", "0.1 * self.velocity"),
    "momentum of the wrong sign": (Momentum, momentum, "what is kept from step to step has the wrong sign",
                                   "0.9 *", "-0.9 *"),
    "gradients add up for good": (Momentum, momentum, "go on 1 times as large each, in the formula 0.9 times",
                                  "= 0.9 * self.velocity -", "= self.velocity -"),
    "dampened": (Momentum, momentum, "each step is 0.1 times the formula's: a factor", "- self", "- 0.1 * self"),
    "Nesterov's": (Momentum, momentum, "the newest gradient counts 2.111 times .*Nesterov", "+= self.velocity",
                   "+= 0.9 * self.velocity - self.learning_rate * self.model.grad"),
    "one step late": (Momentum, momentum, "the newest gradient counts 0 times",
                      "self.velocity = 0.9", "old, self.velocity = self.velocity, 0.9", "+= self.velocity", "+= old"),
    "an old gradient as well": (
        Momentum, momentum, "last is model.grad itself, which the next backward fills: copy it",
        "self.velocity = 0.9", "last = vars(self).get('last', 0 * self.model.grad)\n        self.velocity = 0.9",
        "self.model.grad\n        self.model", "last\n        self.last = self.model.grad\n        self.model"),
    "a copy of theta": (Momentum, momentum, "theta does not move: change self.model.theta itself",
                        "self.model.theta +=", "theta = self.model.theta.copy(); theta +="),
    "half of theta": (Momentum, momentum, "some of theta does not move", "self.model.theta += self.velocity",
                      "self.model.theta[:12] += self.velocity[:12]"),
    "clipped": (Momentum, momentum, "right where gradients are small, and wrong where they are large: is it clipped",
                "self.model.grad\n", "self.model.grad.clip(-5, 5)\n"),
    "float32 within": (Momentum, momentum, "right but for rounding to float32", "self.model.grad\n",
                       "self.model.grad.astype(np.float32)\n        self.velocity = "
                       "self.velocity.astype(np.float32).astype(float)\n"),
    "nothing at a gradient of 0": (PlainAdam, adam, "only step 5, in which all gradients are 0, is wrong",
                                   "self.t += 1\n", "self.t += 1\n        if not g.any(): return\n"),
    "decays, and should not": (PlainAdam, adam, "theta moves without gradients, and in the formula it does not",
                               "self.t += 1\n", "self.t += 1; self.model.theta *= 1 - 0.1 * self.learning_rate\n"),
    "does not decay, and should": (Momentum, with_decay(momentum, 0.1), "weight decay is missing"),
    "decays half": (
        Momentum, with_decay(momentum, 0.1), "weight decay is 0.5 times the formula's", "def step(self):\n",
        "def step(self):\n        self.model.theta *= 1 - self.learning_rate * 0.05\n"),
    "decay in the gradient": (
        PlainAdam, with_decay(adam, 0.1), "weight decay goes through the rest of the rule, as it is added to grad",
        "g = self.model.grad", "g = self.model.grad + 0.1 * self.model.theta"),
    "grad is changed": (PlainAdam, adam, "expected grad to be left alone by step, got another one",
                        "g = self.model.grad\n", "g = self.model.grad; g *= 0.5\n"),
    "theta is replaced": (
        Momentum, momentum, "expected theta to be changed in place, got another array", "self.model.theta += ",
        "self.model._theta = self.model.theta + "),
    "grad is replaced": (Momentum, momentum, "expected grad to be left alone", "self.model.theta += ",
                         "self.model._grad = self.model.grad.copy(); self.model.theta += "),
    "theta changes in __init__": (Momentum, momentum, "leave theta alone in __init__", "(model, learning_rate)\n",
                                  "(model, learning_rate); model.theta *= 0.5\n"),
    "another model": (Momentum, momentum, "the optimizer of the model that make was given, got another's",
                      "super().__init__(model,", "super().__init__(__import__('copy').deepcopy(model),"),
    "memory on the class": (
        Momentum, momentum, "does not know of another one, got another theta when two of them work",
        "def __init__", "velocity = np.zeros(23)\n\n    def __init__", "self.velocity = np.zeros_like(model.theta)",
        "self.velocity *= 0", "self.velocity = 0.9 * self.velocity - ", "self.velocity[:] = 0.9 * self.velocity - "),
    "t on the class": (PlainAdam, adam, "does not know of another one", "self.t = 0", "pass",
                       "beta_1, beta_2,", "t = 0; beta_1, beta_2,", "self.t += 1", "type(self).t += 1"),
    "memory in float64": (Momentum, momentum, "expected float32 to stay float32, got float64 in velocity",
                          "np.zeros_like(model.theta)", "np.zeros(model.theta.size)"),
    "a factor of np.float64": (PlainAdam, adam, "got float64 in m: .*np.float64", "0.9, 0.999",
                               "np.float64(0.9), 0.999"),
    "an epsilon that float32 does not hold": (
        PlainAdam, partial(adam, epsilon=1e-50),
        "expected theta in float32 as in float64, got nan where .*a gradient of 0: .*an epsilon as well",
        "1e-7", "1e-50"),
    "all decays, running statistics too": (
        Momentum, with_decay(momentum, 0.1), "gradient of 0 and decays = False, such as running statistics, to stay",
        "def step(self):\n", "def step(self):\n        self.model.theta *= 1 - self.learning_rate * 0.1\n"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_mistakes_are_caught_and_named(mistake):
    kind, formula, words, *edits = mistake
    with pytest.raises(GradientError) as caught:
        check_optimizer(wrong(kind, *edits), formula)
    assert re.search(words, str(caught.value).splitlines()[-1]), str(caught.value)


def test_the_page_says_how_many():
    page = (Path(__file__).parent.parent / "docs" / "cookbook.md").read_text(encoding="utf-8")
    assert f"Of {len(MISTAKES)} planted mistakes each is caught" in page


def test_an_error_names_the_step_the_parameter_and_both_numbers():
    with pytest.raises(GradientError) as caught:
        check_optimizer(wrong(Momentum, "self.velocity\n", "self.velocity; self.model.parameters[2].value[1, 1] += 1\n",
                              "def step", "count = 0\n\n    def step"), momentum)  # fmt: skip
    text = str(caught.value)
    assert re.search(r"layer 2 W +\(3, 2\) +70 +\d.* WRONG\n", text)
    assert text.count("WRONG") == 1
    match = re.search(r"step 1, layer 2 W\[1, 1\]: theta is (\S+), the formula has (\S+) \(gradient (\S+)\)", text)
    assert float(match.group(1)) - float(match.group(2)) == pytest.approx(1, rel=1e-6)


def test_what_is_frozen_in_the_formula_only():
    def frozen(theta, steps):
        for g, learning_rate in steps:
            theta = theta - learning_rate * g * (np.arange(theta.size) >= 12)
            yield theta

    with pytest.raises(GradientError, match="some of theta moves that the formula leaves alone"):
        check_optimizer(SGD, frozen)


def test_the_first_wrong_step_is_named():
    class Late(Momentum):
        steps = 0

        def step(self):
            super().step()
            self.steps += 1
            if self.steps > 20:
                self.model.theta[0] += 0.5

    with pytest.raises(GradientError, match=r"step 21, layer 0 W\[0, 0\]") as caught:
        check_optimizer(Late, momentum)
    assert str(caught.value).endswith("up to step 20 all is right: look at what is kept from step to step")


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        (lambda theta, steps: theta, r"expected formula to yield theta of shape \(23,\) after each of 70 steps, got 23 "
                                     r"of shapes \[\(\)\]: end the body of its loop over steps with: yield theta"),
        (lambda theta, steps: None, "got nothing: end the body"),
        (lambda theta, steps: [theta for _ in steps][:5], r"got 5 of shapes \[\(23,\)\]"),
        (lambda theta, steps: (theta - g[0] for g, _ in steps if g[0] < 9), None),
        (lambda theta, steps: (theta / g for g, _ in steps), "expected formula to yield finite numbers, got others at "
                                                             "step 1: some gradients are 0: is there an epsilon?"),
    ],
)  # fmt: skip
def test_formulas_that_yield_something_else(formula, message):
    with pytest.raises(ValueError if message else GradientError, match=message):
        check_optimizer(Momentum, formula)


def test_a_formula_that_does_not_look_at_the_learning_rate():
    def fixed(theta, steps):
        for g, _ in steps:
            theta = theta - 0.01 * g
            yield theta

    with pytest.raises(GradientError, match="the formula does not use the learning rate that it is given"):
        check_optimizer(SGD, fixed)


def test_make_returns_an_optimizer():
    with pytest.raises(TypeError, match=r"expected make to return an optimizer, got 3: give a class such as Adam"):
        check_optimizer(lambda model: 3, momentum)
    with pytest.raises(ValueError, match="got none to train"):
        check_optimizer(SGD, momentum, model=Sequential([ReLU()]))


# ---- What is tested ----


def test_gradients_of_all_sizes_and_none(rng):
    gradients = random_gradients(23, rng)
    assert gradients.shape == (STEPS, 23)
    sizes = np.abs(gradients).max(axis=0)
    assert sizes[sizes > 0].min() < 1e-4
    assert sizes.max() > 10
    assert (sizes == 0).sum() == 2
    assert [t for t in range(STEPS) if not gradients[t].any()] == [4]
    assert (gradients == gradients.astype(np.float32)).all()
    assert STEPS > 64 > FEW


def test_a_model_of_one_number_is_enough():
    class Gain(ReLU):
        def __init__(self):
            self.gain = Parameter(np.ones(1))

    with pytest.raises(GradientError, match="the sign is flipped"):
        check_optimizer(wrong(Momentum, "+= self", "-= self"), momentum, model=Sequential([Gain()]))
    assert check_optimizer(Momentum, momentum, model=Sequential([Gain()])).largest_error < 1e-9


def test_parameters_that_do_not_decay_stay_so_in_the_copies():
    model = Sequential([Dense(2, 2, rng=0)])
    model.layers[0].b.decays = False
    weights = np.array([1, 1, 1, 1, 0, 0])

    def rule(theta, steps):
        for g, learning_rate in steps:
            theta = theta - learning_rate * (0.1 * weights * theta + g)
            yield theta

    assert check_optimizer(lambda model: SGD(model, 0.1, weight_decay=0.1), rule, model=model).largest_error < 1e-9
    with pytest.raises(GradientError, match=r"not all parameters decay, and in the formula they do: look at p.decays"):
        check_optimizer(lambda model: SGD(model, 0.1, weight_decay=0.1), all_decay, model=model)
    model.layers[0].b.decays = True
    with pytest.raises(GradientError, match="all parameters decay, and in the formula not all do"):
        check_optimizer(lambda model: SGD(model, 0.1, weight_decay=0.1), rule, model=model)


def all_decay(theta, steps):
    for g, learning_rate in steps:
        theta = theta - learning_rate * (0.1 * theta + g)
        yield theta


def test_errors_are_relative_to_the_way_that_theta_has_come(rng):
    trial = Trial(Momentum, momentum, Sequential([Dense(2, 2, rng=0)]), rng)
    gradients = 1e-5 * np.ones((4, 6))
    trace = trial.both(gradients)
    trace.got[-1, 2] += 1e-9
    errors = relative(trace)
    way = np.abs(trace.wanted[-1, 2] - trial.start[2])
    assert errors[-1, 2] == pytest.approx(1e-9 / max(way, 1e-6 * abs(trial.start[2])), rel=0.01)
    assert errors[:, [0, 1, 3]].max() < 1e-8
    assert np.isinf(relative(trace._replace(got=np.nan * trace.got))).all()


def test_parameters_have_the_names_of_their_places():
    class Block(Dense):
        def __init__(self):
            super().__init__(2, 2, rng=0)
            self.more = [Parameter(np.ones(1, np.float32))]

    rows = check_optimizer(Momentum, momentum, model=Sequential([ReLU(), Block()])).rows
    assert [row.name for row in rows] == ["layer 1 W", "layer 1 b", "layer 1 more.0"]
