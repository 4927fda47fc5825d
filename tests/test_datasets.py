"""IDX and the cache against tiny files, the download against a server on this machine."""

import contextlib
import dataclasses
import gzip
import hashlib
import http.server
import os
import struct
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from datasets import idx, mnist
from datasets.dataset import Dataset, DatasetError, File, cache_dir
from datasets.download import DownloadError

# ---- IDX ----

TYPES = st.sampled_from(["u1", "i1", ">i2", "<i4", ">f4", "<f8"])


@given(hnp.arrays(TYPES, hnp.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=5)), st.booleans())
def test_idx_round_trip(array, packed):
    data = idx.encode(array)
    decoded = idx.decode(gzip.compress(data) if packed else data)
    assert decoded.dtype == array.dtype.newbyteorder("=")
    assert decoded.dtype.isnative
    assert decoded.flags.writeable
    np.testing.assert_array_equal(decoded, array)


def test_idx_by_hand():
    data = bytes([0, 0, 0x0B, 2]) + struct.pack(">II", 2, 1) + struct.pack(">hh", -2, 300)
    assert idx.decode(data).tolist() == [[-2], [300]]
    assert idx.encode(np.array([[-2], [300]], np.int16)) == data


GOOD = idx.encode(np.arange(6, dtype=np.uint8).reshape(2, 3))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "offset 0: expected two zero bytes"),
        (b"\0\0\x08", "offset 0"),
        (b"<!DOCTYPE html>", "offset 0: expected two zero bytes.*got b'<!DO'"),
        (b"\0\1" + GOOD[2:], "offset 0"),
        (b"\0\0\x0a" + GOOD[3:], "offset 2: expected a type among .*got 0x0a"),
        (b"\0\0\x08\0", "offset 3: expected at least one dimension"),
        (GOOD[:10], "offset 4: expected 2 sizes of 4 bytes, got 6 bytes"),
        (GOOD[:-1], r"offset 12: expected 6 bytes of data for shape \(2, 3\), got 5"),
        (GOOD + b"\0", r"offset 12: expected 6 bytes of data for shape \(2, 3\), got 7"),
        (GOOD[:4] + b"\xff" * 8 + GOOD[12:], "offset 12: expected 18446744065119617025 bytes"),
        (b"\0\0\x08\3" + b"\xff" * 8 + b"\0" * 4, "offset 4: expected sizes that fit into memory"),
        (gzip.compress(GOOD)[:-9], "expected a whole gzip file, got a damaged one"),
        (gzip.compress(GOOD)[:-1], "expected a whole gzip file, got a damaged one"),
        (gzip.compress(GOOD)[:12] + b"\xff\xff" + gzip.compress(GOOD)[14:], "damaged one"),
        (gzip.compress(b"hello"), "offset 0"),
    ],
)
def test_malformed_idx(data, message):
    with pytest.raises(idx.IDXError, match=message):
        idx.decode(data)


@given(st.binary(max_size=40), st.integers(0, len(GOOD)))
def test_no_other_error_whatever_the_bytes(noise, cut):
    for data in (noise, GOOD[:cut] + noise, b"\0\0" + noise, b"\x1f\x8b" + noise):
        with contextlib.suppress(idx.IDXError):
            idx.decode(data)


@pytest.mark.parametrize("array", [np.zeros(3, np.int64), np.zeros((), np.uint8), np.array(["a"])])
def test_arrays_that_idx_has_no_place_for(array):
    with pytest.raises(idx.IDXError, match="in 1 to 255 dimensions, got"):
        idx.encode(array)


# ---- A tiny data set and a server ----

ARRAYS = {
    "train-images": np.arange(3 * 2 * 2, dtype=np.uint8).reshape(3, 2, 2),
    "train-labels": np.array([2, 0, 1], np.uint8),
    "t10k-images": np.full((1, 2, 2), 9, np.uint8),
    "t10k-labels": np.array([1], np.uint8),
}
PLAIN = {name: idx.encode(array) for name, array in ARRAYS.items()}
PACKED = {f"{name}.gz": gzip.compress(data) for name, data in PLAIN.items()}


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def tiny(*mirrors):
    files = (File(n, len(PACKED[f"{n}.gz"]), sha256(PACKED[f"{n}.gz"]), sha256(PLAIN[n])) for n in ARRAYS)
    return Dataset("tiny", mirrors, tuple(files))


