"""Getting one file from the first mirror that has it: whole and verified under its name, or not at all.

The network is left to libcurl, in the form that never waits: it takes what has come and hands it over, and before it is
called again, or when it asks whether to go on, we look at the clock. So one deadline holds for whatever a server or a
proxy does, be it names, redirects, headers or bodies. (Libraries that wait in ``recv`` limit the time between two
bytes, not the time in all.)
"""

import errno
import os
import re
import stat
import sys
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from http import HTTPStatus
from io import FileIO
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit
from urllib.request import getproxies, url2pathname

from datasets.file import File, sha256

CONNECT = 10  # seconds until a connection stands: name, address, proxy and TLS together
PATIENCE = 30.0  # seconds that a mirror has in hand, at the start and at most
SLOWEST = 2_000  # bytes of the file buy a mirror one second more
LONGEST = 900.0  # seconds at one mirror for one file, however fast its bytes come
ATTEMPTS = 3  # requests to one mirror, each going on where the last one broke
REDIRECTS = 5  # in a row, at each attempt
BACKOFF = 0.5  # seconds before the second attempt, doubled before the third
LONGEST_WAIT = 10.0  # seconds between attempts, whatever Retry-After says: there are other mirrors
LONGEST_MESSAGE = 300  # characters of what is said about one mirror
POLL = 0.1  # seconds between looks at the clock while nothing comes

REDIRECTED = (301, 302, 303, 307, 308)
BUSY = (429, 500, 502, 503, 504)  # the statuses after which another attempt may go well
# Where a login stands in a URL, or in what libcurl quotes of one. (Of a path with an @ too much is left out.)
LOGIN = re.compile(r"(//|').*@", re.DOTALL)
CA_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")

REASONS = {
    errno.EACCES: "no permission to write there",
    errno.EPERM: "no permission to write there",
    errno.EROFS: "the file system is read-only",
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "your share of the disk is full",
    errno.EFBIG: "the disk, or your share of it, is full",
    errno.ENOTDIR: "a file stands where a folder is needed",
    errno.EEXIST: "a file stands where a folder is needed",
    errno.EISDIR: "a folder stands where a file is needed",
}


class DownloadError(OSError):
    """No mirror delivered the file."""


class CacheError(OSError):
    """The cache folder cannot be used."""


def download(mirrors: Sequence[str], path: Path, file: File) -> str | None:
    """Get the file from the first mirror that has it; return that mirror, or None if none was needed.

    A mirror is a URL (http, https, file) or a folder. The bytes grow in ``.NAME.USER.part`` beside path, which is
    renamed once they are complete, right and on the disk; the part that an interrupted download left is gone on with,
    and needs no mirror if it is complete. The caller holds a lock that keeps the user's other processes out. Errors:
    DownloadError with what went wrong at each mirror; CacheError when the folder cannot be written.
    """
    part = part_of(path)
    with explained(path.parent):
        have = _size(part)
        if have >= file.gz_size:
            if have <= file.most and file.is_right(part.read_bytes()):
                _publish(part, path)
                return None
            part.unlink()
    problems = []
    for mirror in mirrors:
        url = f"{mirror.rstrip('/')}/{path.name}"
        try:
            if urlsplit(url).scheme in ("http", "https"):
                _from_server(url, part, file)
            else:
                _from_folder(url, part, file)
            with explained(path.parent):
                _publish(part, path)
            return mirror
        except CacheError:
            with suppress(OSError):
                part.unlink()  # it may be what fills the disk
            raise
        except Exception as error:  # whatever happened there, the next mirror may do better, and the message tells
            what = str(error) if isinstance(error, _MirrorError) else f"{type(error).__name__}: {error}"
            problems.append(f"  {printable(url)}: {printable(what)}")
    raise DownloadError("\n".join(["no mirror delivered the file:", *problems]))


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


class _MirrorError(Exception):
    """This mirror did not deliver the file, and would not if it were asked again."""


class _BrokenError(Exception):
    """This attempt failed; the next one may go well, after so many seconds."""

    def __init__(self, message: str, wait: float | None = None):
        super().__init__(message)
        self.wait = wait


class _Deadline:
    """The time that a mirror has for a file.

    It begins with PATIENCE seconds. Every SLOWEST bytes of the file buy one second more, but never are more than
    PATIENCE in hand, and LONGEST is the end. So silence, slowness and all that is not the file use up the same time.
    """

    def __init__(self) -> None:
        self.start = time.monotonic()
        self.at = self.start + PATIENCE
        self.received = 0

    def receive(self, count: int) -> None:
        self.received += count
        self.at = min(self.at + count / SLOWEST, time.monotonic() + PATIENCE, self.start + LONGEST)

    def check(self) -> None:
        if self.is_over():
            raise self.error()

    def is_over(self) -> bool:
        return time.monotonic() >= self.at

    def error(self) -> Exception:
        seconds = time.monotonic() - self.start
        return _MirrorError(f"too slow: got {self.received:,} bytes of the file in {seconds:.0f} seconds")

    def sleep(self, seconds: float) -> None:
        time.sleep(max(0.0, min(seconds, self.at - time.monotonic())))
        self.check()


