"""A data set: a table of its mirrors and files, and the way from there to arrays."""

import os
import sys
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets import idx
from datasets.download import CacheError, DownloadError, download, explained, printable, user
from datasets.file import File, sha256

Array = NDArray[np.uint8]
Data = tuple[tuple[Array, Array], tuple[Array, Array]]

NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


class DatasetError(ValueError):
    """A file in the cache is not what it should be."""


@dataclass(frozen=True)
class Dataset:
    """Mirrors, tried in this order, and four files: training images and labels, test images and labels.

    The sets that follow MNIST use the same file names: hence a folder of its own for each in the cache. ``folders``
    are looked into after it and before any mirror: places where the operating system's packages put the set.
    """

    name: str
    class_names: tuple[str, ...]
    mirrors: tuple[str, ...]
    files: tuple[File, File, File, File]
    folders: tuple[str, ...] = ()

    def load_data(
        self,
        data_dir: str | os.PathLike[str] | None = None,
        *,
        download: bool = True,
        mirrors: str | Iterable[str] | None = None,
    ) -> Data:
        """(x_train, y_train), (x_test, y_test) as uint8, from the cache; what is missing there is downloaded first.

        The bytes are verified by SHA-256 at every load: next to unpacking them it costs nothing.
        Errors: DownloadError when a file is missing and no mirror delivers it, or ``download=False``; CacheError when
        the folder cannot be written; DatasetError for a damaged or foreign file in it.
        """
        folder = cache_dir(data_dir) / self.name
        self.complete(folder, download, self.mirrors if mirrors is None else _strings(mirrors))
        train_images, train_labels, test_images, test_labels = (
            idx.read(self.verified(folder, name)[0]) for name in NAMES
        )
        return (train_images, train_labels), (test_images, test_labels)

    def complete(self, folder: Path, may_download: bool, mirrors: Sequence[str]) -> None:
        """Download what is missing in the folder. Several processes may do so at once: one does, the others wait."""
        missing = self.missing(folder)
        if not missing:
            return
        for name in NAMES:
            if name not in missing:
                self.verified(folder, name)  # what is damaged is an error, before and whatever the network says
        if not may_download:
            raise DownloadError(f"not in the cache, and download=False.\n{self.by_hand(folder, mirrors)}")
        with _locked(folder):
            served: list[str] = []
            for name, file in self.missing(folder).items():
                # The mirror that served the last file comes first: the ones before it are dead.
                order = list(dict.fromkeys([*served[-1:], *mirrors]))
                try:
                    if mirror := download(order, folder / f"{name}.gz", file):
                        served.append(mirror)
                except DownloadError as error:
                    raise DownloadError(f"{error}\n{self.by_hand(folder, mirrors)}") from error
        if served:
            _say(f"{self.name}: downloaded from {', '.join(map(printable, dict.fromkeys(served)))} into {folder}")

    def missing(self, folder: Path) -> dict[str, File]:
        """The files that are neither in the folder, packed or unpacked, nor right in one of the operating system."""
        return {
            name: file
            for name, file in self.table().items()
            if not _copies(folder, name) and all(self._checked(name, path)[1] for path in self._elsewhere(name))
        }

    def verified(self, folder: Path, name: str) -> tuple[bytes, Path]:
        """The bytes of the first copy of a file, packed or not, that is right, and where it lies."""
        problems = []
        for path in [*_copies(folder, name), *self._elsewhere(name)]:
            data, problem = self._checked(name, path)
            if not problem:
                return data, path
            problems.append(problem)
        raise DatasetError("\n".join(problems) or f"{folder / name}.gz: expected a file, got none: it has just gone")

    def _elsewhere(self, name: str) -> list[Path]:
        return [path for folder in self.folders for path in _copies(Path(folder), name)]

    def _checked(self, name: str, path: Path) -> tuple[bytes, str]:
        """The bytes of a copy, and what is wrong with them, if anything is."""
        file = self.table()[name]
        try:
            data = file.read(path)
        except OSError as error:
            return b"", f"{path}: expected a file to read, got {error.strerror}: mend or delete it"
        if file.is_right(data):
            return data, ""
        sums = f"{file.gz_sha256} of the .gz" + (f" or {file.sha256} of the unpacked file" if file.sha256 else "")
        return data, f"{path}: expected SHA-256 {sums}, got {sha256(data)}: delete it to download it again"

    def table(self) -> dict[str, File]:
        return dict(zip(NAMES, self.files, strict=True))

    def by_hand(self, folder: Path, mirrors: Sequence[str]) -> str:
        """What to copy where, for machines without a network."""
        lines = [f"To do without the network, copy these files into {folder}:"]
        lines += [f"  {name}.gz  {file.gz_size:,} bytes" for name, file in self.table().items()]
        return "\n".join([*lines, "They can be had from", *(f"  {printable(mirror)}" for mirror in mirrors)])


def _copies(folder: Path, name: str) -> list[Path]:
    """Where the file lies in a folder, packed or not. (Where we may not look, ``os.path.exists`` is simply false.)"""
    return [path for path in (folder / f"{name}.gz", folder / name) if os.path.exists(path)]


def _locked(folder: Path) -> AbstractContextManager[Any]:
    """Make the folder, and keep other processes from downloading into it meanwhile."""
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            return _lock(folder, ".lock")
        except PermissionError:
            # It is another user's. A lock of our own keeps this user's processes apart, and no two users share a part.
            # So the worst that can happen is that two users download the same.
            return _lock(folder, f".lock{user()}")


def _lock(folder: Path, name: str) -> AbstractContextManager[Any]:
    from filelock import FileLock, Timeout  # here, because reading cached files needs no lock

    lock = FileLock(folder / name, mode=folder.stat().st_mode & 0o666)  # for all who may write to the folder
    try:
        return lock.acquire(timeout=3)
    except Timeout:
        _say(f"waiting for another process, which downloads into {folder}")
        return lock.acquire()


def _say(text: str) -> None:
    """To the user, if anybody is there: that it cannot be said is no reason to fail."""
    if sys.stderr is not None:
        with suppress(OSError):
            print(text, file=sys.stderr, flush=True)


def _strings(mirrors: Any) -> list[str]:
    """The mirrors in a list, if they are strings."""
    several = isinstance(mirrors, Iterable) and not isinstance(mirrors, str)
    listed = list(mirrors) if several else [mirrors]
    if not all(isinstance(mirror, str) for mirror in listed):
        raise TypeError(f"expected mirrors as strings, URLs or folders, got {mirrors!r}: of a Path give str(path)")
    return listed


def cache_dir(data_dir: str | os.PathLike[str] | None = None) -> Path:
    """Where data sets lie, a folder for each: the argument, or else $NNSCRATCH_DATA, or else
    $XDG_CACHE_HOME/nnscratch, or else ~/.cache/nnscratch. Errors: CacheError where there is no home directory."""
    try:
        if data_dir is not None:
            if not os.fspath(data_dir):
                raise CacheError(
                    "expected the name of a folder for data sets, got an empty one: '.' is the current folder"
                )
            return Path(data_dir).expanduser()
        if os.environ.get("NNSCRATCH_DATA"):
            return Path(os.environ["NNSCRATCH_DATA"]).expanduser()
        if os.environ.get("XDG_CACHE_HOME"):
            return Path(os.environ["XDG_CACHE_HOME"]) / "nnscratch"
        return Path.home() / ".cache" / "nnscratch"
    except RuntimeError as error:
        raise CacheError(
            f"no home directory ({error}): choose a folder with --data-dir, data_dir or NNSCRATCH_DATA"
        ) from error
