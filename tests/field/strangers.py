"""Layers by another hand: whoever wrote them had read what users read, and no check."""

import time

import numpy as np

from nnscratch import Chain, Dense, Layer, Parameter, ReLU
from tests.field import right, variant, wrong


def start(seed, *shape):
    return np.random.default_rng(seed).normal(0, 0.6, shape).astype(np.float32)


def sigmoid(x):
    return 0.5 + 0.5 * np.tanh(x / 2)


# Activations


@right(lambda kind: kind(1.5))
class TrainedSwish(Layer):
    """y = x sigmoid(beta x)."""

    def __init__(self, beta):
        self.beta = Parameter(np.float32(beta))

    def forward(self, x):
        self.x, self.s = x, sigmoid(self.beta.value * x)
        return x * self.s

    def backward(self, dy):
        slope = self.s * (1 - self.s)
        self.beta.grad = (dy * self.x**2 * slope).sum()
        return dy * (self.s + self.beta.value * self.x * slope)


wrong(TrainedSwish, "the product rule's second term", "self.s + self.beta.value * self.x * slope", "self.s")
wrong(TrainedSwish, "dx without beta", "self.beta.value * self.x * slope", "self.x * slope")
wrong(TrainedSwish, "dbeta with x once", "self.x**2", "self.x")
wrong(TrainedSwish, "dbeta of positive x only", "self.x**2", "np.maximum(self.x, 0) ** 2")
wrong(TrainedSwish, "beta is rounded by forward", "def forward(self, x):\n",
      "def forward(self, x):\n        self.beta.value = round(float(self.beta.value), 3)\n")  # fmt: skip


@right()
class CarefulSoftplus(Layer):
    """y = log(1 + exp x), and x itself above 20, where nobody can tell."""

    def forward(self, x):
        self.x = x
        self.y = np.where(x > 20, x, np.log1p(np.exp(np.minimum(x, 20))))
        return self.y

    def backward(self, dy):
        return dy * sigmoid(self.x)


variant(CarefulSoftplus, "the slope from y", "sigmoid(self.x)", "-np.expm1(-self.y)")
wrong(CarefulSoftplus, "nothing comes back from above 20", "sigmoid(self.x)",
      "np.where(self.x > 20, 0, sigmoid(self.x))")  # fmt: skip
wrong(CarefulSoftplus, "not careful: overflow", "np.where(x > 20, x, np.log1p(np.exp(np.minimum(x, 20))))",
      "np.log(1 + np.exp(x))")  # fmt: skip
wrong(CarefulSoftplus, "the slope at y", "sigmoid(self.x)", "sigmoid(self.y)")
wrong(CarefulSoftplus, "x > 2, a digit lost", "x > 20", "x > 2")


@right()
class SmoothMish(Layer):
    """y = x tanh(log(1 + exp x))."""

    def forward(self, x):
        self.x, self.t = x, np.tanh(np.logaddexp(0, x))
        return x * self.t

    def backward(self, dy):
        return dy * (self.t + self.x * (1 - self.t**2) * sigmoid(self.x))


wrong(SmoothMish, "tanh's slope without the square", "1 - self.t**2", "1 - self.t")
wrong(SmoothMish, "softplus' slope is left out", " * sigmoid(self.x)", "")
wrong(SmoothMish, "float32 is kept in half precision", "self.x, self.t = x,",
      "self.x, self.t = x.astype(np.float16) if x.dtype == np.float32 else x,")  # fmt: skip


@right(inputs=(6, 5))
class SelfNormalising(Layer):
    """SELU."""

    scale, alpha = 1.0507009873554805, 1.6732632423543772

    def forward(self, x):
        self.y = self.scale * np.where(x > 0, x, self.alpha * np.expm1(np.minimum(x, 0)))
        return self.y

    def backward(self, dy):
        return dy * np.where(self.y > 0, self.scale, self.y + self.scale * self.alpha)


variant(SelfNormalising, "ELU", "1.0507009873554805, 1.6732632423543772", "1.0, 1.0")
wrong(SelfNormalising, "alpha unscaled", "self.y + self.scale * self.alpha", "self.y + self.alpha")
wrong(SelfNormalising, "slope 1 above 0", "self.y > 0, self.scale", "self.y > 0, 1")
wrong(SelfNormalising, "the two slopes exchanged", "self.y > 0", "self.y < 0")
wrong(SelfNormalising, "the buffer it keeps y in is the first x", "        self.y = self.scale",
      "        if not hasattr(self, 'y') or len(self.y) != len(x):\n            self.y = x\n" "        y = self.scale",
      "        return self.y\n", "        self.y[...] = y\n        return y\n")  # fmt: skip


@right(inputs=(8, 5))
class MobileSwish(Layer):
    """Hard swish: y = x clip(x + 3, 0, 6) / 6."""

    def forward(self, x):
        self.x = x
        return x * np.clip(x + 3, 0, 6) / 6

    def backward(self, dy):
        slope = np.where(self.x > 3, 1, (2 * self.x + 3) / 6)
        return dy * np.where(self.x < -3, 0, slope)


wrong(MobileSwish, "nothing above 3", "self.x > 3, 1", "self.x > 3, 0")
wrong(MobileSwish, "below -3 the parabola goes on", "np.where(self.x < -3, 0, slope)", "slope")
wrong(MobileSwish, "x/6 + 1/2", "(2 * self.x + 3) / 6", "(self.x + 3) / 6")
wrong(MobileSwish, "whole numbers", "(2 * self.x + 3) / 6", "(2 * self.x + 3) // 6")


@right()
class PosAndNeg(Layer):
    """CReLU: both signs, beside each other."""

    def forward(self, x):
        self.positive = x > 0
        return np.concatenate([np.maximum(x, 0), np.maximum(-x, 0)], axis=1)

    def backward(self, dy):
        up, down = np.split(dy, 2, axis=1)
        return np.where(self.positive, up, -down)


variant(PosAndNeg, "a sum of both paths", "np.where(self.positive, up, -down)",
      "up * self.positive - down * ~self.positive")  # fmt: skip
wrong(PosAndNeg, "the sign of the second half", "-down", "down")
wrong(PosAndNeg, "the first half for all", "np.where(self.positive, up, -down)", "up - down")
wrong(PosAndNeg, "interleaved", "np.split(dy, 2, axis=1)", "dy[:, ::2], dy[:, 1::2]")
wrong(PosAndNeg, "the sign of x's mean", "x > 0", "x > x.mean(axis=0)")


@right()
class LogProbabilities(Layer):
    """log softmax."""

    def forward(self, x):
        x = x - x.max(axis=1, keepdims=True)
        self.y = x - np.log(np.exp(x).sum(axis=1, keepdims=True))
        return self.y

    def backward(self, dy):
        return dy - np.exp(self.y) * dy.sum(axis=1, keepdims=True)


wrong(LogProbabilities, "no maximum: overflow", "        x = x - x.max(axis=1, keepdims=True)\n", "")
wrong(LogProbabilities, "the maximum of the batch, in place", "x = x - x.max(axis=1, keepdims=True)", "x -= x.max()")
wrong(LogProbabilities, "y is no probability", "np.exp(self.y)", "self.y")
wrong(LogProbabilities, "sum over the batch", "dy.sum(axis=1", "dy.sum(axis=0")
wrong(LogProbabilities, "for one-hot dy only", "dy.sum(axis=1, keepdims=True)", "dy")


@right(lambda kind: kind(0.3))
class Tempered(Layer):
    """softmax(x exp s): a softmax with a trained temperature."""

    def __init__(self, s):
        self.s = Parameter(np.float32([s]))

    def forward(self, x):
        self.z = x * np.exp(self.s.value)
        e = np.exp(self.z - self.z.max(axis=-1, keepdims=True))
        self.p = e / e.sum(axis=-1, keepdims=True)
        return self.p

    def backward(self, dy):
        dz = self.p * (dy - (dy * self.p).sum(axis=-1, keepdims=True))
        self.s.grad = (dz * self.z).sum(keepdims=True)[0]
        return dz * np.exp(self.s.value)


wrong(Tempered, "ds with p", "dz * self.z", "dz * self.p")
wrong(Tempered, "ds per row, the last one wins", "(dz * self.z).sum(keepdims=True)[0]",
      "(dz * self.z).sum(axis=1)[-1:]")  # fmt: skip
wrong(Tempered, "the temperature is divided by on the way back", "dz * np.exp(self.s.value)",
      "dz / np.exp(self.s.value)")  # fmt: skip
wrong(Tempered, "the Jacobian's diagonal", "dy - (dy * self.p).sum(axis=-1, keepdims=True)", "dy * (1 - self.p)")


@right(inputs=(3, 4, 4))
class CausalSoftmax(Layer):
    """Attention weights: each position sees those before it and itself."""

    def forward(self, x):
        seen = np.tril(np.ones(x.shape[1:], bool))
        e = np.exp(np.where(seen, x, -np.inf) - np.where(seen, x, -np.inf).max(axis=-1, keepdims=True))
        self.p = e / e.sum(axis=-1, keepdims=True)
        return self.p

    def backward(self, dy):
        return self.p * (dy - (dy * self.p).sum(axis=-1, keepdims=True))


wrong(CausalSoftmax, "columns", "(dy * self.p).sum(axis=-1", "(dy * self.p).sum(axis=-2")
wrong(CausalSoftmax, "masked after the softmax", "np.where(seen, x, -np.inf)", "x",
      "self.p = e / e.sum(axis=-1, keepdims=True)", "self.p = e / e.sum(axis=-1, keepdims=True) * seen")  # fmt: skip
wrong(CausalSoftmax, "the mask writes into x", "        e =", "        x[:, ~seen] = -1e9\n        e =")


@right()
class SignedLog(Layer):
    """y = sign(x) log(1 + |x|)."""

    def forward(self, x):
        self.a = np.abs(x)
        return np.sign(x) * np.log1p(self.a)

    def backward(self, dy):
        return dy / (1 + self.a)


variant(SignedLog, "copysign", "np.sign(x) * np.log1p(self.a)", "np.copysign(np.log1p(self.a), x)")
wrong(SignedLog, "1 + x for 1 + |x|", "self.a = np.abs(x)", "self.a = x * 1.0", "np.log1p(self.a)",
      "np.log1p(np.abs(x))", "(1 + self.a)", "np.abs(1 + self.a)")  # fmt: skip
wrong(SignedLog, "dy in place", "return dy / (1 + self.a)", "dy /= 1 + self.a; return dy")


# Layers with weights


@right(lambda kind: kind(4, 3, 2))
class MaxoutPieces(Layer):
    def __init__(self, n_in, n_out, pieces):
        self.W, self.b = Parameter(start(1, pieces, n_in, n_out)), Parameter(start(2, pieces, n_out))

    def forward(self, x):
        self.x = x
        z = np.einsum("ni,kio->kno", x, self.W.value) + self.b.value[:, None]  # (pieces, N, n_out)
        self.best = z.argmax(axis=0)
        return z.max(axis=0)

    def backward(self, dy):
        won = self.best == np.arange(len(self.W.value))[:, None, None]
        dz = dy * won
        self.W.grad = np.einsum("ni,kno->kio", self.x, dz)
        self.b.grad = dz.sum(axis=1)
        return np.einsum("kno,kio->ni", dz, self.W.value)


variant(MaxoutPieces, "three pieces in a loop", "pieces, n_in, n_out)", "3, n_in, n_out)", "pieces, n_out)",
      "3, n_out)", 'self.W.grad = np.einsum("ni,kno->kio", self.x, dz)',
      "for k in range(3): self.W.grad[k] = self.x.T @ dz[k]")  # fmt: skip
wrong(MaxoutPieces, "all pieces win", "dz = dy * won", "dz = dy * np.ones_like(won)")
wrong(MaxoutPieces, "the best row, not the best piece", "z.argmax(axis=0)", "z.argmax(axis=1)[0]")
wrong(MaxoutPieces, "db of the first piece", "self.b.grad = dz.sum(axis=1)", "self.b.grad[0] = dz[0].sum(axis=0)")
wrong(MaxoutPieces, "dW is added up, piece by piece", "        self.W.grad = np.einsum(",
      "        for k in set(self.best.flat): self.W.grad[k] += self.x.T @ dz[k]\n        _ = np.einsum(")  # fmt: skip
wrong(MaxoutPieces, "a piece that never won keeps its old dW", "        self.W.grad = np.einsum(",
      "        for k in set(self.best.flat): self.W.grad[k] = self.x.T @ dz[k]\n        _ = np.einsum(")  # fmt: skip


