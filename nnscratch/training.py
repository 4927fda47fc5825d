"""Training: batches, the loop over them, and what happens between epochs."""

import math
import operator
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike

from nnscratch.initializers import Rng
from nnscratch.losses import Loss
from nnscratch.metrics import accuracy
from nnscratch.model import Sequential
from nnscratch.optimizers import Optimizer
from nnscratch.parameter import Array, expect

History = dict[str, list[float]]


class Callback:
    """What ``fit`` calls on its way; override what you need."""

    def on_train_begin(self, model: Sequential, epochs: int, steps: int) -> None:
        """Before the first of ``epochs`` epochs with ``steps`` steps each."""

    def on_batch_end(self, loss: float, accuracy: float) -> None:
        """After each step, with the means of the epoch so far."""

    def on_epoch_end(self, model: Sequential, history: History) -> bool | None:
        """After each epoch and its validation. True stops the training."""

    def on_train_end(self, model: Sequential) -> None:
        """When training has ended, in whatever way."""


class EarlyStopping(Callback):
    """Stop after ``patience`` epochs without progress: ``monitor`` did not improve by more than ``min_delta``.

    ``monitor`` is a key of the history; losses improve downwards, accuracies upwards. With ``restore_best_weights``
    the model ends with the weights of its best epoch, also when nothing was stopped. Defaults and rules are Keras'.
    """

    def __init__(
        self, monitor: str = "val_loss", min_delta: float = 0.0, patience: int = 0, restore_best_weights: bool = False
    ) -> None:
        self.monitor, self.min_delta, self.patience = monitor, abs(min_delta), patience
        self.restore_best_weights = restore_best_weights

    def on_train_begin(self, model: Sequential, epochs: int, steps: int) -> None:
        self.best, self.wait = math.inf, 0
        self.best_theta: Array | None = None

    def on_epoch_end(self, model: Sequential, history: History) -> bool:
        known = list(history)
        expect(self.monitor in known, f"monitor to be one of {known}, got {self.monitor!r}: val_ needs validation")
        value = history[self.monitor][-1] * (-1 if self.monitor.endswith("accuracy") else 1)
        self.wait += 1
        if value < self.best - self.min_delta:
            self.best, self.wait, self.best_theta = value, 0, model.theta.copy()
        return self.wait >= max(self.patience, 1) and len(history[self.monitor]) > 1

    def on_train_end(self, model: Sequential) -> None:
        if self.restore_best_weights and self.best_theta is not None:
            model.theta = self.best_theta


def batches(
    x: Array, y: ArrayLike, batch_size: int = 32, *, shuffle: bool = True, rng: Rng = None
) -> Iterator[tuple[Array, Array]]:
    """One epoch: pairs (x, y) of ``batch_size`` rows, each row once, in a new random order; the last may be smaller.

    The caller's arrays are not touched. Errors: ValueError for arrays that do not fit together.
    """
    x, y = np.asarray(x), np.asarray(y)
    expect(len(x) == len(y) > 0, f"as many labels as rows of data, and some, got {len(y)} and {len(x)}")
    expect(operator.index(batch_size) >= 1, f"batch_size of at least 1, got {batch_size}")
    order = np.random.default_rng(rng).permutation(len(x)) if shuffle else np.arange(len(x))
    picks = (order[start : start + batch_size] for start in range(0, len(x), batch_size))
    return ((x[rows], y[rows]) for rows in picks)  # not "yield": the checks above are to run at the call


def evaluate(model: Sequential, loss: Loss, x: Array, y: ArrayLike, batch_size: int = 1000) -> tuple[float, float]:
    """(loss, accuracy) of the model as it predicts: Dropout off, nothing learnt."""
    outputs = model.predict(x, batch_size)
    return loss.forward(outputs, y), accuracy(outputs, y)


def fit(
    model: Sequential, loss: Loss, optimizer: Optimizer, x: Array, y: ArrayLike, *, epochs: int = 1,
    batch_size: int = 32, validation_split: float = 0.0, validation_data: tuple[Array, ArrayLike] | None = None,
    shuffle: bool = True, rng: Rng = None, callbacks: Sequence[Callback] = (), verbose: int = 1,
) -> History:  # fmt: skip
    """Train, and return the history: ``loss`` and ``accuracy`` of each epoch, with validation also ``val_`` of both.

    An epoch's loss and accuracy are means over its rows, taken while the weights change; validation comes after.
    ``validation_split`` holds out the *last* rows, before any shuffling: shuffle data that is sorted by class first.
    ``verbose=1`` prints a line per epoch. Ctrl-C ends the training but not the program: the model keeps the weights
    of that moment, and the history, shorter than ``epochs``, is returned.

    Errors: ValueError for arguments that do not fit together; FloatingPointError when the loss is NaN or infinite,
    before that step changes any weight.
    """
    expect(optimizer.model is model, "the optimizer of this model, got one of another: build it with Adam(model)")
    expect(operator.index(epochs) >= 1, f"epochs of at least 1, got {epochs}")
    x, y, rng = np.asarray(x), np.asarray(y), np.random.default_rng(rng)
    if validation_split:
        split = math.floor(len(x) * (1 - validation_split))
        expect(
            validation_data is None and 0 < split < len(x),
            f"validation_data, or a validation_split in (0, 1) that leaves rows to train on, got "
            f"validation_split={validation_split} of {len(x)} rows",
        )
        x, y, validation_data = x[:split], y[:split], (x[split:], y[split:])
    batches(x, y, batch_size, shuffle=False)  # for its checks, before anything is done
    history: History = {"loss": [], "accuracy": []}
    if validation_data is not None:
        x_val, y_val = validation_data = (np.asarray(validation_data[0]), np.asarray(validation_data[1]))
        batches(x_val, y_val, shuffle=False)  # likewise, and one row for the model's: before an epoch is spent
        evaluate(model, loss, x_val[:1], y_val[:1])
        history |= {"val_loss": [], "val_accuracy": []}
    for callback in callbacks:
        callback.on_train_begin(model, epochs, math.ceil(len(x) / batch_size))
    epoch = 0
    try:
        for epoch in range(1, epochs + 1):
            rows, total, right = 0, 0.0, 0.0
            for xb, yb in batches(x, y, batch_size, shuffle=shuffle, rng=rng):
                outputs = model.forward(xb, training=True)
                value = loss.forward(outputs, yb)
                if not math.isfinite(value):
                    raise FloatingPointError(
                        f"the loss became {value} in epoch {epoch}, after {rows} rows: lower the learning rate, and "
                        "check that the data is finite and scaled to [0, 1]"
                    )
                model.backward(loss.backward())
                optimizer.step()
                rows += len(xb)
                total += value * len(xb)
                right += accuracy(outputs, yb) * len(xb)
                for callback in callbacks:
                    callback.on_batch_end(total / rows, right / rows)
            results = [total / rows, right / rows]
            if validation_data is not None:
                results += evaluate(model, loss, *validation_data)
            for values, result in zip(history.values(), results, strict=True):
                values.append(result)
            if verbose:
                print(
                    f"epoch {epoch}/{epochs}", *(f"{key} {values[-1]:.4f}" for key, values in history.items()), sep="  "
                )
            if any([callback.on_epoch_end(model, history) for callback in callbacks]):  # noqa: C419  # call them all
                break
    except KeyboardInterrupt:
        if verbose:
            print(f"interrupted in epoch {epoch}: the model keeps the weights of this moment")
    finally:
        for callback in callbacks:
            callback.on_train_end(model)
    return history
