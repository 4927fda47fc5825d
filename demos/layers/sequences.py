"""Sequences: x (N, T, n), N sequences of T tokens, each of which is a row of n numbers."""

import math

import numpy as np

from demos.layers.activations import GELU
from demos.layers.blocks import PerToken, Residual
from demos.layers.normalisation import LayerNorm
from nnscratch import Chain, Dense, Layer, Parameter, Softmax, check_layer
from nnscratch.initializers import glorot_uniform


class Embedding(Layer):
    """A learned row of numbers for each word: x (N, T), whole numbers from 0 to n_words - 1 as floats; y (N, T, n).

    y_nt = E_x, E (n_words, n). A word that stands at several places collects the dy of all of them: dE_k = sum of dy
    where x = k. The numbers of words are no quantities: dx = 0. Bengio et al. 2003, section 2.
    """

    def __init__(self, n_words, n, *, rng=None):
        self.E = Parameter(glorot_uniform(n_words, n, rng=rng))

    def forward(self, x):
        self.words = x.astype(int)  # (N, T)
        return self.E.value[self.words]

    def backward(self, dy):
        self.E.grad = np.zeros_like(self.E.value)
        np.add.at(self.E.grad, self.words, dy)  # E.grad[words] += dy would count each word once
        return np.zeros(self.words.shape, dy.dtype)


class Positions(Layer):
    """y_nt = x_nt + P_t: attention alone does not know where a token stands. x (N, T, n), P (T, n); dP = sum over n of
    dy. Gehring et al. 2017, section 3.1."""

    def __init__(self, length, n, *, rng=None):
        self.P = Parameter(glorot_uniform(length, n, rng=rng))

    def forward(self, x):
        return x + self.P.value

    def backward(self, dy):
        self.P.grad = dy.sum(axis=0)  # (N, T, n) to (T, n)
        return dy


class Last(Layer):
    """The last token of each sequence: (N, T, n) to (N, n). dx is dy there and 0 before."""

    def forward(self, x):
        self.shape = x.shape
        return x[:, -1]

    def backward(self, dy):
        dx = np.zeros(self.shape, dy.dtype)
        dx[:, -1] = dy
        return dx


class Recurrent(Layer):
    """h_t = tanh(x_t W + h_{t-1} U + b), h_0 = 0: a cell that reads one token after the other and keeps a state.

    x (N, T, n_in), W (n_in, n), U (n, n), b (n,), y (N, T, n), all states. A state reaches the loss as an output, dy_t,
    and through the next state. Backpropagation through time collects both, from the last step to the first: with z_t
    what tanh is taken of,

        dz_t = (dy_t + dz_{t+1} Uᵀ) (1 - h_t²)        dx_t = dz_t Wᵀ

    The weights are the same at each step, so their gradients are sums over all steps: dW = sum of x_tᵀ dz_t,
    dU = sum of h_{t-1}ᵀ dz_t, db = sum of dz_t. Elman 1990; Werbos 1990.
    """

    def __init__(self, n_in, n, *, rng=None):
        rng = np.random.default_rng(rng)
        self.W, self.U = Parameter(glorot_uniform(n_in, n, rng=rng)), Parameter(orthogonal(n, rng))
        self.b = Parameter(np.zeros(n, np.float32))

    def forward(self, x):
        n, steps, _ = x.shape
        self.x, inputs = x, x @ self.W.value + self.b.value  # (N, T, n), of all steps at once
        self.h = np.zeros((n, steps + 1, inputs.shape[2]), x.dtype)  # from h_0 to h_T
        for t in range(steps):
            self.h[:, t + 1] = np.tanh(inputs[:, t] + self.h[:, t] @ self.U.value)
        return self.h[:, 1:]

    def backward(self, dy):
        dz, dh = np.zeros_like(dy), 0
        for t in reversed(range(dy.shape[1])):
            dz[:, t] = (dy[:, t] + dh) * (1 - self.h[:, t + 1] ** 2)
            dh = dz[:, t] @ self.U.value.T
        self.W.grad = rows(self.x).T @ rows(dz)  # (n_in, N T) @ (N T, n)
        self.U.grad = rows(self.h[:, :-1]).T @ rows(dz)
        self.b.grad = rows(dz).sum(axis=0)
        return dz @ self.W.value.T  # (N, T, n_in)


