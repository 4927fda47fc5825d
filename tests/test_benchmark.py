"""The benchmark's arithmetic, its words, and a tiny run of all its parts. How long things take is not tested."""

import json
import re
import sys
import tracemalloc
from types import SimpleNamespace

import numpy as np
import pytest

from datasets import mnist
from demos.benchmarks import __main__ as benchmark
from demos.benchmarks import convolution, peers, steps
from demos.layers.images import Conv2D, PlainConv2D
from nnscratch import check_layer

PEERS = [name for name, each in peers.PEERS.items() if each.needs]
MACHINE = {"cores": 2, "processor": "abacus", "data": "full MNIST", "versions": {"numpy": "2.0"}, "missing": []}
QUIET = benchmark.noise([1.0] * 20, 0.1)


def without_peers(patch):
    patch.setattr(benchmark.importlib.util, "find_spec", lambda name: None)


def few_digits(rows):
    (x, y), (x_test, y_test) = mnist.load_sample()
    return tuple((x[:rows].reshape(-1, 784) / np.float32(255), y[:rows]) for x, y in ((x, y), (x_test, y_test)))


@pytest.fixture(scope="module")
def tiny_run(tmp_path_factory):
    """All parts, without peers, on 500 digits: (what it printed as a file, the JSON, the folder)."""
    folder = tmp_path_factory.mktemp("benchmark")
    with pytest.MonkeyPatch.context() as patch:
        without_peers(patch)
        patch.setattr(benchmark, "cores", lambda: 1)  # with several threads a busy machine takes a minute for this
        patch.setattr(steps, "load", lambda: few_digits(500))
        patch.setattr(
            benchmark, "MODELS", {"784-20-10": ((784, 20, 10), "sigmoid", 32, ("nnscratch", "bare products"))}
        )
        patch.setattr(benchmark, "ROWS", 500)
        network = (784, 20, 10)
        patch.setattr(benchmark, "SCALING", {"samples": {n: (network, 32, n) for n in (100, 1000, 10**15)}})
        patch.setattr(benchmark, "BUSY", "")
        patch.setattr(benchmark.time, "sleep", lambda seconds: None)
        benchmark.main(["--repeats", "3", "--output", str(folder)])
    return json.loads((folder / "results.json").read_text(encoding="utf-8")), folder


def test_a_run_has_all_parts_and_its_ratios_are_those_of_the_rounds(tiny_run):
    results, folder = tiny_run
    assert set(results) == {"machine", "noise", "training", "inference", "memory", "scaling", "busy"}
    for rows in (results["training"]["784-20-10"]["peers"], results["inference"]["peers"]):
        assert set(rows) == {"nnscratch", "bare products"}
        for row in rows.values():
            assert min(row["seconds"]) > 0
            assert row["median"] == np.median(row["seconds"])
            assert row["ratio"] == np.median(np.divide(rows["nnscratch"]["seconds"], row["seconds"]))
    for row in results["busy"].values():
        assert len(row["alone"]) == len(row["busy"]) == 3
        assert row["slow-down"] == np.median(row["busy"]) / np.median(row["alone"])
    assert (folder / "benchmark.png").read_bytes().startswith(b"\x89PNG")
    assert (folder / "results.md").read_text(encoding="utf-8") == benchmark.markdown(results)


def test_a_run_reports_the_accuracy_of_those_who_learn(tiny_run):
    part = tiny_run[0]["training"]["784-20-10"]
    assert part["epochs"] == 4
    assert "accuracy" not in part["peers"]["bare products"]
    assert 0.5 < part["peers"]["nnscratch"]["accuracy"] < 0.9
    assert part["odd accuracies"] == {}


def test_a_run_measures_memory_beyond_the_data(tiny_run):
    row = tiny_run[0]["memory"]["nnscratch"]["784-20-10"]
    assert row["theta"] == 4 * (785 * 20 + 21 * 10)
    assert row["limit"] == 30e6 + 6 * row["theta"]
    assert 5 * row["theta"] < row["arrays"] < row["limit"]  # theta, grad and three vectors of Adam


def test_peaks_count_what_was_freed_again():
    host = object.__new__(peers.Host)
    host.build, host.peer = lambda: np.ones(5_000_000), SimpleNamespace(epoch=lambda: None)  # 40 MB
    try:
        assert 40e6 <= host.traced_peak() < 41e6
    finally:
        tracemalloc.stop()
    if sys.platform != "win32":
        assert host.resident_growth() > 39e6


