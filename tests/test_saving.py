"""Weights in a file: what may come back from it, whoever wrote it, and what may not."""

import errno
import os
import random
import struct
import subprocess
import sys
import tracemalloc
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest

from nnscratch import Dense, ReLU, Sequential

ROOT = Path(__file__).parent.parent

REFUSED = "expected a whole file that save_weights wrote for this architecture, got one that fails: "


def small(seed=0):
    return Sequential([Dense(4, 3, rng=seed), ReLU(), Dense(3, 2, rng=seed)])


def save(path, **changed):
    """The weights of a model, but for some arrays."""
    model = small()
    arrays = dict(zip(["0_W", "1_b", "2_W", "3_b"], model.get_weights(), strict=True))
    np.savez(path, **{**arrays, **changed})
    return path


def refusal(path):
    """What load_weights says of a file; the model stays as it is."""
    model = small(1)
    before = model.theta.copy()
    with pytest.raises(ValueError, match="expected") as caught:
        model.load_weights(path)
    assert (model.theta == before).all()
    message = str(caught.value)
    assert message.startswith(f"{path}: {REFUSED}")
    assert message.endswith("; build that model, or save again")
    return message.removeprefix(f"{path}: {REFUSED}").removesuffix("; build that model, or save again")


def test_a_tilde_is_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))  # Windows
    model, other = small(0), small(1)
    for path in ("~/w.npz", Path("~/folder/w.npz")):
        model.save_weights(path)
        assert (tmp_path / str(path)[2:]).is_file()
        other.theta[:] = 0
        other.load_weights(path)
        assert other.theta.tobytes() == model.theta.tobytes()


@pytest.mark.parametrize("make", [lambda path: None, Path.mkdir])
def test_a_path_without_a_file_is_explained(make, tmp_path):
    path = tmp_path / "w.npz"
    make(path)
    with pytest.raises(OSError, match=r"expected a file that save_weights wrote, got .*: check the path") as caught:
        small().load_weights(path)
    assert isinstance(caught.value, FileNotFoundError if not path.exists() else IsADirectoryError | PermissionError)
    assert str(path) in str(caught.value)


@pytest.mark.skipif(sys.platform == "win32", reason="pipes and devices are those of POSIX")
@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")], ids=["pipe", "device"])
def test_a_pipe_or_a_device_is_not_opened(make, tmp_path, monkeypatch):
    make(tmp_path / "w.npz")
    monkeypatch.setattr("builtins.open", lambda *arguments: pytest.fail("it was opened"))
    with pytest.raises(OSError, match=r"expected a file that .*, got a pipe or device: check the path: .*w\.npz"):
        small().load_weights(tmp_path / "w.npz")


# ---- What is not finite real numbers ----

WRONG = {
    "complex numbers": (np.ones((4, 3), complex), "expected real numbers, got complex128"),
    "text": (np.full((4, 3), "one"), "expected real numbers, got <U3"),
    "truth values": (np.ones((4, 3), bool), "expected real numbers, got bool"),
    "dates": (np.zeros((4, 3), "M8[s]"), "expected real numbers, got datetime64"),
    "records": (np.zeros((4, 3), [("x", "f4")]), "expected real numbers, got [('x', '<f4')]"),
    "objects": (np.full((4, 3), None), "Object arrays cannot be loaded when allow_pickle=False"),
    "NaN": (np.where(np.arange(3) == 1, np.nan, np.ones((4, 3))), "expected finite numbers in float32, got nan"),
    "infinity": (np.where(np.arange(3) == 1, -np.inf, np.ones((4, 3))), "expected finite numbers in float32, got -inf"),
    "more than float32 holds": (np.full((4, 3), 1e39), "expected finite numbers in float32, got 1e+39"),
    "another shape": (np.ones((3, 4)), "expected shape (4, 3), got (3, 4)"),
    "as many numbers in another shape": (np.ones(12), "expected shape (4, 3), got (12,)"),
}


@pytest.mark.parametrize(("array", "words"), WRONG.values(), ids=WRONG)
def test_what_is_not_finite_real_numbers_of_the_right_shape_is_refused_by_name(array, words, tmp_path):
    message = refusal(save(tmp_path / "w.npz", **{"0_W": array}))
    assert message.startswith(words)
    assert message.endswith(" (array 0_W)")


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f4", ">f8", "i1", "i8", "u1", np.longdouble])
@pytest.mark.parametrize("order", "CF")
def test_real_numbers_of_any_type_are_taken(dtype, order, tmp_path):
    values = np.arange(12).reshape(4, 3)
    model = small()
    model.load_weights(save(tmp_path / "w.npz", **{"0_W": values.astype(dtype, order=order)}))
    np.testing.assert_array_equal(model.parameters[0].value, values)
    assert model.theta.dtype == np.float32


def test_a_compressed_file_is_as_good(tmp_path):
    model, other = small(0), small(1)
    names = ["0_W", "1_b", "2_W", "3_b"]
    np.savez_compressed(tmp_path / "w.npz", **dict(zip(names, model.get_weights(), strict=True)))
    other.load_weights(tmp_path / "w.npz")
    assert (other.theta == model.theta).all()


# ---- More than the model needs ----


