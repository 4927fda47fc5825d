"""Optimizers: formulas on two vectors, theta and grad. ``check_optimizer`` compares each with its rule as published."""

import numpy as np

from nnscratch import SGD, Adam, Dense, Optimizer, ReLU, Sequential, check_optimizer


class RMSprop(Optimizer):
    """Every coordinate's step is divided by the size its gradients have had lately.

        v <- rho v + (1 - rho) g²        theta <- theta - learning_rate g / (sqrt(v) + epsilon)

    Tieleman & Hinton 2012, lecture 6e; epsilon outside the root, as in PyTorch (in Keras it is within).
    """

    def __init__(self, model, learning_rate=1e-3, rho=0.9, epsilon=1e-7):
        super().__init__(model, learning_rate)
        self.rho, self.epsilon, self.v = rho, epsilon, np.zeros_like(model.theta)

    def step(self):
        g = self.model.grad
        self.v = self.rho * self.v + (1 - self.rho) * g**2
        self.model.theta -= self.learning_rate * g / (np.sqrt(self.v) + self.epsilon)


class Nesterov(SGD):
    """Momentum that looks ahead: the step is the one that velocity will make with this gradient once more.

        velocity <- momentum velocity - learning_rate g        theta <- theta + momentum velocity - learning_rate g

    Nesterov 1983; in this form Bengio, Boulanger-Lewandowski & Pascanu 2012, equations 6 and 7, and Keras.
    """

    def __init__(self, model, learning_rate=0.01, momentum=0.9):
        super().__init__(model, learning_rate, momentum)

    def step(self):
        g = self.model.grad
        self.velocity = self.momentum * self.velocity - self.learning_rate * g
        self.model.theta += self.momentum * self.velocity - self.learning_rate * g


class Lion(Optimizer):
    """Every coordinate takes a step of the same size, learning_rate; only the sign is learned.

        theta <- theta - learning_rate (sign(beta_1 m + (1 - beta_1) g) + weight_decay theta)
        m <- beta_2 m + (1 - beta_2) g

    Take a tenth of Adam's learning rate. Chen et al. 2023, algorithm 2.
    """

    def __init__(self, model, learning_rate=1e-4, beta_1=0.9, beta_2=0.99, weight_decay=0.0):
        super().__init__(model, learning_rate, weight_decay)
        self.beta_1, self.beta_2, self.m = beta_1, beta_2, np.zeros_like(model.theta)

    def step(self):
        g = self.model.grad
        self.decay()  # of those that decay
        self.model.theta -= self.learning_rate * np.sign(self.beta_1 * self.m + (1 - self.beta_1) * g)
        self.m = self.beta_2 * self.m + (1 - self.beta_2) * g


class AdamW(Adam):
    """Adam with weight decay for weights only: not for biases, gains and shifts, which have a single axis.

    theta <- theta - learning_rate weight_decay theta before the step. A bias does not make a function wilder, so there
    is nothing to gain from pulling it to 0. Loshchilov & Hutter 2019, algorithm 2; without biases since Radford et al.
    2018, section 4.1.
    """

    def __init__(self, model, learning_rate=1e-3, weight_decay=0.01):
        super().__init__(model, learning_rate, weight_decay=weight_decay)
        for p in model.parameters:
            p.decays = p.decays and p.value.ndim > 1


class Clipped(Optimizer):
    """Any optimizer, for a gradient that is never longer than ``max_norm``: g <- g min(1, max_norm / |g|).

    The direction stays. Recurrent networks need this where a gradient explodes. The length is that of the whole grad,
    of all parameters together. Pascanu, Mikolov & Bengio 2013, algorithm 1.

        optimizer = Clipped(Adam(model), 1.0)
    """

    def __init__(self, optimizer, max_norm):
        super().__init__(optimizer.model, optimizer.learning_rate)
        self.optimizer, self.max_norm = optimizer, max_norm

    def step(self):
        grad = self.model.grad.copy()
        length = float(np.linalg.norm(grad))
        if length > self.max_norm:
            self.model.grad *= self.max_norm / length
        self.optimizer.learning_rate = self.learning_rate
        self.optimizer.step()
        self.model.grad = grad


class RatesByLayer(Optimizer):
    """Any optimizer, with steps ``factors[i]`` times as large in layer i; 0 freezes a layer, others have 1.

        optimizer = RatesByLayer(Adam(model), {0: 0, 2: 0.1})      # fine-tuning: layer 0 stays, layer 2 moves slowly

    theta <- theta + factor * step: where a step is proportional to the learning rate, as everywhere here, that is the
    factor of the learning rate. Howard & Ruder 2018, section 3.2. (BatchNorm's running statistics are moved by its
    forward, and go on moving.)
    """

    def __init__(self, optimizer, factors):
        super().__init__(optimizer.model, optimizer.learning_rate)
        self.optimizer, self.factors = optimizer, factors

    def step(self):
        chosen = [(p, factor) for i, factor in self.factors.items() for p in self.model.layers[i].parameters]
        before = [p.value.copy() for p, _ in chosen]
        self.optimizer.learning_rate = self.learning_rate
        self.optimizer.step()
        for (p, factor), old in zip(chosen, before, strict=True):
            p.value = old + factor * (p.value - old)


def prove():
    """Each rule once more, as the paper has it: on plain vectors, with t from 1 and state in variables."""

    def rmsprop(theta, steps):
        v = 0
        for g, learning_rate in steps:
            v = 0.9 * v + 0.1 * g**2
            theta = theta - learning_rate * g / (v**0.5 + 1e-7)
            yield theta

    def nesterov(theta, steps):
        velocity = 0
        for g, learning_rate in steps:
            velocity = 0.9 * velocity - learning_rate * g
            theta = theta + 0.9 * velocity - learning_rate * g
            yield theta

    def lion(theta, steps):
        m = 0
        for g, learning_rate in steps:
            c = 0.9 * m + 0.1 * g
            theta = theta - learning_rate * (np.sign(c) + 0.1 * theta)
            m = 0.99 * m + 0.01 * g
            yield theta

    yield check_optimizer(RMSprop, rmsprop)
    yield check_optimizer(Nesterov, nesterov)
    yield check_optimizer(lambda model: Lion(model, weight_decay=0.1), lion)

    model = Sequential([Dense(4, 3, rng=0), ReLU(), Dense(3, 2, rng=1)])
    weights = np.concatenate([np.full(p.value.size, p.value.ndim > 1) for p in model.parameters])
    first = np.arange(model.theta.size) < 4 * 3 + 3  # those of the first layer

    def adamw(theta, steps):
        m = v = 0
        for t, (g, learning_rate) in enumerate(steps, start=1):
            theta = theta - learning_rate * 0.01 * theta * weights
            m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
            alpha = learning_rate * (1 - 0.999**t) ** 0.5 / (1 - 0.9**t)
            theta = theta - alpha * m / (v**0.5 + 1e-7)
            yield theta

    def clipped(theta, steps):
        for g, learning_rate in steps:
            theta = theta - learning_rate * g * min(1, 1 / np.sqrt((g**2).sum()))
            yield theta

    def slow_and_frozen(theta, steps):
        for g, learning_rate in steps:
            theta = theta - learning_rate * g * np.where(first, 0, 0.5)
            yield theta

    yield check_optimizer(AdamW, adamw, model=model)
    yield check_optimizer(lambda model: Clipped(SGD(model), 1.0), clipped)
    yield check_optimizer(lambda model: RatesByLayer(SGD(model), {0: 0, 2: 0.5}), slow_and_frozen, model=model)


if __name__ == "__main__":
    print(*prove(), sep="\n\n")
