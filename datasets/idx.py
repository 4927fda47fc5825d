"""IDX, the format of MNIST's files: a header, then the numbers of one array, row by row.

offset 0   two zero bytes
offset 2   the type: 0x08 uint8, 0x09 int8, 0x0B int16, 0x0C int32, 0x0D float32, 0x0E float64
offset 3   the number of dimensions d
offset 4   d sizes, each a big-endian uint32; then the data, big-endian too
"""

import gzip
import math
import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


class IDXError(ValueError):
    """The bytes are not a whole and correct IDX file."""


def decode(data: bytes) -> NDArray[Any]:
    """The array in the bytes of an IDX file, plain or gzipped, in this machine's byte order.

    Errors: IDXError, naming the offset, what was expected there and what was found.
    """
    if data[:2] == b"\x1f\x8b":
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error) as error:
            raise IDXError(f"expected a whole gzip file, got a damaged one: {error}") from error
    if len(data) < 4 or data[:2] != b"\0\0":
        raise IDXError(f"offset 0: expected two zero bytes and two more of header, got {data[:4]!r}")
    code, n_dimensions = data[2], data[3]
    if code not in TYPES:
        raise IDXError(f"offset 2: expected a type among {[hex(known) for known in TYPES]}, got {code:#04x}")
    if n_dimensions == 0:
        raise IDXError("offset 3: expected at least one dimension, got 0")
    start = 4 + 4 * n_dimensions
    if len(data) < start:
        raise IDXError(f"offset 4: expected {n_dimensions} sizes of 4 bytes, got {len(data) - 4} bytes")
    shape = struct.unpack(f">{n_dimensions}I", data[4:start])
    dtype = np.dtype(TYPES[code])
    expected = math.prod(shape) * dtype.itemsize  # Python integers: no overflow
    if len(data) - start != expected:
        raise IDXError(f"offset {start}: expected {expected} bytes of data for shape {shape}, got {len(data) - start}")
    if 0 in shape and math.prod(size for size in shape if size) * dtype.itemsize > np.iinfo(np.intp).max:
        raise IDXError(f"offset 4: expected sizes that fit into memory, got {shape}")
    return np.frombuffer(data, dtype, offset=start).reshape(shape).astype(dtype.newbyteorder("="))


def encode(array: NDArray[Any]) -> bytes:
    """The IDX file (plain) of an array. Errors: IDXError for a type or a shape that IDX has no place for."""
    big_endian = array.dtype.newbyteorder(">")
    codes = {np.dtype(name): code for code, name in TYPES.items()}
    if big_endian not in codes or not 1 <= array.ndim <= 255 or max(array.shape) >= 2**32:
        raise IDXError(
            f"expected one of {[str(d) for d in codes]} in 1 to 255 dimensions, got {array.dtype} {array.shape}"
        )
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, codes[big_endian], array.ndim, *array.shape)
    return header + array.astype(big_endian).tobytes()
