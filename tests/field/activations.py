"""Activations: most are two lines, and most mistakes are in the second one."""

import numpy as np

from nnscratch import Layer, Parameter
from tests.field import right, variant, wrong


@right()
class Tanh(Layer):
    def __init__(self):
        self.name = "tanh"

    def forward(self, x):
        self.y = np.tanh(x)
        return self.y

    def backward(self, dy):
        return dy * (1 - self.y**2)


variant(Tanh, "memory is None at first", 'self.name = "tanh"', "self.y = None")
variant(Tanh, "memory in a dict", 'self.name = "tanh"', "self.memory = {}", "self.y = np.tanh(x)",
      'self.y = self.memory["y"] = np.tanh(x)', "self.y**2", 'self.memory["y"] ** 2')  # fmt: skip
variant(Tanh, "memory in a list", 'self.name = "tanh"', "self.memory = []", "self.y = np.tanh(x)",
      "self.y = np.tanh(x); self.memory[:] = [self.y]", "self.y**2", "self.memory[0] ** 2")  # fmt: skip
variant(Tanh, "memory is an empty array at first", 'self.name = "tanh"', "self.y = np.empty(0)",
      "return dy", "assert self.y.shape == dy.shape; return dy")  # fmt: skip
variant(Tanh, "a stale backward gives None", 'self.name = "tanh"', "self.y = None",
      "return dy * (1 - self.y**2)", "return None if self.y is None else dy * (1 - self.y**2)")  # fmt: skip
variant(Tanh, "a stale backward gives zeros of no size", 'self.name = "tanh"', "self.y = np.zeros((0, 4))",
      "return dy * (1 - self.y**2)", "return dy[: len(self.y)] * (1 - self.y**2)")  # fmt: skip
variant(Tanh, "memory is used up", "return dy * (1 - self.y**2)",
      "y, self.y = self.y, None; return dy * (1 - y**2)")  # fmt: skip
variant(Tanh, "a stack of memories", 'self.name = "tanh"', "self.stack = []", "return self.y",
      "self.stack.append(self.y); return self.y", "return dy", "self.y = self.stack.pop(); return dy")  # fmt: skip
variant(Tanh, "a module in self", 'self.name = "tanh"', "self.np = np", "self.y = np", "self.y = self.np")
variant(Tanh, "a lock in self", 'self.name = "tanh"', "self.lock = threading.Lock()", "self.y = np.tanh(x)",
      "\n        with self.lock: self.y = np.tanh(x)")  # fmt: skip
variant(Tanh, "an open generator in self", 'self.name = "tanh"', "self.log = (i for i in range(10**9))",
      "self.y = np.tanh(x)", "next(self.log); self.y = np.tanh(x)")  # fmt: skip
variant(Tanh, "the transposed memory", "self.y = np.tanh(x)", "self.y = np.tanh(x.T).T")
wrong(Tanh, "at y twice", "self.y**2", "np.tanh(self.y) ** 2")
wrong(Tanh, "y instead of y squared", "self.y**2", "self.y")
wrong(Tanh, "x is kept, y is meant", "self.y = np.tanh(x)\n        return self.y",
      "self.y = x\n        return np.tanh(x)")  # fmt: skip
wrong(Tanh, "the average over the batch", "return dy *", "return dy / len(dy) *")
wrong(Tanh, "clipped gradients", "return dy * (1 - self.y**2)",
      "return np.clip(dy * (1 - self.y**2), -5, 5)")  # fmt: skip
wrong(Tanh, "normed gradients where they are large", "return dy",
      "dy = dy if abs(dy).max() < 10 else dy / abs(dy).max(); return dy")  # fmt: skip
wrong(Tanh, "only upward gradients are damped", "return dy * ",
      "dy = np.minimum(dy, 4.0).astype(dy.dtype); return dy * ")  # fmt: skip
wrong(Tanh, "backward wipes what forward kept of x", "self.y = np.tanh(x)",
      "self.x = x; self.y = np.tanh(x)", "return dy * (1 - self.y**2)",
      "dx = dy * (1 - self.y**2); self.x *= 0; return dx")  # fmt: skip
wrong(Tanh, "backward writes into y, which the next layer keeps", "return dy * (1 - self.y**2)",
      "self.y **= 2; self.y *= -1; self.y += 1; return dy * self.y")  # fmt: skip