def test_scaling_leaves_out_what_does_not_fit_into_memory(tiny_run, capsys):
    values = tiny_run[0]["scaling"]["samples"]
    assert list(values) == ["100", "1000"]
    for rows, row in values.items():
        assert row["ratio"] == row["nnscratch"] / row["bare products"]
        steps = -(-int(rows) // 32)
        assert row["per sample"] == pytest.approx(row["nnscratch"] * steps / int(rows))


def test_missing_peers_are_named_with_the_way_to_install_them(tiny_run, monkeypatch, tmp_path, capsys):
    assert tiny_run[0]["machine"]["missing"] == PEERS
    assert len(PEERS) == 6
    without_peers(monkeypatch)
    monkeypatch.setitem(benchmark.PARTS, "busy", lambda bench: {})
    monkeypatch.setattr(steps, "load", lambda: few_digits(10))
    benchmark.main(["busy", "--output", str(tmp_path)])
    out = capsys.readouterr().out
    for name in PEERS:
        assert f'{name} is not installed and left out: pip install -e ".[bench]"' in out
    assert f"Not installed: {', '.join(PEERS)}" in (tmp_path / "results.md").read_text(encoding="utf-8")
    assert set(json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))) == {"machine", "noise", "busy"}


def test_an_unknown_part_is_explained(capsys):
    with pytest.raises(SystemExit):
        benchmark.main(["trainning"])
    assert "expected some of training, inference, memory, scaling, busy, got trainning" in capsys.readouterr().err


def test_a_peer_that_breaks_ends_the_run_with_its_reason(tmp_path):
    worker = benchmark.Worker("nnscratch", 1, str(tmp_path / "nowhere"))
    try:
        with pytest.raises(ChildProcessError, match=r"(?s)nnscratch ended: .*FileNotFoundError"):
            worker.answer()
    finally:
        worker.close()


def test_the_table_of_a_known_result():
    seconds = {("nnscratch", "its own choice"): [0.3, 0.5, 0.4], ("JAX", "1 thread"): [0.2, 0.1, 0.9],
               ("JAX", "2 threads"): [0.1, 0.8, 0.9]}  # fmt: skip
    rows = benchmark.summary(seconds)
    assert [(row["setting"], row["median"]) for row in rows["JAX"]["settings"]] == [
        ("1 thread", 0.2),
        ("2 threads", 0.8),
    ]
    rows["JAX"]["accuracy"], rows["nnscratch"]["accuracy"] = 0.95, 0.97
    odd = benchmark.odd_ones({name: row["accuracy"] for name, row in rows.items()})
    part = {"m": {"batch size": 32, "epochs": 4, "peers": rows, "odd accuracies": odd}}
    text = benchmark.markdown({"machine": MACHINE, "noise": QUIET, "training": part})
    assert "### m, batch 32: training, 4 epochs" in text
    assert "| JAX | 1 thread | 0.200 | 0.100 | 0.900 | 1.50 x | 0.9500 |" in text
    assert "| nnscratch | its own choice | 0.400 | 0.300 | 0.500 | 1.00 x | 0.9700 |" in text
    assert text.index("| JAX") < text.index("| nnscratch |")
    assert "2 threads" not in text
    assert "**Warning: not the same accuracy. JAX reaches 0.9500, the median of the others is 0.9700.**" in text


def test_the_table_of_samples_compares_the_slowest_step_with_the_fastest():
    row = {"bare products": 1e-4, "ratio": 2.0, "per sample": 5e-6}
    values = {1000: row | {"nnscratch": 2e-4}, 4000: row | {"nnscratch": 2.5e-4}}
    text = benchmark.markdown({"machine": MACHINE, "noise": QUIET, "scaling": {"samples": values, "depth": {}}})
    assert "| 1000 | 200.0 | 100.0 | 2.00 | 5.00 |" in text
    assert text.count("The slowest of these steps takes 1.25 times as long as the fastest.") == 1


