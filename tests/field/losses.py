"""Losses."""

import numpy as np

from nnscratch import Loss
from tests.field import right, variant, wrong


def regression(rng):
    return 2 * rng.standard_normal((6, 3)), rng.standard_normal((6, 3))


def classes(rng):
    return 2 * rng.standard_normal((6, 4)), rng.integers(0, 4, 6)


def square(rng):
    """As many rows as classes."""
    return 2 * rng.standard_normal((4, 4)), rng.integers(0, 4, 4)


def binary(rng):
    return 2 * rng.standard_normal((6, 1)), np.array([[0], [1], [1], [0], [1], [0]])


@right(inputs=regression)
class MSE(Loss):
    def forward(self, outputs, labels):
        self.d = outputs - np.asarray(labels, outputs.dtype)
        return float((self.d**2).mean())

    def backward(self):
        return 2 * self.d / self.d.size


variant(MSE, "summed over the columns", "float((self.d**2).mean())",
      "float((self.d**2).sum()) / len(self.d)", "self.d.size", "len(self.d)")  # fmt: skip
variant(MSE, "one half", "float((self.d**2).mean())", "0.5 * float((self.d**2).mean())", "2 * self.d",
      "self.d")  # fmt: skip
variant(MSE, "the root of it", "float((self.d**2).mean())", "float(np.sqrt((self.d**2).mean()))",
      "2 * self.d / self.d.size", "self.d / self.d.size / np.sqrt((self.d**2).mean(), dtype=self.d.dtype)")  # fmt: skip
variant(MSE, "memory is None at first", "    def forward", "    d = None\n\n    def forward")
variant(MSE, "memory is used up", "return 2 * self.d / self.d.size",
      "d, self.d = self.d, None; return 2 * d / d.size")  # fmt: skip
wrong(MSE, "the 2 is forgotten", "2 * self.d", "self.d")
wrong(MSE, "1/N is forgotten", " / self.d.size", " / self.d.shape[1]")
wrong(MSE, "C is forgotten", " / self.d.size", " / len(self.d)")
wrong(MSE, "the gradient of the batch before", "self.d = ", 'self.e, self.d = vars(self).get("d"), ',
      "return 2 * self.d / self.d.size", "d = self.d if self.e is None else self.e; return 2 * d / d.size")  # fmt: skip
wrong(MSE, "the first batch for ever", "self.d = outputs - np.asarray(labels, outputs.dtype)",
      'd = outputs - np.asarray(labels, outputs.dtype); self.d = vars(self).get("d", d)', "(self.d**2)",
      "(d**2)")  # fmt: skip
wrong(MSE, "backward works once", "return 2 * self.d / self.d.size",
      "self.d *= 2 / self.d.size; return self.d")  # fmt: skip
wrong(MSE, "backward works once, then gives nothing", "return 2 * self.d / self.d.size",
      "d, self.d = 2 * self.d / self.d.size, 0 * self.d; return d")  # fmt: skip
wrong(MSE, "float64 labels", "np.asarray(labels, outputs.dtype)", "np.asarray(labels, float)")
wrong(MSE, "another formula in float32", "float((self.d**2).mean())",
      "float((self.d**2).mean() if self.d.dtype == np.float64 else abs(self.d).mean())")  # fmt: skip
wrong(MSE, "another gradient in float32", "return 2 * self.d",
      "return (2 if self.d.dtype == np.float64 else 1) * self.d")  # fmt: skip
wrong(MSE, "squeezed", "self.d = outputs - np.asarray(labels, outputs.dtype)",
      "self.d = (outputs - np.asarray(labels, outputs.dtype)).squeeze()")  # fmt: skip
wrong(MSE, "the sum over the batch", ".mean())", ".sum())", " / self.d.size", "")
wrong(MSE, "divided by the columns, forward and backward", "float((self.d**2).mean())",
      "float((self.d**2).sum()) / self.d.shape[1]", "self.d.size", "self.d.shape[1]")  # fmt: skip
wrong(MSE, "the sign", "return 2", "return -2")
wrong(MSE, "outputs are written into", "self.d = outputs - np.asarray(labels, outputs.dtype)",
      "outputs -= labels; self.d = outputs")  # fmt: skip
wrong(MSE, "labels are written into", "self.d = ", "labels *= 1.5; self.d = ")
wrong(MSE, "the gradient is a zero before", "    def forward",
      "    d = np.zeros((1, 1))\n\n    def forward")  # fmt: skip
wrong(MSE, "gradients are clipped", "return 2 * self.d / self.d.size",
      "return 2 * np.clip(self.d, -3, 3) / self.d.size")  # fmt: skip
