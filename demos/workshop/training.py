"""Trains on the sample of MNIST with whatever framework it is given, and draws two trainings beside each other."""

import functools
from types import SimpleNamespace

import numpy as np

import nnscratch
from datasets import mnist
from nnscratch.writing import replacing


@functools.cache
def digits():
    """The sample, scaled and flattened: x_train (10000, 784), y_train, x_test (2000, 784), y_test."""
    (x_train, y_train), (x_test, y_test) = mnist.load_sample()
    x_train, x_test = (x.reshape(-1, 784) / np.float32(255) for x in (x_train, x_test))
    return x_train, y_train, x_test, y_test


def relu(net, rng):
    return [net.Dense(784, 100, rng=rng), net.ReLU(), net.Dense(100, 10, rng=rng)]


def relu_softmax(net, rng):
    return [*relu(net, rng), net.Softmax()]


def dropout(net, rng):
    return [
        net.Dense(784, 100, rng=rng), net.ReLU(), net.Dropout(0.5, rng=rng), net.Dense(100, 10, rng=rng), net.Softmax(),
    ]  # fmt: skip


def train(net, layers, loss, optimizer, epochs, rows=10_000):
    """What an epoch came to, and how the test digits went after it: {name: one number for each epoch}."""
    x, y, x_test, y_test = digits()
    rng = np.random.default_rng(0)
    model = net.Sequential(layers(net, rng))
    optimizer = optimizer(model)
    history = {"loss": [], "accuracy": [], "test_loss": [], "test_accuracy": []}
    for _ in range(epochs):
        epoch = net.train_epoch(model, loss, optimizer, net.batches(x[:rows], y[:rows], 32, rng=rng))
        test_loss, test_accuracy = net.evaluate(model, loss, x_test, y_test)
        results = epoch["loss"], epoch["accuracy"], test_loss, test_accuracy
        for values, value in zip(history.values(), results, strict=True):
            values.append(float(value))
    return history


def train_as_it_reads(net, epochs=5, rows=10_000):
    """784-100 ReLU-10 with the loss of logits, and with Adam line by line: the reader's own lines."""

    class Adam(net.Adam):
        step = net.Adam.step_as_it_reads

    return train(net, relu, net.SoftmaxCrossEntropy(), Adam, epochs, rows)


def mended_by(module):
    """nnscratch, but with what a module defines of it."""
    return SimpleNamespace(**(vars(nnscratch) | vars(module)))


def draw(yours, ours, path):
    """Two histories in one picture. Errors: ModuleNotFoundError without matplotlib; OSError."""
    from matplotlib.figure import Figure  # here, as all but this works without it

    figure = Figure(figsize=(10, 4), layout="constrained")
    figure.suptitle("784-100 ReLU-10 on 10,000 digits: your framework and nnscratch")
    for ax, key in zip(figure.subplots(1, 2), ("loss", "test_accuracy"), strict=True):
        epochs = range(1, len(ours[key]) + 1)
        ax.plot(epochs, ours[key], color="#e69f00", linewidth=8, alpha=0.5, label="nnscratch")
        ax.plot(epochs, yours[key], color="#0072b2", marker="o", label="yours")
        ax.set(xlabel="epoch", ylabel={"loss": "training loss", "test_accuracy": "test accuracy"}[key])
        ax.set_xticks(list(epochs))
        ax.grid(alpha=0.3)
        ax.legend()
    with replacing(path) as file:
        figure.savefig(file, format="png", dpi=110)
