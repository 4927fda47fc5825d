"""Chapter 4: the chain rule on a function with two inputs and two outputs."""

import numpy as np
from matplotlib.figure import Figure

from docs.figures._style import BACKWARD, FORWARD, GREY, bare, figure

X, DY = np.array([3.0, 5.0]), np.array([10.0, 1.0])


def values() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """y, the Jacobian J[j, i] = dy_j / dx_i, and dx."""
    y = np.array([2 * X[0] + X[1], X[0] * X[1]])
    jacobian = np.array([[2.0, 1.0], [X[1], X[0]]])
    return y, jacobian, DY @ jacobian


def draw() -> Figure:
    y, jacobian, dx = values()
    chart = figure(8, 3.6)
    ax = chart.subplots()
    bare(ax)
    centre = {"ha": "center", "va": "center"}
    for i in range(2):
        for j in range(2):
            heights = 1.6 * (1 - i), 1.6 * (1 - j)
            ax.plot([0, 4], heights, color=GREY, linewidth=1, zorder=1)
            at = 0.5 if i == j else 0.25
            place = 4 * at, heights[0] + at * (heights[1] - heights[0])
            white = {"color": "white", "pad": 1}
            ax.text(*place, f"∂y{'₁₂'[j]}/∂x{'₁₂'[i]} = {jacobian[j, i]:g}", bbox=white, fontsize=10, **centre)
    for place, numbers, gradients, name in ((0, X, dx, "x"), (4, y, DY, "y")):
        for k in range(2):
            height = 1.6 * (1 - k)
            ax.plot(place, height, "o", markersize=40, color="white", markeredgecolor=GREY, zorder=2)
            ax.text(place, height, f"{numbers[k]:g}", color=FORWARD, fontsize=12, zorder=3, **centre)
            ax.text(place, height + 0.43, f"{name}{'₁₂'[k]}", fontsize=11, **centre)
            ax.text(place, height - 0.43, f"d{name}{'₁₂'[k]} = {gradients[k]:g}", color=BACKWARD, fontsize=11, **centre)
    ax.text(5.0, 0.8, "L", fontsize=13, **centre)
    ax.annotate("", (4.85, 0.8), (4.4, 0.8), arrowprops={"arrowstyle": "->", "color": GREY})
    ax.text(2, -0.9, f"dx₁ = 2 · 10 + 5 · 1 = {dx[0]:g}", color=BACKWARD, fontsize=12, **centre)
    ax.set(xlim=(-0.6, 5.2), ylim=(-1.1, 2.2))
    return chart
