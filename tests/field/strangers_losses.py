"""Losses by another hand."""

import math

import numpy as np

from nnscratch import Loss
from tests.field import right, variant, wrong


def reals(rng, *shape, n=6):
    """Outputs (n, 4), and labels that are numbers."""
    return rng.standard_normal((n, *shape)), rng.standard_normal((n, *shape))


def numbers(rng):
    return reals(rng, 4)


def classes(rng):
    return rng.standard_normal((6, 4)), rng.integers(0, 4, 6)


def distributions(rng):
    return rng.standard_normal((6, 4)), rng.dirichlet(np.ones(4), 6)


def bits(rng):
    return rng.standard_normal((6, 4)), rng.integers(0, 2, (6, 4)).astype(float)


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def sigmoid(x):
    return 0.5 + 0.5 * np.tanh(x / 2)


@right(inputs=numbers)
class HuberLoss(Loss):
    def __init__(self, delta=0.7):
        self.delta = delta

    def forward(self, outputs, labels):
        self.e = outputs - np.asarray(labels, outputs.dtype)
        a = np.abs(self.e)
        return float(np.where(a <= self.delta, a**2 / 2, self.delta * (a - self.delta / 2)).mean())

    def backward(self):
        return np.clip(self.e, -self.delta, self.delta) / self.e.size


variant(HuberLoss, "by where", "np.clip(self.e, -self.delta, self.delta)",
      "np.where(np.abs(self.e) <= self.delta, self.e, self.delta * np.sign(self.e))")  # fmt: skip
wrong(HuberLoss, "slope 1 far out", "np.clip(self.e, -self.delta, self.delta)", "np.clip(self.e, -1, 1)")
wrong(HuberLoss, "divided by N alone", "/ self.e.size", "/ len(self.e)")
wrong(HuberLoss, "the half is left out far out", "(a - self.delta / 2)", "(a - self.delta)")
wrong(HuberLoss, "no sign far out", "np.clip(self.e, -self.delta, self.delta)",
      "np.minimum(np.abs(self.e), self.delta)")  # fmt: skip
wrong(HuberLoss, "labels less outputs", "outputs - np.asarray(labels, outputs.dtype)",
      "np.asarray(labels, outputs.dtype) - outputs")  # fmt: skip
wrong(HuberLoss, "delta learns", "a = np.abs(self.e)",
      "a = np.abs(self.e); self.delta = 0.9 * self.delta + 0.1 * float(a.mean())")  # fmt: skip


@right(inputs=numbers)
class LogCoshLoss(Loss):
    def forward(self, outputs, labels):
        self.e = outputs - np.asarray(labels, outputs.dtype)
        return float((np.logaddexp(self.e, -self.e) - math.log(2)).mean())

    def backward(self):
        return np.tanh(self.e) / self.e.size


wrong(LogCoshLoss, "cosh, and overflow", "np.logaddexp(self.e, -self.e) - math.log(2)", "np.log(np.cosh(self.e))")
wrong(LogCoshLoss, "e in place: outputs are changed", "self.e = outputs - np.asarray(labels, outputs.dtype)",
      "outputs -= np.asarray(labels, outputs.dtype); self.e = outputs")  # fmt: skip
wrong(LogCoshLoss, "the slope of cosh", "np.tanh(self.e)", "np.sinh(self.e)")
wrong(LogCoshLoss, "an array of one number", "return float((np.logaddexp(self.e, -self.e) - math.log(2)).mean())",
      "return (np.logaddexp(self.e, -self.e) - math.log(2)).mean(axis=1)")  # fmt: skip


@right(inputs=lambda rng: (rng.standard_normal((6, 3)), rng.standard_normal(6)))
class Quantiles(Loss):
    """The pinball loss of three quantiles of one number."""

    q = np.array([0.1, 0.5, 0.9], np.float32)

    def forward(self, outputs, labels):
        self.e = np.asarray(labels, outputs.dtype)[:, None] - outputs
        return float(np.maximum(self.q * self.e, (self.q - 1) * self.e).mean())

    def backward(self):
        return np.where(self.e > 0, -self.q, 1 - self.q).astype(self.e.dtype) / self.e.size


