"""The cookbook in demos/layers: each recipe against its formula, written down once more in the plainest way."""

import ast
import copy
import doctest
import importlib
import inspect
import math
from pathlib import Path

import numpy as np
import pytest

import nnscratch
from demos.layers import __main__ as shelf
from demos.layers import callbacks
from demos.layers.activations import GELU, LeakyReLU, PReLU, Tanh
from demos.layers.augmentation import RandomDistortion, RandomShift, gaussian
from demos.layers.blocks import PerToken, Reshape, Residual
from demos.layers.callbacks import CosineSchedule, WeightAverage, mixup
from demos.layers.images import AveragePool2D, Conv2D, MaxPool2D, PlainConv2D
from demos.layers.losses import BinaryCrossEntropy, Hinge, MeanSquaredError
from demos.layers.normalisation import BatchNorm, LayerNorm
from demos.layers.optimizers import AdamW, Clipped, Lion, Nesterov, RatesByLayer, RMSprop
from demos.layers.regularisation import L2, GaussianNoise, LabelSmoothing, SpatialDropout
from demos.layers.sequences import LSTM, Embedding, Last, Positions, Recurrent, SelfAttention, TransformerBlock
from nnscratch import (
    SGD,
    Adam,
    Callback,
    Chain,
    CrossEntropy,
    Dense,
    EarlyStopping,
    Flatten,
    Layer,
    Loss,
    Optimizer,
    Parameter,
    ReLU,
    Sequential,
    SoftmaxCrossEntropy,
    batches,
    check_layer,
    evaluate,
    fit,
    train_epoch,
)
from nnscratch.losses import one_hot

FOLDER = Path(__file__).parent.parent / "demos" / "layers"
MODULES = [importlib.import_module(f"demos.layers.{path.stem}") for path in sorted(FOLDER.glob("[a-z]*.py"))]


def recipes(module):
    """The public classes and functions that a file of the cookbook defines, but for prove."""
    kinds = [each for each in vars(module).values() if inspect.isclass(each) or inspect.isfunction(each)]
    return [each for each in kinds if each.__module__ == module.__name__ and each.__name__ != "prove"]


def training(layer):
    layer.training = True
    return layer


# ---- What holds for the cookbook as a whole ----


@pytest.mark.parametrize("module", shelf.PROVED, ids=lambda module: module.__name__)
def test_every_recipe_is_proved_in_its_file(module):
    reports = list(module.prove())
    classes = [each for each in recipes(module) if inspect.isclass(each)]
    assert sorted(report.subject.split("(")[0] for report in reports) == sorted(each.__name__ for each in classes)
    for report in reports:
        assert report.largest_error < 1e-8
        assert all(row.right for row in report.rows)


def test_everything_that_was_to_be_there_is_there():
    names = {each.__name__ for module in MODULES for each in recipes(module)}
    assert names >= {
        "Tanh", "GELU", "LeakyReLU", "PReLU", "LayerNorm", "BatchNorm", "SpatialDropout", "GaussianNoise", "L2",
        "LabelSmoothing", "Conv2D", "PlainConv2D", "MaxPool2D", "AveragePool2D", "RandomShift", "RandomDistortion",
        "Residual", "Embedding", "Recurrent", "LSTM", "SelfAttention", "TransformerBlock", "MeanSquaredError",
        "BinaryCrossEntropy", "Hinge", "RMSprop", "Nesterov", "Lion", "AdamW", "Clipped", "RatesByLayer",
        "CosineSchedule", "WeightAverage", "mixup",
    }  # fmt: skip


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_a_recipe_is_short_and_says_what_it_is(module):
    assert module.__doc__
    assert doctest.testmod(module).failed == 0
    contracts = (Layer, Loss, Optimizer, Callback)
    for recipe in recipes(module):
        assert len(inspect.getsource(recipe).splitlines()) <= 60, recipe
        if inspect.isclass(recipe) and issubclass(recipe, contracts):
            assert recipe.__doc__ != recipe.__mro__[1].__doc__, recipe
            assert importlib.import_module("demos.layers").__doc__.count(recipe.__name__), recipe


def test_the_public_api_is_enough():
    modules = {f"nnscratch.{path.stem}" for path in Path(nnscratch.__file__).parent.glob("[a-z]*.py")}
    for path in FOLDER.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module == "nnscratch":
                assert {alias.name for alias in node.names} <= set(nnscratch.__all__), path
            elif isinstance(node, ast.ImportFrom) and node.module.startswith("nnscratch"):
                assert node.module in modules - {"nnscratch.guards", "nnscratch.advice", "nnscratch.search"}, path
            elif isinstance(node, ast.Attribute):
                assert not node.attr.startswith("_") or node.attr.startswith("__"), f"{path}: {node.attr}"


def test_the_framework_does_not_know_of_it():
    for path in Path(nnscratch.__file__).parent.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert "cookbook" not in text, path
        assert "demos.layers" not in text, path


def test_the_shelf_proves_all(capsys):
    shelf.main()
    lines = capsys.readouterr().out.splitlines()
    assert len([line for line in lines if "largest error" in line]) == sum(
        inspect.isclass(each) for module in shelf.PROVED for each in recipes(module)
    )
    assert {f"demos.layers.{path.stem}" for path in FOLDER.glob("[a-z]*.py")} <= set(lines)


