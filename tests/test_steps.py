"""The table of costs: that it compares what it says. How long things take is not tested."""

import re
from types import SimpleNamespace

import numpy as np
import pytest

from demos.benchmarks import steps
from nnscratch import Adam, SparseCrossEntropy, fit


def test_the_floor_is_the_products_of_every_layer_and_of_the_last_smaller_batch():
    seen = []

    class Recorder(np.ndarray):
        def __array_ufunc__(self, ufunc, method, *inputs, out=None):
            seen.append((ufunc, *(array.shape for array in inputs)))
            return ufunc(*(np.asarray(array) for array in inputs))

    Ws = [np.ones(shape, np.float32) for shape in ((3, 4), (4, 5), (5, 2))]
    parameters = [SimpleNamespace(value=W.view(Recorder)) for W in Ws] + [SimpleNamespace(value=np.ones(2))]
    steps.bare_products(SimpleNamespace(parameters=parameters), np.ones((11, 3), np.float32), batch_size=8)
    assert seen == [
        (np.matmul, *shapes)
        for n in (8, 3)
        for shapes in (
            ((n, 3), (3, 4)), ((n, 4), (4, 5)), ((n, 5), (5, 2)),  # forward
            ((5, n), (n, 2)), ((n, 2), (2, 5)), ((4, n), (n, 5)), ((n, 5), (5, 4)), ((3, n), (n, 4)),  # backward
        )
    ]  # fmt: skip


@pytest.mark.parametrize("kind", [steps.AdamWithFactors, steps.PlainAdam])
def test_the_other_ways_to_write_adam_are_adam(kind, sample):
    x, y = sample[0][:320], sample[1][:320]
    models = [steps.learner((784, 20, 10))[0].astype(float) for _ in range(2)]
    for model, adam in zip(models, (Adam, kind), strict=True):
        fit(model, SparseCrossEntropy(), adam(model), x, y, epochs=7, rng=0, verbose=0)  # 70 steps
    assert np.abs(models[0].theta - models[1].theta).max() < 1e-13
    assert np.abs(models[0].theta - steps.learner((784, 20, 10))[0].theta).max() > 0.01


def test_written_out_it_is_the_same_training_to_the_last_bit(sample):
    x, y = sample[0][:330], sample[1][:330]  # the last batch is shorter
    (model, loss, optimizer), (twin, _, other) = steps.learner(), steps.learner()
    history = fit(model, loss, optimizer, x, y, epochs=3, rng=5, verbose=0)
    rng = np.random.default_rng(5)
    results = [steps.written_out(twin, other, x, y, rng) for _ in range(3)]
    assert model.theta.tobytes() == twin.theta.tobytes()
    np.testing.assert_allclose(list(zip(history["loss"], history["accuracy"], strict=True)), results, rtol=1e-6)


def test_a_tiny_run_has_all_rows(sample, monkeypatch, capsys, tmp_path):
    x, y, *_ = sample
    monkeypatch.setattr(steps, "load", lambda: ((x[:64], y[:64]), None))
    monkeypatch.setattr(steps, "REPEATS", 1)
    monkeypatch.setattr(steps, "NETWORKS", {"784-5-10": ((784, 5, 10), 32, 1, 64), "784-10": ((784, 10), 64, 1, 64)})
    monkeypatch.setenv("NNSCRATCH_DATA", str(tmp_path))  # nothing to load
    steps.main()
    printed = capsys.readouterr().out
    assert float(re.search(r"fit over the same mathematics written out: (\d+\.\d\d)\n", printed).group(1)) > 0
    tables = [table.splitlines() for table in printed.split("\n\n")[1:] if "us/step" in table]
    titles = [table[0].split("  ")[0] for table in tables]
    assert titles == ["784-5-10, batch 32", "784-10, batch 64", "784-100-10, batch 32", "784-512-10, batch 128"]
    rows = [[line[:26].strip() for line in table[1:]] for table in tables]
    parts = ["batches", "forward", "loss", "accuracy", "backward", "optimizer", "Adam's roots alone"]
    assert rows[0] == rows[1] == ["bare matrix products", "fit", *parts]
    assert rows[2] == ["fit", "also the images' dx", "denormals kept", "Adam in twelve passes", "Adam as it reads",
                       "batches of a copy"]  # fmt: skip
    assert rows[3] == ["1 BLAS thread", "2 BLAS threads"]
    for table in tables:
        for line in table[1:]:
            median, _, _, low, high = (float(value) for value in line[26:].split())
            assert low == median == high
        assert float(table[1][26:].split()[2]) == 1
