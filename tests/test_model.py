import contextlib
import copy
import itertools
import os
import pickle
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from nnscratch import (
    Dense,
    Dropout,
    Flatten,
    GradientError,
    Layer,
    Parameter,
    ReLU,
    Sequential,
    Sigmoid,
    SoftmaxCrossEntropy,
    StaleBackwardError,
    check_model,
    evaluate,
)
from nnscratch.checking.slopes import plain_slope
from tests.architectures import Residual


def small(rng=0):
    return Sequential([Dense(4, 5, rng=rng), ReLU(), Dense(5, 3, rng=rng)])


def test_all_parameters_live_in_theta():
    model = small()
    assert model.theta.shape == model.grad.shape == (4 * 5 + 5 + 5 * 3 + 3,)
    assert [p.name for p in model.parameters] == ["W", "b", "W", "b"]
    assert (np.concatenate([p.value.ravel() for p in model.parameters]) == model.theta).all()
    assert all(np.shares_memory(p.value, model.theta) for p in model.parameters)
    assert all(np.shares_memory(p.grad, model.grad) for p in model.parameters)


def test_forward_is_the_layers_one_after_the_other(rng):
    model = small()
    x = rng.standard_normal((6, 4)).astype(np.float32)
    W1, b1, W2, b2 = model.get_weights()
    np.testing.assert_allclose(model.forward(x), np.maximum(x @ W1 + b1, 0) @ W2 + b2, rtol=1e-5)


def test_backward_is_the_chain_rule_by_hand(rng):
    model = small().astype(np.float64)
    x, dy = rng.standard_normal((6, 4)), rng.standard_normal((6, 3))
    W1, b1, W2, _ = model.get_weights()
    model.forward(x, training=True)
    model.backward(dy)
    h = np.maximum(x @ W1 + b1, 0)
    dh = dy @ W2.T * (h > 0)
    expected = [x.T @ dh, dh.sum(axis=0), h.T @ dy, dy.sum(axis=0)]
    for p, grad in zip(model.parameters, expected, strict=True):
        np.testing.assert_allclose(p.grad, grad, rtol=1e-12)


def test_backward_needs_the_forward_of_the_same_batch(rng):
    model, loss = small(), SoftmaxCrossEntropy()
    x, y = rng.random((6, 4)), rng.integers(0, 3, 6)
    with pytest.raises(StaleBackwardError, match="expected backward after the forward of the same batch"):
        model.backward(np.ones((6, 3)))
    for between in (lambda: model.predict(x), lambda: evaluate(model, loss, x, y)):
        model.forward(x, training=True)
        between()
        with pytest.raises(StaleBackwardError):
            model.backward(np.ones((6, 3)))
    model.forward(x, training=True)
    with pytest.raises(ValueError, match=r"expected dy of the outputs' shape \(6, 3\), got \(6, 1\)"):
        model.backward(np.ones((6, 1)))
    model.backward(np.ones((6, 3)))


def test_a_forward_that_failed_leaves_no_backward(rng):
    model = Sequential([Dense(4, 5, rng=0), ReLU(), Dense(6, 3, rng=0)])
    with pytest.raises(ValueError, match="layer 2"):
        model.forward(rng.random((6, 4)))
    with pytest.raises(StaleBackwardError):
        model.backward(np.ones((6, 3)))
    model = small()
    model.forward(rng.random((6, 4)))
    with pytest.raises(ValueError, match="layer 0"):
        model.forward(rng.random((6, 9)))
    with pytest.raises(StaleBackwardError):
        model.backward(np.ones((6, 3)))


class Spy(Layer):
    """Counts how often dx is asked for, and of whom."""

    def __init__(self):
        self.calls = 0
        self.scale = Parameter(np.ones(4))

    def forward(self, x):
        return x * self.scale.value

    def backward(self, dy):
        self.calls += 1
        self.asked = self.needs_dx
        return dy if self.needs_dx else None


def test_the_gradient_of_the_data_is_not_computed():
    before, first, second = Flatten(), Spy(), Spy()
    before.backward = None  # calling it would fail
    model = Sequential([before, first, second])
    model.forward(np.ones((2, 2, 2)), training=True)
    model.backward(np.ones((2, 4)))
    assert (first.calls, first.asked) == (1, False)
    assert (second.calls, second.asked) == (1, True)


def test_a_layer_moved_to_another_place_computes_dx_again():
    first = small()
    model = Sequential([Dense(4, 4, rng=0), *copy.deepcopy(first.layers)])
    model.forward(np.ones((2, 4)))
    model.backward(np.ones((2, 3)))
    assert model.parameters[0].grad.any()


