"""Classic mistakes, to be planted one at a time, and the check that has to catch each.

A bug is a change of a few characters in the framework's own source, as somebody might have typed it: the table below
shows the right line and the wrong one. ``planted(bug)`` swaps the code inside the function itself, so that whoever has
imported it before runs the wrong one too. ``python -m tests.write_bugs_page`` trains with each of them.
"""

import inspect
import textwrap
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import pytest

from nnscratch import (
    SGD,
    Adam,
    CrossEntropy,
    Dense,
    Dropout,
    EarlyStopping,
    Flatten,
    ReLU,
    Sequential,
    Sigmoid,
    Softmax,
    SoftmaxCrossEntropy,
    SparseCrossEntropy,
    batches,
    check_layer,
    check_loss,
    fit,
    train_epoch,
)
from nnscratch.metrics import one_hot
from tests import test_layers, test_losses, test_metrics, test_model, test_optimizers, test_training


class Check(NamedTuple):
    name: str
    run: Callable[[], Any]  # raises an AssertionError where something is wrong


class Setting(NamedTuple):
    """What is trained with a bug, and without it."""

    text: str
    layers: Callable[[np.random.Generator], list]
    loss: type = SparseCrossEntropy
    optimizer: Callable[[Sequential], Any] = Adam
    arguments: dict | None = None  # of fit


class Bug(NamedTuple):
    edits: list[tuple[Callable, str, str]]  # function of the framework, what it says, what it says with the bug
    caught_by: Check
    why: str  # training still seems to work; numbers of the trainings right and wrong may stand in it
    setting: str = "sigmoid"


def layer(kind):
    """check_layer, as the suite calls it for each layer of the framework."""
    make, shape = test_layers.CASES[kind]
    return Check(
        f"`check_layer` on {kind.__name__}",
        lambda: check_layer(make(), np.random.default_rng(0).standard_normal(shape)),
    )


def loss(kind):
    """check_loss, likewise."""

    def run():
        rng = np.random.default_rng(0)
        outputs, labels = (make(rng) for make in test_losses.CASES[kind])
        check_loss(kind(), outputs, labels)

    return Check(f"`check_loss` on {kind.__name__}", run)


def suite(test, **arguments):
    """A test of the suite; of one with Hypothesis, one example."""
    test = test.hypothesis.inner_test if hasattr(test, "hypothesis") else test

    def run():
        random = {"rng": np.random.default_rng(0)} if "rng" in inspect.signature(test).parameters else {}
        test(**random, **arguments)

    return Check(f"`{test.__name__}`", run)


EVERY_ROW = suite(test_training.test_every_row_once_with_its_label, n=50, batch_size=8, shuffle=True, seed=0)


def hidden(rng):
    return [Flatten(), Dense(784, 100, rng=rng), ReLU(), Dense(100, 10, rng=rng)]


def sigmoid(rng):
    return [*hidden(rng), Sigmoid()]


def sigmoid_inside(rng):
    return [Flatten(), Dense(784, 100, rng=rng), Sigmoid(), Dense(100, 10, rng=rng), Softmax()]


def softmax(rng):
    return [*hidden(rng), Softmax()]


def dropout(rng):
    return [*hidden(rng)[:-1], Dropout(0.5, rng=rng), Dense(100, 10, rng=rng), Softmax()]


SETTINGS = {
    "sigmoid": Setting("784-100 ReLU-10 sigmoid, `SparseCrossEntropy`, `Adam`", sigmoid),
    "batches of 40": Setting(
        "the same in batches of 40, so that none is shorter", sigmoid, arguments={"batch_size": 40}
    ),
    "SGD": Setting("the same with `SGD(learning_rate=0.1)`", sigmoid, optimizer=lambda model: SGD(model, 0.1)),
    "decay": Setting(
        "the same with `Adam(weight_decay=0.1)`", sigmoid, optimizer=lambda model: Adam(model, weight_decay=0.1)
    ),
    "validated": Setting("the same with a fifth held out", sigmoid, arguments={"validation_split": 0.2}),
    "stopped": Setting(
        "the same with a fifth held out, `Adam(learning_rate=0.01)`, at most 30 epochs and "
        "`EarlyStopping(patience=2, restore_best_weights=True)`",
        sigmoid,
        optimizer=lambda model: Adam(model, 0.01),
        arguments={
            "validation_split": 0.2,
            "epochs": 30,
            "callbacks": [EarlyStopping(patience=2, restore_best_weights=True)],
        },
    ),
    "sigmoid inside": Setting("784-100 sigmoid-10 softmax, `SparseCrossEntropy`, `Adam`", sigmoid_inside),
    "softmax": Setting("784-100 ReLU-10 softmax, `SparseCrossEntropy`, `Adam`", softmax),
    "logits": Setting("784-100 ReLU-10, `SoftmaxCrossEntropy`, `Adam`", hidden, SoftmaxCrossEntropy),
    "dropout": Setting("784-100 ReLU, dropout of 0.5, 10 softmax, `SparseCrossEntropy`, `Adam`", dropout),
}

