"""A model on disk: its weights in a file, and nothing else."""

import errno
import io
import os
import zipfile
from typing import Any

import numpy as np

from nnscratch.advice import finite, look_through
from nnscratch.guards import unexpected
from nnscratch.parameter import Array
from nnscratch.writing import replacing


def save_weights(model: Any, path: str | os.PathLike[str]) -> None:
    """Write all parameters of a model to one ``.npz`` file, at once or not at all. ``~`` is the
    home folder. Errors: OSError where no file can be written."""
    look_through(model)  # what is not in theta would be missing
    finite(model.theta, "theta")
    arrays: dict[str, Any] = dict(zip(names_in_file(model), model.get_weights(), strict=True))
    with replacing(os.path.expanduser(path)) as file:
        np.savez(file, **arrays)


def load_weights(model: Any, path: str | os.PathLike[str]) -> None:
    """Take over what ``save_weights`` wrote, all of it or nothing. ``~`` is the home folder.

    The file may come from anywhere: nothing in it is run, and no more of it is unpacked than the
    model has room for. Errors: OSError where no file can be read; ValueError for a damaged file,
    another architecture, or what is not finite real numbers.
    """
    path = os.path.expanduser(path)
    try:
        if os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path):
            raise OSError(errno.EINVAL, "a pipe or device", path)  # opened, it may never end
        file = open(path, "rb")  # noqa: SIM115  # closed below; the errors of reading are others
    except OSError as error:
        error.strerror = f"expected a file that save_weights wrote, got {error.strerror}"
        error.strerror += ": check the path"
        raise
    with file:
        try:
            with zipfile.ZipFile(file) as archive:
                model.set_weights(read_arrays(archive, model))
        except Exception as error:  # a damaged archive fails in a dozen ways
            raise ValueError(
                f"{path}: expected a whole file that save_weights wrote for this architecture, got "
                f"one that fails: {shortened(error, 500)}; build that model, or save again"
            ) from error


def read_arrays(archive: zipfile.ZipFile, model: Any) -> list[Array]:
    """An array for each parameter, in order. Errors name the array."""
    names, members = names_in_file(model), archive.infolist()
    found = [member.filename.removesuffix(".npy") for member in members]
    if found != names:
        raise unexpected(shortened(names, 200), shortened(found, 200), "another architecture")
    arrays = []
    for name, member, p in zip(names, members, model.parameters, strict=True):
        try:
            file = io.BytesIO(unpacked(archive, member, LONGEST_HEADER + WIDEST * p.value.size))
            arrays.append(read_array(file, p.value))
        except Exception as error:
            raise ValueError(f"{error} (array {name})") from error
    return arrays


LONGEST_HEADER = 10_000  # bytes before an array's numbers; NumPy reads no more either
WIDEST = 16  # bytes of a number, in the widest type


def unpacked(archive: zipfile.ZipFile, member: zipfile.ZipInfo, most: int) -> bytes:
    """The bytes of one file in the archive, if there are no more than ``most``.

    A few kilobytes can unpack to gigabytes. So we look at the size that the archive's directory
    gives, and as that may lie, ask for a limited number of bytes. Only of stored and deflated files
    does zipfile then unpack no more than that.
    """
    if member.file_size > most:
        raise unexpected(f"at most {most:,} bytes", f"{member.file_size:,}", "it is not unpacked")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        kind = f"compression type {member.compress_type}"
        raise unexpected("a stored or deflated file", kind, "it is not unpacked")
    with archive.open(member) as file:
        return file.read(most + 1)  # by one too many: at the end the checksum is compared


def read_array(file: io.BytesIO, like: Array) -> Array:
    """The array in the bytes of a ``.npy`` file: finite real numbers in the shape of ``like`` that
    its precision can hold."""
    np.lib.format.read_magic(file)
    shape, *_ = np.lib.format.read_array_header_1_0(file)
    if shape != like.shape:  # before memory is taken for it
        raise unexpected(f"shape {like.shape}", shape, "another architecture")
    file.seek(0)
    array = np.lib.format.read_array(file, allow_pickle=False)
    if array.dtype.kind not in "fiu":
        raise unexpected("real numbers", array.dtype, "other types are no weights")
    fits = np.abs(array) <= np.finfo(like.dtype).max  # NaN is not
    if not fits.all():
        what = f"finite numbers in {like.dtype}"
        raise unexpected(what, array[~fits][0], "the training that wrote it had diverged")
    return array


def shortened(what: object, most: int) -> str:
    """At most so many characters of it: the names in a file may be of any length and number."""
    text = str(what)
    return text if len(text) <= most else f"{text[:most]}..."


def names_in_file(model: Any) -> list[str]:
    """What the parameters are called there: their number and their name."""
    return [f"{i}_{p.name}" for i, p in enumerate(model.parameters)]