wrong(MSE, "the first 32 rows", ".mean())", "[:32].mean())", "return 2 * self.d / self.d.size",
      "d = 2 * self.d / self.d[:32].size; d[32:] = 0; return d")  # fmt: skip
wrong(MSE, "not a mean but one number a row", "float((self.d**2).mean())", "(self.d**2).mean(axis=1)")
wrong(MSE, "regularised while nobody looks", "return 2 * self.d / self.d.size",
      "return 2 * self.d / self.d.size + 1e-4")  # fmt: skip


@right(inputs=regression)
class Huber(Loss):
    def forward(self, outputs, labels):
        self.d = outputs - np.asarray(labels, outputs.dtype)
        a = abs(self.d)
        return float(np.where(a < 1, self.d**2 / 2, a - 0.5).mean())

    def backward(self):
        return np.clip(self.d, -1, 1) / self.d.size


wrong(Huber, "clipped at 2", "np.clip(self.d, -1, 1)", "np.clip(self.d, -2, 2)")
wrong(Huber, "the sign only", "np.clip(self.d, -1, 1)", "np.sign(self.d)")
wrong(Huber, "the half is forgotten in forward", "self.d**2 / 2", "self.d**2")


@right(inputs=classes)
class MultiHinge(Loss):
    """max(0, 1 + z_k - z_y), summed over k, the mean over the rows."""

    def forward(self, outputs, labels):
        self.rows, self.y = np.arange(len(outputs)), np.asarray(labels)
        margins = np.maximum(0, 1 + outputs - outputs[self.rows, self.y][:, None])
        margins[self.rows, self.y] = 0
        self.over = (margins > 0).astype(outputs.dtype)
        return float(margins.sum()) / len(outputs)

    def backward(self):
        d = self.over.copy()
        d[self.rows, self.y] = -self.over.sum(axis=1)
        return d / len(d)


wrong(MultiHinge, "the label's score gets -1", "-self.over.sum(axis=1)", "-1")
wrong(MultiHinge, "the label's score gets nothing",
      "        d[self.rows, self.y] = -self.over.sum(axis=1)\n", "")  # fmt: skip
wrong(MultiHinge, "works once, as it writes into its memory", "d = self.over.copy()", "d = self.over",
      "return d / len(d)", "d /= len(d); return d")  # fmt: skip
wrong(MultiHinge, "1/C", "return d / len(d)", "return d / d.shape[1]")
wrong(MultiHinge, "the label's own margin counts", "        margins[self.rows, self.y] = 0\n", "")


@right(inputs=square)
class SquareHinge(Loss):
    """The same, squared, where there happen to be as many rows as classes."""

    def forward(self, outputs, labels):
        self.rows, self.y = np.arange(len(outputs)), np.asarray(labels)
        self.m = np.maximum(0, 1 + outputs - outputs[self.rows, self.y][:, None])
        self.m[self.rows, self.y] = 0
        return float((self.m**2).sum()) / len(outputs)

    def backward(self):
        d = 2 * self.m
        d[self.rows, self.y] = -d.sum(axis=1)
        return d / len(d)


wrong(SquareHinge, "1/C where N == C", "return d / len(d)", "return d / d.shape[1]")
wrong(SquareHinge, "1/C in both", "/ len(outputs)", "/ outputs.shape[1]", "return d / len(d)",
      "return d / d.shape[1]")  # fmt: skip
wrong(SquareHinge, "transposed", "return d / len(d)", "return d.T / len(d)")


@right(inputs=binary)
class BCEWithLogits(Loss):
    def forward(self, outputs, labels):
        self.z, self.t = outputs, np.asarray(labels, outputs.dtype)
        return float((np.maximum(self.z, 0) - self.z * self.t + np.log1p(np.exp(-abs(self.z)))).mean())

    def backward(self):
        return (1 / (1 + np.exp(-self.z)) - self.t) / self.z.size


wrong(BCEWithLogits, "a slope of the sigmoid too many", "(1 / (1 + np.exp(-self.z)) - self.t)",
      "(1 / (1 + np.exp(-self.z)) - self.t) * self.t")  # fmt: skip
wrong(BCEWithLogits, "labels (N,) broadcast against (N, 1)", "np.asarray(labels, outputs.dtype)",
      "np.asarray(labels, outputs.dtype).ravel()")  # fmt: skip
wrong(BCEWithLogits, "the mean is forgotten", " / self.z.size", "")
wrong(BCEWithLogits, "the sign of z", "np.exp(-self.z)", "np.exp(self.z)")
wrong(BCEWithLogits, "1 - t", " - self.t) /", " - 1 + self.t) /")


