"""Where data sets lie, what their tables say, and the sample that the checkout carries."""

import dataclasses
import gzip
import importlib
import re
from pathlib import Path

import numpy as np
import pytest

from datasets import fashion_mnist, mnist
from datasets.command import DATASETS
from datasets.dataset import NAMES, DatasetError, cache_dir
from datasets.download import CacheError, DownloadError
from tests.server import sha256

needs_full_mnist = pytest.mark.skipif(
    bool(mnist.MNIST.missing(cache_dir() / "mnist")), reason="needs the full MNIST, say in NNSCRATCH_DATA"
)


def test_where_the_cache_lies(monkeypatch, tmp_path):
    for name in ("NNSCRATCH_DATA", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pathlib.Path.home", lambda: tmp_path)
    assert cache_dir() == tmp_path / ".cache" / "nnscratch"
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert cache_dir() == tmp_path / ".cache" / "nnscratch"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_dir() == tmp_path / "xdg" / "nnscratch"
    monkeypatch.setenv("NNSCRATCH_DATA", str(tmp_path / "data"))
    assert cache_dir() == tmp_path / "data"
    assert cache_dir(tmp_path / "argument") == tmp_path / "argument"
    assert cache_dir(".") == Path(".")
    with pytest.raises(
        CacheError, match=r"expected the name of a folder .*, got an empty one: '\.' is the current folder"
    ):
        cache_dir("")


@pytest.mark.parametrize("name", DATASETS)
def test_every_data_set_is_a_module_with_a_complete_table(name):
    module, dataset = importlib.import_module(f"datasets.{name}"), DATASETS[name]
    assert dataset.name == name  # the folder in the cache: one for each, since the file names are the same
    assert module.CLASS_NAMES == dataset.class_names
    assert len(set(module.CLASS_NAMES)) == 10
    assert module.load_data == dataset.load_data
    assert all(re.fullmatch("[0-9a-f]{64}", file.gz_sha256) for file in dataset.files)
    assert all(mirror.endswith("/") for mirror in dataset.mirrors)
    sums = [file.gz_sha256 for each in DATASETS.values() for file in each.files]
    assert len(set(sums)) == len(sums)


# ---- MNIST ----


def test_the_sample_is_mnist():
    (x_train, y_train), (x_test, y_test) = mnist.load_sample()
    assert (x_train.shape, x_train.dtype, y_train.shape) == ((10_000, 28, 28), np.uint8, (10_000,))
    assert (x_test.shape, x_test.dtype, y_test.shape) == ((2_000, 28, 28), np.uint8, (2_000,))
    # The sums of the first rows of the original files.
    sums = [sha256(array.tobytes())[:16] for array in (x_train, y_train, x_test, y_test)]
    assert sums == ["2f7182bf021ffc5c", "2f345bad07338ec5", "170ff6838184f9ec", "949a3782a9c308bf"]
    assert y_train[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]


@needs_full_mnist
def test_the_sample_is_the_beginning_of_the_full_set():
    for whole, part in zip(mnist.load_data(), mnist.load_sample(), strict=True):
        for a, b in zip(whole, part, strict=True):
            np.testing.assert_array_equal(a[: len(b)], b)


def test_the_library_does_not_fall_back_on_the_sample(tmp_path):
    with pytest.raises(DownloadError, match=rf"{NAMES[0]}\.gz"):
        mnist.load_data(tmp_path, mirrors=["http://127.0.0.1:9/"])


@needs_full_mnist
def test_loading_keeps_no_second_copy():
    """The images, their packed file, and nothing else of that size at any time."""
    import tracemalloc

    tracemalloc.start()
    (x_train, _), (x_test, _) = mnist.load_data()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    packed = mnist.MNIST.files[0].gz_size
    assert peak < x_train.nbytes + x_test.nbytes + packed + 2_000_000


# ---- Fashion-MNIST ----

DEBIAN = Path(fashion_mnist.FASHION_MNIST.folders[0])


@pytest.mark.skipif(not DEBIAN.exists(), reason="needs Debian's package dataset-fashion-mnist")
def test_fashion_mnist_from_debian_s_package(tmp_path):
    """Its files differ from the originals in the gzip header: in its own folder, and copied, packed or not."""
    (x_train, y_train), (x_test, y_test) = fashion_mnist.load_data(tmp_path / "nothing", mirrors=())
    assert (x_train.shape, y_train.shape) == ((60_000, 28, 28), (60_000,))
    assert (x_test.shape, np.bincount(y_test).tolist()) == ((10_000, 28, 28), [1000] * 10)
    assert not (tmp_path / "nothing").exists()
    elsewhere = dataclasses.replace(fashion_mnist.FASHION_MNIST, folders=())
    folder = tmp_path / "fashion_mnist"
    folder.mkdir()
    for name in NAMES:
        packed = (DEBIAN / f"{name}.gz").read_bytes()
        if "train" in name:
            (folder / name).write_bytes(gzip.decompress(packed))
        else:
            (folder / f"{name}.gz").write_bytes(packed)
    (_, labels), _ = elsewhere.load_data(tmp_path, download=False)
    np.testing.assert_array_equal(labels, y_train)


def test_kmnist_is_known_packed_only(tmp_path):
    (tmp_path / "kmnist").mkdir()
    for name in NAMES:
        (tmp_path / "kmnist" / name).write_bytes(b"unpacked")
    with pytest.raises(DatasetError, match=r"expected SHA-256 51467d22\w+ of the \.gz, got"):
        DATASETS["kmnist"].load_data(tmp_path)