def test_predict_is_a_fresh_array_and_leaves_dropout_out(rng):
    x = rng.random((25, 4)).astype(np.float32)
    model = Sequential([Dropout(0.5, rng=0), Flatten()])
    outputs = model.predict(x, batch_size=10)
    assert (outputs == x).all()
    assert not np.shares_memory(outputs, x)
    assert not np.shares_memory(Sequential([Flatten()]).predict(x, batch_size=100), x)
    model = small()
    np.testing.assert_allclose(model.predict(x, batch_size=7), model.forward(x), rtol=1e-6)


def test_predict_takes_as_many_rows_at_a_time_as_it_is_told(rng):
    """For memory; the last bits of a product may depend on how many rows it has."""
    sizes = []

    class Spy(ReLU):
        def forward(self, x):
            sizes.append(len(x))
            return super().forward(x)

    x = rng.random((2300, 60)).astype(np.float32)
    model = Sequential([Dense(60, 30, rng=0), Spy(), Dense(30, 10, rng=0), Sigmoid()])
    expected = model.predict(x)
    assert sizes == [1000, 1000, 300]
    for batch_size in (1, 7, 999, 10**6):
        sizes.clear()
        outputs = model.predict(x, batch_size)
        np.testing.assert_allclose(outputs, expected, rtol=1e-5)
        assert max(sizes) == min(batch_size, 2300)
        assert sum(sizes) == 2300
        assert model.predict(x, batch_size).tobytes() == outputs.tobytes()


def test_inputs_are_converted_to_the_models_precision(rng):
    model = small()
    x = rng.random((3, 4))
    for each in (x, x.astype(">f8"), np.asfortranarray(x), x.tolist()):
        assert model.forward(each).dtype == np.float32
        np.testing.assert_array_equal(model.forward(each), model.forward(x.astype(np.float32)))
    assert model.astype(np.float64).forward(x).dtype == np.float64


def test_astype_is_a_copy():
    model = small()
    twin = model.astype(np.float64)
    assert twin.theta.dtype == np.float64
    assert (twin.theta == model.theta).all()
    twin.theta += 1
    assert (twin.theta != model.theta).all()


def test_the_lower_precision_is_taken():
    model = Sequential([Dense(2, 3, dtype=np.float64), Dense(3, 2)])
    assert model.theta.dtype == np.float32
    assert all(p.value.dtype == p.grad.dtype == np.float32 for p in model.parameters)


def test_wrong_inputs_are_explained():
    model = small()
    with pytest.raises(TypeError, match=r"expected numbers scaled to floats, got uint8: x / np.float32\(255\)"):
        model.forward(np.zeros((2, 4), np.uint8))
    with pytest.raises(ValueError, match=r"Dense\(4, 5\): expected x .*got \(2, 7\)[^\n]*\nin forward of layer 0"):
        model.forward(np.zeros((2, 7)))
    with pytest.raises(ValueError, match=r"got \(2, 28, 28\): put Flatten\(\) before it"):
        model.predict(np.zeros((2, 28, 28)))
    for empty in (np.zeros((0, 4)), np.zeros(4)):
        with pytest.raises(ValueError, match=r"expected rows of data \(N, ...\), got shape"):
            model.predict(empty)
    with pytest.raises(ValueError, match="expected batch_size of at least 1, got 0"):
        model.predict(np.zeros((2, 4)), batch_size=0)
    with pytest.raises(ValueError, match=r"Dense\(4, 3\): expected x .*got \(2, 5\)[^\n]*\nin forward of layer 2"):
        Sequential([Dense(4, 5), ReLU(), Dense(4, 3)]).forward(np.zeros((2, 4)))


def test_wrong_models_are_explained():
    with pytest.raises(TypeError, match="expected a list of layers"):
        Sequential([])
    with pytest.raises(TypeError, match="expected a list of layers"):
        Sequential([Dense(2, 3), "relu"])
    relu = ReLU()
    with pytest.raises(ValueError, match="got one of them, or a part of one, twice"):
        Sequential([Dense(2, 2), relu, Dense(2, 2), relu])
    with pytest.raises(ValueError, match="got one of another model"):
        Sequential(small().layers[:2])


def test_weights_out_and_in():
    model, other = small(0), small(1)
    other.set_weights(model.get_weights())
    assert (other.theta == model.theta).all()
    model.get_weights()[0][:] = 0
    assert model.parameters[0].value.any()
    before = other.theta.copy()
    wrong = model.get_weights()
    wrong[-1] = np.zeros(4)
    for weights in (wrong, wrong[:3], []):
        with pytest.raises(ValueError, match="expected weights of shapes"):
            other.set_weights(weights)
    assert (other.theta == before).all()


def test_saved_and_loaded_to_the_last_bit(tmp_path):
    model, other = small(0), small(1)
    for path in (tmp_path / "w.npz", tmp_path / "new" / "folder" / "name without ending"):
        other.theta[:] = 0
        model.save_weights(path)
        other.load_weights(path)
        assert other.theta.tobytes() == model.theta.tobytes()
        assert [p.name for p in path.parent.iterdir() if p.suffix == ".tmp"] == []


