"""Training: batches, and the loop over them."""

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike

from nnscratch.callbacks import Callback, History
from nnscratch.initializers import Rng
from nnscratch.losses import Loss
from nnscratch.metrics import accuracy
from nnscratch.model import BLOCK, Sequential
from nnscratch.optimizers import Optimizer
from nnscratch.parameter import Array, expect, expect_count, expect_finite, expect_kind
from nnscratch.threads import blas_threads


def batches(
    x: Array, y: ArrayLike, batch_size: int = 32, *, shuffle: bool = True, rng: Rng = None
) -> Iterator[tuple[Array, Array]]:
    """One epoch: pairs (x, y) of ``batch_size`` rows, each row once, in a new random order; the last may be smaller.

    The caller's arrays are not touched. Errors: ValueError for arrays that do not fit together.
    """
    x, y = np.asarray(x), np.asarray(y)
    fit_together = x.ndim > 0 and y.ndim > 0 and len(x) == len(y) > 0
    expect(
        fit_together,
        f"as many labels as rows of data, and some, got {y.shape[:1]} and {x.shape[:1]}: take both from the same rows",
    )
    expect_count(batch_size, "batch_size", 32)
    order = np.random.default_rng(rng).permutation(len(x)) if shuffle else np.arange(len(x))
    picks = (order[start : start + batch_size] for start in range(0, len(x), batch_size))
    # Not "yield": the checks above are to run at the call. take needs a sixth less time than x[rows].
    return ((x.take(rows, axis=0), y[rows]) for rows in picks)


def evaluate(model: Sequential, loss: Loss, x: Array, y: ArrayLike, batch_size: int = 1000) -> tuple[float, float]:
    """(loss, accuracy) of the model as it predicts: Dropout off, nothing learnt."""
    outputs = model.predict(x, batch_size)
    return loss.forward(outputs, y), accuracy(outputs, y)


def fit(
    model: Sequential, loss: Loss, optimizer: Optimizer, x: Array, y: ArrayLike, *, epochs: int = 1,
    batch_size: int = 32, validation_split: float = 0.0, validation_data: tuple[Array, ArrayLike] | None = None,
    shuffle: bool = True, rng: Rng = None, callbacks: Sequence[Callback] = (), verbose: int = 1,
    threads: int | None = None,
) -> History:  # fmt: skip
    """Train, and return the history: ``loss`` and ``accuracy`` of each epoch, with validation also ``val_`` of both.

    An epoch's loss and accuracy are means over its rows, taken while the weights change; validation comes after.
    ``validation_split`` holds out the *last* rows, before any shuffling: shuffle data that is sorted by class first.
    ``verbose=1`` prints a line per epoch. Small products run on one BLAS thread, unless ``threads`` says otherwise
    (``threads.py`` says why). Ctrl-C ends the training but not the program: the model keeps the weights of that moment,
    and the history, shorter than ``epochs``, is returned.

    Errors: TypeError and ValueError for arguments that do not fit together; FloatingPointError when the loss is NaN or
    infinite, before that step changes any weight, and when after an epoch a weight is.
    """
    expect_kind(Loss, loss, "a loss such as SparseCrossEntropy()")
    expect_kind(Optimizer, optimizer, "an optimizer such as Adam(model)")
    its_own = getattr(optimizer, "model", None) is model
    expect(its_own, "the optimizer of this model, got one of another: build it with Adam(model)")
    expect_count(epochs, "epochs", 5)
    if threads is not None:
        expect_count(threads, "threads", 1)
    expect_kind(Sequence, callbacks, "a list of callbacks such as [EarlyStopping()]")
    for callback in callbacks:
        expect_kind(Callback, callback, "a callback such as EarlyStopping()")
    x, y, rng = np.asarray(x), np.asarray(y), np.random.default_rng(rng)
    if validation_split:
        expect(validation_data is None, "validation_split or validation_data, got both: leave one of them out")
        split = math.floor(len(x) * (1 - validation_split))
        expect(
            0 < split < len(x),
            f"a split that leaves rows to train on and to validate with, got validation_split={validation_split} of "
            f"{len(x)} rows: 0.1 is usual",
        )
        x, y, validation_data = x[:split], y[:split], (x[split:], y[split:])
    # Everything is looked at before an epoch is spent.
    batches(x, y, batch_size, shuffle=False)
    _expect_data(model, loss, x, y, "")
    history: History = {"loss": [], "accuracy": []}
    if validation_data is not None:
        pair = isinstance(validation_data, tuple | list) and len(validation_data) == 2
        expect(pair, f"validation_data as a pair (x, y), got {type(validation_data).__name__}: put both in a tuple")
        x_val, y_val = validation_data = (np.asarray(validation_data[0]), np.asarray(validation_data[1]))
        batches(x_val, y_val, shuffle=False)
        _expect_data(model, loss, x_val, y_val, " of the validation data")
        history |= {"val_loss": [], "val_accuracy": []}
    for callback in callbacks:
        callback.on_train_begin(model, epochs, math.ceil(len(x) / batch_size))
    epoch = 0
    largest_product = batch_size * max(p.value.size for p in model.parameters)
    try:
        with blas_threads(largest_product, threads) as changed:
            if verbose and changed:
                print(changed)
            for epoch in range(1, epochs + 1):
                steps = batches(x, y, batch_size, shuffle=shuffle, rng=rng)
                results = _train_epoch(model, loss, optimizer, steps, callbacks, epoch)
                if not np.isfinite(model.theta).all():
                    raise FloatingPointError(_diverged(results[0], model, x, f"epoch {epoch}"))
                if validation_data is not None:
                    results += evaluate(model, loss, *validation_data)
                    if not math.isfinite(results[2]):
                        raise FloatingPointError(
                            _diverged(results[2], model, x_val, f"the validation of epoch {epoch}")
                        )
                for values, result in zip(history.values(), results, strict=True):
                    values.append(result)
                if verbose:
                    shown = (f"{key} {values[-1]:.4f}" for key, values in history.items())
                    print(f"epoch {epoch}/{epochs}", *shown, sep="  ")
                if any([callback.on_epoch_end(model, history) for callback in callbacks]):  # noqa: C419  # call them all
                    break
    except KeyboardInterrupt:
        if verbose:
            print(f"interrupted in epoch {epoch}: what was learnt is kept")
    finally:
        for callback in callbacks:
            callback.on_train_end(model)
    return history


