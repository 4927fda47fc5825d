"""IDX files: round trips, and every way in which they can be malformed."""

import contextlib
import gzip
import io
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from datasets import idx

TYPES = st.sampled_from(["u1", "i1", ">i2", "<i4", ">f4", "<f8"])


@given(hnp.arrays(TYPES, hnp.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=5)), st.booleans())
def test_idx_round_trip(array, packed):
    data = idx.encode(array)
    decoded = idx.read(gzip.compress(data) if packed else data)
    assert decoded.dtype == array.dtype.newbyteorder("=")
    assert decoded.dtype.isnative
    assert decoded.flags.writeable
    np.testing.assert_array_equal(decoded, array)


def test_idx_by_hand():
    data = bytes([0, 0, 0x0B, 2]) + struct.pack(">II", 2, 1) + struct.pack(">hh", -2, 300)
    assert idx.read(data).tolist() == [[-2], [300]]
    assert idx.encode(np.array([[-2], [300]], np.int16)) == data


def zipped(data):
    return gzip.compress(data, mtime=0)  # no clock in what names the tests


GOOD = idx.encode(np.arange(6, dtype=np.uint8).reshape(2, 3))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "offset 0: expected two zero bytes"),
        (b"\0\0\x08", "offset 0"),
        (b"<!DOCTYPE html>", "offset 0: expected two zero bytes.*got b'<!DO'"),
        (b"\0\1" + GOOD[2:], "offset 0"),
        (b"\0\0\x0a" + GOOD[3:], "offset 2: expected a type among .*got 0x0a"),
        (b"\0\0\x08\0", "offset 3: expected 1 to 64 dimensions, got 0"),
        (b"\0\0\x08\xff" + b"\0\0\0\1" * 255 + b"!", "offset 3: expected 1 to 64 dimensions, got 255"),
        (GOOD[:10], "offset 4: expected 2 sizes of 4 bytes, got 6 bytes"),
        (GOOD[:-1], r"offset 4: expected sizes that fit the file, at most 5 bytes, got \(2, 3\)"),
        (GOOD + b"\0", "offset 18: expected the end of the file, got more bytes"),
        (zipped(GOOD[:-1]), r"offset 17: expected 6 bytes of data for shape \(2, 3\), got 5"),
        (zipped(GOOD + b"\0"), "offset 18: expected the end of the file, got more bytes"),
        (GOOD[:4] + b"\xff" * 8 + GOOD[12:], "offset 4: expected sizes that fit the file"),
        (b"\0\0\x08\3" + b"\xff" * 8 + b"\0" * 4, "offset 4: expected sizes that NumPy can hold"),
        (b"\0\0\x0e\3" + b"\x40\0\0\0" * 2 + b"\0" * 4, "offset 4: expected sizes that NumPy can hold"),
        (
            zipped(GOOD)[:-9],
            r"packed offset \d+ or before: expected a whole gzip file of \d+ bytes, got a damaged or cut one",
        ),
        (zipped(GOOD)[:-1], "damaged or cut one"),
        (zipped(GOOD) + b"!", "damaged or cut one"),
        (zipped(GOOD)[:12] + b"\xff\xff" + zipped(GOOD)[14:], "damaged or cut one"),
        (zipped(b"hello"), "offset 0"),
    ],
)
def test_malformed_idx(data, message):
    with pytest.raises(idx.IDXError, match=message):
        idx.read(data)


@given(st.binary(max_size=40), st.integers(0, len(GOOD)))
def test_no_other_error_whatever_the_bytes(noise, cut):
    for data in (noise, GOOD[:cut] + noise, b"\0\0" + noise, b"\x1f\x8b" + noise):
        with contextlib.suppress(idx.IDXError):
            idx.read(data)


@pytest.mark.parametrize("array", [np.zeros(3, np.int64), np.zeros((), np.uint8), np.array(["a"])])
def test_arrays_that_idx_has_no_place_for(array):
    with pytest.raises(idx.IDXError, match="in 1 to 64 dimensions, got"):
        idx.encode(array)


