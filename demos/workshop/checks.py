"""Is a step right? Each function checks one step of ``net``, the reader's framework, and raises what is wrong.

``StepError`` has words and the numbers of a small example; the reader's own GradientError those of the gradient check.
"""

import math
from typing import Any

import numpy as np

import nnscratch

Net = Any  # a module: the reader's framework, or nnscratch itself


class StepError(AssertionError):
    """What is wrong, in words for the reader."""


def expect(kept, words):
    if not kept:
        raise StepError(words)


def shown(numbers):
    """Nested lists of numbers on one line."""
    if np.ndim(numbers):
        return f"[{', '.join(map(shown, numbers))}]"
    return f"{numbers + 0.0:.6g}"  # -0 is shown as 0


def close(one, other):
    return np.shape(one) == np.shape(other) and np.allclose(one, other, rtol=1e-5, atol=1e-7)


def compare(given, what, call, expected, mistakes):
    """Shapes first, then values, of what ``call()`` returns. ``mistakes`` are results that tell what was done:
    {words: result}."""
    try:
        got = call()
    except Exception as error:
        error.add_note(f"for {given}")
        raise
    expected = np.asarray(expected)
    is_number = isinstance(got, np.ndarray | np.generic | float | int)
    kind = f"an array of shape {expected.shape}" if expected.ndim else "one number"
    expect(is_number, f"{what} should be {kind}, yours is {got!r}: does the function end with return?")
    hint = "".join(f"\n{words}" for words, result in mistakes.items() if close(got, result))
    if np.shape(got) != expected.shape:
        hint = hint or ("\nit looks transposed" if np.shape(got) == expected.shape[::-1] else "")
        shapes = f"{what} should have the shape {expected.shape}, yours has {np.shape(got)}: {shown(got)}"
        raise StepError(f"for {given}\n{shapes}{hint}")
    expect(close(got, expected), f"for {given}\n{what} should be {shown(expected)}\nyours is {shown(got)}{hint}")


def untouched(name, now, before, fix):
    expect(np.array_equal(now, before), f"{name} was changed from {shown(before)} to {shown(now)}: {fix}")


def numerical(given, what, call, expected, fix):
    """For numbers that are large: does it overflow, or lose its digits?"""
    try:
        got = call()
    except RuntimeWarning as warning:
        raise StepError(f"for {given}\n{what} cannot be computed: {warning}\n{fix}") from warning
    words = f"for {given}\n{what} should be {shown(expected)}\nyours is {shown(got)}\n{fix}"
    expect(close(got, expected), words)


def expect_kept(layer, y):
    kept = getattr(layer, "y", None)
    expect(kept is not None and close(kept, y), "y is right, but backward will need it: keep it in self.y")


def inputs(n=5, width=4):
    return np.random.default_rng(0).standard_normal((n, width))


# ---- Chapter 2: layers and shapes ------------------------------------------------------------------------------------


def dense_forward(net: Net):
    # Where weights start is a later step: until then they start where ours do.
    unwritten, net.layers.glorot_uniform = net.layers.glorot_uniform, nnscratch.initializers.glorot_uniform
    try:
        dense = net.Dense(3, 2).astype(np.float64)
    finally:
        net.layers.glorot_uniform = unwritten
    dense.W.value, dense.b.value = [[1, 0], [2, 1], [0, 3]], [10, 20]
    x = np.array([[1.0, 2.0, 0.0], [0.0, 1.0, 1.0]])
    compare(
        "x = [[1, 2, 0], [0, 1, 1]], W = [[1, 0], [2, 1], [0, 3]], b = [10, 20]",
        "y", lambda: dense.forward(x), [[15, 22], [12, 24]],
        {
            "the bias b is missing": [[5, 2], [2, 4]],
            "b was subtracted: add it": [[-5, -18], [-8, -16]],
            "b has one number for each column of y, not for each row": [[15, 12], [22, 24]],
            "x W is missing": [[10, 20], [10, 20]],
        },
    )  # fmt: skip
    untouched("b", dense.b.value, [10, 20], "write + b, and not +=")


