"""A data set: a table of its mirrors and files, and the way from there to arrays."""

import hashlib
import os
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets import idx
from datasets.download import DownloadError, download, explained

Array = NDArray[np.uint8]
Data = tuple[tuple[Array, Array], tuple[Array, Array]]

NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


class DatasetError(ValueError):
    """A file in the cache is not what it should be."""


@dataclass(frozen=True)
class File:
    """One IDX file: the size and SHA-256 of its ``.gz`` and, where it is known, the SHA-256 of the unpacked file."""

    gz_size: int
    gz_sha256: str
    sha256: str = ""


@dataclass(frozen=True)
class Dataset:
    """Mirrors, tried in this order, and four files: training images and labels, test images and labels.

    The sets that follow MNIST use the same file names: hence a folder of its own for each in the cache.
    """

    name: str
    class_names: tuple[str, ...]
    mirrors: tuple[str, ...]
    files: tuple[File, File, File, File]

    def load_data(
        self,
        data_dir: str | os.PathLike[str] | None = None,
        *,
        download: bool = True,
        mirrors: Sequence[str] | None = None,
    ) -> Data:
        """(x_train, y_train), (x_test, y_test) as uint8, from the cache; what is missing there is downloaded first.

        The bytes are verified by SHA-256 at every load: next to unpacking them it costs nothing.
        Errors: DownloadError when a file is missing and no mirror delivers it, or ``download=False``; CacheError when
        the folder cannot be written; DatasetError for a damaged or foreign file in it.
        """
        folder = cache_dir(data_dir) / self.name
        self.complete(folder, download, self.mirrors if mirrors is None else mirrors)
        train_images, train_labels, test_images, test_labels = (idx.read(self.verified(folder, name)) for name in NAMES)
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
                    served.append(download(order, folder / f"{name}.gz", file.gz_size, file.gz_sha256))
                except DownloadError as error:
                    raise DownloadError(f"{error}\n{self.by_hand(folder, mirrors)}") from error
        if served:
            print(f"{self.name}: downloaded from {', '.join(dict.fromkeys(served))} into {folder}", file=sys.stderr)

    def missing(self, folder: Path) -> dict[str, File]:
        """The files of which neither the ``.gz`` nor the unpacked one is there."""
        return {n: f for n, f in self.table().items() if not any(p.exists() for p in (folder / f"{n}.gz", folder / n))}

    def verified(self, folder: Path, name: str) -> bytes:
        """The bytes of a cached file, packed or not, if they are the right ones."""
        file = self.table()[name]
        path, expected = folder / f"{name}.gz", file.gz_sha256
        if not path.exists():
            path, expected = folder / name, file.sha256
        data = path.read_bytes()
        got = hashlib.sha256(data).hexdigest()
        if got != expected:
            known = f"expected SHA-256 {expected}" if expected else "expected the gzipped file, which can be verified"
            raise DatasetError(f"{path}: {known}, got {got}: delete it to download it again")
        return data

    def table(self) -> dict[str, File]:
        return dict(zip(NAMES, self.files, strict=True))

    def by_hand(self, folder: Path, mirrors: Sequence[str]) -> str:
        """What to copy where, for machines without a network."""
        lines = [f"To do without the network, copy these files into {folder}:"]
        lines += [f"  {name}.gz  {file.gz_size:,} bytes" for name, file in self.table().items()]
        return "\n".join([*lines, "They can be had from", *(f"  {mirror}" for mirror in mirrors)])


def _locked(folder: Path) -> AbstractContextManager[Any]:
    """Make the folder, and keep other processes from downloading into it meanwhile."""
    from filelock import FileLock, Timeout  # here, because reading cached files needs no lock

    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".lock")
        try:
            return lock.acquire(timeout=3)
        except Timeout:
            print(f"waiting for another process, which downloads into {folder}", file=sys.stderr)
            return lock.acquire()


def cache_dir(data_dir: str | os.PathLike[str] | None = None) -> Path:
    """Where data sets lie, a folder for each: the argument, or else $NNSCRATCH_DATA, or else
    $XDG_CACHE_HOME/nnscratch, or else ~/.cache/nnscratch."""
    if data_dir is not None:
        return Path(data_dir).expanduser()
    if os.environ.get("NNSCRATCH_DATA"):
        return Path(os.environ["NNSCRATCH_DATA"]).expanduser()
    if os.environ.get("XDG_CACHE_HOME"):
        return Path(os.environ["XDG_CACHE_HOME"]) / "nnscratch"
    return Path.home() / ".cache" / "nnscratch"
