"""The checks themselves: right gradients pass, wrong ones do not, and the report says which."""

import re
import threading

import numpy as np
import pytest

from nnscratch import (
    Chain,
    CrossEntropy,
    Dense,
    Dropout,
    Flatten,
    GradientError,
    Layer,
    Parameter,
    ReLU,
    Sequential,
    Sigmoid,
    Softmax,
    SoftmaxCrossEntropy,
    SparseCrossEntropy,
    check_layer,
    check_loss,
    check_model,
)
from nnscratch.checking.promises import at_the_start
from nnscratch.checking.twins import Twin
from tests.architectures import Squares


class Tanh(Layer):
    def forward(self, x):
        self.y = np.tanh(x)
        return self.y

    def backward(self, dy):
        return dy * (1 - self.y**2)


def test_a_layer_written_five_minutes_ago(rng):
    report = check_layer(Tanh(), rng.standard_normal((3, 4)))
    assert report.largest_error < 1e-9
    assert str(report).splitlines()[0] == "Tanh()"
    assert str(report).splitlines()[2].split()[:2] == ["dx", "(3,"]
    assert str(report).splitlines()[2].endswith("right")
    assert "5 other calls before change nothing" in str(report)


def test_the_report_is_a_table(rng):
    report = check_layer(Dense(4, 3, rng=0), rng.standard_normal((5, 4)))
    numbers = re.compile(r"\d\.\de-\d\d")
    assert (
        numbers.sub("#.#e-##", str(report))
        == """\
Dense(4, 3)
gradient        shape           checked  relative error
dx              (5, 4)               20         #.#e-##  right
dW              (4, 3)               12         #.#e-##  right
db              (3,)                  3         #.#e-##  right
also right: x, y and dy are left alone;
ties share dy;
gradients are right where each row stands twice;
gradients are right for a single row;
gradients are right for numbers of up to 100;
backward is linear in dy;
arrays that are not contiguous have the same results;
batches with each row 2 and 26 times have each result as often;
5 other calls before change nothing;
a single row works;
nobody has to read dx;
float32 stays float32 and has float64's values;
no overflow for numbers of 100;
predictions in batches of 1, 5 and 130 rows agree;
backward before forward is refused"""
    )
    outputs, labels = rng.standard_normal((5, 4)), [0, 1, 2, 3, 0]
    assert str(check_loss(SoftmaxCrossEntropy(), outputs, labels)).splitlines()[3:] == [
        "also right: batches of 1, 10 and 130 rows agree;",
        "gradients are right for numbers of up to 100;",
        "float32 stays float32 and has float64's values;",
        "backward before forward is refused",
    ]


def test_the_same_seed_gives_the_same_report(rng):
    x, labels = rng.standard_normal((5, 4)), [0, 1, 2, 3, 0]
    model = Sequential([Dense(4, 4, rng=0), Sigmoid()])
    for check in (
        lambda seed: check_layer(Dense(4, 3, rng=0), x, rng=seed),
        lambda seed: check_loss(SparseCrossEntropy(), x**2, labels, rng=seed),
        lambda seed: check_model(model, SparseCrossEntropy(), x, labels, rng=seed),
    ):
        assert check(7) == check(7) != check(8)
        assert check(np.random.default_rng(7)) == check(7)


def test_errors_are_relative_however_small_the_gradient(rng):
    """A gradient of 1e-9 that is wrong by a thousandth is wrong by 1e-12 only."""

    def tiny(factor):
        return wrong_layer(Tanh, lambda self, x: vars(self).update(x=x) or 1e-9 * x**3,
                           lambda self, dy: dy * 3e-9 * factor * self.x**2)()  # fmt: skip

    x = rng.standard_normal((3, 4))
    assert check_layer(tiny(1), x).largest_error < 1e-7
    with pytest.raises(GradientError, match=r"1\.001 times the slope"):
        check_layer(tiny(1.001), x)


def test_a_model_is_checked_as_it_is_trained(rng):
    class Undivided(Dropout):
        def backward(self, dy):
            return dy * (np.asarray(self.mask) > 0)

    for dropout, right in ((Dropout, True), (Undivided, False)):
        model = Sequential([Dense(4, 8, rng=0), dropout(0.5, rng=0), Dense(8, 3, rng=1)])
        x, labels = rng.standard_normal((5, 4)), [0, 1, 2, 0, 1]
        if right:
            assert check_model(model, SoftmaxCrossEntropy(), x, labels).largest_error < 1e-7
        else:
            with pytest.raises(GradientError, match=r"layer 0 dW.*WRONG"):
                check_model(model, SoftmaxCrossEntropy(), x, labels)


def test_a_float32_layer_and_float32_inputs_are_checked_in_float64(rng):
    x = rng.standard_normal((5, 4)).astype(np.float32)
    assert check_layer(Dense(4, 3, rng=0), x).largest_error < 1e-9
    model = Sequential([Dense(4, 3, rng=0)])
    assert check_model(model, SoftmaxCrossEntropy(), x, [0, 1, 2, 0, 1]).largest_error < 1e-9


def test_integers_can_be_checked_at():
    assert check_layer(Dense(2, 3, rng=0), [[1, 2], [3, 4]]).largest_error < 1e-9


