"""Files that are replaced in one step: what stays of the old one, and what a kill leaves behind."""

import contextlib
import errno
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from nnscratch import writing
from nnscratch.writing import replacing

ROOT = Path(__file__).parent.parent
posix = pytest.mark.skipif(sys.platform == "win32", reason="modes, symlinks and locks are those of POSIX")


def save(path, data=b"new"):
    with replacing(path) as file:
        file.write(data)


@posix
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666, 0o444])
def test_the_mode_of_an_existing_file_is_kept(mode, tmp_path):
    path = tmp_path / "weights.npz"
    path.write_bytes(b"old")
    path.chmod(mode)
    save(path)
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == mode


@posix
def test_a_new_file_has_the_mode_of_new_files(tmp_path):
    save(tmp_path / "one")
    (tmp_path / "other").write_bytes(b"")
    assert (tmp_path / "one").stat().st_mode == (tmp_path / "other").stat().st_mode


@posix
def test_a_symlink_stays_and_its_target_is_replaced(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    target, link = tmp_path / "elsewhere" / "target", tmp_path / "link"
    link.symlink_to(Path("elsewhere") / "target")
    for data in (b"first", b"second"):  # to begin with, it leads nowhere
        save(link, data)
        assert link.is_symlink()
        assert target.read_bytes() == data
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["elsewhere", "link", "target"]


@posix
def test_a_symlink_to_itself_is_an_error(tmp_path):
    (tmp_path / "link").symlink_to("link")
    with pytest.raises(OSError, match="symbolic links"):
        save(tmp_path / "link")
    assert [path.name for path in tmp_path.iterdir()] == ["link"]


@posix
def test_a_pipe_is_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FileExistsError, match="device or pipe"):
        save(tmp_path / "pipe")
    assert (tmp_path / "pipe").is_fifo()


def test_if_the_block_fails_nothing_has_changed(tmp_path):
    path = tmp_path / "file"
    save(path, b"old")
    with contextlib.suppress(KeyboardInterrupt), replacing(path) as file:
        file.write(b"half")
        raise KeyboardInterrupt
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@posix
@pytest.mark.parametrize("name", [255 * "n", 127 * "\N{GREEK SMALL LETTER ALPHA}", 63 * "\N{GRINNING FACE}" + "abc"])
def test_a_name_as_long_as_a_name_may_be(name, tmp_path):
    temporary = f".{name[:50]}.{32 * '0'}.tmp"
    (tmp_path / temporary).write_bytes(b"left by a kill")
    with replacing(tmp_path / name) as file:
        file.write(b"new")
        assert len(leftovers(tmp_path)) == 1
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("call", ["open", "fsync", "replace"])
def test_an_error_names_the_file_that_was_asked_for(call, tmp_path, monkeypatch):
    """Not the temporary one, of which nobody has heard."""
    path = tmp_path / "file"

    def fail(file, *arguments):
        named = [] if call == "fsync" else [file]  # as the operating system does it
        raise OSError(errno.ENOSPC, "No space left on device", *named)

    monkeypatch.setattr(writing if call == "open" else os, call, fail, raising=False)
    with pytest.raises(OSError, match="No space left") as caught:
        save(path)
    assert str(caught.value) == f"[Errno {errno.ENOSPC}] No space left on device: {str(path)!r}"
    monkeypatch.undo()
    assert list(tmp_path.iterdir()) == []


# ---- What a kill left ----

ENDLESS_SAVE = """
import sys, time
from nnscratch.writing import replacing
with replacing(sys.argv[1]) as file:
    file.write(b"half")
    file.flush()
    print("writing", flush=True)
    time.sleep(600)
"""


@contextlib.contextmanager
def saving_elsewhere(path):
    """Another process in the middle of saving; it is killed at the end."""
    process = subprocess.Popen([sys.executable, "-c", ENDLESS_SAVE, str(path)], cwd=ROOT, stdout=subprocess.PIPE)
    with process:
        try:
            assert process.stdout.readline().strip() == b"writing"
            yield
        finally:
            process.kill()


def leftovers(folder):
    return [path for path in folder.iterdir() if path.name.endswith(".tmp")]


