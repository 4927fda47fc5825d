"""Chapter 8: a digit, and what four filters of 3 x 3 pixels make of it."""

import numpy as np
from matplotlib.figure import Figure
from numpy.lib.stride_tricks import sliding_window_view

from datasets import mnist
from docs.figures._style import figure

FILTERS = {
    "upper edges": [[-1, -1, -1], [0, 0, 0], [1, 1, 1]],
    "left edges": [[-1, 0, 1], [-1, 0, 1], [-1, 0, 1]],
    "blur": [[1 / 9] * 3] * 3,
    "outline": [[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]],
}


def filtered() -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """A digit (28, 28), and its convolution (26, 26) with each filter."""
    (images, _), _ = mnist.load_sample()
    digit = images[0] / np.float32(255)
    windows = sliding_window_view(digit, (3, 3))  # (26, 26, 3, 3)
    return digit, {name: np.einsum("hwij,ij->hw", windows, kernel) for name, kernel in FILTERS.items()}


def draw() -> Figure:
    digit, results = filtered()
    chart = figure(10, 2.4)
    axes = chart.subplots(1, 5)
    axes[0].imshow(digit, cmap="gray_r")
    axes[0].set_title("a digit")
    for ax, (name, image) in zip(axes[1:], results.items(), strict=True):
        limit = np.abs(image).max()
        ax.imshow(image, cmap="PuOr", vmin=-limit, vmax=limit)
        ax.set_title(name)
    for ax in axes:
        ax.set(xticks=[], yticks=[])
    return chart