def part_of(path: Path) -> Path:
    """Where a download grows. In a folder that several users share, each has parts of their own."""
    return path.with_name(f".{path.name}{user()}.part")


def user() -> str:
    """Whose a file is, to be put into its name. (Windows has no numbers for users.)"""
    return "" if sys.platform == "win32" else f".{os.getuid()}"


def _size(part: Path) -> int:
    try:
        status = part.lstat()
    except FileNotFoundError:
        return 0
    if not stat.S_ISREG(status.st_mode):
        raise OSError(f"{part.name}: expected a file or nothing, got a folder, link, pipe or device")
    return status.st_size


def _opened(part: Path, mode: str) -> FileIO:
    """The part, to be written to: not what a link leads to, which somebody may have put there a moment ago."""
    return FileIO(part, mode, opener=_no_link)


def _no_link(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)


def _write(file: FileIO, data: bytes) -> None:
    """All of it: a disk that is almost full takes some, and its error comes with the next piece only."""
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]


def _publish(part: Path, path: Path) -> None:
    with open(part, "rb+") as file:
        os.fsync(file.fileno())  # the bytes must be on the disk before the name points at them
    try:
        os.replace(part, path)
    except PermissionError:
        if not path.exists():
            raise
        part.unlink()  # another user has been faster, and their file cannot be replaced: who loads it will check it


def printable(text: str) -> str:
    """One line of bounded length, with no login and nothing that a terminal obeys: servers have a say in the text."""
    line = "".join(c if c.isprintable() else "?" for c in LOGIN.sub(r"\1...@", text))
    return line if len(line) <= LONGEST_MESSAGE else f"{line[:LONGEST_MESSAGE]}..."


def _wrong(data: bytes, file: File) -> str:
    if len(data) != file.gz_size:
        return f"expected {file.gz_size:,} bytes, got {len(data):,}"
    return f"expected SHA-256 {file.gz_sha256}, got {sha256(data)}"


def _from_folder(url: str, part: Path, file: File) -> None:
    path = Path(url2pathname(urlsplit(url).path)) if url.startswith("file:") else Path(url).expanduser()
    try:
        data = file.read(path)
    except OSError as error:
        raise _MirrorError(f"expected a file to read, got {error.strerror}") from error
    if not file.is_right(data):
        raise _MirrorError(_wrong(data, file))
    with explained(part.parent), _opened(part, "wb") as target:
        _write(target, data)


def _from_server(url: str, part: Path, file: File) -> None:
    """Fill ``part`` with the right bytes. What is wrong is deleted, what is only incomplete is kept to go on with."""
    deadline = _Deadline()
    for attempt in range(ATTEMPTS):
        before = _size(part)
        try:
            _request(url, part, file.gz_size, deadline)
        except _BrokenError as error:
            problem = str(error)
            if attempt < ATTEMPTS - 1:
                deadline.sleep(min(BACKOFF * 2**attempt if error.wait is None else error.wait, LONGEST_WAIT))
            continue
        with explained(part.parent):
            data = part.read_bytes()
            if file.is_right(data):
                return
            part.unlink()
        problem = _wrong(data, file)
        if not before:
            break  # they have another file; but a part from before may have been bad, without it this may go well
    raise _MirrorError(problem)


def _request(url: str, part: Path, size: int, deadline: _Deadline) -> None:
    """Let ``part`` grow by what the server sends; start it anew, or delete it, if the server does not go on with it."""
    import pycurl  # here, because reading cached files needs no network

    have = _size(part)
    for _ in range(1 + REDIRECTS):
        headers: list[bytes] = []
        with closing(_prepared(url, have, headers)) as curl, closing(_transfer(curl, deadline)) as pieces:
            first = next(pieces, b"")  # the body begins, or is empty: in either case the headers are known
            status = curl.getinfo(pycurl.RESPONSE_CODE)
            location = _header(headers, "location")
            if status in REDIRECTED and location:
                url = urljoin(url, location)
                continue  # and the rest of this answer is not read
            if status in BUSY:
                raise _BrokenError(_answered(status), curl.getinfo(pycurl.RETRY_AFTER) or None)
            goes_on = status == 206 and _header(headers, "content-range").startswith(f"bytes {have}-")
            if have and status in (206, 416) and not goes_on:
                part.unlink()
                raise _BrokenError(f"asked to go on at byte {have}, {_answered(status)} from elsewhere", wait=0)
            if status not in (200, 206):
                raise _MirrorError(_answered(status))
            _receive(first, pieces, part, have if status == 206 else 0, size, deadline)
            return
    raise _MirrorError(f"more than {REDIRECTS} redirects")


