"""Calls that people get wrong, and what each is told: the kind of error and words of its message.

Every message says what was expected, what came, and how to put it right.
"""

import functools

import numpy as np

from nnscratch import (
    SGD,
    Adam,
    Callback,
    Chain,
    CrossEntropy,
    Dense,
    Dropout,
    EarlyStopping,
    Flatten,
    Layer,
    Parameter,
    ReLU,
    Sequential,
    Sigmoid,
    Softmax,
    SoftmaxCrossEntropy,
    SparseCrossEntropy,
    batches,
    check_layer,
    check_loss,
    check_model,
    evaluate,
    fit,
    train_epoch,
)
from nnscratch.metrics import accuracy, confusion_matrix
from tests.architectures import Squares

X = np.random.default_rng(0).random((10, 4))
Y = np.arange(10) % 3
SCORES = np.full((10, 3), 0.5)


def model():
    return Sequential([Dense(4, 5, rng=0), ReLU(), Dense(5, 3, rng=0)])


def train(x=X, y=Y, loss=None, layers=None, **arguments):
    """``fit`` with one thing wrong."""
    learner = Sequential(layers) if layers else model()
    loss = loss or SoftmaxCrossEntropy()
    return fit(learner, loss, Adam(learner), x, y, **({"verbose": 0} | arguments))


def with_entry(value):
    x = X.copy()
    x[7, 2] = value
    return x


class Late(Layer):
    """As in frameworks that build a layer when they see the data."""

    def forward(self, x):
        self.gain = Parameter(np.ones(x.shape[1]))
        return x * self.gain.value

    def backward(self, dy):
        return dy * self.gain.value


class Forgetful(ReLU):
    """Its methods return nothing."""

    def __init__(self, method):
        self.method = method

    def forward(self, x):
        return None if self.method == "forward" else super().forward(x)

    def backward(self, dy):
        return None if self.method == "backward" else super().backward(dy)


class Inner(ReLU):
    """It has a layer inside."""

    def __init__(self, inner):
        self.inner = inner


class Summing(ReLU):
    """Its dx is summed over the rows."""

    def backward(self, dy):
        return super().backward(dy).sum(axis=0, keepdims=True)


def loss(outputs, labels):
    return 0.0


def hopeless(outputs, labels):
    return float("nan")


def train_with(change, x=X):
    """``fit`` on a model that was changed after it was built."""
    learner = model()
    optimizer = Adam(learner)
    change(learner)
    return fit(learner, SoftmaxCrossEntropy(), optimizer, x, Y, verbose=0)


