"""A tiny data set, and a web server on this machine that serves it and misbehaves on demand.

The server is written on bare sockets, so that it can say anything, be it HTTP or not.

``python -m tests.server URL FOLDER`` loads it, for tests that need other processes.
"""

import contextlib
import gzip
import re
import socket
import ssl
import sys
import threading
import time

import numpy as np

from datasets import idx
from datasets.dataset import NAMES, Dataset
from datasets.file import File, sha256

_rng = np.random.default_rng(0)
ARRAYS = (
    _rng.integers(0, 256, (300, 28, 28), np.uint8),  # incompressible: 235 kB, several chunks
    _rng.integers(0, 10, 300, np.uint8),
    _rng.integers(0, 256, (5, 28, 28), np.uint8),
    _rng.integers(0, 10, 5, np.uint8),
)
PLAIN = {name: idx.encode(array) for name, array in zip(NAMES, ARRAYS, strict=True)}
PACKED = {f"{name}.gz": gzip.compress(data, mtime=0) for name, data in PLAIN.items()}
FIRST = f"{NAMES[0]}.gz"


def other_header(packed):
    """The same content, as another program may pack it: with a time and a file name in the gzip header."""
    return packed[:3] + b"\x08time\0\3name\0" + packed[10:]


def tiny(*mirrors, folders=()):
    """The data set, from these mirrors."""
    files = (File(len(PACKED[f"{n}.gz"]), sha256(PACKED[f"{n}.gz"]), sha256(PLAIN[n])) for n in NAMES)
    return Dataset("tiny", tuple("abcdefghij"), mirrors, tuple(files), folders)


def assert_right(data):
    (x_train, y_train), (x_test, y_test) = data
    for got, expected in zip((x_train, y_train, x_test, y_test), ARRAYS, strict=True):
        assert got.dtype == np.uint8
        np.testing.assert_array_equal(got, expected)


class Clock:
    """A clock that tests can move; sleeping moves it too. It stands where the downloader has the module ``time``."""

    def __init__(self):
        self.ahead, self.sleeps = 0.0, []

    def monotonic(self):
        return time.monotonic() + self.ahead

    def sleep(self, seconds):
        self.sleeps.append(seconds)
        self.ahead += seconds


class Server:
    """Serves PACKED at ``url``. The requests for FIRST are answered by ``script``, one function after the other, each
    called with the visit and the file's bytes; the last one, or plain service, answers for ever."""

    def __init__(self, *script, certificate=None, clock=None):
        self.script, self.clock = list(script), clock or Clock()
        self.requests, self.sent = [], 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/"
        self.context = None
        if certificate is not None:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            certificate.configure_cert(self.context)
            self.url = self.url.replace("http", "https")
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        with contextlib.suppress(OSError):  # the listener was closed
            while True:
                connection, _ = self.listener.accept()
                threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        # Clients that go away, and TLS that comes to nothing, are what these tests are about.
        with contextlib.suppress(OSError), connection:
            if self.context is not None:
                connection = self.context.wrap_socket(connection, server_side=True)
            with connection:
                Visit(self, connection).answer()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)  # it wakes the thread that accepts
        self.listener.close()


