"""Chapter 7: how training and test drift apart on 10,000 digits, and what helps. It trains 20 times: two minutes."""

import numpy as np
from matplotlib.figure import Figure

from datasets import mnist
from docs.figures._style import BACKWARD, FORWARD, GREY, figure
from nnscratch import (
    Adam,
    Dense,
    Dropout,
    EarlyStopping,
    Layer,
    ReLU,
    Sequential,
    SoftmaxCrossEntropy,
    evaluate,
    fit,
)

SLOW = "minutes"
VARIES = True  # ten epochs and more amplify what other processors round differently
EPOCHS, SEEDS = 30, 5
SETTINGS = {  # rate of dropout, weight decay, whether a tenth is held out to stop early
    "as it is": (0.0, 0.0, False),
    "early stopping": (0.0, 0.0, True),
    "weight decay 0.1": (0.0, 0.1, False),
    "dropout 0.3": (0.3, 0.0, False),
}


def train(rate: float, decay: float, stops: bool, seed: int) -> tuple[dict[str, list[float]], float, float]:
    """The history with the test digits as validation data, and the test loss and accuracy at the end."""
    (x, y), (x_test, y_test) = mnist.load_sample()
    x, x_test = (images.reshape(-1, 784) / np.float32(255) for images in (x, x_test))
    rng = np.random.default_rng(seed)
    dropout: list[Layer] = [Dropout(rate, rng=rng)] if rate else []
    model = Sequential([Dense(784, 100, rng=rng), ReLU(), *dropout, Dense(100, 10, rng=rng)])
    loss, optimizer = SoftmaxCrossEntropy(), Adam(model, weight_decay=decay)
    if stops:  # by validation rows: the test digits decide nothing
        stopping = EarlyStopping(patience=3, restore_best_weights=True)
        history = fit(
            model, loss, optimizer, x, y, epochs=EPOCHS, validation_split=0.1, callbacks=[stopping], rng=rng, verbose=0
        )
    else:
        data = (x_test, y_test)
        history = fit(model, loss, optimizer, x, y, epochs=EPOCHS, validation_data=data, rng=rng, verbose=0)
    return history, *evaluate(model, loss, x_test, y_test)


def draw() -> Figure:
    runs = {name: [train(*setting, seed) for seed in range(SEEDS)] for name, setting in SETTINGS.items()}
    chart = figure(10, 3.8)
    left, right = chart.subplots(1, 2)
    for key, color, name in (("loss", FORWARD, "training digits"), ("val_loss", BACKWARD, "test digits")):
        values = np.array([history[key] for history, _, _ in runs["as it is"]])  # (SEEDS, EPOCHS)
        epochs = range(1, EPOCHS + 1)
        left.fill_between(epochs, values.min(axis=0), values.max(axis=0), color=color, alpha=0.2)
        left.plot(epochs, values.mean(axis=0), color=color, label=name)
    left.set(xlabel="epoch", ylabel="loss", title="as it is: mean and range of five seeds")
    left.grid(alpha=0.3)
    left.legend()
    for row, results in enumerate(runs.values()):
        accuracies = [accuracy for _, _, accuracy in results]
        losses = [loss for _, loss, _ in results]
        right.plot(accuracies, [row] * SEEDS, "o", color=FORWARD, alpha=0.5)
        right.plot(np.mean(accuracies), row, "|", color="black", markersize=22)
        text = f"mean {np.mean(accuracies):.4f}, loss {np.mean(losses):.3f}"
        right.text(np.mean(accuracies), row - 0.25, text, ha="center", fontsize=9)
    right.set(yticks=range(len(runs)), yticklabels=list(runs), xlabel="test accuracy", title="five seeds each")
    right.set_ylim(len(runs) - 0.5, -0.6)
    right.axvline(np.mean([accuracy for _, _, accuracy in runs["as it is"]]), color=GREY, linewidth=0.8, linestyle=":")
    return chart