def test_the_picture_shows_seconds_and_ratios():
    rows = benchmark.summary({("nnscratch", ""): [0.4], ("PyTorch", "1 thread"): [0.8]})
    (ax, _) = benchmark.picture({"m": {"batch size": 32, "peers": rows}}, "title").axes
    assert [text.get_text() for text in ax.texts] == ["0.80 s, x 0.50", "0.40 s"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["PyTorch", "nnscratch"]
    assert [bar.get_width() for bar in ax.patches] == [0.8, 0.4]


def test_a_setting_far_slower_than_the_best_of_the_same_peer_is_dropped():
    seconds = {("a", "1"): [1.0], ("a", "2"): [1.6], ("b", "1"): [9.0], ("b", "2"): [7.0], ("c", ""): [50.0]}
    assert set(benchmark.without_slow_settings(seconds)) == set(seconds) - {("a", "2")}


def test_an_accuracy_is_odd_if_off_by_more_than_a_hundredth_from_the_median_of_the_others():
    assert benchmark.odd_ones({"a": 0.97}) == {}
    assert benchmark.odd_ones({"a": 0.97, "b": 0.975, "c": 0.966}) == {}
    assert benchmark.odd_ones({"a": 0.97, "b": 0.97, "c": 0.979}) == {}
    assert set(benchmark.odd_ones({"a": 0.97, "b": 0.97, "c": 0.981})) == {"c"}
    assert set(benchmark.odd_ones({"a": 0.97, "b": 0.975, "c": 0.966, "d": 0.99})) == {"d"}
    assert set(benchmark.odd_ones({"a": 0.97, "b": 0.975, "c": 0.5, "d": 0.97})) == {"c"}


@pytest.mark.parametrize(
    ("seconds", "load", "trustworthy"),
    [([1.0] * 99 + [9.0], 0.1, True), ([1.0] * 90 + [1.3] * 10, 0.1, False), ([1.0] * 100, 1.5, False),
     ([1.0] * 100, None, True)],
)  # fmt: skip
def test_noise_tells_whether_to_trust_the_run(seconds, load, trustworthy):
    said = benchmark.noise(seconds, load)
    assert said["spread"] == max(seconds)
    assert said["trustworthy"] == trustworthy
    assert said["words"].endswith("trust the medians" if trustworthy else "repeat the run")


def test_peers_run_on_one_thread_and_on_all_cores_unless_they_choose(monkeypatch):
    bench = benchmark.Bench([], 1, "")
    for n, settings in ((1, [1]), (6, [1, 6])):
        monkeypatch.setattr(benchmark, "cores", lambda n=n: n)
        assert bench.settings("PyTorch") == settings
        assert bench.settings("nnscratch") == (0,)


def test_scikit_learn_learns_the_same(tmp_path, monkeypatch):
    pytest.importorskip("sklearn")
    monkeypatch.setattr(benchmark, "cores", lambda: 1)
    for i, array in enumerate(array for pair in few_digits(2000) for array in pair):
        np.save(tmp_path / f"{i}.npy", array)
    reached = []
    with benchmark.Bench(["nnscratch", "scikit-learn"], 1, str(tmp_path)) as bench:
        team = bench.team(bench.names, sizes=(784, 30, 10), last="softmax", batch_size=32, rows=2000)
        for worker in team.values():
            worker.ask("epoch", times=5)
            reached.append(worker.ask("accuracy"))
    assert min(reached) > 0.8
    assert max(reached) - min(reached) < 0.04


# ---- The convolution ----


def test_the_convolutions_that_are_compared_are_the_same(rng):
    kinds = (PlainConv2D, Conv2D, convolution.ChannelsInnermost)
    plain, fast, other = (kind(2, 3, 3, rng=0).astype(np.float64) for kind in kinds)
    x = rng.standard_normal((4, 6, 5, 2))
    y = plain.forward(x)
    dy = rng.standard_normal(y.shape)
    dx = plain.backward(dy)
    for layer in (fast, other):
        np.testing.assert_allclose(layer.forward(x), y, rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(layer.backward(dy), dx, rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(layer.W.grad, plain.W.grad, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(layer.b.grad, plain.b.grad, rtol=1e-12, atol=1e-12)
    assert check_layer(other, x).largest_error < 1e-8


def test_a_tiny_run_says_where_the_time_goes(monkeypatch, capsys):
    monkeypatch.setattr(convolution.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(convolution, "BATCH", 4)
    monkeypatch.setattr(convolution, "STEPS", 1)
    convolution.main(turns=2)
    text = capsys.readouterr().out
    assert "left out: PyTorch" in text
    for network in convolution.NETWORKS:
        assert re.search(rf"^{re.escape(network)} +ms/step +/ nnscratch$", text, re.MULTILINE)
        table = text[text.index(f"where the time goes, {network}") :].split("\n\n")[0]
        rows = dict(re.findall(r"^(.*?) +(\d+\.\d\d) +\d+\.\d\d$", table, re.MULTILINE))
        assert set(rows) == {
            "a step", "gathering the columns", "products and biases", "scattering them back", "pools", "ReLU",
            "all else: dense layers, loss, Adam", "  of this, dense layers",
        }  # fmt: skip
    assert re.search(r"^PlainConv2D +\d+\.\d\d +\d+\.\d\d$", text, re.MULTILINE)


def test_the_parts_of_a_step_add_up(monkeypatch, rng):
    monkeypatch.setattr(convolution, "STEPS", 1)
    x, y = rng.random((4, 28, 28, 1), np.float32), rng.integers(0, 10, 4)
    spent = convolution.parts((2, 3, ()), x, y, turns=3)
    for turn in range(3):
        parts = {name: values[turn] for name, values in spent.items()}
        assert min(parts.values()) > 0
        whole, dense = parts.pop("a step"), parts.pop("  of this, dense layers")
        assert sum(parts.values()) == pytest.approx(whole, rel=1e-9)
        assert dense < parts["all else: dense layers, loss, Adam"]


def test_turns_go_both_ways(monkeypatch):
    order = []
    monkeypatch.setattr(convolution, "seconds", lambda learner, x, y, steps=1: order.append(learner) or 1.0)
    spent = convolution.in_turns({"a": 1, "b": 2}, None, None, 2)
    assert order == [1, 2, 2, 1, 1, 2]
    assert spent == {"a": [1, 1], "b": [1, 1]}


def test_pytorch_has_the_same_network(rng):
    pytest.importorskip("torch")
    x, y = rng.random((8, 28, 28, 1), np.float32), rng.integers(0, 10, 8)
    for filters in convolution.NETWORKS.values():
        ours = convolution.Ours(filters)
        for channels_last in (False, True):
            peer = convolution.Torch(filters, channels_last)
            assert sum(p.numel() for p in peer.model.parameters()) == ours.model.theta.size
            peer.step(x, y)
