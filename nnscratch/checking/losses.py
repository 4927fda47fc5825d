"""What a loss promises besides the right gradient; ``check_loss`` asks for all of it."""

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from nnscratch.checking.batches import MANY, at_other_rows
from nnscratch.checking.gradients import Subject, check_gradients
from nnscratch.checking.promises import CALLS, same
from nnscratch.checking.report import GradientError, Report
from nnscratch.checking.twins import Twin
from nnscratch.losses import Loss
from nnscratch.parameter import Array


def expect(kept: Any, loss: Loss, what: str, got: str, fix: str) -> None:
    """GradientError unless the promise is kept."""
    if not kept:
        raise GradientError(f"{loss!r}: expected {what}, got {got}: {fix}")


def loss_alone(loss: Loss, outputs: Array, labels: ArrayLike) -> Any:
    """loss.forward(outputs, labels), seeing to it that both stay as they are and that a number
    comes back."""
    given, given_labels = outputs.copy(), np.array(labels)
    value: Any = loss.forward(given, given_labels)
    if np.ndim(value) or value is None:
        raise GradientError(
            f"{loss!r}: expected forward to return one number, got {value!r}: return the mean"
        )
    for name, now, before in (("outputs", given, outputs), ("labels", given_labels, labels)):
        if not np.array_equal(now, before):
            raise GradientError(
                f"{loss!r}: forward changed its argument {name}: work on a new array"
            )
    return value


def subject_of(twin: Twin, labels: ArrayLike) -> Subject:
    """The loss at these labels, as a function of the outputs."""
    return Subject(
        twin, lambda loss, x: loss_alone(loss, x, labels),
        lambda loss, dy: [dy * gradient_alone(loss)], lambda loss: [],
    )  # fmt: skip


def gradient_alone(loss: Loss) -> Any:
    """loss.backward(), which returns an array."""
    got: Any = loss.backward()
    if not isinstance(got, np.ndarray):
        fix = "does it end with return?"
        expect(False, loss, "backward to return an array", repr(got), fix)
    return got


def results(loss: Loss, outputs: Array, labels: ArrayLike) -> tuple[Any, Array]:
    """The value, and a copy of its gradient."""
    return loss_alone(loss, outputs, labels), gradient_alone(loss).copy()