def test_the_report_names_the_culprit(rng):
    class Doubled(Dense):
        def backward(self, dy):
            dx = super().backward(dy)
            self.b.grad *= 2
            return dx

    with pytest.raises(GradientError) as caught:
        check_layer(Doubled(2, 3, rng=0), rng.standard_normal((4, 2)))
    verdicts = [line.split()[-1] for line in str(caught.value).splitlines()[2:5]]
    assert verdicts == ["right", "right", "WRONG"]
    numbers, hint = (line.strip() for line in str(caught.value).splitlines()[-2:])
    entry, said, slope = re.fullmatch(
        r"db\[(\d)\]: backward says (\S+), the slope is (\S+) \(3 of .*", numbers
    ).groups()
    assert int(entry) in range(3)
    assert float(said) == pytest.approx(2 * float(slope), rel=1e-6)
    assert hint == "db: 2 times the slope, everywhere: a factor is missing or too much"


def wrong_layer(base, forward=None, backward=None):
    methods = {k: v for k, v in (("forward", forward), ("backward", backward)) if v}
    return type("Wrong", (base,), methods)


WRONG_LAYERS = {
    "a diagonal softmax": wrong_layer(Softmax, backward=lambda self, dy: dy * self.y * (1 - self.y)),
    "relu's mask from dy": wrong_layer(ReLU, backward=lambda self, dy: dy * (dy > 0)),
    "sigmoid's slope at y": wrong_layer(Sigmoid, backward=lambda self, dy: dy * self.slope * (1 - self.slope)),
    "the sign": wrong_layer(Tanh, backward=lambda self, dy: -dy * (1 - self.y**2)),
    "one part in a million": wrong_layer(Tanh, backward=lambda self, dy: dy * (1 - self.y**2) * (1 + 1e-6)),
    "not a number": wrong_layer(Tanh, backward=lambda self, dy: dy * np.nan),
    "no gradient where it is 0 for a dy of ones": wrong_layer(Softmax, backward=lambda self, dy: dy * 0),
    "no gradient": wrong_layer(Tanh, backward=lambda self, dy: dy * 0),
}


@pytest.mark.parametrize("wrong", WRONG_LAYERS.values(), ids=WRONG_LAYERS)
def test_wrong_layers_are_caught(wrong, rng):
    with pytest.raises(GradientError, match=r"dx .*WRONG"):
        check_layer(wrong(), rng.standard_normal((3, 4)))


def test_a_gradient_of_the_wrong_shape(rng):
    class Row(Tanh):
        def backward(self, dy):
            return dy.sum(axis=0)

    with pytest.raises(GradientError, match=r"dx: expected shape \(3, 4\), got \(4,\)$"):
        check_layer(Row(), rng.standard_normal((3, 4)))

    class Transposed(Tanh):
        def backward(self, dy):
            return super().backward(dy).T

    with pytest.raises(GradientError, match=r"dx: expected shape \(3, 4\), got \(4, 3\): it looks transposed$"):
        check_layer(Transposed(), rng.standard_normal((3, 4)))


def test_kinks_are_stepped_around(rng):
    assert check_layer(ReLU(), np.zeros((3, 4))).largest_error < 1e-9  # on the kink itself
    x = rng.standard_normal((3, 4)) * 10.0 ** rng.integers(-9, 0, (3, 4))  # and ever closer to it
    assert check_layer(ReLU(), x).largest_error < 1e-7

    class Noise(Layer):  # rough wherever one looks: nothing can be said
        def forward(self, x):
            return np.sin(1e9 * x)

        def backward(self, dy):
            return dy

    with pytest.raises(GradientError, match="expected inputs near which the gradient exists"):
        check_layer(Noise(), rng.standard_normal((3, 4)))


def test_random_layers_are_checked_with_one_mask(rng):
    class Undivided(Dropout):
        def backward(self, dy):
            return dy * (np.asarray(self.mask) > 0)

    assert check_layer(Dropout(0.5), rng.standard_normal((5, 4))).largest_error < 1e-9
    with pytest.raises(GradientError):
        check_layer(Undivided(0.5), rng.standard_normal((5, 4)))


def test_of_large_arrays_all_entries_are_checked(rng):
    report = check_layer(Dense(784, 30, rng=0), rng.standard_normal((2, 784)))
    assert [(row.name, row.checked) for row in report.rows] == [("dx", 1568), ("dW", 23520), ("db", 30)]


def test_the_layer_itself_is_not_touched(rng):
    model = Sequential([Dense(4, 3, rng=0), ReLU()])
    layer = model.layers[0]
    before = model.theta.copy()
    check_layer(layer, rng.standard_normal((2, 4)))
    check_model(model, SoftmaxCrossEntropy(), rng.standard_normal((2, 4)), np.array([0, 1]))
    assert (model.theta == before).all()
    assert model.theta.dtype == np.float32
    assert not model.grad.any()
    assert layer.needs_dx is False


def test_a_gradient_that_is_added_up(rng):
    class Accumulating(Dense):
        def backward(self, dy):
            self.W.grad += self.x.T @ dy
            self.b.grad = dy.sum(axis=0)
            return dy @ self.W.value.T

    with pytest.raises(GradientError, match=r"dW.*WRONG\n.*backward says nan.*\n.*added to the old gradient"):
        check_layer(Accumulating(2, 3, rng=0), rng.standard_normal((4, 2)))


