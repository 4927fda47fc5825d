"""The checks themselves: right gradients pass, wrong ones do not, and the report says which."""

import numpy as np
import pytest

from nnscratch import (
    CrossEntropy,
    Dense,
    Dropout,
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
    assert str(report).endswith("right")


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
    line = str(caught.value).splitlines()[-1]
    said, slope = (float(part.split()[-1]) for part in line.split(", the"))
    assert line.strip().startswith("db[")
    assert said == pytest.approx(2 * slope, rel=1e-6)


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

    with pytest.raises(GradientError, match=r"dx: expected shape \(3, 4\), got \(4,\)"):
        check_layer(Row(), rng.standard_normal((3, 4)))

    class Transposed(Tanh):
        def backward(self, dy):
            return super().backward(dy).T

    with pytest.raises(GradientError, match=r"dx: expected shape \(3, 4\), got \(4, 3\)"):
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


def test_large_arrays_are_sampled_every_one_of_them(rng):
    report = check_layer(Dense(784, 30, rng=0), rng.standard_normal((2, 784)))
    assert [(row.name, row.checked) for row in report.rows] == [("dx", 100), ("dW", 100), ("db", 30)]


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

    with pytest.raises(GradientError, match=r"dW.*WRONG\n.*added to the old gradient"):
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