def relu_forward(net: Net):
    relu, x = net.ReLU(), np.array([[-1.0, 0.0, 2.0]])
    compare(
        "x = [[-1, 0, 2]]", "y", lambda: relu.forward(x), [[0, 0, 2]],
        {
            "this is the smaller one of x and 0": [[-1, 0, 0]],
            "this is |x|": [[1, 0, 2]],
            "this is the slope of y, 0 or 1: y is x where x > 0": [[0, 0, 1]],
            "this is the largest number of all: np.maximum goes number by number, np.max does not": 2,
            "this is the largest number of each column: np.maximum goes number by number, np.max does not": [-1, 0, 2],
        },
    )  # fmt: skip
    untouched("x", x, [[-1, 0, 2]], "it belongs to others as well: make a new array")
    expect_kept(relu, [[0, 0, 2]])


def where_weights_start(net: Net):
    both = {math.sqrt(6 / 500): "glorot_uniform", math.sqrt(6 / 300): "he_uniform"}
    likely = {
        math.sqrt(6): "the number of inputs is missing",
        math.sqrt(6 / 200): "this is sqrt(6 / n_out)",
        math.sqrt(2 / 500): "a uniform distribution has the variance limit² / 3: hence the 6, not 2",
        6 / 500: "the square root is missing",
        6 / 300: "the square root is missing",
        1: "the limit is missing",
    }
    for limit, name in both.items():
        make, call = getattr(net.initializers, name), f"{name}(300, 200, rng=0)"
        W = make(300, 200, rng=0)
        expect(isinstance(W, np.ndarray), f"{call} should be an array, yours is {W!r}: does it end with return?")
        turned = ": (n_in, n_out) is meant" if W.shape == (200, 300) else ""
        expect(W.shape == (300, 200), f"{call} should have the shape (300, 200), yours has {W.shape}{turned}")
        alike = f"{call} should be random numbers, yours are all {shown(W[0, 0])}: all units would stay equal"
        expect(np.ptp(W) > 0, alike)
        largest, words = float(np.abs(W).max()), f"the numbers of {call} should lie between -limit and limit"
        expect(W.min() < 0, f"{words}, yours lie between 0 and {largest:.4f}: half of them should be negative")
        others = likely | {each: f"this is the limit of {name}" for each, name in both.items()}
        hint = "".join(f": {words}" for each, words in others.items() if 0.99 * each < largest <= 1.0001 * each)
        right = 0.99 * limit < largest <= 1.0001 * limit
        expect(right, f"{words} = {limit:.4f}\nyours go up to {largest:.4f}{hint}")
        spread, should = float(W.std()), limit / math.sqrt(3)
        fix = "use default_rng(rng).uniform(-limit, limit, (n_in, n_out))"
        words = f"the standard deviation of {call} should be {should:.4f}, yours is {spread:.4f}"
        expect(0.98 < spread / should < 1.02, f"{words}: the numbers are not uniform, {fix}")
        expect(np.array_equal(W, make(300, 200, rng=0)), "the same rng=0 should give the same W again: draw from rng")
        rng = np.random.default_rng(0)
        expect(
            not np.array_equal(make(3, 2, rng=rng), make(3, 2, rng=rng)),
            "two calls with one Generator should give two different W: np.random.default_rng(rng) goes on with it",
        )
        for dtype in (np.float32, np.float64):
            kind, got = dtype.__name__, make(2, 2, dtype=dtype).dtype
            expect(got == dtype, f"with dtype={kind} {name} should be {kind}, yours is {got}: .astype(dtype)")


# ---- Chapter 3: loss -------------------------------------------------------------------------------------------------