def _expect_data(model: Sequential, loss: Loss, x: Array, y: Array, which: str) -> None:
    """Let the model look at one row, and the loss at all labels: they have checks of their own."""
    expect_finite(x, f"x{which}")
    expect_finite(y, f"y{which}")
    outputs = np.repeat(model.predict(x[:1]), min(len(y), BLOCK), axis=0)
    for start in range(0, len(y), BLOCK):
        labels = y[start : start + BLOCK]
        loss.forward(outputs[: len(labels)], labels)


def _train_epoch(
    model: Sequential, loss: Loss, optimizer: Optimizer, steps: Iterator[tuple[Array, Array]],
    callbacks: Sequence[Callback], epoch: int,
) -> tuple[float, ...]:  # fmt: skip
    """(loss, accuracy) of one epoch, as means over its rows."""
    rows, total, right = 0, 0.0, 0.0
    for step, (x, y) in enumerate(steps, start=1):
        outputs = model.forward(x, training=True)
        value = loss.forward(outputs, y)
        if not math.isfinite(value):
            raise FloatingPointError(_diverged(value, model, x, f"epoch {epoch}, step {step}"))
        model.backward(loss.backward())
        optimizer.step()
        rows += len(x)
        total += value * len(x)
        right += accuracy(outputs, y) * len(x)
        for callback in callbacks:
            callback.on_batch_end(total / rows, right / rows)
    return total / rows, right / rows


def _diverged(value: float, model: Sequential, x: Array, when: str) -> str:
    """What to say when the loss, or a weight, is not finite."""
    for i, layer in enumerate(model.layers):
        if not all(np.isfinite(p.value).all() for p in layer.parameters):
            return (
                f"expected finite weights, got others in layer {i}, {layer!r}, in {when}: lower the learning rate; "
                "check_layer tells whether a gradient is wrong"
            )
    where = "although all layers' outputs are"
    with np.errstate(all="ignore"):  # an error is being raised already: no warnings on top of it
        for i, y in enumerate(model.outputs(x)):
            if not np.isfinite(y).all():
                where = f"layer {i}, {model.layers[i]!r}, being the first whose outputs are not"
                break
    return f"expected a finite loss, got {value} in {when}, {where}: lower the learning rate, scale x to about [0, 1]"