class Server(http.server.ThreadingHTTPServer):
    """Serves PACKED; ``faults`` maps a name to what is sent instead: a status or other bytes."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.faults, self.requests = {}, []
        self.url = f"http://127.0.0.1:{self.server_address[1]}/"
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        name = self.path.strip("/")
        self.server.requests.append((name, self.headers["User-Agent"]))
        answer = self.server.faults.get(name, PACKED[name])
        if isinstance(answer, int):
            return self.send_error(answer)
        self.send_response(200)
        self.send_header("Content-Length", str(len(PACKED[name])))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    with Server() as running:
        yield running
        running.shutdown()


def assert_whole(data):
    (x_train, y_train), (x_test, y_test) = data
    for got, expected in zip((x_train, y_train, x_test, y_test), ARRAYS.values(), strict=True):
        assert got.dtype == np.uint8
        np.testing.assert_array_equal(got, expected)


def test_downloaded_once_verified_and_cached(server, tmp_path):
    for _ in range(2):
        assert_whole(tiny(server.url).load_data(tmp_path))
    assert [name for name, _ in server.requests] == list(PACKED)
    assert {agent for _, agent in server.requests} == {"nnscratch"}
    assert {path.name: path.read_bytes() for path in (tmp_path / "tiny").iterdir()} == PACKED


FIRST = next(iter(PACKED))
FAULTS = {
    "not found": (404, "404"),
    "forbidden": (403, "403"),
    "server error": (503, "503"),
    "an error page": (b"<html>".ljust(len(PACKED[FIRST])), "expected SHA-256"),
    "one bit wrong": (bytes([PACKED[FIRST][0] ^ 1]) + PACKED[FIRST][1:], "expected SHA-256"),
    "half of it": (PACKED[FIRST][: len(PACKED[FIRST]) // 2], "bytes"),
    "nothing": (b"", "bytes"),
}


@pytest.mark.parametrize(("fault", "message"), FAULTS.values(), ids=FAULTS)
def test_a_faulty_mirror_leaves_nothing_and_the_next_one_is_asked(fault, message, server, tmp_path):
    with Server() as other:
        server.faults[FIRST] = fault
        with pytest.raises(DownloadError, match=message) as caught:
            tiny(server.url).load_data(tmp_path)
        assert server.url + FIRST in str(caught.value)
        assert f"Or copy the files {', '.join(PACKED)} into {tmp_path / 'tiny'}" in str(caught.value)
        assert list((tmp_path / "tiny").iterdir()) == []
        assert_whole(tiny(server.url, other.url).load_data(tmp_path))
        other.shutdown()


def test_a_file_that_is_too_long_is_not_read_to_its_end(server, tmp_path):
    first, *others = tiny(server.url).files
    short = dataclasses.replace(first, gz_size=10)
    with pytest.raises(DownloadError, match="expected 10 bytes, got more"):
        Dataset("tiny", (server.url,), (short, *others)).load_data(tmp_path)
    assert list((tmp_path / "tiny").iterdir()) == []


def test_nobody_there(tmp_path):
    with pytest.raises(DownloadError, match="no mirror delivered the file"):
        tiny("http://127.0.0.1:9/").load_data(tmp_path)


def test_unpacked_files_are_accepted(tmp_path):
    (tmp_path / "tiny").mkdir()
    for name, data in PLAIN.items():
        (tmp_path / "tiny" / name).write_bytes(data)
    assert_whole(tiny().load_data(tmp_path))


@pytest.mark.parametrize("files", [PLAIN, PACKED], ids=["plain", "packed"])
def test_damaged_files_in_the_cache_are_found(files, tmp_path):
    (tmp_path / "tiny").mkdir()
    for name, data in files.items():
        (tmp_path / "tiny" / name).write_bytes(data)
    name = next(iter(files))
    (tmp_path / "tiny" / name).write_bytes(files[name][:-1] + b"!")
    with pytest.raises(DatasetError, match=r"expected SHA-256 .* got .*: delete it to download it again"):
        tiny().load_data(tmp_path)


def test_where_the_cache_lies(monkeypatch, tmp_path):
    for name in ("NNSCRATCH_DATA", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pathlib.Path.home", lambda: tmp_path)
    assert cache_dir() == tmp_path / ".cache" / "nnscratch"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_dir() == tmp_path / "xdg" / "nnscratch"
    monkeypatch.setenv("NNSCRATCH_DATA", str(tmp_path / "data"))
    assert cache_dir() == tmp_path / "data"
    assert cache_dir(tmp_path / "argument") == tmp_path / "argument"


# ---- MNIST ----


def test_the_sample_is_mnist():
    (x_train, y_train), (x_test, y_test) = mnist.load_sample()
    assert (x_train.shape, x_train.dtype, y_train.shape) == ((10_000, 28, 28), np.uint8, (10_000,))
    assert (x_test.shape, x_test.dtype, y_test.shape) == ((2_000, 28, 28), np.uint8, (2_000,))
    # The sums of the first rows of the original files.
    sums = [sha256(array.tobytes())[:16] for array in (x_train, y_train, x_test, y_test)]
    assert sums == ["2f7182bf021ffc5c", "2f345bad07338ec5", "170ff6838184f9ec", "949a3782a9c308bf"]
    assert y_train[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]


@pytest.mark.skipif("NNSCRATCH_DATA" not in os.environ, reason="needs the full MNIST in NNSCRATCH_DATA")
def test_the_sample_is_the_beginning_of_the_full_set():
    for whole, part in zip(mnist.load_data(), mnist.load_sample(), strict=True):
        for a, b in zip(whole, part, strict=True):
            np.testing.assert_array_equal(a[: len(b)], b)


def test_the_library_does_not_fall_back_on_the_sample(monkeypatch, tmp_path):
    monkeypatch.setattr(mnist, "MNIST", Dataset("mnist", ("http://127.0.0.1:9/",), mnist.MNIST.files))
    with pytest.raises(DownloadError, match=r"train-images-idx3-ubyte\.gz"):
        mnist.load_data(tmp_path)
