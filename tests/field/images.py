"""Convolution and pooling: much indexing, and so much to get wrong."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from nnscratch import Layer, Parameter
from tests.field import right, variant, wrong


@right(lambda kind: kind(2, 3), (2, 2, 5, 5))
class Conv(Layer):
    """Filters of 3 x 3 on images (N, channels, height, width)."""

    def __init__(self, n_in, n_out):
        rng = np.random.default_rng(0)
        self.W = Parameter(rng.standard_normal((n_out, n_in, 3, 3)).astype(np.float32) / 3)
        self.b = Parameter(np.zeros(n_out, np.float32))

    def forward(self, x):
        self.x = x
        windows = sliding_window_view(x, (3, 3), axis=(2, 3))
        return np.einsum("nchwij,ocij->nohw", windows, self.W.value) + self.b.value[:, None, None]

    def backward(self, dy):
        windows = sliding_window_view(self.x, (3, 3), axis=(2, 3))
        self.W.grad = np.einsum("nchwij,nohw->ocij", windows, dy)
        self.b.grad = dy.sum(axis=(0, 2, 3))
        dx = np.zeros_like(self.x)
        height, width = dy.shape[2:]
        for i in range(3):
            for j in range(3):
                dx[:, :, i : i + height, j : j + width] += np.einsum("nohw,oc->nchw", dy, self.W.value[:, :, i, j])
        return dx


variant(Conv, "channels last within", 'np.einsum("nchwij,ocij->nohw", windows, self.W.value)',
      'np.einsum("nchwij,ocij->nhwo", windows, self.W.value).transpose(0, 3, 1, 2)')  # fmt: skip
wrong(Conv, "dx is not flipped", "self.W.value[:, :, i, j])", "self.W.value[:, :, 2 - i, 2 - j])")
wrong(Conv, "overlaps overwrite each other", "j : j + width] += ", "j : j + width] = ")
wrong(Conv, "db over the rows only", "dy.sum(axis=(0, 2, 3))", "dy.sum(axis=0)[:, 0, 0]")
wrong(Conv, "db is a mean over the places", "dy.sum(axis=(0, 2, 3))", "dy.sum(axis=0).mean(axis=(1, 2))")
wrong(Conv, "dW of the first image", '"nchwij,nohw->ocij", windows, dy)',
      '"nchwij,nohw->ocij", windows[:1], dy[:1])')  # fmt: skip
wrong(Conv, "i and j exchanged in dx", "self.W.value[:, :, i, j])", "self.W.value[:, :, j, i])")
wrong(Conv, "one row of pixels is left out", "for i in range(3)", "for i in range(2)")
wrong(Conv, "strides as of a contiguous array", "windows = sliding_window_view(x, (3, 3), axis=(2, 3))",
      "n, c, h, w = x.shape; s = x.itemsize; windows = as_strided(x, (n, c, h - 2, w - 2, 3, 3), "
      "(c * h * w * s, h * w * s, w * s, s, w * s, s))")  # fmt: skip
wrong(Conv, "columns kept under the shape", "windows = sliding_window_view(self.x, (3, 3), axis=(2, 3))",
      'self.windows = vars(self).get("windows", {}); windows = self.windows.setdefault(self.x.shape, '
      "sliding_window_view(self.x, (3, 3), axis=(2, 3)))")  # fmt: skip
wrong(Conv, "squeezed", "self.b.value[:, None, None]\n", "self.b.value[:, None, None]).squeeze()\n",
      "return np.einsum", "return (np.einsum")  # fmt: skip


@right(inputs=(2, 2, 4, 4))
class MaxPool(Layer):
    """2 x 2. Of equal ones the first gets the gradient."""

    def forward(self, x):
        n, c, h, w = x.shape
        blocks = x.reshape(n, c, h // 2, 2, w // 2, 2).transpose(0, 1, 2, 4, 3, 5).reshape(n, c, h // 2, w // 2, 4)
        self.shape, self.best = x.shape, blocks.argmax(axis=4)
        return blocks.max(axis=4)

    def backward(self, dy):
        n, c, h, w = self.shape
        d = np.zeros((n, c, h // 2, w // 2, 4), dy.dtype)
        np.put_along_axis(d, self.best[..., None], dy[..., None], axis=4)
        return d.reshape(n, c, h // 2, w // 2, 2, 2).transpose(0, 1, 2, 4, 3, 5).reshape(self.shape)


wrong(MaxPool, "blocks put back in the wrong order",
      "2, 2).transpose(0, 1, 2, 4, 3, 5).reshape(self.shape)", "2, 2).reshape(self.shape)")  # fmt: skip
wrong(MaxPool, "all four get it", "np.put_along_axis(d, self.best[..., None], dy[..., None], axis=4)",
      "d += dy[..., None]")  # fmt: skip
wrong(MaxPool, "the smallest gets it", "blocks.argmax(axis=4)", "blocks.argmin(axis=4)")
wrong(MaxPool, "all of several equal ones get it", "self.shape, self.best = x.shape, blocks.argmax(axis=4)",
      "self.shape, self.best = x.shape, blocks == blocks.max(axis=4, keepdims=True)",
      "np.put_along_axis(d, self.best[..., None], dy[..., None], axis=4)",
      "d += dy[..., None] * self.best")  # fmt: skip


@right(inputs=(2, 2, 4, 4))
class AveragePool(Layer):
    def forward(self, x):
        n, c, h, w = x.shape
        return x.reshape(n, c, h // 2, 2, w // 2, 2).mean(axis=(3, 5))

    def backward(self, dy):
        return dy.repeat(2, axis=2).repeat(2, axis=3) / 4


wrong(AveragePool, "the 4 is forgotten", " / 4", "")
wrong(AveragePool, "divided by 2", " / 4", " / 2")
wrong(AveragePool, "tiled", "dy.repeat(2, axis=2).repeat(2, axis=3)", "np.tile(dy, (1, 1, 2, 2))")


@right(inputs=(3, 4, 3, 2))
class GlobalAverage(Layer):
    def forward(self, x):
        self.shape = x.shape
        return x.mean(axis=(2, 3))

    def backward(self, dy):
        return np.broadcast_to(dy[:, :, None, None], self.shape) / (self.shape[2] * self.shape[3])


wrong(GlobalAverage, "divided by one side", " / (self.shape[2] * self.shape[3])", " / self.shape[2]")
wrong(GlobalAverage, "the batch in the mean", " / (self.shape[2] * self.shape[3])",
      " / (self.shape[0] * self.shape[3] * 2)")  # fmt: skip


@right(inputs=(2, 2, 3, 3))
class Upsample(Layer):
    def forward(self, x):
        return x.repeat(2, axis=2).repeat(2, axis=3)

    def backward(self, dy):
        n, c, h, w = dy.shape
        return dy.reshape(n, c, h // 2, 2, w // 2, 2).sum(axis=(3, 5))


wrong(Upsample, "a mean", ".sum(axis=(3, 5))", ".mean(axis=(3, 5))")
wrong(Upsample, "every second one", "dy.reshape(n, c, h // 2, 2, w // 2, 2).sum(axis=(3, 5))",
      "dy[:, :, ::2, ::2]")  # fmt: skip


@right(inputs=(2, 2, 3, 3))
class ZeroPad(Layer):
    def forward(self, x):
        return np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))

    def backward(self, dy):
        return dy[:, :, 1:-1, 1:-1]


variant(ZeroPad, "as a view of a larger array", "return np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))",
      "y = np.zeros((*x.shape[:2], 9, 9), x.dtype); y[:, :, 1:4, 1:4] = x; return y[:, :, :5, :5]")  # fmt: skip
wrong(ZeroPad, "off by one", "1:-1, 1:-1", "2:, 2:")
