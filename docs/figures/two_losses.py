"""Chapter 3: what a last sigmoid puts out after training with each of two losses that one line of Keras may mean."""

import numpy as np
from matplotlib.figure import Figure

from datasets import mnist
from docs.figures._style import BACKWARD, FORWARD, figure
from nnscratch import Adam, Dense, ReLU, Sequential, Sigmoid, SoftmaxCrossEntropy, SparseCrossEntropy, fit

SLOW = "seconds"
VARIES = True  # training amplifies what other processors round differently


def outputs() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The labels of the sample's test digits, and the outputs (N, 10) of a sigmoid behind each of two models."""
    (x, y), (x_test, y_test) = mnist.load_sample()
    x, x_test = (images.reshape(-1, 784) / np.float32(255) for images in (x, x_test))
    results = []
    for end, loss in (([], SoftmaxCrossEntropy()), ([Sigmoid()], SparseCrossEntropy())):
        rng = np.random.default_rng(0)
        model = Sequential([Dense(784, 100, rng=rng), ReLU(), Dense(100, 10, rng=rng), *end])
        fit(model, loss, Adam(model), x, y, epochs=5, rng=rng, verbose=0)
        scores = model.predict(x_test)
        results.append(scores if end else Sigmoid().forward(scores))
    return y_test, *results


def draw() -> Figure:
    labels, a, b = outputs()
    chart = figure(10, 3.6)
    axes = chart.subplots(1, 2, sharey=True)
    bins = np.logspace(-8, 0, 33)
    right = np.eye(10, dtype=bool)[labels]
    for ax, scores, title in (
        (axes[0], a, "A: the loss sees the logits"),
        (axes[1], b, "B: the loss sees the sigmoid's scores"),
    ):
        for chosen, name, color in ((right, "of the right class", FORWARD), (~right, "of the others", BACKWARD)):
            counts, _ = np.histogram(scores[chosen].clip(bins[0]), bins)
            ax.stairs(counts / chosen.sum(), bins, fill=True, alpha=0.6, color=color, label=name)
        ax.set(title=title, xlabel="output of the sigmoid, 1e-8 and less at the left end", xscale="log")
        ax.legend(loc="upper left")
    axes[0].set_ylabel("share of outputs")
    return chart