@posix
def test_what_a_kill_left_is_deleted_by_the_next_save(tmp_path):
    path = tmp_path / "weights [1].npz"
    for _ in range(2):
        with saving_elsewhere(path):
            pass
    assert len(leftovers(tmp_path)) == 1  # the second one has deleted what the first one left
    save(path)
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


@posix
def test_what_a_living_process_writes_is_left_alone(tmp_path):
    path = tmp_path / "weights.npz"
    with saving_elsewhere(path):
        with replacing(path) as one, replacing(path) as other:  # and so in one process
            one.write(b"one")
            other.write(b"other")
            assert len(leftovers(tmp_path)) == 3
        assert path.read_bytes() == b"one"
        assert len(leftovers(tmp_path)) == 1


def test_only_temporary_files_of_the_same_name_are_deleted(tmp_path):
    stays = [f".b.{32 * '0'}.tmp", f".a.b.{32 * '0'}.tmp", ".a.notes.tmp", f"a.{32 * '0'}.tmp", f".a.{32 * 'g'}.tmp"]
    goes = f".a.{32 * '0'}.tmp"
    for name in [*stays, goes]:
        (tmp_path / name).write_bytes(b"")
        os.utime(tmp_path / name, (0, 0))
    save(tmp_path / "a")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*stays, "a"])


@posix
def test_a_pipe_among_the_leftovers_is_not_opened(tmp_path, monkeypatch):
    pipe = tmp_path / f".file.{32 * '0'}.tmp"
    os.mkfifo(pipe)
    opened = []
    really = open
    monkeypatch.setattr(writing, "open", lambda *args: opened.append(args[0]) or really(*args), raising=False)
    save(tmp_path / "file")
    assert pipe not in opened
    assert pipe.is_fifo()


@posix
def test_a_new_file_that_is_taken_for_a_leftover_is_made_again(tmp_path, monkeypatch):
    """Another process deletes it in the moment before it is locked."""
    flock, taken = writing.fcntl.flock, []

    def late(file, flags):
        if not taken:
            taken.append(file.name)
            writing._delete_leftovers(tmp_path / "file")
        flock(file, flags)

    monkeypatch.setattr(writing.fcntl, "flock", late)
    save(tmp_path / "file")
    assert not os.path.exists(taken[0])
    assert (tmp_path / "file").read_bytes() == b"new"


@posix
def test_where_there_are_no_locks_saving_works_and_nothing_is_deleted(tmp_path, monkeypatch):
    def no_locks(file, flags):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(writing.fcntl, "flock", no_locks)
    other = tmp_path / f".file.{32 * '0'}.tmp"
    other.write_bytes(b"somebody may be writing this")
    save(tmp_path / "file")
    assert sorted(tmp_path.iterdir()) == sorted([tmp_path / "file", other])


SAVING = """
import sys
from nnscratch.writing import replacing
while True:
    with replacing(sys.argv[1]) as file:
        for _ in range(20):
            file.write(bytes([int(sys.argv[2])]) * 1000)
"""


@pytest.mark.long
@posix
def test_three_processes_save_and_are_killed_sixty_times(tmp_path):
    """Never is a save disturbed by another one, never is a file torn; in the end no temporary file is left."""
    path, rng = tmp_path / "file", random.Random(0)

    def start(i):
        return subprocess.Popen(
            [sys.executable, "-c", SAVING, str(path), str(i)], cwd=ROOT, stderr=subprocess.PIPE, text=True
        )

    processes = [start(i) for i in range(3)]
    try:
        for _ in range(60):
            i = rng.randrange(3)
            with contextlib.suppress(subprocess.TimeoutExpired):
                processes[i].wait(rng.uniform(0.2, 0.6))
            assert processes[i].returncode is None, processes[i].stderr.read()  # it goes on until it is killed
            processes[i].kill()
            processes[i].communicate()
            processes[i] = start(i)
            if path.exists():
                data = path.read_bytes()
                assert len(data) == 20_000
                assert len(set(data)) == 1
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    save(path)
    assert list(tmp_path.iterdir()) == [path]