def check_calls(new: Twin, outputs: Array, labels: ArrayLike) -> None:
    """Value and gradient do not depend on what was asked before."""
    loss, used, others = new.subject, new.twin(), np.asarray(labels)[::-1]
    for x in [outputs, outputs[::-1]] * (CALLS // 2):
        results(used.rewind(), x, others)
    value, gradient = results(new.rewind(), outputs, labels)
    for name, one, other in zip(
        ("loss", "gradient"), (value, gradient), results(used.rewind(), outputs, labels),
        strict=True,
    ):  # fmt: skip
        expect(
            np.array_equal(one, other, equal_nan=True), loss, f"the same {name} after other calls",
            "another", "forward must set all that backward reads, each time",
        )  # fmt: skip
    try:
        again: Any = loss.backward()
    except Exception:  # it is used up, and says so
        return
    expect(
        np.array_equal(again, gradient, equal_nan=True), loss,
        "the same gradient from a second backward", "another",
        "backward must not write into what forward kept; or it may refuse, with an error",
    )  # fmt: skip


def check_rows(
    twin: Twin, outputs: Array, labels: ArrayLike, rng: np.random.Generator, mixes_rows: bool
) -> str:
    """Other numbers of rows: the mean stays the same, and the gradient is right at each of them."""
    n, loss, labels = len(outputs), twin.subject, np.asarray(labels)
    if labels.shape[:1] != (n,):
        return "not tested: other numbers of rows, as there is not one label a row"
    value, gradient = results(twin.rewind(), outputs, labels)
    steepest = int(np.abs(gradient).reshape(n, -1).max(axis=1).argmax())
    twice, many = np.arange(2 * n) % n, np.arange((MANY // n + 1) * n) % n
    if not mixes_rows:
        check_pairs(twin, outputs, labels, value)
    for rows in (twice, many):
        other = at_other_rows(loss, len(rows), partial(loss_of_rows, twin, outputs, labels, rows))
        often = "twice" if rows is twice else f"{len(rows) // n} times"
        expect(
            mixes_rows or same(np.asarray(other), np.asarray(value)), loss,
            f"a batch that has each row {often} to have the same loss",
            f"{float(other / (value or 1)):.9g} times it",
            "take the mean over the rows, of which there may be any number (mixes_rows=True, if "
            "another sum is meant)",
        )  # fmt: skip
    for rows in (twice, many) if mixes_rows else (np.array([steepest]), twice, many):
        check = partial(gradient_of_rows, twin, outputs, labels, rows, rng)
        at_other_rows(loss, len(rows), check).expect_right()
    alone = "" if mixes_rows else "1, "
    return f"batches of {alone}{len(twice)} and {len(many)} rows" + (" agree" if alone else "")


def check_pairs(twin: Twin, outputs: Array, labels: Any, value: Any) -> None:
    """Each row goes with its own label, and in whatever order."""

    def same_with(outputs: Array, labels: Any) -> bool:
        return same(np.asarray(loss_alone(twin.rewind(), outputs, labels)), np.asarray(value))

    loss, n = twin.subject, len(labels)
    shifted, first = np.roll(labels, 1, axis=0), labels[:1].repeat(n, axis=0)
    expect(
        same_with(outputs[::-1], labels[::-1]), loss, "the same loss of the rows in another order",
        "another", "a label must go with its own row: has it been broadcast to others?",
    )  # fmt: skip
    alike = np.array_equal(shifted, labels) or np.ptp(outputs, axis=0).max(initial=0) == 0
    ignored = alike or same_with(outputs, first)
    expect(
        ignored or not same_with(outputs, shifted), loss,
        "another loss where each row has the label of another", "the same",
        "each row needs its own label: (N, 1) and (N,) are broadcast to (N, N)",
    )  # fmt: skip


def loss_of_rows(twin: Twin, outputs: Array, labels: Any, rows: Any) -> Any:
    return loss_alone(twin.rewind(), outputs[rows], labels[rows])


def gradient_of_rows(
    twin: Twin, outputs: Array, labels: Any, rows: Any, rng: np.random.Generator
) -> Report:
    name = f"doutputs, {len(rows)} rows"
    return check_gradients(subject_of(twin, labels[rows]), outputs[rows], [name], rng)


def check_float32(twin: Twin, outputs: Array, labels: ArrayLike) -> str:
    """In float32 the gradient is float32, and both have float64's values at its accuracy."""
    loss, small = twin.subject, outputs.astype(np.float32)
    if np.asarray(labels).dtype.kind == "f":
        labels = np.asarray(labels, np.float32)
    value, gradient = results(twin.rewind(), small, labels)
    expected = results(twin.rewind(), small.astype(np.float64), labels)
    expect(
        gradient.dtype == np.float32, loss, "float32 from backward, as the outputs were",
        str(gradient.dtype), "convert labels and numbers with .astype(outputs.dtype) or float()",
    )  # fmt: skip
    for name, one, other in zip(("loss", "gradient"), (value, gradient), expected, strict=True):
        close = np.abs(one - other).max() <= 1e-3 * np.abs(other).max() + 1e-6
        fix = "is there another formula for it?"
        expect(close, loss, f"the {name} in float32 to be that in float64", "another", fix)
    return "float32 stays float32 and has float64's values"


def check_stale(loss: Loss) -> str:
    """A backward without a forward is refused, in whatever way."""
    try:
        got: Any = loss.backward()
    except Exception:
        return "backward before forward is refused"
    expect(
        not isinstance(got, np.ndarray) or not got.size, loss,
        "a backward without a forward to be refused", "a result",
        "let forward, and nothing else, set what backward reads (and check a loss that is new)",
    )  # fmt: skip
    return "backward before forward is refused"