def test_nothing_is_unpickled(tmp_path):
    """A file from somewhere must not be able to run code."""
    model, path = Sequential([Dense(1, 1)]), tmp_path / "w.npz"
    np.savez(path, **{"0_W": np.array([[{}]], object), "1_b": np.zeros(1)})
    with pytest.raises(ValueError, match="Object arrays cannot be loaded when allow_pickle=False"):
        model.load_weights(path)


def test_weights_are_taken_over_all_or_none():
    model = small()
    before = model.theta.copy()
    weights = model.get_weights()
    weights[0] += 1
    weights[-1] = ["not", "a", "number"]
    with pytest.raises(ValueError, match="could not convert"):
        model.set_weights(weights)
    assert (model.theta == before).all()


def test_a_model_without_parameters_computes_in_float32():
    assert Sequential([ReLU()]).predict(np.ones((2, 3))).dtype == np.float32


def test_an_interrupted_save_leaves_the_old_file(tmp_path, monkeypatch):
    path, model = tmp_path / "w.npz", small()
    model.save_weights(path)
    before = path.read_bytes()

    def stop(file, **arrays):
        file.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "savez", stop)
    with pytest.raises(KeyboardInterrupt):
        model.save_weights(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_the_bytes_are_on_the_disk_before_the_name_is(tmp_path, monkeypatch):
    calls, fsync, replace = [], os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda file: calls.append("fsync") or fsync(file))
    monkeypatch.setattr(os, "replace", lambda *paths: calls.append("replace") or replace(*paths))
    small().save_weights(tmp_path / "w.npz")
    assert calls == ["fsync", "replace"]