# What is done: (the call, the kind of error, words of the message, among them how to put it right)
CALLS = {
    # data
    "x of another width": (
        lambda: model().predict(X[:, :3]),
        ValueError,
        "Dense(4, 5): expected x of shape (N, 4), got (10, 3): make it Dense(3, 5)\nin forward of layer 0, Dense(4, 5)",
    ),
    "layers that do not fit": (
        lambda: Sequential([Dense(4, 5), ReLU(), Dense(6, 3)]).predict(X),
        ValueError,
        "Dense(6, 3): expected x of shape (N, 6), got (10, 5): make it Dense(5, 3)\nin forward of layer 2, Dense(6, 3)",
    ),
    "images without Flatten": (lambda: model().predict(np.ones((10, 2, 2))), ValueError, "put Flatten() before it"),
    "images as bytes": (
        lambda: train(np.ones((10, 4), np.uint8)),
        TypeError,
        "expected numbers scaled to floats, got uint8: x / np.float32(255)",
    ),
    "a single row": (lambda: model().predict(X[0]), ValueError, "x[np.newaxis] makes a row of one"),
    "no rows": (
        lambda: train(X[:0], Y[:0]),
        ValueError,
        "expected as many labels as rows of data, and some, got (0,) and (0,): give those of the same rows",
    ),
    "a number to predict": (
        lambda: model().predict(1.5),
        ValueError,
        "expected rows of data (N, ...), got a single number: give an array",
    ),
    "no rows to predict": (
        lambda: model().predict(X[:0]),
        ValueError,
        "expected rows of data (N, ...), got shape (0, 4)",
    ),
    "NaN in x": (
        lambda: train(with_entry(np.nan)),
        ValueError,
        "x: expected finite numbers, got nan in row 7: mend or leave out such rows",
    ),
    "infinity in x": (
        lambda: train(with_entry(np.inf)),
        ValueError,
        "x: expected finite numbers, got inf in row 7: mend or leave out such rows",
    ),
    "a wrong label at the end of the validation data": (
        lambda: train(validation_data=(X, [*Y[:9], 3])),
        ValueError,
        "expected labels from 0 to 2, got 0 to 3: number the classes from 0",
    ),
    "NaN among the targets": (
        lambda: train(y=with_entry(np.nan), loss=CrossEntropy()),
        ValueError,
        "y: expected finite numbers, got nan in row 7: mend or leave out such rows",
    ),
    "a callback that is in no list": (
        lambda: train(callbacks=EarlyStopping()),
        TypeError,
        "expected a list of callbacks such as [EarlyStopping()], got",
    ),
    "a part of a layer in another one": (
        lambda: [part := Dense(4, 4), Sequential([Inner(part), Inner(part)])],
        ValueError,
        "got one of them, or a part of one, twice, as layer 0 inner.W and layer 1 inner.W: build one for each place",
    ),
    "a Parameter made in forward": (
        lambda: train(layers=[Dense(4, 4), Late(), Dense(4, 3)]),
        ValueError,
        "expected every Parameter to be in the model's theta, got one of shape (4,) that is not: layer 1, Late(), gain",
    ),
    "a forward without return": (
        lambda: train(layers=[Dense(4, 3), Forgetful("forward")]),
        TypeError,
        "expected every forward to return an array, got None: does layer 1, Forgetful(), end with return?",
    ),
    "a backward without return": (
        lambda: train(layers=[Dense(4, 3), Forgetful("backward")]),
        TypeError,
        "expected every backward to return an array, got None: does layer 1, Forgetful(), end with return?",
    ),
    "a layer instead of a model to check": (
        lambda: check_model(Dense(4, 3), SoftmaxCrossEntropy(), X, Y),
        TypeError,
        "expected a model such as Sequential([Dense(784, 10)]), got Dense(4, 3)",
    ),
    "a class of losses instead of a loss to check": (
        lambda: check_loss(SoftmaxCrossEntropy, SCORES, Y),
        TypeError,
        "expected a loss such as SparseCrossEntropy(), got <class",
    ),
    "a class of losses for a model to check": (
        lambda: check_model(model(), SoftmaxCrossEntropy, X, Y),
        TypeError,
        "expected a loss such as SparseCrossEntropy(), got <class",
    ),
    "NaN in the validation data": (
        lambda: train(validation_data=(with_entry(np.nan), Y)),
        ValueError,
        "x of the validation data: expected finite numbers, got nan in row 7",
    ),
    "an array of objects": (
        lambda: train(X.astype(object)),
        TypeError,
        "expected numbers scaled to floats, got object: divide numbers by their scale",
    ),
    "text": (lambda: train([["a", "b"]] * 10), TypeError, "expected numbers scaled to floats, got <U1: divide"),
    "complex numbers": (
        lambda: train(X.astype(complex)),
        TypeError,
        "expected numbers scaled to floats, got complex128: divide",
    ),
    "x and y of different lengths": (
        lambda: train(X, Y[:9]),
        ValueError,
        "expected as many labels as rows of data, and some, got (9,) and (10,): give those",
    ),
    "y that is a number": (lambda: train(X, 3), ValueError, "got () and (10,): give those of the same rows"),
    # labels
    "labels as floats": (
        lambda: train(y=Y.astype(float)),
        TypeError,
        "expected integer labels, got float64: use labels.astype(int)",
    ),
    "labels from 1": (
        lambda: train(y=Y + 1),
        ValueError,
        "expected labels from 0 to 2, got 1 to 3: number the classes from 0",
    ),
    "negative labels": (
        lambda: train(y=Y - 1),
        ValueError,
        "expected labels from 0 to 2, got -1 to 1: number the classes from 0",
    ),
    "labels in a column": (lambda: train(y=Y[:, None]), ValueError, "use labels.ravel()"),
    "one-hot labels where integers are expected": (
        lambda: train(y=np.eye(3)[Y]),
        ValueError,
        "CrossEntropy or labels.argmax(axis=1)",
    ),
    "integers where one-hot labels are expected": (
        lambda: train(layers=[Dense(4, 3), Softmax()], loss=CrossEntropy()),
        ValueError,
        "SparseCrossEntropy",
    ),
    "rows that are no distributions": (
        lambda: train(layers=[Dense(4, 3), Softmax()], loss=CrossEntropy(), y=2 * np.eye(3)[Y]),
        ValueError,
        "do not sum to 1",
    ),
    "logits where scores are expected": (
        lambda: train(loss=SparseCrossEntropy(), x=-100 * X),
        ValueError,
        "SoftmaxCrossEntropy() on logits",
    ),
    "a single output": (
        lambda: train(layers=[Dense(4, 1), Sigmoid()], loss=SparseCrossEntropy(), y=Y % 1),
        ValueError,
        "got float32 (2, 1): end the model with a Dense of one output for each class",
    ),
    "labels as text": (lambda: train(y=Y.astype(str)), TypeError, "expected integer labels, got <U"),
    "accuracy of other rows": (
        lambda: accuracy(SCORES, Y[:9]),
        ValueError,
        "expected 10 labels, one a row, got shape (9,): give those of the same rows",
    ),
    "a confusion matrix of different lengths": (
        lambda: confusion_matrix(Y, Y[:9], 3),
        ValueError,
        "got 9: give those of the same rows",
    ),
    # layers and models
    "a size of 0": (
        lambda: Dense(0, 3),
        ValueError,
        "expected n_in of at least 1, got 0: give a whole number such as 784",
    ),
    "a negative size": (
        lambda: Dense(4, -3),
        ValueError,
        "expected n_out of at least 1, got -3: give a whole number such as 10",
    ),
    "half a unit": (
        lambda: Dense(4, 2.5),
        TypeError,
        "expected n_out of at least 1, got 2.5: give a whole number such as 10",
    ),
    "dropping everything": (lambda: Dropout(1.0), ValueError, "expected rate in [0, 1), got 1.0: 0.5 is usual"),
    "dropping 20 of 1": (lambda: Dropout(20), ValueError, "expected rate in [0, 1), got 20: 0.5 is usual"),
    "a model without layers": (
        lambda: Sequential([]),
        TypeError,
        "expected a list of layers such as [Dense(784, 10), Sigmoid()], got []",
    ),
    "a layer's class": (
        lambda: Sequential([Dense(4, 3), ReLU]),
        TypeError,
        "got [Dense(4, 3), <class 'nnscratch.activations.ReLU'>]",
    ),
    "a layer instead of a list": (
        lambda: Sequential(Dense(4, 3)),
        TypeError,
        "expected a list of layers such as [Dense(784, 10), Sigmoid()], got Dense(4, 3)",
    ),
    "a name instead of a layer": (
        lambda: Sequential([Dense(4, 3), "relu"]),
        TypeError,
        "expected a list of layers such as [Dense(784, 10), Sigmoid()], got [Dense(4, 3), 'relu']",
    ),
    "a layer twice": (lambda: Sequential([a := Dense(4, 4), a]), ValueError, "build one for each place"),
    "a layer of another model": (lambda: Sequential(model().layers), ValueError, "copy.deepcopy(layer)"),
    "an integer parameter": (
        lambda: Parameter([1, 2]),
        TypeError,
        "expected float32 or float64, got int64: convert with .astype(np.float32)",
    ),
    "a gradient of another shape": (
        lambda: setattr(model().layers[2].b, "grad", np.ones((10, 3))),
        ValueError,
        "grad of b: expected shape (3,), got (10, 3): sum over the rows, .sum(axis=0)",
    ),
    "a parameter replaced by another": (
        lambda: (m := model(), setattr(m.layers[0], "W", Parameter(np.ones((4, 5)))), m.forward(X, training=True)),
        ValueError,
        "got one of shape (4, 5) that is not: layer 0, Dense(4, 5), W: make Parameters and layers in __init__",
    ),
    "a parameter replaced by an array": (
        lambda: (m := model(), setattr(m.layers[0], "W", np.ones((4, 5))), m.forward(X, training=True)),
        ValueError,
        "expected the layers and Parameters that the model was built of, got fewer",
    ),
    "backward first": (lambda: model().backward(np.ones((10, 3))), RuntimeError, "call forward right before it"),
    "backward after predict": (
        lambda: (m := model(), m.forward(X), m.predict(X), m.backward(np.ones((10, 3)))),
        RuntimeError,
        "call forward right before it",
    ),
    "dy of another shape": (
        lambda: (m := model(), m.forward(X), m.backward(np.ones((10, 1)))),
        ValueError,
        "shape (10, 3), got (10, 1): give what loss.backward() returns",
    ),
    # training
    "no epochs": (
        lambda: train(epochs=0),
        ValueError,
        "expected epochs of at least 1, got 0: give a whole number such as 5",
    ),
    "half an epoch": (
        lambda: train(epochs=0.5),
        TypeError,
        "expected epochs of at least 1, got 0.5: give a whole number such as 5",
    ),
    "a batch of 0": (
        lambda: train(batch_size=0),
        ValueError,
        "expected batch_size of at least 1, got 0: give a whole number such as 32",
    ),
    "a negative batch": (
        lambda: batches(X, Y, -1),
        ValueError,
        "expected batch_size of at least 1, got -1: give a whole number such as 32",
    ),
    "a batch of 3.5": (
        lambda: train(batch_size=3.5),
        TypeError,
        "expected batch_size of at least 1, got 3.5: give a whole number such as 32",
    ),
    "no threads": (lambda: train(threads=0), ValueError, "expected threads of at least 1, got 0: give"),
    "predict in batches of 0": (
        lambda: model().predict(X, batch_size=0),
        ValueError,
        "expected batch_size of at least 1, got 0: give a whole number such as 1000",
    ),
    "evaluate in batches of 0": (
        lambda: evaluate(model(), SoftmaxCrossEntropy(), X, Y, 0),
        ValueError,
        "expected batch_size of at least 1, got 0: give a whole number such as 32",
    ),
    "a learning rate of 0": (
        lambda: SGD(model(), 0),
        ValueError,
        "expected learning_rate > 0 and finite, got 0: 0.001 is usual",
    ),
    "a negative learning rate": (
        lambda: Adam(model(), -1e-3),
        ValueError,
        "expected learning_rate > 0 and finite, got -0.001: 0.001 is usual",
    ),
    "momentum of 1": (
        lambda: SGD(model(), 0.1, momentum=1),
        ValueError,
        "expected momentum in [0, 1), got 1: 0.9 is usual",
    ),
    "beta of 1": (lambda: Adam(model(), beta_1=1), ValueError, "expected beta_1 in [0, 1), got 1: 0.9 is usual"),
    "epsilon of 0": (
        lambda: Adam(model(), epsilon=0),
        ValueError,
        "expected epsilon >= 1.2e-38 and finite, got 0: 1e-07 is usual",
    ),
    "nothing to train": (lambda: Adam(Sequential([Flatten(), ReLU()])), ValueError, "add a Dense layer"),
    "layers instead of a model": (
        lambda: Adam(model().layers),
        TypeError,
        "expected a model such as Sequential([Dense(784, 10)]), got (Dense(4, 5), ReLU()",
    ),
    "the optimizer of another model": (
        lambda: fit(model(), SoftmaxCrossEntropy(), Adam(model()), X, Y),
        ValueError,
        "build it with Adam(model)",
    ),
    "the loss's class": (
        lambda: train(loss=SoftmaxCrossEntropy),
        TypeError,
        "expected a loss such as SparseCrossEntropy(), got <class",
    ),
    "validation_split of 0.999 of ten rows": (
        lambda: train(validation_split=0.999),
        ValueError,
        "got validation_split=0.999 of 10 rows: 0.1 is usual",
    ),
    "validation_split of 20": (
        lambda: train(validation_split=20),
        ValueError,
        "got validation_split=20 of 10 rows: 0.1 is usual",
    ),
    "both kinds of validation": (
        lambda: train(validation_split=0.2, validation_data=(X, Y)),
        ValueError,
        "expected validation_split or validation_data, got both: leave one out",
    ),
    "validation data alone": (
        lambda: train(validation_data=X),
        ValueError,
        "expected validation_data as a pair (x, y), got ndarray: put both in a tuple",
    ),
    "validation data of different lengths": (
        lambda: train(validation_data=(X, Y[:3])),
        ValueError,
        "got (3,) and (10,): give those of the same rows",
    ),
    "monitoring what is not there": (lambda: train(callbacks=[EarlyStopping()]), ValueError, "val_ needs validation"),
    "a callback's class": (
        lambda: train(validation_split=0.5, callbacks=[EarlyStopping]),
        TypeError,
        "expected a callback such as EarlyStopping(), got <class",
    ),
    # weights and files
    "weights of another shape": (
        lambda: model().set_weights([w.T for w in model().get_weights()]),
        ValueError,
        "build the model they belong to",
    ),
    "too few weights": (
        lambda: model().set_weights(model().get_weights()[:2]),
        ValueError,
        "build the model they belong to",
    ),
    "an optimizer's class": (
        lambda: fit(model(), SoftmaxCrossEntropy(), Adam, X, Y),
        TypeError,
        "expected an optimizer such as Adam(model), got <class",
    ),
    "loss and optimizer exchanged": (
        lambda: fit(m := model(), Adam(m), SoftmaxCrossEntropy(), X, Y),
        TypeError,
        "expected a loss such as SparseCrossEntropy(), got",
    ),
    # checks
    "a check at NaN": (
        lambda: check_layer(Dense(4, 3), with_entry(np.nan)),
        ValueError,
        "expected finite inputs and something to differentiate, got NaN, infinity or nothing: look at",
    ),
    "a check of a class": (
        lambda: check_layer(ReLU, X),
        TypeError,
        "expected a layer such as Dense(4, 3), got <class 'nnscratch.activations.ReLU'>: create one",
    ),
    "evaluate on other labels": (
        lambda: evaluate(model(), SoftmaxCrossEntropy(), X, Y[:9]),
        ValueError,
        "expected as many labels as rows of data, and some, got (9,) and (10,): give those of the same rows",
    ),
    # what is trained
    "a model inside a model": (
        lambda: Sequential([model(), ReLU()]),
        ValueError,
        "expected new layers, got one of another model, layer 0 layers.0.W: use copy.deepcopy(layer), and within a",
    ),
    "a model inside a layer": (
        lambda: Sequential([Inner(model())]),
        ValueError,
        "got one of another model, layer 0 inner.layers.0.W: use copy.deepcopy(layer), and within a layer Chain",
    ),
    "a Parameter in a set": (
        lambda: Sequential([Inner({Parameter(np.ones(3))})]),
        ValueError,
        "got one of shape (3,) that is not: layer 0, Inner(), a place where no parameters are looked for: make",
    ),
    "a Parameter of the class": (
        lambda: Sequential([type("Shared", (ReLU,), {"gain": Parameter(np.ones(3))})()]),
        ValueError,
        "got one of shape (3,) that is not: layer 0, Shared(), a place where no parameters are looked for: make",
    ),
    "a layer that comes later": (
        lambda: train_with(lambda m: setattr(m, "layers", (*m.layers, Dense(3, 2)))),
        ValueError,
        "got one of shape (3, 2) that is not: layer 3, Dense(3, 2), W: make Parameters and layers in __init__",
    ),
    "a layer put into another one later": (
        lambda: train_with(lambda m: setattr(m.layers[1], "inner", Dense(5, 5))),
        ValueError,
        "got one of shape (5, 5) that is not: layer 1, ReLU(), inner.W: make Parameters and layers in __init__",
    ),
    "a layer taken away": (
        lambda: train_with(lambda m: setattr(m, "layers", m.layers[1:]), x=np.ones((10, 5))),
        ValueError,
        "expected the layers and Parameters that the model was built of, got fewer: build a new Sequential",
    ),
    "saving a model with a new layer": (
        lambda: (m := model(), setattr(m.layers[1], "inner", Dense(5, 5)), m.save_weights("never.npz")),
        ValueError,
        "got one of shape (5, 5) that is not: layer 1, ReLU(), inner.W: make",
    ),
    "checking a model with a new layer": (
        lambda: (m := model(), setattr(m.layers[1], "inner", Dense(5, 5)), check_model(m, SoftmaxCrossEntropy(), X, Y)),
        ValueError,
        "got one of shape (5, 5) that is not: layer 1, ReLU(), inner.W: make",
    ),
    # settings that are assigned later
    "a learning rate that falls to 0": (
        lambda: setattr(SGD(model()), "learning_rate", 0.0),
        ValueError,
        "expected learning_rate > 0 and finite, got 0.0: 0.001 is usual",
    ),
    "momentum of 1 later": (
        lambda: setattr(SGD(model()), "momentum", 1.0),
        ValueError,
        "expected momentum in [0, 1), got 1.0: 0.9 is usual",
    ),
    "a negative decay": (
        lambda: Adam(model(), weight_decay=-0.1),
        ValueError,
        "expected weight_decay >= 0 and finite, got -0.1: 0.01 is usual",
    ),
    "an infinite decay later": (
        lambda: setattr(Adam(model()), "weight_decay", np.inf),
        ValueError,
        "expected weight_decay >= 0 and finite, got inf: 0.01 is usual",
    ),
    "a rate of 1 later": (
        lambda: setattr(Dropout(0.5), "rate", 1),
        ValueError,
        "expected rate in [0, 1), got 1: 0.5 is usual",
    ),
    "epsilon of a half": (
        lambda: SparseCrossEntropy(epsilon=0.5),
        ValueError,
        "expected epsilon in (0, 0.5), got 0.5: 1e-07 is usual",
    ),
    "beta_2 of 1 later": (
        lambda: setattr(Adam(model()), "beta_2", 1.0),
        ValueError,
        "expected beta_2 in [0, 1), got 1.0: 0.999 is usual",
    ),
    # data
    "tokens": (
        lambda: model().predict(np.ones((10, 4), int)),
        TypeError,
        "expected numbers scaled to floats, got int64: divide numbers by their scale; give tokens.astype(np.float32)",
    ),
    "images as integers": (
        lambda: model().predict(np.ones((10, 2, 2), int)),
        TypeError,
        "expected numbers scaled to floats, got int64: x / np.float32(255)",
    ),
    "a masked array": (
        lambda: train(np.ma.masked_less(X, 0.5)),
        TypeError,
        "expected an array, got a masked one: leave out rows or fill them",
    ),
    "masked labels": (
        lambda: train(y=np.ma.masked_equal(Y, 1)),
        TypeError,
        "expected an array, got a masked one: leave out rows or fill them",
    ),
    "masked rows to predict": (
        lambda: model().predict(np.ma.masked_less(X, 0.5)),
        TypeError,
        "expected an array, got a masked one: leave out rows or fill them",
    ),
    "outputs in float16": (
        lambda: SparseCrossEntropy().forward(SCORES.astype(np.float16), Y),
        ValueError,
        "expected outputs (N, C) as float32 or float64 for 2 or more classes, got float16 (10, 3): end",
    ),
    "logits in float16": (
        lambda: SoftmaxCrossEntropy().forward(SCORES.astype(np.float16), Y),
        ValueError,
        "expected outputs (N, C) as float32 or float64 for 2 or more classes, got float16 (10, 3): end",
    ),
    "one label for all rows": (
        lambda: SoftmaxCrossEntropy().forward(SCORES, Y[:1]),
        ValueError,
        "expected 10 labels, one a row, got 1: give those of the same rows",
    ),
    "predicting one row by its number": (
        lambda: model().predict(X[3]),
        ValueError,
        "expected rows of data (N, ...), got shape (4,): x[np.newaxis] makes a row of one",
    ),
    "True as a batch size": (
        lambda: train(batch_size=True),
        TypeError,
        "expected batch_size of at least 1, got True: give a whole number such as 32",
    ),
    # regression
    "targets (N,) for outputs (N, 1)": (
        lambda: train(y=X[:, 0], loss=Squares(), layers=[Dense(4, 1)], metric=None),
        ValueError,
        "targets (N,) against outputs (N, 1) make (N, N): use y[:, np.newaxis]",
    ),
    "evaluating targets (N,) for outputs (N, 1)": (
        lambda: evaluate(Sequential([Dense(4, 1)]), Squares(), X, X[:, 0], metric=None),
        ValueError,
        "got (10, 10): give what loss.backward() returns; targets (N,) against outputs (N, 1) make (N, N)",
    ),
    "the accuracy of a regression": (
        lambda: train(y=X[:, :1], loss=Squares(), layers=[Dense(4, 1)]),
        ValueError,
        "expected scores (N, C) of 2 or more classes, got (2, 1): use metric=None in fit and evaluate",
    ),
    "the accuracy of a regression to two numbers": (
        lambda: evaluate(Sequential([Dense(4, 2)]), Squares(), X, 3 * X[:, :2]),
        ValueError,
        "expected labels in rows that sum to 1, got others: use metric=None in fit and evaluate",
    ),
    "labels out of range for accuracy": (
        lambda: accuracy(SCORES, Y + 1),
        ValueError,
        "expected labels from 0 to 2, got 1 to 3: number the classes from 0",
    ),
    "negative labels for accuracy": (
        lambda: accuracy(SCORES, Y - 1),
        ValueError,
        "expected labels from 0 to 2, got -1 to 1: number the classes from 0",
    ),
    # the loop
    "the scores of a model that diverged": (
        lambda: accuracy(np.full((3, 3), np.nan), [0, 0, 0]),
        ValueError,
        "expected numbers as scores, got NaN: look at the model that made them",
    ),
    "a model of integers": (
        lambda: model().astype(int),
        TypeError,
        "expected np.float32 or np.float64, got <class 'int'>: others are no weights",
    ),
    "another beta in the middle of a training": (
        lambda: setattr(Adam(model()), "beta_1", 0.99),
        AttributeError,
        "expected beta_1 to stay as it is, got 0.99: build a new optimizer",
    ),
    "a callback as in Keras": (
        lambda: train(callbacks=[type("Begin", (Callback,), {"on_epoch_begin": lambda self, epoch, logs: None})()]),
        ValueError,
        "on_epoch_end on_train_end, got on_epoch_begin: nobody would call it",
    ),
    "a metric that is called loss": (
        lambda: train(metric=loss),
        ValueError,
        "expected a metric of another name, got loss: that is the key of the loss itself",
    ),
    "a layer as an attribute of the model": (
        lambda: train_with(lambda m: setattr(m, "head", Dense(3, 2))),
        ValueError,
        "got more: some are attributes of the model: build a new Sequential of those that are to be trained",
    ),
    "saving what has diverged": (
        lambda: (m := model(), m.theta.fill(np.nan), m.save_weights("never.npz")),
        ValueError,
        "theta: expected finite numbers, got nan in row 0: mend or leave out such rows",
    ),
    "larger_is_better as in Keras' mode": (
        lambda: EarlyStopping("val_loss", larger_is_better="min"),
        ValueError,
        "expected larger_is_better to be True or False, got 'min': accuracies improve upwards",
    ),
    "numbers in a row for a model of one input": (
        lambda: Sequential([Dense(1, 2)]).predict(np.linspace(0, 1, 10)),
        ValueError,
        "got shape (10,): x[np.newaxis] makes a row of one, x[:, np.newaxis] rows of one number",
    ),
    "a generator that is used up": (
        lambda: (m := model(), gone := iter([]), train_epoch(m, SoftmaxCrossEntropy(), Adam(m), gone)),
        ValueError,
        "expected at least one batch, got none: a generator is used up after one pass, make a new one",
    ),
    "train_epoch with the optimizer of another model": (
        lambda: train_epoch(model(), SoftmaxCrossEntropy(), Adam(model()), [(X, Y)]),
        ValueError,
        "expected the optimizer of this model, got another's: build it with Adam(model)",
    ),
    "a metric without a name": (
        lambda: train(metric=functools.partial(accuracy)),
        TypeError,
        "expected a metric with a name, got functools.partial(",
    ),
    "a monitor that is not there, before an epoch is spent": (
        lambda: train(callbacks=[EarlyStopping("test_loss")], validation_split=0.2),
        ValueError,
        "expected monitor to be one of ['loss', 'accuracy', 'val_loss', 'val_accuracy'], got 'test_loss'",
    ),
    "a monitor that may improve either way": (
        lambda: EarlyStopping("val_f1"),
        ValueError,
        "expected to monitor a loss or an accuracy, got 'val_f1': say whether larger_is_better",
    ),
    "a metric that is not finite, watched": (
        lambda: train(metric=hopeless, callbacks=[EarlyStopping("hopeless", larger_is_better=True)]),
        FloatingPointError,
        "expected a finite hopeless to watch, got nan: look at the metric, or monitor something else",
    ),
    "a layer that returns a dx of another shape": (
        lambda: train(layers=[Dense(4, 4), Summing(), Dense(4, 3)]),
        ValueError,
        "expected backward of layer 1, Summing(), to return dx of shape (2, 4), got (1, 4): it is the gradient of x",
    ),
    "an array added to a Chain": (
        lambda: Chain([Dense(4, 4), np.ones(4)]),
        TypeError,
        "expected a list of layers such as [Dense(784, 10), Sigmoid()], got [Dense(4, 4), array",
    ),
}