wrong(Quantiles, "q the other way round on the way back", "-self.q, 1 - self.q", "self.q - 1, self.q")
wrong(Quantiles, "the sign", "-self.q, 1 - self.q", "self.q, self.q - 1")
wrong(Quantiles, "labels (N,) against outputs (N, 3), by rows that happen to fit", "[:, None] - outputs",
      "[: outputs.shape[1]] - outputs")  # fmt: skip
wrong(Quantiles, "each quantile takes the first one's q", "-self.q, 1 - self.q", "-self.q[0], 1 - self.q[0]")
wrong(Quantiles, "the median's gradient is left out", "/ self.e.size",
      "/ self.e.size * np.array([1, 0, 1], self.e.dtype)")  # fmt: skip


@right(inputs=lambda rng: (rng.standard_normal((6, 1)), rng.standard_normal(6)))
class Squares(Loss):
    """Mean squared error of outputs (N, 1) and labels (N,)."""

    def forward(self, outputs, labels):
        self.e = outputs[:, 0] - np.asarray(labels, outputs.dtype)
        return float((self.e**2).mean())

    def backward(self):
        return (2 * self.e / len(self.e))[:, None]


variant(Squares, "reshape", "outputs[:, 0]", "outputs.reshape(-1)")
wrong(Squares, "(N, 1) less (N,) is (N, N)", "outputs[:, 0]", "outputs", "(2 * self.e / len(self.e))[:, None]",
      "(2 * self.e / self.e.size).sum(axis=1, keepdims=True)")  # fmt: skip
wrong(Squares, "(N, N), and a gradient as if it were not", "outputs[:, 0]", "outputs",
      "(2 * self.e / len(self.e))[:, None]", "2 * np.diag(self.e)[:, None] / len(self.e)")  # fmt: skip
wrong(Squares, "the 2", "2 * self.e", "self.e")
wrong(Squares, "a gradient (N,)", "[:, None]", "")
wrong(Squares, "the root", "float((self.e**2).mean())", "math.sqrt((self.e**2).mean())")
variant(Squares, "the root, and its gradient", "float((self.e**2).mean())", "math.sqrt((self.e**2).mean())",
      "2 * self.e / len(self.e)", "self.e / len(self.e) / np.sqrt((self.e**2).mean())")  # fmt: skip
wrong(Squares, "divided by N - 1, both ways", "(self.e**2).mean()", "(self.e**2).sum() / max(len(self.e) - 1, 1)",
      "/ len(self.e))", "/ max(len(self.e) - 1, 1))")  # fmt: skip
wrong(Squares, "the batch's first size", "/ len(self.e)", "/ vars(self).setdefault('n', len(self.e))")
wrong(Squares, "outliers are left out of the gradient", "2 * self.e /", "2 * self.e * (abs(self.e) < 4) /")
wrong(Squares, "whatever a mini-batch of 32 has", "/ len(self.e))", "/ min(len(self.e), 32))")


@right(inputs=distributions)
class KullbackLeibler(Loss):
    """KL(t || softmax z)."""

    def forward(self, outputs, labels):
        self.t = np.asarray(labels, outputs.dtype)
        z = outputs - outputs.max(axis=1, keepdims=True)
        log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        self.p = np.exp(log_p)
        return float((self.t * (np.log(np.maximum(self.t, 1e-30)) - log_p)).sum()) / len(z)

    def backward(self):
        return (self.p * self.t.sum(axis=1, keepdims=True) - self.t) / len(self.t)


wrong(KullbackLeibler, "the mean over classes as well, there", ".sum()) / len(z)", ".mean())")
wrong(KullbackLeibler, "the other way round: t and p exchanged", "self.p * self.t.sum(axis=1, keepdims=True) - self.t",
      "self.t - self.p")  # fmt: skip
wrong(KullbackLeibler, "t / p, as if p were the outputs", "self.p * self.t.sum(axis=1, keepdims=True) - self.t",
      "-self.t / self.p")  # fmt: skip