def zip_of(path, first, kind=zipfile.ZIP_DEFLATED):
    """A file of weights whose first array is these bytes."""
    save(path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["0_W.npy"] = first
    with zipfile.ZipFile(path, "w", kind) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def with_sizes_that_lie(path, size):
    """The directory, at the end of a zip, says that its first file unpacks to so many bytes. (So does the header before
    the file's data; nobody looks at that.)"""
    data = bytearray(path.read_bytes())
    entry = data.index(b"PK\x01\x02")
    struct.pack_into("<I", data, entry + 24, size)
    path.write_bytes(data)
    return path


def peak_memory(call):
    tracemalloc.start()
    try:
        return call(), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


BOMB = bytes(50_000_000)


@pytest.mark.parametrize("kind", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
@pytest.mark.parametrize("lie", [False, True])
def test_a_zip_bomb_is_refused_before_it_unpacks(kind, lie, tmp_path):
    """And where the directory plays it down, no more is unpacked than the model needs."""
    path = zip_of(tmp_path / "w.npz", BOMB, kind)
    assert path.stat().st_size < 1_000_000
    if lie:
        with_sizes_that_lie(path, 176)  # what 12 numbers take
    message, memory = peak_memory(lambda: refusal(path))
    assert memory < 5_000_000
    assert message.endswith("it is not unpacked (array 0_W)") or (lie and "CRC" in message)


def test_a_header_that_promises_a_large_array_costs_no_memory(tmp_path):
    with open(tmp_path / "array.npy", "wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": (10**9, 3)})
    path = zip_of(tmp_path / "w.npz", (tmp_path / "array.npy").read_bytes())
    message, memory = peak_memory(lambda: refusal(path))
    assert message.startswith("expected shape (4, 3), got (1000000000, 3)")
    assert memory < 5_000_000


@pytest.mark.parametrize("names", [[60_000 * "x"], [f"array{i}" for i in range(3_000)]], ids=["long", "many"])
def test_names_in_a_file_do_not_flood_the_message(names, tmp_path):
    with zipfile.ZipFile(tmp_path / "w.npz", "w") as archive:
        for name in names:
            archive.writestr(name, b"")
    assert len(refusal(tmp_path / "w.npz")) < 500
    with pytest.raises(ValueError, match="expected") as caught:
        small().load_weights(tmp_path / "w.npz")
    assert len(str(caught.value.__cause__)) < 500  # a traceback shows it, too


def test_a_name_before_the_data_does_not_flood_the_message(tmp_path):
    """The directory, at the end, names the right one."""
    path = save(tmp_path / "w.npz")
    data = bytearray(path.read_bytes())
    struct.pack_into("<H", data, 26, 1_000)  # the length of the name: what follows is taken for the rest of it
    path.write_bytes(data)
    message = refusal(path)
    assert "and header b" in message
    assert len(message) < 600


def test_fewer_numbers_than_the_header_says_are_an_error(tmp_path):
    save(tmp_path / "w.npz")
    with zipfile.ZipFile(tmp_path / "w.npz") as archive:
        array = archive.read("0_W.npy")
    assert "0_W" in refusal(zip_of(tmp_path / "w.npz", array[:-4]))


# ---- Damage ----


def test_a_thousand_damaged_files_are_refused_or_harmless(tmp_path):
    """One to four bytes anywhere: ValueError, or the right weights where the bytes mean nothing, such as a date."""
    model, other, path, rng = small(), small(1), tmp_path / "w.npz", random.Random(0)
    model.save_weights(path)
    whole, outcomes = path.read_bytes(), []
    for _ in range(1000):
        damaged = bytearray(whole)
        for place in rng.sample(range(len(whole)), rng.randint(1, 4)):
            damaged[place] ^= rng.randint(1, 255)
        path.write_bytes(damaged)
        other.theta[:] = 0
        try:
            other.load_weights(path)
            assert other.theta.tobytes() == model.theta.tobytes()
            outcomes.append("harmless")
        except ValueError:
            assert not other.theta.any()
            outcomes.append("refused")
    assert set(outcomes) == {"harmless", "refused"}


def test_a_flipped_bit_in_the_numbers_is_always_found(tmp_path):
    model, path = small(), tmp_path / "w.npz"
    model.save_weights(path)
    whole = path.read_bytes()
    start = whole.index(model.get_weights()[0].tobytes())
    for bit in range(8 * model.parameters[0].value.nbytes):
        damaged = bytearray(whole)
        damaged[start + bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        assert "Bad CRC-32" in refusal(path)


def test_loading_warns_of_nothing(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        refusal(save(tmp_path / "w.npz", **{"0_W": np.full((4, 3), 1e300)}))


FULL_DISK = """
import resource, sys
from nnscratch import Dense, Sequential
model = Sequential([Dense(100, 100)])
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    model.save_weights(sys.argv[1])
except OSError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits are those of POSIX")
def test_a_full_disk_is_an_oserror_that_names_the_path_and_leaves_the_old_file(tmp_path):
    """A file may be no larger than 20,000 bytes: to the one who writes it, that is a full disk."""
    path = save(tmp_path / "w.npz")
    before = path.read_bytes()
    process = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(path)], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert process.stderr == ""
    assert process.stdout.strip() == f"[Errno {errno.EFBIG}] File too large: '{path}'"
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
