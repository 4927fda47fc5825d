"""Chapter 11: theta of a small network, and its parameters as views of its parts."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from docs.figures._style import BACKWARD, FORWARD, GREEN, PURPLE, bare, figure
from nnscratch import Dense, ReLU, Sequential


def parts() -> tuple[Sequential, list[tuple[str, int, int]]]:
    """A model, and where in theta each parameter begins and ends, by its address in memory."""
    model = Sequential([Dense(3, 4, rng=0), ReLU(), Dense(4, 2, rng=1)])
    start = model.theta.__array_interface__["data"][0]
    found = []
    for p in model.parameters:
        begin = (p.value.__array_interface__["data"][0] - start) // model.theta.itemsize
        found.append((p.name, begin, begin + p.value.size))
    return model, found


def draw() -> Figure:
    model, found = parts()
    chart = figure(10, 3.4)
    ax = chart.subplots()
    bare(ax)
    centre = {"ha": "center", "va": "center"}
    for p, (name, begin, end), color in zip(
        model.parameters, found, (FORWARD, GREEN, BACKWARD, PURPLE), strict=True
    ):  # fmt: skip
        ax.bar(np.arange(begin, end) + 0.5, 1, width=0.9, color=color, alpha=0.35)
        shape = np.atleast_2d(p.value).shape
        left = (begin + end - shape[1]) / 2
        for i in range(shape[0]):
            for j in range(shape[1]):
                k = begin + i * shape[1] + j
                ax.text(k + 0.5, 0.5, k, fontsize=9, **centre)
                ax.add_patch(Rectangle((left + j + 0.05, 4.6 - i), 0.9, 0.9, color=color, alpha=0.35))
                ax.text(left + j + 0.5, 5.05 - i, k, fontsize=9, **centre)
        ax.text((begin + end) / 2, 5.9, f"{name} {p.value.shape}", color=color, fontsize=10, **centre)
    ax.text(-0.3, 0.5, "theta", ha="right", va="center", fontsize=12)
    ax.set(xlim=(-2.5, model.theta.size + 0.5), ylim=(-0.2, 6.3))
    return chart