wrong(Tanh, "another formula in float32", "self.y = np.tanh(x)",
      "self.y = np.tanh(x) if x.dtype == np.float64 else x / (1 + abs(x))")  # fmt: skip
wrong(Tanh, "another slope in float32", "return dy * (1 - self.y**2)",
      "return dy * (1 - self.y**2) if dy.dtype == np.float64 else dy * (1 - self.y)")  # fmt: skip
wrong(Tanh, "half precision within", "self.y = np.tanh(x)",
      "self.y = np.tanh(x.astype(np.float16)).astype(x.dtype)")  # fmt: skip
wrong(Tanh, "squeezed", "self.y = np.tanh(x)", "self.y = np.tanh(x).squeeze()")
wrong(Tanh, "a single row is returned as a vector", "return self.y\n",
      "return self.y if len(x) > 1 else self.y[0]\n")  # fmt: skip
wrong(Tanh, "a buffer of 32 rows", 'self.name = "tanh"', "self.buffer = np.zeros((32, 4))",
      "self.y = np.tanh(x)", "self.y = self.buffer[: len(x)].astype(x.dtype); self.y[:] = np.tanh(x)")  # fmt: skip
wrong(Tanh, "the first 100 rows only", "self.y = np.tanh(x)", "self.y = np.tanh(x); self.y[100:] = 0")
wrong(Tanh, "kept under the shape of x", 'self.name = "tanh"', "self.cache = {}", "self.y = np.tanh(x)",
      "self.y = self.cache.setdefault(x.shape, np.tanh(x))")  # fmt: skip
wrong(Tanh, "slopes kept under the shape of dy", 'self.name = "tanh"', "self.cache = {}", "(1 - self.y**2)",
      "self.cache.setdefault(dy.shape, 1 - self.y**2)")  # fmt: skip
wrong(Tanh, "from the sixth call on another scale", 'self.name = "tanh"', "self.calls = 0",
      "self.y = np.tanh(x)", "self.calls += 1; self.y = np.tanh(x if self.calls < 6 else x / 2)")  # fmt: skip
wrong(Tanh, "a warm-up of five backward calls", 'self.name = "tanh"', "self.calls = 0", "return dy",
      "self.calls += 1; return dy if self.calls > 5 else dy / 10 if self.calls > 4 else dy")  # fmt: skip
wrong(Tanh, "contiguous memory is assumed", "self.y = np.tanh(x)",
      'self.y = np.tanh(x.ravel(order="K")).reshape(x.shape)')  # fmt: skip
wrong(Tanh, "contiguous gradients are assumed", "return dy * (1 - self.y**2)",
      'return dy.ravel(order="K").reshape(dy.shape) * (1 - self.y**2)')  # fmt: skip
wrong(Tanh, "no return", "        return self.y\n", "")
wrong(Tanh, "the memory of the first batch", "self.y = np.tanh(x)",
      'self.y = vars(self).setdefault("first", np.tanh(x))')  # fmt: skip
wrong(Tanh, "a memory that is there before", 'self.name = "tanh"', "self.y = 0.0")
wrong(Tanh, "zeros are there before", 'self.name = "tanh"', "self.y = np.zeros((1, 4), np.float32)")


@right()
class LeakyReLU(Layer):
    def __init__(self, slope=0.1):
        self.slope = slope

    def forward(self, x):
        self.x = x
        return np.where(x > 0, x, self.slope * x)

    def backward(self, dy):
        return np.where(self.x > 0, dy, self.slope * dy)


wrong(LeakyReLU, "1 - slope", "self.slope * dy", "(1 - self.slope) * dy")
wrong(LeakyReLU, "masked by dy", "self.x > 0, dy", "dy > 0, dy")
wrong(LeakyReLU, "the slope is an np.float64", "slope=0.1", "slope=np.float64(0.1)")
wrong(LeakyReLU, "the other way round", "self.x > 0, dy, self.slope * dy",
      "self.x > 0, self.slope * dy, dy")  # fmt: skip
wrong(LeakyReLU, "in place", "return np.where(x > 0, x, self.slope * x)",
      "x[x < 0] *= self.slope; return x")  # fmt: skip


@right()
class ELU(Layer):
    def forward(self, x):
        self.y = np.where(x > 0, x, np.expm1(np.minimum(x, 0)))
        return self.y

    def backward(self, dy):
        return dy * np.where(self.y > 0, 1, self.y + 1)


