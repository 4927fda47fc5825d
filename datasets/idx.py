"""IDX, the format of MNIST's files: a header, then the numbers of one array, row by row.

offset 0   two zero bytes
offset 2   the type: 0x08 uint8, 0x09 int8, 0x0B int16, 0x0C int32, 0x0D float32, 0x0E float64
offset 3   the number of dimensions d
offset 4   d sizes, each a big-endian uint32; then the data, big-endian too
"""

import gzip
import io
import math
import os
import struct
import zlib
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from nnscratch.writing import replacing

TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
MAX_DIMENSIONS = 64  # NumPy's limit
MAX_BYTES = 2**30  # twice EMNIST, the largest set of this kind: what says it is larger is a bomb or damaged
MAX_PRODUCT = np.iinfo(np.intp).max  # of the sizes and the bytes per number, leaving out sizes of zero: NumPy's limit
PIECE = 2**18  # bytes unpacked at a time: gzip makes a copy of each piece
DEFLATE_RATIO = 1032  # no gzip file unpacks to more than this many times its size

Path = str | os.PathLike[str]


class IDXError(ValueError):
    """These bytes are no whole and correct IDX file. Offsets count unpacked bytes, packed offsets those of the .gz."""


def read(source: Path | bytes | BinaryIO) -> NDArray[Any]:
    """The array in an IDX file, plain or gzipped, given as a path, as bytes or as a file open for reading.

    The numbers are read straight into the array that is returned, which is writable and in this machine's byte order.
    Errors: IDXError with the offset, what was expected there and what was found; OSError when a path cannot be read.
    """
    if isinstance(source, (str, os.PathLike)):
        with open(source, "rb") as file:
            return _read(file, os.fstat(file.fileno()).st_size)
    data = source if isinstance(source, bytes) else source.read()
    return _read(io.BytesIO(data), len(data))


def write(target: Path | BinaryIO, array: NDArray[Any]) -> None:
    """Write an array as an IDX file, gzipped if the path ends in ``.gz``: the whole file or none.

    Errors: IDXError for a type, a shape or a mask that IDX has no place for.
    """
    if not isinstance(target, (str, os.PathLike)):
        target.write(encode(array))
        return
    data = encode(array)
    with replacing(target) as file:
        # No time stamp: the same array gives the same bytes.
        file.write(gzip.compress(data, mtime=0) if os.fspath(target).endswith(".gz") else data)


def encode(array: NDArray[Any]) -> bytes:
    """The bytes of a plain IDX file. Errors: as for ``write``."""
    if isinstance(array, np.ma.MaskedArray):
        raise IDXError("expected an array without a mask, got a masked one: write array.filled(value) instead")
    big_endian = array.dtype.newbyteorder(">")
    codes = {np.dtype(name): code for code, name in TYPES.items()}
    if big_endian not in codes or not 1 <= array.ndim <= MAX_DIMENSIONS or max(array.shape) >= 2**32:
        types = ", ".join(dtype.newbyteorder("=").name for dtype in codes)
        raise IDXError(f"expected {types} in 1 to {MAX_DIMENSIONS} dimensions, got {array.dtype} {array.shape}")
    if array.nbytes > MAX_BYTES:
        raise IDXError(f"expected at most {MAX_BYTES} bytes of data, got {array.nbytes}: write several files")
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, codes[big_endian], array.ndim, *array.shape)
    return header + array.astype(big_endian).tobytes()


def _read(file: BinaryIO, size: int) -> NDArray[Any]:
    packed = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    if not packed:
        return _parse(file, size)
    try:
        return _parse(gzip.GzipFile(fileobj=file), DEFLATE_RATIO * size)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise IDXError(
            f"packed offset {file.tell()} or before: expected a whole gzip file of {size} bytes, got a damaged or cut "
            f"one ({error})"
        ) from error


def _parse(file: Any, limit: int) -> NDArray[Any]:
    """Read the array from an unpacked stream that cannot be longer than limit. Nothing is allocated on trust."""
    start = file.read(4)
    if len(start) < 4 or start[:2] != b"\0\0":
        raise IDXError(f"offset 0: expected two zero bytes, a type and a number of dimensions, got {start!r}")
    code, n_dimensions = start[2], start[3]
    if code not in TYPES:
        raise IDXError(f"offset 2: expected a type among {', '.join(map(hex, TYPES))}, got {code:#04x}")
    if not 1 <= n_dimensions <= MAX_DIMENSIONS:
        raise IDXError(f"offset 3: expected 1 to {MAX_DIMENSIONS} dimensions, got {n_dimensions}")
    sizes = file.read(4 * n_dimensions)
    if len(sizes) < 4 * n_dimensions:
        raise IDXError(f"offset 4: expected {n_dimensions} sizes of 4 bytes, got {len(sizes)} bytes")
    shape, dtype = struct.unpack(f">{n_dimensions}I", sizes), np.dtype(TYPES[code])
    offset = 4 + 4 * n_dimensions
    expected = math.prod(shape) * dtype.itemsize  # Python's integers do not overflow
    most = min(limit - offset, MAX_BYTES)
    if expected > most:
        raise IDXError(f"offset 4: expected sizes that fit the file, at most {most} bytes, got {shape}")
    if math.prod(filter(None, shape)) * dtype.itemsize > MAX_PRODUCT:
        raise IDXError(f"offset 4: expected sizes that NumPy can hold, got {shape}")
    array = np.empty(shape, dtype)
    bytes_left = memoryview(array.reshape(-1).view(np.uint8).data)
    while bytes_left and (count := file.readinto(bytes_left[:PIECE])):
        bytes_left = bytes_left[count:]
    if bytes_left:
        end = offset + expected - len(bytes_left)
        raise IDXError(f"offset {end}: expected {expected} bytes of data for shape {shape}, got {end - offset}")
    if file.read(1):
        raise IDXError(f"offset {offset + expected}: expected the end of the file, got more bytes")
    return array if dtype.isnative else array.byteswap(inplace=True).view(dtype.newbyteorder("="))
