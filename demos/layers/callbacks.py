"""Callbacks: what ``fit`` calls after each step and each epoch. And mixup, which makes batches out of batches."""

import math

import numpy as np

from nnscratch import Callback


class CosineSchedule(Callback):
    """The learning rate rises for ``warmup`` epochs, then falls to 0 along a cosine. Loshchilov & Hutter 2017, eq. 5.

    With the fraction of steps done, p from 0 to 1: rate * p / w up to w = warmup / epochs, then
    rate * (1 + cos(π (p - w) / (1 - w))) / 2. The rate is the one that the optimizer has when training begins. Warm-up:
    Goyal et al. 2017, section 2.2.

    >>> from nnscratch import SGD, Dense, Sequential
    >>> optimizer = SGD(Sequential([Dense(1, 1)]), learning_rate=1.0)
    >>> schedule, rates = CosineSchedule(optimizer, warmup=1), []
    >>> schedule.on_train_begin(optimizer.model, epochs=3, steps=2)
    >>> for step in range(6):
    ...     rates.append(round(optimizer.learning_rate, 3))      # what this step is made with
    ...     schedule.on_batch_end(0.0, 0.0)
    >>> rates
    [0.25, 0.75, 0.962, 0.691, 0.309, 0.038]
    """

    def __init__(self, optimizer, warmup=0.0):
        self.optimizer, self.warmup = optimizer, warmup

    def on_train_begin(self, model, epochs, steps):
        self.rate, self.share, self.steps, self.done = (
            self.optimizer.learning_rate,
            self.warmup / epochs,
            epochs * steps,
            0,
        )
        self.optimizer.learning_rate = self.rate * self.factor()

    def on_batch_end(self, loss, score):
        self.done += 1
        if self.done < self.steps:
            self.optimizer.learning_rate = self.rate * self.factor()

    def factor(self):
        p = (self.done + 0.5) / self.steps  # the middle of the next step: neither the first rate nor the last is 0
        if p < self.share:
            return p / self.share
        return (1 + math.cos(math.pi * (p - self.share) / (1 - self.share))) / 2

    def on_train_end(self, model):
        self.optimizer.learning_rate = self.rate


class WeightAverage(Callback):
    """The model is judged, and ends, with a running mean of its weights, which wander less than the weights do.

        mean <- decay mean + (1 - decay) theta, after each step, from 0 on; divided by 1 - decay^t, as Adam's m is

    The last step of an epoch puts the mean into the model, so that ``fit`` validates it; the weights come back before
    the next step. Put this callback last, but before an EarlyStopping that restores the best weights. BatchNorm's
    running statistics are part of theta, and of the mean. Polyak & Juditsky 1992; Tarvainen & Valpola 2017, section 2.

    >>> from nnscratch import SGD, Dense, Sequential
    >>> model = Sequential([Dense(1, 1)])
    >>> average = WeightAverage(decay=0.5)
    >>> average.on_train_begin(model, epochs=1, steps=2)
    >>> for model.theta in ([1.0, 0.0], [4.0, 3.0]):
    ...     average.on_batch_end(0.0, 0.0)
    >>> model.theta                                          # (0.5 * 0.5 * [1, 0] + 0.5 * [4, 3]) / (1 - 0.5²)
    array([3., 2.], dtype=float32)
    >>> average.on_epoch_end(model, {})
    >>> model.theta
    array([4., 3.], dtype=float32)
    """

    def __init__(self, decay=0.999):
        self.decay = decay

    def on_train_begin(self, model, epochs, steps):
        self.model, self.steps, self.t = model, steps, 0
        self.mean, self.wandering = np.zeros_like(model.theta), None

    def on_batch_end(self, loss, score):
        self.t += 1
        self.mean *= self.decay
        self.mean += (1 - self.decay) * self.model.theta
        if self.t % self.steps == 0:
            self.wandering = self.model.theta.copy()
            self.model.theta = self.mean / (1 - self.decay**self.t)

    def on_epoch_end(self, model, history):
        model.theta, self.wandering = self.wandering, None

    def on_train_end(self, model):
        if self.t:
            model.theta = self.mean / (1 - self.decay**self.t)


def mixup(batches, alpha=0.2, *, rng=None):
    """Batches (x, t) of mixed pairs of rows: x <- k x + (1 - k) x', t <- k t + (1 - k) t'.

    Each row has its own k, from Beta(alpha, alpha), which is mostly near 0 or 1, and its partner in the same batch.
    Labels t (N, C) are one-hot rows and become distributions, which CrossEntropy takes. Use it in ``train_epoch``,
    which takes any batches:

        train_epoch(model, CrossEntropy(), optimizer, mixup(batches(x, one_hot(y, 10)), rng=rng))

    Zhang et al. 2018, section 2.

    >>> x, t = np.array([[0.0], [8.0]]), np.eye(2)
    >>> (mixed, labels), = mixup([(x, t)], rng=0)
    >>> np.allclose(mixed[:, 0], 8 * labels[:, 1])           # as much of the image as of the label
    True
    """
    rng = np.random.default_rng(rng)
    for x, t in batches:
        k, others = rng.beta(alpha, alpha, len(x)), rng.permutation(len(x))
        k_x, k_t = (k.astype(a.dtype).reshape(-1, *[1] * (a.ndim - 1)) for a in (x, t))  # (N, 1, ...)
        yield k_x * x + (1 - k_x) * x[others], k_t * t + (1 - k_t) * t[others]


if __name__ == "__main__":
    import doctest

    print(doctest.testmod())