def test_a_save_is_one_rename(tmp_path, monkeypatch):
    """Whatever stops it before: the old file is there, whole, and nothing beside it."""
    path, model = tmp_path / "w.npz", small()
    model.save_weights(path)
    before = path.read_bytes()

    def stop(source, target):
        assert Path(source).parent == Path(target).parent  # or it would be a copy, not a rename
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", stop)
    with pytest.raises(KeyboardInterrupt):
        small(1).save_weights(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_save_killed_at_any_moment_leaves_the_old_file_or_the_new_one(tmp_path, rng):
    """A child process saves 1, 1, 1 ... then 2, 2, 2 ... then 1 again, without end, until it is killed."""
    path, model = tmp_path / "w.npz", Sequential([Dense(300, 300, rng=0)])
    model.theta[:] = 1  # a child may be killed before its first save
    model.save_weights(path)
    seen, torn = set(), False
    for kill in range(40):
        child = os.fork()
        if child == 0:
            with contextlib.suppress(BaseException):  # nothing of this process may reach the test's own files
                for number in itertools.count(kill):
                    model.theta[:] = 1 + number % 2
                    model.save_weights(path)
            os._exit(1)
        time.sleep(rng.uniform(0.001, 0.03))
        os.kill(child, signal.SIGKILL)
        assert os.waitpid(child, 0)[1] == signal.SIGKILL
        torn |= any(tmp_path.glob("*.tmp"))
        model.load_weights(path)
        assert set(np.unique(model.theta)) in ({1}, {2})
        seen |= set(np.unique(model.theta))
    assert {1, 2} <= seen
    assert torn  # it was killed in the middle, too


def test_foreign_and_damaged_files_are_explained(tmp_path):
    model, path = small(), tmp_path / "w.npz"
    before = model.theta.copy()
    model.save_weights(path)
    whole = path.read_bytes()
    np.save(tmp_path / "array.npy", np.zeros(3))
    contents = {
        "cut": whole[: len(whole) // 2],
        "empty": b"",
        "text": b"not at all",
        "npy": (tmp_path / "array.npy").read_bytes(),
        "flipped": whole[:200] + bytes(255 - b for b in whole[200:230]) + whole[230:],
    }
    for name, content in contents.items():
        path.write_bytes(content)
        with pytest.raises(ValueError, match="expected a whole file that save_weights wrote for this architecture"):
            model.load_weights(path)
        assert (model.theta == before).all(), name
    for i in range(0, len(whole), 7):  # a byte anywhere: an error or the right weights, nothing else
        path.write_bytes(whole[:i] + bytes([whole[i] ^ 0x55]) + whole[i + 1 :])
        with contextlib.suppress(ValueError):
            model.load_weights(path)
        assert (model.theta == before).all()
    for other in (Sequential([Dense(4, 3)]), Sequential([Dense(4, 5), ReLU(), Dense(5, 4)])):
        other.save_weights(path)
        with pytest.raises(
            ValueError, match=r"w\.npz: expected a whole file that save_weights wrote .* got one that fails: expected"
        ):
            model.load_weights(path)
    np.savez(path, *model.get_weights())  # the right shapes under other names
    with pytest.raises(ValueError, match=r"expected \[.0_W.*got \[.arr_0"):
        model.load_weights(path)
    with pytest.raises(FileNotFoundError):
        model.load_weights(tmp_path / "missing.npz")


SUMMARY = """\
Layer                   Output shape              Params
Flatten()               (N, 784)                       0
Dense(784, 100)         (N, 100)                  78,500
ReLU()                  (N, 100)                       0
Dense(100, 10)          (N, 10)                    1,010
Sigmoid()               (N, 10)                        0
Total params: 79,510 (310.59 KB)"""


def test_summary():
    model = Sequential([Flatten(), Dense(784, 100), ReLU(), Dense(100, 10), Sigmoid()])
    assert model.summary() == SUMMARY
    model.predict(np.zeros((2, 28, 28)))
    assert model.summary() == SUMMARY
    model.forward(np.ones((2, 28, 28)))
    model.summary()
    model.backward(np.ones((2, 10)))  # the summary did not disturb what the layers remember
    assert "Total params: 0 (0.00 KB)" in Sequential([ReLU()]).summary()
    assert "?" in Sequential([ReLU()]).summary()
    with pytest.raises(ValueError, match=r"Dense\(6, 3\): expected x of shape[^\n]*\nin forward of layer 1"):
        Sequential([Dense(4, 5), Dense(6, 3)]).summary()


class TwoLayers(Sequential):
    """A model with arguments of its own."""

    def __init__(self, hidden):
        super().__init__([Dense(4, hidden, rng=0), ReLU(), Dense(hidden, 3, rng=1)])

    def forward(self, x, training=False):
        return 2 * super().forward(x, training)


def test_copies_of_a_subclass_are_of_that_class():
    model, x = TwoLayers(5), np.ones((2, 4), np.float32)
    twins = [copy.deepcopy(model), pickle.loads(pickle.dumps(model)), model.astype(np.float64)]
    for twin in twins:
        assert isinstance(twin, TwoLayers)
        assert twin.predict(x) == pytest.approx(model.predict(x), rel=1e-6)
    with pytest.raises(GradientError, match=r"0\.5 times the slope"):  # its backward forgets the factor 2
        check_model(model, SoftmaxCrossEntropy(), x, [0, 1])


def test_predict_keeps_the_rows_of_a_layer_that_reuses_its_memory(rng):
    class Thrifty(ReLU):
        memory = np.zeros((1000, 4), np.float32)

        def forward(self, x):
            return np.maximum(x, 0, out=self.memory)

    x = rng.standard_normal((2000, 4)).astype(np.float32)
    assert np.array_equal(Sequential([Thrifty()]).predict(x), np.maximum(x, 0))


def test_the_summary_forgets_data_that_did_not_fit():
    model = small()
    with pytest.raises(ValueError, match="expected x of shape"):
        model.predict(np.zeros((2, 7)))
    assert "(N, 5)" in model.summary()


@pytest.mark.parametrize(
    "layers",
    [lambda: [Flatten(), Dense(4, 4, rng=0)], lambda: [Residual([Dense(4, 4, rng=0), ReLU()])],
     lambda: [Flatten(), Residual([Dense(4, 4, rng=0)]), Dropout(0.5), Residual([Dense(4, 4, rng=1)])]],
    ids=["after Flatten", "a residual block first", "blocks"],
)  # fmt: skip
def test_the_gradient_of_the_data_is_there_if_it_is_asked_for(layers, rng):
    model = Sequential(layers()).astype(np.float64)
    x = rng.standard_normal((3, 2, 2) if "Flatten" in repr(model) else (3, 4))
    dy = rng.standard_normal(model.forward(x).shape)
    assert model.backward(dy) is None
    grad = model.grad.copy()
    model.needs_dx = True
    model.forward(x)
    dx = model.backward(dy)
    assert dx.shape == x.shape
    assert (model.grad == grad).all()
    for i in range(3):
        slope = plain_slope(lambda x: float((dy * model.forward(x)).sum()), x, i)
        assert dx.flat[i] == pytest.approx(slope, rel=1e-6, abs=1e-8)
    model.needs_dx = False
    model.forward(x)
    assert model.backward(dy) is None


def test_a_layer_in_another_precision_can_be_put_into_a_model():
    class Scalar(ReLU):
        def __init__(self):
            self.gain = Parameter(np.float32(1))

    for layer in (Dense(2, 1).astype(np.float64), Scalar().astype(np.float64)):
        assert Sequential([layer]).astype(np.float32).theta.dtype == np.float32


def test_an_error_in_a_copy_of_a_layer_is_no_error_of_the_model():
    model = small()
    assert Sequential([copy.deepcopy(model.layers[0])]).theta.size == 25
