"""Chapter 10: 300 steps of training, as Keras on JAX recorded them and as this framework computes them."""

import numpy as np
from matplotlib.figure import Figure

from docs.figures._style import BACKWARD, FORWARD, GREY, figure
from nnscratch import SparseCrossEntropy
from tests.test_keras import ARCHITECTURES, record, train

SLOW = "seconds"
VARIES = True  # the differences are rounding errors


def trajectories() -> tuple[np.ndarray, np.ndarray]:
    """The loss of each step, ours and Keras'."""
    run = ARCHITECTURES["hidden"]
    losses, _ = train(run, [run.output()], SparseCrossEntropy(), np.float64)
    return losses, np.array(record("jax float64", "hidden")["losses"])


def draw() -> Figure:
    ours, keras = trajectories()
    chart = figure(10, 3.4)
    left, right = chart.subplots(1, 2)
    left.plot(keras, color=BACKWARD, linewidth=4, alpha=0.4, label="Keras on JAX")
    left.plot(ours, color=FORWARD, linewidth=1, label="nnscratch")
    left.set(xlabel="step", ylabel="loss", title="784-100 ReLU-10 sigmoid, Adam, float64")
    left.legend()
    right.plot(np.abs(ours - keras), ".", color=FORWARD, markersize=4)
    right.axhline(2.0**-53, color=GREY, linewidth=0.8, linestyle=":", label="spacing of float64 between 0.5 and 1")
    right.set(xlabel="step", title="difference of the losses")
    right.legend()
    for ax in (left, right):
        ax.grid(alpha=0.3)
    return chart