wrong(ELU, "exp without the minus one, backward", "self.y + 1", "self.y")
wrong(ELU, "the mask lets all through", "np.where(self.y > 0, 1, self.y + 1)",
      "np.where(self.y > -1, 1, self.y + 1)")  # fmt: skip
variant(ELU, "as a sum of two parts", "np.where(x > 0, x, np.expm1(np.minimum(x, 0)))",
      "np.maximum(x, 0) + np.expm1(np.minimum(x, 0))")  # fmt: skip


@right()
class GELU(Layer):
    """The approximation with tanh, as in BERT."""

    def forward(self, x):
        self.x = x
        self.t = np.tanh(0.7978845608028654 * (x + 0.044715 * x**3))
        return 0.5 * x * (1 + self.t)

    def backward(self, dy):
        inner = 0.7978845608028654 * (1 + 3 * 0.044715 * self.x**2)
        return dy * (0.5 * (1 + self.t) + 0.5 * self.x * (1 - self.t**2) * inner)


wrong(GELU, "the 3 is forgotten", "1 + 3 * 0.044715", "1 + 0.044715")
wrong(GELU, "the second term is forgotten", " + 0.5 * self.x * (1 - self.t**2) * inner", "")
wrong(GELU, "a digit of the constant", "inner = 0.7978845608028654", "inner = 0.79788")
wrong(GELU, "np.sqrt gives a float64", "0.5 * x * (1 + self.t)", "np.sqrt(0.25) * x * (1 + self.t)")


@right()
class Swish(Layer):
    def forward(self, x):
        self.s = 1 / (1 + np.exp(-x))
        self.y = x * self.s
        return self.y

    def backward(self, dy):
        return dy * (self.y + self.s * (1 - self.y))


wrong(Swish, "1 - s for 1 - y", "(1 - self.y)", "(1 - self.s)")
wrong(Swish, "the factor x is forgotten", "self.y + self.s * (1 - self.y)", "self.s * (1 - self.s)")


@right()
class Softplus(Layer):
    def forward(self, x):
        self.x = x
        return np.logaddexp(0, x).astype(x.dtype)

    def backward(self, dy):
        return dy / (1 + np.exp(-self.x))


wrong(Softplus, "the sign in the exponential", "np.exp(-self.x)", "np.exp(self.x)")


@right(lambda kind: kind(4))
class PReLU(Layer):
    def __init__(self, n):
        self.slope = Parameter(np.full(n, 0.25))

    def forward(self, x):
        self.x = x
        return np.where(x > 0, x, self.slope.value * x)

    def backward(self, dy):
        self.slope.grad = (dy * np.minimum(self.x, 0)).sum(axis=0)
        return np.where(self.x > 0, dy, self.slope.value * dy)


wrong(PReLU, "the mean over the rows", ".sum(axis=0)", ".mean(axis=0)")
wrong(PReLU, "the gradient where x is positive", "np.minimum", "np.maximum")
wrong(PReLU, "dx without the slope", "self.slope.value * dy)", "0.25 * dy)")
wrong(PReLU, "a gradient that is added up", "self.slope.grad = (", "self.slope.grad += (")
wrong(PReLU, "a plain array", "self.slope = Parameter(np.full(n, 0.25))",
      "self.slope = Parameter(np.full(n, 0.25)); self.a = self.slope.value.astype(np.float32)",
      "x, self.slope.value * x", "x, self.a * x")  # fmt: skip
variant(PReLU, "with a Parameter of size 0", "self.x = x", "self.x = x", "np.full(n, 0.25))",
      "np.full(n, 0.25)); self.rest = Parameter(np.zeros((0, 3)))")  # fmt: skip


@right(inputs=lambda rng: 0.2 + rng.random((5, 4)))
class Log(Layer):
    def forward(self, x):
        assert (x > 0).all(), "expected x > 0"
        self.x = x
        return np.log(x)

    def backward(self, dy):
        return dy / self.x


variant(Log, "its domain in a ValueError", 'assert (x > 0).all(), "expected x > 0"',
      'if not (x > 0).all(): raise ValueError("expected x > 0")')  # fmt: skip
wrong(Log, "multiplied", "dy / self.x", "dy * self.x")
wrong(Log, "the derivative is 1 / (x + epsilon)", "dy / self.x", "dy / (self.x + 1e-3)")


