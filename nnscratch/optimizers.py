"""Optimizers: one step downhill, for all parameters at once, on the model's vectors theta and grad.

These vectors are as large as the model, and each pass over one takes time: so the updates are in place.
"""

import math

import numpy as np

from nnscratch.model import Sequential
from nnscratch.parameter import expect, expect_kind


class Optimizer:
    """The contract: ``step()`` changes ``model.theta`` according to ``model.grad``."""

    def __init__(self, model: Sequential, learning_rate: float) -> None:
        expect_kind(Sequential, model, "a model such as Sequential([Dense(784, 10)])")
        expect(len(model.parameters) > 0, "a model with parameters, got none to train: add a Dense layer")
        expect(0 < learning_rate < math.inf, f"learning_rate > 0 and finite, got {learning_rate}: 0.001 is usual")
        self.model, self.learning_rate = model, learning_rate

    def step(self) -> None:
        raise NotImplementedError(f"{type(self).__name__} needs a method step(self)")


class SGD(Optimizer):
    """Stochastic gradient descent: theta <- theta - learning_rate grad.

    With momentum: velocity <- momentum velocity - learning_rate grad, theta <- theta + velocity: steps in a lasting
    direction add up (Polyak 1964; Sutskever et al. 2013, eq. 1-2). With weight_decay, theta <- theta - learning_rate
    weight_decay theta comes first. Errors: ValueError for values out of range.
    """

    def __init__(
        self, model: Sequential, learning_rate: float = 0.01, momentum: float = 0.0, weight_decay: float = 0.0
    ) -> None:
        super().__init__(model, learning_rate)
        expect(0 <= momentum < 1, f"momentum in [0, 1), got {momentum}: 0.9 is usual")
        expect(weight_decay >= 0, f"weight_decay >= 0, got {weight_decay}: 0.01 is usual")
        self.momentum, self.weight_decay = momentum, weight_decay
        self.velocity = np.zeros_like(model.theta)

    def step(self) -> None:
        theta = self.model.theta
        if self.weight_decay:
            theta *= 1 - float(self.learning_rate * self.weight_decay)
        self.velocity *= float(self.momentum)
        self.velocity -= float(self.learning_rate) * self.model.grad
        theta += self.velocity


class Adam(Optimizer):
    """Adam: in every coordinate a step of about learning_rate, however large its gradients are.

    At step t, with g the gradient:

        m <- beta_1 m + (1 - beta_1) g           running mean of the gradient
        v <- beta_2 v + (1 - beta_2) g²          running mean of its square
        alpha = learning_rate sqrt(1 - beta_2^t) / (1 - beta_1^t)
        theta <- theta - alpha m / (sqrt(v) + epsilon)

    m and v start at 0 and are too small at first, which alpha makes up for. This epsilon is the "epsilon hat" of Kingma
    & Ba 2015, end of section 2, as in Keras; their Algorithm 1, as in PyTorch, adds it to sqrt(v / (1 - beta_2^t)).
    weight_decay as in SGD, that is AdamW (Loshchilov & Hutter 2019). Errors: ValueError for values out of range.
    """

    def __init__(
        self, model: Sequential, learning_rate: float = 1e-3, beta_1: float = 0.9, beta_2: float = 0.999,
        epsilon: float = 1e-7, weight_decay: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__(model, learning_rate)
        expect(0 <= beta_1 < 1, f"beta_1 in [0, 1), got {beta_1}: 0.9 is usual")
        expect(0 <= beta_2 < 1, f"beta_2 in [0, 1), got {beta_2}: 0.999 is usual")
        tiny = float(np.finfo(model.theta.dtype).tiny)
        expect(
            tiny <= epsilon < math.inf,
            f"epsilon > 0 and finite, for {model.theta.dtype} at least {tiny:.1e}, got {epsilon}: 1e-7 is usual",
        )
        expect(weight_decay >= 0, f"weight_decay >= 0, got {weight_decay}: 0.01 is usual")
        self.beta_1, self.beta_2, self.epsilon = float(beta_1), float(beta_2), float(epsilon)
        self.weight_decay = weight_decay
        self.t = 0
        self.negligible = 1e4 * tiny
        self.m, self.v, self._scratch = np.zeros((3, model.theta.size), model.theta.dtype)

    def step(self) -> None:
        theta, grad, m, v, scratch = self.model.theta, self.model.grad, self.m, self.v, self._scratch
        self.t += 1
        # float(), here and below: an np.float64 would turn float32 arrays into slow float64 ones.
        alpha = float(self.learning_rate) * math.sqrt(1 - self.beta_2**self.t) / (1 - self.beta_1**self.t)
        if self.weight_decay:
            theta *= 1 - float(self.learning_rate * self.weight_decay)
        # m and v are kept without their factors (1 - beta), which saves two passes of twelve; alpha and epsilon
        # take the factors over.
        root = math.sqrt(1 - self.beta_2)
        m *= self.beta_1
        m += grad
        v *= self.beta_2
        np.square(grad, out=scratch)
        v += scratch
        np.sqrt(v, out=scratch)
        scratch += self.epsilon / root
        np.divide(m, scratch, out=scratch)
        scratch *= alpha * (1 - self.beta_1) / root
        theta -= scratch
        if self.t % 64 == 0:
            # Where pixels stay dark, m decays into the denormal numbers (below 1.2e-38 in float32) and sticks there.
            # Arithmetic on them is slow: setting them to 0 saves 1 to 2 % of a step (demos.costs).
            m *= np.abs(m) > self.negligible
            v *= v > self.negligible