def rows(x):
    """The tokens of all sequences as rows: (N, T, n) to (N T, n)."""
    return x.reshape(-1, x.shape[2])


def orthogonal(n, rng):
    """A random rotation (n, n): a state multiplied by it again and again neither grows nor dies. Saxe et al. 2014."""
    q, r = np.linalg.qr(rng.standard_normal((n, n)))
    return (q * np.sign(np.diag(r))).astype(np.float32)


class LSTM(Layer):
    """A recurrent cell with a memory c that gates decide about: what to let in (i), to keep (f), to show (o).

        i, f, o = sigmoid(z), g = tanh(z)        of four parts of z_t = x_t W + h_{t-1} U + b
        c_t = f c_{t-1} + i g                    h_t = o tanh(c_t)

    x (N, T, n_in), W (n_in, 4 n), U (n, 4 n), b (4 n,), y (N, T, n), all h. Where f is 1, dc passes unchanged: that is
    what makes long memories learnable, and why f's bias starts at 1. With dh = dy_t + dz_{t+1} Uᵀ:

        dc_t = dh o (1 - tanh²(c_t)) + dc_{t+1} f_{t+1}
        di = dc g    df = dc c_{t-1}    do = dh tanh(c_t)    dg = dc i        each times the slope of its own gate

    Hochreiter & Schmidhuber 1997; the forget gate: Gers, Schmidhuber & Cummins 2000.
    """

    def __init__(self, n_in, n, *, rng=None):
        rng = np.random.default_rng(rng)
        self.n, self.W = n, Parameter(glorot_uniform(n_in, 4 * n, rng=rng))
        self.U = Parameter(np.concatenate([orthogonal(n, rng) for _ in range(4)], axis=1))
        self.b = Parameter(np.repeat(np.array([0, 1, 0, 0], np.float32), n))

    def forward(self, x):
        steps, (ifo, g) = x.shape[1], (slice(0, 3 * self.n), slice(3 * self.n, None))
        self.x, gates = x, x @ self.W.value + self.b.value  # (N, T, 4 n): z first, then its gates
        self.h, self.c = np.zeros((2, len(x), steps + 1, self.n), x.dtype)  # from step 0 to step T
        for t in range(steps):
            z = gates[:, t]  # a view
            z += self.h[:, t] @ self.U.value
            z[:, ifo] = (1 + np.tanh(z[:, ifo] / 2)) / 2  # the sigmoid, without overflow
            z[:, g] = np.tanh(z[:, g])
            i, f, o, new = np.split(z, 4, axis=1)  # (N, n) each
            self.c[:, t + 1] = f * self.c[:, t] + i * new
            self.h[:, t + 1] = o * np.tanh(self.c[:, t + 1])
        self.gates = gates
        return self.h[:, 1:]

    def backward(self, dy):
        dz, dh, dc = np.zeros_like(self.gates), 0, 0
        for t in reversed(range(dy.shape[1])):
            (i, f, o, g), tanh_c = np.split(self.gates[:, t], 4, axis=1), np.tanh(self.c[:, t + 1])
            dh = dy[:, t] + dh
            dc = dh * o * (1 - tanh_c**2) + dc
            slopes = [i * (1 - i), f * (1 - f), o * (1 - o), 1 - g**2]
            parts = [dc * g, dc * self.c[:, t], dh * tanh_c, dc * i]
            dz[:, t] = np.concatenate([d * slope for d, slope in zip(parts, slopes, strict=True)], axis=1)
            dh, dc = dz[:, t] @ self.U.value.T, dc * f
        self.W.grad = rows(self.x).T @ rows(dz)
        self.U.grad = rows(self.h[:, :-1]).T @ rows(dz)
        self.b.grad = rows(dz).sum(axis=0)
        return dz @ self.W.value.T


