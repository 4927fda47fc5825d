"""Getting one file from the first mirror that has it: whole and verified under its name, or not at all."""

import errno
import hashlib
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

TIMEOUT = (5.0, 30.0)  # seconds to connect; seconds of silence while reading
SLOWEST = 2_000  # bytes a second: a slower mirror is given up, the next may be faster
PATIENCE = 20.0  # seconds before the speed counts
ATTEMPTS = 3  # at one mirror, each going on where the connection broke
BACKOFF = 0.5  # seconds before the first retry, doubled each time
LONGEST_WAIT = 10.0  # seconds, whatever Retry-After says: there are other mirrors
HEADERS = {
    "User-Agent": "nnscratch",
    "Accept-Encoding": "identity",  # the files are gzipped already, and verified as they are
}

REASONS = {
    errno.EACCES: "no permission to write there",
    errno.EPERM: "no permission to write there",
    errno.EROFS: "the file system is read-only",
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "your share of the disk is full",
    errno.EFBIG: "the disk, or your share of it, is full",
    errno.ENOTDIR: "a file stands where a folder is needed",
    errno.EEXIST: "a file stands where a folder is needed",
}


class DownloadError(OSError):
    """No mirror delivered the file."""


class CacheError(OSError):
    """The cache folder cannot be used."""


def download(mirrors: Sequence[str], path: Path, size: int, sha256: str) -> str:
    """Get ``path.name`` from the first mirror that delivers ``size`` bytes with this SHA-256 sum; return that mirror.

    A mirror is a URL (http, https, file) or a folder. The bytes grow in ``.NAME.part`` beside path, which is renamed
    once they are complete, right and on the disk; the part that an interrupted download left is gone on with. The
    caller holds the folder's lock. Errors: DownloadError with what went wrong at each mirror; CacheError when the
    folder cannot be written.
    """
    part = path.with_name(f".{path.name}.part")
    problems = []
    for mirror in mirrors:
        url = f"{mirror.rstrip('/')}/{path.name}"
        try:
            _from_mirror(url, part, size, sha256)
        except _MirrorError as error:
            problems.append(f"  {url}: {error}")
            continue
        except CacheError:
            with suppress(OSError):
                part.unlink()  # it may be what fills the disk
            raise
        with explained(path.parent):
            with open(part, "rb+") as file:
                os.fsync(file.fileno())  # the bytes must be on the disk before the name points at them
            os.replace(part, path)
        return mirror
    raise DownloadError("no mirror delivered the file:\n" + "\n".join(problems))


class _MirrorError(Exception):
    """This mirror did not deliver the file."""


@contextmanager
def explained(folder: Path) -> Iterator[None]:
    """Turn what the operating system says about files in a folder into what happened, where, and what to do."""
    try:
        yield
    except OSError as error:
        reason = REASONS.get(error.errno or 0, str(error))
        raise CacheError(
            f"{folder}: {reason}: mend that, or choose another folder with --data-dir, data_dir or NNSCRATCH_DATA"
        ) from error


def _from_mirror(url: str, part: Path, size: int, sha256: str) -> None:
    """Fill ``part`` with the right bytes. What is wrong is deleted, what is only incomplete is kept to go on with."""
    fetch = _over_http if urlsplit(url).scheme in ("http", "https") else _from_folder
    problem = ""
    for _ in range(ATTEMPTS):
        before = _size(part)
        broken = fetch(url, part, size)
        got = _size(part)
        problem = broken or f"expected {size:,} bytes, got {'more' if got > size else f'{got:,}'}"
        if got == size:
            digest = hashlib.sha256(part.read_bytes()).hexdigest()
            if digest == sha256:
                return
            problem = f"expected SHA-256 {sha256}, got {digest}"
        if got >= size or not broken:
            part.unlink(missing_ok=True)
        if not broken and not before:
            break  # they have another file; but a part from before may have been bad, without it this may go well
    raise _MirrorError(problem)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _from_folder(url: str, part: Path, size: int) -> None:
    path = Path(url2pathname(urlsplit(url).path)) if url.startswith("file:") else Path(url).expanduser()
    try:
        data = path.read_bytes() if path.stat().st_size <= size else b""
    except OSError as error:
        raise _MirrorError(str(error)) from error
    with explained(part.parent):
        part.write_bytes(data)


def _over_http(url: str, part: Path, size: int) -> str | None:
    """Let ``part`` grow by what the server sends. If the connection breaks on the way, return how."""
    import requests  # here, because reading cached files needs no network

    have = _size(part)
    headers = {"Range": f"bytes={have}-"} if have else {}
    try:
        with _session() as session, session.get(url, stream=True, timeout=TIMEOUT, headers=headers) as response:
            given = response.headers.get("Content-Range", "nothing")
            if response.status_code == 416 or (response.status_code == 206 and not given.startswith(f"bytes {have}-")):
                part.unlink(missing_ok=True)
                return f"asked to go on at byte {have}, got {response.status_code} with {given}"
            response.raise_for_status()
            _receive(response.iter_content(1 << 14), part, have if response.status_code == 206 else 0, size)
    except requests.exceptions.ChunkedEncodingError as error:
        return str(error)
    except requests.exceptions.SSLError as error:
        raise _MirrorError(
            f"its certificate was not accepted ({_reason(error)}): check this machine's clock and its CA certificates; "
            "verification is never switched off"
        ) from error
    except requests.RequestException as error:
        raise _MirrorError(_reason(error)) from error
    return None


def _reason(error: Exception) -> str:
    """The cause, out of urllib3's wrapping of URLs and numbers of retries."""
    return str(getattr(error.args[0] if error.args else None, "reason", None) or error)


def _receive(chunks: Iterator[bytes], part: Path, have: int, size: int) -> None:
    """Append chunks to the first ``have`` bytes of the part, until they end or are too many or too slow."""
    from tqdm import tqdm

    start, received = time.monotonic(), 0
    with ExitStack() as stack:
        with explained(part.parent):
            file = stack.enter_context(open(part, "ab" if have else "wb", buffering=0))  # a full disk shows at once
        name = part.name.removeprefix(".").removesuffix(".part")
        bar = stack.enter_context(
            tqdm(total=size, initial=have, desc=name, unit="B", unit_scale=True, disable=None, leave=False)
        )
        for chunk in chunks:
            with explained(part.parent):
                file.write(chunk)
            bar.update(len(chunk))
            received += len(chunk)
            if have + received > size:  # a wrong file must not fill the disk
                break
            seconds = time.monotonic() - start
            if seconds > PATIENCE and received < SLOWEST * seconds:
                raise _MirrorError(f"got only {received:,} bytes in {seconds:.0f} seconds")


def _session() -> Any:
    import requests
    from urllib3.util import Retry

    class BoundedRetry(Retry):
        def parse_retry_after(self, retry_after: str) -> float:
            return min(super().parse_retry_after(retry_after), LONGEST_WAIT)

    retry = BoundedRetry(
        ATTEMPTS - 1,
        connect=0,  # where nobody answers, the next mirror is the better second try
        backoff_factor=BACKOFF,
        status_forcelist=(429, 500, 502, 503, 504),
        raise_on_status=False,
    )
    session = requests.Session()
    session.headers.update(HEADERS)
    for scheme in ("http://", "https://"):
        session.mount(scheme, requests.adapters.HTTPAdapter(max_retries=retry))
    return session