def softmax_forward(net: Net):
    softmax, x = net.Softmax(), np.log([[1 / 3, 1.0], [1 / 4, 1.0]])
    compare(
        "x = [[log 1/3, 0], [log 1/4, 0]]: exp(x) = [[1/3, 1], [1/4, 1]]",
        "y", lambda: softmax.forward(x.copy()), [[0.25, 0.75], [0.2, 0.8]],
        {
            "this is exp(x), not yet divided by its sum": [[1 / 3, 1], [1 / 4, 1]],
            "the sum goes over the batch: it has to go over each row, axis=-1": [[4 / 7, 0.5], [3 / 7, 0.5]],
            "the sum is that of all rows: each row has its own, axis=-1, keepdims=True":
                [[4 / 31, 12 / 31], [3 / 31, 12 / 31]],
            "the sums of the rows were put side by side, not below each other: keepdims=True":
                [[0.25, 0.8], [0.1875, 0.8]],
        },
    )  # fmt: skip
    expect_kept(softmax, [[0.25, 0.75], [0.2, 0.8]])
    far = np.array([[1000.0, 0.0], [0.0, 0.0]])
    numerical(
        "x = [[1000, 0], [0, 0]]",
        "y",
        lambda: softmax.forward(far),
        [[1, 0], [0.5, 0.5]],
        "subtract the largest number of each row from that row first, x - x.max(axis=-1, keepdims=True)",
    )
    untouched("x", far, [[1000, 0], [0, 0]], "make a new array, x - ..., and not x -= ...")


def softmax_cross_entropy_forward(net: Net):
    loss, z = net.SoftmaxCrossEntropy(), np.log([[1 / 3, 1.0], [1 / 4, 1.0]])
    right = -math.log(0.75 * 0.8) / 2
    compare(
        "z = [[log 1/3, 0], [log 1/4, 0]], labels = [1, 1]: p = [[0.25, 0.75], [0.2, 0.8]]",
        "L", lambda: loss.forward(z.copy(), [1, 1]), right,
        {
            "the mean over the rows is missing: N = 2 times too large": 2 * right,
            "the sign is flipped: log p is negative, the loss is not": -right,
            "this is the mean over all N C numbers: divide by N, len(z)": right / 2,
            "this is the mean of all log p: only that of the label counts": -math.log(0.25 * 0.75 * 0.2 * 0.8) / 4,
            "these are the log p of all classes: only that of the label counts": -math.log(0.25 * 0.75 * 0.2 * 0.8) / 2,
            "this is the mean of -p, without the logarithm": -(0.75 + 0.8) / 2,
            "the sum of exp goes over all of z: each row has its own, axis=1, keepdims=True":
                math.log(31 / 12),
            "the sum of exp goes over the batch: each row has its own, axis=1, keepdims=True":
                math.log(2),
            "the sums of the rows were put side by side, not below each other: keepdims=True":
                math.log(5 / 4),
        },
    )  # fmt: skip
    for name, should in (("log_p", np.log([[0.25, 0.75], [0.2, 0.8]])), ("t", [[0, 1], [0, 1]])):
        kept = getattr(loss, name, None)
        words = f"L is right, but backward will need self.{name} = {shown(should)}"
        expect(kept is not None and close(kept, should), f"{words}, yours is {kept!r}")
    fix = "use log p_k = z_k - max z - log sum_j exp(z_j - max z): nothing overflows, no p is rounded to 0"
    fix += "; each row has its own max, axis=1, keepdims=True"
    far, given = np.array([[1e4, 0.0], [0.0, 0.0]]), "z = [[10000, 0], [0, 0]], labels = [1, 1]"
    numerical(given, "L", lambda: loss.forward(far, [1, 1]), (1e4 + math.log(2)) / 2, fix)
    untouched("z", far, [[1e4, 0.0], [0.0, 0.0]], "make a new array, z = z - ..., and not z -= ...")


# ---- Chapter 4: backpropagation --------------------------------------------------------------------------------------


def dense_backward(net: Net):
    net.check_layer(net.Dense(4, 3, rng=0), inputs())


