"""Everything that can go wrong on the way of a file, and what comes of it: the right bytes, or nothing and a message.

Time passes on a clock that the test server moves. ``python -m tests.test_download`` prints the table of faults in
docs/data.md.
"""

import errno
import gzip
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from datasets import command
from datasets import download as module
from datasets.command import main
from datasets.dataset import DatasetError
from datasets.download import CacheError, DownloadError
from datasets.fashion_mnist import FASHION_MNIST
from datasets.kmnist import KMNIST
from datasets.mnist import MNIST
from tests.server import (
    FIRST,
    NAMES,
    PACKED,
    PLAIN,
    Clock,
    Server,
    assert_right,
    body,
    chunked,
    cut,
    endless,
    other_header,
    plain,
    say,
    slowly,
    stall,
    status,
    tiny,
    trickle,
    tunnel,
    without_range,
)

ROOT = Path(__file__).parent.parent
SIZE = len(PACKED[FIRST])
RIGHT = "the right file"


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", *module.CA_VARIABLES):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def flip(data):
    return data[: SIZE // 4] + bytes(255 - b for b in data[SIZE // 4 : SIZE // 3]) + data[SIZE // 3 :]


def late_redirect(visit, data):
    visit.pass_time(7)
    visit.start(302, Location=f"/{FIRST}", Content_Length=0)


def redirect(location):
    return say(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + location + b"\r\n\r\n")


# Fault: (what the server answers to one request after the other, the last one for ever; the outcome). An outcome other
# than RIGHT is what the message says.
HALF = SIZE // 2
OK = b"HTTP/1.1 200 OK\r\n"
WHOLE = OK + b"Content-Length: %d\r\n\r\n" % SIZE
ELSEWHERE = f"/elsewhere/{FIRST}"
TO_ELSEWHERE = f"HTTP/1.1 302 Found\r\nLocation: {ELSEWHERE}\r\n".encode()
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
FAULTS = {
    # Refused
    "403 Forbidden": ([status(403)], "answered 403 Forbidden"),
    "404 Not Found": ([status(404)], "answered 404 Not Found"),
    "401, asking for a login": ([status(401, WWW_Authenticate="Basic realm=x")], "answered 401 Unauthorized"),
    "204 No Content": ([status(204)], "answered 204 No Content"),
    "304 Not Modified": ([status(304)], "answered 304 Not Modified"),
    "a status of 999": ([status(999)], "answered 999"),
    "404 with a body without end": ([endless(b"HTTP/1.1 404 No\r\n\r\n", b"!")], "answered 404 Not Found"),
    "404 with 60 kB of escapes for a reason": ([status(404, "\x1b[31m\x07" * 10_000)], "answered 404 Not Found"),
    # Busy
    "500 for ever": ([status(500)], "answered 500 Internal Server Error"),
    "500 once": ([status(500), plain], RIGHT),
    "503 with Retry-After, then fine": ([status(503, Retry_After=3), plain], RIGHT),
    "503 with a Retry-After of an hour": ([status(503, Retry_After=3600)], "answered 503 Service Unavailable"),
    "503 with a Retry-After of 5,000 digits": ([status(503, Retry_After=5000 * "9")], "answered 503"),
    "503 with a Retry-After below zero, then fine": ([status(503, Retry_After=-9), plain], RIGHT),
    "503 with a Retry-After that is no number, then fine": ([status(503, Retry_After="soon"), plain], RIGHT),
    "503 without Retry-After, then fine": ([status(503), plain], RIGHT),
    "503 with a body without end, then fine": ([endless(b"HTTP/1.1 503 No\r\n\r\n", b"!"), plain], RIGHT),
    "429 Too Many Requests, then fine": ([status(429), plain], RIGHT),
    # Redirects
    "a redirect": ([status(302, Location=ELSEWHERE), plain], RIGHT),
    "five redirects in a row": ([*[status(302, Location=ELSEWHERE)] * 5, plain], RIGHT),
    "a redirect loop": ([status(302, Location=f"/{FIRST}")], "more than 5 redirects"),
    "a redirect with a body without end": ([endless(TO_ELSEWHERE + b"\r\n", b"!"), plain], RIGHT),
    "a redirect with a body of 10 TB": (
        [endless(TO_ELSEWHERE + b"Content-Length: 10000000000000\r\n\r\n", b"!"), plain], RIGHT,
    ),
    "a redirect with chunks without end": ([endless(TO_ELSEWHERE + CHUNKED, b"5\r\nhello\r\n"), plain], RIGHT),
    "a redirect to nowhere": ([status(302)], "answered 302 Found"),
    "a redirect to `http://[`": ([redirect(b"http://[")], "Invalid IPv6 URL"),
    "a redirect to a byte 0xff": ([redirect(b"http://\xff/")], "Could not resolve host"),
    "a redirect to `http://.host/`": ([redirect(b"http://.host/")], "Could not resolve host"),
    "a redirect to a label of 70 letters": ([redirect(b"http://" + 70 * b"a" + b"/")], "Could not resolve host"),
    "a redirect with escapes": ([redirect(b"http://\x1b[31m/")], "Invalid IPv6 URL"),
    "a redirect of 60 kB": ([redirect(b"http://" + 60_000 * b"a" + b"/")], "http"),
    "a redirect to `file:///etc/passwd`": ([redirect(b"file:///etc/passwd")], 'Protocol "file" is disabled'),
    "a redirect to `ftp:`": ([redirect(b"ftp://127.0.0.1:9/")], 'Protocol "ftp" is disabled'),
    "a redirect to a port where nobody answers": ([redirect(b"http://127.0.0.1:9/")], "Could not connect"),
    # Another file
    "an HTML page with status 200": ([body(b"<html>not here</html>")], f"expected {SIZE:,} bytes, got 21"),
    "an HTML page of the right length": ([body(b"<html>".ljust(SIZE))], "expected SHA-256"),
    "wrong bytes of the right length": ([body(flip)], "expected SHA-256"),
    "gzip of other content": ([body(PACKED[f"{NAMES[2]}.gz"])], f"expected {SIZE:,} bytes, got"),
    "an empty body": ([body(b"")], f"expected {SIZE:,} bytes, got 0"),
    "a body without end": ([endless(OK + b"\r\n", b"!")], "expected SHA-256"),
    "a file with more bytes": ([body(lambda data: data + b"!")], RIGHT),
    # Right files, oddly served
    "no Content-Length": ([lambda visit, data: visit.send(OK + b"\r\n" + data)], RIGHT),
    "HTTP/1.0": ([lambda visit, data: visit.send(b"HTTP/1.0 200 OK\r\n\r\n" + data)], RIGHT),
    "206, though nobody asked for a part": ([lambda visit, data: (visit.start(206), visit.send(data))], RIGHT),
    "in chunks": ([chunked()], RIGHT),
    "in chunks with extensions": ([chunked(b"%X;name=value")], RIGHT),
    "in chunks, without the last one": ([chunked(end=b"")], RIGHT),
    "`Content-Encoding: x-gzip`": ([body(bytes, Content_Encoding="x-gzip")], RIGHT),
    "`Content-Encoding: gzip`": ([body(bytes, Content_Encoding="gzip")], RIGHT),
    "an unknown `Content-Encoding`": ([body(bytes, Content_Encoding="nonsense, br")], RIGHT),
    "three of 100 Continue, then fine": (
        [lambda visit, data: (visit.send(3 * b"HTTP/1.1 100 Continue\r\n\r\n"), plain(visit, data))], RIGHT,
    ),
    # Broken off
    "fewer bytes than announced, for ever": ([body(b"\x1f\x8b", Content_Length=SIZE)], "connection broke"),
    "cut, then resumed with Range": ([cut(HALF), plain], RIGHT),
    "cut twice, then resumed": ([cut(HALF), cut(HALF + 9_999), plain], RIGHT),
    "cut after the first byte": ([cut(1), plain], RIGHT),
    "cut before the last byte": ([cut(SIZE - 1), plain], RIGHT),
    "cut, and the server knows no Range": ([cut(HALF), without_range], RIGHT),
    "cut, then 206 with a wrong Content-Range": (
        [cut(HALF), status(206, Content_Range="bytes 0-9/10"), plain], RIGHT,
    ),
    "cut, then 206 without a Content-Range": ([cut(HALF), status(206), plain], RIGHT),
    "cut, then 416": ([cut(HALF), status(416), plain], RIGHT),
    "cut, then 416 with a body without end": (
        [cut(HALF), endless(b"HTTP/1.1 416 No\r\n\r\n", b"!"), plain], RIGHT,
    ),
    "cut, then 503, then fine": ([cut(HALF), status(503), plain], RIGHT),
    "cut, then a redirect, then resumed": ([cut(HALF), status(302, Location=ELSEWHERE), plain], RIGHT),
    "cut, and the file changed meanwhile": ([cut(HALF, flip), plain], RIGHT),
    "cut at the same byte for ever": ([cut(HALF)], "connection broke"),
    "chunks, cut, then fine": ([say(OK + CHUNKED + b"ff\r\nhalf of it"), plain], RIGHT),
    # No HTTP
    "closed without a word": ([say(b"")], "Empty reply"),
    "an SSH server": ([say(b"SSH-2.0-OpenSSH_9.2\r\n")], "HTTP/0.9"),
    "escapes instead of HTTP": ([endless(b"", b"\x1b[31m")], "HTTP/0.9"),
    "headers without end": ([endless(OK, b"X-Header: more\r\n")], "Too many response headers|connection broke"),
    "a header line without end": ([endless(OK + b"X-Header: ", b"more")], "error 100|Too large"),
    "100 Continue without end": ([endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n")], "response headers"),
    "a NUL byte in a header": ([say(OK + b"X-Header: \0\r\n\r\n")], "NUL byte"),
    "a Content-Length that is no number": ([say(OK + b"Content-Length: many\r\n\r\n")], "Invalid Content-Length"),
    "a Content-Length below zero": ([say(OK + b"Content-Length: -5\r\n\r\n")], "Invalid Content-Length"),
    "two Content-Lengths": ([say(OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n")], "Invalid Content-Length"),
    "a chunk of size -5": ([chunked(b"-5")], "not a hex digit"),
    "a chunk of 17 digits": ([chunked(b"%X", 17 * b"F")], "connection broke"),
    "a `Transfer-Encoding` that nobody asked for": ([body(bytes, Transfer_Encoding="gzip")], "Transfer-Encoding"),
    # Slow
    "a slow trickle": ([trickle(WHOLE, 1_000 * b"!")], "too slow"),
    "four bytes a second": ([trickle(WHOLE, b"slow")], "too slow"),
    "headers that trickle": ([trickle(OK, b"X-Header: more\r\n")], "too slow"),
    "a status line that trickles": ([trickle(b"HTTP/1.1 200 ", b"O")], "too slow"),
    "chunk headers that trickle": ([trickle(OK + CHUNKED + b"5;name=", b"v")], "too slow"),
    "tiny chunks that trickle": ([trickle(OK + CHUNKED, b"1\r\n!\r\n")], "too slow"),
    "100 Continue that trickles": ([trickle(b"", b"HTTP/1.1 100 Continue\r\n\r\n")], "too slow"),
    "redirects that trickle": ([late_redirect], "too slow"),
    "stalled before the first byte": ([stall(None)], "too slow"),
    "stalled in the middle": ([stall(HALF)], "too slow"),
}  # fmt: skip


def part(name=FIRST):
    return module.part_of(Path(name)).name


def leftovers(folder):
    """What lies in the folder besides whole files: at most one part of each file, and the lock."""
    names = {path.name for path in folder.iterdir()}
    assert names <= {".lock", *PACKED, *map(part, PACKED)}
    return names - {".lock", *PACKED}


def assert_clean(message):
    """Nothing in it that a terminal obeys, and no pages of it."""
    for line in message.splitlines():
        assert line.isprintable()
        assert len(line) < module.LONGEST_MESSAGE + 200


@pytest.mark.parametrize(("script", "outcome"), FAULTS.values(), ids=FAULTS)
def test_fault(script, outcome, tmp_path, capfd, clock):
    folder = tmp_path / "tiny"
    with Server(*script, clock=clock) as server:
        if outcome == RIGHT:
            assert_right(tiny(server.url).load_data(tmp_path))
            assert capfd.readouterr().err == f"tiny: downloaded from {server.url} into {folder}\n"
            assert leftovers(folder) == set()
        else:
            with pytest.raises(DownloadError, match=outcome) as caught:
                tiny(server.url).load_data(tmp_path)
            assert f"{server.url}{FIRST}: " in str(caught.value)
            assert_clean(str(caught.value))
            assert not (folder / FIRST).exists()
            assert leftovers(folder) <= {part()}
            assert len(server.requests) <= module.ATTEMPTS + module.REDIRECTS
            # The next mirror, or the next day, is better. What is left of the last attempt does no harm.
            with Server() as good:
                assert_right(tiny(server.url, good.url).load_data(tmp_path))
            assert leftovers(folder) == set()
        # What no one needs is not read: it only fills the buffers of the two sockets.
        assert server.sent < 5_000_000 * len(server.requests)


# ---- Bounds ----


def test_no_server_makes_us_wait_for_an_hour(tmp_path, clock):
    with Server(status(503, Retry_After=3600)) as server, pytest.raises(DownloadError):
        tiny(server.url).load_data(tmp_path)
    assert clock.sleeps == [module.LONGEST_WAIT] * (module.ATTEMPTS - 1)
    assert len(server.requests) == module.ATTEMPTS


def test_waiting_is_part_of_the_time_of_a_mirror(tmp_path, clock):
    def late(visit, data):
        visit.pass_time(module.PATIENCE - 1)
        visit.start(503, Retry_After=10, Content_Length=0)

    with (
        Server(late, clock=clock) as server,
        pytest.raises(DownloadError, match="too slow: got 0 bytes of the file in 30"),
    ):
        tiny(server.url).load_data(tmp_path)
    assert len(clock.sleeps) == len(server.requests) == 1
    assert clock.sleeps[0] <= 1


def test_a_mirror_earns_its_time_with_the_file(clock):
    clock.monotonic = lambda: clock.ahead
    deadline = module._Deadline()
    for _ in range(10):
        clock.ahead += 29
        deadline.receive(29 * module.SLOWEST)  # just fast enough
        deadline.check()
    clock.ahead += 29
    deadline.receive(1_000_000_000)  # much at once buys no more than what is in hand
    clock.ahead += module.PATIENCE
    with pytest.raises(module._MirrorError, match=r"too slow: got 1,000,580,000 bytes of the file in 349 seconds"):
        deadline.check()


def test_fast_or_not_there_is_an_end(clock):
    clock.monotonic = lambda: clock.ahead
    deadline = module._Deadline()
    while clock.ahead < module.LONGEST - 1:
        clock.ahead += 1
        deadline.receive(10 * module.SLOWEST)
        deadline.check()
    clock.ahead += 1
    with pytest.raises(module._MirrorError, match="in 900 seconds"):
        deadline.check()


def test_what_was_slow_is_gone_on_with_at_the_next_mirror(tmp_path, clock):
    with Server(stall(HALF), clock=clock) as slow, Server() as fine:
        assert_right(tiny(slow.url, fine.url).load_data(tmp_path))
        assert fine.requests[0][1]["Range"] == f"bytes={HALF}-"


@pytest.mark.skipif(sys.platform != "linux", reason="needs mount namespaces")
def test_a_name_that_is_looked_up_for_ever(tmp_path):
    """A name server that says nothing, which only this process sees."""
    if not shutil.which("unshare") or subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode:
        pytest.skip("needs the right to mount")
    address = f"127.5.{os.getpid() // 250 % 250}.{1 + os.getpid() % 250}"  # of this process alone
    code = f"""
        import socket, sys, threading, time
        from datasets import download
        from tests.server import Clock, tiny
        silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        silent.bind(("{address}", 53))
        clock = download.time = Clock()
        threading.Timer(0.5, lambda: clock.sleep(download.PATIENCE)).start()
        start = time.monotonic()
        try:
            tiny("http://name.example.org/").load_data(sys.argv[1])
        except download.DownloadError as error:
            print(error)
        assert time.monotonic() - start < 20, "it waited for the name"
    """
    (tmp_path / "resolv.conf").write_text(f"nameserver {address}\noptions timeout:30\n")
    mount = f"mount --bind {tmp_path}/resolv.conf /etc/resolv.conf && exec "
    process = subprocess.run(
        ["unshare", "-m", "sh", "-c", mount + '"$@"', "sh", sys.executable, "-c", textwrap.dedent(code), str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    assert "too slow: got 0 bytes" in process.stdout


@pytest.mark.long
def test_at_real_speed(tmp_path, clock, monkeypatch):
    """The same as with the clock that the tests move: a trickle holds nobody for longer than PATIENCE."""
    monkeypatch.setattr(module, "time", time)

    def dripping(head, again):
        def answer(visit, data):
            visit.send(head)
            while True:
                visit.send(again)
                time.sleep(1)

        return answer

    def seconds(case):
        name, answer = case
        start = time.monotonic()
        with Server(answer) as server, pytest.raises(DownloadError, match="too slow"):
            tiny(server.url).load_data(tmp_path / name)
        return time.monotonic() - start

    cases = {
        "body": dripping(WHOLE, b"slow"),
        "headers": dripping(OK, b"X-Header: more\r\n"),
        "continue": dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        "chunk header": dripping(OK + CHUNKED + b"5;name=", b"v"),
        "silence": dripping(b"", b""),
    }
    with ThreadPoolExecutor(len(cases)) as pool:
        for took in pool.map(seconds, cases.items()):
            assert module.PATIENCE <= took < module.PATIENCE + 10


# ---- Going on ----


def test_resuming_asks_for_the_rest_only(tmp_path):
    with Server(cut(HALF), plain) as server:
        assert_right(tiny(server.url).load_data(tmp_path))
        ranges = [headers.get("Range") for path, headers in server.requests if path == f"/{FIRST}"]
    assert ranges == [None, f"bytes={HALF}-"]


def part_of(data, folder, name=FIRST):
    (folder / "tiny").mkdir(exist_ok=True)
    (folder / "tiny" / part(name)).write_bytes(data)


def test_the_part_of_an_interrupted_download_is_gone_on_with(tmp_path, monkeypatch):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    with Server(cut(HALF), plain) as server:
        with monkeypatch.context() as patch:
            patch.setattr(module._Deadline, "sleep", interrupted)
            with pytest.raises(KeyboardInterrupt):
                tiny(server.url).load_data(tmp_path)
        assert leftovers(tmp_path / "tiny") == {part()}
        assert_right(tiny(server.url).load_data(tmp_path))
        assert server.requests[1][1]["Range"] == f"bytes={HALF}-"
    assert leftovers(tmp_path / "tiny") == set()


def test_a_complete_part_needs_no_mirror(tmp_path, capfd):
    """The download was killed just before it could give the file its name."""
    for name, data in PACKED.items():
        part_of(data, tmp_path, name)
    assert_right(tiny().load_data(tmp_path))
    assert leftovers(tmp_path / "tiny") == set()
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "data", [flip(PACKED[FIRST]), PACKED[FIRST] + b"!", bytes(SIZE)], ids=["wrong", "long", "zeros"]
)
def test_a_complete_part_that_is_wrong_is_deleted(data, tmp_path):
    part_of(data, tmp_path)
    with Server() as server:
        assert_right(tiny(server.url).load_data(tmp_path))
        assert "Range" not in server.requests[0][1]


def test_a_wrong_part_and_a_server_that_only_goes_on(tmp_path):
    part_of(b"wrong", tmp_path)
    with Server() as server:
        assert_right(tiny(server.url).load_data(tmp_path))
        assert [headers.get("Range") for _, headers in server.requests[:2]] == ["bytes=5-", None]


def test_the_bytes_are_on_the_disk_before_the_name_is(tmp_path, monkeypatch):
    calls, fsync, replace = [], os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda file: calls.append("fsync") or fsync(file))
    monkeypatch.setattr(os, "replace", lambda *paths: calls.append("replace") or replace(*paths))
    with Server() as server:
        tiny(server.url).load_data(tmp_path)
    assert calls == ["fsync", "replace"] * 4


# ---- What we send ----


def test_we_say_who_we_are_and_nothing_else(tmp_path):
    with Server() as server:
        tiny(server.url).load_data(tmp_path)
        for _, headers in server.requests:
            assert headers == {
                "Host": f"127.0.0.1:{server.port}", "User-Agent": "nnscratch", "Accept": "*/*",
                "Accept-Encoding": "identity",
            }  # fmt: skip


def test_nothing_of_ours_is_given_away(tmp_path, monkeypatch):
    """A login that lies in ~/.netrc for every host, and a cookie that we are given on the way."""
    for name in (".netrc", "_netrc"):
        (tmp_path / name).write_text("machine 127.0.0.1 login me password secret\ndefault login me password secret\n")
        (tmp_path / name).chmod(0o600)
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    with Server() as other:
        asks = status(401, WWW_Authenticate="Basic realm=x", Set_Cookie="a=b")
        leads = status(302, Location=f"http://localhost:{other.port}/{FIRST}", Set_Cookie="a=b; Domain=localhost")
        with Server(leads) as one, Server(asks) as two:
            assert_right(tiny(two.url, one.url).load_data(tmp_path))
        requests = [*one.requests, *two.requests, *other.requests]
    assert len(requests) == 1 + 4 + 1
    assert not any({"Authorization", "Cookie"} & headers.keys() for _, headers in requests)


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
def test_a_proxy_from_the_environment(name, tmp_path, monkeypatch):
    with Server() as proxy:
        monkeypatch.setenv(name, proxy.url.replace("//", "//user:word@"))
        assert_right(tiny("http://nowhere.invalid/").load_data(tmp_path))
        path, headers = proxy.requests[0]
    assert path == f"http://nowhere.invalid/{FIRST}"
    assert headers["Proxy-Authorization"] == "Basic dXNlcjp3b3Jk"


@pytest.mark.parametrize("name", ["no_proxy", "NO_PROXY"])
def test_hosts_that_need_no_proxy(name, tmp_path, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9/")
    monkeypatch.setenv(name, "example.org,127.0.0.1")
    with Server() as server:
        assert_right(tiny(server.url).load_data(tmp_path))


# ---- Certificates ----


@pytest.fixture
def authority():
    return pytest.importorskip("trustme").CA()


@pytest.mark.parametrize("name", module.CA_VARIABLES)
def test_a_certificate_of_an_authority_from_the_environment(name, authority, tmp_path, monkeypatch):
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv(name, str(tmp_path / "ca.pem"))
    with Server(certificate=authority.issue_cert("127.0.0.1")) as server:
        assert_right(tiny(server.url).load_data(tmp_path))


def test_https_through_a_proxy(authority, tmp_path, monkeypatch):
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    with Server(certificate=authority.issue_cert("nowhere.invalid")) as server, Server(tunnel(server.port)) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        assert_right(tiny("https://nowhere.invalid/").load_data(tmp_path))
        assert {path for path, _ in proxy.requests} == {"nowhere.invalid:443"}


def test_a_proxy_that_trickles(tmp_path, monkeypatch, clock):
    answer = trickle(b"HTTP/1.1 200 OK\r\n", b"X-Header: more\r\n")
    with Server(answer, clock=clock) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        with pytest.raises(DownloadError, match="too slow"):
            tiny("https://nowhere.invalid/").load_data(tmp_path)


REFUSED = b"HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm=x\r\n"
LONG = b"Content-Length: 99999999999999\r\n\r\n"


@pytest.mark.parametrize(
    ("head", "again"),
    [
        (REFUSED + LONG, b"!"),
        (REFUSED + CHUNKED, b"ea60\r\n" + 60_000 * b"!" + b"\r\n"),
        (REFUSED + CHUNKED + b"5;name=", b"v"),
    ],
    ids=["length", "chunks", "extension"],
)
def test_a_proxy_that_refuses_without_end(head, again, tmp_path, monkeypatch, clock):
    """libcurl reads such an answer in one go. (This one has an end, for otherwise the test could not fail.)"""

    def answer(visit, data):
        visit.send(head)
        for _ in range(200):
            visit.send(again * max(1, 60_000 // len(again)))
            visit.pass_time(1)

    with Server(answer, clock=clock) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        with pytest.raises(DownloadError, match="too slow: got 0 bytes"):
            tiny("https://nowhere.invalid/").load_data(tmp_path)
        assert proxy.sent < 10_000_000


def test_a_self_signed_certificate(authority, tmp_path):
    with Server(certificate=authority.issue_cert("127.0.0.1")) as server:
        with pytest.raises(DownloadError, match=r"certificate was not accepted.*verification is never switched off"):
            tiny(server.url).load_data(tmp_path)
        assert server.requests == []


def test_a_certificate_for_another_name(authority, tmp_path, monkeypatch):
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    with Server(certificate=authority.issue_cert("example.org")) as server:
        with pytest.raises(DownloadError, match="certificate was not accepted"):
            tiny(server.url).load_data(tmp_path)
        assert server.requests == []


def test_a_list_of_authorities_that_is_not_there(authority, tmp_path, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "nothing.pem"))
    with Server(certificate=authority.issue_cert("127.0.0.1")) as server, Server() as good:
        with pytest.raises(DownloadError, match=r"nothing\.pem"):
            tiny(server.url).load_data(tmp_path)
        assert server.requests == []
        assert_right(tiny(server.url, good.url).load_data(tmp_path))


class Raw(Server):
    """A server that does not even wait for a request."""

    def __init__(self, answer, clock=None):
        self.answer = answer
        super().__init__(clock=clock)
        self.url = self.url.replace("http", "https")

    def serve(self, connection):
        with connection:
            self.answer(self, connection)


def test_broken_tls_is_not_called_a_bad_certificate(tmp_path):
    for nonsense in (
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x16\x03\x03\xff\xff" + bytes(99),
        b"\x15\x03\x03\0\2\2\x28",
    ):

        def answer(server, connection, nonsense=nonsense):
            connection.recv(1 << 16)
            connection.sendall(nonsense)

        with Raw(answer) as server, pytest.raises(DownloadError) as caught:
            tiny(server.url).load_data(tmp_path)
        assert "certificate" not in str(caught.value)
        assert re.search("TLS|SSL", str(caught.value))


def test_tls_that_stalls(tmp_path, clock):
    def answer(server, connection):
        server.clock.ahead += module.PATIENCE
        while connection.recv(1 << 16):
            pass

    with Raw(answer, clock) as server, pytest.raises(DownloadError, match="too slow"):
        tiny(server.url).load_data(tmp_path)


# ---- Mirrors ----


def test_first_mirror_dead_second_fine(tmp_path, capfd):
    with Server(status(404)) as dead, Server() as fine:
        assert_right(tiny(dead.url, fine.url).load_data(tmp_path))
        assert capfd.readouterr().err.count("\n") == 1
        assert [path for path, _ in dead.requests] == [f"/{FIRST}"]  # it is not asked for the other files
        assert len(fine.requests) == 4


def test_all_mirrors_dead(tmp_path):
    with Server(status(404)) as one, Server(status(403)) as other:
        with pytest.raises(DownloadError) as caught:
            tiny(one.url, other.url).load_data(tmp_path)
        message = str(caught.value)
        assert f"{one.url}{FIRST}: answered 404" in message
        assert f"{other.url}{FIRST}: answered 403" in message
        assert f"copy these files into {tmp_path / 'tiny'}" in message
        for name, data in PACKED.items():
            assert f"{name}  {len(data):,} bytes" in message
        assert message.endswith(f"They can be had from\n  {one.url}\n  {other.url}")


def test_one_mirror_as_a_string(tmp_path):
    with Server() as server:
        assert_right(tiny().load_data(tmp_path, mirrors=server.url))


@pytest.mark.parametrize(
    "mirrors", [Path("folder"), b"http://127.0.0.1/", [b"folder"], [None], ["folder", 5], 5, [["x"]]]
)
def test_mirrors_that_are_no_strings(mirrors, tmp_path):
    with pytest.raises(TypeError, match=r"expected mirrors as strings, URLs or folders, got .*: of a Path give str"):
        tiny().load_data(tmp_path, mirrors=mirrors)
    assert list(tmp_path.iterdir()) == []


def test_a_login_in_a_url_is_used_but_not_shown(tmp_path, capfd):
    with Server() as server:
        url = server.url.replace("//", "//user:se@cr/et@")
        with pytest.raises(DownloadError) as caught:
            tiny(url, "http://user:secret@127.0.0.1:9/").load_data(tmp_path)
        assert "secret" not in str(caught.value)
        assert "cr/et" not in str(caught.value)
        assert str(caught.value).count("http://...@127.0.0.1:9/") == 2  # what happened there, and by hand
        assert_right(tiny().load_data(tmp_path, mirrors=server.url.replace("//", "//user:secret@")))
        assert server.requests[0][1]["Authorization"] == "Basic dXNlcjpzZWNyZXQ="
    err = capfd.readouterr().err
    assert err == f"tiny: downloaded from {server.url.replace('//', '//...@')} into {tmp_path / 'tiny'}\n"


@pytest.mark.parametrize("proxy", ["ftp://user:secret@127.0.0.1:9", "http://user:sec ret@127.0.0.1:9", "user:secret@["])
def test_a_login_for_a_proxy_is_not_shown(proxy, tmp_path, monkeypatch):
    monkeypatch.setenv("http_proxy", proxy)
    with pytest.raises(DownloadError) as caught:
        tiny("http://nowhere.invalid/").load_data(tmp_path)
    assert "ret" not in str(caught.value)


def test_refused_connection_and_unknown_host(tmp_path):
    with pytest.raises(DownloadError) as caught:
        tiny("http://127.0.0.1:9/", "http://nowhere.invalid/").load_data(tmp_path)
    assert re.search(r"127\.0\.0\.1:9/.*Could not connect", str(caught.value))
    assert re.search(r"nowhere\.invalid/.*Could not resolve", str(caught.value))


@pytest.mark.parametrize(
    "mirror",
    ["http://[", "http://", "http://.host/", f"http://{70 * 'a'}/", "http://a b/", "http://\x1b[31m/", "http://\xfc.invalid/",
     "ftp://127.0.0.1:9/", "\0", ""],
)  # fmt: skip
def test_a_mirror_that_is_none(mirror, tmp_path):
    with pytest.raises(DownloadError) as caught:
        tiny(mirror).load_data(tmp_path)
    assert "no mirror delivered the file" in str(caught.value)
    with Server() as good:
        assert_right(tiny(mirror, good.url).load_data(tmp_path))


@pytest.mark.parametrize("scheme", ["folder", "file"])
def test_a_folder_as_a_mirror(scheme, tmp_path):
    source = tmp_path / "my source"
    source.mkdir()
    mirror = source.as_uri() if scheme == "file" else str(source)
    with pytest.raises(DownloadError, match="expected a file to read, got No such file"):
        tiny(mirror).load_data(tmp_path / "cache")
    for name, data in PACKED.items():
        (source / name).write_bytes(data)
    for wrong, message in {
        b"other": f"expected {SIZE:,} bytes, got 5",
        flip(PACKED[FIRST]): "expected SHA-256",
        bytes(3 * SIZE): f"bytes, got {3 * SIZE:,}",
        bytes(11 * SIZE): f"expected a file to read, got more than {10 * SIZE:,} bytes",
    }.items():
        (source / FIRST).write_bytes(wrong)
        with pytest.raises(DownloadError, match=message):
            tiny(mirror).load_data(tmp_path / "cache")
    for right in (other_header(PACKED[FIRST]), gzip.compress(PLAIN[FIRST.removesuffix(".gz")], 0)):
        (source / FIRST).write_bytes(right)
        shutil.rmtree(tmp_path / "cache")
        assert_right(tiny(mirror).load_data(tmp_path / "cache"))


def test_without_download_the_network_is_not_touched(tmp_path):
    with Server() as server:
        with pytest.raises(DownloadError, match="not in the cache, and download=False"):
            tiny(server.url).load_data(tmp_path, download=False)
        assert server.requests == []
        assert list(tmp_path.iterdir()) == []
        tiny(server.url).load_data(tmp_path)
        assert len(server.requests) == 4
        assert_right(tiny(server.url).load_data(tmp_path, download=False))
        assert len(server.requests) == 4


# ---- The folder ----


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (errno.EACCES, "no permission to write"),
        (errno.EROFS, "read-only"),
        (errno.ENOSPC, "full"),
        (errno.EIO, "Errno"),
    ],
)
def test_a_folder_that_cannot_be_written(code, message, tmp_path, monkeypatch):
    def fails(*arguments, **options):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("pathlib.Path.mkdir", fails)
    with Server() as server, pytest.raises(CacheError, match=rf"tiny: .*{message}.*choose another folder with"):
        tiny(server.url).load_data(tmp_path)


def test_a_path_that_is_a_file(tmp_path):
    (tmp_path / "file").write_text("")
    for data_dir in (tmp_path / "file", tmp_path / "file" / "below"):
        with Server() as server, pytest.raises(CacheError, match="a file stands where a folder is needed"):
            tiny(server.url).load_data(data_dir)


@pytest.mark.skipif(sys.platform == "win32", reason="limits of file sizes are POSIX")
@pytest.mark.parametrize("most", [100_000, SIZE - 1])
def test_a_full_disk(most, tmp_path):
    """A real one: the operating system allows no larger file. It takes what fits of a piece and says nothing, so that
    there is an error only if somebody writes the rest."""
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({most}, {most}));"
        "from tests.server import tiny; tiny(sys.argv[1]).load_data(sys.argv[2])"
    )
    with Server() as server:
        process = subprocess.run(
            [sys.executable, "-c", code, server.url, str(tmp_path)], cwd=ROOT, capture_output=True, text=True
        )
    assert f"CacheError: {tmp_path / 'tiny'}: the disk, or your share of it, is full" in process.stderr
    assert leftovers(tmp_path / "tiny") == set()


def test_a_disk_that_is_full_at_the_last_moment(tmp_path, monkeypatch):
    """Some file systems say so only when the bytes have to be on the disk."""

    def full(file):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with Server() as server, pytest.raises(CacheError, match="the disk is full"):
        tiny(server.url).load_data(tmp_path)
    assert leftovers(tmp_path / "tiny") == set()


def test_a_read_only_cache_that_is_complete(tmp_path):
    with Server() as server:
        tiny(server.url).load_data(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "tiny").iterdir()}
    (tmp_path / "tiny").chmod(0o555)
    try:
        assert_right(tiny().load_data(tmp_path))
        assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "tiny").iterdir()}
    finally:
        (tmp_path / "tiny").chmod(0o755)


# ---- Odd files ----

posix = pytest.mark.skipif(sys.platform == "win32", reason="users, pipes and devices are POSIX")


def link_to_a_file(path):
    (path.parent / "mine").write_bytes(b"mine")
    path.symlink_to("mine")


ODD = {
    "folder": Path.mkdir,
    "pipe": lambda path: os.mkfifo(path),
    "endless device": lambda path: path.symlink_to("/dev/zero"),
    "link to a file": link_to_a_file,
    "link to nowhere": lambda path: path.symlink_to("nowhere"),
}


@posix
@pytest.mark.parametrize("make", ODD.values(), ids=ODD)
def test_an_odd_file_where_a_part_is_written(make, tmp_path):
    folder = tmp_path / "tiny"
    folder.mkdir()
    make(folder / part())
    before = sorted(folder.iterdir())
    with Server() as server:
        with pytest.raises(CacheError, match=r"\.part: expected a file or nothing, got a folder, link, pipe or device"):
            tiny(server.url).load_data(tmp_path)
        assert server.requests == []
    assert [path for path in sorted(folder.iterdir()) if path.name != ".lock"] == before
    assert not (folder / "mine").exists() or (folder / "mine").read_bytes() == b"mine"


@posix
def test_a_link_that_appears_where_a_part_is_written(tmp_path):
    """After we have looked."""
    link_to_a_file(tmp_path / "part")
    for mode in ("wb", "ab"):
        with pytest.raises(OSError, match="symbolic links"):
            module._opened(tmp_path / "part", mode)
    assert (tmp_path / "mine").read_bytes() == b"mine"


@posix
@pytest.mark.parametrize("make", [ODD["folder"], ODD["pipe"], ODD["endless device"]], ids=["folder", "pipe", "device"])
def test_an_odd_file_in_the_cache(make, tmp_path):
    (tmp_path / "tiny").mkdir()
    make(tmp_path / "tiny" / FIRST)
    with Server() as server:
        with pytest.raises(
            DatasetError, match=r"expected a file to read, got a folder, pipe or device: mend or delete"
        ):
            tiny(server.url).load_data(tmp_path)
        (tmp_path / "tiny" / NAMES[0]).write_bytes(PLAIN[NAMES[0]])
        assert_right(tiny(server.url).load_data(tmp_path))


def test_a_huge_file_is_not_read(tmp_path, monkeypatch):
    (tmp_path / "tiny").mkdir()
    for path in (tmp_path / "tiny" / FIRST, tmp_path / "tiny" / part(list(PACKED)[1])):
        with open(path, "wb") as file:
            file.truncate(100_000_000_000)  # it takes no room
    read_bytes = Path.read_bytes
    monkeypatch.setattr(
        "pathlib.Path.read_bytes", lambda path: read_bytes(path) if path.stat().st_size < 1e9 else 1 / 0
    )
    with Server() as server:
        with pytest.raises(DatasetError, match=f"expected a file to read, got more than {10 * SIZE:,} bytes: mend or"):
            tiny(server.url).load_data(tmp_path)
        (tmp_path / "tiny" / FIRST).unlink()
        assert_right(tiny(server.url).load_data(tmp_path))
    assert leftovers(tmp_path / "tiny") == set()


# ---- Several users ----


def refused(paths, real=os.open):
    """``os.open``, to which some files are another user's."""

    def os_open(path, *arguments, **options):
        if re.search(paths, os.fspath(path)):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return real(path, *arguments, **options)

    return os_open


@posix
def test_the_lock_of_another_user(tmp_path, monkeypatch):
    """In a folder that everybody may write to. Readers need no lock at all."""
    monkeypatch.setattr(os, "open", refused(r"\.lock$"))
    with Server() as server:
        assert_right(tiny(server.url).load_data(tmp_path))
    assert {path.name for path in (tmp_path / "tiny").iterdir()} == {*PACKED, f".lock.{os.getuid()}"}
    monkeypatch.setattr(os, "open", refused(r"\.lock"))
    assert_right(tiny().load_data(tmp_path))
    (tmp_path / "tiny" / FIRST).unlink()
    with pytest.raises(CacheError, match="no permission to write"):
        tiny().load_data(tmp_path)


@posix
def test_the_lock_is_for_all_who_may_write_to_the_folder(tmp_path):
    before = os.umask(0o077)
    try:
        for mode, expected in ((0o777, 0o666), (0o770, 0o660), (0o700, 0o600)):
            (tmp_path / oct(mode) / "tiny").mkdir(parents=True)
            (tmp_path / oct(mode) / "tiny").chmod(mode)
            with Server() as server:
                tiny(server.url).load_data(tmp_path / oct(mode))
            assert (tmp_path / oct(mode) / "tiny" / ".lock").stat().st_mode & 0o777 == expected
    finally:
        os.umask(before)


@posix
def test_the_part_of_another_user(tmp_path, monkeypatch):
    """It is not ours to go on with, to write to, or to delete."""
    with monkeypatch.context() as patch:
        patch.setattr(os, "getuid", lambda: 12345)
        part_of(flip(PACKED[FIRST])[:HALF], tmp_path)
        theirs = tmp_path / "tiny" / part()
    with Server() as server:
        assert_right(tiny(server.url).load_data(tmp_path))
        assert "Range" not in server.requests[0][1]
    assert theirs.read_bytes() == flip(PACKED[FIRST])[:HALF]


@posix
def test_another_user_is_faster(tmp_path, monkeypatch):
    """And their file may not be replaced, as in a folder like /tmp."""

    def replace(part, path):
        path.write_bytes(PACKED[path.name])
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), part)

    monkeypatch.setattr(os, "replace", replace)
    with Server() as server:
        assert_right(tiny(server.url).load_data(tmp_path))
    assert leftovers(tmp_path / "tiny") == set()