def _answered(status: int) -> str:
    """Our own words for a status, not the server's: those may be of any kind and length."""
    known = {each.value: each.phrase for each in HTTPStatus}
    return f"answered {status} {known.get(status, '')}".rstrip()


def _header(headers: list[bytes], name: str) -> str:
    """The value of the last header of this name; empty if there is none."""
    found = re.findall(rf"^{name}:[ \t]*(.*)$".encode(), b"".join(headers), re.IGNORECASE | re.MULTILINE)
    return found[-1].strip().decode(errors="surrogateescape") if found else ""


def _receive(first: bytes, pieces: Iterator[bytes], part: Path, have: int, size: int, deadline: _Deadline) -> None:
    """Append the pieces to the first ``have`` bytes of the part, until it has ``size`` bytes."""
    from tqdm import tqdm

    with ExitStack() as stack:
        with explained(part.parent):
            file = stack.enter_context(_opened(part, "ab" if have else "wb"))
        name = part.name.removeprefix(".").removesuffix(f"{user()}.part")
        silent = sys.stderr is None or None  # closed; otherwise tqdm looks whether it is a terminal
        bar = stack.enter_context(
            tqdm(total=size, initial=have, desc=name, unit="B", unit_scale=True, disable=silent, leave=False)
        )
        for piece in chain([first], pieces):
            with explained(part.parent):
                _write(file, piece[: size - have])
            have += len(piece)
            bar.update(len(piece))
            deadline.receive(len(piece))
            if have >= size:  # what follows is not ours, and must not fill the disk
                break


def _prepared(url: str, have: int, headers: list[bytes]) -> Any:
    """A request for the file from byte ``have`` on. It carries no login and no cookie: libcurl sends none unasked."""
    import certifi
    import pycurl

    authorities = next(filter(None, map(os.environ.get, CA_VARIABLES)), certifi.where())
    proxies = getproxies()
    options = {
        pycurl.URL: url.encode(errors="surrogateescape"),
        pycurl.PROTOCOLS: pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS,  # a redirect to file:// leads nowhere
        pycurl.HTTP_VERSION: pycurl.CURL_HTTP_VERSION_1_1,  # there is one thing to fetch at a time
        pycurl.USERAGENT: "nnscratch",
        # The files are gzipped already, and verified as they are: whatever their encoding is called, it is kept.
        pycurl.HTTPHEADER: ["Accept-Encoding: identity"],
        pycurl.HTTP_CONTENT_DECODING: 0,
        pycurl.CONNECTTIMEOUT: CONNECT,
        pycurl.NOSIGNAL: 1,  # we may be in a thread
        pycurl.CAINFO: authorities,
        pycurl.PROXY_CAINFO: authorities,
        # libcurl knows NO_PROXY and the others by itself, but HTTP_PROXY and the system's settings it does not look at.
        pycurl.PROXY: proxies.get(urlsplit(url).scheme) or proxies.get("all", ""),
        pycurl.HEADERFUNCTION: headers.append,
    }
    curl = pycurl.Curl()
    for option, value in options.items():
        curl.setopt(option, value)
    if have:
        curl.setopt(pycurl.RANGE, f"{have}-")
    return curl


def _transfer(curl: Any, deadline: _Deadline) -> Generator[bytes, None, None]:
    """Make the request; yield what comes of the body, in pieces."""
    import pycurl

    received: list[bytes] = []
    curl.setopt(pycurl.WRITEFUNCTION, received.append)
    # While libcurl reads what a proxy adds to its refusal, it does not come back, but it asks here whether to stop.
    # (And as Python code is run for that, Ctrl-C works.)
    curl.setopt(pycurl.XFERINFOFUNCTION, lambda *counts: deadline.is_over())
    curl.setopt(pycurl.NOPROGRESS, 0)
    multi = pycurl.CurlMulti()
    multi.add_handle(curl)
    try:
        running = 1
        while running:
            deadline.check()
            _, running = multi.perform()
            if received:
                yield b"".join(received)
                received.clear()
            elif running:
                multi.select(POLL)
        for _, code, message in multi.info_read()[2]:
            raise deadline.error() if code == pycurl.E_ABORTED_BY_CALLBACK else _failure(code, message)
    finally:
        multi.remove_handle(curl)
        # Closing waits for a name that is being looked up, which nobody can stop: a thread of its own does the waiting.
        threading.Thread(target=multi.close, daemon=True).start()


def _failure(code: int, message: str) -> Exception:
    """What libcurl says about a request that failed."""
    import pycurl

    if code in (pycurl.E_PARTIAL_FILE, pycurl.E_RECV_ERROR, pycurl.E_GOT_NOTHING):
        return _BrokenError(f"the connection broke: {message}")
    if code == pycurl.E_PEER_FAILED_VERIFICATION:
        return _MirrorError(
            f"its certificate was not accepted ({message}): check this machine's clock and its CA certificates; "
            "verification is never switched off"
        )
    return _MirrorError(message or f"libcurl's error {code}")