wrong(KullbackLeibler, "p of the wrong axis", "np.exp(z).sum(axis=1, keepdims=True)",
      "np.exp(z).sum(axis=0, keepdims=True)")  # fmt: skip
wrong(KullbackLeibler, "KL(p || t), with the gradient of the other",
      "self.t * (np.log(np.maximum(self.t, 1e-30)) - log_p)",
      "self.p * (log_p - np.log(np.maximum(self.t, 1e-30)))")  # fmt: skip
wrong(KullbackLeibler, "log2", "np.log(np.exp(z)", "np.log2(np.exp(z)")
wrong(KullbackLeibler, "the labels are normalised in place", "self.t = np.asarray(labels, outputs.dtype)",
      "labels /= 2; self.t = np.asarray(labels, outputs.dtype)")  # fmt: skip


@right(inputs=classes)
class FocalLoss(Loss):
    """-(1 - p_c)^g log p_c."""

    g = 2

    def forward(self, outputs, labels):
        self.p, self.rows, self.c = softmax(outputs), np.arange(len(outputs)), np.asarray(labels)
        self.pc = self.p[self.rows, self.c]
        return float(-((1 - self.pc) ** self.g * np.log(self.pc)).mean())

    def backward(self):
        q = 1 - self.pc
        slope = self.g * q ** (self.g - 1) * self.pc * np.log(self.pc) - q**self.g  # dL/dp_c, times p_c
        dz = -self.p * slope[:, None]
        dz[self.rows, self.c] += slope
        return dz / len(dz)


wrong(FocalLoss, "the weight is constant on the way back",
      "self.g * q ** (self.g - 1) * self.pc * np.log(self.pc) - q**self.g", "-(q**self.g)")  # fmt: skip
wrong(FocalLoss, "the sign of the weight's share", "slope = self.g", "slope = -self.g")
wrong(FocalLoss, "as cross-entropy", "self.g * q ** (self.g - 1) * self.pc * np.log(self.pc) - q**self.g",
      "-np.ones_like(q)")  # fmt: skip
wrong(FocalLoss, "the power", "q ** (self.g - 1)", "q**self.g")
wrong(FocalLoss, "one class is left out", "dz[self.rows, self.c] += slope", "dz[self.rows, self.c] = slope")
wrong(FocalLoss, "all rows get the labels' columns", "dz[self.rows, self.c] += slope", "dz[:, self.c[0]] += slope")


@right(inputs=lambda rng: (rng.standard_normal((6, 6)), np.zeros(6, int)))
class TripletLoss(Loss):
    """A row is anchor, positive and negative, two numbers each: max(0, |a-p|² - |a-n|² + 1)."""

    def forward(self, outputs, labels):
        a, p, n = np.split(outputs, 3, axis=1)
        self.ap, self.an = a - p, a - n
        margin = (self.ap**2).sum(axis=1) - (self.an**2).sum(axis=1) + 1
        self.active = (margin > 0).astype(outputs.dtype)[:, None]
        return float(np.maximum(margin, 0).mean())

    def backward(self):
        d = self.active * 2 / len(self.ap)
        return np.concatenate([d * (self.ap - self.an), -d * self.ap, d * self.an], axis=1)


wrong(TripletLoss, "the anchor's second path", "d * (self.ap - self.an)", "d * self.ap")
wrong(TripletLoss, "inactive rows as well", "self.active * 2", "np.ones_like(self.active) * 2")
wrong(TripletLoss, "the negative's sign", "d * self.an]", "-d * self.an]")
wrong(TripletLoss, "the mean over active rows, on the way back", "/ len(self.ap)", "/ max(self.active.sum(), 1)")
variant(TripletLoss, "the mean over active rows", "/ len(self.ap)", "/ max(self.active.sum(), 1)",
      "np.maximum(margin, 0).mean()", "np.maximum(margin, 0).sum() / max(self.active.sum(), 1)")  # fmt: skip
wrong(TripletLoss, "active if any row is", "(margin > 0)", "((margin > 0) | (margin > 0).any())")


