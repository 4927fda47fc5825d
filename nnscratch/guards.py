"""Guards: every check of an argument, and the words of its message.

A guard is the first line of a method, named for what it expects; it returns its arguments,
converted where that helps. What Python and NumPy say clearly by themselves is not checked. The
guards stand in the order in which a training meets them: a model, the door of ``fit``, a step.
"""

import math
import operator
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from nnscratch.parameter import Array, Labels

Error = type[Exception]

MODEL = "a model such as Sequential([Dense(784, 10)])"
LAYERS = "a list of layers such as [Dense(784, 10), Sigmoid()]"
LOSS = "a loss such as SparseCrossEntropy()"
CALLBACK = "on_train_begin on_batch_end on_epoch_end on_train_end"
SAME_ROWS = "give those of the same rows"


class StaleBackwardError(RuntimeError):
    """backward was called without the forward of the same batch."""


def unexpected(what: object, got: object, fix: str, kind: Error = ValueError) -> Exception:
    """The error to raise."""
    return kind(f"expected {what}, got {got}: {fix}")


def instance(kind: type | tuple[type, ...], value: Any, what: str) -> Any:
    """The value, if it is of that kind; a class is not yet one."""
    if not isinstance(value, kind):
        raise unexpected(what, repr(value), "create one", TypeError)
    return value


def count(value: Any, what: str, usual: int) -> int:
    """The value as an int, if it is a whole number of at least 1."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or value < 1:
        kind = ValueError if whole else TypeError
        fix = f"give a whole number such as {usual}"
        raise unexpected(f"{what} of at least 1", repr(value), fix, kind)
    return int(value)


def number(
    name: str, low: float, high: float, *, usual: float, open: bool = False, once: bool = False
) -> Any:
    """A property for a setting, checked whenever it is assigned: low <= value < high, or low <
    value if ``open``. It is kept as a Python float: an np.float64 would make float32 float64."""

    def assign(self: Any, value: Any) -> None:
        value = within(low, high, value, name, usual, open)
        if once and getattr(self, f"_{name}", value) != value:
            fix = "build a new optimizer"
            raise unexpected(f"{name} to stay as it is", value, fix, AttributeError)
        setattr(self, f"_{name}", value)

    return property(operator.attrgetter(f"_{name}"), assign)


def within(low: float, high: float, value: Any, name: str, usual: float, open: bool) -> float:
    if not (low < value < high or (value == low and not open)):
        where = f"{'>' if open else '>='} {low:g} and finite"
        where = where if high == math.inf else f"in {'(' if open else '['}{low:g}, {high:g})"
        raise unexpected(f"{name} {where}", value, f"{usual:g} is usual")
    return float(value)


# ---- What a model is built of -------------------------------------------------------------------


def copy_of_floats(value: Any) -> "Array":
    """For a Parameter: a copy, as the caller's array is not ours to train."""
    array = np.array(value, order="C")
    if array.dtype not in (np.float32, np.float64):
        fix = "convert with .astype(np.float32)"
        raise unexpected("float32 or float64", array.dtype, fix, TypeError)
    return array


def floats(dtype: Any) -> Any:
    if np.dtype(dtype) not in (np.float32, np.float64):
        raise unexpected("np.float32 or np.float64", dtype, "others are no weights", TypeError)
    return dtype


def same_shape(new: Any, array: "Array", name: str, owner: Any) -> Any:
    """What is assigned to an array; NumPy alone would broadcast other shapes without a word."""
    shape = np.shape(new)
    if shape != array.shape:
        name += f" of {owner.name}" if getattr(owner, "name", "") else ""
        fix = "transpose it, .T" if shape == array.shape[::-1] else "assign all of it"
        fix = "sum over the rows, .sum(axis=0)" if shape[1:] == array.shape else fix
        raise ValueError(f"{name}: {unexpected(f'shape {array.shape}', shape, fix)}")
    return new


def layers_in_a_row(layers: Any, kind: type) -> tuple[Any, ...]:
    """A tuple: a layer that is put into a list later would not be trained."""
    layers = tuple(instance(Iterable, layers, LAYERS))
    if not layers or not all(isinstance(layer, kind) for layer in layers):
        raise unexpected(LAYERS, list(layers), "create each of them", TypeError)
    return layers


