"""A data set: a table of its mirrors and files, and the way from there to arrays."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets import idx
from datasets.download import DownloadError, download

Array = NDArray[np.uint8]
Data = tuple[tuple[Array, Array], tuple[Array, Array]]


class DatasetError(ValueError):
    """A file in the cache is not what it should be."""


@dataclass(frozen=True)
class File:
    """One IDX file: its name without ``.gz``, the size and SHA-256 of the ``.gz``, and the SHA-256 unpacked."""

    name: str
    gz_size: int
    gz_sha256: str
    sha256: str


@dataclass(frozen=True)
class Dataset:
    """Mirrors, to be tried in this order, and four files: training images and labels, test images and labels."""

    name: str
    mirrors: tuple[str, ...]
    files: tuple[File, File, File, File]

    def load_data(self, data_dir: str | os.PathLike[str] | None = None) -> Data:
        """(x_train, y_train), (x_test, y_test) as uint8, from the cache; what is missing there is downloaded first.

        Errors: DownloadError when no mirror can be reached, DatasetError for a damaged file.
        """
        folder = cache_dir(data_dir) / self.name
        train_images, train_labels, test_images, test_labels = (self._array(folder, file) for file in self.files)
        return (train_images, train_labels), (test_images, test_labels)

    def _array(self, folder: Path, file: File) -> NDArray[Any]:
        packed, plain = folder / f"{file.name}.gz", folder / file.name
        if not packed.exists() and not plain.exists():
            try:
                download(self.mirrors, packed, file.gz_size, file.gz_sha256)
            except DownloadError as error:
                names = ", ".join(f"{each.name}.gz" for each in self.files)
                raise DownloadError(f"{error}\nOr copy the files {names} into {folder}") from error
        path, expected = (packed, file.gz_sha256) if packed.exists() else (plain, file.sha256)
        data = path.read_bytes()
        got = hashlib.sha256(data).hexdigest()
        if got != expected:
            raise DatasetError(f"{path}: expected SHA-256 {expected}, got {got}: delete it to download it again")
        return idx.decode(data)


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