@right(inputs=lambda rng: (rng.standard_normal((6, 4)), rng.integers(0, 2, 6)))
class ContrastiveLoss(Loss):
    """Two halves of a row are alike (1): d², or not (0): max(0, 2 - d)²."""

    def forward(self, outputs, labels):
        self.same = np.asarray(labels, outputs.dtype)[:, None]
        a, b = np.split(outputs, 2, axis=1)
        self.away = a - b
        self.d = np.sqrt((self.away**2).sum(axis=1, keepdims=True) + 1e-12)
        self.gap = np.maximum(2 - self.d, 0)
        return float((self.same * self.d**2 + (1 - self.same) * self.gap**2).mean())

    def backward(self):
        g = 2 * (self.same * self.away - (1 - self.same) * self.gap * self.away / self.d) / len(self.d)
        return np.concatenate([g, -g], axis=1)


wrong(ContrastiveLoss, "d for a unit length", "self.gap * self.away / self.d", "self.gap * self.away")
wrong(ContrastiveLoss, "both halves one way", "[g, -g]", "[g, g]")
wrong(ContrastiveLoss, "alike and not alike exchanged", "(self.same * self.away - (1 - self.same)",
      "((1 - self.same) * self.away - self.same")  # fmt: skip
wrong(ContrastiveLoss, "labels (N,) spread over (N, N)", "np.asarray(labels, outputs.dtype)[:, None]",
      "np.asarray(labels, outputs.dtype)", "        g = 2 *",
      "        self.same = self.same.reshape(-1, 1)\n        g = 2 *")  # fmt: skip


@right(inputs=lambda rng: (rng.standard_normal((6, 3)), rng.poisson(2.0, (6, 3))))
class PoissonLoss(Loss):
    """Counts; the outputs are the logarithms of the rates."""

    def forward(self, outputs, labels):
        self.k, self.rate = np.asarray(labels, outputs.dtype), np.exp(outputs)
        return float((self.rate - self.k * outputs).mean())

    def backward(self):
        return (self.rate - self.k) / self.k.size


wrong(PoissonLoss, "as if the outputs were rates", "(self.rate - self.k) /", "(1 - self.k / self.rate) /")
wrong(PoissonLoss, "rates are capped, on the way back", "(self.rate - self.k) /",
      "(np.minimum(self.rate, 5) - self.k) /")  # fmt: skip
wrong(PoissonLoss, "in whole numbers", "/ self.k.size", "// self.k.size")


@right(inputs=lambda rng: (rng.standard_normal((6, 5)), rng.standard_normal(6)))
class EnsembleScore(Loss):
    """CRPS of an ensemble: mean |x_i - y| - mean |x_i - x_j| / 2."""

    def forward(self, outputs, labels):
        self.e = outputs - np.asarray(labels, outputs.dtype)[:, None]
        self.pairs = outputs[:, :, None] - outputs[:, None]
        return float(np.abs(self.e).mean() - np.abs(self.pairs).mean() / 2)

    def backward(self):
        m = self.e.shape[1]
        return (np.sign(self.e) / m - np.sign(self.pairs).sum(axis=2) / m**2) / len(self.e)


wrong(EnsembleScore, "pairs count once", "np.sign(self.pairs).sum(axis=2) / m**2",
      "np.sign(self.pairs).sum(axis=2) / m**2 / 2")  # fmt: skip
wrong(EnsembleScore, "the pairs' other axis", "sum(axis=2)", "sum(axis=1)")
wrong(EnsembleScore, "pairs are constant", " - np.sign(self.pairs).sum(axis=2) / m**2", "")
wrong(EnsembleScore, "m (m - 1) on the way back", "m**2", "(m * (m - 1))")


@right(lambda kind: kind(0.1), classes)
class SmoothedLabels(Loss):
    """Cross-entropy with a part of every label spread over all classes."""

    def __init__(self, part):
        self.part = part

    def forward(self, outputs, labels):
        C = outputs.shape[1]
        self.t = np.full_like(outputs, self.part / C)
        self.t[np.arange(len(outputs)), np.asarray(labels)] += 1 - self.part
        z = outputs - outputs.max(axis=1, keepdims=True)
        log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        self.p = np.exp(log_p)
        return float(-(self.t * log_p).sum() / len(z))

    def backward(self):
        return (self.p - self.t) / len(self.t)


