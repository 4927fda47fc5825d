"""What happens around and between epochs: ``fit`` calls these."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

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
        """When training has ended, in whatever way."""


class EarlyStopping(Callback):
    """Stop after ``patience`` epochs without progress: ``monitor`` did not improve by more than
    ``min_delta``.

    ``monitor`` is a key of the history; losses improve downwards, accuracies upwards. With
    ``restore_best_weights`` the model ends with the weights of its best epoch, also when nothing
    was stopped. Defaults and rules are Keras'.
    """

    def __init__(
        self, monitor: str = "val_loss", min_delta: float = 0.0, patience: int = 0,
        restore_best_weights: bool = False,
    ) -> None:  # fmt: skip
        self.monitor, self.min_delta, self.patience = monitor, abs(min_delta), patience
        self.restore_best_weights = restore_best_weights

    def on_train_begin(self, model: Sequential, epochs: int, steps: int) -> None:
        self.best, self.wait = math.inf, 0
        self.best_theta: Array | None = None

    def on_epoch_end(self, model: Sequential, history: History) -> bool:
        known = list(history)
        if self.monitor not in known:
            fix = "val_ needs validation"
            raise unexpected(f"monitor to be one of {known}", repr(self.monitor), fix)
        value = history[self.monitor][-1] * (-1 if self.monitor.endswith("accuracy") else 1)
        self.wait += 1
        if value < self.best - self.min_delta:
            self.best, self.wait, self.best_theta = value, 0, model.theta.copy()
        return self.wait >= max(self.patience, 1) and len(history[self.monitor]) > 1

    def on_train_end(self, model: Sequential) -> None:
        if self.restore_best_weights and self.best_theta is not None:
            model.theta = self.best_theta


@contextmanager
def session(
    model: Sequential,
    callbacks: Sequence[Callback],
    history: History,
    epochs: int,
    steps: int,
    verbose: int,
) -> Iterator[None]:
    """What surrounds the epochs: callbacks hear of the beginning and of the end, and Ctrl-C ends
    the training but not the program, so that what was learnt is kept."""
    for callback in callbacks:
        callback.on_train_begin(model, epochs, steps)
    try:
        yield
    except KeyboardInterrupt:
        if verbose:
            print(f"interrupted in epoch {len(history['loss']) + 1}: what was learnt is kept")
    except FloatingPointError as error:
        error.add_note(f"in epoch {len(history['loss']) + 1}")
        raise
    finally:
        for callback in callbacks:
            callback.on_train_end(model)


def ends_training(
    model: Sequential, callbacks: Sequence[Callback], history: History, epochs: int, verbose: int
) -> bool:
    """Say what an epoch came to, and ask every callback whether it was the last one."""
    if verbose:
        shown = (f"{name} {values[-1]:.4f}" for name, values in history.items())
        print(f"epoch {len(history['loss'])}/{epochs}", *shown, sep="  ")
    answers = [callback.on_epoch_end(model, history) for callback in callbacks]  # of all of them
    return True in answers