class SelfAttention(Layer):
    """Each token asks all tokens of its sequence, and gets a mean of their answers, in several heads at once.

    Each token makes a query, a key and a value, x W_qkv, each split into ``heads`` parts of n / heads numbers. In
    each head, for its queries q, keys k and values v, (T, n / heads) each,

        a = softmax(q kᵀ / sqrt(n / heads)), over the keys        out = a v        y = out W_o

    ``causal``: no token sees a later one, whose score is -infinity. x, y (N, T, n), W_qkv (n, 3 n), W_o (n, n). Back:

        dv = aᵀ dout    da = dout vᵀ    ds = softmax's dx / sqrt(n / heads)    dq = ds k    dk = dsᵀ q

    Vaswani et al. 2017, section 3.2.
    """

    def __init__(self, n, heads, causal=False, *, rng=None):
        rng = np.random.default_rng(rng)
        self.heads, self.causal, self.scale = heads, causal, 1 / math.sqrt(n / heads)
        self.qkv, self.out = PerToken([Dense(n, 3 * n, rng=rng)]), PerToken([Dense(n, n, rng=rng)])
        self.softmax = Softmax()

    def split(self, x):
        """(N, T, n) to (N, heads, T, n / heads)."""
        return x.reshape(*x.shape[:2], self.heads, -1).swapaxes(1, 2)

    def join(self, x):
        """(N, heads, T, n / heads) to (N, T, n)."""
        return x.swapaxes(1, 2).reshape(len(x), x.shape[2], -1)

    def forward(self, x):
        self.q, self.k, self.v = (self.split(part) for part in np.split(self.qkv.forward(x), 3, axis=2))
        scores = self.q @ self.k.swapaxes(2, 3) * self.scale  # (N, heads, T, T): a row for each query
        if self.causal:
            later = np.triu(np.ones(scores.shape[2:], bool), k=1)
            scores[..., later] = -np.inf
        self.a = self.softmax.forward(scores)
        return self.out.forward(self.join(self.a @ self.v))

    def backward(self, dy):
        d = self.split(self.out.backward(dy))
        dv, da = self.a.swapaxes(2, 3) @ d, d @ self.v.swapaxes(2, 3)
        ds = self.softmax.backward(da) * self.scale  # 0 where a is 0: nothing flows back from later tokens
        dq, dk = ds @ self.k, ds.swapaxes(2, 3) @ self.q
        return self.qkv.backward(np.concatenate([self.join(each) for each in (dq, dk, dv)], axis=2))


class TransformerBlock(Chain):
    """Tokens look at each other, then each one thinks by itself: x + attention(norm(x)), then x + dense(norm(x)).

    x, y (N, T, n). Vaswani et al. 2017, with the norms before the layers: Xiong et al. 2020, section 3.
    """

    def __init__(self, n, heads, causal=False, *, rng=None):
        rng = np.random.default_rng(rng)
        attend = [LayerNorm(n), SelfAttention(n, heads, causal, rng=rng)]
        think = [LayerNorm(n), PerToken([Dense(n, 4 * n, rng=rng), GELU(), Dense(4 * n, n, rng=rng)])]
        super().__init__([Residual(attend), Residual(think)])
        self.n, self.heads = n, heads

    def __repr__(self):
        return f"TransformerBlock({self.n}, {self.heads})"


def prove():
    x = np.random.default_rng(0).standard_normal((2, 5, 4))
    yield check_layer(Embedding(6, 4, rng=0), [[2, 0, 5, 2], [3, 2, 1, 1]])
    yield check_layer(Positions(5, 4, rng=0), x)
    yield check_layer(Last(), x)
    yield check_layer(Recurrent(4, 3, rng=0), x)
    yield check_layer(LSTM(4, 3, rng=0), x)
    yield check_layer(SelfAttention(4, 2, causal=True, rng=0), x)
    yield check_layer(TransformerBlock(4, 2, rng=0), x)


if __name__ == "__main__":
    print(*prove(), sep="\n\n")
