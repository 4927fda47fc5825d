"""Chapter 2: signals and gradients in a network of twenty layers that start at four sizes."""

import numpy as np
from matplotlib.figure import Figure

from docs.figures._style import BACKWARD, FORWARD, GREEN, GREY, PURPLE, figure
from nnscratch import Chain, Dense, ReLU
from nnscratch.initializers import he_uniform

WIDTH, DEPTH = 100, 20


def sizes(start: float) -> tuple[list[float], list[float]]:
    """The size (root mean square) of what each layer puts out, and of the gradient that it gets, for weights that
    start ``start`` times as large as he_uniform makes them."""
    rng = np.random.default_rng(0)
    blocks = [Chain([Dense(WIDTH, WIDTH), ReLU()]) for _ in range(DEPTH)]
    for block in blocks:
        block.layers[0].W.value = start * he_uniform(WIDTH, WIDTH, rng=rng)
    signal, forward = rng.standard_normal((200, WIDTH)).astype(np.float32), []
    for block in blocks:
        signal = block.forward(signal)
        forward.append(size(signal))
    gradient, backward = rng.standard_normal((200, WIDTH)).astype(np.float32), []
    for block in reversed(blocks):
        backward.append(size(gradient))
        gradient = block.backward(gradient)
    return forward, backward[::-1]


def size(a: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(a))))


def draw() -> Figure:
    chart = figure(10, 3.8)
    axes = chart.subplots(1, 2, sharey=True)
    for start, name, color in (
        (2.0, "twice he_uniform", BACKWARD),
        (1.0, "he_uniform", GREEN),
        (np.sqrt(0.5), "glorot_uniform", FORWARD),
        (0.25, "a quarter of he_uniform", PURPLE),
    ):
        for ax, values in zip(axes, sizes(start), strict=True):
            ax.semilogy(range(1, DEPTH + 1), values, "o-", color=color, markersize=3, label=name)
    for ax, title in zip(axes, ("signals on their way forward", "gradients on their way back"), strict=True):
        ax.set(title=title, xlabel="layer", xticks=[1, 5, 10, 15, 20])
        ax.axhline(1, color=GREY, linewidth=0.8, linestyle=":")
        ax.grid(alpha=0.3)
    axes[0].set_ylabel("size (root mean square)")
    axes[0].legend(loc="lower left")
    return chart