SHARING = """
import os, sys
from datasets import download
from tests.server import assert_right, tiny
os_open = os.open

def refused(path, *arguments, **options):
    if os.fspath(path).endswith(".lock"):
        raise PermissionError(13, "Permission denied", path)
    return os_open(path, *arguments, **options)

os.open, os.getuid = refused, lambda: int(sys.argv[3])
download.PATIENCE = 600  # on a busy machine the others may take long to start
assert_right(tiny(sys.argv[1]).load_data(sys.argv[2]))
"""


@posix
@pytest.mark.parametrize("users", [[1, 1, 1], [1, 2, 3]], ids=["one user", "three users"])
def test_three_processes_that_cannot_take_the_lock(users, tmp_path):
    """One user's processes take turns, several users download at once."""
    start = threading.Barrier(len(set(users)))  # so that none has the whole file before the others ask for it

    def together(visit, data):
        start.wait(500)
        slowly(20_000, 0.05)(visit, data)

    with Server(together) as server:
        processes = [
            subprocess.Popen(
                [sys.executable, "-c", SHARING, server.url, tmp_path, str(user)], cwd=ROOT, stderr=subprocess.PIPE
            )
            for user in users
        ]
        try:
            for process in processes:
                _, err = process.communicate(timeout=500)
                assert process.returncode == 0, err.decode()
        finally:
            for process in processes:
                process.kill()
                process.communicate()
        first = [path for path, _ in server.requests if path == f"/{FIRST}"]
        assert len(first) == len(set(users))
    assert {path.name for path in (tmp_path / "tiny").iterdir()} == {*PACKED, *(f".lock.{user}" for user in users)}


