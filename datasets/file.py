"""Which bytes are the right ones: the sums of a file, packed and unpacked."""

import errno
import gzip
import hashlib
import io
import stat
import zlib
from dataclasses import dataclass
from pathlib import Path

from datasets.idx import PIECE

MOST = 10  # times its size as a .gz; none of the files unpacks to more than five times it


@dataclass(frozen=True)
class File:
    """One IDX file: the size and SHA-256 of its ``.gz`` and, where it is known, the SHA-256 of the unpacked file."""

    gz_size: int
    gz_sha256: str
    sha256: str = ""

    @property
    def most(self) -> int:
        """More bytes a right file does not have, packed or not."""
        return MOST * self.gz_size

    def read(self, path: Path) -> bytes:
        """The bytes of a file that may be right. Errors: OSError, also for what is not even opened: a pipe would wait
        for its writer, and a huge file would fill the memory."""
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "a folder, pipe or device")
        if status.st_size > self.most:
            raise OSError(errno.EFBIG, f"more than {self.most:,} bytes")
        return path.read_bytes()

    def is_right(self, data: bytes) -> bool:
        """Whether these bytes, packed or not, hold the right content: a gzip header may name another time or file."""
        if sha256(data) in (self.gz_sha256, self.sha256):
            return True
        return bool(self.sha256) and self.sha256 == _unpacked_sha256(data, self.most)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _unpacked_sha256(data: bytes, most: int) -> str:
    """The sum of what this gzip file unpacks to; empty if it is none, or a bomb. Piece by piece, to save memory."""
    digest, size = hashlib.sha256(), 0
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            while piece := file.read(PIECE):
                digest.update(piece)
                size += len(piece)
                if size > most:
                    return ""
    except (gzip.BadGzipFile, EOFError, zlib.error):
        return ""
    return digest.hexdigest()