def parts_of_one_model(layers: Sequence[Sequence[tuple[str, Any]]]) -> None:
    """The parameters and inner layers of each layer, by their places: new ones, and none twice."""
    places: dict[int, str] = {}
    for i, parts in enumerate(layers):
        for name, part in parts:
            place = f"layer {i} {name}".rstrip()
            if id(part) in places:
                got = f"one of them, or a part of one, twice, as {places[id(part)]} and {place}"
                raise unexpected("different layers", got, "build one for each place")
            places[id(part)] = place
            base = getattr(getattr(part, "value", None), "base", None)
            if base is not None and base.size > part.value.size:  # it is a view of another theta
                fix = "use copy.deepcopy(layer), and within a layer Chain instead of Sequential"
                raise unexpected("new layers", f"one of another model, {place}", fix)


def model_to_train(model: Any, kind: type) -> Any:
    if not instance(kind, model, MODEL).parameters:
        raise unexpected("a model with parameters", "none to train", "add a Dense layer")
    return model


# ---- The door of fit and evaluate: everything is looked at before an epoch is spent -------------


def unmasked(x: Any) -> "Array":
    if isinstance(x, np.ma.MaskedArray):  # NumPy would take what is masked for data
        raise unexpected("an array", "a masked one", "leave out rows or fill them", TypeError)
    return np.asarray(x)


def rows(x: Any, batch_size: Any) -> tuple["Array", int]:
    x = unmasked(x)
    if x.ndim == 0 or len(x) == 0:
        got = f"shape {x.shape}" if x.ndim else "a single number"
        raise unexpected("rows of data (N, ...)", got, "give an array of at least one row")
    return x, count(batch_size, "batch_size", 1000)


def rows_with_labels(x: Any, y: Any, batch_size: Any) -> tuple["Array", "Array", int]:
    x, y = unmasked(x), unmasked(y)
    if x.ndim == 0 or y.ndim == 0 or len(x) != len(y) or len(x) == 0:
        got = f"{y.shape[:1]} and {x.shape[:1]}"
        raise unexpected("as many labels as rows of data, and some", got, SAME_ROWS)
    return x, y, count(batch_size, "batch_size", 32)


def keeping(contract: str, value: Any, what: str) -> None:
    """A value with these attributes, of whatever class; a class itself is not yet one."""
    if isinstance(value, type) or not all(hasattr(value, name) for name in contract.split()):
        raise unexpected(what, repr(value), "create one", TypeError)


def learners(model: Any, loss: Any, optimizer: Any, metric: Any) -> None:
    keeping("forward backward theta", model, MODEL)
    keeping("forward backward", loss, LOSS)
    keeping("step model", optimizer, "an optimizer such as Adam(model)")
    if optimizer.model is not model:
        raise unexpected("the optimizer of this model", "another's", "build it with Adam(model)")
    if metric is not None and not hasattr(metric, "__name__"):
        raise unexpected("a metric with a name", repr(metric), "define a function", TypeError)
    if metric is not None and metric.__name__ == "loss":
        raise unexpected("a metric of another name", "loss", "that is the key of the loss itself")


def fit_arguments(
    model: Any, loss: Any, optimizer: Any, x: Any, y: Any, epochs: Any, batch_size: Any,
    validation_split: Any, validation_data: Any, callbacks: Any, metric: Any, threads: Any,
) -> tuple[Any, Any, Any]:  # fmt: skip
    """x, y and the validation data, as arrays."""
    learners(model, loss, optimizer, metric)
    count(epochs, "epochs", 5)
    count(threads if threads is not None else 1, "threads", 1)
    for callback in instance(Sequence, callbacks, "a list of callbacks such as [EarlyStopping()]"):
        keeping(CALLBACK, callback, "a callback such as EarlyStopping()")
        for name in dir(callback):
            if name.startswith("on_") and name not in CALLBACK.split():
                raise unexpected(f"a callback's methods, {CALLBACK}", name, "nobody would call it")
    x, y, _ = rows_with_labels(x, y, batch_size)
    if validation_split:
        if not 0 < math.floor(len(x) * (1 - validation_split)) < len(x):
            got = f"validation_split={validation_split} of {len(x)} rows"
            raise unexpected("rows to train on and rows to validate with", got, "0.1 is usual")
        if validation_data is not None:
            raise unexpected("validation_split or validation_data", "both", "leave one out")
    if validation_data is not None:
        if not isinstance(validation_data, tuple | list) or len(validation_data) != 2:
            got = type(validation_data).__name__
            raise unexpected("validation_data as a pair (x, y)", got, "put both in a tuple")
        x_val, y_val = validation_data
        validation_data = rows_with_labels(x_val, y_val, batch_size)[:2]
    return x, y, validation_data


