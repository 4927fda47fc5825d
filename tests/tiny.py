"""A tiny data set, and a web server on this machine that serves it and misbehaves on demand.

``python -m tests.tiny URL FOLDER`` loads it, for tests that need other processes.
"""

import gzip
import hashlib
import http.server
import re
import ssl
import sys
import threading
import time

import numpy as np

from datasets import idx
from datasets.dataset import NAMES, Dataset, File

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


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def tiny(*mirrors):
    """The data set, from these mirrors."""
    files = (File(len(PACKED[f"{n}.gz"]), sha256(PACKED[f"{n}.gz"]), sha256(PLAIN[n])) for n in NAMES)
    return Dataset("tiny", tuple("abcdefghij"), mirrors, tuple(files))


def assert_right(data):
    (x_train, y_train), (x_test, y_test) = data
    for got, expected in zip((x_train, y_train, x_test, y_test), ARRAYS, strict=True):
        assert got.dtype == np.uint8
        np.testing.assert_array_equal(got, expected)


class Server(http.server.ThreadingHTTPServer):
    """Serves PACKED at ``url``. The requests for FIRST are answered by ``script``, one function after the other, each
    called with the handler and the file's bytes; the last one, or plain service, answers for ever."""

    daemon_threads = True

    def __init__(self, *script, repeat=True, certificate=None):
        super().__init__(("127.0.0.1", 0), Handler)
        self.script, self.repeat, self.requests, self.sent = list(script), repeat, [], 0
        self.url = f"http://127.0.0.1:{self.server_address[1]}/"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            certificate.configure_cert(context)
            self.socket = context.wrap_socket(self.socket, server_side=True)
            self.url = self.url.replace("http", "https")
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def handle_error(self, request, client_address):
        """Clients that go away are what these tests are about."""

    def __exit__(self, *error):
        self.shutdown()
        super().__exit__(*error)


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server, name = self.server, self.path.rsplit("/", 1)[-1]
        server.requests.append((self.path, dict(self.headers)))
        answer = plain
        if name == FIRST and server.script:
            answer = server.script[0] if server.repeat and len(server.script) == 1 else server.script.pop(0)
        answer(self, PACKED[name])

    def log_message(self, *args):
        pass

    def start(self, code, **headers):
        self.send_response(code)
        for key, value in headers.items():
            self.send_header(key.replace("_", "-"), str(value))
        self.end_headers()

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


def plain(handler, data):
    """As a good server does it, with Range."""
    handler.wfile.write(data[handler.begin(len(data)) :])


def without_range(handler, data):
    handler.start(200, Content_Length=len(data))
    handler.wfile.write(data)


def status(code, **headers):
    return lambda handler, data: handler.start(code, Content_Length=0, **headers)


def body(content, **headers):
    """Other bytes, or a function of the right ones, with status 200."""

    def answer(handler, data):
        sent = content(data) if callable(content) else content
        handler.start(200, **{"Content_Length": len(sent), **headers})
        handler.wfile.write(sent)

    return answer


def cut(position, change=bytes):
    """Good, until the connection breaks at this byte of the file."""

    def answer(handler, data):
        handler.wfile.write(change(data)[handler.begin(len(data)) : position])
        handler.close_connection = True

    return answer


def slowly(size, seconds):
    """Pieces of this size, with a pause after each; of size 0, a pause and nothing."""

    def answer(handler, data):
        for i in range(handler.begin(len(data)), len(data), size or len(data)):
            handler.wfile.write(data[i : i + size])
            time.sleep(seconds)

    return answer


def endless(handler, data):
    handler.start(200)
    while True:
        handler.wfile.write(data)
        handler.server.sent += len(data)


if __name__ == "__main__":
    assert_right(tiny(sys.argv[1]).load_data(sys.argv[2]))