def saved(path, content=None):
    """A file of weights, or of something else."""
    if content is None:
        model().save_weights(path)
    else:
        path.write_bytes(content)
    return path


def cut(path):
    return saved(path, saved(path).read_bytes()[:500])


def npz(path, *arrays):
    with path.open("wb") as file:
        np.savez(file, *arrays)
    return path


# The same for calls that are given the path of a file, in a folder of its own.
FILE_CALLS = {
    "a file cut short": (lambda path: model().load_weights(cut(path)), ValueError, "build that model, or save again"),
    "a file of something else": (
        lambda path: model().load_weights(saved(path, b"not at all")),
        ValueError,
        "build that model, or save again",
    ),
    "an empty file": (
        lambda path: model().load_weights(saved(path, b"")),
        ValueError,
        "build that model, or save again",
    ),
    "arrays of somebody else": (
        lambda path: model().load_weights(npz(path, *model().get_weights())),
        ValueError,
        "expected ['0_W', '1_b', '2_W', '3_b'], got ['arr_0', 'arr_1', 'arr_2', 'arr_3']",
    ),
    "the weights of another model": (
        lambda path: Sequential([Dense(4, 3)]).load_weights(saved(path)),
        ValueError,
        "expected ['0_W', '1_b'], got ['0_W', '1_b', '2_W', '3_b']",
    ),
    "weights in a folder's place": (
        lambda path: model().save_weights(path.parent),
        IsADirectoryError,
        "got the folder",
    ),
    "weights below a file": (
        lambda path: model().save_weights(saved(path, b"") / "w.npz"),
        NotADirectoryError,
        "got a path below the file",
    ),
}
