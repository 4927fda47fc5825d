"""Find the bug: ten classic mistakes, in code that trains and looks fine.

Each is a change of a few characters in the framework's own source, one of those in tests/bugs.py: the right line and
the wrong one. docs/bugs.md says what each does to a training.
"""

import ast
import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import nnscratch
from demos.workshop import training
from demos.workshop.checks import StepError, compare, inputs
from demos.workshop.checks import batches as check_batches
from demos.workshop.checks import train_epoch as check_train_epoch
from nnscratch import activations, layers, losses, optimizers
from nnscratch import training as lesson

HEADER = '''"""Find the bug: {about}. The formula is right, the code is not."""

from {module} import *  # what is not defined here


{definitions}
'''


class Bug(NamedTuple):
    name: str  # that of tests/bugs.py
    file: str
    about: str  # what is in the file
    names: tuple[str, ...]  # the classes or functions in it
    edits: list[tuple[Callable, str, str]]  # function of the framework, what it says, what it says with the bug
    check: Callable[[Any], None]  # of the module
    hints: tuple[str, ...]
    layers: Callable = training.relu_softmax  # what is trained with it
    loss: str = "SparseCrossEntropy"

    def module(self, mended=False):
        """The text of the file: comments are left out, as they would tell."""
        home = inspect.getmodule(self.edits[0][0])
        source = inspect.getsource(home)
        texts = {function: inspect.getsource(function) for function, _, _ in self.edits}
        for function, right, wrong in [] if mended else self.edits:
            if right not in texts[function]:
                raise LookupError(f"{function.__qualname__} no longer says {right}: bring {self.name!r} up to date")
            texts[function] = texts[function].replace(right, wrong)
        for function, text in texts.items():
            source = source.replace(inspect.getsource(function), text)
        parts = [node for node in ast.parse(source).body if getattr(node, "name", "") in self.names]
        for part in parts:
            without_types(part)
        definitions = "\n\n\n".join(ast.unparse(part) for part in parts)
        return HEADER.format(about=self.about, module=home.__name__, definitions=definitions)

    def train(self, module):
        """What one sees of it: two epochs."""
        net = training.mended_by(module)
        return training.train(net, self.layers, getattr(net, self.loss)(), net.Adam, epochs=2)


def without_types(part):
    for node in ast.walk(part):
        if isinstance(node, ast.arg):
            node.annotation = None
        if isinstance(node, ast.FunctionDef):
            node.returns = None


# ---- Is it mended? ---------------------------------------------------------------------------------------------------


def same_layer(make, *, far=1.0):
    """Gradients are right, and y and dx are those of the layer as it should be."""

    def check(module):
        nnscratch.check_layer(make(module), inputs())
        mine, ours, x, dy = make(module), make(nnscratch), far * np.round(inputs()), np.ones((5, 3))
        for layer in (mine, ours):
            layer.training = True
        y = ours.forward(x)
        try:
            got = mine.forward(x.copy())
        except RuntimeWarning as warning:
            raise StepError(f"for numbers of size {far:g}, forward fails: {warning}") from warning
        given = f"random x of size {far:g}"
        compare(given, "y", lambda: got, y, {})
        dy = dy[:, : y.shape[1]] if y.shape[1] < 3 else np.resize(dy, y.shape)
        compare(given, "dx", lambda: mine.backward(dy.copy()), ours.backward(dy), {})

    return check


def same_loss(module):
    labels, scores = np.array([0, 1, 2, 3, 0]), np.abs(inputs()) + 0.1
    nnscratch.check_loss(module.SparseCrossEntropy(), scores, labels)
    knows_nothing = np.full((5, 4), 0.5)
    compare(
        "four equal scores a row: a model that knows nothing", "the loss",
        lambda: module.SparseCrossEntropy().forward(knows_nothing, labels), np.log(4), {},
    )  # fmt: skip


def same_adam(module):
    """Ten steps with a gradient that changes."""
    thetas = []
    for net in (module, nnscratch):
        model = nnscratch.Sequential([nnscratch.Dense(2, 1, rng=0)]).astype(np.float64)
        optimizer = net.Adam(model, learning_rate=0.1)
        for t in range(10):
            model.grad = [np.cos(t), 1, -0.01]
            optimizer.step()
        thetas.append(model.theta.copy())
    mine, ours = thetas
    compare("ten gradients, as step_as_it_reads takes them", "theta", lambda: mine, ours, {})


def same_batches(module):
    check_batches(training.mended_by(module))