# ---- Activations ----


def test_activations_are_their_formulas():
    x = np.array([[-3.0, -0.5, 0.0, 0.5, 3.0]])
    np.testing.assert_allclose(Tanh().forward(x)[0], [math.tanh(v) for v in x[0]], rtol=1e-15)
    exact = [v * (1 + math.erf(v / math.sqrt(2))) / 2 for v in x[0]]
    np.testing.assert_allclose(GELU().forward(x)[0], exact, atol=5e-4)
    np.testing.assert_allclose(  # PyTorch 2.13, gelu(..., approximate="tanh")
        GELU().forward(x)[0], [-0.0036373920817729943, -0.15428599017485606, 0, 0.34571400982514394, 2.996362607918227],
        rtol=1e-14,
    )  # fmt: skip
    assert LeakyReLU(0.5).forward(x)[0].tolist() == [-1.5, -0.25, 0, 0.5, 3]
    assert LeakyReLU().forward(x)[0, 0] == -0.03


def test_prelu_learns_a_slope_for_each_channel():
    layer = PReLU(2)
    assert layer.a.value.tolist() == [0.25, 0.25]
    assert not layer.a.decays
    layer.a.value = [0.5, 2]
    assert layer.forward(np.array([[[-1.0, -1.0], [4.0, -3.0]]])).tolist() == [[[-0.5, -2], [4, -6]]]
    assert layer.backward(np.array([[[10.0, 1.0], [100.0, 1.0]]])).tolist() == [[[5, 2], [100, 2]]]
    assert layer.a.grad.tolist() == [-10, -1 - 3]


# ---- Normalisation ----


def test_layer_norm(rng):
    x = 5 + 3 * rng.standard_normal((4, 3, 16))
    layer = LayerNorm(16)
    y = layer.forward(x)
    np.testing.assert_allclose(y.mean(axis=-1), 0, atol=1e-12)
    np.testing.assert_allclose(y.var(axis=-1), 1, rtol=1e-4)
    layer.gain.value, layer.shift.value = np.arange(16.0), 7 * np.ones(16)
    np.testing.assert_allclose(layer.forward(x), y * np.arange(16) + 7, rtol=1e-12)
    assert abs(LayerNorm(2).forward(np.array([[0.0, 2e-3]]))).max() < 0.4  # epsilon counts: not 1