wrong(SmoothedLabels, "the label's own share is lost: t does not sum to 1", "+= 1 - self.part", "= 1 - self.part")
wrong(SmoothedLabels, "not smoothed on the way back", "(self.p - self.t)", "(self.p - (self.t > 0.5))")
wrong(SmoothedLabels, "smoothed more with every call", "        C = outputs",
      "        self.part = min(self.part * 1.1, 0.5)\n        C = outputs")  # fmt: skip
wrong(SmoothedLabels, "the sum over the batch", "/ len(self.t)", "")
wrong(SmoothedLabels, "t is emptied for another shape only", "self.t = np.full_like",
      "if vars(self).get('t', outputs[:0]).shape != outputs.shape: " "self.t = np.full_like", "+= 1 - self.part",
      "= 1 - self.part + self.part / C")  # fmt: skip


@right(inputs=bits)
class ManyLabels(Loss):
    """Binary cross-entropy of logits, with a weight for the ones."""

    weight = 3.0

    def forward(self, outputs, labels):
        self.t, self.s = np.asarray(labels, outputs.dtype), sigmoid(outputs)
        ones, zeros = np.logaddexp(0, -outputs), np.logaddexp(0, outputs)
        return float((self.weight * self.t * ones + (1 - self.t) * zeros).mean())

    def backward(self):
        dz = (1 - self.t) * self.s - self.weight * self.t * (1 - self.s)
        return dz / dz.size


wrong(ManyLabels, "the weight is forgotten on the way back", "self.weight * self.t * (1 - self.s)",
      "self.t * (1 - self.s)")  # fmt: skip
wrong(ManyLabels, "s - t, weighed", "(1 - self.t) * self.s - self.weight * self.t * (1 - self.s)",
      "self.weight * (self.s - self.t)")  # fmt: skip
wrong(ManyLabels, "logs of a sigmoid", "np.logaddexp(0, -outputs), np.logaddexp(0, outputs)",
      "-np.log(self.s + 1e-7), -np.log(1 - self.s + 1e-7)")  # fmt: skip
wrong(ManyLabels, "sigmoid twice", "sigmoid(outputs)\n", "sigmoid(sigmoid(outputs))\n")
wrong(ManyLabels, "labels as bits: ~ for 1 -", "(1 - self.t) * self.s -", "(~self.t.astype(int)) * self.s -")
wrong(ManyLabels, "the sign of the logit", "np.logaddexp(0, -outputs), np.logaddexp(0, outputs)",
      "np.logaddexp(0, outputs), np.logaddexp(0, -outputs)")  # fmt: skip
wrong(ManyLabels, "logits of over 4 are taken for sure", "        return dz / dz.size",
      "        dz[np.abs(self.s - 0.5) > 0.482] = 0\n        return dz / dz.size")  # fmt: skip


@right(inputs=numbers)
class CosineLoss(Loss):
    """1 - cos(outputs, labels)."""

    def forward(self, outputs, labels):
        t = np.asarray(labels, outputs.dtype)
        self.length = np.sqrt((outputs**2).sum(axis=1, keepdims=True) + 1e-16)
        self.u, self.v = outputs / self.length, t / (np.sqrt((t**2).sum(axis=1, keepdims=True)) + 1e-8)
        self.cos = (self.u * self.v).sum(axis=1, keepdims=True)
        return float(1 - self.cos.mean())

    def backward(self):
        return -(self.v - self.u * self.cos) / self.length / len(self.u)


wrong(CosineLoss, "the length is constant", "(self.v - self.u * self.cos)", "self.v")
wrong(CosineLoss, "not divided by the length", " / self.length / len", " / len")
wrong(CosineLoss, "a length for the batch", "(outputs**2).sum(axis=1, keepdims=True)",
      "(outputs**2).sum(keepdims=True)")  # fmt: skip