# ---- A step: what is checked here must be cheap -------------------------------------------------


def batch(x: Any, dtype: Any) -> "Array":
    """Rows of floats, in the model's precision."""
    x = np.asarray(x)
    if x.dtype == dtype and x.ndim > 1 and len(x):  # the usual case, first
        return x
    if x.dtype.kind != "f":
        fix = "divide numbers by their scale; give tokens.astype(np.float32) to an embedding"
        fix = "x / np.float32(255)" if x.dtype == np.uint8 or x.ndim > 2 else fix
        raise unexpected("numbers scaled to floats", x.dtype, fix, TypeError)
    if x.ndim < 2 or len(x) == 0:
        fix = "x[np.newaxis] makes a row of one, x[:, np.newaxis] rows of one number"
        raise unexpected("rows of data (N, ...)", f"shape {x.shape}", fix)
    return x.astype(dtype)


def rows_of_width(x: "Array", n_in: int, layer: Any) -> "Array":
    if x.ndim != 2 or x.shape[1] != n_in:
        fix = "x[np.newaxis] makes a row of one" if x.ndim < 2 else "put Flatten() before it"
        fix = f"make it Dense({x.shape[1]}, {layer.n_out})" if x.ndim == 2 else fix
        raise ValueError(f"{layer!r}: {unexpected(f'x of shape (N, {n_in})', x.shape, fix)}")
    return x


def outputs_and_labels(outputs: Any, labels: Any) -> tuple["Array", "Array"]:
    """Outputs (N, C), and as many labels as rows: a single one would silently count for all."""
    outputs, labels = np.asarray(outputs), np.asarray(labels)
    if (
        outputs.ndim != 2
        or len(outputs) < 1
        or outputs.shape[1] < 2
        or outputs.dtype.char not in "fd"
    ):
        what = "outputs (N, C) as float32 or float64 for 2 or more classes"
        fix = "end the model with a Dense of one output for each class"
        raise unexpected(what, f"{outputs.dtype} {outputs.shape}", fix)
    if labels.ndim and len(labels) != len(outputs):
        raise unexpected(f"{len(outputs)} labels, one a row", len(labels), SAME_ROWS)
    return outputs, labels


def scores_and_labels(outputs: Any, labels: Any) -> tuple["Array", "Array"]:
    """The same with outputs of at least 0."""
    scores, labels = outputs_and_labels(outputs, labels)
    if scores.min() < 0:
        fix = "end the model with Softmax() or Sigmoid(), or use SoftmaxCrossEntropy() on logits"
        raise unexpected("scores of at least 0", scores.min(), fix)
    return scores, labels


def exactly_one_true(rows: Any, labels: "Labels") -> Any:
    """Rows (N, C) of True and False, with one True each: a label out of range is in no column."""
    if rows.ndim != 2:
        fix = (
            "use labels.ravel() on a column; on one-hot rows CrossEntropy or labels.argmax(axis=1)"
        )
        raise unexpected("integer labels of shape (N,)", labels.shape, fix)
    if labels.dtype.kind not in "iu":
        raise unexpected("integer labels", labels.dtype, "use labels.astype(int)", TypeError)
    if np.count_nonzero(rows) != len(rows):
        raise out_of_range(labels, rows.shape[1])
    return rows


def out_of_range(labels: "Labels", n: int) -> Exception:
    fix = "number the classes from 0, or give the last layer more outputs"
    return unexpected(f"labels from 0 to {n - 1}", f"{labels.min()} to {labels.max()}", fix)