def test_arguments_that_are_written_into(rng):
    def forward(self, x):
        x -= x.mean()
        return x

    def backward(self, dy):
        dy *= 1 - self.y**2
        return dy

    with pytest.raises(GradientError, match="forward changed its argument x"):
        check_layer(wrong_layer(Tanh, forward=forward)(), rng.standard_normal((3, 4)))
    with pytest.raises(GradientError, match="backward changed its argument dy"):
        check_layer(wrong_layer(Tanh, backward=backward)(), rng.standard_normal((3, 4)))


def test_a_gain_that_is_forgotten_shows_although_it_starts_at_1(rng):
    class Scale(Layer):
        def __init__(self):
            self.gain = Parameter(np.ones(4))

        def forward(self, x):
            self.x = x
            return x * self.gain.value

        def backward(self, dy):
            self.gain.grad = (dy * self.x).sum(axis=0)
            return dy

    with pytest.raises(GradientError, match=r"dx .*WRONG"):
        check_layer(Scale(), rng.standard_normal((3, 4)))


def test_nothing_to_check(rng):
    for x in (np.full((2, 2), np.nan), np.full((2, 2), np.inf)):
        with pytest.raises(ValueError, match="expected finite inputs"):
            check_layer(Tanh(), x)
    with pytest.raises(ValueError, match="something to differentiate"):
        check_model(Sequential([Tanh()]), SoftmaxCrossEntropy(), np.ones((2, 2)), [0, 1])


def wrong_loss(factor):
    class Wrong(SoftmaxCrossEntropy):
        def backward(self):
            return factor(super().backward())

    return Wrong()


@pytest.mark.parametrize("factor", [lambda d: d * len(d), lambda d: d / len(d), lambda d: -d, lambda d: d + 1e-6])
def test_wrong_losses_are_caught(factor, rng):
    outputs, labels = rng.standard_normal((6, 4)), rng.integers(0, 4, 6)
    with pytest.raises(GradientError, match=r"doutputs.*WRONG"):
        check_loss(wrong_loss(factor), outputs, labels)
    with pytest.raises(GradientError, match=r"WRONG"):
        check_model(Sequential([Dense(4, 4, rng=0)]), wrong_loss(factor), outputs, labels)


def test_not_the_printed_loss():
    """-log of the output itself, without normalising: the mistake the sparse cross-entropy invites."""

    class Unnormalised(SparseCrossEntropy):
        def forward(self, outputs, labels):
            super().forward(outputs, labels)
            return -float(np.log(outputs[np.arange(len(outputs)), labels]).mean())

    with pytest.raises(GradientError):
        check_loss(Unnormalised(), np.full((2, 3), 0.3), np.array([0, 1]))


def test_losses_at_the_edge_of_their_domain(rng):
    labels = rng.integers(0, 3, 4)
    for scores in (np.zeros((4, 3)), np.eye(3)[labels], 1e-9 * rng.random((4, 3)), 1e-4 * rng.random((4, 3))):
        assert check_loss(SparseCrossEntropy(), scores, labels).largest_error < 1e-7
        assert check_loss(CrossEntropy(), scores, np.eye(3)[labels]).largest_error < 1e-7


def test_a_wrong_layer_inside_a_model_is_caught(rng):
    class Transposed(Dense):
        def backward(self, dy):
            dx = super().backward(dy)
            self.W.grad = self.W.grad.T.copy()
            return dx

    model = Sequential([Dense(5, 4, rng=0), Tanh(), Transposed(4, 4, rng=1), Softmax()])
    with pytest.raises(GradientError) as caught:
        check_model(model, SparseCrossEntropy(), rng.standard_normal((6, 5)), rng.integers(0, 4, 6))
    rows = [line.split() for line in str(caught.value).splitlines() if line.startswith("layer")]
    assert [(row[1], row[2], row[-1]) for row in rows] == [
        ("0", "dW", "right"), ("0", "db", "right"), ("2", "dW", "WRONG"), ("2", "db", "right"),
    ]  # fmt: skip


# ---- mistakes named in words ----


def after(change, base=Dense):
    """A layer whose backward is right, but for what ``change(layer, dx, dy)`` does then; it returns dx."""
    return wrong_layer(base, backward=lambda self, dy: change(self, base.backward(self, dy), dy))


def with_gradient(name, gradient):
    """The same with the gradient of one parameter replaced by ``gradient(layer, dy)``."""

    def change(layer, dx, dy):
        getattr(layer, name).grad = gradient(layer, dy)
        return dx

    return after(change)