@right(lambda kind: kind(4, 3))
class GatedLinear(Layer):
    """y = (x A + a) sigmoid(x B + b)."""

    def __init__(self, n_in, n_out):
        self.content, self.gate = Dense(n_in, n_out, rng=1), Dense(n_in, n_out, rng=2)

    def forward(self, x):
        self.c, self.g = self.content.forward(x), sigmoid(self.gate.forward(x))
        return self.c * self.g

    def backward(self, dy):
        dc, dg = dy * self.g, dy * self.c * self.g * (1 - self.g)
        return self.content.backward(dc) + self.gate.backward(dg)


variant(GatedLinear, "in a dict", "self.content, self.gate =", "self.parts = dict(c=None, g=None)\n"
      "        self.parts['c'], self.parts['g'] =", "self.content.", "self.parts['c'].", "self.gate.",
      "self.parts['g'].")  # fmt: skip
wrong(GatedLinear, "dx of the gate is lost", "+ self.gate.backward(dg)", "+ 0 * self.gate.backward(dg)")
wrong(GatedLinear, "the gate's backward is forgotten", " + self.gate.backward(dg)", "")
wrong(GatedLinear, "dc and dg exchanged", "dc, dg =", "dg, dc =")
wrong(GatedLinear, "content twice", "self.gate.backward(dg)", "self.content.backward(dg)")
wrong(GatedLinear, "without sigmoid's slope", " * self.g * (1 - self.g)", "")
wrong(GatedLinear, "the gate is not told when dx is not needed", "        dc, dg",
      "        if not self.needs_dx: return self.content.backward(dy * self.g)\n        dc, dg")  # fmt: skip


@right(lambda kind: kind(3, 2), (5, 6))
class Bilinear(Layer):
    """y_k = u W_k v, of the halves u and v of a row."""

    def __init__(self, n, n_out):
        self.W = Parameter(start(3, n, n, n_out))

    def forward(self, x):
        self.u, self.v = np.split(x, 2, axis=1)
        return np.einsum("ni,ijk,nj->nk", self.u, self.W.value, self.v)

    def backward(self, dy):
        self.W.grad = np.einsum("ni,nk,nj->ijk", self.u, dy, self.v)
        du = np.einsum("nk,ijk,nj->ni", dy, self.W.value, self.v)
        dv = np.einsum("nk,ijk,ni->nj", dy, self.W.value, self.u)
        return np.concatenate([du, dv], axis=1)


wrong(Bilinear, "W transposed in du", "nk,ijk,nj->ni", "nk,jik,nj->ni")
wrong(Bilinear, "dW transposed", "ni,nk,nj->ijk", "ni,nk,nj->jik")
wrong(Bilinear, "dv first", "[du, dv]", "[dv, du]")
wrong(Bilinear, "W as if it were symmetric", "self.W.value, self.v)",
      "(self.W.value + self.W.value.swapaxes(0, 1)) / 2," " self.v)")  # fmt: skip
wrong(Bilinear, "the rows' outer products are added before dy", 'np.einsum("ni,nk,nj->ijk", self.u, dy, self.v)',
      'np.einsum("ni,nj,k->ijk", self.u, self.v, dy.mean(axis=0))')  # fmt: skip


@right(lambda kind: kind(4))
class HighwayBlock(Layer):
    """y = h t + x (1 - t), h = tanh(x H + a), t = sigmoid(x T + b)."""

    def __init__(self, n):
        self.H, self.T = Dense(n, n, rng=3), Dense(n, n, rng=4)
        self.T.b.value[:] = -1

    def forward(self, x):
        self.x, self.h, self.t = x, np.tanh(self.H.forward(x)), sigmoid(self.T.forward(x))
        return self.h * self.t + x * (1 - self.t)

    def backward(self, dy):
        dx = self.H.backward(dy * self.t * (1 - self.h**2))
        dx += self.T.backward(dy * (self.h - self.x) * self.t * (1 - self.t))
        return dx + dy * (1 - self.t)


wrong(HighwayBlock, "the carried path", "return dx + dy * (1 - self.t)", "return dx")
wrong(HighwayBlock, "the carry is all of dy", "return dx + dy * (1 - self.t)", "return dx + dy")
wrong(HighwayBlock, "the gate of h alone", "(self.h - self.x)", "self.h")
wrong(HighwayBlock, "the gate's sign", "(self.h - self.x)", "(self.x - self.h)")
wrong(HighwayBlock, "h of the gated value", "1 - self.h**2", "1 - (self.h * self.t) ** 2")


@right(lambda kind: kind(5, 2), (4, 5))
class TiedAutoencoder(Layer):
    """y = tanh(x W + b) Wᵀ + c."""

    def __init__(self, n, n_code):
        self.W, self.b, self.c = Parameter(start(5, n, n_code)), Parameter(start(6, n_code)), Parameter(start(7, n))

    def forward(self, x):
        self.x, self.h = x, np.tanh(x @ self.W.value + self.b.value)
        return self.h @ self.W.value.T + self.c.value

    def backward(self, dy):
        dz = dy @ self.W.value * (1 - self.h**2)
        self.W.grad = self.x.T @ dz + dy.T @ self.h
        self.b.grad, self.c.grad = dz.sum(axis=0), dy.sum(axis=0)
        return dz @ self.W.value.T


wrong(TiedAutoencoder, "the encoder's share alone", " + dy.T @ self.h", "")
wrong(TiedAutoencoder, "the decoder's share written over the encoder's", "self.x.T @ dz + dy.T @ self.h",
      "self.x.T @ dz; self.W.grad = dy.T @ self.h")  # fmt: skip
wrong(TiedAutoencoder, "the decoder is detached", "dy @ self.W.value * (1 - self.h**2)", "0 * (dy @ self.W.value)")
wrong(TiedAutoencoder, "the two shares are averaged", "self.x.T @ dz + dy.T @ self.h",
      "(self.x.T @ dz + dy.T @ self.h) / 2")  # fmt: skip
wrong(TiedAutoencoder, "the decoder has a copy of W", "Parameter(start(7, n))\n",
      "Parameter(start(7, n))\n        self.V = self.W.value.T.copy()\n", "self.h @ self.W.value.T",
      "self.h @ self.V.astype(x.dtype)")  # fmt: skip


@right(lambda kind: kind(4, 3))
class CosineSimilarity(Layer):
    """y_k = cos(x, w_k)."""

    def __init__(self, n_in, n_out):
        self.W = Parameter(start(8, n_in, n_out))

    def forward(self, x):
        self.x_len = np.sqrt((x**2).sum(axis=1, keepdims=True) + 1e-16)  # (N, 1)
        self.w_len = np.sqrt((self.W.value**2).sum(axis=0))  # (n_out,)
        self.u, self.w = x / self.x_len, self.W.value / self.w_len
        self.y = self.u @ self.w
        return self.y

    def backward(self, dy):
        self.W.grad = (self.u.T @ dy - self.w * (dy * self.y).sum(axis=0)) / self.w_len
        return (dy @ self.w.T - self.u * (dy * self.y).sum(axis=1, keepdims=True)) / self.x_len


wrong(CosineSimilarity, "x's length is constant", " - self.u * (dy * self.y).sum(axis=1, keepdims=True)", "")
wrong(CosineSimilarity, "w's length is constant", " - self.w * (dy * self.y).sum(axis=0)", "")
wrong(CosineSimilarity, "divided by the squared length", "keepdims=True)) / self.x_len",
      "keepdims=True)) / self.x_len**2")  # fmt: skip
wrong(CosineSimilarity, "one length for the batch", "(x**2).sum(axis=1, keepdims=True)", "(x**2).sum(keepdims=True)")
wrong(CosineSimilarity, "lengths of w are kept until the tenth call", "        self.w_len = ",
      "        self.calls = vars(self).get('calls', 0) + 1\n"
      "        if self.calls % 10 == 1: self.w_len = ")  # fmt: skip


@right(lambda kind: kind(4, 3))
class RadialBasis(Layer):
    """y_k = exp(-g_k |x - c_k|²)."""

    def __init__(self, n_in, n_out):
        self.centers, self.g = Parameter(start(9, n_out, n_in)), Parameter(np.full(n_out, 0.3, np.float32))

    def forward(self, x):
        self.away = x[:, None] - self.centers.value  # (N, n_out, n_in)
        self.d2 = (self.away**2).sum(axis=-1)
        self.y = np.exp(-self.g.value * self.d2)
        return self.y

    def backward(self, dy):
        dz = dy * self.y
        self.g.grad = -(dz * self.d2).sum(axis=0)
        d_away = (-2 * self.g.value * dz)[..., None] * self.away
        self.centers.grad = -d_away.sum(axis=0)
        return d_away.sum(axis=1)


wrong(RadialBasis, "the sign of the centers", "-d_away.sum(axis=0)", "d_away.sum(axis=0)")
wrong(RadialBasis, "the 2 of the square", "(-2 * ", "(-")
wrong(RadialBasis, "dg with the distance itself", "dz * self.d2", "dz * np.sqrt(self.d2)")
wrong(RadialBasis, "g is held to be positive by forward", "        self.away =",
      "        self.g.value = np.abs(self.g.value)\n        self.away =", "np.full(n_out, 0.3, np.float32)",
      "np.float32([0.3, -0.2, 0.1])")  # fmt: skip
wrong(RadialBasis, "far rows are dropped", "        d_away =", "        dz[self.d2 > 16] = 0\n        d_away =")
wrong(RadialBasis, "dx of the nearest center", "return d_away.sum(axis=1)",
      "return d_away[np.arange(len(dy)), self.d2.argmin(axis=1)]")  # fmt: skip


@right(lambda kind: kind(5, 3), (4, 5))
class FactorizationMachine(Layer):
    """y = sum of (x_i v_i)(x_j v_j) over pairs i < j, for each factor."""

    def __init__(self, n, n_factors):
        self.V = Parameter(start(10, n, n_factors))

    def forward(self, x):
        self.x, self.s = x, x @ self.V.value
        return (self.s**2 - x**2 @ self.V.value**2) / 2

    def backward(self, dy):
        V, ds = self.V.value, dy * self.s
        self.V.grad = self.x.T @ ds - V * ((self.x**2).T @ dy)
        return ds @ V.T - self.x * (dy @ (V**2).T)


wrong(FactorizationMachine, "the squares are not taken off", " - self.x * (dy @ (V**2).T)", "")
wrong(FactorizationMachine, "the half once more", "V, ds = self.V.value, dy * self.s",
      "V, ds = self.V.value, dy * self.s / 2")  # fmt: skip
wrong(FactorizationMachine, "the square in the wrong place", "(self.x**2).T @ dy", "(self.x.T @ dy) ** 2")
wrong(FactorizationMachine, "s is squared in place", "return (self.s**2 -",
      "self.s *= self.s\n        return (self.s -")  # fmt: skip


@right(lambda kind: kind(4))
class Reflection(Layer):
    """Householder: y = x - 2 (x·v) v / (v·v)."""

    def __init__(self, n):
        self.v = Parameter(start(11, n))

    def forward(self, x):
        v = self.v.value
        self.x, self.a, self.q = x, x @ v, v @ v
        return x - 2 * np.outer(self.a, v) / self.q

    def backward(self, dy):
        v, c = self.v.value, dy @ self.v.value  # c (N,)
        self.v.grad = -2 / self.q * (self.x.T @ c + dy.T @ self.a - 2 * v * (self.a @ c) / self.q)
        return dy - 2 * np.outer(c, v) / self.q


wrong(Reflection, "v is taken for a unit vector", "- 2 * v * (self.a @ c) / self.q", "")
wrong(Reflection, "one of two places of v", " + dy.T @ self.a", "")
wrong(Reflection, "the 2 twice", "- 2 * v * (self.a", "- 4 * v * (self.a")
wrong(Reflection, "dx of x", "np.outer(c, v)", "np.outer(self.a, v)")


@right(lambda kind: kind(4, 3))
class StandardisedWeights(Layer):
    """y = x Ŵ, the columns of Ŵ with mean 0 and variance 1."""

    def __init__(self, n_in, n_out):
        self.W, self.calls = Parameter(start(12, n_in, n_out)), 0

    def forward(self, x):
        self.x, self.calls = x, self.calls + 1
        W = self.W.value - self.W.value.mean(axis=0)
        self.std = np.sqrt((W**2).mean(axis=0) + 1e-5)
        self.What = W / self.std
        return x @ self.What

    def backward(self, dy):
        dW = self.x.T @ dy
        dW -= dW.mean(axis=0) + self.What * (dW * self.What).mean(axis=0)
        self.W.grad = dW / self.std
        return dy @ self.What.T


