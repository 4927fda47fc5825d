"""Regularisation: what keeps a network from learning its training data by heart. Dropout itself is in nnscratch."""

import numpy as np

from nnscratch import (
    SGD,
    Dense,
    Layer,
    Optimizer,
    ReLU,
    Sequential,
    SoftmaxCrossEntropy,
    check_layer,
    check_loss,
    check_optimizer,
)


class SpatialDropout(Layer):
    """Dropout of whole channels: x (N, H, W, C), mask (N, 1, 1, C). y = x * mask while training, dx = dy * mask.

    Neighbouring pixels say nearly the same, so a single one that is dropped is not missed; a channel is. The mask holds
    0 or 1 / (1 - rate), so that the mean of y is x. Tompson et al. 2015, section 3.2.
    """

    def __init__(self, rate, *, rng=None):
        self.rate, self.rng = rate, np.random.default_rng(rng)

    def forward(self, x):
        self.mask = np.ones((len(x), 1, 1, x.shape[-1]), x.dtype)
        if self.training:
            kept = self.rng.random(self.mask.shape) >= self.rate
            self.mask = kept.astype(x.dtype) / (1 - self.rate)
        return x * self.mask  # (N, H, W, C) * (N, 1, 1, C)

    def backward(self, dy):
        return dy * self.mask


class GaussianNoise(Layer):
    """y = x + noise while training, normal with mean 0 and this deviation; dx = dy. Bishop 1995."""

    def __init__(self, deviation, *, rng=None):
        self.deviation, self.rng = float(deviation), np.random.default_rng(rng)

    def forward(self, x):
        if not self.training:
            return x
        return x + self.deviation * self.rng.standard_normal(x.shape, np.float32).astype(x.dtype)

    def backward(self, dy):
        return dy


class L2(Optimizer):
    """The loss plus strength / 2 times the sum of squares of the weights of some layers: grad gets strength W more.

        optimizer = L2(SGD(model), model.layers[:1], 1e-4)

    Only W, not biases: what has two axes or more. The loss that is printed is the one without the penalty. With SGD
    this is weight decay; with Adam it is not, as large gradients hide it (Loshchilov & Hutter 2019, section 2).
    """

    def __init__(self, optimizer, layers, strength):
        super().__init__(optimizer.model, optimizer.learning_rate)
        self.optimizer, self.strength = optimizer, strength
        self.chosen = [p for layer in layers for p in layer.parameters if p.value.ndim > 1]

    def step(self):
        grad = self.model.grad.copy()
        for p in self.chosen:
            p.grad += self.strength * p.value
        self.optimizer.learning_rate = self.learning_rate
        self.optimizer.step()
        self.model.grad = grad


class LabelSmoothing(SoftmaxCrossEntropy):
    """SoftmaxCrossEntropy that asks for 1 - epsilon of the right class and spreads epsilon evenly over all C.

    t_k = (1 - epsilon) [k = c] + epsilon / C; the gradient is (p - t) / N as ever. Logits need not grow without end.
    Szegedy et al. 2016, section 7.
    """

    def __init__(self, epsilon=0.1):
        self.epsilon = epsilon

    def forward(self, outputs, labels):
        super().forward(outputs, labels)  # sets t and log_p, both (N, C)
        self.t = (1 - self.epsilon) * self.t + self.epsilon / outputs.shape[1]
        return -float((self.t * self.log_p).sum()) / len(self.t)


def prove():
    rng = np.random.default_rng(0)
    yield check_layer(SpatialDropout(0.25, rng=0), rng.standard_normal((3, 4, 5, 6)))
    yield check_layer(GaussianNoise(0.1, rng=0), rng.standard_normal((3, 4)))
    yield check_loss(LabelSmoothing(), rng.standard_normal((5, 4)), [0, 3, 1, 1, 2])

    model = Sequential([Dense(3, 2, rng=0), ReLU(), Dense(2, 2, rng=1)])
    first = np.arange(model.theta.size) < 3 * 2  # W of the first layer

    def gradient_of_both(theta, steps):
        for g, learning_rate in steps:
            theta = theta - learning_rate * (g + 0.1 * theta * first)
            yield theta

    yield check_optimizer(lambda model: L2(SGD(model), model.layers[:1], 0.1), gradient_of_both, model=model)


if __name__ == "__main__":
    print(*prove(), sep="\n\n")