def relu_backward(net: Net):
    relu = net.ReLU()
    relu.forward(np.array([[-1.0, 0.0, 2.0, 3.0]]))
    compare(
        "x = [[-1, 0, 2, 3]], dy = [[5, 5, 5, -7]]", "dx",
        lambda: relu.backward(np.array([[5.0, 5.0, 5.0, -7.0]])), [[0, 0, 5, -7]],
        {
            "everything gets through: y is never below 0, ask for y > 0": [[5, 5, 5, -7]],
            "this asks where dy > 0: the mask is where y > 0": [[5, 5, 5, 0]],
            "where x > 0 the slope is 1, not y": [[0, 0, 10, -21]],
            "this is ReLU of dy: nothing below 0 may get lost, dy is to be multiplied by the mask": [[0, 0, 5, 0]],
            "this is the mask, dy is missing": [[0, 0, 1, 1]],
        },
    )  # fmt: skip
    net.check_layer(relu, inputs())


def sigmoid(net: Net):
    layer, x = net.Sigmoid(), np.array([[0.0, math.log(3)]])
    compare(
        "x = [[0, log 3]]", "y", lambda: layer.forward(x), [[0.5, 0.75]],
        {
            "this is 1 / (1 + exp(x)): the sign is missing": [[0.5, 0.25]],
            "this is 1 + exp(-x): y is 1 divided by it": [[2, 4 / 3]],
            "this is the slope y (1 - y): forward returns y": [[0.25, 0.1875]],
        },
    )  # fmt: skip
    compare(
        "x = [[0, log 3]], so y = [[0.5, 0.75]], and dy = [[4, 16]]", "dx",
        lambda: layer.backward(np.array([[4.0, 16.0]])), [[1, 3]],
        {
            "dy is missing": [[0.25, 0.1875]],
            "1 - y is missing": [[2, 12]],
            "y is missing": [[2, 4]],
            "the slope is y (1 - y), not x (1 - x)": [[0, 16 * math.log(3) * (1 - math.log(3))]],
        },
    )  # fmt: skip
    numerical(
        "x = [[-1000, 1000]]",
        "y",
        lambda: layer.forward(np.array([[-1000.0, 1000.0]])),
        [[0, 1]],
        "e = exp(-|x|) cannot overflow: y = 1 / (1 + e) for x >= 0, e / (1 + e) below",
    )
    layer.forward(np.array([[20.0]], np.float32))
    (slope,) = layer.backward(np.ones((1, 1), np.float32))[0]
    words = f"for x = 20 in float32, where y rounds to 1, the slope should be 2.06e-09, yours is {shown(slope)}"
    expect(abs(slope - 2.0612e-9) < 1e-12, f"{words}: y (1 - y) loses its digits there, e / (1 + e)² does not")
    net.check_layer(layer, inputs())


def softmax_backward(net: Net):
    softmax = net.Softmax()
    softmax.forward(np.log([[1.0, 3.0], [1.0, 1.0]]))
    compare(
        "y = [[0.25, 0.75], [0.5, 0.5]], dy = [[1, 0], [0, 2]]", "dx",
        lambda: softmax.backward(np.array([[1.0, 0.0], [0.0, 2.0]])), [[0.1875, -0.1875], [-0.5, 0.5]],
        {
            "only the diagonal, dy y (1 - y): each output depends on all inputs of its row": [[0.1875, 0], [0, 0.5]],
            "the sum is that of dy_j y_j, not of dy_j": [[0, -0.75], [-1, 0]],
            "the sum is missing": [[0.25, 0], [0, 1]],
            "the factor y_k is missing": [[0.75, -0.25], [-1, 1]],
            "the sum goes over the batch: each row has its own, axis=-1, keepdims=True":
                [[-0.0625, -0.9375], [-0.625, 0.375]],
            "the sums of the rows were put side by side, not below each other: keepdims=True":
                [[0.1875, -0.75], [-0.125, 0.5]],
        },
    )  # fmt: skip
    net.check_layer(softmax, inputs())


