"""Chapter 6: the ways of four optimizers through a long, narrow valley."""

import numpy as np
from matplotlib.figure import Figure

from docs.figures._style import BACKWARD, FORWARD, GREEN, GREY, PURPLE, figure
from nnscratch import SGD, Adam, Layer, Optimizer, Parameter, Sequential

START, STEPS = (-4.0, 1.5), 40


class Point(Layer):
    """Two parameters, and nothing that is computed with them: the optimizers want a model."""

    def __init__(self) -> None:
        self.place = Parameter(np.array(START))


def valley(p: np.ndarray) -> np.ndarray:
    """f(p) for points p (..., 2): forty times as steep across as along."""
    return 0.5 * p[..., 0] ** 2 + 20 * p[..., 1] ** 2


def path(optimizer: Optimizer) -> np.ndarray:
    """Where theta is before the first step and after each: (STEPS + 1, 2)."""
    places = [optimizer.model.theta.copy()]
    for _ in range(STEPS):
        optimizer.model.grad = optimizer.model.theta * (1, 40)  # the gradient of the valley
        optimizer.step()
        places.append(optimizer.model.theta.copy())
    return np.array(places)


def paths() -> dict[str, np.ndarray]:
    return {
        "SGD, learning rate 0.02": path(SGD(Sequential([Point()]), 0.02)),
        "SGD, learning rate 0.048": path(SGD(Sequential([Point()]), 0.048)),
        "SGD with momentum 0.8, 0.02": path(SGD(Sequential([Point()]), 0.02, momentum=0.8)),
        "Adam, learning rate 0.3": path(Adam(Sequential([Point()]), 0.3)),
    }


def draw() -> Figure:
    chart = figure(10, 4.6)
    axes = chart.subplots(2, 2, sharex=True, sharey=True).flat
    x, y = np.meshgrid(np.linspace(-4.6, 2, 200), np.linspace(-2, 2, 120))
    heights = valley(np.stack([x, y], axis=-1))
    for ax, color, (name, places) in zip(axes, (FORWARD, BACKWARD, GREEN, PURPLE), paths().items(), strict=True):
        ax.contour(x, y, heights, levels=[0.3, 2, 8, 20, 40, 70], colors=GREY, linewidths=0.6)
        ax.plot(*places.T, "o-", color=color, markersize=3, linewidth=1)
        ax.plot(0, 0, "k+", markersize=10)
        ax.set_title(f"{name}: f = {valley(places[-1]):.2g} after {STEPS} steps", fontsize=10)
    return chart