def test_unpacked_files_are_accepted(tmp_path):
    (tmp_path / "tiny").mkdir()
    for name, data in PLAIN.items():
        (tmp_path / "tiny" / name).write_bytes(data)
    assert_right(tiny().load_data(tmp_path))


@pytest.mark.parametrize("files", [PLAIN, PACKED], ids=["plain", "packed"])
def test_damaged_and_foreign_files_in_the_cache_are_found(files, tmp_path):
    (tmp_path / "tiny").mkdir()
    for name, data in files.items():
        (tmp_path / "tiny" / name).write_bytes(data)
    name, _, other, _ = files
    for wrong in (files[name][:-1] + b"!", files[name][:-1], files[other], b""):
        (tmp_path / "tiny" / name).write_bytes(wrong)
        with pytest.raises(DatasetError, match=r"expected SHA-256 .* got .*: delete it to download it again"):
            tiny().load_data(tmp_path)


def test_a_damaged_file_beside_a_right_one(tmp_path):
    (tmp_path / "tiny").mkdir()
    for name, data in PLAIN.items():
        (tmp_path / "tiny" / name).write_bytes(data)
        (tmp_path / "tiny" / f"{name}.gz").write_bytes(b"damaged")
    assert_right(tiny().load_data(tmp_path))
    (tmp_path / "tiny" / NAMES[0]).write_bytes(b"damaged, too")
    with pytest.raises(DatasetError) as caught:
        tiny().load_data(tmp_path)
    assert str(caught.value).count(": delete it to download it again") == 2