def softmax_cross_entropy_backward(net: Net):
    loss = net.SoftmaxCrossEntropy()
    loss.forward(np.log([[1.0, 3.0], [1.0, 1.0]]), [1, 0])
    compare(
        "p = [[0.25, 0.75], [0.5, 0.5]], t = [[0, 1], [1, 0]]", "dz", loss.backward,
        [[0.125, -0.125], [-0.25, 0.25]],
        {
            "N = 2 times too large: the mean over the batch is taken here, in the loss": [[0.25, -0.25], [-0.5, 0.5]],
            "the sign is flipped: p - t": [[-0.125, 0.125], [0.25, -0.25]],
            "this is p / N: t is missing": [[0.125, 0.375], [0.25, 0.25]],
            "this is (log p - t) / N: p is exp(log p)":
                (np.log([[0.25, 0.75], [0.5, 0.5]]) - [[0, 1], [1, 0]]) / 2,
            "all of it is divided by N: (p - t) / N": [[0.25, 0.25], [0, 0.5]],
            "this is divided by N C: only the rows are counted, N": [[0.0625, -0.0625], [-0.125, 0.125]],
        },
    )  # fmt: skip
    net.check_loss(loss.__class__(), inputs(), np.array([0, 1, 2, 3, 0]))


def cross_entropy_backward(net: Net):
    loss = net.CrossEntropy()
    loss.forward(np.array([[1.0, 4.0], [2.0, 3.0]]), np.eye(2)[[1, 0]])
    compare(
        "s = [[1, 4], [2, 3]], t = [[0, 1], [1, 0]]: S = [[5], [5]], q = [[0.2, 0.8], [0.4, 0.6]]",
        "ds", loss.backward, [[0.1, -0.025], [-0.15, 0.1]],
        {
            "N = 2 times too large: the mean over the batch is taken here, in the loss":
                [[0.2, -0.05], [-0.3, 0.2]],
            "this is dq: S changes with every score, see the formula above": [[0, -1.25], [-2.5, 0]],
            "the sum over j is missing: S changes with every score": [[0, -0.125], [-0.25, 0]],
            "the sign is flipped: dq_k = -t_k / q_k": [[-0.1, 0.025], [0.15, -0.1]],
            "1 / S is missing": [[0.5, -0.125], [-0.75, 0.5]],
            "this multiplies by N: a / S * N is (a / S) * N, write a / (S * N)": [[0.4, -0.1], [-0.6, 0.4]],
            "the sum is that of dq_j q_j, not of dq_j": [[0.125, 0], [0, 0.25]],
        },
    )  # fmt: skip
    loss.forward(np.array([[5.0, 0.0, 3.0]]), np.array([[0.5, 0.5, 0.0]]))
    compare(
        "s = [[5, 0, 3]], t = [[0.5, 0.5, 0]]: q = [[0.625, 0, 0.375]], whose 0 is clipped to epsilon",
        "ds", loss.backward, [[-0.0375, 0.0625, 0.0625]],
        {
            "dq is 0 where q was clipped, and self.inside is False there": [[0.025, (-5e6 + 1) / 8, 0.125]],
            "where q was clipped, dq is 0, but ds is not: S depends on that score": [[-0.0375, 0, 0.0625]],
        },
    )  # fmt: skip
    net.check_loss(loss.__class__(), np.abs(inputs()) + 0.1, np.eye(4)[[0, 1, 2, 3, 0]])


def chain(net: Net):
    calls = []

    class Times(net.Layer):
        """y = a x + 1; notes which backward was called."""

        def __init__(self, name, a):
            self.name, self.a = name, a

        def forward(self, x):
            return self.a * x + 1

        def backward(self, dy):
            calls.append(self.name)
            return self.a * dy

    both = net.Chain([Times("first", 2), Times("last", 10)])
    given = "two layers, y = 2 x + 1 and then y = 10 x + 1, and x = [[3]]"
    compare(
        given, "y", lambda: both.forward(np.array([[3.0]])), [[71]],
        {
            "this is the last layer first": [[63]],
            "this is the last layer alone: what one layer returns is what the next one gets, x = ...": [[31]],
            "this is the first layer alone: does the loop go through all of them?": [[7]],
            "no layer was asked, or nothing was done with what it returned: x = layer.forward(x)": [[3]],
        },
    )  # fmt: skip
    compare(
        f"{given}, and dy = [[1]]", "dx", lambda: both.backward(np.array([[1.0]])), [[20]],
        {
            "each layer gets the same dy: the dx of one layer is the dy of the one before it, dy = ...": [[2]],
            "this is the last layer alone: does the loop go through all of them?": [[10]],
            "nothing was done with what the layers returned: dy = layer.backward(dy)": [[1]],
        },
    )  # fmt: skip
    expect(calls == ["last", "first"], f"backward asked {', then '.join(calls)}: it goes from the last to the first")
    calls.clear()
    both.first = 1
    both.forward(np.array([[3.0]]))
    both.backward(np.array([[1.0]]))
    words = "with self.first = 1, backward should end at layer 1, the last, as nothing before it is trained"
    expect(calls == ["last"], f"{words}\nyours asked {', then '.join(calls) or 'none'}: self.layers[self.first :]")
    model = net.Sequential([net.Dense(4, 5, rng=0), net.ReLU(), net.Dense(5, 3, rng=1)])
    net.check_model(model, net.SoftmaxCrossEntropy(), inputs(), np.array([0, 1, 2, 0, 1]))