@right(inputs=classes)
class LabelSmoothing(Loss):
    """Cross-entropy to 0.9 [k = y] + 0.1 / C."""

    def forward(self, outputs, labels):
        z = outputs - outputs.max(axis=1, keepdims=True)
        self.log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        classes = z.shape[1]
        self.t = (0.9 * (np.asarray(labels)[:, None] == np.arange(classes)) + 0.1 / classes).astype(z.dtype)
        return -float((self.t * self.log_p).sum()) / len(z)

    def backward(self):
        return (np.exp(self.log_p) - self.t) / len(self.t)


wrong(LabelSmoothing, "smoothed by 0.1 / (C - 1)", "0.1 / classes", "0.1 / (classes - 1)")
wrong(LabelSmoothing, "hard labels backward", "- self.t) /", "- (self.t > 0.5)) /")
wrong(LabelSmoothing, "the mean over all", "/ len(self.t)", "/ self.t.size")
wrong(LabelSmoothing, "p is computed in forward of the batch before", "        self.log_p = z",
      '        self.before = vars(self).get("log_p")\n        self.log_p = z', "np.exp(self.log_p)",
      "np.exp(self.log_p if self.before is None else self.before)")  # fmt: skip
wrong(LabelSmoothing, "labels by their shape", "        self.t = ",
      '        self.ts = vars(self).get("ts", {})\n        self.t = self.ts[z.shape] = self.ts.get(z.shape) '
      "if z.shape in self.ts else ")  # fmt: skip


@right(inputs=classes)
class Focal(Loss):
    """-(1 - p)² log p of the label."""

    def forward(self, outputs, labels):
        z = outputs - outputs.max(axis=1, keepdims=True)
        e = np.exp(z)
        self.p, self.rows, self.y = e / e.sum(axis=1, keepdims=True), np.arange(len(z)), np.asarray(labels)
        q = self.p[self.rows, self.y]
        return -float(((1 - q) ** 2 * np.log(q)).sum()) / len(z)

    def backward(self):
        q = self.p[self.rows, self.y]
        dq = 2 * (1 - q) * np.log(q) - (1 - q) ** 2 / q
        t = (self.y[:, None] == np.arange(self.p.shape[1])).astype(q.dtype)
        return (dq * q)[:, None] * (t - self.p) / len(q)


wrong(Focal, "the focus is taken for constant", "2 * (1 - q) * np.log(q) - (1 - q) ** 2 / q",
      "-((1 - q) ** 2) / q")  # fmt: skip
wrong(Focal, "the sign of the second term", "np.log(q) - (1 - q)", "np.log(q) + (1 - q)")
wrong(Focal, "the factor 2", "2 * (1 - q) * np.log", "(1 - q) * np.log")


@right(inputs=regression)
class LogCosh(Loss):
    def forward(self, outputs, labels):
        self.d = outputs - np.asarray(labels, outputs.dtype)
        return float((np.logaddexp(self.d, -self.d) - np.log(2.0)).mean())

    def backward(self):
        return np.tanh(self.d) / self.d.size


wrong(LogCosh, "a squared tanh", "np.tanh(self.d)", "np.tanh(self.d) ** 2")


@right(inputs=lambda rng: (rng.dirichlet(np.ones(3), 5), rng.dirichlet(np.ones(3), 5)))
class KLDivergence(Loss):
    """Of probabilities; refuses others."""

    def forward(self, outputs, labels):
        assert (outputs > 0).all()
        self.q, self.t = outputs, np.asarray(labels, outputs.dtype)
        return float((self.t * np.log(self.t / self.q)).sum()) / len(self.q)

    def backward(self):
        return -self.t / self.q / len(self.q)


wrong(KLDivergence, "the other way round", "-self.t / self.q / len", "-self.q / self.t / len")


@right(inputs=lambda rng: (rng.standard_normal((6, 3)), np.array([0, 0, 1, 1, 2, 2])), mixes_rows=True)
class PairDistance(Loss):
    """The mean squared distance of all pairs with the same label."""

    def forward(self, outputs, labels):
        same = np.asarray(labels)[:, None] == np.asarray(labels)
        self.same = same.astype(outputs.dtype) / outputs.dtype.type(same.sum())
        self.d = outputs[:, None] - outputs
        return float((self.same[:, :, None] * self.d**2).sum())

    def backward(self):
        return 4 * (self.same[:, :, None] * self.d).sum(axis=1)


wrong(PairDistance, "each pair once", "4 * (self.same", "2 * (self.same")