def test_only_the_content_counts(tmp_path):
    """Another gzip header, another compression, a file that is not packed in spite of its name."""
    (tmp_path / "tiny").mkdir()
    for change in (other_header, lambda data: gzip.compress(gzip.decompress(data), 1), gzip.decompress):
        for name, data in PACKED.items():
            assert change(data) != data
            (tmp_path / "tiny" / name).write_bytes(change(data))
        assert_right(tiny().load_data(tmp_path))


def test_a_bomb_in_the_cache(tmp_path, monkeypatch):
    unpacked = []
    read = gzip.GzipFile.read
    monkeypatch.setattr(gzip.GzipFile, "read", lambda self, size: unpacked.append(read(self, size)) or unpacked[-1])
    (tmp_path / "tiny").mkdir()
    for name in PACKED:
        (tmp_path / "tiny" / name).write_bytes(gzip.compress(bytes(10_000_000)))
    with pytest.raises(DatasetError, match="delete it"):
        tiny().load_data(tmp_path)
    assert sum(map(len, unpacked)) < 11 * SIZE


def test_a_folder_of_the_operating_system(tmp_path):
    """It is looked into before any mirror, after the cache, and is never written to."""
    system = tmp_path / "system"
    system.mkdir()
    for name, data in PACKED.items():
        (system / name).write_bytes(other_header(data))
    before = sorted(system.iterdir())
    with Server() as server:
        dataset = tiny(server.url, folders=(str(system),))
        assert_right(dataset.load_data(tmp_path / "cache"))
        assert server.requests == []
        assert not (tmp_path / "cache").exists()
        (system / FIRST).write_bytes(b"damaged")
        (tmp_path / "cache" / "tiny").mkdir(parents=True)
        (tmp_path / "cache" / "tiny" / NAMES[0]).write_bytes(PLAIN[NAMES[0]])
        assert_right(dataset.load_data(tmp_path / "cache"))
        assert server.requests == []
        (tmp_path / "cache" / "tiny" / NAMES[0]).unlink()
        assert_right(dataset.load_data(tmp_path / "cache"))
        assert [path for path, _ in server.requests] == [f"/{FIRST}"]
        assert (tmp_path / "cache" / "tiny" / FIRST).exists()
    assert sorted(system.iterdir()) == before
    assert (system / FIRST).read_bytes() == b"damaged"