def distributions(labels: "Array", n_classes: int, dtype: Any) -> "Array":
    """Rows (N, C) of at least 0 that sum to 1."""
    fits = labels.ndim == 2 and labels.shape[1] == n_classes and labels.min() >= 0
    if not fits or not np.allclose(labels.sum(axis=1), 1, atol=1e-3):
        what = f"labels as one-hot rows or distributions of {n_classes} classes"
        got = f"shape {labels.shape} or rows that do not sum to 1"
        raise unexpected(what, got, "integer labels go with SparseCrossEntropy")
    return labels.astype(dtype, copy=False)


def gradient_of_outputs(dy: Any, shape: tuple[int, ...] | None) -> Any:
    """dy in the shape of the outputs that forward returned last."""
    if shape is None:
        what = "backward after the forward of the same batch"
        got, fix = "it after predict, evaluate, or nothing", "call forward right before it"
        raise unexpected(what, got, fix, StaleBackwardError)
    if dy.shape != shape:
        fix = "give what loss.backward() returns"
        if dy.shape == (shape[0], shape[0]):
            fix += "; targets (N,) against outputs (N, 1) make (N, N): use y[:, np.newaxis]"
        raise unexpected(f"dy of the outputs' shape {shape}", dy.shape, fix)
    return dy


def classes_and_labels(scores: Any, labels: Any) -> tuple["Array", "Array"]:
    """For accuracy: scores (N, C), and as many labels, integers or rows that sum to 1."""
    scores, labels = np.asarray(scores), np.asarray(labels)
    fix = "use metric=None in fit and evaluate where there are no classes to tell apart"
    if scores.ndim != 2 or scores.shape[1] < 2:
        raise unexpected("scores (N, C) of 2 or more classes", scores.shape, fix)
    if (largest := scores.max()) != largest:  # NaN, which argmax would call the largest
        raise unexpected("numbers as scores", "NaN", "look at the model that made them")
    if labels.ndim == 2 and labels.shape == scores.shape:
        if labels.min() < 0 or not math.isclose(labels.sum(), len(labels), rel_tol=1e-3):
            raise unexpected("labels in rows that sum to 1", "others", fix)
    elif labels.shape != scores.shape[:1]:
        raise unexpected(f"{len(scores)} labels, one a row", f"shape {labels.shape}", SAME_ROWS)
    elif labels.dtype.kind not in "iu":
        raise unexpected("integer labels", labels.dtype, "use labels.astype(int)", TypeError)
    elif labels.astype(np.uint64).max() >= scores.shape[1]:  # there -1 is a large number
        raise out_of_range(labels, scores.shape[1])
    return scores, labels


# ---- Numbers to read, weights to keep ------------------------------------------------------------


def pairs_of_labels(labels: Any, predicted: Any, n_classes: int) -> tuple["Labels", "Labels"]:
    """As many of both, integers from 0 to n_classes - 1, in a type wide enough to multiply them."""
    both = np.asarray(labels), np.asarray(predicted)
    if len(both[0]) != len(both[1]):
        raise unexpected(f"as many as {len(both[0])} predictions", len(both[1]), SAME_ROWS)
    for each in both:
        exactly_one_true(each[:, np.newaxis] == np.arange(n_classes), each)
    return both[0].astype(np.intp), both[1].astype(np.intp)


def named_labels(labels: Any, predicted: Any) -> tuple[int, Any]:
    """How many labels there are, and labels and predictions, of any type, one after the other."""
    if len(labels) == 0:
        raise unexpected("at least one label", "none", "give those of some rows")
    return len(labels), np.concatenate([labels, predicted])


def weights(weights: Any, parameters: Sequence[Any]) -> list["Array"]:
    """All of them: what does not fit or cannot be converted is an error before anything changes."""
    expected, got = [p.value.shape for p in parameters], [np.shape(w) for w in weights]
    if got != expected:
        raise unexpected(f"weights of shapes {expected}", got, "build the model they belong to")
    return [np.asarray(w, p.value.dtype) for w, p in zip(weights, parameters, strict=True)]