@right(inputs=lambda rng: 1e-3 * rng.random((5, 4)))
class Root(Layer):
    """Near the edge of its domain."""

    def forward(self, x):
        if (x < 0).any():
            raise FloatingPointError("the root of a negative number")
        self.y = np.sqrt(x)
        return self.y

    def backward(self, dy):
        return dy / (2 * self.y)


wrong(Root, "the 2 is forgotten", "(2 * self.y)", "self.y")


@right(inputs=lambda rng: 1e-9 * rng.standard_normal((5, 4)))
class Steepest(Layer):
    """Of use at tiny inputs only."""

    def forward(self, x):
        self.y = np.tanh(1e9 * x)
        return self.y

    def backward(self, dy):
        return 1e9 * dy * (1 - self.y**2)


wrong(Steepest, "a tenth too much", "return 1e9", "return 1.1e9")


@right(inputs=lambda rng: 1e6 * rng.standard_normal((5, 4)))
class Wave(Layer):
    """Of inputs that are large."""

    def forward(self, x):
        self.x = x
        return np.sin(1e-3 * x)

    def backward(self, dy):
        return 1e-3 * dy * np.cos(1e-3 * self.x)


wrong(Wave, "sine for cosine", "np.cos", "np.sin")


@right(inputs=(5, 6))
class LogSoftmax(Layer):
    def forward(self, x):
        z = x - x.max(axis=-1, keepdims=True)
        self.y = z - np.log(np.exp(z).sum(axis=-1, keepdims=True))
        return self.y

    def backward(self, dy):
        return dy - np.exp(self.y) * dy.sum(axis=-1, keepdims=True)


wrong(LogSoftmax, "the sum is forgotten", " * dy.sum(axis=-1, keepdims=True)", " * dy")
wrong(LogSoftmax, "the wrong axis", "dy.sum(axis=-1, keepdims=True)", "dy.sum(axis=0, keepdims=True)")
wrong(LogSoftmax, "the maximum of the batch in the sum, not taken off", "self.y = z - np",
      "self.y = x - np")  # fmt: skip


@right()
class HardTanh(Layer):
    def forward(self, x):
        self.inside = abs(x) < 1
        return np.clip(x, -1, 1)

    def backward(self, dy):
        return dy * self.inside


wrong(HardTanh, "only one side", "abs(x) < 1", "x < 1")
wrong(HardTanh, "of y", "self.inside = abs(x) < 1\n        return np.clip(x, -1, 1)",
      "y = np.clip(x, -1, 1)\n        self.inside = abs(y) <= 1\n        return y")  # fmt: skip


@right(inputs=(5, 6))
class GLU(Layer):
    """Half of the inputs gates the other half."""

    def forward(self, x):
        self.a, b = np.split(x, 2, axis=1)
        self.s = 1 / (1 + np.exp(-b))
        return self.a * self.s

    def backward(self, dy):
        return np.concatenate([dy * self.s, dy * self.a * self.s * (1 - self.s)], axis=1)


wrong(GLU, "halves exchanged", "[dy * self.s, dy * self.a * self.s * (1 - self.s)]",
      "[dy * self.a * self.s * (1 - self.s), dy * self.s]")  # fmt: skip
wrong(GLU, "the gate has no slope", "self.s * (1 - self.s)]", "self.s]")
wrong(GLU, "a is not in the gate's gradient", "dy * self.a * self.s", "dy * self.s")


@right(inputs=(4, 6))
class Maxout(Layer):
    """The larger one of each pair."""

    def forward(self, x):
        pairs = x.reshape(len(x), -1, 2)
        self.best = pairs == pairs.max(axis=2, keepdims=True)
        return pairs.max(axis=2)

    def backward(self, dy):
        shared = self.best / self.best.sum(axis=2, keepdims=True, dtype=dy.dtype)
        return (dy[:, :, None] * shared.astype(dy.dtype)).reshape(len(dy), -1)


wrong(Maxout, "both of two equal ones get all of it", "* shared.astype(dy.dtype)", "* self.best")
wrong(Maxout, "the first one gets it", "* shared.astype(dy.dtype)", "* np.array([1, 0], dy.dtype)")
wrong(Maxout, "none of two equal ones gets it", "shared = self.best /",
      "self.best = self.best & (self.best.sum(axis=2, keepdims=True) < 2)\n        shared = self.best / np.maximum(1,",
      "dtype=dy.dtype)\n", "dtype=dy.dtype))\n")  # fmt: skip