BUGS = {
    # ---- layers ----
    "dW transposed, and a reshape that makes it fit": Bug(
        [(Dense.backward, "np.matmul(self.x.T, dy, out=self.W.grad)",
          "self.W.grad = (dy.T @ self.x).reshape(self.W.value.shape)")],
        layer(Dense),
        "It hardly does. Every number is one of the gradient's, in the wrong place. Where a layer has as many "
        "outputs as inputs, no reshape is needed to hide it.",
    ),
    "1/N once more, in dW": Bug(
        [(Dense.backward, "np.matmul(self.x.T, dy,", "np.matmul(self.x.T, dy / len(dy),")],
        layer(Dense),
        "Adam divides each gradient by its own size: a factor all but cancels.",
    ),
    "db by mean": Bug(
        [(Dense.backward, "dy.sum(", "dy.mean(")],
        layer(Dense),
        "The same. With SGD the biases would learn 32 times too slowly.",
    ),
    "db forgotten": Bug(
        [(Dense.backward, "dy.sum(axis=0, out=self.b.grad)", "pass")],
        layer(Dense),
        "The biases stay at 0, where they start, and the weights make up for it.",
    ),
    "gradients added up": Bug(
        [(Dense.backward, "np.matmul(self.x.T, dy, out=self.W.grad)", "self.W.grad += self.x.T @ dy")],
        layer(Dense),
        "The old gradients outvote the new one, but they pointed downhill, too, once: the loss falls to "
        "{wrong.loss:.2f}.",
    ),
    "the input of the batch before": Bug(
        [(Dense.forward, "self.x = guards",
          "self.x = x\n    if self.training: self.x, self.latest = vars(self).get('latest', x), x\n    _ = guards")],
        layer(Dense),
        "It hardly does. The shapes fit and db is right: the loss falls a little, to {wrong.loss:.2f}.",
        "batches of 40",
    ),
    "all weights start alike": Bug(
        [(Dense.__init__, "glorot_uniform(n_in, n_out, rng=rng, dtype=dtype)",
          "np.full((n_in, n_out), 0.01, dtype)")],
        suite(test_layers.test_dense_starts_glorot_uniform_and_with_its_own_generator),
        "The gradients are right, and the loss falls to {wrong.loss:.2f}. But the hundred hidden units stay equal "
        "to each other for ever: they are worth one.",
    ),
    "ReLU's mask from dy": Bug(
        [(ReLU.backward, "self.y > 0", "dy > 0")],
        layer(ReLU),
        "It does not: no dy below 0 gets through, and the loss stays at {wrong.loss:.2f}, that is ln 10: guessing.",
    ),
    "ReLU's mask y >= 0": Bug(
        [(ReLU.backward, "self.y > 0", "self.y >= 0")],
        layer(ReLU),
        "y is never below 0: the mask lets everything through. The last layer still gets its right gradient, and "
        "learns from what the first one makes.",
    ),
    "ReLU's mask x >= 0": Bug(
        [(ReLU.forward, "self.y: Array = ", "self.x, self.y = x, "), (ReLU.backward, "self.y > 0", "self.x >= 0")],
        suite(test_layers.test_relu_takes_0_where_it_has_no_derivative),
        "A sum of many numbers is hardly ever 0, so nothing changes here. Behind another ReLU or Dropout many "
        "inputs are.",
    ),
    "ReLU overwrites x": Bug(
        [(ReLU.forward, "np.maximum(x, 0)", "np.maximum(x, 0, out=x)")],
        layer(ReLU),
        "Nobody else reads this x. Around a skip connection somebody would.",
    ),
    "ReLU overwrites dy": Bug(
        [(ReLU.backward, "return dy * (self.y > 0)", "dy *= self.y > 0; return dy")],
        layer(ReLU),
        "Nobody else reads this dy. Where two branches meet somebody would.",
    ),
    "x (1 - x) for sigmoid's y (1 - y)": Bug(
        [(Sigmoid.forward, "e / one_plus_e**2", "x * (1 - x)")],
        layer(Sigmoid),
        "Below 0 and above 1 its sign is wrong. The last layer learns all the same, from whatever the first one makes.",
        "sigmoid inside",
    ),
    "sigmoid's derivative at y instead of x": Bug(
        [(Sigmoid.forward, "return np.where(x >= 0, 1, e) / one_plus_e",
          "y = np.where(x >= 0, 1, e) / one_plus_e; self.slope = np.exp(-y) / (1 + np.exp(-y)) ** 2; return y")],
        layer(Sigmoid),
        "As y lies between 0 and 1, this slope lies between 0.197 and 0.25: seldom right, but never of the wrong "
        "sign.",
        "sigmoid inside",
    ),
    "a diagonal softmax": Bug(
        [(Softmax.backward, "self.y * (dy - (dy * self.y).sum(axis=-1, keepdims=True))",
          "dy * self.y * (1 - self.y)")],
        layer(Softmax),
        "Behind a cross-entropy every entry keeps its sign: the label's score is pushed up, the others down.",
        "softmax",
    ),
    "softmax over the wrong axis": Bug(
        [(Softmax.forward, "axis=-1", "axis=0"), (Softmax.backward, "axis=-1", "axis=0")],
        layer(Softmax),
        "The derivative is right, only of another function: the scores of a digit depend on the other digits of "
        "its batch. Alone, a digit gets ten times the score 1.",
        "softmax",
    ),
    "softmax without taking off the maximum": Bug(
        [(Softmax.forward, "np.exp(x - x.max(axis=-1, keepdims=True))", "np.exp(x)")],
        suite(test_layers.test_activations_far_out),
        "float32 overflows where x is above 88, which no x reaches here.",
        "softmax",
    ),
    "images flattened the wrong way": Bug(
        [(Flatten.forward, "x.reshape(len(x), -1)", "x.reshape(-1, len(x)).T")],
        layer(Flatten),
        "It does not: the shape is right, but each row has pixels of all images of the batch.",
    ),
    "dropout without rescaling": Bug(
        [(Dropout.forward, "kept.astype(x.dtype) / (1 - self.rate)", "kept.astype(x.dtype)")],
        suite(test_layers.test_dropout_keeps_the_mean_and_is_off_in_prediction),
        "Its gradient is right. In prediction the next layer gets inputs twice as large as it is used to: a test "
        "loss of {wrong.test_loss:.2f} instead of {right.test_loss:.2f}, and still mostly the right order of the "
        "scores.",
        "dropout",
    ),
    "dropout with another mask in backward": Bug(
        [(Dropout.backward, "dy * self.mask", "dy * (self.rng.random(dy.shape) >= self.rate) / (1 - self.rate)")],
        layer(Dropout),
        "By chance half of the mask is right, and the last layer's gradient does not depend on it.",
        "dropout",
    ),
    # ---- losses ----
    "no 1/N in the gradient of the loss": Bug(
        [(CrossEntropy.backward, "(self.total * len(dq))", "self.total")],
        loss(SparseCrossEntropy),
        "Adam again. With SGD the learning rate would have to be 32 times smaller, and differ from one batch size to "
        "the next.",
    ),
    "1/N twice in the gradient of the loss": Bug(
        [(CrossEntropy.backward, "(self.total * len(dq))", "(self.total * len(dq) ** 2)")],
        loss(SparseCrossEntropy),
        "The loss falls, slowly, to {wrong.loss:.2f}: as with a learning rate 32 times too small, where one then "
        "looks for the reason.",
        "SGD",
    ),
    "a mean over rows and classes": Bug(
        [(CrossEntropy.forward, "/ len(q)", "/ q.size"), (CrossEntropy.backward, "len(dq)", "dq.size")],
        suite(test_losses.test_a_model_that_knows_nothing_loses_log_10),
        "Loss and gradient agree and are ten times too small: Adam cancels it, and a loss of {wrong.loss:.3f} "
        "looks wonderful.",
    ),
    "scores that are not normalised": Bug(
        [(CrossEntropy.forward, "q = scores / self.total", "q = scores"),
         (CrossEntropy.backward, "(dq - (dq * self.q).sum(axis=1, keepdims=True)) / (self.total * len(dq))",
          "dq / len(dq)")],
        suite(test_losses.test_a_model_that_knows_nothing_loses_log_10),
        "The gradient is right, and a loss of {wrong.loss:.1e} looks perfect: all outputs at 1 make it 0.",
    ),
    "labels off by one": Bug(
        [(one_hot, "np.arange(n_classes)", "(np.arange(n_classes) + 1) % n_classes")],
        suite(test_metrics.test_one_hot_and_back, labels=[0, 3, 6]),
        "The loss falls to {wrong.loss:.2f}, as ever, and its gradient is right. Label 0 ends up in the last "
        "column, without an error.",
    ),
    "sums of exponentials that overflow": Bug(
        [(SoftmaxCrossEntropy.forward, "z - z.max(axis=1, keepdims=True)", "z")],
        suite(test_losses.test_extreme_logits, dtype=np.float64),
        "float32 overflows where a logit is above 88, which none reaches here.",
        "logits",
    ),
    # ---- optimizers ----
    "Adam without bias correction": Bug(
        [(Adam.step, "math.sqrt(1 - self.beta_2**self.t) / (1 - self.beta_1**self.t)", "1")],
        suite(test_optimizers.test_adam_by_hand),
        "Steps are up to 6.6 times too large, around the twelfth, later almost right. In five epochs this helps.",
    ),
    "Adam's correction without the power t": Bug(
        [(Adam.step, "**self.t", "")],
        suite(test_optimizers.test_adam_by_hand),
        "Steps are up to 2.1 times too large, around the twelfth, and in the long run 0.32 times as large as they "
        "should be: it takes longer, that is all.",
    ),
    "Adam's epsilon inside the root": Bug(
        [(Adam.step, "np.sqrt(v, out=scratch)", "np.sqrt(v + self.epsilon / root**2, out=scratch)"),
         (Adam.step, "scratch += self.epsilon / root", "pass")],
        suite(test_optimizers.test_adam_over_many_steps_is_the_formula),
        "It acts like an epsilon of 0.0003 outside of it: steps are shorter where gradients are small.",
    ),
    "Adam's step counted per layer": Bug(
        [(Adam.step, "self.t += 1", "self.t += len(self.model.parameters)")],
        suite(test_optimizers.test_adam_by_hand),
        "t counts W, b, W and b: steps are up to 1.9 times too large, around the fiftieth, later almost right. In "
        "five epochs this helps.",
    ),
    "weight decay through Adam's gradient": Bug(
        [(Adam.step, "self.decay()",
          "g += self.weight_decay * theta")],
        suite(test_optimizers.test_weight_decay_by_hand, kind=Adam),
        "The loss falls, to {wrong.loss:.2f}. But Adam divides the decay, too, by the size of the gradient: where "
        "that is small, the weights are pulled to 0 all the harder.",
        "decay",
    ),
    # ---- data and training ----
    "x shuffled, y not": Bug(
        [(batches, "(x.take(rows, axis=0), y[rows]) for rows in rows_of_batches",
          "(x.take(rows, axis=0), y[i * batch_size :][: len(rows)]) for i, rows in enumerate(rows_of_batches)")],
        EVERY_ROW,
        "It does not: the labels are random, and the loss stays at {wrong.loss:.2f}, that is ln 10.",
    ),
    "the caller's arrays shuffled": Bug(
        [(batches, "rows_of_batches =",
          "x[:], y[:], order = x[order], y[order], np.arange(len(x)); rows_of_batches =")],
        EVERY_ROW,
        "The pairs are right. What the caller has beside them, such as file names, no longer fits.",
    ),
    "the same order in every epoch": Bug(
        [(fit, "np.random.default_rng(rng)", "rng")],
        suite(test_training.test_fit_is_the_visible_loop),
        "Every row is still used once in an epoch, and one order is as good as another.",
    ),
    "the last batch dropped": Bug(
        [(batches, "range(batch_size, len(x), batch_size))",
          "range(batch_size, len(x), batch_size))[: len(x) // batch_size]")],
        EVERY_ROW,
        "Of 10,000 rows, 16 are left out, other ones in each epoch.",
    ),
    "the step before backward": Bug(
        [(train_epoch, "model.backward(loss.backward())", "optimizer.step(); model.backward(loss.backward())"),
         (train_epoch, "\n        optimizer.step()  #", "\n        #")],
        suite(test_training.test_fit_is_the_visible_loop),
        "Each step takes the gradient of the batch before: downhill as well, only one step late.",
    ),
    "validation rows leak into training": Bug(
        [(fit, "x_train, y_train, held_out = x_train[:n], y_train[:n], (x_train[n:], y_train[n:])",
          "held_out = x_train[n:], y_train[n:]")],
        suite(test_training.test_validation_split_holds_out_the_last_rows),
        "It looks better: {wrong.val_accuracy:.4f} on the validation rows instead of {right.val_accuracy:.4f}. The "
        "test digits say {wrong.accuracy:.4f}.",
        "validated",
    ),
    "the loss averaged over batches": Bug(
        [(train_epoch, "rows, total, score = 0,", "steps, rows, total, score = 0, 0,"),
         (train_epoch, "total += value * len(x)", "steps += 1; total += value"),
         (train_epoch, "total / rows", "total / steps")],
        suite(test_training.test_the_epochs_loss_weighs_a_short_batch_by_its_rows),
        "Only what is printed is wrong, {wrong.loss:.4f} instead of {right.loss:.4f}: the short batch at the end "
        "counts like a full one.",
    ),
    "dropout never on": Bug(
        [(train_epoch, "model.forward(x, training=True)", "model.forward(x)")],
        suite(test_training.test_layers_know_whether_they_are_trained),
        "It learns as without dropout: {wrong.train_accuracy:.4f} on the training digits instead of "
        "{right.train_accuracy:.4f}, and in five epochs dropout does not pay yet.",
        "dropout",
    ),
    "dropout on in prediction": Bug(
        [(Sequential.predict, "self.forward(x[i : i + batch_size])", "self.forward(x[i : i + batch_size], True)")],
        suite(test_model.test_predict_is_a_fresh_array_and_leaves_dropout_out),
        "The other half of the units knows most of it, too. The same digit gets other scores each time.",
        "dropout",
    ),
    "the best weights kept, but not a copy": Bug(
        [(EarlyStopping.on_epoch_end, "model.theta.copy()", "model.theta")],
        suite(test_training.test_early_stopping_follows_keras_rules, values=[3, 2, 2.5, 2.2, 1],
              arguments={"patience": 2, "restore_best_weights": True}, expected=(4, 2)),
        "It stops when it should, and the history is right. But the weights are the last ones: a test loss of "
        "{wrong.test_loss:.3f} instead of {right.test_loss:.3f}.",
        "stopped",
    ),
}  # fmt: skip


@contextmanager
def planted(bug):
    """Within this block the framework has the bug."""
    sources = {function: textwrap.dedent(inspect.getsource(function)) for function, _, _ in bug.edits}
    for function, right, wrong in bug.edits:
        assert right in sources[function], f"{function.__qualname__} no longer says {right}: bring the bug up to date"
        sources[function] = sources[function].replace(right, wrong)
    with pytest.MonkeyPatch.context() as patch:
        for function, source in sources.items():
            namespace = {}
            exec(source, function.__globals__, namespace)
            patch.setattr(function, "__code__", namespace[function.__name__].__code__)
        yield


def is_caught(bug):
    with planted(bug):
        try:
            bug.caught_by.run()
        except (AssertionError, RuntimeWarning, pytest.fail.Exception):  # the suite makes warnings errors
            return True
    return False