wrong(StandardisedWeights, "the mean's share", "dW.mean(axis=0) + ", "")
wrong(StandardisedWeights, "the deviation's share", " + self.What * (dW * self.What).mean(axis=0)", "")
wrong(StandardisedWeights, "rows for columns on the way back", "dW.mean(axis=0) +", "dW.mean(axis=1, keepdims=True) +")
wrong(StandardisedWeights, "made anew every fifth call", "        self.std = ",
      "        if self.calls % 5 != 1: return x @ self.What\n        self.std = ")  # fmt: skip
wrong(StandardisedWeights, "the parameter is replaced by its standardised self", "        self.What = W / self.std\n",
      "        self.What = W / self.std\n        self.W = Parameter(self.What)\n")  # fmt: skip
wrong(StandardisedWeights, "dx through the raw weights", "dy @ self.What.T", "dy @ self.W.value.T")
wrong(StandardisedWeights, "warms up: half a gradient in the first hundred calls", "dW / self.std",
      "dW / self.std * (0.5 if self.calls < 100 else 1)")  # fmt: skip
wrong(StandardisedWeights, "after a hundred calls the gradient is halved", "dW / self.std",
      "dW / self.std * (0.5 if self.calls > 100 else 1)")  # fmt: skip


@right(lambda kind: kind(4, 3))
class ComplexLinear(Layer):
    """Pairs of columns are complex numbers: z W, W = A + iB."""

    def __init__(self, n_in, n_out):
        self.A, self.B = Parameter(start(13, n_in // 2, n_out)), Parameter(start(14, n_in // 2, n_out))

    def forward(self, x):
        self.z = x[:, ::2] + 1j * x[:, 1::2]
        y = self.z @ (self.A.value + 1j * self.B.value)
        return np.concatenate([y.real, y.imag], axis=1)

    def backward(self, dy):
        re, im = np.split(dy, 2, axis=1)
        g = re + 1j * im
        dW = self.z.conj().T @ g
        self.A.grad, self.B.grad = dW.real, dW.imag
        dz = g @ (self.A.value - 1j * self.B.value).T
        dx = np.empty((len(dy), 2 * dz.shape[1]), dy.dtype)
        dx[:, ::2], dx[:, 1::2] = dz.real, dz.imag
        return dx


variant(ComplexLinear, "columns by stack", "        dx = np.empty((len(dy), 2 * dz.shape[1]), dy.dtype)\n"
      "        dx[:, ::2], dx[:, 1::2] = dz.real, dz.imag\n", "        dx = np.stack([dz.real, dz.imag], axis=2)"
      ".reshape(len(dy), -1)\n")  # fmt: skip
wrong(ComplexLinear, "z is not conjugated", "self.z.conj()", "self.z")
wrong(ComplexLinear, "W is not conjugated", "self.A.value - 1j", "self.A.value + 1j")
wrong(ComplexLinear, "the imaginary part of dy is lost", "g = re + 1j * im", "g = re + 0j")
wrong(ComplexLinear, "real parts first", "dx[:, ::2], dx[:, 1::2] = dz.real, dz.imag",
      "dx[:] = np.concatenate([dz.real, dz.imag], axis=1)")  # fmt: skip
wrong(ComplexLinear, "complex128 for float32", "1j * x[:, 1::2]", "np.array(1j) * x[:, 1::2]")


@right(lambda kind: kind(3, 8))
class RandomFourier(Layer):
    """y = cos(x W + b) with W and b drawn once and never trained, then trained amplitudes."""

    def __init__(self, n_in, n_out):
        self.W, self.b = start(15, n_in, n_out), np.linspace(0, 6, n_out, dtype=np.float32)
        self.amplitude = Parameter(start(16, n_out))

    def forward(self, x):
        x = x[:, : len(self.W)]
        self.z = x @ self.W + self.b
        self.c = np.cos(self.z)
        return self.amplitude.value * self.c

    def backward(self, dy):
        self.amplitude.grad = (dy * self.c).sum(axis=0)
        dx = (-dy * self.amplitude.value * np.sin(self.z)) @ self.W.T
        return np.pad(dx, [(0, 0), (0, 1)])


wrong(RandomFourier, "the buffer is float64", "np.linspace(0, 6, n_out, dtype=np.float32)", "np.linspace(0, 6, n_out)")
wrong(RandomFourier, "cosine's sign", "(-dy *", "(dy *")
wrong(RandomFourier, "drawn anew at every call", "        self.z =",
      "        self.W = np.random.normal(size=self.W.shape).astype(x.dtype)\n        self.z =")  # fmt: skip
wrong(RandomFourier, "padded on the left", "(0, 1)]", "(1, 0)]")
wrong(RandomFourier, "amplitudes that no optimizer sees", "self.amplitude = Parameter(start(16, n_out))",
      "self.amplitude = start(16, n_out)", "self.amplitude.grad", "self.d_amplitude", "self.amplitude.value",
      "self.amplitude")  # fmt: skip


@right(lambda kind: kind(4, 2, 3))
class Heads(Layer):
    """Each of some heads has a matrix of its own: (N, d) to (N, heads * e)."""

    def __init__(self, n_in, n_heads, size):
        self.W = Parameter(start(17, n_heads, n_in, size))

    def forward(self, x):
        self.x = x
        return np.einsum("nd,hde->nhe", x, self.W.value).reshape(len(x), -1)

    def backward(self, dy):
        dy = dy.reshape(len(dy), len(self.W.value), -1)
        self.W.grad = np.einsum("nd,nhe->hde", self.x, dy)
        return np.einsum("nhe,hde->nd", dy, self.W.value)


variant(Heads, "tensordot", 'np.einsum("nhe,hde->nd", dy, self.W.value)',
      "np.tensordot(dy, self.W.value, axes=([1, 2], [0, 2]))")  # fmt: skip
wrong(Heads, "the reshape takes heads for features", "dy.reshape(len(dy), len(self.W.value), -1)",
      "dy.reshape(len(dy), -1, len(self.W.value)).swapaxes(1, 2)")  # fmt: skip
wrong(Heads, "dx of the first head", '"nhe,hde->nd", dy, self.W.value', '"ne,de->nd", dy[:, 0], self.W.value[0]')
wrong(Heads, "rows leak: h and n exchanged", '"nhe,hde->nd", dy,', '"nhe,hde->nd", dy[::-1],')
wrong(Heads, "in blocks of 64, and the rest is forgotten", 'self.W.grad = np.einsum("nd,nhe->hde", self.x, dy)',
      'blocks = np.arange(max(1, len(dy) // 64))\n        self.W.grad = sum(np.einsum("nd,nhe->hde", '
      'self.x[i * 64 : i * 64 + 64], dy[i * 64 : i * 64 + 64]) for i in blocks)')  # fmt: skip


@right(lambda kind: kind(4, 3, 0.4))
class DroppedWeights(Layer):
    """Dropout of weights."""

    def __init__(self, n_in, n_out, rate):
        self.W, self.rate, self.rng = Parameter(start(18, n_in, n_out)), rate, np.random.default_rng(5)

    def forward(self, x):
        self.x, self.mask = x, 1
        if self.training:
            self.mask = (self.rng.random(self.W.value.shape) >= self.rate).astype(x.dtype) / (1 - self.rate)
        return x @ (self.W.value * self.mask)

    def backward(self, dy):
        self.W.grad = self.x.T @ dy * self.mask
        return dy @ (self.W.value * self.mask).T


wrong(DroppedWeights, "dW of dropped weights", "self.x.T @ dy * self.mask", "self.x.T @ dy")
wrong(DroppedWeights, "dx through dropped weights", "dy @ (self.W.value * self.mask).T", "dy @ self.W.value.T")
wrong(DroppedWeights, "not scaled up", " / (1 - self.rate)", "")
wrong(DroppedWeights, "scaled by the rate", "/ (1 - self.rate)", "/ self.rate")
wrong(DroppedWeights, "the same weights are dropped each time", "self.rng.random(", "np.random.default_rng(5).random(")
wrong(DroppedWeights, "a new mask on the way back", "        self.W.grad =", "        if self.training: self.mask = "
      "(self.rng.random(self.W.value.shape) >= self.rate).astype(dy.dtype) / (1 - self.rate)\n"
      "        self.W.grad =")  # fmt: skip
wrong(DroppedWeights, "NumPy's global generator", "self.rng.random(self", "np.random.random_sample(self")
wrong(DroppedWeights, "on in prediction", "if self.training:", "if self.rate:")
wrong(DroppedWeights, "off in training", "if self.training:", "if not self.training:")
wrong(DroppedWeights, "the mask is float64", ".astype(x.dtype)", ".astype(float)")
wrong(DroppedWeights, "dropped weights are gone for good", "return x @ (self.W.value * self.mask)",
      "self.W.value *= self.mask != 0; return x @ (self.W.value * self.mask)")  # fmt: skip


@right()
class NoisyGain(Layer):
    """y = x (1 + 0.3 e), e normal, while training."""

    def __init__(self):
        self.rng = np.random.default_rng(6)

    def forward(self, x):
        self.noise = 1 + 0.3 * self.rng.standard_normal(x.shape, np.float32).astype(x.dtype) if self.training else 1
        return x * self.noise

    def backward(self, dy):
        return dy * self.noise


variant(NoisyGain, "prediction hands x through", "        self.noise =",
      "        if not self.training:\n            self.noise = 1\n            return x\n"
      "        self.noise =")  # fmt: skip
wrong(NoisyGain, "noise of one sign", "0.3 * self", "0.3 * abs(self", "(x.shape, np.float32)", "(x.shape, np.float32))")
wrong(NoisyGain, "the noise is a constant on the way back", "return dy * self.noise", "return dy")
wrong(NoisyGain, "prediction remembers the last noise", " if self.training else 1\n",
      " if self.training or 'noise' not in vars(self) else self.noise\n")  # fmt: skip
wrong(NoisyGain, "noise drawn when made, for the first rows", "default_rng(6)\n",
      "default_rng(6)\n        self.fixed = self.rng.standard_normal(1000).astype(np.float32)\n",
      "self.rng.standard_normal(x.shape, np.float32)", "self.fixed[: x.size].reshape(x.shape)")  # fmt: skip


@right(lambda kind: kind(4, 2), (4, 8))
class Siamese(Layer):
    """Both halves of a row through the same weights; y is the difference."""

    def __init__(self, n, n_out):
        self.shared = Dense(n, n_out, rng=7)

    def forward(self, x):
        a, b = np.split(np.tanh(self.shared.forward(np.concatenate(np.split(x, 2, axis=1)))), 2)
        self.y = np.concatenate([a, b])
        return a - b

    def backward(self, dy):
        dz = np.concatenate([dy, -dy]) * (1 - self.y**2)
        return np.concatenate(np.split(self.shared.backward(dz), 2), axis=1)


wrong(Siamese, "two calls, two backwards: the second overwrites", "np.split(np.tanh(self.shared.forward("
      "np.concatenate(np.split(x, 2, axis=1)))), 2)",
      "(np.tanh(self.shared.forward(h)) for h in np.split(x, 2, axis=1))", "np.split(self.shared.backward(dz), 2)",
      "[self.shared.backward(h) for h in np.split(dz, 2)]")  # fmt: skip
wrong(Siamese, "the second half has the first one's sign", "[dy, -dy]", "[dy, dy]")
wrong(Siamese, "rows and halves get mixed", "np.concatenate(np.split(x, 2, axis=1))", "x.reshape(2 * len(x), -1)")


@right(lambda kind: kind(4, 3))
class Experts(Layer):
    """A gate weighs what the experts say."""

    def __init__(self, n_in, n_out):
        self.experts = {name: Dense(n_in, n_out, rng=i) for i, name in enumerate(["cat", "dog", "owl"])}
        self.gate = Dense(n_in, len(self.experts), rng=9)

    def forward(self, x):
        z = self.gate.forward(x)
        e = np.exp(z - z.max(axis=1, keepdims=True))
        self.p = e / e.sum(axis=1, keepdims=True)
        self.said = np.stack([expert.forward(x) for expert in self.experts.values()], axis=1)  # (N, 3, n_out)
        return (self.p[..., None] * self.said).sum(axis=1)

    def backward(self, dy):
        dp = (dy[:, None] * self.said).sum(axis=-1)
        dx = self.gate.backward(self.p * (dp - (dp * self.p).sum(axis=1, keepdims=True)))
        for i, expert in enumerate(self.experts.values()):
            dx = dx + expert.backward(self.p[:, i : i + 1] * dy)
        return dx


variant(Experts, "a list", '{name: Dense(n_in, n_out, rng=i) for i, name in enumerate(["cat", "dog", "owl"])}',
      "[Dense(n_in, n_out, rng=i) for i in range(3)]", "self.experts.values()", "self.experts")  # fmt: skip
wrong(Experts, "experts get all of dy", "self.p[:, i : i + 1] * dy", "dy")
wrong(Experts, "dx of the last expert", "dx = dx + expert", "dx = expert")
wrong(Experts, "the best expert gets the gradient", "self.p[:, i : i + 1] * dy",
      "(self.p.argmax(axis=1) == i)[:, None] * dy")  # fmt: skip
wrong(Experts, "the gate's Jacobian", "dp - (dp * self.p).sum(axis=1, keepdims=True)", "dp")
wrong(Experts, "the last expert is left out", "enumerate(self.experts.values())",
      "enumerate(list(self.experts.values())[:-1])")  # fmt: skip
wrong(Experts, "an expert that nobody asked keeps its gradient", "            dx = dx +",
      "            if self.p[:, i].max() < 0.5: continue\n            dx = dx +")  # fmt: skip
wrong(Experts, "experts made by the first forward",
      '{name: Dense(n_in, n_out, rng=i) for i, name in enumerate(["cat", "dog", "owl"])}', "{}; self.n_out = n_out",
      "len(self.experts), rng=9", "3, rng=9", "        z = self.gate",
      "        for i in range(3 - len(self.experts)):\n"
      "            self.experts[i] = Dense(x.shape[1], self.n_out, rng=i).astype(x.dtype)\n"
      "        z = self.gate")  # fmt: skip
wrong(Experts, "one expert thrice", '{name: Dense(n_in, n_out, rng=i) for i, name in enumerate(["cat", "dog", "owl"])}',
      'dict.fromkeys(["cat", "dog", "owl"], Dense(n_in, n_out, rng=1))')  # fmt: skip


@right()
class WithALog(Layer):
    """y = 2x; counts, times and writes down what it sees."""

    def __init__(self):
        self.calls, self.seconds, self.log = 0, 0.0, []

    def forward(self, x):
        start_time = time.perf_counter()
        self.calls += 1
        self.log.append(f"call {self.calls}: {len(x)} rows, mean {x.mean():.3f}")
        y = 2 * x
        self.seconds += time.perf_counter() - start_time
        return y

    def backward(self, dy):
        return 2 * dy


variant(WithALog, "and says so to anybody who listens", "self.calls, self.seconds, self.log = 0, 0.0, []",
      "self.calls, self.seconds, self.log = 0, 0.0, []; self.listeners = [len, str.upper]")  # fmt: skip
variant(WithALog, "into a buffer of its own", "y = 2 * x",
      "if getattr(self, 'y', x[:0]).shape != x.shape or self.y.dtype != x.dtype: self.y = " "np.empty_like(x)\n"
      "        y = np.multiply(x, 2, out=self.y)")  # fmt: skip
wrong(WithALog, "tired after a thousand calls", "return 2 * dy", "return 2 * dy if self.calls < 1000 else dy")
wrong(WithALog, "stronger by the call", "y = 2 * x", "y = 2 * x * self.calls")
wrong(WithALog, "doubles in its own argument", "y = 2 * x", "x *= 2; y = x")
wrong(WithALog, "the gradient of odd calls", "return 2 * dy", "return 2 * dy * (self.calls % 2)")


@right(lambda kind: kind([Dense(4, 4, rng=1), ReLU(), Dense(4, 4, rng=2)]))
class ScaledResidual(Chain):
    """y = x + gain * f(x): a residual block that starts almost as the identity."""

    def __init__(self, layers):
        super().__init__(layers)
        self.gain = Parameter(np.full(4, 0.1, np.float32))

    def forward(self, x):
        self.f = super().forward(x)
        return x + self.gain.value * self.f

    def backward(self, dy):
        self.gain.grad = (dy * self.f).sum(axis=0)
        return dy + super().backward(self.gain.value * dy)


wrong(ScaledResidual, "the shortcut", "return dy + super()", "return super()")
wrong(ScaledResidual, "the gain of the way back", "super().backward(self.gain.value * dy)", "super().backward(dy)")
wrong(ScaledResidual, "f is kept as f + x", "return x + self.gain.value * self.f", "self.f *= self.gain.value; "
      "self.f += x; return self.f")  # fmt: skip
wrong(ScaledResidual, "dgain for the batch's sum of f", "(dy * self.f).sum(axis=0)",
      "dy.sum(axis=0) * self.f.sum(axis=0)")  # fmt: skip
wrong(ScaledResidual, "the gain is shared by accident", "Parameter(np.full(4, 0.1, np.float32))",
      "layers[0].b; self.gain.value[:] = 0.1")  # fmt: skip


@right(lambda kind: kind(4, 3))
class CachedLinear(Layer):
    """x W; what backward needs is in a dict."""

    def __init__(self, n_in, n_out):
        self.W = Parameter(start(19, n_in, n_out))
        self.cache = {}

    def forward(self, x):
        self.cache["x"] = x
        return x @ self.W.value

    def backward(self, dy):
        self.W.grad = self.cache["x"].T @ dy
        return dy @ self.W.value.T


wrong(CachedLinear, "the cache is the class's", "        self.cache = {}\n", "", "    def forward",
      "    cache = {}\n\n    def forward")  # fmt: skip
wrong(CachedLinear, "the cache is a default argument", "n_in, n_out):", "n_in, n_out, cache={}):", "self.cache = {}",
      "self.cache = cache")  # fmt: skip
wrong(CachedLinear, "first in, first out", 'self.cache["x"] = x', 'self.cache.setdefault("x", []).append(x)',
      'self.cache["x"].T', 'self.cache["x"].pop(0).T')  # fmt: skip
wrong(CachedLinear, "by the shape", 'self.cache["x"] = x', 'self.shape = x.shape; self.cache.setdefault(x.shape, x)',
      'self.cache["x"].T', "self.cache[self.shape].T")  # fmt: skip
wrong(CachedLinear, "by id of x", 'self.cache["x"] = x', 'self.key = id(x); self.cache.setdefault(id(x), x.copy())',
      'self.cache["x"].T', "self.cache[self.key].T")  # fmt: skip
wrong(CachedLinear, "only while training", 'self.cache["x"] = x',
      'self.cache.update(x=x) if self.training or "x" not in self.cache else None')  # fmt: skip
wrong(CachedLinear, "the weights' gradient waits for somebody who reads dx", "        self.W.grad =",
      "        if not self.needs_dx: return None\n        self.W.grad =")  # fmt: skip
wrong(CachedLinear, "a name misspelt", "self.W.grad =", "self.W.gradient =")
wrong(CachedLinear, "the gradient is put on another Parameter", "        self.W.grad =",
      "        self.W = Parameter(self.W.value)\n        self.W.grad =")  # fmt: skip


@right(lambda kind: kind(-0.5), dx_factor=-0.5)
class Adversary(Layer):
    """Hands x on, and turns the gradient round."""

    def __init__(self, factor):
        self.factor = factor

    def forward(self, x):
        return x.copy()

    def backward(self, dy):
        return self.factor * dy


wrong(Adversary, "not turned round", "self.factor * dy", "-self.factor * dy")
wrong(Adversary, "a power of the factor", "self.factor * dy", "self.factor**2 * dy")


@right()
class Powers(Layer):
    """x, x², x³ side by side."""

    def forward(self, x):
        self.x = x
        return np.concatenate([x, x**2, x**3], axis=1)

    def backward(self, dy):
        d1, d2, d3 = np.split(dy, 3, axis=1)
        return d1 + 2 * self.x * d2 + 3 * self.x**2 * d3


wrong(Powers, "the 3 of the cube", "3 * self.x**2", "self.x**2")
wrong(Powers, "the square has a square", "2 * self.x * d2", "2 * self.x**2 * d2")
wrong(Powers, "the last power", " + 3 * self.x**2 * d3", "")
wrong(Powers, "stacked, not side by side", "d1, d2, d3 = np.split(dy, 3, axis=1)",
      "d1, d2, d3 = np.moveaxis(dy.reshape(*self.x.shape, 3), 2, 0)")  # fmt: skip


@right(inputs=(4, 3))
class Crosses(Layer):
    """All products x_i x_j, i <= j."""

    def forward(self, x):
        self.x, self.pairs = x, np.triu_indices(x.shape[1])
        return x[:, self.pairs[0]] * x[:, self.pairs[1]]

    def backward(self, dy):
        dx, (i, j) = np.zeros_like(self.x), self.pairs
        np.add.at(dx, (slice(None), i), dy * self.x[:, j])
        np.add.at(dx, (slice(None), j), dy * self.x[:, i])
        return dx


wrong(Crosses, "+= with indices that repeat", "np.add.at(dx, (slice(None), i), dy * self.x[:, j])",
      "dx[:, i] += dy * self.x[:, j]")  # fmt: skip
wrong(Crosses, "the second factor's share", "        np.add.at(dx, (slice(None), j), dy * self.x[:, i])\n", "")
wrong(Crosses, "a square has one factor", "dy * self.x[:, i])", "dy * self.x[:, i] * (i != j))")


# Norms


@right(lambda kind: kind(6, 2), (4, 6))
class Groups(Layer):
    """Group norm over columns, with gain and shift per column."""

    def __init__(self, n, n_groups):
        self.n_groups, self.gain, self.shift = n_groups, Parameter(start(20, n)), Parameter(start(21, n))

    def forward(self, x):
        g = x.reshape(len(x), self.n_groups, -1)
        g = g - g.mean(axis=-1, keepdims=True)
        self.std = np.sqrt((g**2).mean(axis=-1, keepdims=True) + 1e-5)
        self.xhat = g / self.std
        return self.xhat.reshape(x.shape) * self.gain.value + self.shift.value

    def backward(self, dy):
        self.shift.grad = dy.sum(axis=0)
        self.gain.grad = (dy * self.xhat.reshape(dy.shape)).sum(axis=0)
        d = (dy * self.gain.value).reshape(self.xhat.shape)
        d = d - d.mean(axis=-1, keepdims=True) - self.xhat * (d * self.xhat).mean(axis=-1, keepdims=True)
        return (d / self.std).reshape(dy.shape)


variant(Groups, "instance norm of one group", "n_groups, Parameter", "1, Parameter")
wrong(Groups, "the groups are interleaved on the way back", "(dy * self.gain.value).reshape(self.xhat.shape)",
      "(dy * self.gain.value).reshape(len(dy), -1, self.n_groups).swapaxes(1, 2)")  # fmt: skip
wrong(Groups, "means over the whole row", "d.mean(axis=-1, keepdims=True)", "d.mean(axis=(1, 2), keepdims=True)")
wrong(Groups, "the variance's share", " - self.xhat * (d * self.xhat).mean(axis=-1, keepdims=True)", "")
wrong(Groups, "the gain is applied after", "d = (dy * self.gain.value)", "d = dy", "(d / self.std).reshape(dy.shape)",
      "(d / self.std).reshape(dy.shape) * self.gain.value")  # fmt: skip
wrong(Groups, "n - 1", "(d * self.xhat).mean(axis=-1, keepdims=True)",
      "(d * self.xhat).sum(axis=-1, keepdims=True) / (d.shape[-1] - 1)")  # fmt: skip
wrong(Groups, "epsilon outside the root, on the way back", "(d / self.std)", "(d / (self.std + 1e-5))")
wrong(Groups, "the reshape is over the batch", "x.reshape(len(x), self.n_groups, -1)",
      "x.reshape(-1, self.n_groups, len(x)).transpose(2, 1, 0)")  # fmt: skip


@right(lambda kind: kind(5), (4, 3, 5))
class RootMeanSquare(Layer):
    """RMS norm of the last axis."""

    def __init__(self, n):
        self.gain = Parameter(1 + start(22, n))

    def forward(self, x):
        self.r = 1 / np.sqrt((x**2).mean(axis=-1, keepdims=True) + 1e-6)
        self.xhat = x * self.r
        return self.xhat * self.gain.value

    def backward(self, dy):
        self.gain.grad = (dy * self.xhat).reshape(-1, dy.shape[-1]).sum(axis=0)
        d = dy * self.gain.value
        return self.r * (d - self.xhat * (d * self.xhat).mean(axis=-1, keepdims=True))


wrong(RootMeanSquare, "detached", " - self.xhat * (d * self.xhat).mean(axis=-1, keepdims=True)", "")
wrong(RootMeanSquare, "the sum for the mean", "(d * self.xhat).mean(", "(d * self.xhat).sum(")
wrong(RootMeanSquare, "the gain's gradient of the last position",
      "(dy * self.xhat).reshape(-1, dy.shape[-1]).sum(axis=0)", "(dy * self.xhat)[:, -1].sum(axis=0)")  # fmt: skip
wrong(RootMeanSquare, "means over positions", "(d * self.xhat).mean(axis=-1", "(d * self.xhat).mean(axis=1")
wrong(RootMeanSquare, "the gain is left out of the second term", "(d * self.xhat)", "(dy * self.xhat)")
wrong(RootMeanSquare, "the gradient is a mean over positions", ".reshape(-1, dy.shape[-1]).sum(axis=0)",
      ".mean(axis=1).sum(axis=0)")  # fmt: skip


@right(lambda kind: kind(4))
class RunningCenter(Layer):
    """y = x - mean + shift; in prediction the mean is the running one."""

    def __init__(self, n):
        self.shift, self.mean = Parameter(start(23, n)), Parameter(np.zeros(n, np.float32))
        self.mean.decays = False

    def forward(self, x):
        self.of_batch = self.training
        if not self.training:
            return x - self.mean.value + self.shift.value
        mean = x.mean(axis=0)
        self.mean.value += 0.1 * (mean - self.mean.value)
        return x - mean + self.shift.value

    def backward(self, dy):
        self.shift.grad = dy.sum(axis=0)
        return dy - dy.mean(axis=0) if self.of_batch else dy


wrong(RunningCenter, "the batch's mean is taken for constant", "return dy - dy.mean(axis=0) if self.of_batch else dy",
      "return dy")  # fmt: skip
wrong(RunningCenter, "prediction's gradient has the batch's mean", " if self.of_batch else dy", "")
wrong(RunningCenter, "the running mean never runs", "        self.mean.value += 0.1 * (mean - self.mean.value)\n", "")
wrong(RunningCenter, "a running sum", "0.1 * (mean - self.mean.value)", "mean")
wrong(RunningCenter, "the wrong sign, away from the mean", "0.1 * (mean - self.mean.value)",
      "0.1 * (self.mean.value - mean)")  # fmt: skip
wrong(RunningCenter, "prediction subtracts the batch's mean", "return x - self.mean.value +",
      "return x - x.mean(axis=0) +")  # fmt: skip
wrong(RunningCenter, "prediction moves the running mean", "        if not self.training:\n",
      "        if not self.training:\n            self.mean.value += 0.1 * (x.mean(axis=0) - "
      "self.mean.value)\n")  # fmt: skip
wrong(RunningCenter, "training with the running mean", "return x - mean + self", "return x - self.mean.value + self")
wrong(RunningCenter, "the running mean has a gradient", "        self.shift.grad",
      "        self.mean.grad = -dy.sum(axis=0)\n" "        self.shift.grad")  # fmt: skip
wrong(RunningCenter, "the running mean decays", "        self.mean.decays = False\n", "")
wrong(RunningCenter, "training and prediction exchanged", "if not self.training:", "if self.training:",
      "self.of_batch = self", "self.of_batch = not self")  # fmt: skip
wrong(RunningCenter, "a single row takes the running mean, and backward does not know", "if not self.training:",
      "if not self.training or len(x) == 1:")  # fmt: skip
wrong(RunningCenter, "one mean for all columns", "mean = x.mean(axis=0)", "mean = x.mean()")


@right(lambda kind: kind(3), (4, 3, 2, 2))
class BatchNormImages(Layer):
    """Batch norm per channel, images (N, C, H, W)."""

    def __init__(self, n):
        self.gain, self.shift = Parameter(1 + start(24, n)), Parameter(start(25, n))
        self.mean, self.var = Parameter(np.zeros(n, np.float32)), Parameter(np.ones(n, np.float32))
        self.mean.decays = self.var.decays = False

    def forward(self, x):
        def wide(v):
            return v[None, :, None, None]

        self.batch = self.training
        mean, var = (
            (x.mean(axis=(0, 2, 3)), x.var(axis=(0, 2, 3))) if self.training else (self.mean.value, self.var.value)
        )
        if self.training:
            self.mean.value = 0.9 * self.mean.value + 0.1 * mean
            self.var.value = 0.9 * self.var.value + 0.1 * var
        self.std = wide(np.sqrt(var + 1e-5))
        self.xhat = (x - wide(mean)) / self.std
        return wide(self.gain.value) * self.xhat + wide(self.shift.value)

    def backward(self, dy):
        axes = (0, 2, 3)
        self.gain.grad, self.shift.grad = (dy * self.xhat).sum(axis=axes), dy.sum(axis=axes)
        d = dy * self.gain.value[None, :, None, None]
        if self.batch:
            d = d - d.mean(axis=axes, keepdims=True) - self.xhat * (d * self.xhat).mean(axis=axes, keepdims=True)
        return d / self.std


variant(BatchNormImages, "the unbiased variance is kept", "+ 0.1 * var",
      "+ 0.1 * var * x[:, 0].size / (x[:, 0].size - 1)")  # fmt: skip
wrong(BatchNormImages, "means over the rows alone", "d.mean(axis=axes,", "d.mean(axis=0,")
wrong(BatchNormImages, "divides by N for N H W", "(d * self.xhat).mean(axis=axes, keepdims=True)",
      "(d * self.xhat).sum(axis=axes, keepdims=True) / len(dy)")  # fmt: skip
wrong(BatchNormImages, "the deviation is kept for the variance", "0.1 * var\n", "0.1 * np.sqrt(var)\n")
wrong(BatchNormImages, "the second moment is kept for the variance", "0.1 * var\n",
      "0.1 * (x**2).mean(axis=(0, 2, 3))\n")  # fmt: skip
wrong(BatchNormImages, "the running mean goes to the variance", "self.var.value + 0.1 * var",
      "self.var.value + 0.1 * mean**2")  # fmt: skip
wrong(BatchNormImages, "momentum is added, not mixed", "0.9 * self.mean.value + 0.1 * mean",
      "self.mean.value + 0.1 * mean")  # fmt: skip
wrong(BatchNormImages, "prediction is not normalised", "else (self.mean.value, self.var.value)",
      "else (0 * self.mean.value, 0 * self.var.value + 1)")  # fmt: skip
wrong(BatchNormImages, "the running variance of other channels", "self.var.value + 0.1 * var",
      "self.var.value + 0.1 * var[::-1]")  # fmt: skip
wrong(BatchNormImages, "dx of prediction with the batch's terms", "if self.batch:", "if True:")
wrong(BatchNormImages, "no gain in dx", "d = dy * self.gain.value[None, :, None, None]", "d = dy")
wrong(BatchNormImages, "the batch's terms in prediction, not in training", "if self.batch:", "if not self.training:")


@right(mixes_rows=True)
class MinibatchDeviation(Layer):
    """x, and a column with the mean deviation of the batch."""

    def forward(self, x):
        self.away = x - x.mean(axis=0)
        self.std = np.sqrt((self.away**2).mean(axis=0) + 1e-6)
        return np.concatenate([x, np.full((len(x), 1), self.std.mean(), x.dtype)], axis=1)

    def backward(self, dy):
        return dy[:, :-1] + dy[:, -1].sum() * self.away / (self.std * self.away.size)


wrong(MinibatchDeviation, "each row its own dy", "dy[:, -1].sum()", "dy[:, -1:]")
wrong(MinibatchDeviation, "N is forgotten", "self.away.size", "self.away.shape[1]")
wrong(MinibatchDeviation, "the deviation is constant", "return dy[:, :-1] +", "return dy[:, :-1] + 0 *")


# Images


@right(lambda kind: kind(2), (3, 2, 5, 4))
class Depthwise(Layer):
    """A 3x3 filter for each channel; the border is zeros."""

    def __init__(self, n):
        self.K, self.b = Parameter(start(26, n, 3, 3)), Parameter(start(27, n))

    def forward(self, x):
        h, w = x.shape[2:]
        self.padded = np.pad(x, [(0, 0), (0, 0), (1, 1), (1, 1)])
        y = np.zeros_like(x) + self.b.value[:, None, None]
        for i in range(3):
            for j in range(3):
                y += self.K.value[:, i, j, None, None] * self.padded[:, :, i : i + h, j : j + w]
        return y

    def backward(self, dy):
        h, w = dy.shape[2:]
        dx = np.zeros_like(self.padded)
        for i in range(3):
            for j in range(3):
                self.K.grad[:, i, j] = (dy * self.padded[:, :, i : i + h, j : j + w]).sum(axis=(0, 2, 3))
                dx[:, :, i : i + h, j : j + w] += self.K.value[:, i, j, None, None] * dy
        self.b.grad = dy.sum(axis=(0, 2, 3))
        return dx[:, :, 1:-1, 1:-1]


variant(Depthwise, "a view of the border is cut off last", "return dx[:, :, 1:-1, 1:-1]",
      "return dx[..., 1 : 1 + h, 1 : 1 + w]")  # fmt: skip
wrong(Depthwise, "dK is added up", "self.K.grad[:, i, j] =", "self.K.grad[:, i, j] +=")
wrong(Depthwise, "the filter is turned round", "+= self.K.value[:, i, j, None, None] * dy",
      "+= self.K.value[:, 2 - i, 2 - j, None, None] * dy")  # fmt: skip
wrong(Depthwise, "i and j exchanged", "self.K.grad[:, i, j] =", "self.K.grad[:, j, i] =")
wrong(Depthwise, "= for +=", "dx[:, :, i : i + h, j : j + w] += self", "dx[:, :, i : i + h, j : j + w] = self")
wrong(Depthwise, "the wrong border is cut off", "dx[:, :, 1:-1, 1:-1]", "dx[:, :, 2:, 2:]")
wrong(Depthwise, "two rows of the filter", "        dx = np.zeros_like(self.padded)\n        for i in range(3)",
      "        dx = np.zeros_like(self.padded)\n        for i in range(2)")  # fmt: skip
wrong(Depthwise, "one channel's filter for all", "self.K.value[:, i, j, None, None] * dy", "self.K.value[0, i, j] * dy")
wrong(Depthwise, "the border is the edge, and backward does not know", "(1, 1)])", '(1, 1)], mode="edge")')


@right(inputs=(3, 2, 7))
class MaxOfThree(Layer):
    """Maxima of windows of 3 with stride 2: windows overlap. (N, C, L)"""

    def forward(self, x):
        self.shape, n = x.shape, (x.shape[2] - 3) // 2 + 1
        windows = np.stack([x[:, :, i : i + 2 * n - 1 : 2] for i in range(3)], axis=-1)  # (N, C, n, 3)
        self.best = windows.argmax(axis=-1) + 2 * np.arange(n)
        return windows.max(axis=-1)

    def backward(self, dy):
        dx = np.zeros(self.shape, dy.dtype)
        n, c, _ = np.indices(dy.shape)
        np.add.at(dx, (n, c, self.best), dy)
        return dx


wrong(MaxOfThree, "a number in two windows counts once", "np.add.at(dx, (n, c, self.best), dy)",
      "dx[n, c, self.best] = dy")  # fmt: skip
wrong(MaxOfThree, "+= does not add up", "np.add.at(dx, (n, c, self.best), dy)", "dx[n, c, self.best] += dy")
wrong(MaxOfThree, "the stride is forgotten on the way back", " + 2 * np.arange(n)", " + np.arange(n)")
wrong(MaxOfThree, "dx is float64", "np.zeros(self.shape, dy.dtype)", "np.zeros(self.shape)")
wrong(MaxOfThree, "dx as long as its windows: an even length loses the last", "np.zeros(self.shape, dy.dtype)",
      "np.zeros((*self.shape[:2], 2 * dy.shape[2] + 1), dy.dtype)")  # fmt: skip
wrong(MaxOfThree, "the last window", "np.add.at(dx, (n, c, self.best), dy)",
      "np.add.at(dx, (n[..., :-1], c[..., :-1], self.best[..., :-1]), dy[..., :-1])")  # fmt: skip
wrong(MaxOfThree, "the first row's maxima for all", "(n, c, self.best)", "(n, c, self.best[:1] + 0 * n)")


@right(inputs=(3, 2, 6))
class PaddedMean(Layer):
    """Means of 3 neighbours, those beyond the ends left out of the count."""

    def forward(self, x):
        self.count = np.convolve(np.ones(x.shape[-1]), np.ones(3), "same").astype(x.dtype)
        p = np.pad(x, [(0, 0), (0, 0), (1, 1)])
        return (p[..., :-2] + p[..., 1:-1] + p[..., 2:]) / self.count

    def backward(self, dy):
        p = np.pad(dy / self.count, [(0, 0), (0, 0), (1, 1)])
        return p[..., :-2] + p[..., 1:-1] + p[..., 2:]


wrong(PaddedMean, "the count comes last", "dy / self.count", "dy", "return p[..., :-2] + p[..., 1:-1] + p[..., 2:]",
      "return (p[..., :-2] + p[..., 1:-1] + p[..., 2:]) / self.count")  # fmt: skip
wrong(PaddedMean, "by 3 everywhere, on the way back", "dy / self.count", "dy / 3")
wrong(PaddedMean, "float64 by the count", ".astype(x.dtype)", "")


@right(inputs=(3, 2, 3, 4))
class GlobalMaxAndMean(Layer):
    """(N, C, H, W) to (N, 2C): the maximum and the mean of every channel."""

    def forward(self, x):
        self.shape, flat = x.shape, x.reshape(*x.shape[:2], -1)
        self.best = flat.argmax(axis=2)
        return np.concatenate([flat.max(axis=2), flat.mean(axis=2)], axis=1)

    def backward(self, dy):
        top, mean = np.split(dy, 2, axis=1)
        size = self.shape[2] * self.shape[3]
        dx = np.repeat(mean[:, :, None] / size, size, axis=2)
        np.put_along_axis(dx, self.best[:, :, None], top[:, :, None] + mean[:, :, None] / size, axis=2)
        return dx.reshape(self.shape)


wrong(GlobalMaxAndMean, "the maximum forgets the mean", "top[:, :, None] + mean[:, :, None] / size", "top[:, :, None]")
wrong(GlobalMaxAndMean, "the mean's size", "np.repeat(mean[:, :, None] / size", "np.repeat(mean[:, :, None]")
wrong(GlobalMaxAndMean, "size in whole numbers", "mean[:, :, None] / size", "mean[:, :, None] * (1 // size)")
wrong(GlobalMaxAndMean, "columns of the image are exchanged with rows", "dx.reshape(self.shape)",
      "dx.reshape(*self.shape[:2], *self.shape[:1:-1]).swapaxes(2, 3)")  # fmt: skip


@right(inputs=(2, 3, 2, 3))
class Nearest(Layer):
    """Images twice as large, each pixel four times."""

    def forward(self, x):
        return x.repeat(2, axis=2).repeat(2, axis=3)

    def backward(self, dy):
        n, c, h, w = dy.shape
        return dy.reshape(n, c, h // 2, 2, w // 2, 2).sum(axis=(3, 5))


wrong(Nearest, "the mean of four", ".sum(axis=(3, 5))", ".mean(axis=(3, 5))")
wrong(Nearest, "one of four", "return dy.reshape", "return dy[:, :, ::2, ::2]; dy.reshape")
wrong(Nearest, "tiled on the way back", "n, c, h // 2, 2, w // 2, 2).sum(axis=(3, 5))",
      "n, c, 2, h // 2, 2, w // 2).sum(axis=(2, 4))")  # fmt: skip
wrong(Nearest, "rows and columns", "x.repeat(2, axis=2).repeat(2, axis=3)", "np.tile(x, (1, 1, 2, 2))")


@right(inputs=(2, 8, 2, 3))
class SubPixels(Layer):
    """(N, 4C, H, W) to (N, C, 2H, 2W)."""

    def forward(self, x):
        n, c, h, w = x.shape
        return x.reshape(n, c // 4, 2, 2, h, w).transpose(0, 1, 4, 2, 5, 3).reshape(n, c // 4, 2 * h, 2 * w)

    def backward(self, dy):
        n, c, h, w = dy.shape
        return dy.reshape(n, c, h // 2, 2, w // 2, 2).transpose(0, 1, 3, 5, 2, 4).reshape(n, 4 * c, h // 2, w // 2)


wrong(SubPixels, "forward's order once more", "transpose(0, 1, 3, 5, 2, 4)", "transpose(0, 1, 4, 2, 5, 3)")
wrong(SubPixels, "the two offsets exchanged", "transpose(0, 1, 3, 5, 2, 4)", "transpose(0, 1, 5, 3, 2, 4)")
wrong(SubPixels, "a reshape and no transpose", ".transpose(0, 1, 3, 5, 2, 4)", "")
wrong(SubPixels, "the channels of a pixel outside", "n, c // 4, 2, 2, h, w).transpose(0, 1, 4, 2, 5, 3)",
      "n, 2, 2, c // 4, h, w).transpose(0, 3, 4, 1, 5, 2)")  # fmt: skip


@right(inputs=(3, 6))
class Mirror(Layer):
    """Reflects two numbers at each end: c b | a b c d."""

    def forward(self, x):
        return np.pad(x, [(0, 0), (2, 2)], mode="reflect")

    def backward(self, dy):
        dx = dy[:, 2:-2].copy()
        dx[:, 1:3] += dy[:, 1::-1]
        dx[:, -3:-1] += dy[:, :-3:-1]
        return dx


wrong(Mirror, "what was mirrored is cut off",
      "        dx[:, 1:3] += dy[:, 1::-1]\n        dx[:, -3:-1] += dy[:, :-3:-1]\n", "")  # fmt: skip
wrong(Mirror, "not turned round", "dy[:, 1::-1]", "dy[:, :2]")
wrong(Mirror, "the edge is mirrored, too", "dx[:, 1:3] +=", "dx[:, 0:2] +=")
wrong(Mirror, "into dy: no copy", "dy[:, 2:-2].copy()", "dy[:, 2:-2]")
wrong(Mirror, "the right end", "        dx[:, -3:-1] += dy[:, :-3:-1]\n", "")
wrong(Mirror, "symmetric, not reflect", '"reflect"', '"symmetric"')


@right(lambda kind: kind(4, 2), (3, 4, 2, 3))
class ChannelGate(Layer):
    """Channels weighed by what is in all of them: y = x sigmoid(B relu(A mean(x)))."""

    def __init__(self, n, n_small):
        self.down, self.up = Dense(n, n_small, rng=11), Dense(n_small, n, rng=12)
        self.down.b.value[:] = 0.5

    def forward(self, x):
        self.x = x
        self.h = np.maximum(self.down.forward(x.mean(axis=(2, 3))), 0)
        self.s = sigmoid(self.up.forward(self.h))[:, :, None, None]
        return x * self.s

    def backward(self, dy):
        ds = (dy * self.x).sum(axis=(2, 3))
        s = self.s[:, :, 0, 0]
        dh = self.up.backward(ds * s * (1 - s)) * (self.h > 0)
        squeezed = self.down.backward(dh) / (self.x.shape[2] * self.x.shape[3])
        return dy * self.s + squeezed[:, :, None, None]


wrong(ChannelGate, "the squeeze is detached", " + squeezed[:, :, None, None]", "")
wrong(ChannelGate, "the squeeze is a sum on the way back", " / (self.x.shape[2] * self.x.shape[3])", "")
wrong(ChannelGate, "the mean of ds", "(dy * self.x).sum(axis=(2, 3))", "(dy * self.x).mean(axis=(2, 3))")
wrong(ChannelGate, "ReLU is forgotten", " * (self.h > 0)", "")
wrong(ChannelGate, "N C for H W", "self.x.shape[2] * self.x.shape[3]", "self.x.shape[0] * self.x.shape[1]")


@right(lambda kind: kind(0.5), (3, 4, 2, 2))
class WholeChannels(Layer):
    """Dropout of whole channels (N, C, H, W)."""

    def __init__(self, rate):
        self.rate, self.rng = rate, np.random.default_rng(8)

    def forward(self, x):
        if not self.training:
            self.mask = None
            return x
        kept = self.rng.random((*x.shape[:2], 1, 1)) >= self.rate
        self.mask = kept / x.dtype.type(1 - self.rate)
        return x * self.mask

    def backward(self, dy):
        return dy if self.mask is None else dy * self.mask


wrong(WholeChannels, "the mask of the batch before", "        self.mask = kept /",
      "        self.old = vars(self).get('mask')\n" "        self.mask = kept /", "dy * self.mask",
      "dy * (self.mask if self.old is None or self.old.shape[0] != len(dy) " "else self.old)")  # fmt: skip
wrong(WholeChannels, "the mask is forgotten in prediction: the last one stays", "            self.mask = None\n",
      "            self.mask = vars(self).get('mask')\n")  # fmt: skip
wrong(WholeChannels, "scaled on the way there only", "dy * self.mask", "dy * (self.mask > 0)")
wrong(WholeChannels, "prediction is scaled, too", "            return x\n", "            return x * (1 - self.rate)\n",
      "return dy if", "return dy * (1 - self.rate) if")  # fmt: skip
wrong(WholeChannels, "a generator with the seed of the first call", "self.rng.random((",
      "np.random.default_rng(8).random((")  # fmt: skip


@right(lambda kind: kind(3), (4, 3, 2, 2))
class ChannelSlopes(Layer):
    """PReLU, a slope per channel."""

    def __init__(self, n):
        self.a = Parameter(np.linspace(0.1, 0.4, n, dtype=np.float32))

    def forward(self, x):
        self.x = x
        return np.where(x > 0, x, self.a.value[:, None, None] * x)

    def backward(self, dy):
        self.a.grad = (dy * np.minimum(self.x, 0)).sum(axis=(0, 2, 3))
        return dy * np.where(self.x > 0, 1, self.a.value[:, None, None])


wrong(ChannelSlopes, "da of positive x", "np.minimum(self.x, 0)", "np.maximum(self.x, 0)")
wrong(ChannelSlopes, "da of all x", "np.minimum(self.x, 0)", "self.x")
wrong(ChannelSlopes, "da is a mean over pixels", ".sum(axis=(0, 2, 3))", ".sum(axis=0).mean(axis=(1, 2))")
wrong(ChannelSlopes, "the first channel's slope", "self.x > 0, 1, self.a.value[:, None, None]",
      "self.x > 0, 1, self.a.value[0]")  # fmt: skip
wrong(ChannelSlopes, "0 below 0", "np.where(self.x > 0, 1, self.a.value[:, None, None])", "(self.x > 0)")


@right(lambda kind: kind(2, 3), (3, 2, 3, 4))
class WhereAmI(Layer):
    """Adds two channels with the place of each pixel, then mixes channels (a 1x1 convolution)."""

    def __init__(self, n_in, n_out):
        self.W = Parameter(start(28, n_in + 2, n_out))

    def forward(self, x):
        n, _, h, w = x.shape
        at = np.stack(np.meshgrid(np.linspace(-1, 1, h), np.linspace(-1, 1, w), indexing="ij"))
        self.x = np.concatenate([x, np.broadcast_to(at.astype(x.dtype), (n, 2, h, w))], axis=1)
        return np.einsum("nchw,co->nohw", self.x, self.W.value)

    def backward(self, dy):
        self.W.grad = np.einsum("nchw,nohw->co", self.x, dy)
        return np.einsum("nohw,co->nchw", dy, self.W.value)[:, :-2]


wrong(WhereAmI, "the place's channels are cut off in front", "[:, :-2]", "[:, 2:]")
wrong(WhereAmI, "dW of the first image", '"nchw,nohw->co", self.x, dy', '"nchw,nohw->co", self.x[:1], dy[:1]')
wrong(WhereAmI, "the places of the first batch, for as many rows", "np.broadcast_to(at.astype(x.dtype), (n, 2, h, w))",
      'vars(self).setdefault("at", np.broadcast_to(at.astype(x.dtype), (n, 2, h, w)))')  # fmt: skip
wrong(WhereAmI, "places in float64", "at.astype(x.dtype)", "at")


# Sequences


@right(lambda kind: kind(2, 3), (3, 7, 2))
class DilatedCausal(Layer):
    """A convolution over time (N, T, C): three taps, two steps apart, none in the future."""

    def __init__(self, n_in, n_out):
        self.W, self.b = Parameter(start(29, 3, n_in, n_out)), Parameter(start(30, n_out))

    def forward(self, x):
        self.padded = np.pad(x, [(0, 0), (4, 0), (0, 0)])
        return sum(self.padded[:, 2 * k : 2 * k + x.shape[1]] @ self.W.value[k] for k in range(3)) + self.b.value

    def backward(self, dy):
        T, dx = dy.shape[1], np.zeros_like(self.padded)
        for k in range(3):
            self.W.grad[k] = np.einsum("nti,nto->io", self.padded[:, 2 * k : 2 * k + T], dy)
            dx[:, 2 * k : 2 * k + T] += dy @ self.W.value[k].T
        self.b.grad = dy.sum(axis=(0, 1))
        return dx[:, 4:]


wrong(DilatedCausal, "no dilation in dx", "dx[:, 2 * k : 2 * k + T] +=", "dx[:, k : k + T] +=")
wrong(DilatedCausal, "the padding is cut off behind", "dx[:, 4:]", "dx[:, :-4]")
wrong(DilatedCausal, "taps in reverse on the way back", "self.W.value[k].T", "self.W.value[2 - k].T")
wrong(DilatedCausal, "db of the last step", "dy.sum(axis=(0, 1))", "dy[:, -1].sum(axis=0)")
wrong(DilatedCausal, "the last step of each tap", "self.padded[:, 2 * k : 2 * k + T], dy",
      "self.padded[:, 2 * k : 2 * k + T - 1], dy[:, :-1]")  # fmt: skip
wrong(DilatedCausal, "one tap too few", "        for k in range(3):\n", "        for k in range(2):\n")
wrong(DilatedCausal, "db is a mean over time", "dy.sum(axis=(0, 1))", "dy.mean(axis=1).sum(axis=0)")
wrong(DilatedCausal, "dx is written into the padded input", "T, dx = dy.shape[1], np.zeros_like(self.padded)",
      "T, dx = dy.shape[1], self.padded; dx[:] = 0")  # fmt: skip


@right(lambda kind: kind(3, 2), (4, 5))
class GRUStep(Layer):
    """One step of a GRU: a row is the input (3) and the old state (2), y the new state."""

    def __init__(self, n, m):
        self.n, self.m = n, m
        self.W, self.U, self.b = (
            Parameter(start(31, n, 3 * m)),
            Parameter(start(32, m, 3 * m)),
            Parameter(start(33, 3 * m)),
        )

    def forward(self, x):
        m = self.m
        self.i, self.h = x[:, : self.n], x[:, self.n :]
        a, u = self.i @ self.W.value + self.b.value, self.h @ self.U.value
        self.r, self.z = sigmoid(a[:, :m] + u[:, :m]), sigmoid(a[:, m : 2 * m] + u[:, m : 2 * m])
        self.u = u[:, 2 * m :]
        self.c = np.tanh(a[:, 2 * m :] + self.r * self.u)
        return self.z * self.h + (1 - self.z) * self.c

    def backward(self, dy):
        dc = dy * (1 - self.z) * (1 - self.c**2)
        dz = dy * (self.h - self.c) * self.z * (1 - self.z)
        dr = dc * self.u * self.r * (1 - self.r)
        da = np.concatenate([dr, dz, dc], axis=1)
        du = np.concatenate([dr, dz, dc * self.r], axis=1)
        self.W.grad, self.U.grad, self.b.grad = self.i.T @ da, self.h.T @ du, da.sum(axis=0)
        return np.concatenate([da @ self.W.value.T, du @ self.U.value.T + dy * self.z], axis=1)


wrong(GRUStep, "the old state's own path", " + dy * self.z]", "]")
wrong(GRUStep, "the state is detached", "du @ self.U.value.T + dy * self.z", "dy * self.z")
wrong(GRUStep, "the reset gate is left out of du", "[dr, dz, dc * self.r]", "[dr, dz, dc]")
wrong(GRUStep, "the reset gate in da, too", "[dr, dz, dc]", "[dr, dz, dc * self.r]")
wrong(GRUStep, "gates exchanged in da", "[dr, dz, dc]", "[dz, dr, dc]")
wrong(GRUStep, "the update gate's sign", "(self.h - self.c) * self.z", "(self.c - self.h) * self.z")
wrong(GRUStep, "dr with c", "dc * self.u * self.r", "dc * self.c * self.r")
wrong(GRUStep, "dU with da", "self.h.T @ du", "self.h.T @ da")
wrong(GRUStep, "dU of the new state", "self.h.T @ du", "(self.z * self.h + (1 - self.z) * self.c).T @ du")
wrong(GRUStep, "no slope for tanh", " * (1 - self.c**2)", "")
wrong(GRUStep, "the state is kept from the call before", "x[:, : self.n], x[:, self.n :]",
      "x[:, : self.n], vars(self).get('y', x[:, self.n :])[: len(x)]", "return self.z * self.h + (1 - self.z) * self.c",
      "self.y = self.z * self.h + (1 - self.z) * self.c; return self.y")  # fmt: skip


@right(lambda kind: kind(3), (2, 5, 3))
class AttentionPool(Layer):
    """A weighted mean over time; the weights are softmax(x·v)."""

    def __init__(self, n):
        self.v = Parameter(start(34, n))

    def forward(self, x):
        self.x, s = x, x @ self.v.value  # (N, T)
        e = np.exp(s - s.max(axis=1, keepdims=True))
        self.p = e / e.sum(axis=1, keepdims=True)
        return np.einsum("nt,ntc->nc", self.p, x)

    def backward(self, dy):
        dp = np.einsum("nc,ntc->nt", dy, self.x)
        ds = self.p * (dp - (dp * self.p).sum(axis=1, keepdims=True))
        self.v.grad = np.einsum("nt,ntc->c", ds, self.x)
        return self.p[..., None] * dy[:, None] + ds[..., None] * self.v.value


wrong(AttentionPool, "weights are detached", " + ds[..., None] * self.v.value", "")
wrong(AttentionPool, "the values are detached", "self.p[..., None] * dy[:, None] + ", "")
wrong(AttentionPool, "the softmax's sum", "dp - (dp * self.p).sum(axis=1, keepdims=True)", "dp")
wrong(AttentionPool, "a softmax over the batch on the way back", "(dp * self.p).sum(axis=1", "(dp * self.p).sum(axis=0")
wrong(AttentionPool, "a softmax over the batch both ways", "e.sum(axis=1", "e.sum(axis=0", "(dp * self.p).sum(axis=1",
      "(dp * self.p).sum(axis=0", "s.max(axis=1", "s.max(axis=0")  # fmt: skip
wrong(AttentionPool, "the maximum of the batch, not taken off the sum", "s - s.max(axis=1, keepdims=True)",
      "s - s.max()", "e / e.sum(axis=1, keepdims=True)", "e / (e.sum(axis=1, keepdims=True) + 1e-3)")  # fmt: skip


@right(lambda kind: kind(6, 4), (2, 5, 4))
class PositionsAdded(Layer):
    """x plus sines of the position, and a trained vector for each of the first positions."""

    def __init__(self, longest, n):
        t, f = np.arange(longest)[:, None], 10.0 ** -np.arange(0, 4, 8 / n)
        self.waves = np.concatenate([np.sin(t * f), np.cos(t * f)], axis=1).astype(np.float32)
        self.P = Parameter(start(35, longest, n))

    def forward(self, x):
        return x + self.waves[: x.shape[1]] + self.P.value[: x.shape[1]]

    def backward(self, dy):
        self.P.grad[: dy.shape[1]], self.P.grad[dy.shape[1] :] = dy.sum(axis=0), 0
        return dy


wrong(PositionsAdded, "positions further on keep their old gradient",
      ", self.P.grad[dy.shape[1] :] = dy.sum(axis=0), 0", " = dy.sum(axis=0)")  # fmt: skip
wrong(PositionsAdded, "x gets it in place", "return x + self.waves[: x.shape[1]]",
      "x += self.waves[: x.shape[1]]; return x")  # fmt: skip
wrong(PositionsAdded, "dP is a mean", "dy.sum(axis=0)", "dy.mean(axis=0)")
wrong(PositionsAdded, "waves in float64", ".astype(np.float32)", "")
wrong(PositionsAdded, "one position late", "self.P.grad[: dy.shape[1]], self.P.grad[dy.shape[1] :]",
      "self.P.grad[1 : dy.shape[1] + 1], self.P.grad[:1]")  # fmt: skip
wrong(PositionsAdded, "the waves grow", "return x + self.waves", "self.waves *= 1.5; return x + self.waves")
wrong(PositionsAdded, "the rows' positions, not the steps'", "self.P.value[: x.shape[1]]",
      "self.P.value[: len(x), None]", "= dy.sum(axis=0), 0",
      "= 0, 0; self.P.grad[: len(dy)] = dy.sum(axis=1)")  # fmt: skip


@right(lambda kind: kind(0.3), (5, 2, 3))
class Zoneout(Layer):
    """(old state, new state): while training some units keep the old one; the mean in prediction."""

    def __init__(self, rate):
        self.rate, self.rng = rate, np.random.default_rng(9)

    def forward(self, x):
        self.keep = self.rate
        if self.training:
            self.keep = (self.rng.random(x[:, 0].shape) < self.rate).astype(x.dtype)
        return self.keep * x[:, 0] + (1 - self.keep) * x[:, 1]

    def backward(self, dy):
        return np.stack([self.keep * dy, (1 - self.keep) * dy], axis=1)


wrong(Zoneout, "prediction takes the new state", "self.keep = self.rate\n", "self.keep = 0.0\n")
wrong(Zoneout, "prediction mixes the other way round", "self.keep = self.rate\n", "self.keep = 1 - self.rate\n")
wrong(Zoneout, "the new state always learns", "(1 - self.keep) * dy", "dy")
wrong(Zoneout, "prediction draws as well", "if self.training:", "if self.rng:")
wrong(Zoneout, "the mask of another draw on the way back", "        return np.stack",
      "        self.keep = self.rng.permutation(self.keep) if self.training else self.keep\n"
      "        return np.stack")  # fmt: skip


@right(lambda kind: kind(2), (4, 6))
class Largest(Layer):
    """The k largest of each row, largest first."""

    def __init__(self, k):
        self.k = k

    def forward(self, x):
        self.shape, self.best = x.shape, np.argsort(-x, axis=1)[:, : self.k]
        return np.take_along_axis(x, self.best, axis=1)

    def backward(self, dy):
        dx = np.zeros(self.shape, dy.dtype)
        np.put_along_axis(dx, self.best, dy, axis=1)
        return dx


variant(Largest, "all of them: sorting", "[:, : self.k]", "")
variant(Largest, "advanced indices", "np.put_along_axis(dx, self.best, dy, axis=1)",
      "dx[np.arange(len(dx))[:, None], self.best] = dy")  # fmt: skip
wrong(Largest, "sorted: dy is taken, not put", "[:, : self.k]", "", "np.put_along_axis(dx, self.best, dy, axis=1)",
      "dx[:] = np.take_along_axis(dy, self.best, axis=1)")  # fmt: skip
wrong(Largest, "smallest first on the way back", "self.best, dy, axis=1", "self.best[:, ::-1], dy, axis=1")
wrong(Largest, "the order of the first row", "self.best, dy, axis=1",
      "self.best[:1].repeat(len(dy), axis=0), dy, axis=1")  # fmt: skip
wrong(Largest, "into a dx that is never emptied", "dx = np.zeros(self.shape, dy.dtype)",
      "dx = vars(self).setdefault(str(self.shape), np.zeros(self.shape, dy.dtype)).astype(dy.dtype, "
      "copy=False)")  # fmt: skip


@right(inputs=(3, 5, 2))
class RunningTotal(Layer):
    """The sum up to each step."""

    def forward(self, x):
        return x.cumsum(axis=1)

    def backward(self, dy):
        return dy[:, ::-1].cumsum(axis=1)[:, ::-1]


variant(RunningTotal, "all less what came before", "dy[:, ::-1].cumsum(axis=1)[:, ::-1]",
      "dy.sum(axis=1, keepdims=True) - dy.cumsum(axis=1) + dy")  # fmt: skip
wrong(RunningTotal, "forward's sum once more", "dy[:, ::-1].cumsum(axis=1)[:, ::-1]", "dy.cumsum(axis=1)")
wrong(RunningTotal, "not turned back", "cumsum(axis=1)[:, ::-1]", "cumsum(axis=1)")
wrong(RunningTotal, "over features", "dy[:, ::-1].cumsum(axis=1)[:, ::-1]", "dy[..., ::-1].cumsum(axis=2)[..., ::-1]")
wrong(RunningTotal, "without the step itself", "cumsum(axis=1)[:, ::-1]", "cumsum(axis=1)[:, ::-1] - dy")
wrong(RunningTotal, "over the batch, both ways", "x.cumsum(axis=1)", "x.cumsum(axis=0)",
      "dy[:, ::-1].cumsum(axis=1)[:, ::-1]", "dy[::-1].cumsum(axis=0)[::-1]")  # fmt: skip


@right(lambda kind: kind(2), (3, 5, 2))
class Smoothing(Layer):
    """h_t = a h_(t-1) + (1 - a) x_t, a = sigmoid(w) trained for each feature; y all h."""

    def __init__(self, n):
        self.w = Parameter(start(36, n))

    def forward(self, x):
        self.x, self.a = x, sigmoid(self.w.value)
        h, self.h = np.zeros_like(x[:, 0]), [np.zeros_like(x[:, 0])]
        for t in range(x.shape[1]):
            h = self.a * h + (1 - self.a) * x[:, t]
            self.h.append(h)
        return np.stack(self.h[1:], axis=1)

    def backward(self, dy):
        dx, da, dh = np.zeros_like(dy), np.zeros_like(self.a), np.zeros_like(dy[:, 0])
        for t in reversed(range(dy.shape[1])):
            dh = dh + dy[:, t]
            dx[:, t] = (1 - self.a) * dh
            da += (dh * (self.h[t] - self.x[:, t])).sum(axis=0)
            dh = self.a * dh
        self.w.grad = da * self.a * (1 - self.a)
        return dx


wrong(Smoothing, "one step back and no further", "dh = self.a * dh\n", "dh = 0 * dh\n")
wrong(Smoothing, "the last step's dy", "dh = dh + dy[:, t]", "dh = dh + dy[:, t] * (t == dy.shape[1] - 1)")
wrong(Smoothing, "da of the last step in the loop", "da += (dh", "da = (dh")
wrong(Smoothing, "h one step late", "self.h[t] -", "self.h[t + 1] -")
wrong(Smoothing, "the loop stops before step 0", "reversed(range(dy.shape[1]))", "range(dy.shape[1] - 1, 0, -1)")
wrong(Smoothing, "forwards in time", "reversed(range(dy.shape[1]))", "range(dy.shape[1])")
wrong(Smoothing, "all h are the same array",
      "            h = self.a * h + (1 - self.a) * x[:, t]\n            self.h.append(h)",
      "            h *= self.a\n            h += (1 - self.a) * x[:, t]\n            self.h.append(h)")  # fmt: skip
wrong(Smoothing, "a's slope", "da * self.a * (1 - self.a)", "da")
wrong(Smoothing, "starts where the last batch ended", "h, self.h = np.zeros_like(x[:, 0]), [np.zeros_like(x[:, 0])]",
      "h = vars(self).get('h', [np.zeros_like(x[:, 0])])[-1]\n"
      "        h = h[:1] + 0 * x[:, 0]; self.h = [h]")  # fmt: skip
wrong(Smoothing, "h_0 is x_0", "h, self.h = np.zeros_like(x[:, 0]), [np.zeros_like(x[:, 0])]",
      "h = x[:, 0]; self.h = [h]")  # fmt: skip


@right(lambda kind: kind(6, 3), lambda rng: rng.integers(0, 6, (5, 4)).astype(float))
class BagOfWords(Layer):
    """The mean of the vectors of four words."""

    def __init__(self, n_words, size):
        self.E = Parameter(start(37, n_words, size))

    def forward(self, x):
        self.words = np.rint(x).astype(int)
        return self.E.value[self.words].mean(axis=1)

    def backward(self, dy):
        self.E.grad[:] = 0
        np.add.at(self.E.grad, self.words, dy[:, None] / self.words.shape[1])
        return np.zeros(self.words.shape, dy.dtype)


variant(BagOfWords, "bincount of the words, times dy", "        self.E.grad[:] = 0\n"
      "        np.add.at(self.E.grad, self.words, dy[:, None] / self.words.shape[1])\n",
      "        counts = (self.words[:, :, None] == np.arange(len(self.E.value))).mean(axis=1, " "dtype=dy.dtype)\n"
      "        self.E.grad = counts.T @ dy\n")  # fmt: skip
wrong(BagOfWords, "a word that stands twice counts once",
      "np.add.at(self.E.grad, self.words, dy[:, None] / self.words.shape[1])",
      "self.E.grad[self.words] += dy[:, None] / self.words.shape[1]")  # fmt: skip
wrong(BagOfWords, "the gradient is never emptied", "        self.E.grad[:] = 0\n", "")
wrong(BagOfWords, "the sum for the mean", "dy[:, None] / self.words.shape[1]", "dy[:, None]")
wrong(BagOfWords, "only the words of the batch are emptied", "self.E.grad[:] = 0", "self.E.grad[self.words] = 0")
wrong(BagOfWords, "zeros in float64", "np.zeros(self.words.shape, dy.dtype)", "np.zeros(self.words.shape)")
wrong(BagOfWords, "word 0 is padding for backward alone", "        return np.zeros",
      "        self.E.grad[0] = 0\n        return np.zeros")  # fmt: skip


@right(inputs=(3, 6))
class Differences(Layer):
    """x_t - x_(t-1), and x_0 first."""

    def forward(self, x):
        return np.diff(x, axis=1, prepend=x.dtype.type(0))

    def backward(self, dy):
        dx = dy.copy()
        dx[:, :-1] -= dy[:, 1:]
        return dx


wrong(Differences, "the way back is a difference, too", "dx[:, :-1] -= dy[:, 1:]", "dx[:, 1:] -= dy[:, :-1]")
wrong(Differences, "one column", "dx[:, :-1] -= dy[:, 1:]", "dx[:, 0] -= dy[:, 1]")
wrong(Differences, "no copy", "dx = dy.copy()", "dx = dy")
wrong(Differences, "while it is being changed", "dx[:, :-1] -= dy[:, 1:]",
      "for t in range(1, dx.shape[1]): dx[:, -t - 1] -= dx[:, -t]")  # fmt: skip


@right(lambda kind: kind(4), (3, 6))
class FourierFilter(Layer):
    """Each frequency gets a gain: irfft(gain * rfft(x))."""

    def __init__(self, n):
        self.gain = Parameter(start(38, n))

    def forward(self, x):
        self.n, self.X = x.shape[1], np.fft.rfft(x)
        return np.fft.irfft(self.gain.value * self.X, self.n)

    def backward(self, dy):
        D = np.fft.rfft(dy)
        weight = np.full(len(self.gain.value), 2 / self.n, dy.dtype)
        weight[0] = 1 / self.n
        if self.n % 2 == 0:
            weight[-1] = 1 / self.n
        self.gain.grad = (D * self.X.conj()).real.sum(axis=0) * weight
        return np.fft.irfft(self.gain.value * D, self.n)


wrong(FourierFilter, "both halves of the spectrum count once", "2 / self.n, dy", "1 / self.n, dy")
wrong(FourierFilter, "no conjugate", "self.X.conj()", "self.X")
wrong(FourierFilter, "1/n is forgotten", "(D * self.X.conj()).real.sum(axis=0) * weight",
      "(D * self.X.conj()).real.sum(axis=0) * weight * self.n")  # fmt: skip
wrong(FourierFilter, "the last frequency twice: right for odd lengths", "self.n % 2 == 0", "self.n < 0")
wrong(FourierFilter, "the last frequency once: right for even lengths", "self.n % 2 == 0", "self.n > 0")
wrong(FourierFilter, "dx is divided by the gain", "np.fft.irfft(self.gain.value * D, self.n)",
      "np.fft.irfft(D / self.gain.value, self.n)")  # fmt: skip
wrong(FourierFilter, "an even length is assumed", "np.fft.irfft(self.gain.value * D, self.n)",
      "np.fft.irfft(self.gain.value * D)")  # fmt: skip


@right(inputs=(3, 6))
class Spectrum(Layer):
    """The power |X_k|² of each frequency, by a matrix of sines and cosines."""

    def forward(self, x):
        n = x.shape[1]
        self.F = np.exp(-2j * np.pi * np.outer(np.arange(n), np.arange(n // 2 + 1)) / n)
        self.F = self.F.astype(np.result_type(x, np.complex64))
        self.X = x @ self.F
        return self.X.real**2 + self.X.imag**2

    def backward(self, dy):
        return 2 * ((dy * self.X) @ self.F.conj().T).real


wrong(Spectrum, "the 2", "2 * ((dy", "((dy")
wrong(Spectrum, "F is not conjugated", "self.F.conj().T", "self.F.T")
wrong(Spectrum, "real parts too early", "((dy * self.X) @ self.F.conj().T).real", "(dy * self.X.real) @ self.F.real.T")
wrong(Spectrum, "complex128 always", "        self.F = self.F.astype(np.result_type(x, np.complex64))\n", "")
wrong(Spectrum, "|X|, not squared, on the way back", "dy * self.X)", "dy * self.X / np.abs(self.X))")


def flagged(rng):
    return np.concatenate([rng.standard_normal((4, 5, 2)), rng.integers(0, 2, (4, 5, 1))], axis=2)


@right(inputs=flagged)
class MaskedMean(Layer):
    """The mean over the steps whose last feature is 1, not 0; that one is left out."""

    def forward(self, x):
        self.mask = (x[..., -1:] > 0.5).astype(x.dtype)  # (N, T, 1)
        self.count = np.maximum(self.mask.sum(axis=1), 1)  # (N, 1)
        return (x[..., :-1] * self.mask).sum(axis=1) / self.count

    def backward(self, dy):
        dx = self.mask * (dy / self.count)[:, None]
        return np.pad(dx, [(0, 0), (0, 0), (0, 1)])


wrong(MaskedMean, "divided by all steps", "dy / self.count", "dy / self.mask.shape[1]")
wrong(MaskedMean, "all steps get it", "dx = self.mask *", "dx = np.ones_like(self.mask) *")
wrong(MaskedMean, "steps seen in the whole batch", "np.maximum(self.mask.sum(axis=1), 1)",
      "np.maximum(self.mask.sum(axis=(0, 1)), 1)")  # fmt: skip
wrong(MaskedMean, "the first row's mask", "dx = self.mask *", "dx = self.mask[:1] *")
wrong(MaskedMean, "a step that any row has", "(x[..., -1:] > 0.5)", "(x[..., -1:] > 0.5).any(axis=0, keepdims=True)")


@right(lambda kind: kind(2, 3), (3, 4, 2))
class BothWays(Layer):
    """Two small recurrent passes, one from the left and one from the right, side by side."""

    def __init__(self, n, m):
        self.passes = [(Parameter(start(40 + i, n, m)), Parameter(start(50 + i, m, m))) for i in range(2)]

    def forward(self, x):
        self.x, self.h = x, []
        for (W, U), xs in zip(self.passes, (x, x[:, ::-1]), strict=True):
            h = [np.zeros((len(x), len(U.value)), x.dtype)]
            for t in range(x.shape[1]):
                h.append(np.tanh(xs[:, t] @ W.value + h[-1] @ U.value))
            self.h.append(h)
        left, right = (np.stack(h[1:], axis=1) for h in self.h)
        return np.concatenate([left, right[:, ::-1]], axis=2)

    def backward(self, dy):
        left, right = np.split(dy, 2, axis=2)
        dx = np.zeros_like(self.x)
        for (W, U), h, xs, dh_out, into in zip(
            self.passes, self.h, (self.x, self.x[:, ::-1]), (left, right[:, ::-1]), (dx, dx[:, ::-1]), strict=True
        ):
            W.grad[:], U.grad[:], dh = 0, 0, 0
            for t in reversed(range(dy.shape[1])):
                dz = (dh_out[:, t] + dh) * (1 - h[t + 1] ** 2)
                W.grad += xs[:, t].T @ dz
                U.grad += h[t].T @ dz
                into[:, t] += dz @ W.value.T
                dh = dz @ U.value.T
        return dx


wrong(BothWays, "dx of the right pass is not turned back", "(dx, dx[:, ::-1])", "(dx, dx)")
wrong(BothWays, "dy of the right pass is not turned", "(left, right[:, ::-1]), (dx", "(left, right), (dx")
wrong(BothWays, "the second pass overwrites dx", "into[:, t] += dz", "into[:, t] = dz")
wrong(BothWays, "gradients are not emptied", "W.grad[:], U.grad[:], dh = 0, 0, 0", "dh = 0")
wrong(BothWays, "gradients are emptied at every step", "                dz = (dh_out",
      "                W.grad[:], U.grad[:] = 0, 0\n" "                dz = (dh_out")  # fmt: skip
wrong(BothWays, "truncated to one step", "dh = dz @ U.value.T", "dh = 0 * dz")
wrong(BothWays, "dU with the new state", "h[t].T @ dz", "h[t + 1].T @ dz")
wrong(BothWays, "the two halves of dy exchanged", "left, right = np.split(dy", "right, left = np.split(dy")
wrong(BothWays, "dh goes over into the other pass", "            W.grad[:], U.grad[:], dh = 0, 0, 0\n",
      "            W.grad[:], U.grad[:] = 0, 0\n", "        dx = np.zeros_like(self.x)\n",
      "        dx, dh = np.zeros_like(self.x), 0\n")  # fmt: skip
