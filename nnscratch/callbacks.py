"""What happens between epochs: ``fit`` calls these."""

import math

from nnscratch.model import Sequential
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
