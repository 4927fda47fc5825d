"""What happens around and between epochs: ``fit`` calls these."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from nnscratch import advice
from nnscratch.guards import unexpected
from nnscratch.model import Sequential
from nnscratch.parameter import Array

History = dict[str, list[float]]


class Callback:
    """What ``fit`` calls on its way; override what you need."""

    def on_train_begin(self, model: Sequential, epochs: int, steps: int) -> None:
        """Before the first of ``epochs`` epochs with ``steps`` steps each."""

    def on_batch_end(self, loss: float, score: float) -> None:
        """After each step, with the means of the epoch so far; the score is NaN if there is no
        metric."""

    def on_epoch_end(self, model: Sequential, history: History) -> bool | None:
        """After each epoch and its validation. True stops the training."""

    def on_train_end(self, model: Sequential) -> None:
        """When training has ended, even by an error."""


class EarlyStopping(Callback):
    """Stop after ``patience`` epochs without progress: ``monitor`` did not improve by more than
    ``min_delta``.

    ``monitor`` is a key of the history; a loss improves downwards, an accuracy upwards, anything
    else as ``larger_is_better`` says. With ``restore_best_weights`` the model ends with the weights
    of its best epoch, also when nothing was stopped. Defaults and rules are Keras'. Errors:
    ValueError for a monitor that is not there; FloatingPointError when it is not finite.
    """

    def __init__(
        self, monitor: str = "val_loss", min_delta: float = 0.0, patience: int = 0,
        restore_best_weights: bool = False, larger_is_better: bool | None = None,
    ) -> None:  # fmt: skip
        if larger_is_better not in (None, True, False):
            what = "larger_is_better to be True or False"
            raise unexpected(what, repr(larger_is_better), "accuracies improve upwards")
        if larger_is_better is None:
            if not monitor.endswith(("loss", "accuracy")):
                fix = "say whether larger_is_better"
                raise unexpected("to monitor a loss or an accuracy", repr(monitor), fix)
            larger_is_better = monitor.endswith("accuracy")
        self.monitor, self.min_delta, self.patience = monitor, abs(min_delta), patience
        self.restore_best_weights, self.sign = restore_best_weights, -1 if larger_is_better else 1

    def on_train_begin(self, model: Sequential, epochs: int, steps: int) -> None:
        self.best, self.wait = math.inf, 0
        self.best_theta: Array | None = None

    def expect_monitor(self, history: History) -> None:
        if self.monitor not in history:
            what = f"monitor to be one of {list(history)}"
            raise unexpected(what, repr(self.monitor), "val_ needs validation")

    def on_epoch_end(self, model: Sequential, history: History) -> bool:
        self.expect_monitor(history)
        value = history[self.monitor][-1]
        if not math.isfinite(value):
            fix = "look at the metric, or monitor something else"
            raise unexpected(f"a finite {self.monitor} to watch", value, fix, FloatingPointError)
        value *= self.sign
        self.wait += 1
        if value < self.best - self.min_delta:
            self.best, self.wait, self.best_theta = value, 0, model.theta.copy()
        return self.wait >= max(self.patience, 1) and len(history[self.monitor]) > 1

    def on_train_end(self, model: Sequential) -> None:
        if self.restore_best_weights and self.best_theta is not None:
            model.theta = self.best_theta


class Session:
    """What surrounds the epochs of ``fit``: callbacks hear of the beginning and of the end, each
    epoch gets its line, and Ctrl-C ends the training, not the program: what was learnt is kept."""

    def __init__(
        self, model: Sequential, callbacks: Sequence[Callback], history: History, epochs: int,
        batch_size: int, verbose: int, x: Array, y: Any,
    ) -> None:  # fmt: skip
        self.model, self.callbacks, self.history = model, callbacks, history
        self.epochs, self.steps, self.verbose = epochs, math.ceil(len(x) / batch_size), verbose
        self.watched, self.said = advice.sample(x, y), set[str]()

    def __enter__(self) -> "Session":
        for callback in self.callbacks:
            if isinstance(callback, EarlyStopping):  # now, and not after an epoch
                callback.expect_monitor(self.history)
            callback.on_train_begin(self.model, self.epochs, self.steps)
        self.say(advice.on_inputs(self.watched[0]))
        return self

    def ends_here(self) -> bool:
        """Say what the epoch came to, and ask every callback whether it was the last one."""
        if self.verbose:
            shown = (f"{key} {values[-1]:.4f}" for key, values in self.history.items() if values)
            print(f"epoch {self.epoch - 1}/{self.epochs}", *shown, sep="  ")
            self.say(advice.on_epoch(self.model, *self.watched))
        answers = [callback.on_epoch_end(self.model, self.history) for callback in self.callbacks]
        return any(isinstance(answer, bool | np.bool_) and answer for answer in answers)

    def say(self, line: str) -> None:
        """Advice, once."""
        if self.verbose and line and line not in self.said:
            print(f"advice: {line}")
            self.said.add(line)

    @property
    def epoch(self) -> int:
        """The one at work, from 1."""
        return len(self.history["loss"]) + 1

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> bool:
        if isinstance(error, KeyboardInterrupt) and self.verbose:
            print(f"interrupted in epoch {self.epoch}: what was learnt is kept")
        if isinstance(error, FloatingPointError):
            error.add_note(f"in epoch {self.epoch}")
        for callback in self.callbacks:
            callback.on_train_end(self.model)
        return isinstance(error, KeyboardInterrupt)