wrong(CosineLoss, "the mean cosine", "self.u * self.cos)", "self.u * self.cos.mean())")


@right(lambda kind: kind([1.0, 2.0, 0.5, 4.0]), classes)
class WeightedClasses(Loss):
    """Cross-entropy, each row times its class' weight."""

    def __init__(self, weights):
        self.weights = np.array(weights, np.float32)

    def forward(self, outputs, labels):
        self.c, self.rows = np.asarray(labels), np.arange(len(outputs))
        self.w, self.p = self.weights[self.c].astype(outputs.dtype), softmax(outputs)
        return float(-(self.w * np.log(self.p[self.rows, self.c])).mean())

    def backward(self):
        dz = self.p.copy()
        dz[self.rows, self.c] -= 1
        return dz * self.w[:, None] / len(dz)


wrong(WeightedClasses, "p itself is made the gradient: right once", "dz = self.p.copy()", "dz = self.p")
wrong(WeightedClasses, "the weights of columns, not of rows", "dz * self.w[:, None]",
      "dz * self.weights.astype(dz.dtype)")  # fmt: skip
wrong(WeightedClasses, "the weight of p_c alone", "-= 1\n        return dz * self.w[:, None]",
      "-= self.w\n        return dz")  # fmt: skip
wrong(WeightedClasses, "weighed on the way there only", "dz * self.w[:, None]", "dz")
wrong(WeightedClasses, "divided by the weights' sum, on the way back", "/ len(dz)", "/ self.w.sum()")
variant(WeightedClasses, "divided by the weights' sum, as in PyTorch", "/ len(dz)", "/ self.w.sum()", ".mean())",
      ".sum() / self.w.sum())")  # fmt: skip
wrong(WeightedClasses, "float64 by its weights", ".astype(outputs.dtype), softmax", ".astype(float), softmax")
wrong(WeightedClasses, "a class of weight 4 and its neighbour", "self.weights[self.c]", "self.weights[self.c - 1]",
      "self.w[:, None] / len(dz)", "self.weights[self.c].astype(dz.dtype)[:, None] / len(dz)")  # fmt: skip


@right(inputs=classes, mixes_rows=True)
class RareClasses(Loss):
    """Cross-entropy; weights from how often each class stands in the batch."""

    def forward(self, outputs, labels):
        self.c, self.rows, self.p = np.asarray(labels), np.arange(len(outputs)), softmax(outputs)
        often = np.bincount(self.c, minlength=outputs.shape[1])
        self.w = (1 / often[self.c] / np.count_nonzero(often)).astype(outputs.dtype)
        return float(-(self.w * np.log(self.p[self.rows, self.c])).sum())

    def backward(self):
        dz = self.p.copy()
        dz[self.rows, self.c] -= 1
        return dz * self.w[:, None]


wrong(RareClasses, "1/N once more", "dz * self.w[:, None]", "dz * self.w[:, None] / len(dz)")
wrong(RareClasses, "the weights of the batch before", "return dz * self.w[:, None]",
      "w = vars(self).get('old', self.w); self.old = self.w; return dz * (w if len(w) == len(dz) "
      "else self.w)[:, None]")  # fmt: skip
wrong(RareClasses, "counts are added up over batches", "often = np.bincount(self.c, minlength=outputs.shape[1])",
      "often = self.often = vars(self).get('often', 0) + np.bincount(self.c, minlength=outputs.shape[1])")  # fmt: skip


@right(inputs=bits)
class RowDice(Loss):
    """1 - Dice of each row's mask, the outputs are logits."""

    a = b = 0.5

    def forward(self, outputs, labels):
        self.t, self.s = np.asarray(labels, outputs.dtype), sigmoid(outputs)
        both = (self.s * self.t).sum(axis=1, keepdims=True)
        self.top = both + 1
        self.bottom = both + self.a * (self.s.sum(axis=1, keepdims=True) - both)
        self.bottom = self.bottom + self.b * (self.t.sum(axis=1, keepdims=True) - both) + 1
        return float(1 - (self.top / self.bottom).mean())

    def backward(self):
        d_bottom = self.t + self.a * (1 - self.t) - self.b * self.t
        ds = -(self.t * self.bottom - self.top * d_bottom) / self.bottom**2
        return ds * self.s * (1 - self.s) / len(ds)


