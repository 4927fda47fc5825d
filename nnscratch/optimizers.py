"""Optimizers: one step downhill for all parameters at once, on the vectors theta and grad."""

import math

import numpy as np

from nnscratch import guards, tables
from nnscratch.model import Sequential


class Optimizer:
    """The contract: ``step()`` changes ``model.theta`` according to ``model.grad``.

    learning_rate and weight_decay may be changed at any time. Errors: ValueError for values out of
    range, whenever they are assigned.
    """

    learning_rate = guards.number("learning_rate", 0, math.inf, usual=0.001, open=True)
    weight_decay = guards.number("weight_decay", 0, math.inf, usual=0.01)
    __repr__ = tables.settings

    def __init__(self, model: Sequential, learning_rate: float, weight_decay: float = 0.0) -> None:
        self.model = guards.model_to_train(model, Sequential)
        self.learning_rate, self.weight_decay = learning_rate, weight_decay

    def decay(self) -> None:
        """theta <- theta - learning_rate weight_decay theta, where parameters decay."""
        for p in self.model.parameters:
            p.value *= 1 - self.learning_rate * self.weight_decay * p.decays

    def step(self) -> None:
        raise NotImplementedError(f"{type(self).__name__} needs a method step(self)")


class SGD(Optimizer):
    """Stochastic gradient descent: theta <- theta - learning_rate grad.

    With momentum, steps that keep pointing the same way add up (Polyak 1964; Sutskever et al.
    2013):

        velocity <- momentum velocity - learning_rate grad
        theta <- theta + velocity

    With weight_decay, theta <- theta - learning_rate weight_decay theta comes first, biases
    included.
    """

    momentum = guards.number("momentum", 0, 1, usual=0.9)

    def __init__(
        self, model: Sequential, learning_rate: float = 0.01, momentum: float = 0.0,
        weight_decay: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__(model, learning_rate, weight_decay)
        self.momentum = momentum
        self.velocity = np.zeros_like(model.theta)

    def step(self) -> None:
        theta, grad = self.model.theta, self.model.grad
        if self.weight_decay:
            self.decay()
        self.velocity *= self.momentum
        self.velocity -= self.learning_rate * grad
        theta += self.velocity  # in place: this is the model's own vector


class Adam(Optimizer):
    """Adam: in every coordinate a step of about learning_rate, or less, whatever the gradients.

    At step t, with g the gradient:

        m <- beta_1 m + (1 - beta_1) g           running mean of the gradient
        v <- beta_2 v + (1 - beta_2) g²          running mean of its square
        alpha = learning_rate sqrt(1 - beta_2^t) / (1 - beta_1^t)
        theta <- theta - alpha m / (sqrt(v) + epsilon)

    m and v start at 0 and are too small at first, which alpha makes up for. This epsilon is the
    "epsilon hat" of Kingma & Ba 2015, end of section 2, as in Keras; PyTorch has Algorithm 1,
    where it is added to sqrt(v / (1 - beta_2^t)). weight_decay as in SGD (Loshchilov & Hutter
    2019).
    """

    beta_1 = guards.number("beta_1", 0, 1, usual=0.9, once=True)
    beta_2 = guards.number("beta_2", 0, 1, usual=0.999, once=True)
    epsilon = guards.number("epsilon", 1.2e-38, math.inf, usual=1e-7)  # no less fits a float32

    def __init__(
        self, model: Sequential, learning_rate: float = 1e-3, beta_1: float = 0.9,
        beta_2: float = 0.999, epsilon: float = 1e-7, weight_decay: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__(model, learning_rate, weight_decay)
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon
        self.t = 0
        self.m, self.v, self.scratch = np.zeros((3, model.theta.size), model.theta.dtype)
        self.negligible = 1e4 * float(np.finfo(model.theta.dtype).tiny)

    def step_as_it_reads(self) -> None:
        """The formula, line by line. Each operation makes a new array as large as theta."""
        theta, g = self.model.theta, self.model.grad
        self.t += 1
        if self.weight_decay:
            self.decay()
        self.m = self.beta_1 * self.m + (1 - self.beta_1) * g
        self.v = self.beta_2 * self.v + (1 - self.beta_2) * g**2
        alpha = self.learning_rate * math.sqrt(1 - self.beta_2**self.t) / (1 - self.beta_1**self.t)
        theta -= alpha * self.m / (np.sqrt(self.v) + self.epsilon)

    def step(self) -> None:
        """The same, but for its last digits, in ten passes over theta and without a new array.

        m and v are kept without their factors (1 - beta), which saves two passes. So m is too
        large by the factor 1 / (1 - beta_1), sqrt(v) by 1 / root: alpha and epsilon make up for
        both.
        """
        theta, g, m, v, scratch = self.model.theta, self.model.grad, self.m, self.v, self.scratch
        self.t += 1
        if self.weight_decay:
            self.decay()
        m *= self.beta_1
        m += g
        v *= self.beta_2
        v += np.square(g, out=scratch)
        alpha = self.learning_rate * math.sqrt(1 - self.beta_2**self.t) / (1 - self.beta_1**self.t)
        root = math.sqrt(1 - self.beta_2)
        np.sqrt(v, out=scratch)
        scratch += self.epsilon / root
        np.divide(m, scratch, out=scratch)
        scratch *= alpha * (1 - self.beta_1) / root
        theta -= scratch
        if self.t % 64 == 0:
            # Where pixels are long dark, m decays to denormal numbers, below 1.2e-38 in float32,
            # and arithmetic on these is slow: 1 % of the time on one machine, 39 % on another.
            m *= np.abs(m) > self.negligible
            v *= v > self.negligible