# ---- Chapter 5: checking gradients -----------------------------------------------------------------------------------


def slope(net: Net):
    x = np.array([2.0, 5.0])
    cube = "f(x) = x_0³ + x_1, x = [2, 5], i = 0, h = 0.1 (f is 14.261 at 2.1, 13 at 2, 11.859 at 1.9)"
    compare(
        cube, "the slope", lambda: net.checking.slopes.plain_slope(lambda x: x[0] ** 3 + x[1], x, 0, 0.1), 12.01,
        {
            "h was added on one side only: the error shrinks with h, of central differences with h²": 12.61,
            "h was subtracted on one side only: the error shrinks with h, of central differences with h²": 11.41,
            "the two points lie 2h apart, not h": 24.02,
            "divide by (2 * h): / 2 * h is (/ 2) * h": 0.1201,
            "the difference is not yet divided by 2h": 2.402,
            "the sign is flipped: f(x + h) - f(x - h)": -12.01,
            "h was added to all numbers of x, not only to x_i": 13.01,
            "both points are the same: a = x makes no copy of x, x.copy() does": 0,
        },
    )  # fmt: skip
    untouched("x", x, [2, 5], "work on copies, such as x + step")
    compare(
        "f(x) = x_01 x_10, x = [[1, 2], [3, 4]], i = 2, which is its third number: i counts through all rows",
        "the slope",
        lambda: net.checking.slopes.plain_slope(lambda x: x[0, 1] * x[1, 0], np.array([[1.0, 2.0], [3.0, 4.0]]), 2), 2,
        {"i counts through all of x, whatever its shape: step.flat[i] = h": 0.0},
    )  # fmt: skip


# ---- Chapter 6: optimizers -------------------------------------------------------------------------------------------

IN_PLACE = "it did not move: theta = ... makes a new array, of which the model knows nothing; in place: theta += ..."


def two_weights(net: Net):
    """A model with theta = [1, 2]."""
    model = net.Sequential([net.Dense(1, 1)]).astype(np.float64)
    model.theta = [1, 2]
    return model


def sgd(net: Net):
    model = two_weights(net)
    optimizer = net.SGD(model, learning_rate=0.1, momentum=0.5)
    model.grad = [1, -4]
    given = "theta = [1, 2], grad = [1, -4], learning_rate = 0.1"
    optimizer.step()
    compare(
        given, "theta", lambda: model.theta, [0.9, 2.4],
        {
            IN_PLACE: [1, 2],
            "this goes uphill: subtract the gradient": [1.1, 1.6],
            "learning_rate is missing": [0, 6],
        },
    )  # fmt: skip
    optimizer.step()
    compare(
        f"{given}, momentum = 0.5, after a second step with the same grad", "theta", lambda: model.theta, [0.75, 3],
        {
            "the momentum is missing, or was forgotten: half of the last self.velocity is to be added": [0.8, 2.8],
            "the old velocity is added whole, not momentum times it": [0.7, 3.2],
            "momentum times velocity was subtracted: add it": [0.85, 2.6],
        },
    )  # fmt: skip
    untouched("grad", model.grad, [1, -4], "it is the model's own: self.learning_rate * grad is a new array")