variant(RowDice, "Tversky", "a = b = 0.5", "a, b = 0.3, 0.7")
wrong(RowDice, "Tversky, a and b exchanged on the way back", "a = b = 0.5", "a, b = 0.3, 0.7",
      "self.a * (1 - self.t) - self.b", "self.b * (1 - self.t) - self.a")  # fmt: skip
wrong(RowDice, "the quotient's bottom is constant", " - self.top * d_bottom", "")
wrong(RowDice, "no sigmoid's slope", " * self.s * (1 - self.s)", "")
wrong(RowDice, "the square below", "self.bottom**2", "self.bottom")
wrong(RowDice, "over the batch, not by rows", "axis=1, keepdims=True", "keepdims=True")


@right(inputs=bits, mixes_rows=True)
class BatchDice(Loss):
    """1 - Dice of all masks of the batch taken together."""

    def forward(self, outputs, labels):
        self.t, self.s = np.asarray(labels, outputs.dtype), sigmoid(outputs)
        self.top, self.bottom = 2 * (self.s * self.t).sum() + 1, self.s.sum() + self.t.sum() + 1
        return float(1 - self.top / self.bottom)

    def backward(self):
        return -(2 * self.t - self.top / self.bottom) / self.bottom * self.s * (1 - self.s)


wrong(BatchDice, "a mean over rows that is none", "* (1 - self.s)\n", "* (1 - self.s) / len(self.s)\n")
wrong(BatchDice, "the quotient rule's sign", "2 * self.t - self.top", "2 * self.t + self.top")


@right(inputs=lambda rng: (rng.standard_normal((6, 2)), rng.standard_normal(6)))
class Gaussian(Loss):
    """Negative log-likelihood; the outputs are mean and logarithm of the variance."""

    def forward(self, outputs, labels):
        self.e, log_var = outputs[:, 0] - np.asarray(labels, outputs.dtype), outputs[:, 1]
        self.precision = np.exp(-log_var)
        return float((self.e**2 * self.precision + log_var).mean() / 2)

    def backward(self):
        return np.stack([self.e * self.precision, (1 - self.e**2 * self.precision) / 2], axis=1) / len(self.e)


wrong(Gaussian, "the variance's half", "(1 - self.e**2 * self.precision) / 2", "1 - self.e**2 * self.precision")
wrong(Gaussian, "the variance is detached", "(1 - self.e**2 * self.precision) / 2", "0 * self.e")
wrong(Gaussian, "the logarithm's sign", "(1 - self.e**2", "(1 + self.e**2")
wrong(Gaussian, "columns exchanged", "np.stack([self.e * self.precision, (1 - self.e**2 * self.precision) / 2]",
      "np.stack([(1 - self.e**2 * self.precision) / 2, self.e * self.precision]")  # fmt: skip
wrong(Gaussian, "variance kept above 0.01, and its gradient is not",
      "log_var = outputs[:, 0] - np.asarray(labels, outputs.dtype), outputs[:, 1]",
      "log_var = outputs[:, 0] - np.asarray(labels, outputs.dtype), np.maximum(outputs[:, 1], -4.6)")  # fmt: skip


@right(inputs=classes)
class MarginLoss(Loss):
    """Multi-class hinge: the mean over classes k != c of max(0, 1 + z_k - z_c)."""

    def forward(self, outputs, labels):
        self.c, self.rows = np.asarray(labels), np.arange(len(outputs))
        gaps = 1 + outputs - outputs[self.rows, self.c][:, None]
        gaps[self.rows, self.c] = 0
        self.hit = (gaps > 0).astype(outputs.dtype)
        return float(np.maximum(gaps, 0).sum() / gaps.size)

    def backward(self):
        dz = self.hit.copy()
        dz[self.rows, self.c] = -self.hit.sum(axis=1)
        return dz / dz.size


