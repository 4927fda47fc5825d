"""Training: batches, one pass over them, and many passes."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from nnscratch import advice, guards
from nnscratch.blas import blas_threads, largest_product
from nnscratch.callbacks import Callback, History, Session
from nnscratch.initializers import Rng
from nnscratch.losses import Loss
from nnscratch.metrics import accuracy
from nnscratch.model import Sequential
from nnscratch.optimizers import Optimizer
from nnscratch.parameter import Array

Metric = Callable[[Array, Any], float]  # of outputs and labels


def batches(
    x: Array, y: ArrayLike, batch_size: int = 32, *, shuffle: bool = True, rng: Rng = None
) -> Iterator[tuple[Array, Array]]:
    """One epoch: pairs (x, y) of ``batch_size`` rows, each row once, in a new random order; the
    last may be smaller. Errors: ValueError for arrays that do not fit together."""
    x, y, batch_size = guards.rows_with_labels(x, y, batch_size)
    order = np.random.default_rng(rng).permutation(len(x)) if shuffle else np.arange(len(x))
    rows_of_batches = np.split(order, range(batch_size, len(x), batch_size))
    # No yield: the guard is to speak at the call. take is faster than x[rows] where rows are long.
    return ((x.take(rows, axis=0), y[rows]) for rows in rows_of_batches)


def train_epoch(
    model: Sequential, loss: Loss, optimizer: Optimizer, batches: Iterable[tuple[Array, Array]],
    *, callbacks: Sequence[Callback] = (), metric: Metric | None = accuracy,
) -> dict[str, float]:  # fmt: skip
    """One pass over any iterable of batches (x, y): loss and metric by name, as means over rows,
    taken while the weights change. Errors: FloatingPointError when the loss is not finite, before
    that step changes any weight; ValueError when there are no batches."""
    guards.learners(model, loss, optimizer, metric)
    rows, total, score = 0, 0.0, 0.0
    for x, y in batches:
        outputs = model.forward(x, training=True)  # (N, C); each layer keeps what it will need
        value = loss.forward(outputs, y)  # one number
        advice.finite_loss(value, model, x, rows)
        model.backward(loss.backward())  # the gradient of the outputs, back through all layers
        optimizer.step()  # theta moves against model.grad
        rows += len(x)
        total += value * len(x)
        score += metric(outputs, y) * len(x) if metric else math.nan
        for callback in callbacks:
            callback.on_batch_end(total / rows, score / rows)
    rows = advice.some_rows(rows, model)
    means = total / rows, score / rows  # without a metric there is one name, for the first
    return dict(zip(names(metric), means, strict=False))


def evaluate(
    model: Sequential, loss: Loss, x: Array, y: ArrayLike, batch_size: int = 1000,
    metric: Metric | None = accuracy,
) -> tuple[float, ...]:  # fmt: skip
    """(loss, metric) of the model as it predicts, Dropout off; (loss,) without a metric."""
    x, y, batch_size = guards.rows_with_labels(x, y, batch_size)
    outputs = model.predict(x, batch_size)
    value = advice.loss_of(loss, outputs, y, model, x)
    return (value, metric(outputs, y)) if metric else (value,)


def names(metric: Metric | None, validated: bool = False) -> list[str]:
    """The keys of a history, as in Keras: loss, accuracy, val_loss, val_accuracy."""
    plain = ["loss", metric.__name__] if metric else ["loss"]
    return plain + [f"val_{name}" for name in plain if validated]


def fit(
    model: Sequential, loss: Loss, optimizer: Optimizer, x: Array, y: ArrayLike, *,
    epochs: int = 1, batch_size: int = 32, validation_split: float = 0.0,
    validation_data: tuple[Array, ArrayLike] | None = None, shuffle: bool = True, rng: Rng = None,
    callbacks: Sequence[Callback] = (), verbose: int = 1, threads: int | None = None,
    metric: Metric | None = accuracy,
) -> History:  # fmt: skip
    """Train, and return the history: loss and metric of each epoch, ``val_`` of both if validated.

    ``validation_split`` holds out the *last* rows, before any shuffling: shuffle data that is
    sorted by class first. ``metric`` is any function of (outputs, labels), or None. ``verbose=1``
    prints a line per epoch. Small products run on one BLAS thread unless ``threads`` is given.
    Ctrl-C ends the training, not the program: the model keeps the weights of that moment, and the
    history is returned. Errors: TypeError and ValueError for arguments that do not fit together;
    FloatingPointError when a loss is not finite, or, after an epoch, a weight.
    """
    x_train, y_train, held_out = guards.fit_arguments(
        model, loss, optimizer, x, y, epochs, batch_size, validation_split, validation_data,
        callbacks, metric, threads,
    )  # fmt: skip
    if validation_split:
        n = math.floor(len(x_train) * (1 - validation_split))
        x_train, y_train, held_out = x_train[:n], y_train[:n], (x_train[n:], y_train[n:])
    advice.rehearsal(model, loss, metric, x_train, y_train, held_out)
    rng = np.random.default_rng(rng)
    history: History = {name: [] for name in names(metric, held_out is not None)}
    session = Session(model, callbacks, history, epochs, batch_size, verbose, x_train, y_train)
    largest = largest_product(model, x_train, batch_size)
    with blas_threads(largest, threads, verbose), session:
        for _ in range(epochs):
            epoch = batches(x_train, y_train, batch_size, shuffle=shuffle, rng=rng)
            result = train_epoch(model, loss, optimizer, epoch, callbacks=callbacks, metric=metric)
            advice.finite_weights(model, x_train[:1])
            if held_out:
                values = evaluate(model, loss, held_out[0], held_out[1], metric=metric)
                result |= {f"val_{key}": value for key, value in zip(result, values, strict=True)}
            for key, value in result.items():
                history[key].append(value)
            if session.ends_here():
                break
    return history