def adam(net: Net):
    model = two_weights(net)
    optimizer = net.Adam(model, learning_rate=0.1)
    model.grad = [10, -0.001]
    for given, expected, mistakes in (
        (
            "the first step", [0.9, 2.099685],
            {
                IN_PLACE: [1, 2],
                "this goes uphill: subtract": [1.1, 1.900315],
                "alpha is just learning_rate: m and v start at 0, and are too small at first": [0.683772, 2.315231],
                "the square root in alpha is missing": [0.996838, 2.003152],
                "epsilon is added to sqrt(v), not to v": [0.9, 2.00995],
                "epsilon is added to sqrt(v) itself: m / (sqrt(v) + epsilon), in parentheses, and not to "
                "sqrt(v / (1 - beta_2^t)) as in PyTorch": [0.9, 2.09999],
                "beta_1 and beta_2 have changed places in alpha": [-98.999968, 101.684769],
            },
        ),
        (
            "a second step", [0.8, 2.199462],
            {
                "alpha needs the powers, beta_1^t and beta_2^t": [0.765616, 2.233769],
                "m has to last from one step to the next: beta_1 times the old self.m": [0.847368, 2.152199],
                "v has to last from one step to the next: beta_2 times the old self.v": [0.758614, 2.240625],
                "m and v have to last from one step to the next: keep them in self.m and self.v": [0.825586, 2.173864],
            },
        ),
        ("a third step", [0.7, 2.299279], {}),
    ):  # fmt: skip
        optimizer.step_as_it_reads()
        given = f"theta = [1, 2] and grad = [10, -0.001] each time, learning_rate = 0.1, after {given}"
        compare(given, "theta", lambda: model.theta, expected, mistakes)
    untouched("grad", model.grad, [10, -0.001], "it is the model's own: make a new array")


# ---- Chapter 7: MNIST, start to finish -------------------------------------------------------------------------------


def accuracy(net: Net):
    scores = np.array([[0.1, 0.9], [0.8, 0.2], [0.3, 0.7], [0.6, 0.4]])
    mistakes = {
        "this is how many are right: the share is meant": 3,
        "this is the share of those that are wrong": 0.25,
    }
    right, one_hot = np.array([1, 1, 1, 0]), np.eye(2)[[1, 1, 1, 0]]
    words = "scores = [[0.1, 0.9], [0.8, 0.2], [0.3, 0.7], [0.6, 0.4]]"
    accuracy = net.metrics.accuracy
    compare(f"{words}, labels = [1, 1, 1, 0]", "the accuracy", lambda: accuracy(scores, right), 0.75, mistakes)
    words += ", and labels as one-hot rows, [[0, 1], [0, 1], [0, 1], [1, 0]], whose 1 is at labels.argmax(axis=1)"
    compare(words, "the accuracy", lambda: accuracy(scores, one_hot), 0.75, mistakes)


