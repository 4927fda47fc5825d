"""Chapter 5: the error of a measured slope over the size of the step, in float64 and in float32."""

import numpy as np
from matplotlib.figure import Figure

from docs.figures._style import BACKWARD, FORWARD, GREEN, GREY, figure
from nnscratch import Dense, Sequential, Sigmoid, SoftmaxCrossEntropy

STEPS = np.logspace(-13, 0, 53)

VARIES = True  # the left of the V is made of rounding errors


def errors(dtype: type) -> tuple[np.ndarray, np.ndarray]:
    """Relative errors of df/dw, measured on one side and on both, for each step; w is a weight of a first layer."""
    rng = np.random.default_rng(0)
    model = Sequential([Dense(8, 6, rng=rng), Sigmoid(), Dense(6, 3, rng=rng)]).astype(np.float64)
    x, labels, loss = rng.standard_normal((20, 8)), rng.integers(3, size=20), SoftmaxCrossEntropy()
    loss.forward(model.forward(x, training=True), labels)
    model.backward(loss.backward())
    truth = model.grad[0]
    model = model.astype(dtype)
    w, x = model.theta[0].item(), x.astype(dtype)

    def f(value: float) -> float:
        model.theta[0] = value
        return loss.forward(model.forward(x), labels)

    one_sided = np.array([(f(w + h) - f(w)) / h for h in STEPS])
    central = np.array([(f(w + h) - f(w - h)) / (2 * h) for h in STEPS])
    return tuple(np.abs(slopes - truth) / np.abs(truth) for slopes in (one_sided, central))


def draw() -> Figure:
    chart = figure(8, 4.2)
    ax = chart.subplots()
    one_sided, central = errors(np.float64)
    ax.loglog(STEPS, one_sided, "s-", color=GREEN, markersize=3, label="on one side, float64")
    ax.loglog(STEPS, central, "o-", color=FORWARD, markersize=3, label="on both sides, float64")
    ax.loglog(STEPS, errors(np.float32)[1], "^-", color=BACKWARD, markersize=3, label="on both sides, float32")
    ax.axhline(1e-7, color=GREY, linewidth=0.8, linestyle=":")
    ax.text(1e-13, 1.3e-7, "what the checks allow", color=GREY, fontsize=9)
    ax.set(xlabel="step h", ylabel="relative error of the slope", ylim=(3e-12, 20))
    ax.text(3e-2, 1.5, "h is too large:\nthe function bends", ha="center", fontsize=9)
    ax.text(2e-12, 3e-10, "h is too small:\ndigits cancel", ha="center", fontsize=9)
    ax.grid(alpha=0.3)
    ax.legend(loc="lower right")
    return chart
