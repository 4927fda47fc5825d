"""Augmentation: while training, each image is seen a little different every time. A layer, so no loop has to change.

Put it first in the model. In prediction it does nothing. All images are (N, H, W) or (N, H, W, C), dark at the edges:
what comes in from outside is 0.
"""

import numpy as np

from nnscratch import Layer, check_layer


class RandomShift(Layer):
    """y_nhw = x_n,h+a,w+b with whole numbers a and b from -pixels to pixels, drawn anew for each image.

    dx is dy, shifted back. The mean over the draws is a blurred x, so ``check_layer`` needs ``keeps_mean=False``.
    """

    def __init__(self, pixels, *, rng=None):
        self.pixels, self.rng = pixels, np.random.default_rng(rng)

    def forward(self, x):
        n = len(x) if self.training else 0
        self.offsets = self.rng.integers(-self.pixels, self.pixels, (2, n), endpoint=True)
        return self.shifted(x, *self.offsets) if self.training else x

    def backward(self, dy):
        return self.shifted(dy, *-self.offsets) if self.training else dy

    def shifted(self, x, a, b):
        margin = [(self.pixels, self.pixels)] * 2 + [(0, 0)] * (x.ndim - 3)
        padded = np.pad(x, [(0, 0), *margin])
        rows = np.arange(x.shape[1]) + self.pixels + a[:, np.newaxis]  # (N, H)
        columns = np.arange(x.shape[2]) + self.pixels + b[:, np.newaxis]  # (N, W)
        images = np.arange(len(x))[:, np.newaxis, np.newaxis]
        return padded[images, rows[:, :, np.newaxis], columns[:, np.newaxis, :]]  # all broadcast to (N, H, W)

    def __repr__(self):
        return f"RandomShift({self.pixels})"


class RandomDistortion(Layer):
    """Images turned by up to ``degrees``, stretched or shrunk by up to ``zoom``, and bent like rubber.

    Each y_nhw is x at another place, (h, w) + v_nhw, which lies between pixels: the four around it are mixed by how
    near they are. v is the sum of two fields: (A - 1)(h, w) from the centre, A = a turn times a diagonal of two factors
    around 1; and ``alpha`` times a random field, -1 to 1 at each pixel, smoothed by a Gaussian of deviation ``sigma``.
    A large sigma with a large alpha bends the whole digit, a small one makes it tremble.

    y is linear in x, a sum of four pixels with weights; dx gives dy back to those four, with the same weights.
    Simard, Steinkraus & Platt 2003, section 2.
    """

    def __init__(self, degrees=0.0, zoom=0.0, alpha=0.0, sigma=4.0, *, rng=None):
        self.turn, self.zoom, self.alpha, self.sigma = np.deg2rad(degrees), zoom, alpha, sigma
        self.rng = np.random.default_rng(rng)

    def forward(self, x):
        self.shape = x.shape
        if not self.training:
            return x
        n, height, width = x.shape[:3]
        rows, columns = self.places(n, height, width)
        first = np.floor(rows).astype(int).clip(-1, height), np.floor(columns).astype(int).clip(-1, width)
        down, right = (rows - first[0]).clip(0, 1), (columns - first[1]).clip(0, 1)  # (N, H, W), how far to the next
        corner = (first[0] + 1) * (width + 3) + first[1] + 1  # in an image with a margin of 1 before and 2 behind
        corner += np.arange(n)[:, np.newaxis, np.newaxis] * (height + 3) * (width + 3)
        self.neighbours = [
            (corner, (1 - down) * (1 - right)), (corner + 1, (1 - down) * right),
            (corner + width + 3, down * (1 - right)), (corner + width + 4, down * right),
        ]  # fmt: skip
        pixels = np.pad(x, [(0, 0), (1, 2), (1, 2), *[(0, 0)] * (x.ndim - 3)]).reshape(-1, *x.shape[3:])
        return sum(pixels.take(at, axis=0) * like(share, x) for at, share in self.neighbours)

    def backward(self, dy):
        if not self.training:
            return dy
        n, height, width = self.shape[:3]
        dx = np.zeros((n, height + 3, width + 3, *self.shape[3:]), dy.dtype)
        for at, share in self.neighbours:
            np.add.at(dx.reshape(-1, *self.shape[3:]), at, dy * like(share, dy))
        return dx[:, 1 : height + 1, 1 : width + 1]

    def places(self, n, height, width):
        """Where each pixel comes from: rows and columns (N, H, W)."""
        h = np.arange(height, dtype=np.float32)[:, np.newaxis] - (height - 1) / 2  # from the centre
        w = np.arange(width, dtype=np.float32) - (width - 1) / 2
        angle, *factors = self.rng.uniform(-1, 1, (3, n, 1, 1)).astype(np.float32)
        cos, sin = np.cos(self.turn * angle), np.sin(self.turn * angle)
        tall, wide = (1 + self.zoom * factor for factor in factors)
        rows = tall * (cos * h - sin * w) + (height - 1) / 2
        columns = wide * (sin * h + cos * w) + (width - 1) / 2
        if self.alpha:
            field = 2 * self.rng.random((2, n, height, width), np.float32) - 1
            bent = self.alpha * (gaussian(height, self.sigma) @ field @ gaussian(width, self.sigma).T)
            rows, columns = rows + bent[0], columns + bent[1]
        return rows, columns


def like(share, x):
    """Weights (N, H, W) in x's precision, with as many axes."""
    return share.astype(x.dtype).reshape(share.shape + (1,) * (x.ndim - 3))


def gaussian(n, sigma):
    """The matrix (n, n) that smooths n numbers: each row has the weights of one place, which sum to 1."""
    distance = np.arange(n, dtype=np.float32)[:, np.newaxis] - np.arange(n, dtype=np.float32)
    weights = np.exp(-0.5 * (distance / sigma) ** 2)
    return weights / weights.sum(axis=1, keepdims=True)


def prove():
    x = np.random.default_rng(0).standard_normal((3, 6, 5, 2))
    yield check_layer(RandomShift(2, rng=0), x, keeps_mean=False)
    yield check_layer(RandomDistortion(15, 0.1, 8, 2, rng=0), x, keeps_mean=False)


if __name__ == "__main__":
    print(*prove(), sep="\n\n")