class Visit:
    """One connection, on which one request comes and one answer goes."""

    def __init__(self, server, connection):
        self.server, self.connection = server, connection
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            came = connection.recv(1 << 16)
            if not came:
                raise ConnectionError("gone before the request was complete")
            head += came
        request, *lines = head.decode().splitlines()
        self.method, self.path, _ = request.split(" ", 2)
        self.headers = dict(line.split(": ", 1) for line in lines if line)
        server.requests.append((self.path, self.headers))

    def answer(self):
        name, script = self.path.rsplit("/", 1)[-1], self.server.script
        answer = plain
        if script and (name == FIRST or self.method == "CONNECT"):
            answer = script[0] if len(script) == 1 else script.pop(0)
        answer(self, PACKED.get(name, b""))

    def send(self, data):
        self.connection.sendall(data)
        self.server.sent += len(data)

    def pass_time(self, seconds):
        self.server.clock.ahead += seconds

    def wait(self):
        """Say nothing more, until the client has gone. Meanwhile a minute passes, and another one if that was before
        the client had read what came last."""
        for pause in (0.2, 5, 5):
            self.connection.settimeout(pause)
            with contextlib.suppress(TimeoutError):
                self.connection.recv(1)
                return
            self.pass_time(60)

    def start(self, code, reason="Some Reason", **headers):
        lines = [f"HTTP/1.1 {code} {reason}", *(f"{key.replace('_', '-')}: {value}" for key, value in headers.items())]
        self.send("".join(f"{line}\r\n" for line in [*lines, ""]).encode("latin-1"))

    def begin(self, size):
        """Send the headers for a file of this size, or for the part that is asked for; return where that starts."""
        match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(match.group(1)) if match else 0
        if start:
            self.start(206, Content_Length=size - start, Content_Range=f"bytes {start}-{size - 1}/{size}")
        else:
            self.start(200, Content_Length=size)
        return start


# ---- Answers ----


def plain(visit, data):
    """As a good server does it, with Range."""
    visit.send(data[visit.begin(len(data)) :])


def without_range(visit, data):
    visit.start(200, Content_Length=len(data))
    visit.send(data)


def say(*parts):
    """These bytes, whatever they are."""
    return lambda visit, data: visit.send(b"".join(parts))


def status(code, reason="Some Reason", **headers):
    return lambda visit, data: visit.start(code, reason, **{"Content_Length": 0, **headers})


def body(content, **headers):
    """Other bytes, or a function of the right ones, with status 200."""

    def answer(visit, data):
        sent = content(data) if callable(content) else content
        visit.start(200, **{"Content_Length": len(sent), **headers})
        visit.send(sent)

    return answer


def chunked(*sizes, end=b"0\r\n\r\n"):
    """The file in chunks; ``sizes`` are what the chunks' headers say, the last one again and again."""

    def answer(visit, data):
        visit.start(200, Transfer_Encoding="chunked")
        for i in range(0, len(data), 9_999):
            piece = data[i : i + 9_999]
            size = sizes[min(i // 9_999, len(sizes) - 1)] if sizes else b"%x"
            visit.send((size % len(piece) if b"%" in size else size) + b"\r\n" + piece + b"\r\n")
        visit.send(end)

    return answer


def cut(position, change=bytes):
    """Good, until the connection breaks at this byte of the file."""

    def answer(visit, data):
        visit.send(change(data)[visit.begin(len(data)) : position])

    return answer


def endless(head, again):
    """A beginning, then the same for ever."""

    def answer(visit, data):
        visit.send(head)
        while True:
            visit.send(again * (1 + (1 << 14) // len(again)))

    return answer


def trickle(head, again, seconds=1.0, times=200):
    """A beginning, then the same again and again, with seconds between; at last silence."""

    def answer(visit, data):
        visit.send(head)
        for _ in range(times):
            visit.send(again)
            visit.pass_time(seconds)
        visit.wait()

    return answer


def stall(position):
    """Good, then silence from this byte on; before the headers, if it is None."""

    def answer(visit, data):
        if position is not None:
            visit.send(data[visit.begin(len(data)) : position])
        visit.wait()

    return answer


def tunnel(port):
    """As a proxy does it for https: two connections become one."""

    def answer(visit, data):
        with socket.create_connection(("127.0.0.1", port)) as there:
            visit.start(200)
            threading.Thread(target=pass_on, args=(there, visit.connection), daemon=True).start()
            pass_on(visit.connection, there)

    return answer


def pass_on(source, target):
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


def slowly(size, seconds):
    """Pieces of this size, with a pause after each."""

    def answer(visit, data):
        for i in range(visit.begin(len(data)), len(data), size):
            visit.send(data[i : i + size])
            time.sleep(seconds)

    return answer


if __name__ == "__main__":
    assert_right(tiny(sys.argv[1]).load_data(sys.argv[2]))
