"""Images: convolution and pooling, channels last: x (N, height, width, channels).

In memory the axes may stand in any order, and NumPy works through them in that order. Conv2D returns a y whose rows of
the batch lie innermost, next to each other: then every slice of height and width is made of long runs, whatever the
number of channels, and ReLU, BatchNorm and the pools, which keep the order they find, profit as well.
"""

import functools

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from nnscratch import Layer, Parameter, check_layer
from nnscratch.initializers import he_uniform


class PlainConv2D(Layer):
    """Filters of size x size pixels, moved over the image: the same weights at every place. As it reads.

    x (N, H, W, n_in), W (size, size, n_in, n_out), b (n_out,), y (N, H', W', n_out) with H' = H - size + 1.

        y_nhwf = b_f + sum over i, j, c of x_n,h+i,w+j,c W_ijcf

    W_ijcf takes part at every place of every image; x_nhwc in each y that it is within the window of, through W_ij for
    the y that lies i rows and j columns before it. So dx is again a convolution, of dy, with W turned round:

        dW_ijcf = sum over n, h, w of x_n,h+i,w+j,c dy_nhwf        dx_nhwc = sum over i, j, f of dy_n,h-i,w-j,f W_ijcf

    LeCun et al. 1989. (It is a correlation, strictly speaking, as W is not turned round in y.)
    """

    def __init__(self, n_in, n_out, size, *, rng=None):
        self.n_in, self.n_out, self.size = n_in, n_out, size
        self.W = Parameter(he_uniform(size * size * n_in, n_out, rng=rng).reshape(size, size, n_in, n_out))
        self.b = Parameter(np.zeros(n_out, np.float32))

    def windows(self, x):
        """Views of all windows, (N, H', W', channels, size, size): no copy."""
        return sliding_window_view(x, (self.size, self.size), axis=(1, 2))

    def forward(self, x):
        self.x = x
        return np.einsum("nhwcij,ijcf->nhwf", self.windows(x), self.W.value) + self.b.value

    def backward(self, dy):
        self.W.grad = np.einsum("nhwcij,nhwf->ijcf", self.windows(self.x), dy)
        self.b.grad = dy.sum(axis=(0, 1, 2))
        margin = self.size - 1
        padded = np.pad(dy, ((0, 0), (margin, margin), (margin, margin), (0, 0)))
        return np.einsum("nhwfij,ijcf->nhwc", self.windows(padded), self.W.value[::-1, ::-1])

    def __repr__(self):
        return f"{type(self).__name__}({self.n_in}, {self.n_out}, {self.size})"


class Conv2D(PlainConv2D):
    """The same, as one matrix product forward and two back: y = Wᵀ columns, dW = columns dyᵀ, dcolumns = W dy.

    A column has the size² n_in numbers of one window; there are P = H' W' N of them. Chellapilla, Puri & Simard
    2006. Within, the batch lies innermost: columns are gathered, and scattered back, in runs of W' N numbers
    rather than of size n_in ones. ``python -m demos.benchmarks.convolution`` says what that saves.
    """

    def forward(self, x):
        self.columns = self.gather(np.ascontiguousarray(x.transpose(3, 1, 2, 0)))  # no copy after another Conv2D
        y = self.W.value.reshape(-1, self.n_out).T @ self.columns  # (n_out, size² n_in) @ (size² n_in, P)
        y += self.b.value[:, np.newaxis]
        return y.reshape(self.n_out, *self.places).transpose(3, 1, 2, 0)  # (N, H', W', n_out)

    def backward(self, dy):
        dy = dy.transpose(3, 1, 2, 0).reshape(self.n_out, -1)  # (n_out, P)
        self.W.grad = (self.columns @ dy.T).reshape(self.W.value.shape)
        self.b.grad = dy.sum(axis=1)
        if not self.needs_dx:
            return None
        dcolumns = self.W.value.reshape(-1, self.n_out) @ dy  # (size² n_in, n_out) @ (n_out, P)
        return self.scatter(dcolumns).transpose(3, 1, 2, 0)  # (N, H, W, n_in)

    def gather(self, x):
        """Columns (size² n_in, P) of an x (n_in, H, W, N)."""
        windows = self.windows(x)  # (n_in, H', W', N, size, size)
        self.shape, self.places = x.shape, windows.shape[1:4]
        return windows.transpose(4, 5, 0, 1, 2, 3).reshape(self.size**2 * self.n_in, -1)  # the only copy

    def scatter(self, dcolumns):
        """dx (n_in, H, W, N): each column is added to the window that it came from."""
        dcolumns = dcolumns.reshape(self.size, self.size, self.n_in, *self.places)
        dx, (height, width, _) = np.zeros(self.shape, dcolumns.dtype), self.places
        for i in range(self.size):
            for j in range(self.size):
                dx[:, i : i + height, j : j + width] += dcolumns[i, j]
        return dx


def pieces(x, size):
    """The size² numbers of each window, as so many views of x (N, H, W, C): of all upper left ones, and so on. Rows and
    columns at the end that fill no window are left out."""
    height, width = x.shape[1] // size * size, x.shape[2] // size * size
    return [x[:, i:height:size, j:width:size] for i in range(size) for j in range(size)]  # (N, H', W', C) each


class MaxPool2D(Layer):
    """y = the largest number of each window of size x size, which do not overlap; dx = dy for that number, else 0.

    x (N, H, W, C), y (N, H // size, W // size, C). Of several that are largest the first one gets dy: among the zeros
    of a ReLU ties are common, and dy given to each would count several times. Ranzato et al. 2007.
    """

    def __init__(self, size=2):
        self.size = size

    def forward(self, x):
        self.x = x
        self.y = functools.reduce(np.maximum, pieces(x, self.size))
        return self.y

    def backward(self, dy):
        dx, left = np.zeros_like(self.x), dy
        for x, d in zip(pieces(self.x, self.size), pieces(dx, self.size), strict=True):
            won = left * (x == self.y)
            d[...] = won
            left = left - won  # 0 where the winner was found: nothing is left for others
        return dx

    def __repr__(self):
        return f"{type(self).__name__}({self.size})"


class AveragePool2D(MaxPool2D):
    """y = the mean of each window of size x size; dx = dy / size² for each of its numbers. LeCun et al. 1989."""

    def forward(self, x):
        self.x = x
        return sum(pieces(x, self.size)) / self.size**2

    def backward(self, dy):
        dx = np.zeros_like(self.x)
        for d in pieces(dx, self.size):
            d[...] = dy / self.size**2
        return dx


def prove():
    x = np.random.default_rng(0).standard_normal((3, 7, 5, 2))
    yield check_layer(PlainConv2D(2, 3, 3, rng=0), x)
    yield check_layer(Conv2D(2, 3, 3, rng=0), x)
    yield check_layer(MaxPool2D(2), x)
    yield check_layer(AveragePool2D(2), x)


if __name__ == "__main__":
    print(*prove(), sep="\n\n")