def test_what_is_too_large_is_neither_read_nor_written():
    large = np.broadcast_to(np.uint8(0), 2**30 + 1)  # it takes one byte
    with pytest.raises(idx.IDXError, match=r"expected at most 1073741824 bytes of data, got 1073741825"):
        idx.encode(large)
    header = b"\0\0\x08\1" + struct.pack(">I", large.size)
    noise = np.random.default_rng(0).bytes(1_100_000)  # packed, the file might have a thousand times that
    with pytest.raises(idx.IDXError, match=r"offset 4: expected .*, at most 1073741824 bytes, got \(1073741825,\)"):
        idx.read(zipped(header + noise))


@pytest.mark.parametrize("shape", [(0, 2**32 - 1), (2**20, 0, 2**20, 3), (2**31 - 1, 2**31 - 1, 0)])
def test_what_is_empty_may_have_any_other_sizes(shape):
    decoded = idx.read(idx.encode(np.empty(shape, np.uint8)))
    assert (decoded.shape, decoded.dtype) == (shape, np.uint8)


def test_masked_arrays_are_refused(tmp_path):
    """IDX has no place for the mask: what lies below it would be written as if it counted."""
    for mask in ([True, False], np.ma.nomask):
        array = np.ma.masked_array(np.array([255, 1], np.uint8), mask)
        with pytest.raises(idx.IDXError, match=r"expected an array without a mask.*array\.filled\(value\)"):
            idx.write(tmp_path / "file", array)
        assert not (tmp_path / "file").exists()
        idx.write(tmp_path / "filled", array.filled(0))


def test_from_a_path_from_bytes_and_from_a_file(tmp_path):
    array = np.arange(6, dtype=np.int32).reshape(2, 3)
    for name in ("plain", "packed.gz"):
        path = tmp_path / name
        idx.write(path, array)
        for source in (path, str(path), path.read_bytes(), io.BytesIO(path.read_bytes())):
            np.testing.assert_array_equal(idx.read(source), array)
    assert (tmp_path / "packed.gz").read_bytes()[:2] == b"\x1f\x8b"
    stream = io.BytesIO()
    idx.write(stream, array)
    assert stream.getvalue() == (tmp_path / "plain").read_bytes()
    with pytest.raises(FileNotFoundError):
        idx.read(tmp_path / "missing")


@pytest.mark.parametrize("declared", [6, 10**9])
def test_a_bomb_is_not_unpacked(declared):
    """A small file of many zeros, whether its header tells or lies: memory stays small."""
    import tracemalloc

    bomb = gzip.compress(b"\0\0\x08\1" + struct.pack(">I", declared) + bytes(50_000_000), 9)
    tracemalloc.start()
    with pytest.raises(idx.IDXError, match="offset"):
        idx.read(bomb)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


def test_a_header_alone_allocates_nothing():
    import tracemalloc

    tracemalloc.start()
    for tail in (b"", b"!" * 100):
        with pytest.raises(idx.IDXError, match="offset 4: expected sizes that fit the file"):
            idx.read(b"\0\0\x08\1" + struct.pack(">I", 2**31 - 1) + tail)
    assert tracemalloc.get_traced_memory()[1] < 100_000
    tracemalloc.stop()


@pytest.mark.long
def test_a_million_malformed_inputs():
    """A coverage-guided fuzzer, in a process that may not use more than 512 MB."""
    pytest.importorskip("atheris")
    # By way of a small process: Linux counts the memory of the one that starts it, which is pytest, as its own.
    start = "import subprocess, sys; sys.exit(subprocess.call(sys.argv[1:]))"
    process = subprocess.run(
        [sys.executable, "-c", start,
         sys.executable, "-m", "tests.fuzz_idx", "-runs=1000000", "-seed=1", "-max_len=200", "-rss_limit_mb=512"],
        cwd=Path(__file__).parent.parent, capture_output=True, text=True,
    )  # fmt: skip
    print(process.stderr[-300:])
    assert process.returncode == 0, process.stderr[-3000:]
    assert "Done 1000000 runs" in process.stderr