def test_batch_norm_while_training_and_after_it(rng):
    x = (5 + 3 * rng.standard_normal((8, 6, 6, 3))).astype(np.float32)
    layer = training(BatchNorm(3))
    y = layer.forward(x)
    np.testing.assert_allclose(y.mean(axis=(0, 1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(y.var(axis=(0, 1, 2)), 1, rtol=1e-4)
    np.testing.assert_allclose(layer.mean.value, 0.1 * x.mean(axis=(0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(layer.var.value, 0.9 + 0.1 * x.var(axis=(0, 1, 2)), rtol=1e-5)
    layer.training = False
    statistics = layer.mean.value.copy(), layer.var.value.copy()
    expected = (x - statistics[0]) / np.sqrt(statistics[1] + 1e-5)
    np.testing.assert_allclose(layer.forward(x), expected, rtol=1e-4, atol=1e-5)
    assert (layer.mean.value == statistics[0]).all()
    assert (layer.var.value == statistics[1]).all()
    assert layer.forward(x).dtype == np.float32


def test_batch_norm_predicts_each_row_whatever_its_company(rng):
    layer = training(BatchNorm(4))
    x = rng.standard_normal((6, 4))
    for _ in range(3):
        layer.forward(x)
    layer.training = False
    together = layer.forward(x)
    assert (np.concatenate([layer.forward(row[np.newaxis]) for row in x]) == together).all()


def normed():
    return Sequential([Dense(4, 5, rng=0), BatchNorm(5), ReLU(), Dense(5, 3, rng=1)])


def test_batch_norms_statistics_are_saved_restored_and_left_alone_by_optimizers(rng, tmp_path):
    x, y = 3 + rng.standard_normal((40, 4)).astype(np.float32), rng.integers(0, 3, 40)
    for optimizer in (lambda model: Adam(model, weight_decay=0.5), AdamW, lambda model: Lion(model, weight_decay=0.5)):
        model, twin = normed(), normed()
        fit(model, SoftmaxCrossEntropy(), optimizer(model), x, y, epochs=2, rng=0, verbose=0)
        norm = model.layers[1]
        assert abs(norm.mean.value).max() > 0.01
        assert not norm.mean.grad.any()
        assert not norm.var.grad.any()
        model.save_weights(tmp_path / "w.npz")
        twin.load_weights(tmp_path / "w.npz")
        assert (twin.predict(x) == model.predict(x)).all()
        before = norm.mean.value.copy(), norm.var.value.copy()
        optimizer(model).step()
        assert (norm.mean.value == before[0]).all()
        assert (norm.var.value == before[1]).all()


def test_batch_norms_backward_in_prediction_takes_the_statistics_for_constant(rng):
    layer, x = BatchNorm(3).astype(np.float64), rng.standard_normal((5, 3))
    layer.mean.value, layer.var.value, layer.gain.value = [1, 2, 3], [4, 0.5, 1], [1, -2, 3]
    dy = rng.standard_normal((5, 3))
    y = layer.forward(x)
    dx = layer.backward(dy)
    moved = [(dy * (layer.forward(x + 1e-6 * d.reshape(5, 3)) - y)).sum() / 1e-6 for d in np.eye(15)]
    np.testing.assert_allclose(dx.ravel(), moved, rtol=1e-5, atol=1e-7)


# ---- Regularisation ----


def test_spatial_dropout_drops_whole_channels():
    x = np.ones((200, 3, 4, 50), np.float32)
    layer = SpatialDropout(0.25, rng=0)
    assert (layer.forward(x) == x).all()
    y = training(layer).forward(x)
    assert (y == y[:, :1, :1]).all()  # the same for all pixels of an image
    assert set(np.unique(y)) == {np.float32(0), np.float32(1 / 0.75)}
    assert abs((y[:, 0, 0] == 0).mean() - 0.25) < 0.02
    assert (y[0, 0, 0] != y[1, 0, 0]).any()
    assert (layer.backward(x) == y).all()
    assert (layer.forward(x) != y).any()


def test_gaussian_noise():
    x = np.full((100, 100), 5, np.float32)
    layer = GaussianNoise(np.float64(0.3), rng=0)
    assert layer.forward(x) is x
    noise = training(layer).forward(x) - x
    assert noise.dtype == np.float32
    assert abs(noise.mean()) < 0.01
    assert abs(noise.std() - 0.3) < 0.01
    assert (layer.forward(x) - x != noise).any()


def test_label_smoothing_is_cross_entropy_with_softer_targets(rng):
    z, labels = rng.standard_normal((4, 5)), np.array([0, 4, 2, 2])
    t = np.full((4, 5), 0.2 / 5)
    t[np.arange(4), labels] += 0.8
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    loss = LabelSmoothing(0.2)
    assert loss.forward(z, labels) == pytest.approx(-(t * np.log(p)).sum() / 4, rel=1e-12)
    np.testing.assert_allclose(loss.backward(), (p - t) / 4, rtol=1e-12)
    loss.forward(np.log(t), labels)
    assert abs(loss.backward()).max() < 1e-15  # asked for, and there
    assert LabelSmoothing(0).forward(z, labels) == pytest.approx(SoftmaxCrossEntropy().forward(z, labels), rel=1e-15)
    assert LabelSmoothing().epsilon == 0.1


def test_l2_pulls_on_the_weights_of_the_chosen_layers_only():
    model = Sequential([Dense(2, 2, rng=0), Dense(2, 2, rng=1)])
    model.theta += 1
    before = [p.value.copy() for p in model.parameters]
    L2(SGD(model, 0.5), model.layers[1:], 0.1).step()  # no gradient but the penalty's
    W1, b1, W2, b2 = (p.value for p in model.parameters)
    assert all((now == then).all() for now, then in zip((W1, b1, b2), (before[0], before[1], before[3]), strict=True))
    np.testing.assert_allclose(W2, before[2] * (1 - 0.5 * 0.1), rtol=1e-6)


# ---- Images ----


def loops(x, W, b):
    """A convolution in six loops."""
    size = len(W)
    y = np.zeros((len(x), x.shape[1] - size + 1, x.shape[2] - size + 1, W.shape[3]))
    for n, h, w, f in np.ndindex(y.shape):
        y[n, h, w, f] = b[f]
        for i, j, c in np.ndindex(W.shape[:3]):
            y[n, h, w, f] += x[n, h + i, w + j, c] * W[i, j, c, f]
    return y


@pytest.mark.parametrize("kind", [PlainConv2D, Conv2D])
def test_a_convolution_is_six_loops(kind, rng):
    layer, x = kind(2, 3, 3, rng=0).astype(np.float64), rng.standard_normal((2, 5, 4, 2))
    layer.b.value = [1, 2, 3]
    np.testing.assert_allclose(layer.forward(x), loops(x, layer.W.value, layer.b.value), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(("n_in", "n_out", "size", "shape"), [(1, 4, 5, (9, 7)), (3, 2, 1, (4, 4)), (4, 3, 3, (3, 6))])
def test_the_fast_convolution_is_the_plain_one(n_in, n_out, size, shape, rng):
    plain, fast = (kind(n_in, n_out, size, rng=0).astype(np.float64) for kind in (PlainConv2D, Conv2D))
    plain.b.value = fast.b.value = rng.standard_normal(n_out)
    x = rng.standard_normal((3, *shape, n_in))
    for images in (x, x.transpose(3, 1, 2, 0).copy().transpose(3, 1, 2, 0), x[::-1, ::-1]):
        y = plain.forward(images)
        np.testing.assert_allclose(fast.forward(images), y, rtol=1e-12, atol=1e-13)
        dy = rng.standard_normal(y.shape)
        np.testing.assert_allclose(fast.backward(dy), plain.backward(dy), rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(fast.W.grad, plain.W.grad, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(fast.b.grad, plain.b.grad, rtol=1e-12, atol=1e-12)


def test_what_makes_the_convolution_fast(rng):
    """Rows innermost in memory from one layer to the next, no dx that nobody reads."""
    first, second = Conv2D(1, 4, 3, rng=0), Conv2D(4, 2, 3, rng=0)
    y = first.forward(rng.random((5, 9, 9, 1), np.float32))
    pooled = MaxPool2D().forward(ReLU().forward(y))
    for each in (y, pooled, BatchNorm(4).forward(pooled)):
        assert each.transpose(3, 1, 2, 0).flags.c_contiguous
    given, gather = [], second.gather
    second.gather = lambda x: given.append(x) or gather(x)
    dy = np.ones_like(second.forward(pooled))
    assert np.shares_memory(given[0], pooled)  # no copy but the columns
    second.forward(np.ascontiguousarray(pooled))
    assert given[0].flags.c_contiguous
    assert given[1].flags.c_contiguous
    assert second.backward(dy).transpose(3, 1, 2, 0).flags.c_contiguous
    first.needs_dx = False
    assert first.backward(np.ones_like(y)) is None
    assert first.W.grad.any()


def test_a_convolution_starts_at_a_size_at_which_signals_stay():
    layer = Conv2D(20, 30, 5, rng=0)
    assert layer.W.value.shape == (5, 5, 20, 30)
    assert layer.W.value.dtype == np.float32
    assert layer.W.value.var() == pytest.approx(2 / (25 * 20), rel=0.03)
    assert not layer.b.value.any()
    assert (Conv2D(20, 30, 5, rng=0).W.value == layer.W.value).all()
    assert repr(layer) == "Conv2D(20, 30, 5)"


def test_max_pool_takes_the_largest_and_gives_dy_to_one():
    image = np.array([[1, 5, 2, 2, 9], [3, 4, 2, 2, 9], [0, 0, -1, -3, 9], [0, 0, -2, -1, 9], [9, 9, 9, 9, 9]], float)
    layer = MaxPool2D(2)
    y = layer.forward(image[np.newaxis, :, :, np.newaxis])
    assert y[0, :, :, 0].tolist() == [[5, 2], [0, -1]]  # what fills no window is left out
    dx = layer.backward(np.array([[10.0, 20.0], [30.0, 40.0]])[np.newaxis, :, :, np.newaxis])[0, :, :, 0]
    assert dx.tolist() == [
        [0, 10, 20, 0, 0], [0, 0, 0, 0, 0], [30, 0, 40, 0, 0], [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]
    ]  # of equal ones the first  # fmt: skip
    assert MaxPool2D(3).forward(np.arange(36.0).reshape(1, 6, 6, 1)).ravel().tolist() == [14, 17, 32, 35]


def test_average_pool():
    layer = AveragePool2D(2)
    y = layer.forward(np.arange(20.0).reshape(1, 4, 5, 1))
    assert y.ravel().tolist() == [3, 5, 13, 15]
    dx = layer.backward(4 * np.ones((1, 2, 2, 1)))
    assert dx[0, :, :4].tolist() == np.ones((4, 4, 1)).tolist()
    assert not dx[0, :, 4].any()


# ---- Augmentation ----


def test_random_shift_moves_each_image_by_whole_pixels():
    image = np.zeros((9, 9), np.float32)
    image[4, 4] = 1
    x = np.stack([image] * 500)
    layer = RandomShift(2, rng=0)
    assert layer.forward(x) is x
    y = training(layer).forward(x)
    places = [tuple(np.argwhere(each)[0] - 4) for each in y]
    assert (y.sum(axis=(1, 2)) == 1).all()
    assert set(places) == {(a, b) for a in range(-2, 3) for b in range(-2, 3)}  # each way, and differently
    assert (layer.backward(y) == x).all()  # back again
    assert (layer.forward(x) != y).any()
    layer.rng = np.random.default_rng(0)
    coloured = layer.forward(np.stack([x, 2 * x], axis=-1))
    assert (coloured[..., 1] == 2 * coloured[..., 0]).all()
    assert coloured.shape == (500, 9, 9, 2)


def test_what_is_shifted_out_is_gone_and_what_comes_in_is_0():
    layer = training(RandomShift(3, rng=0))
    y = layer.forward(np.ones((50, 4, 4)))
    assert set(np.unique(y)) == {0, 1}
    assert sorted(set(y.sum(axis=(1, 2)))) == [1, 2, 3, 4, 6, 8, 9, 12, 16]


class Draws:
    """A generator that draws what it is told."""

    def __init__(self, *uniform):
        self.values = uniform

    def uniform(self, low, high, size):
        return np.broadcast_to(np.array(self.values)[:, np.newaxis, np.newaxis, np.newaxis], size)


def test_a_distortion_by_nothing_changes_nothing(rng):
    x = rng.random((3, 8, 7), np.float32)
    layer = RandomDistortion(rng=0)
    assert layer.forward(x) is x
    np.testing.assert_allclose(training(layer).forward(x), x, atol=1e-5)


def test_a_turn_by_90_degrees_and_one_by_180(rng):
    x = rng.random((1, 6, 6), np.float32)
    layer = training(RandomDistortion(90))
    layer.rng = Draws(1, 0, 0)
    np.testing.assert_allclose(layer.forward(x)[0], np.rot90(x[0], -1), atol=1e-5)
    layer.rng = Draws(-1, 0, 0)
    np.testing.assert_allclose(layer.forward(x)[0], np.rot90(x[0]), atol=1e-5)
    layer = training(RandomDistortion(180))
    layer.rng = Draws(1, 0, 0)
    np.testing.assert_allclose(layer.forward(x)[0], x[0, ::-1, ::-1], atol=1e-5)


def test_zoom_is_from_the_centre_in_each_direction_by_itself():
    layer = RandomDistortion(zoom=0.5)
    layer.rng = Draws(0, 1, -1)
    rows, columns = (each[0] for each in layer.places(1, 5, 5))
    np.testing.assert_allclose(rows[:, 0], [2 + 1.5 * k for k in (-2, -1, 0, 1, 2)])
    np.testing.assert_allclose(columns[0], [2 + 0.5 * k for k in (-2, -1, 0, 1, 2)])


def test_between_pixels_the_four_around_are_mixed():
    layer = training(RandomDistortion())
    layer.places = lambda n, height, width: (np.full((n, 2, 2), 0.25), np.full((n, 2, 2), 0.5))
    y = layer.forward(np.array([[[1.0, 3.0], [5.0, 11.0]]]))
    np.testing.assert_allclose(y, 0.75 * (0.5 * 1 + 0.5 * 3) + 0.25 * (0.5 * 5 + 0.5 * 11))
    layer.places = lambda n, height, width: (np.full((n, 2, 2), -0.25), np.full((n, 2, 2), 1.5))
    y = layer.forward(np.array([[[1.0, 3.0], [5.0, 11.0]]]))
    np.testing.assert_allclose(y, 0.75 * 0.5 * 3)  # the rest is outside, and dark
    layer.places = lambda n, height, width: (np.full((n, 2, 2), -9.0), np.full((n, 2, 2), 40.0))
    assert not layer.forward(np.ones((1, 2, 2))).any()


def test_an_elastic_distortion_is_a_smoothed_random_field():
    layer = RandomDistortion(alpha=10, sigma=3, rng=0)
    rows, columns = layer.places(200, 28, 28)
    rng = np.random.default_rng(0)
    rng.uniform(-1, 1, (3, 200, 1, 1))
    field = 2 * rng.random((2, 200, 28, 28), np.float32) - 1
    weights = np.exp(-0.5 * (np.subtract.outer(np.arange(28), np.arange(28)) / 3) ** 2)
    weights /= weights.sum(axis=1, keepdims=True)
    for places, each, start in ((rows, field[0], np.arange(28)[:, np.newaxis]), (columns, field[1], np.arange(28))):
        smooth = np.einsum("hi,nij,wj->nhw", weights, each, weights)
        np.testing.assert_allclose(places, start + 10 * smooth, atol=1e-4)
    np.testing.assert_allclose(gaussian(28, 3), weights, rtol=1e-5, atol=1e-9)


def test_distortions_keep_float32_and_draw_anew(rng):
    x = rng.random((4, 12, 12, 1), np.float32)
    layer = training(RandomDistortion(10, 0.1, 20, 4, rng=0))
    y = layer.forward(x)
    assert y.dtype == layer.backward(y).dtype == np.float32
    assert (layer.forward(x) != y).any()


# ---- Blocks and sequences ----


def test_blocks(rng):
    x = rng.standard_normal((2, 3, 4)).astype(np.float32)
    dense = Dense(4, 4, rng=0)
    np.testing.assert_allclose(Residual([dense]).forward(x[0]), x[0] + dense.forward(x[0]))
    tokens = PerToken([Dense(4, 2, rng=0)])
    y, twin = tokens.forward(x), Dense(4, 2, rng=0)
    np.testing.assert_allclose(y[1, 2], twin.forward(x[1, 2:3])[0], rtol=1e-6)
    assert y.shape == (2, 3, 2)
    assert Reshape(4, 3).forward(x).tolist() == x.reshape(2, 4, 3).tolist()
    assert repr(TransformerBlock(8, 2)) == "TransformerBlock(8, 2)"


def test_an_embedding_counts_each_place_of_a_word():
    layer = Embedding(4, 2, rng=0)
    layer.E.value = [[0, 1], [10, 11], [20, 21], [30, 31]]
    assert layer.forward(np.array([[3.0, 1.0, 3.0]])).tolist() == [[[30, 31], [10, 11], [30, 31]]]
    assert layer.backward(np.array([[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]])).tolist() == [[0, 0, 0]]
    assert layer.E.grad.tolist() == [[0, 0], [3, 4], [0, 0], [6, 8]]


def test_positions_and_the_last_token(rng):
    x = rng.standard_normal((2, 3, 4))
    layer = Positions(3, 4, rng=0)
    assert (layer.forward(x) == x + layer.P.value).all()
    assert (Last().forward(x) == x[:, 2]).all()


def sigmoid(z):
    return 1 / (1 + math.exp(-z))


def test_a_recurrent_cell_is_its_loop(rng):
    layer, x = Recurrent(2, 3, rng=0).astype(np.float64), rng.standard_normal((2, 4, 2))
    layer.b.value = [0.1, 0.2, 0.3]
    W, U, b = layer.W.value, layer.U.value, layer.b.value
    y = layer.forward(x)
    for n in range(2):
        h = np.zeros(3)
        for t in range(4):
            h = np.array([math.tanh(x[n, t] @ W[:, k] + h @ U[:, k] + b[k]) for k in range(3)])
            np.testing.assert_allclose(y[n, t], h, rtol=1e-12)


def test_an_lstm_is_its_loop(rng):
    layer, x = LSTM(2, 3, rng=0).astype(np.float64), rng.standard_normal((2, 4, 2))
    W, U, b = layer.W.value, layer.U.value, layer.b.value
    assert b.tolist() == [0] * 3 + [1] * 3 + [0] * 6  # the forget gates start open
    y = layer.forward(x)
    for n in range(2):
        h = c = np.zeros(3)
        for t in range(4):
            z = x[n, t] @ W + h @ U + b
            i, f, o = ([sigmoid(v) for v in z[3 * k : 3 * k + 3]] for k in range(3))
            c = [f[k] * c[k] + i[k] * math.tanh(z[9 + k]) for k in range(3)]
            h = np.array([o[k] * math.tanh(c[k]) for k in range(3)])
            np.testing.assert_allclose(y[n, t], h, rtol=1e-12)


def test_an_lstm_far_out_overflows_nowhere():
    y = LSTM(2, 3, rng=0).forward(np.full((1, 2, 2), 1e4, np.float32))
    assert np.isfinite(y).all()


@pytest.mark.parametrize("kind", [Recurrent, LSTM])
def test_a_state_neither_grows_nor_dies(kind):
    U = kind(4, 8, rng=0).U.value
    for square in np.split(U, U.shape[1] // 8, axis=1):
        np.testing.assert_allclose(square @ square.T, np.eye(8), atol=1e-6)
    assert U.dtype == np.float32


@pytest.mark.parametrize("causal", [False, True])
def test_attention_is_its_formula_token_by_token(causal, rng):
    layer, x = SelfAttention(4, 2, causal, rng=0).astype(np.float64), rng.standard_normal((2, 3, 4))
    (qkv, qkv_b), (out, out_b) = ([p.value for p in each.parameters] for each in (layer.qkv, layer.out))
    qkv_b[:] = rng.standard_normal(12)
    y = layer.forward(x)
    for n in range(2):
        q, k, v = np.split(x[n] @ qkv + qkv_b, 3, axis=1)
        for t in range(3):
            answer = []
            for part in (slice(0, 2), slice(2, 4)):  # the heads
                seen = range(t + 1) if causal else range(3)
                weights = [math.exp(q[t, part] @ k[s, part] / math.sqrt(2)) for s in seen]
                answer += list(sum(w * v[s, part] for w, s in zip(weights, seen, strict=True)) / sum(weights))
            np.testing.assert_allclose(y[n, t], np.array(answer) @ out + out_b, rtol=1e-12)


def test_causal_attention_does_not_see_what_comes_later(rng):
    x = rng.standard_normal((2, 5, 4)).astype(np.float32)
    other = x.copy()
    other[:, 3:] = rng.standard_normal((2, 2, 4))
    for causal, same in ((True, True), (False, False)):
        block = TransformerBlock(4, 2, causal, rng=0)
        assert np.allclose(block.forward(x)[:, :3], block.forward(other)[:, :3], atol=1e-6) == same


def test_a_transformer_block_is_two_residuals(rng):
    block, x = TransformerBlock(4, 2, rng=0), rng.standard_normal((2, 3, 4)).astype(np.float32)
    (norm_1, attention), (norm_2, think) = (part.layers for part in block.layers)
    h = x + attention.forward(norm_1.forward(x))
    np.testing.assert_allclose(block.forward(x), h + think.forward(norm_2.forward(h)), rtol=1e-5, atol=1e-6)
    assert think.layers[0].W.value.shape == (4, 16)
    assert isinstance(think.layers[1], GELU)


# ---- Losses ----


def test_losses_are_their_formulas(rng):
    z, labels = 2 * rng.standard_normal((4, 3)), np.array([0, 2, 1, 1])
    t = rng.random((4, 3))
    pairs = list(zip(z.flat, t.flat, strict=True))
    assert MeanSquaredError().forward(z, t) == pytest.approx(sum((a - b) ** 2 for a, b in pairs) / 12)
    each = [-b * math.log(sigmoid(a)) - (1 - b) * math.log(1 - sigmoid(a)) for a, b in pairs]
    assert BinaryCrossEntropy().forward(z, t) == pytest.approx(sum(each) / 12, rel=1e-12)
    hinges = [max(0, 1 + z[n, k] - z[n, c]) for n, c in enumerate(labels) for k in range(3) if k != c]
    assert Hinge().forward(z, labels) == pytest.approx(sum(hinges) / 4, rel=1e-12)


def test_logits_of_any_size():
    loss = BinaryCrossEntropy()
    z = np.array([[-1e4, 1e4, -1e4, 1e4]], np.float32)
    assert loss.forward(z, [[0, 1, 1, 0]]) == 2e4 / 4
    assert loss.backward().tolist() == [[0, 0, -0.25, 0.25]]


@pytest.mark.parametrize("loss", [MeanSquaredError(), BinaryCrossEntropy()])
def test_labels_of_another_shape_are_refused(loss):
    with pytest.raises(ValueError, match=r"outputs' shape \(3, 1\), got \(3,\): t\[:, np.newaxis\] is a column"):
        loss.forward(np.ones((3, 1)), np.ones(3))


# ---- Optimizers: their rules are compared in ``prove``; here, what comes with them ----


def test_defaults():
    model = Sequential([Dense(2, 2)])
    assert (RMSprop(model).learning_rate, RMSprop(model).rho, RMSprop(model).epsilon) == (1e-3, 0.9, 1e-7)
    assert (Nesterov(model).learning_rate, Nesterov(model).momentum) == (0.01, 0.9)
    lion = Lion(model)
    assert (lion.learning_rate, lion.beta_1, lion.beta_2, lion.weight_decay) == (1e-4, 0.9, 0.99, 0)
    assert (AdamW(model).learning_rate, AdamW(model).weight_decay) == (1e-3, 0.01)


def test_adamw_spares_biases_gains_and_what_did_not_decay_before():
    model = Sequential([Dense(2, 3), LayerNorm(3), PReLU(3), BatchNorm(3)])
    AdamW(model)
    assert [p.decays for p in model.parameters] == [True] + [False] * 8
    model = Sequential([Dense(2, 3)])
    model.layers[0].W.decays = False
    AdamW(model)
    assert not model.layers[0].W.decays


def test_clipping_leaves_short_gradients_alone():
    model = Sequential([Dense(1, 1, dtype=np.float64)])
    for grad, step in (([3.0, 4.0], [0.6, 0.8]), ([0.3, 0.4], [0.3, 0.4]), ([0.0, 0.0], [0, 0])):
        model.theta, model.grad = [0, 0], grad
        Clipped(SGD(model, 1.0), 1.0).step()
        np.testing.assert_allclose(-model.theta, step, rtol=1e-15)


def test_rates_by_layer_freeze_bit_by_bit():
    model = Sequential([Dense(3, 3, rng=0), ReLU(), Dense(3, 3, rng=1)])
    optimizer, before = RatesByLayer(Adam(model, weight_decay=0.1), {0: 0}), model.theta.copy()
    for _ in range(5):
        model.grad[:] = 1
        optimizer.step()
    assert (model.theta[:12] == before[:12]).all()
    assert (model.theta[12:] != before[12:]).all()


# ---- Callbacks ----


def small(rng, rows=64):
    return rng.standard_normal((rows, 4)).astype(np.float32), rng.integers(0, 3, rows)


class Rates(Callback):
    def __init__(self, optimizer):
        self.optimizer, self.rates = optimizer, []

    def on_batch_end(self, loss, score):
        self.rates.append(self.optimizer.learning_rate)


def test_the_schedule_in_fit(rng):
    """Each step has the rate of its own place on the curve; afterwards the optimizer has its own again."""
    x, y = small(rng)
    model = normed()
    optimizer = Clipped(Adam(model, 0.5), 1.0)
    watch = Rates(optimizer)
    schedule = CosineSchedule(optimizer, warmup=1)
    fit(model, SoftmaxCrossEntropy(), optimizer, x, y, epochs=4, batch_size=8, callbacks=[watch, schedule], verbose=0)
    p = (np.arange(32) + 0.5) / 32
    expected = np.where(p < 0.25, p / 0.25, (1 + np.cos(np.pi * (p - 0.25) / 0.75)) / 2)
    np.testing.assert_allclose(watch.rates, 0.5 * expected, rtol=1e-12)
    assert optimizer.learning_rate == 0.5


class Thetas(Callback):
    """theta after each step, and at the end of each epoch."""

    def on_train_begin(self, model, epochs, steps):
        self.model, self.steps, self.epochs = model, [], []

    def on_batch_end(self, loss, score):
        self.steps.append(self.model.theta.copy())

    def on_epoch_end(self, model, history):
        self.epochs.append(model.theta.copy())


def test_the_mean_of_the_weights_is_validated_and_kept(rng):
    x, y = small(rng)
    results = []
    for callbacks_ in ([], [WeightAverage(0.8)]):
        model, thetas = normed(), Thetas()
        optimizer = Adam(model, 0.05)
        history = fit(
            model, SoftmaxCrossEntropy(), optimizer, x, y, epochs=3, batch_size=16, rng=0, verbose=0,
            validation_data=(x, y), callbacks=[thetas, *callbacks_],
        )  # fmt: skip
        results.append((model, history, thetas))
    (_, plain, thetas), (model, averaged, watched) = results
    np.testing.assert_array_equal(thetas.steps, watched.steps)  # the weights wander as they do without it
    assert plain["loss"] == averaged["loss"]
    twin = normed()
    for epoch, t in enumerate((4, 8, 12)):
        weights = 0.8 ** np.arange(t)[::-1]
        twin.theta = weights @ np.array(thetas.steps[:t]) / weights.sum()
        np.testing.assert_allclose(watched.epochs[epoch], twin.theta, rtol=1e-5, atol=1e-6)
        loss, accuracy = evaluate(twin, SoftmaxCrossEntropy(), x, y)
        assert averaged["val_loss"][epoch] == pytest.approx(loss, rel=1e-5)
        assert averaged["val_accuracy"][epoch] == accuracy
    np.testing.assert_allclose(model.theta, twin.theta, rtol=1e-5, atol=1e-6)
    assert abs(model.theta - thetas.steps[-1]).max() > 1e-3


def test_the_mean_after_an_interruption_and_before_any_step(rng):
    x, y = small(rng)

    class Interrupting(Thetas):
        def on_batch_end(self, loss, score):
            super().on_batch_end(loss, score)
            if len(self.steps) == 3:
                raise KeyboardInterrupt

    model, thetas = normed(), Interrupting()
    average = WeightAverage(0.5)
    fit(model, SoftmaxCrossEntropy(), Adam(model, 0.05), x, y, batch_size=16, rng=0, verbose=0,
        callbacks=[average, thetas])  # fmt: skip
    weights = 0.5 ** np.arange(3)[::-1]
    np.testing.assert_allclose(model.theta, weights @ np.array(thetas.steps) / weights.sum(), rtol=1e-5, atol=1e-6)
    before = model.theta.copy()
    average.on_train_begin(model, 1, 4)
    average.on_train_end(model)
    assert (model.theta == before).all()


def test_the_mean_with_early_stopping_that_restores_the_best(rng):
    """In the order that the docstring asks for: the best epoch is one of means."""
    x, y = small(rng)
    model = normed()
    best = EarlyStopping("val_loss", patience=9, restore_best_weights=True)
    history = fit(
        model, SoftmaxCrossEntropy(), Adam(model, 0.05), x, y, epochs=3, rng=0, verbose=0, validation_data=(x, y),
        callbacks=[best, WeightAverage(0.8)],
    )  # fmt: skip
    assert min(history["val_loss"]) == history["val_loss"][-1]  # so the last mean is the best one as well
    loss, _ = evaluate(model, SoftmaxCrossEntropy(), x, y)
    assert loss == pytest.approx(min(history["val_loss"]), rel=1e-6)


def test_mixup_mixes_images_as_it_mixes_labels(rng):
    x, y = rng.random((500, 2, 3), np.float32), rng.integers(0, 3, 500)
    (given, t), (mixed, labels) = (x, one_hot(y, 3)), next(mixup([(x, one_hot(y, 3))], 0.4, rng=1))
    np.testing.assert_allclose(labels.sum(axis=1), 1, rtol=1e-6)
    assert mixed.dtype == labels.dtype == np.float32
    again = np.random.default_rng(1)
    k, others = again.beta(0.4, 0.4, 500).astype(np.float32), again.permutation(500)
    for n in range(500):
        np.testing.assert_allclose(mixed[n], k[n] * given[n] + (1 - k[n]) * given[others[n]], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(labels[n], k[n] * t[n] + (1 - k[n]) * t[others[n]], rtol=1e-5, atol=1e-6)
    assert 0.05 < np.mean((k > 0.2) & (k < 0.8)) < 0.5


def test_a_model_learns_from_mixed_batches(rng):
    x, y = small(rng, 200)
    y = (x[:, 0] > 0).astype(int)
    model = Sequential([Dense(4, 8, rng=0), ReLU(), Dense(8, 2, rng=1), nnscratch.Softmax()])
    optimizer = Adam(model, 0.02)
    for _ in range(15):
        train_epoch(model, CrossEntropy(), optimizer, mixup(batches(x, one_hot(y, 2), rng=rng), rng=rng))
    assert evaluate(model, CrossEntropy(), x, one_hot(y, 2))[1] > 0.9


# ---- All together ----


def test_a_model_of_many_recipes_trains_predicts_saves_and_can_be_copied(rng, tmp_path, sample):
    x, y = sample[0][:256].reshape(-1, 28, 28), sample[1][:256]

    def build():
        return Sequential([
            RandomDistortion(10, 0.1, 20, 4, rng=0), RandomShift(1, rng=0), GaussianNoise(0.05, rng=0),
            Reshape(28, 28, 1), Conv2D(1, 6, 5, rng=0), LeakyReLU(), MaxPool2D(), BatchNorm(6),
            SpatialDropout(0.1, rng=0), Conv2D(6, 8, 5, rng=0), PReLU(8), AveragePool2D(), Reshape(16, 8),
            TransformerBlock(8, 2, rng=0), LSTM(8, 12, rng=0), Last(), LayerNorm(12),
            Residual([Dense(12, 12, rng=0), Tanh()]), Dense(12, 10, rng=0),
        ])  # fmt: skip

    model = build()
    loss, optimizer = LabelSmoothing(), Clipped(AdamW(model, 5e-3), 5.0)
    history = fit(
        model, loss, optimizer, x, y, epochs=4, rng=0, verbose=0, validation_data=(x, y),
        callbacks=[CosineSchedule(optimizer, 0.5), WeightAverage(0.9)],
    )  # fmt: skip
    assert history["val_loss"][-1] < history["val_loss"][0]
    assert model.theta.dtype == model.predict(x[:2]).dtype == np.float32
    model.save_weights(tmp_path / "weights.npz")
    twin = build()
    twin.load_weights(tmp_path / "weights.npz")
    assert (twin.predict(x) == model.predict(x)).all()
    assert (copy.deepcopy(model).predict(x) == model.predict(x)).all()
    assert isinstance(Chain([Flatten()]), Layer)
    assert check_layer(Tanh(), rng.standard_normal((2, 2))).largest_error < 1e-9
    assert isinstance(model.parameters[0], Parameter)
    assert callbacks.__doc__