wrong(MarginLoss, "the label's class gets one", "-self.hit.sum(axis=1)", "-1")
wrong(MarginLoss, "the class itself is a rival", "        gaps[self.rows, self.c] = 0\n", "")
wrong(MarginLoss, "hits are kept in the dtype of labels", ".astype(outputs.dtype)", ".astype(self.c.dtype)")


@right(inputs=numbers)
class MeanAndPenalty(Loss):
    """Mean squares, and a penalty for outputs of more than 1."""

    def forward(self, outputs, labels):
        self.e, self.over = (
            outputs - np.asarray(labels, outputs.dtype),
            np.maximum(np.abs(outputs) - 1, 0) * np.sign(outputs),
        )
        return float((self.e**2 + 0.1 * self.over**2).mean())

    def backward(self):
        return 2 * (self.e + 0.1 * self.over) / self.e.size


wrong(MeanAndPenalty, "the penalty is not in the gradient", " + 0.1 * self.over)", ")")
wrong(MeanAndPenalty, "the penalty is in the gradient alone", " + 0.1 * self.over**2", "")
wrong(MeanAndPenalty, "the penalty is not divided", "2 * (self.e + 0.1 * self.over) / self.e.size",
      "2 * self.e / self.e.size + 0.2 * self.over")  # fmt: skip
wrong(MeanAndPenalty, "a penalty without a sign", " * np.sign(outputs)", "")
wrong(MeanAndPenalty, "above 1 alone, on the way back", "0.1 * self.over)", "0.1 * np.maximum(self.over, 0))")
wrong(MeanAndPenalty, "the last batch's best is taken off", "return float((self.e**2 + 0.1 * self.over**2).mean())",
      "value = float((self.e**2 + 0.1 * self.over**2).mean()); self.best = min(value, "
      "vars(self).get('best', value)); " "return value - self.best")  # fmt: skip


@right(inputs=lambda rng: (rng.standard_normal((4, 5, 3)), rng.integers(0, 3, (4, 5))))
class EachStep(Loss):
    """Cross-entropy of every step of a sequence (N, T, C)."""

    def forward(self, outputs, labels):
        z = outputs - outputs.max(axis=-1, keepdims=True)
        log_p = z - np.log(np.exp(z).sum(axis=-1, keepdims=True))
        self.p, self.t = np.exp(log_p), (np.asarray(labels)[..., None] == np.arange(z.shape[-1])).astype(z.dtype)
        return float(-(self.t * log_p).sum(axis=-1).mean())

    def backward(self):
        return (self.p - self.t) / self.t[..., 0].size


wrong(EachStep, "divided by N, not N T", "/ self.t[..., 0].size", "/ len(self.t)")
wrong(EachStep, "the last step", "/ self.t[..., 0].size",
      "/ self.t[..., 0].size * (np.arange(self.t.shape[1]) == self.t.shape[1] - 1)[:, None]")  # fmt: skip
wrong(EachStep, "divided by N T C", "/ self.t[..., 0].size", "/ self.t.size")
wrong(EachStep, "a softmax over steps", "np.exp(z).sum(axis=-1, keepdims=True)", "np.exp(z).sum(axis=1, keepdims=True)")


@right(inputs=lambda rng: (rng.standard_normal((4, 6)), np.zeros(4, int)), mixes_rows=True)
class Pairing(Loss):
    """InfoNCE: the first half of each row is to find its second half among those of the batch."""

    def forward(self, outputs, labels):
        self.a, self.b = np.split(outputs, 2, axis=1)
        self.p = softmax(self.a @ self.b.T)
        return float(-np.log(np.diag(self.p)).mean())

    def backward(self):
        ds = (self.p - np.eye(len(self.p), dtype=self.p.dtype)) / len(self.p)
        return np.concatenate([ds @ self.b, ds.T @ self.a], axis=1)


wrong(Pairing, "ds is not transposed", "ds.T @ self.a", "ds @ self.a")
wrong(Pairing, "the second half is detached", "ds.T @ self.a", "0 * self.a")
wrong(Pairing, "float64 by eye", "np.eye(len(self.p), dtype=self.p.dtype)", "np.eye(len(self.p))")
