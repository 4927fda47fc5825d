"""Writing a file so that, whenever we are stopped, either the old one or the new one is there,
whole."""

import glob
import os
import stat
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

if sys.platform != "win32":
    import fcntl


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a temporary file beside ``path``; when the block ends well, rename it to ``path`` in one
    step.

    A file that is replaced hands on its mode; a symlink stays, and its target is replaced.
    Temporary files that killed processes left are deleted. Errors: OSError where no file can be
    written, with the path in it.
    """
    path = Path(os.path.realpath(path))
    if path.is_dir():
        raise IsADirectoryError(f"expected the path of a file, got the folder {path}: add a name")
    if path.exists() and not path.is_file():
        raise FileExistsError(
            f"expected the path of a file, got the device or pipe {path}: choose another name"
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise NotADirectoryError(
            f"expected a path in a folder, got a path below the file {path.parent}"
        ) from error
    mode = stat.S_IMODE(path.stat().st_mode) if os.path.lexists(path) else None
    _delete_leftovers(path)
    with _errors_name(path):
        file = _temporary(path)
        try:
            with file:
                yield file
                file.flush()
                if mode is not None:
                    os.chmod(file.name, mode)
                os.fsync(file.fileno())  # the bytes must be on the disk before the name is
                if sys.platform == "win32":
                    file.close()  # it renames no open file; elsewhere the lock is held to the end
                os.replace(file.name, path)
        finally:
            Path(file.name).unlink(missing_ok=True)


@contextmanager
def _errors_name(path: Path) -> Iterator[None]:
    """In errors, the file that was asked for: a full disk names none, others the temporary one."""
    try:
        yield
    except OSError as error:
        if error.errno and (error.filename is None or str(error.filename).endswith(".tmp")):
            raise OSError(error.errno, error.strerror, str(path)) from error  # of the same class
        raise


# Who writes a temporary file holds a lock on it. The operating system gives that back when the
# process ends, whatever ends it: so a file that can be locked is a leftover. A process number in
# the name, or the age of the file, would only suggest so. Windows deletes no open file.


def _temporary(path: Path) -> BinaryIO:
    """A new, locked file beside ``path``."""
    while True:
        name = path.with_name(f".{_beginning(path)}.{uuid.uuid4().hex}.tmp")
        file = open(name, "xb")  # noqa: SIM115  # the caller closes it
        if sys.platform != "win32":
            # On a file system without locks nobody gets one, and nobody deletes our file.
            with suppress(OSError):
                fcntl.flock(file, fcntl.LOCK_EX)
        if os.path.exists(file.name):
            return file
        file.close()  # somebody took it for a leftover before it was locked: once more


def _beginning(path: Path) -> str:
    """Of the file's name, as much as leaves room for more: a name has 255 bytes at most.
    (So files that begin alike delete each other's leftovers, too, which does no harm.)"""
    return path.name[:50]


def _delete_leftovers(path: Path) -> None:
    """Delete the temporary files for ``path`` that nobody is writing any more."""
    name = glob.escape(_beginning(path))
    for temporary in path.parent.glob(f".{name}.{32 * '[0-9a-f]'}.tmp"):
        # It may be in use, just renamed, or another user's.
        with suppress(OSError):
            if sys.platform == "win32":
                # Between closing and renaming it is not open: but that takes no minute.
                if time.time() - temporary.stat().st_mtime > 60:
                    temporary.unlink()
            elif temporary.is_file():  # opening a pipe would take until somebody writes to it
                with open(temporary, "rb") as file:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    temporary.unlink()
