"""Chapter 1: what a network answers all over the plane while it learns XOR, and two ways in which it fails."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from docs.figures._style import BACKWARD, FORWARD, figure, two_colours
from nnscratch import SGD, Dense, ReLU, Sequential, SoftmaxCrossEntropy

X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
Y = np.array([0, 1, 1, 0])
COLOURS = two_colours(BACKWARD, FORWARD)  # those of the points


def trained(hidden: int, learning_rate: float, steps: int, seed: int) -> tuple[Sequential, float]:
    """A network after so many steps on the four points, and its loss."""
    rng = np.random.default_rng(seed)
    model = Sequential([Dense(2, hidden, rng=rng), ReLU(), Dense(hidden, 2, rng=rng)])
    loss, optimizer = SoftmaxCrossEntropy(), SGD(model, learning_rate)
    for _ in range(steps):
        loss.forward(model.forward(X, training=True), Y)
        model.backward(loss.backward())
        optimizer.step()
    return model, loss.forward(model.predict(X), Y)


def surface(model: Sequential) -> np.ndarray:
    """How much more the model says 1 than 0, on a grid over the plane."""
    line = np.linspace(-0.5, 1.5, 201, dtype=np.float32)
    points = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
    z = model.predict(points)
    return np.tanh((z[:, 1] - z[:, 0]) / 2).reshape(201, 201)  # p1 - p0


def panel(ax: Axes, model: Sequential, title: str) -> None:
    grid = surface(model)
    ax.imshow(grid, origin="lower", extent=(-0.5, 1.5, -0.5, 1.5), cmap=COLOURS, vmin=-1, vmax=1, alpha=0.75)
    line = np.linspace(-0.5, 1.5, 201)
    if grid.min() < 0 < grid.max():
        ax.contour(line, line, grid, levels=[0.0], colors="black", linewidths=1.2)
    for label, marker, color in ((0, "o", BACKWARD), (1, "s", FORWARD)):
        ax.plot(*X[label == Y].T, marker, color=color, markersize=10, markeredgecolor="white", linestyle="none")
    ax.set(title=title, xticks=[0, 1], yticks=[0, 1])


def draw() -> Figure:
    chart = figure(11, 3.0)
    axes = chart.subplots(1, 5)
    for ax, (hidden, rate, steps, seed, what) in zip(
        axes,
        [(8, 0.5, 0, 1, "before"), (8, 0.5, 15, 1, "15 steps"), (8, 0.5, 300, 1, "300 steps"),
         (2, 0.5, 300, 0, "two hidden units"), (8, 5.0, 300, 1, "a learning rate of 5")],
        strict=True,
    ):  # fmt: skip
        model, loss = trained(hidden, rate, steps, seed)
        panel(ax, model, f"{what}\nloss {loss:.2f}")
    legend = "circles: label 0, squares: label 1; colours: what the network answers, white: it cannot tell"
    chart.supxlabel(legend, fontsize=10)
    return chart
