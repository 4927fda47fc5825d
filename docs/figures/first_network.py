"""Chapter 1: one forward and one backward pass through a network of two layers, with all its numbers."""

import numpy as np
from matplotlib.figure import Figure

from docs.figures._style import BACKWARD, FORWARD, GREY, bare, figure
from nnscratch import Dense, ReLU, Sequential, SoftmaxCrossEntropy

HEIGHT = 2.0  # of the upper row
CENTRE = {"ha": "center", "va": "center"}
WHITE = {"color": "white", "pad": 0.8}


def signed(number: float) -> str:
    return f"{number + 0:.3f}"  # + 0: no -0.000


def network() -> tuple[Sequential, SoftmaxCrossEntropy, np.ndarray]:
    """The network of the chapter after a forward and a backward pass, its loss, and the gradient of the logits."""
    model = Sequential([Dense(2, 2), ReLU(), Dense(2, 2)]).astype(np.float64)
    model.set_weights([[[1, 1], [1, -2]], [0, 0], [[1, 1.5], [1, -1]], [0, 0]])
    loss = SoftmaxCrossEntropy()
    loss.forward(model.forward(np.array([[1.0, 1.0]]), training=True), [0])
    dz = loss.backward()
    model.backward(dz)
    return model, loss, dz


def draw() -> Figure:
    model, loss, dz = network()
    first, relu, second = model.layers
    h = relu.y[0]
    da = (dz @ second.W.value.T)[0] * (h > 0)
    columns = [
        ([1.0, 1.0], None, ("x₁", "x₂")),
        (first.forward(np.array([[1.0, 1.0]]))[0], da, ("a₁", "a₂")),
        (h, (dz @ second.W.value.T)[0], ("h₁", "h₂")),
        (second.forward(h[np.newaxis])[0], dz[0], ("z₀", "z₁")),
        (np.exp(loss.log_p)[0], None, ("p₀", "p₁")),
    ]
    chart = figure(10, 4.6)
    ax = chart.subplots()
    bare(ax)
    places = [0.0, 2.6, 4.0, 6.6, 8.0]
    for edges, start, end in ((first, 0, 1), (second, 2, 3)):
        for i in range(2):
            for j in range(2):
                x0, x1, y0, y1 = places[start], places[end], HEIGHT * (1 - i), HEIGHT * (1 - j)
                ax.plot([x0, x1], [y0, y1], color=GREY, linewidth=1, zorder=1)
                at = 0.55 if i == j else 0.26
                x, y = x0 + at * (x1 - x0), y0 + at * (y1 - y0)
                ax.text(x, y + 0.15, f"{edges.W.value[i, j]:g}", color=FORWARD, bbox=WHITE, **CENTRE)
                ax.text(x, y - 0.15, signed(edges.W.grad[i, j]), color=BACKWARD, fontsize=9, bbox=WHITE, **CENTRE)
    for start in (1, 3):
        for y in (0, HEIGHT):
            ax.plot(places[start : start + 2], [y, y], color=GREY, linewidth=1, zorder=1)
    for place, (values, gradients, names) in zip(places, columns, strict=True):
        for k in range(2):
            y = HEIGHT * (1 - k)
            ax.plot(place, y, "o", markersize=40, color="white", markeredgecolor=GREY, zorder=2)
            ax.text(place, y, f"{values[k]:.3g}", color=FORWARD, fontsize=12, zorder=3, **CENTRE)
            ax.text(place, y + 0.47, names[k], fontsize=11, **CENTRE)
            if gradients is not None:
                ax.text(place, y - 0.5, signed(gradients[k]), color=BACKWARD, fontsize=11, **CENTRE)
    for place, name in ((1.3, "Dense"), (3.3, "ReLU"), (5.3, "Dense"), (7.3, "softmax")):
        ax.text(place, HEIGHT + 0.9, name, fontsize=12, **CENTRE)
    ax.annotate("", (9.1, HEIGHT / 2), (8.4, HEIGHT / 2), arrowprops={"arrowstyle": "->", "color": GREY})
    ax.text(9.5, HEIGHT / 2, f"L\n{-loss.log_p[0, 0]:.3f}", color=FORWARD, fontsize=12, **CENTRE)
    ax.text(0, -1.05, "blue: the numbers of the forward pass", color=FORWARD, fontsize=11, va="center")
    ax.text(4.6, -1.05, "vermillion: how fast the loss grows with it", color=BACKWARD, fontsize=11, va="center")
    ax.set(xlim=(-0.5, 9.9), ylim=(-1.25, HEIGHT + 1.1))
    return chart
