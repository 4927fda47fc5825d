"""Numbers as text: a model's summary, the classification report, settings in a debugger."""

import copy
from typing import Any

import numpy as np


def report(classes: Any, scores: Any, support: Any, accuracy: float) -> str:
    """Precision, recall and F1 (3, C) of each class, as scikit-learn lays them out."""

    def row(name: object, values: Any, count: int) -> str:
        return f"{name:>12} " + "".join(f" {value:>9.2f}" for value in values) + f" {count:>9}"

    n = support.sum()
    lines = [" " * 13 + " precision    recall  f1-score   support", ""]
    lines += [row(k, scores[:, i], support[i]) for i, k in enumerate(classes)]
    lines += ["", f"{'accuracy':>12} {accuracy:>30.2f} {n:>9}"]
    lines += [row("macro avg", scores.mean(axis=1), n)]  # each class counts the same
    lines += [row("weighted avg", scores @ support / n, n)]  # each case does
    return "\n".join(lines) + "\n"


def summary(model: Any) -> str:
    """A table of a model's layers with their output shapes and numbers of parameters."""
    # Before any data was seen, the first Dense tells how wide a row must be.
    widths = [(layer.n_in,) for layer in model.layers if hasattr(layer, "n_in")]
    shape = getattr(model, "row_shape", None) or (widths[0] if widths else None)
    lines = [f"{'Layer':<24}{'Output shape':<20}{'Params':>12}"]
    twin = copy.deepcopy(model)  # what the layers remember is not disturbed
    x = None if shape is None else np.zeros((1, *shape), model.theta.dtype)
    if x is not None:
        twin.forward(x)
    for layer in twin.layers:
        x = None if x is None else layer.forward(x)
        shown = "?" if x is None else f"(N, {str(x.shape[1:])[1:].rstrip(',)')})"
        lines.append(f"{layer!r:<24}{shown:<20}{sum(p.value.size for p in layer.parameters):>12,}")
    total = f"Total params: {model.theta.size:,} ({model.theta.nbytes / 1024:,.2f} KB)"
    return Text("\n".join([*lines, total]))


class Text(str):
    """A text that a notebook shows as it is, without quotes and backslashes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def settings(owner: Any) -> str:
    """The class and its numbers, such as Adam(learning_rate=0.001, ...), for a debugger."""
    settings = {name: value for name, value in vars(owner).items() if name.startswith("_")}
    shown = (f"{name[1:]}={value:g}" for name, value in settings.items())
    return f"{type(owner).__name__}({', '.join(shown)})"
