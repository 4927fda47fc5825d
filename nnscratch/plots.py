"""Pictures: functions that take data and return a matplotlib Figure, ready for ``figure.savefig(path)``.

They need no display and leave no global state. Blue and orange tell right from wrong, which every common kind of
colour vision can, and the text says it too. Install with ``pip install "nnscratch[demos]"``.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

RIGHT, WRONG = "#0072b2", "#d55e00"  # blue and vermillion of the palette by Okabe & Ito


def digits(images: NDArray[Any], labels: Iterable[Any], title: str) -> Figure:
    """Images (N, height, width) with their labels, ten in a row."""
    figure, axes = _grid(len(images), 10, title)
    for ax, image, label in zip(axes, images, labels, strict=False):
        ax.imshow(image, cmap="gray_r")
        ax.set_title(str(label), fontsize=10)
    return figure


def curves(history: dict[str, list[float]], title: str) -> Figure:
    """Accuracy and loss after each epoch, with their validation twins where there are any."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    figure.suptitle(title)
    for ax, key in zip(figure.subplots(1, 2), ("accuracy", "loss"), strict=True):
        for name, color, marker, label in (
            (key, RIGHT, "o", "training"),
            (f"val_{key}", WRONG, "s", "validation"),
        ):
            values = history.get(name, [])
            ax.plot(
                range(1, len(values) + 1),
                values,
                color=color,
                marker=marker,
                label=label if values else None,
            )
        ax.set_xlabel("epoch")
        ax.set_ylabel(key)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.grid(alpha=0.3)
        ax.legend()
    return figure


def confusion(matrix: NDArray[Any], class_names: Sequence[str], title: str) -> Figure:
    """A confusion matrix (row = true class) with its counts. Colour: the share of the true class."""
    size = max(5.0, 0.62 * len(matrix))
    figure = Figure(figsize=(size + 1.5, size), layout="constrained")
    ax = figure.subplots()
    shares = matrix / matrix.sum(axis=1, keepdims=True).clip(1)
    sns.heatmap(
        shares, annot=matrix, fmt="d", cmap="Blues", vmin=0, vmax=1, square=True, linewidths=0.5,
        xticklabels=class_names, yticklabels=class_names, cbar_kws={"label": "share of the true class"}, ax=ax,
    )  # fmt: skip
    ax.set(xlabel="predicted", ylabel="true", title=title)
    ax.tick_params(rotation=0)
    return figure


def predictions(
    images: NDArray[Any],
    labels: Sequence[Any],
    predicted: Sequence[Any],
    confidence: Sequence[float],
    title: str,
) -> Figure:
    """Images with the predicted label, how sure the model is, and the true label: blue where right, orange if not."""
    figure, axes = _grid(len(images), 6, title, height=1.65)
    for ax, image, label, guess, share in zip(
        axes, images, labels, predicted, confidence, strict=False
    ):
        right = label == guess
        ax.imshow(image, cmap="gray_r")
        sure = f"{math.floor(1000 * share) / 10:.1f}%"  # rounded down: no mistake is 100% sure
        text = f"{guess} ({sure})\n{'is' if right else 'but is'} a {label}"
        ax.set_title(
            text,
            fontsize=10,
            color=RIGHT if right else WRONG,
            fontweight="normal" if right else "bold",
        )
        _frame(ax, RIGHT if right else WRONG, 1.0 if right else 3.0)
    return figure


def weights(
    W: NDArray[Any], shape: tuple[int, int], title: str, names: Iterable[str] = ()
) -> Figure:
    """The columns of a first layer's W (n_in, n_out) as images: orange pixels excite a unit, violet ones inhibit it."""
    n = W.shape[1]
    columns = 5 if n <= 10 else next((c for c in range(16, 7, -1) if n % c == 0), 16)
    rows = -(-n // columns)
    # One picture of all units, with a margin above each: drawing it is ten times faster than an axes for every unit.
    height, width, margin = *shape, 8 if names else 2
    tiles = np.full((rows, height + margin, columns, width + 2), np.nan)
    for unit, column in enumerate(W.T):
        tiles[unit // columns, margin:, unit % columns, :width] = column.reshape(shape)
    figure = Figure(
        figsize=(max(0.75 * columns + 1.5, 6.0), 0.75 * rows + 0.9), layout="constrained"
    )
    ax = figure.subplots()
    ax.set_title(title)
    limit = float(np.quantile(np.abs(W), 0.995))  # a few extreme weights would make all others pale
    picture = tiles.reshape(rows * (height + margin), -1)
    image = ax.imshow(picture, cmap="PuOr_r", vmin=-limit, vmax=limit, interpolation="nearest")
    for unit, name in enumerate(names):
        row, column = divmod(unit, columns)
        ax.text(
            (column + 0.5) * (width + 2) - 1,
            row * (height + margin) + margin - 2,
            name,
            ha="center",
        )
    ax.set_axis_off()
    figure.colorbar(image, ax=ax, fraction=0.03, pad=0.01, label="weight")
    return figure


def _grid(n: int, columns: int, title: str, height: float = 1.3) -> tuple[Figure, list[Axes]]:
    """A figure with a small axes without ticks for each of n images."""
    columns = min(columns, max(n, 1))
    rows = max(-(-n // columns), 1)
    figure = Figure(figsize=(max(1.2 * columns, 5.0), height * rows + 0.8), layout="constrained")
    figure.suptitle(title)
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for i, ax in enumerate(axes):
        ax.set_xticks([])
        ax.set_yticks([])
        if i >= n:
            ax.set_visible(False)
    return figure, axes


def _frame(ax: Axes, color: str, width: float) -> None:
    for spine in ax.spines.values():
        spine.set(color=color, linewidth=width)