# ---- Several processes ----


def load_elsewhere(url, folder):
    return subprocess.Popen(
        [sys.executable, "-m", "tests.server", url, str(folder)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_eight_processes_at_once(tmp_path):
    with Server(slowly(20_000, 0.05)) as server:
        processes = [load_elsewhere(server.url, tmp_path) for _ in range(8)]
        for process in processes:
            _, err = process.communicate(timeout=60)
            assert process.returncode == 0, err.decode()
        assert len(server.requests) == 4  # one of them downloaded, the others waited
    assert leftovers(tmp_path / "tiny") == set()


@pytest.mark.long
def test_killed_at_random_points(tmp_path):
    """60 times, then left alone: nothing wrong under a final name at any time, and no heap of parts."""
    import random

    rng = random.Random(0)
    killed = 0
    with Server(slowly(2_000, 0.01)) as server:  # 1.2 seconds for the first file, were it not resumed
        while killed < 60:
            process = load_elsewhere(server.url, tmp_path)
            try:
                process.communicate(timeout=rng.uniform(0.2, 0.7))
                for path in (tmp_path / "tiny").glob("*.gz"):
                    path.unlink()  # it got through: once more from the start
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                killed += 1
            if (tmp_path / "tiny").exists():
                assert len(leftovers(tmp_path / "tiny")) <= 1
                for path in (tmp_path / "tiny").glob("*.gz"):
                    assert path.read_bytes() == PACKED[path.name]
        assert any("Range" in headers for _, headers in server.requests)
        assert_right(tiny(server.url).load_data(tmp_path))
    assert leftovers(tmp_path / "tiny") == set()


# ---- The command ----


@pytest.fixture
def tiny_is_mnist(monkeypatch):
    monkeypatch.setitem(command.DATASETS, "mnist", tiny("http://127.0.0.1:9/"))


def test_the_command(tmp_path, capsys, tiny_is_mnist):
    with Server() as server:
        assert main(["mnist", "--data-dir", str(tmp_path), "--check"]) == 1
        assert capsys.readouterr().out.count("missing") == 4
        assert main(["mnist", "--data-dir", str(tmp_path)]) == 1
        assert "Could not connect" in capsys.readouterr().err
        assert main(["mnist", "--data-dir", str(tmp_path), "--mirror", "/nowhere", "--mirror", server.url]) == 0
        assert capsys.readouterr().out.count("right") == 4
    (tmp_path / "tiny" / FIRST).write_bytes(b"!")
    assert main(["mnist", "--data-dir", str(tmp_path), "--check"]) == 1
    out = capsys.readouterr().out
    assert out.count("right") == 3
    assert "DAMAGED" in out


def test_the_command_says_where_other_folders_have_the_files(tmp_path, capsys, monkeypatch):
    for name, data in PACKED.items():
        (tmp_path / name).write_bytes(data)
    monkeypatch.setitem(command.DATASETS, "mnist", tiny(folders=(str(tmp_path),)))
    assert main(["mnist", "--data-dir", str(tmp_path / "cache"), "--check"]) == 0
    assert capsys.readouterr().out.count(f"bytes, in {tmp_path}\n") == 4


@pytest.mark.parametrize("missing", [False, True])
def test_the_command_and_files_that_cannot_be_read(missing, tmp_path, capsys, monkeypatch, tiny_is_mnist):
    folder = tmp_path / "tiny"
    folder.mkdir()
    for name, data in PACKED.items():
        (folder / name).write_bytes(data)
    for name in list(PACKED)[:2]:
        (folder / name).unlink()
    (folder / FIRST).mkdir()
    if not missing:
        (folder / list(PACKED)[1]).write_bytes(b"secret")

    def read_bytes(path):
        with open(path, "rb") as file:
            data = file.read()
        if data == b"secret":  # as root may read everything
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return data

    monkeypatch.setattr("pathlib.Path.read_bytes", read_bytes)
    assert main(["mnist", "--data-dir", str(tmp_path)]) == 1
    out, err = capsys.readouterr()
    assert err == ""
    lines = out.splitlines()
    assert len(lines) == 5
    assert re.search(r"DAMAGED: .*expected a file to read, got .*: mend or delete it$", lines[1])
    assert lines[2].endswith("missing" if missing else "got Permission denied: mend or delete it")


def test_the_command_without_a_home_directory(capsys, monkeypatch):
    def no_home(*arguments):
        raise RuntimeError("Could not determine home directory.")

    for name in ("NNSCRATCH_DATA", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pathlib.Path.home", no_home)
    assert main(["mnist"]) == 1
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert re.match("error: no home directory .*: choose a folder with --data-dir, data_dir or NNSCRATCH_DATA", err)


def shell(server, folder, redirections, **environment):
    """What the shell says to the command followed by redirections, and the exit code of the command."""
    program = shlex.join([sys.executable, "-c", COMMAND, server.url, str(folder)])
    return subprocess.run(
        ["bash", "-c", f"{program} {redirections}"], cwd=ROOT, capture_output=True, timeout=60,
        env={**os.environ, **environment},
    )  # fmt: skip


COMMAND = """
import runpy, sys
from datasets import command
from tests.server import tiny
command.DATASETS["mnist"] = tiny(sys.argv[1])
sys.argv = ["datasets", "mnist", "--data-dir", sys.argv[2]]
runpy.run_module("datasets", run_name="__main__")
"""

needs_full = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")


@posix
@pytest.mark.parametrize(
    ("redirections", "expected"),
    [
        ("2>&-", (0, "right", "")),
        ("2>&- <&-", (0, "right", "")),
        pytest.param("2> /dev/full", (0, "right", ""), marks=needs_full),
        (">&-", (1, "", "error: expected an open standard output, got a closed one: ")),
        pytest.param("> /dev/full", (1, "", "error: [Errno 28] No space left on device"), marks=needs_full),
        ("| true; exit ${PIPESTATUS[0]}", (1, "", "")),
    ],
)
def test_the_command_and_streams_that_are_closed_full_or_broken(redirections, expected, tmp_path):
    with Server() as server:
        process = shell(server, tmp_path, redirections)
    code, out, err = expected
    assert process.returncode == code, process.stderr
    assert process.stdout.decode().count("right") == (4 if out else 0)
    told = [line for line in process.stderr.decode().splitlines() if not line.startswith("tiny: downloaded from")]
    assert len(told) == bool(err), told
    assert not err or told[0].startswith(err)


@posix
def test_the_command_and_a_folder_that_the_terminal_cannot_show(tmp_path):
    with Server() as server:
        process = shell(server, tmp_path / "\N{GREEK SMALL LETTER ALPHA}", "", PYTHONIOENCODING="ascii")
    assert process.returncode == 0, process.stderr
    assert process.stdout.startswith(f"{tmp_path}/\\u03b1/tiny\n".encode())


def test_without_standard_error_nothing_is_said(tmp_path, monkeypatch, capfd):
    """As in a program that Windows starts without a terminal."""
    monkeypatch.setattr(sys, "stderr", None)
    with Server() as server:
        assert_right(tiny(server.url).load_data(tmp_path))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("arguments", [["--data-dir", ""], ["--data-dir="]])
def test_the_command_and_a_folder_without_a_name(arguments, tmp_path, monkeypatch, capsys, tiny_is_mnist):
    monkeypatch.chdir(tmp_path)
    assert main(["mnist", *arguments]) == 1
    out, err = capsys.readouterr()
    assert (out, err) == (
        "", "error: expected the name of a folder for data sets, got an empty one: '.' is the current folder\n"
    )  # fmt: skip
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent differently there")
def test_the_command_is_interrupted(tmp_path):
    asked = threading.Event()

    def silence(visit, data):
        asked.set()
        visit.wait()

    with Server(silence) as server:
        process = subprocess.Popen(
            [sys.executable, "-m", "datasets", "mnist", "--data-dir", str(tmp_path), "--mirror", server.url],
            cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert asked.wait(60)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (1, "", "interrupted\n")


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent differently there")
def test_the_command_is_interrupted_while_a_proxy_refuses_without_end(tmp_path):
    asked = threading.Event()

    def flood(visit, data):
        asked.set()
        endless(REFUSED + LONG, b"!")(visit, data)

    with Server(flood) as proxy:
        process = subprocess.Popen(
            [sys.executable, "-m", "datasets", "mnist", "--data-dir", tmp_path, "--mirror", "https://nowhere.invalid/"],
            cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "https_proxy": proxy.url},
        )  # fmt: skip
        try:
            assert asked.wait(60)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert (process.returncode, out, err) == (1, b"", b"interrupted\n")


def test_the_command_is_interrupted_while_it_imports(tmp_path):
    (tmp_path / "numpy.py").write_text("raise KeyboardInterrupt")
    process = subprocess.run(
        [sys.executable, "-m", "datasets", "mnist"], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (process.returncode, process.stdout, process.stderr) == (1, "", "interrupted\n")


# ---- The documentation ----

OTHER_FAULTS = {
    "connection refused": "message: Could not connect",
    "unknown host": "message: Could not resolve host",
    "a name that is looked up for ever": "message: too slow",
    "a mirror that is no URL": "message; the next mirror is asked",
    "a mirror given as one string": "it is one mirror",
    "mirrors that are no strings": "TypeError; nothing is tried",
    "self-signed certificate": "message about certificates; never switched off",
    "a certificate for another name": "message about certificates; never switched off",
    "a list of authorities that is not there": "message with its name; the next mirror is asked",
    "TLS that stalls": "message: too slow",
    "broken TLS data": "message: TLS; nothing about certificates",
    "a login for the mirror in `~/.netrc`, also after a redirect": "it stays there",
    "cookies": "none is sent",
    "a login in the URL of a mirror or a proxy": "it is used there, and shown in no message",
    "a proxy in the environment": "the right file, through the proxy",
    "https through a proxy": "the right file, through the proxy",
    "a proxy that trickles": "message: too slow",
    "a proxy that refuses with a body without end": "message: too slow",
    "a host in `NO_PROXY`": "the right file, not through the proxy",
    "first mirror dead, second fine": "the right file, one line says from where",
    "all mirrors dead": "message with every mirror's reason, the files, their sizes, and where to copy them",
    "a slow mirror, then a good one": "the right file; the second goes on where the first was given up",
    "interrupted, then started again": "the right file, resumed",
    "killed before the complete file got its name": "the right file, without a mirror",
    "a complete part that is wrong": "the right file, anew",
    "eight processes at once": "the right file for all, downloaded once",
    "killed 60 times at random points": "the right file in the end; at no time more than one part beside it",
    "no permission, read-only file system": "message with the folder and what to do",
    "full disk, also at the last byte": "message with the folder and what to do; the part is deleted",
    "a file where the folder should be": "message with the folder and what to do",
    "a folder, pipe or device where a file should be": "message: mend or delete it",
    "a folder, link, pipe or device where a part should be": "message: expected a file or nothing; it is left alone",
    "a file of 100 GB where one should be": "message: mend or delete it; it is not read",
    "a file that cannot be read": "message: mend or delete it",
    "no home directory": "message: choose a folder",
    "an empty name for the folder": "message; nothing is written to the current folder",
    "another user's lock in a shared folder": "the right file",
    "two users, neither of whom can take the lock": "the right file for both, downloaded by both",
    "three processes of a user who cannot take the lock": "the right file for all, downloaded once",
    "another user's part in a shared folder": "the right file; the part is left alone",
    "another user is faster, and their file cannot be replaced": "theirs is taken, if it is right",
    "read-only folder, complete": "the right file",
    "damaged or foreign file in the cache": "message: delete it to download it again",
    "a damaged `.gz` beside a right unpacked file": "the right file",
    "another gzip header or compression": "the right file",
    "a gzip bomb in the cache": "message: delete it to download it again",
    "`download=False`, nothing cached": "message; no connection is made",
    "a folder or `file://` as the mirror": "the right file, or what is wrong with theirs",
    "Ctrl-C, also while the imports run or a proxy floods us": "`python -m datasets` says: interrupted",
    "standard error closed or full": "the right file",
    "standard output closed or full": "`python -m datasets` ends with one line",
    "standard output read by nobody": "`python -m datasets` ends without a word",
    "a folder that the terminal cannot show": "it is shown with escapes such as `\\u03b1`",
}


def table():
    lines = ["| fault | outcome |", "| --- | --- |"]
    for fault, (_, outcome) in FAULTS.items():
        message = f"message: {outcome}".replace(f"{SIZE:,}", "N").replace("|", " or ")
        lines.append(f"| {fault} | {outcome if outcome == RIGHT else message} |")
    return "\n".join([*lines, *(f"| {fault} | {outcome} |" for fault, outcome in OTHER_FAULTS.items())]) + "\n"


def page():
    return (ROOT / "docs" / "data.md").read_text(encoding="utf-8")


def test_the_table_of_faults_is_in_the_documentation():
    assert table() in page()
    assert len(FAULTS) + len(OTHER_FAULTS) >= 70


def test_the_bounds_are_those_of_the_documentation():
    text = " ".join(page().split())
    minutes = module.LONGEST / 60
    for promise in (
        f"begins with {module.PATIENCE:.0f} seconds",
        f"every {module.SLOWEST:,} bytes of the file buy one second more",
        f"never are more than {module.PATIENCE:.0f} seconds in hand",
        f"after {minutes:.0f} minutes it is over",
        f"within {module.CONNECT} seconds",
        f"at most {module.ATTEMPTS} times",
        f"up to {module.REDIRECTS} redirects",
        f"no more than {module.LONGEST_WAIT:.0f} seconds between",
        f"{module.LONGEST_MESSAGE} characters",
        *(f"{len(each.mirrors) * minutes:.0f} minutes for {name}" for name, each in
          {"MNIST": MNIST, "Fashion-MNIST": FASHION_MNIST, "KMNIST": KMNIST}.items()),
    ):  # fmt: skip
        assert promise in text, promise


if __name__ == "__main__":
    print(table())