def same_epoch(module):
    check_train_epoch(training.mended_by(module))


# ---- The bugs --------------------------------------------------------------------------------------------------------

BUGS = (
    Bug(
        "db by mean", "bug_01.py", "Dense", ("Dense",),
        [(layers.Dense.backward, "dy.sum(", "dy.mean(")],
        same_layer(lambda net: net.Dense(4, 3, rng=0)),
        ("Adam divides each gradient by its own size. With SGD, the biases would learn 32 times too slowly.",
         "Where is the mean over the batch taken, and how often?"),
    ),
    Bug(
        "ReLU's mask y >= 0", "bug_02.py", "ReLU", ("ReLU",),
        [(activations.ReLU.backward, "self.y > 0", "self.y >= 0")],
        same_layer(lambda net: net.ReLU()),
        ("The last layer gets its right gradient, and learns from whatever the first one makes.",
         "Is y ever below 0?"),
    ),
    Bug(
        "a diagonal softmax", "bug_03.py", "Softmax", ("Softmax",),
        [(activations.Softmax.backward, "self.y * (dy - (dy * self.y).sum(axis=-1, keepdims=True))",
          "dy * self.y * (1 - self.y)")],
        same_layer(lambda net: net.Softmax()),
        ("Behind a cross-entropy every entry keeps its sign: the label's score is pushed up, the others down.",
         "On how many numbers of x does y_1 depend?"),
    ),
    Bug(
        "softmax without taking off the maximum", "bug_04.py", "Softmax once more", ("Softmax",),
        [(activations.Softmax.forward, "np.exp(x - x.max(axis=-1, keepdims=True))", "np.exp(x)")],
        same_layer(lambda net: net.Softmax(), far=1000),
        ("All gradients are right. It fails when a number gets large, perhaps on the third day of a training.",
         "What is the largest x of which a float32 can hold exp(x)?"),
    ),
    Bug(
        "no 1/N in the gradient of the loss", "bug_05.py", "CrossEntropy", ("CrossEntropy", "SparseCrossEntropy"),
        [(losses.CrossEntropy.backward, "(self.total * len(dq))", "self.total")],
        same_loss,
        ("Adam again. With SGD the learning rate would have to differ from one batch size to the next.",
         "Where does forward divide by N, and where does backward?"),
    ),
    Bug(
        "a mean over rows and classes", "bug_06.py", "CrossEntropy once more", ("CrossEntropy", "SparseCrossEntropy"),
        [(losses.CrossEntropy.forward, "/ len(q)", "/ q.size"), (losses.CrossEntropy.backward, "len(dq)", "dq.size")],
        same_loss,
        ("The gradient is that of the loss, and the loss looks wonderful. What does a model lose that knows nothing?",
         "Count what the mean is taken over. It is the same mistake in forward and in backward."),
    ),
    Bug(
        "dropout with another mask in backward", "bug_07.py", "Dropout", ("Dropout",),
        [(layers.Dropout.backward, "dy * self.mask",
          "dy * (self.rng.random(dy.shape) >= self.rate) / (1 - self.rate)")],
        same_layer(lambda net: net.Dropout(0.5, rng=0)),
        ("By chance half of it is right.", "backward belongs to the forward just before it: what has to be kept?"),
        layers=training.dropout,
    ),
    Bug(
        "Adam's correction without the power t", "bug_08.py", "Adam", ("Adam",),
        [(optimizers.Adam.step, "**self.t", "")],
        same_adam,
        ("No gradient check sees it. Steps are too large at first and too small in the long run.",
         "step and step_as_it_reads are to be the same: compare them."),
    ),
    Bug(
        "the last batch dropped", "bug_09.py", "batches", ("batches",),
        [(lesson.batches, "range(batch_size, len(x), batch_size))",
          "range(batch_size, len(x), batch_size))[: len(x) // batch_size]")],
        same_batches,
        ("Of 10,000 rows, 16 are left out, other ones in each epoch.", "Count the rows of an epoch."),
    ),
    Bug(
        "the step before backward", "bug_10.py", "train_epoch", ("train_epoch",),
        [(lesson.train_epoch, "model.backward(loss.backward())", "optimizer.step(); model.backward(loss.backward())"),
         (lesson.train_epoch, "\n        optimizer.step()  #", "\n        #")],
        same_epoch,
        ("Each step goes downhill as well, only not from where the model is.",
         "Write down which gradient each step takes: that of which batch?"),
    ),
)  # fmt: skip