NAMED = {
    "the sign": (after(lambda layer, dx, dy: -dx), 4, "dx: the sign is flipped"),
    "a mean in db": (
        with_gradient("b", lambda layer, dy: dy.mean(axis=0)), 3,
        "db: N = 5 times too small: the mean over the batch is taken in the loss, once, and nowhere else",
    ),
    "a sum too many in dW": (
        with_gradient("W", lambda layer, dy: layer.x.T @ dy * len(dy)), 3,
        "dW: N = 5 times too large: the mean over the batch is taken in the loss, once, and nowhere else",
    ),
    "half": (after(lambda layer, dx, dy: dx / 2), 3, "dx: 0.5 times the slope, everywhere: a factor is missing or too"),
    "nothing": (after(lambda layer, dx, dy: 0 * dx), 3, "dx: zero where the slope is not"),
    "nothing in some places": (after(lambda layer, dx, dy: dx * (dx > 0)), 3, "dx: zero where the slope is not"),
    "transposed": (with_gradient("W", lambda layer, dy: dy.T @ layer.x), 4, "dW: it looks transposed"),
    "transposed, of another shape": (
        with_gradient("W", lambda layer, dy: dy.T @ layer.x), 3,
        r"backward failed: grad of W: expected shape \(4, 3\), got \(3, 4\): transpose it, .T",
    ),
    "the last row of dy": (with_gradient("b", lambda layer, dy: dy[-1]), 3, "db: it was not summed over the rows"),
    "all rows of dy": (
        with_gradient("b", lambda layer, dy: dy), 3,
        r"backward failed: grad of b: expected shape \(3,\), got \(5, 3\): sum over the rows, .sum\(axis=0\)",
    ),
    "the other sum": (with_gradient("b", lambda layer, dy: dy.sum(axis=1)), 5, "db: it was summed over the wrong axis"),
    "of nothing": (
        type("Useless", (ReLU,), {"forward": lambda self, x: np.zeros_like(x), "backward": lambda self, dy: dy}), None,
        "dx: not zero, although nothing depends on this entry",
    ),
    "no return": (
        after(lambda layer, dx, dy: None), 3,
        r"expected backward to return an array, got None: does it end with return dx\?",
    ),
    "no return from forward": (
        wrong_layer(Tanh, forward=lambda self, x: None), None,
        r"expected forward to return an array, got None: does it end with return y\?",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("wrong", "n_out", "words"), NAMED.values(), ids=NAMED)
def test_classic_mistakes_are_named(wrong, n_out, words, rng):
    layer = wrong(4, n_out, rng=0) if n_out else wrong()
    with pytest.raises(GradientError, match=words):
        check_layer(layer, rng.standard_normal((5, 4)))


def test_a_mistake_without_a_name_is_not_given_one(rng):
    with pytest.raises(GradientError) as caught:
        check_layer(WRONG_LAYERS["a diagonal softmax"](), rng.standard_normal((3, 4)))
    assert str(caught.value).splitlines()[-1].endswith("(12 of 12 entries wrong)")


@pytest.mark.parametrize("n", [3, 6])
@pytest.mark.parametrize(("power", "words"), [(1, "times too large"), (-1, "times too small")])
def test_the_mean_of_a_loss_is_named(n, power, words, rng):
    where = f"doutputs: N = {n} {words}: the mean over the batch is taken in the loss, once"
    with pytest.raises(GradientError, match=where):
        check_loss(wrong_loss(lambda d: d * float(n) ** power), rng.standard_normal((n, 4)), rng.integers(0, 4, n))


def test_the_layer_with_the_wrong_dx_is_named(rng):
    model = Sequential([Dense(4, 4, rng=0), ReLU(), Dense(4, 4, rng=1), WRONG_LAYERS["the sign"](), Dense(4, 4, rng=2)])
    x, labels = rng.standard_normal((6, 4)), rng.integers(0, 4, 6)
    with pytest.raises(GradientError, match="all gradients up to layer 2 are wrong: look at the dx of layers 3 to 4"):
        check_model(model, SoftmaxCrossEntropy(), x, labels)
    with pytest.raises(GradientError, match="up to layer 0 are wrong: look at the loss, with check_loss, and the dx"):
        check_model(Sequential([Dense(4, 4, rng=0), ReLU()]), wrong_loss(lambda d: -d), x, labels)


# ---- the rest of the contract ----


def test_a_layer_norm_as_a_newcomer_writes_it(rng):
    class LayerNorm(Layer):
        def __init__(self, n):
            self.gain, self.shift = Parameter(np.ones(n)), Parameter(np.zeros(n))

        def forward(self, x):
            self.scale = 1 / np.sqrt(x.var(axis=1, keepdims=True) + 1e-5)
            self.normal = (x - x.mean(axis=1, keepdims=True)) * self.scale
            return self.normal * self.gain.value + self.shift.value

        def backward(self, dy):
            self.gain.grad, self.shift.grad = (dy * self.normal).sum(axis=0), dy.sum(axis=0)
            d = dy * self.gain.value
            along = (d * self.normal).mean(axis=1, keepdims=True)
            return self.scale * (d - d.mean(axis=1, keepdims=True) - self.normal * along)

    x = rng.standard_normal((5, 4))
    assert check_layer(LayerNorm(4), x).largest_error < 1e-8
    used = LayerNorm(4)
    used.forward(np.ones((2, 4)))
    assert check_layer(used, x).largest_error < 1e-8


def counting(self, x):
    self.calls = vars(self).get("calls", 0) + 1
    return Tanh.forward(self, x) + (self.calls > 3)


def once_wide(self, dy):
    dx = Tanh.backward(self, dy)
    self.y = self.y[:1]  # the next call finds something else
    return dx


class Preset(Tanh):
    def __init__(self):
        self.y = 0.5


class OneSize(Tanh):
    def forward(self, x):
        self.first = vars(self).get("first", x)  # the batch that came first, for ever
        self.y = np.tanh(x)
        return self.y + 0 * self.first


BROKEN = {
    "random numbers from nowhere": (
        wrong_layer(Tanh, forward=lambda self, x: Tanh.forward(self, x) + np.random.default_rng().random()),
        "expected two copies to have the same outputs",
    ),
    "random in prediction": (
        type("Always", (Dropout,), {"__init__": lambda self: Dropout.__init__(self, 0.5, rng=0),
             "forward": lambda self, x: setattr(self, "training", True) or Dropout.forward(self, x)}),
        "expected the same y from a second call in prediction",
    ),
    "a count of the calls": (wrong_layer(Tanh, forward=counting), "expected the same y after 5 other calls"),
    "memory changed by backward": (
        wrong_layer(Tanh, forward=lambda self, x: vars(self).setdefault("y", np.tanh(x)), backward=once_wide),
        "expected the same y after 5 other calls, got another: something is kept",
    ),
    "the number of rows": (
        wrong_layer(Tanh, lambda self, x: x / len(x), lambda self, dy: dy / len(dy)),
        "each row of y twice, got other values: the number of rows must not matter",
    ),
    "the first batch for ever": (OneSize, "operands could not be broadcast"),
    "float64 out of float32": (
        wrong_layer(Tanh, forward=lambda self, x: Tanh.forward(self, x) * np.ones(4)),
        "expected forward to return float32, as it was given, got float64",
    ),
    "float64 back": (
        wrong_layer(Tanh, backward=lambda self, dy: Tanh.backward(self, dy) * np.float64(1)),
        "expected backward to return float32, as it was given, got float64: an array or a NumPy number of another",
    ),
    "float32 out of float64": (
        wrong_layer(Tanh, forward=lambda self, x: Tanh.forward(self, x).astype(np.float32)),
        "expected forward to return float64, as it was given, got float32",
    ),
    "float32 within": (
        wrong_layer(Tanh, forward=lambda self, x: Tanh.forward(self, x.astype(np.float32)).astype(float)),
        "is it smooth, and does it keep float64",
    ),
    "memory before there was a forward": (Preset, "without a forward to be refused, got a result: let forward"),
}  # fmt: skip


@pytest.mark.parametrize(("wrong", "words"), BROKEN.values(), ids=BROKEN)
def test_the_contract_is_checked(wrong, words, rng):
    with pytest.raises((GradientError, ValueError), match=words):
        check_layer(wrong(), rng.standard_normal((3, 4)))


def test_memory_that_is_empty_before_the_first_forward(rng):
    class Empty(Tanh):
        def __init__(self):
            self.y = None

    assert check_layer(Empty(), rng.standard_normal((3, 4))).largest_error < 1e-9  # None**2 refuses, too


def test_a_layer_that_needs_no_memory_has_none_that_could_be_stale(rng):
    twice = wrong_layer(Tanh, lambda self, x: 2 * x, lambda self, dy: 2 * dy)
    assert check_layer(twice(), rng.standard_normal((3, 4))).largest_error < 1e-9


def test_dropout_that_was_used_before(rng):
    layer, x = Dropout(0.5, rng=0), rng.standard_normal((5, 4))
    for training in (False, True):
        layer.training = training
        layer.forward(x[:2])
        assert check_layer(layer, x).largest_error < 1e-9


def test_the_class_instead_of_a_layer():
    for wrong in (Tanh, None):
        with pytest.raises(TypeError, match=r"expected a layer such as Dense\(4, 3\), got"):
            check_layer(wrong, np.ones((2, 2)))


class Residual(Layer):
    def __init__(self, inner):
        self.inner = inner

    def forward(self, x):
        return x + self.inner.forward(x)

    def backward(self, dy):
        return dy + self.inner.backward(dy)


class Box:
    def __init__(self, value):
        self.value = value


def test_parameters_that_no_model_would_find():
    model = Sequential([Dense(4, 4)])
    with pytest.raises(GradientError, match=r"got a Sequential, which is a model and trains itself: use Chain"):
        check_layer(Residual(model), np.ones((2, 4)))
    boxed = Tanh()
    boxed.box = Box(Parameter(np.ones(3)))
    with pytest.raises(GradientError, match=r"expected each Parameter in an attribute, .* got one of shape \(3,\)"):
        check_layer(boxed, np.ones((2, 4)))


@pytest.mark.parametrize(
    "layer",
    [Flatten(), Tanh(), Residual(Dense(4, 4, rng=0)), Residual(Residual(Tanh())), Dropout(0.5, rng=0)],
    ids=repr,
)
def test_a_layer_that_was_used_before_is_as_good_as_new(layer, rng):
    x = rng.standard_normal((5, 4))
    layer.forward(x[:2])
    assert check_layer(layer, x).largest_error < 1e-9


def test_another_array_does_not_hide_memory_that_was_set_too_early(rng):
    class Early(Tanh):
        def __init__(self):
            self.y, self.unused = 0.0, np.ones(3)

    with pytest.raises(GradientError, match="expected a backward without a forward to be refused, got a res"):
        check_layer(Early(), rng.standard_normal((3, 4)))


class Normalized(Layer):
    """Each row to mean 0 and variance 1."""

    def forward(self, x):
        centered = x - x.mean(axis=-1, keepdims=True)
        self.scale = 1 / np.sqrt((centered**2).mean(axis=-1, keepdims=True) + 1e-6)
        self.y = centered * self.scale
        return self.y

    def backward(self, dy):
        dy = dy - dy.mean(axis=-1, keepdims=True)
        return self.scale * (dy - self.y * (dy * self.y).mean(axis=-1, keepdims=True))


def test_steep_but_smooth_functions_where_they_are_odd(rng):
    """Where all second differences are 0, only the first ones tell that a step was too long."""
    for x in (np.zeros((3, 4)), np.ones((3, 4)), rng.standard_normal((3, 4))):
        assert check_layer(Normalized(), x).largest_error < 1e-7

    class Steep(Tanh):
        def forward(self, x):
            return super().forward(1000 * x)

        def backward(self, dy):
            return 1000 * super().backward(dy)

    assert check_layer(Steep(), np.zeros((2, 2))).largest_error < 1e-7


def test_on_a_jump_there_is_no_slope(rng):
    sign = wrong_layer(Tanh, lambda self, x: np.sign(x), lambda self, dy: 0 * dy)
    assert check_layer(sign(), np.zeros((2, 2))).largest_error == 0  # the inputs were moved off it


def test_what_a_loss_may_not_do(rng):
    outputs, labels = rng.standard_normal((3, 2)), np.ones((3, 2))
    assert check_loss(Squares(), outputs, labels).largest_error < 1e-9

    class Each(Squares):
        def forward(self, outputs, labels):
            super().forward(outputs, labels)
            return self.difference**2

    class Nothing(Squares):
        def forward(self, outputs, labels):
            super().forward(outputs, labels)

    class Writing(Squares):
        def forward(self, outputs, labels):
            value = super().forward(outputs, labels)
            outputs -= labels
            return value

    model = Sequential([Dense(2, 2, rng=0)])
    for wrong, words in (
        (Each(), "expected forward to return one number, got"),
        (Nothing(), "expected forward to return one number, got None: return the mean"),
        (Writing(), "forward changed its argument outputs: work on a new array"),
    ):
        with pytest.raises(GradientError, match=words):
            check_loss(wrong, outputs, labels)
        with pytest.raises(GradientError, match=words):
            check_model(model, wrong, outputs, labels)


def test_a_factor_of_two_in_two_rows_is_not_called_n(rng):
    twice = wrong_layer(Tanh, lambda self, x: self.__dict__.update(x=x) or x**2, lambda self, dy: dy * self.x)
    with pytest.raises(GradientError, match=r"dx: 0\.5 times the slope, everywhere"):
        check_layer(twice(), rng.standard_normal((2, 4)))


# ---- what the check's copies are like, and what has to be said ----


def test_a_batch_that_was_seen_before_is_not_copied_over_and_over(rng):
    layer = Tanh()
    layer.forward(rng.standard_normal((1000, 50)))
    twin, seen, _ = at_the_start(layer, rng.standard_normal((3, 50)))
    assert seen
    assert twin.subject.y.shape == (3, 50)
    assert layer.y.shape == (1000, 50)


def test_a_twin_draws_the_same_again_and_shares_what_cannot_be_copied():
    layer = Dropout(0.5, rng=0)
    layer.lock, layer.modules, layer.old = threading.Lock(), [np], np.random.RandomState(3)
    twin = Twin(layer)
    first = twin.rewind().rng.random(), twin.subject.old.random_sample()
    assert twin.drew()
    assert (twin.rewind().rng.random(), twin.subject.old.random_sample()) == first
    assert twin.subject.lock is layer.lock
    assert twin.subject.modules == [np]
    assert twin.subject.modules is not layer.modules
    assert layer.rng.random() == first[0]


@pytest.mark.parametrize("rate", [0.02, 0.1, 0.5])
def test_dropout_is_never_refused(rate, rng):
    for seed in range(20):
        check_layer(Dropout(rate, rng=seed), rng.standard_normal((5, 4)), rng=seed)


def test_what_is_not_trained_is_named(rng):
    class Untrained(Layer):
        def __init__(self):
            self.W, self.counts = np.ones((4, 3)), np.arange(3)

        def forward(self, x):
            return x @ self.W.astype(x.dtype)

        def backward(self, dy):
            return dy @ self.W.T.astype(dy.dtype)

    assert str(check_layer(Untrained(), rng.standard_normal((5, 4)))).endswith("\nnot trained: W (4, 3)")
    assert "not trained" not in str(check_layer(Dense(4, 3, rng=0), rng.standard_normal((5, 4))))


def test_what_was_not_tested_is_said(rng):
    x = rng.standard_normal((5, 4))
    assert "\nthe mean over 400 draws is the prediction" in str(check_layer(Dropout(0.5, rng=0), x))
    block = Chain([Dense(4, 4, rng=0), Dropout(0.5, rng=0), ReLU()])
    assert "\nnot tested: that the draws keep the mean, as y is not linear in x" in str(check_layer(block, x))
    report = check_layer(Dense(4, 30, rng=0), x)
    assert "(more than 100: all at once, along 3 random directions)" in str(report)


def test_what_is_frozen_has_to_be_there(rng):
    with pytest.raises(ValueError, match=r"frozen: expected places of parameters \(W, b\), got 'V'"):
        check_layer(Dense(4, 3, rng=0), rng.standard_normal((5, 4)), frozen=["V"])


@pytest.mark.parametrize(
    ("n", "columns", "factor", "words"),
    [
        (6, 4, lambda d: 6 * d, "N = 6 times too large: the mean over the batch is taken"),
        (
            6,
            4,
            lambda d: 4 * d,
            "C = 4 times too large, the number of columns: is their mean taken in forward, and not",
        ),
        (6, 4, lambda d: d * 6 / 4, "divided by C = 4, the number of columns, where N = 6, that of rows, is meant"),
        (4, 4, lambda d: 4 * d, "4 times too large, which is N, and the number of columns as well"),
        (4, 4, lambda d: d * len(d) / d.shape[1], "doutputs, 1 rows|doutputs, 8 rows"),
    ],
)
def test_a_factor_is_not_called_n_where_it_is_something_else(n, columns, factor, words, rng):
    with pytest.raises(GradientError, match=words):
        check_loss(wrong_loss(factor), rng.standard_normal((n, columns)), rng.integers(0, columns, n))


def test_one_wrong_weight_among_two_thousand_is_named(rng):
    def one(layer, dx, dy):
        layer.W.grad[17, 23] *= 1.001
        return dx

    with pytest.raises(GradientError, match=r"dW\[17, 23\]: backward says"):
        check_layer(after(one)(50, 40, rng=0), rng.standard_normal((3, 50)))


@pytest.mark.parametrize("size", [1e-9, 1e6])
@pytest.mark.parametrize("layer", [Dense(4, 3, rng=0), ReLU(), Sigmoid(), Softmax(), Tanh(), Normalized()], ids=repr)
def test_inputs_of_any_size(layer, size, rng):
    assert check_layer(layer, size * rng.standard_normal((5, 4))).largest_error < 1e-7


def test_rows_that_stand_twice_are_checked_in_layers_that_draw_too(rng):
    class Noisy(Layer):
        def __init__(self):
            self.gain, self.rng = Parameter(np.ones(4)), np.random.default_rng(0)

        def forward(self, x):
            self.x = x
            noise = self.rng.standard_normal(x.shape).astype(x.dtype) if self.training else 0
            return x * self.gain.value + noise

        def backward(self, dy):
            _, first = np.unique(self.x[:, 0], return_index=True)  # each row once
            self.gain.grad = (dy * self.x)[first].sum(axis=0)
            return dy * self.gain.value

    with pytest.raises(GradientError, match="expected dgain to be the slope where each row stands twice, got another"):
        check_layer(Noisy(), rng.standard_normal((5, 4)))


# ---- what the cases by another hand brought up: see tests/field/strangers.py ----


class Weighted(Layer):
    """y = w x, one weight a column."""

    def __init__(self):
        self.w = Parameter(np.float32([1, -2, 3, -4]))

    def forward(self, x):
        self.x = x
        return x * self.w.value

    def backward(self, dy):
        self.w.grad = (dy * self.x).sum(axis=0)
        return dy * self.w.value


class Centered(Weighted):
    """y = w x - mean; in prediction the mean is the running one, whose gradient nobody writes."""

    def __init__(self):
        super().__init__()
        self.mean = Parameter(np.zeros(4, np.float32))
        self.mean.decays = False

    def forward(self, x):
        x = super().forward(x)
        if not self.training:
            return x - self.mean.value
        self.mean.value += 0.1 * (x.mean(axis=0) - self.mean.value)
        return x - x.mean(axis=0)

    def backward(self, dy):
        return super().backward(dy - dy.mean(axis=0))


class Scaled(Layer):
    """Divided by the deviation of the batch; in prediction by the running one."""

    of_batch = staticmethod(lambda x: x.var(axis=0))

    def __init__(self):
        self.var = Parameter(np.ones(4, np.float32))
        self.var.decays = False

    def forward(self, x):
        self.scale = 1 / np.sqrt((x.var(axis=0) if self.training else self.var.value) + 1e-3)
        if self.training:
            self.var.value += 0.1 * (self.of_batch(x) - self.var.value)
        self.x, self.away = x, x - x.mean(axis=0)
        return x * self.scale

    def backward(self, dy):
        return self.scale * dy - self.away * self.scale**3 * (dy * self.x).mean(axis=0)


def test_a_running_statistic_may_be_a_parameter_that_backward_leaves_alone(rng):
    x = rng.standard_normal((5, 4))
    for right in (Weighted(), Centered(), Scaled()):
        assert check_layer(right, x).largest_error < 1e-7
    decaying = Centered()
    decaying.mean.decays = True
    with pytest.raises(GradientError, match=r"expected mean to stay as it is .* set decays to False"):
        check_layer(decaying, x)


def late(self, x):
    if not hasattr(self, "late"):
        self.late = Parameter(np.ones(4, x.dtype))
    return Weighted.forward(self, x)


def anew(self, dy):
    self.w = Parameter(self.w.value)
    return Weighted.backward(self, dy)


def no_gradients_unread(self, dy):
    return Weighted.backward(self, dy) if self.needs_dx else None


def mask_of_the_call_before(self, x):
    y, before = Dropout.forward(self, x), vars(self).get("latest")
    self.latest = self.mask
    self.mask = before if np.shape(before) == x.shape else self.mask
    return y


def one_row_by_the_running_mean(self, x):
    if len(x) > 1 or not self.training:
        return Centered.forward(self, x)
    return Weighted.forward(self, x) - self.mean.value


def for_so_many_rows(self, x):
    self.ones = vars(self).get("ones", np.ones((len(x), 1), x.dtype))
    return Weighted.forward(self, x) * self.ones


def only_if_any_is_positive(self, dy):
    self.w.grad[...] = np.where((self.x > 0).any(axis=0), (dy * self.x).sum(axis=0), self.w.grad)
    return dy * self.w.value


def running_away(self, x):
    self.var.value *= 1.3 if self.training else 1
    return Scaled.forward(self, x)


def no_later_than_7(self, dy):
    return Weighted.backward(self, dy) * (np.abs(self.x) < 7)


BROUGHT_UP = {
    "a parameter made by forward": (wrong_layer(Weighted, late), "expected the parameters that it was made"),
    "a parameter replaced by backward": (wrong_layer(Weighted, None, anew), "expected the parameters that it was made"),
    "a parameter changed by forward": (
        wrong_layer(Weighted, lambda self, x: vars(self).update(x=x) or x * np.abs(self.w.value, out=self.w.value)),
        "expected w to stay as it is until an optimizer changes it",
    ),
    "what another instance remembers": (
        wrong_layer(Weighted, lambda self, x: setattr(Weighted, "x", x) or x * self.w.value),
        "expected the same dw after a forward of another such layer",
    ),
    "no gradients where nobody reads dx": (
        wrong_layer(Weighted, None, no_gradients_unread), "expected the same dw if needs_dx is False",
    ),
    "the mask of the call before": (
        lambda: wrong_layer(Dropout, mask_of_the_call_before)(0.5, rng=0), "expected the same dx after 5 other calls",
    ),
    "a single row": (
        wrong_layer(Centered, one_row_by_the_running_mean), "to be the slope for a single row, got another",
    ),
    "as many rows as first": (wrong_layer(Weighted, for_so_many_rows), "a batch of 10 rows to work as well, got"),
    "entries that not every row writes": (
        wrong_layer(Weighted, None, only_if_any_is_positive), "expected all of the gradient of w to be written by one",
    ),
    "a branch that is rarely taken": (
        wrong_layer(Weighted, None, no_later_than_7), "expected dx to be the slope for numbers of up to 100",
    ),
    "an exponential that overflows": (
        wrong_layer(Tanh, lambda self, x: vars(self).update(y=1 - 2 / (np.exp(x) + 1)) or np.log(1 + np.exp(x)),
                    lambda self, dy: dy * (1 + self.y) / 2),
        "expected a finite y for numbers of 100, got infinity or NaN in float32",
    ),
    "half precision in float32": (
        wrong_layer(Weighted, None,
                    lambda self, dy: (self.w.value * dy) * (1 if dy.dtype == float else np.float32(1.0001))
                    + 0 * Weighted.backward(self, dy)),
        "expected dx in float32 as in float64",
    ),
    "a second moment for a variance": (
        type("Moment", (Scaled,), {"of_batch": staticmethod(lambda x: (x**2).mean(axis=0))}),
        "expected prediction to become what training gives",
    ),
    "a statistic that runs away": (
        wrong_layer(Scaled, running_away),
        "expected prediction to become what training gives",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("wrong", "words"), BROUGHT_UP.values(), ids=BROUGHT_UP)
def test_what_other_cases_brought_up_is_caught(wrong, words, rng):
    x = rng.standard_normal((5, 4))
    x[0], x[1] = np.abs(x[0]), -np.abs(x[1])
    with pytest.raises(GradientError, match=words):
        check_layer(wrong(), x - x.mean(axis=0) if "prediction" in words else x)


def test_numbers_of_one_sign_are_not_made_larger(rng):
    log = wrong_layer(Tanh, lambda self, x: vars(self).update(x=x) or np.log1p(-x), lambda self, dy: dy / (self.x - 1))
    assert "numbers of" not in str(check_layer(log(), 0.1 + 0.5 * rng.random((5, 4))))


def test_a_loss_of_labels_that_are_broadcast(rng):
    outputs, labels = rng.standard_normal((6, 2)), rng.standard_normal((6, 2))

    class All(Squares):
        def forward(self, outputs, labels):  # (N, N, C)
            self.difference = outputs[:, None] - np.asarray(labels, outputs.dtype)
            return float((self.difference**2).mean())

        def backward(self):
            return 2 * self.difference.sum(axis=1) / self.difference.size

    class Columns(Squares):
        def forward(self, outputs, labels):
            return super().forward(outputs, np.broadcast_to(labels[:2, 0], outputs.shape))

    with pytest.raises(GradientError, match="expected another loss where each row has the label of another"):
        check_loss(All(), outputs, labels)
    with pytest.raises(GradientError, match="expected the same loss of the rows in another order"):
        check_loss(Columns(), outputs, labels)
    assert check_loss(All(), outputs, np.ones((6, 2))).largest_error < 1e-7  # nobody can tell
    assert check_loss(Squares(), np.ones((6, 2)), labels).largest_error < 1e-7


def test_a_loss_with_a_branch_that_is_rarely_taken(rng):
    class Capped(Squares):
        def backward(self):
            return super().backward() * (np.abs(self.difference) < 8)

    with pytest.raises(GradientError, match="expected doutputs to be the slope for numbers of up to 100"):
        check_loss(Capped(), rng.standard_normal((3, 2)), rng.standard_normal((3, 2)))
