"""Chapter 7: what each output of a network without a hidden layer looks for."""

import numpy as np
from matplotlib.figure import Figure

from datasets import mnist
from docs.figures._style import BACKWARD, FORWARD, figure, two_colours
from nnscratch import Adam, Dense, Sequential, Sigmoid, SparseCrossEntropy, fit


def weights() -> np.ndarray:
    """W (784, 10) after five epochs on the sample."""
    (x, y), _ = mnist.load_sample()
    rng = np.random.default_rng(0)
    model = Sequential([Dense(784, 10, rng=rng), Sigmoid()])
    x = x.reshape(-1, 784) / np.float32(255)
    fit(model, SparseCrossEntropy(), Adam(model), x, y, epochs=5, rng=rng, verbose=0)
    return model.parameters[0].value


def draw() -> Figure:
    W = weights()
    limit = np.quantile(np.abs(W), 0.995)
    chart = figure(10, 4.2)
    for digit, ax in enumerate(chart.subplots(2, 5).flat):
        ax.imshow(W[:, digit].reshape(28, 28), cmap=two_colours(BACKWARD, FORWARD), vmin=-limit, vmax=limit)
        ax.set(title=str(digit), xticks=[], yticks=[])
    return chart