def batches(net: Net):
    x, y = np.arange(10.0)[:, np.newaxis], np.arange(10)
    given = "10 rows and batch_size = 4"
    made = net.batches(x, y, 4, shuffle=False)
    expect(made is not None, f"for {given} there should be three pairs (x, y), yours is None: return or yield them")
    plain = pairs(made, f"{given}, shuffle=False")
    sizes = [len(rows) for rows, _ in plain]
    lost = "\nthe last batch may be smaller, but must not be left out" if sizes == [4, 4] else ""
    expect(sizes == [4, 4, 2], f"for {given} the batches should have [4, 4, 2] rows, yours have {sizes}{lost}")
    order = np.concatenate([labels for _, labels in plain]).tolist()
    expect(order == y.tolist(), f"with shuffle=False the rows should come in order, yours are {order}")
    rng = np.random.default_rng(0)
    orders = []
    for _ in range(2):
        shuffled = pairs(net.batches(x, y, 4, rng=rng), given)
        rows, labels = (np.concatenate(parts) for parts in zip(*shuffled, strict=True))
        for name, numbers in (("x", x[:, 0]), ("y", y)):
            untouched(name, numbers, np.arange(10), "shuffle the numbers of the rows, not the caller's rows")
        expect(
            np.array_equal(np.sort(rows[:, 0]), y),
            f"each row should come once, yours are {shown(rows[:, 0])}: draw one order for all, a permutation",
        )
        expect(
            np.array_equal(rows[:, 0], labels),
            f"for {given} the rows {shown(rows[:, 0])}\nhave the labels {shown(labels)}: x and y were shuffled "
            "differently, use one order for both",
        )
        orders.append(labels.tolist())
    expect(orders[0] != y.tolist(), f"with shuffle=True the order should be random, yours is {orders[0]}")
    expect(
        orders[0] != orders[1],
        "two epochs with one Generator came in the same order: draw from np.random.default_rng(rng), which goes on",
    )
    again = [[labels.tolist() for _, labels in net.batches(x, y, 4, rng=7)] for _ in range(2)]
    expect(again[0] == again[1], "the same seed, rng=7, should give the same order again: draw from rng")


def pairs(made, given):
    """What batches gives, as a list of pairs of arrays."""
    made = list(made)
    for each in made:
        right = isinstance(each, tuple | list) and len(each) == 2 and all(isinstance(a, np.ndarray) for a in each)
        expect(right, f"for {given} every batch should be a pair of arrays (x, y), yours has {each!r}")
    return made


def train_epoch(net: Net):
    calls = []

    class Model(net.Sequential):
        def forward(self, x, training=False):
            calls.append("model.forward" if training else "model.forward without training=True")
            return super().forward(x, training)

        def backward(self, dy):
            calls.append("model.backward")
            return super().backward(dy)

    class Loss(net.SoftmaxCrossEntropy):
        def forward(self, outputs, labels):
            calls.append("loss.forward")
            return super().forward(outputs, labels)

        def backward(self):
            calls.append("loss.backward")
            return super().backward()

    class Optimizer(net.SGD):
        def step(self):
            calls.append("optimizer.step")
            super().step()

    model = Model([net.Dense(4, 2, rng=0)])
    x, y = inputs(6).astype(np.float32), np.array([0, 1, 0, 1, 1, 0])
    result = net.train_epoch(model, Loss(), Optimizer(model, 0.1), [(x[:4], y[:4]), (x[4:], y[4:])])
    expected = ["model.forward", "loss.forward", "loss.backward", "model.backward", "optimizer.step"]
    got = calls[: len(calls) // 2]
    if got != expected or calls[len(got) :] != expected:
        hint = ""
        missing = [each for each in expected if each not in got]
        if "model.forward without training=True" in got:
            hint = "\nforward has to know that this is training, for layers such as Dropout"
        elif missing:
            hint = f"\n{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing"
        elif "optimizer.step" in got and got.index("optimizer.step") < got.index("model.backward"):
            hint = "\na step before backward takes the gradient of the batch before"
        raise StepError(
            f"each batch should call {', '.join(expected)}\nyours calls {', '.join(got) or 'nothing'}{hint}"
        )
    twin = nnscratch.Sequential([nnscratch.Dense(4, 2, rng=0)])
    twin.theta = net.Sequential([net.Dense(4, 2, rng=0)]).theta
    both = [(x[:4], y[:4]), (x[4:], y[4:])]
    right = nnscratch.train_epoch(twin, nnscratch.SoftmaxCrossEntropy(), nnscratch.SGD(twin, 0.1), both)
    expect(result is not None, "train_epoch returned nothing: its last line, return dict(...), was there before")
    for name in right:
        got = result.get(name, math.nan)
        expect(close(got, right[name]), f"the {name} of an epoch should be {right[name]:.6g}, yours is {got:.6g}")
    words = f"the weights after an epoch should be {shown(twin.theta[:3])} ..., yours are {shown(model.theta[:3])} ..."
    expect(close(model.theta, twin.theta), f"{words}: model.backward takes what loss.backward() returns")
