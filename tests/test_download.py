"""Everything that can go wrong on the way of a file, and what comes of it: the right bytes, or nothing and a message.

``python -m tests.test_download`` prints the table of faults in docs/data.md.
"""

import errno
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from datasets import download as module
from datasets.__main__ import main
from datasets.dataset import DatasetError
from datasets.download import CacheError, DownloadError
from tests.tiny import (
    FIRST,
    NAMES,
    PACKED,
    PLAIN,
    Server,
    assert_right,
    body,
    cut,
    endless,
    plain,
    slowly,
    status,
    tiny,
    without_range,
)

ROOT = Path(__file__).parent.parent
SIZE = len(PACKED[FIRST])
RIGHT = "the right file"


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    for name, value in {
        "TIMEOUT": (1, 0.4), "PATIENCE": 0.2, "SLOWEST": 100_000, "BACKOFF": 0.01, "LONGEST_WAIT": 0.05,
    }.items():  # fmt: skip
        monkeypatch.setattr(module, name, value)
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def flip(data):
    return data[: SIZE // 4] + bytes(255 - b for b in data[SIZE // 4 : SIZE // 3]) + data[SIZE // 3 :]


# Fault: (what the server answers to one request after the other, the last one for ever; the outcome). An outcome other
# than RIGHT is what the message says.
HALF = SIZE // 2
FAULTS = {
    "403 Forbidden": ([status(403)], "403 Client Error"),
    "404 Not Found": ([status(404)], "404 Client Error"),
    "500 for ever": ([status(500)], "500 Server Error"),
    "500 once": ([status(500), plain], RIGHT),
    "503 with Retry-After, then fine": ([status(503, Retry_After=0), plain], RIGHT),
    "503 with a Retry-After of an hour": ([status(503, Retry_After=3600)], "503 Server Error"),
    "503 without Retry-After, then fine": ([status(503), plain], RIGHT),
    "429 Too Many Requests, then fine": ([status(429), plain], RIGHT),
    "a redirect": ([status(302, Location=f"/elsewhere/{FIRST}"), plain], RIGHT),
    "a redirect loop": ([status(302, Location=f"/{FIRST}")], "Exceeded 30 redirects"),
    "an HTML page with status 200": ([body(b"<html>not here</html>")], f"expected {SIZE:,} bytes, got 21"),
    "an HTML page of the right length": ([body(b"<html>".ljust(SIZE))], "expected SHA-256"),
    "wrong bytes of the right length": ([body(flip)], "expected SHA-256"),
    "gzip of other content": ([body(PACKED[f"{NAMES[2]}.gz"])], f"expected {SIZE:,} bytes, got"),
    "an empty body": ([body(b"")], f"expected {SIZE:,} bytes, got 0"),
    "fewer bytes than announced, for ever": ([body(b"\x1f\x8b", Content_Length=SIZE)], "IncompleteRead"),
    "a body without end": ([endless], f"expected {SIZE:,} bytes, got more"),
    "a file with more bytes": ([body(lambda data: data + b"!")], f"expected {SIZE:,} bytes, got more"),
    "cut, then resumed with Range": ([cut(HALF), plain], RIGHT),
    "cut twice, then resumed": ([cut(HALF), cut(HALF + 9_999), plain], RIGHT),
    "cut after the first byte": ([cut(1), plain], RIGHT),
    "cut, and the server knows no Range": ([cut(HALF), without_range], RIGHT),
    "cut, then 206 with a wrong Content-Range": (
        [cut(HALF), lambda h, d: h.start(206, Content_Length=0, Content_Range="bytes 0-9/10"), plain], RIGHT,
    ),
    "cut, then 416": ([cut(HALF), status(416), plain], RIGHT),
    "cut, and the file changed meanwhile": ([cut(HALF, flip), plain], RIGHT),
    "cut at the same byte for ever": ([cut(HALF)], "Connection broken"),
    "a slow trickle": ([slowly(1_000, 0.02)], "got only"),
    "stalled before the first byte": ([slowly(0, 9)], "Read timed out"),
    "stalled in the middle": ([slowly(HALF, 9)], "Read timed out"),
}  # fmt: skip


def leftovers(folder):
    """What lies in the folder besides whole files: at most one part of each file, and the lock."""
    names = {path.name for path in folder.iterdir()}
    assert names <= {".lock", *PACKED, *(f".{name}.part" for name in PACKED)}
    return names - {".lock", *PACKED}


@pytest.mark.parametrize(("script", "outcome"), FAULTS.values(), ids=FAULTS)
def test_fault(script, outcome, tmp_path, capfd):
    folder = tmp_path / "tiny"
    with Server(*script) as server:
        if outcome == RIGHT:
            assert_right(tiny(server.url).load_data(tmp_path))
            assert capfd.readouterr().err == f"tiny: downloaded from {server.url} into {folder}\n"
            assert leftovers(folder) == set()
            return
        with pytest.raises(DownloadError, match=outcome) as caught:
            tiny(server.url).load_data(tmp_path)
        assert f"{server.url}{FIRST}: " in str(caught.value)
        assert not (folder / FIRST).exists()
        assert leftovers(folder) <= {f".{FIRST}.part"}
    # The next mirror, or the next day, is better. What is left of the last attempt does no harm.
    with Server() as good:
        assert_right(tiny(server.url, good.url).load_data(tmp_path))
        assert leftovers(folder) == set()


def test_no_server_makes_us_wait_for_an_hour(tmp_path, monkeypatch):
    waits = []
    monkeypatch.setattr("urllib3.util.retry.time.sleep", waits.append)
    with Server(status(503, Retry_After=3600)) as server, pytest.raises(DownloadError):
        tiny(server.url).load_data(tmp_path)
    assert waits == [module.LONGEST_WAIT] * (module.ATTEMPTS - 1)


def test_resuming_asks_for_the_rest_only(tmp_path):
    with Server(cut(HALF), plain) as server:
        assert_right(tiny(server.url).load_data(tmp_path))
        ranges = [headers.get("Range") for path, headers in server.requests if path == f"/{FIRST}"]
    assert len(ranges) == 2
    assert ranges[0] is None
    assert 0 < int(re.fullmatch(r"bytes=(\d+)-", ranges[1]).group(1)) <= HALF


def test_the_part_of_an_interrupted_download_is_gone_on_with(tmp_path, monkeypatch):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    with Server(cut(HALF), plain) as server:
        with monkeypatch.context() as patch:
            patch.setattr(module, "_size", lambda path: interrupted() if path.exists() else 0)
            with pytest.raises(KeyboardInterrupt):
                tiny(server.url).load_data(tmp_path)
        assert leftovers(tmp_path / "tiny") == {f".{FIRST}.part"}
        assert_right(tiny(server.url).load_data(tmp_path))
        assert server.requests[1][1]["Range"].startswith("bytes=")
    assert leftovers(tmp_path / "tiny") == set()


def test_the_bytes_are_on_the_disk_before_the_name_is(tmp_path, monkeypatch):
    calls, fsync, replace = [], os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda file: calls.append("fsync") or fsync(file))
    monkeypatch.setattr(os, "replace", lambda *paths: calls.append("replace") or replace(*paths))
    with Server() as server:
        tiny(server.url).load_data(tmp_path)
    assert calls == ["fsync", "replace"] * 4


def test_we_say_who_we_are(tmp_path):
    with Server() as server:
        tiny(server.url).load_data(tmp_path)
        headers = {(h["User-Agent"], h["Accept-Encoding"]) for _, h in server.requests}
        assert headers == {("nnscratch", "identity")}


def test_a_wrong_server_cannot_fill_the_disk(tmp_path):
    with Server(endless) as server:
        with pytest.raises(DownloadError):
            tiny(server.url).load_data(tmp_path)
        assert server.sent < 20 * SIZE  # what was under way when the connection was closed


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
        assert f"{one.url}{FIRST}: 404" in message
        assert f"{other.url}{FIRST}: 403" in message
        assert f"copy these files into {tmp_path / 'tiny'}" in message
        for name, data in PACKED.items():
            assert f"{name}  {len(data):,} bytes" in message
        assert message.endswith(f"They can be had from\n  {one.url}\n  {other.url}")


def test_refused_connection_and_unknown_host(tmp_path):
    with pytest.raises(DownloadError) as caught:
        tiny("http://127.0.0.1:9/", "http://nowhere.invalid/").load_data(tmp_path)
    assert re.search(r"127\.0\.0\.1:9/.*refused", str(caught.value))
    assert re.search(r"nowhere\.invalid/.*resolve", str(caught.value))


def test_a_self_signed_certificate(tmp_path):
    trustme = pytest.importorskip("trustme")
    certificate = trustme.CA().issue_cert("127.0.0.1")
    with Server(certificate=certificate) as server:
        with pytest.raises(DownloadError, match=r"certificate was not accepted.*verification is never switched off"):
            tiny(server.url).load_data(tmp_path)
        assert server.requests == []


@pytest.mark.parametrize("scheme", ["folder", "file"])
def test_a_folder_as_a_mirror(scheme, tmp_path):
    source = tmp_path / "my source"
    source.mkdir()
    mirror = source.as_uri() if scheme == "file" else str(source)
    with pytest.raises(DownloadError, match="No such file"):
        tiny(mirror).load_data(tmp_path / "cache")
    for name, data in PACKED.items():
        (source / name).write_bytes(data)
    (source / FIRST).write_bytes(b"other")
    with pytest.raises(DownloadError, match=f"expected {SIZE:,} bytes, got 5"):
        tiny(mirror).load_data(tmp_path / "cache")
    (source / FIRST).write_bytes(flip(PACKED[FIRST]))
    with pytest.raises(DownloadError, match="expected SHA-256"):
        tiny(mirror).load_data(tmp_path / "cache")
    (source / FIRST).write_bytes(PACKED[FIRST])
    assert_right(tiny(mirror).load_data(tmp_path / "cache"))


def test_a_proxy_from_the_environment(tmp_path, monkeypatch):
    with Server() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        assert_right(tiny("http://nowhere.invalid/").load_data(tmp_path))
        assert proxy.requests[0][0] == f"http://nowhere.invalid/{FIRST}"


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
def test_a_full_disk(tmp_path):
    """A real one: the operating system allows no file of more than 100,000 bytes."""
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000));"
        "from tests.tiny import tiny; tiny(sys.argv[1]).load_data(sys.argv[2])"
    )
    with Server() as server:
        process = subprocess.run(
            [sys.executable, "-c", code, server.url, str(tmp_path)], cwd=ROOT, capture_output=True, text=True
        )
    assert f"CacheError: {tmp_path / 'tiny'}: the disk, or your share of it, is full" in process.stderr
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


# ---- Several processes ----


def load_elsewhere(url, folder):
    return subprocess.Popen(
        [sys.executable, "-m", "tests.tiny", url, str(folder)], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
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


def test_the_command(tmp_path, capsys, monkeypatch):
    with Server() as server:
        monkeypatch.setitem(sys.modules["datasets.__main__"].DATASETS, "mnist", tiny("http://127.0.0.1:9/"))
        assert main(["mnist", "--data-dir", str(tmp_path), "--check"]) == 1
        assert capsys.readouterr().out.count("missing") == 4
        assert main(["mnist", "--data-dir", str(tmp_path)]) == 1
        assert "refused" in capsys.readouterr().err
        assert main(["mnist", "--data-dir", str(tmp_path), "--mirror", "/nowhere", "--mirror", server.url]) == 0
        assert capsys.readouterr().out.count("right") == 4
    (tmp_path / "tiny" / FIRST).write_bytes(b"!")
    assert main(["mnist", "--data-dir", str(tmp_path), "--check"]) == 1
    out = capsys.readouterr().out
    assert out.count("right") == 3
    assert "DAMAGED" in out


# ---- The table in the documentation ----

OTHER_FAULTS = {
    "connection refused": "message: refused",
    "unknown host": "message: failed to resolve",
    "self-signed certificate": "message about certificates; never switched off",
    "first mirror dead, second fine": "the right file, one line says from where",
    "all mirrors dead": "message with every mirror's reason, the files, their sizes, and where to copy them",
    "interrupted, then started again": "the right file, resumed",
    "eight processes at once": "the right file for all, downloaded once",
    "killed 60 times at random points": "the right file in the end; at no time more than one part beside it",
    "no permission, read-only file system": "message with the folder and what to do",
    "full disk": "message with the folder and what to do; the part is deleted",
    "a file where the folder should be": "message with the folder and what to do",
    "read-only folder, complete": "the right file",
    "damaged or foreign file in the cache": "message: delete it to download it again",
    "`download=False`, nothing cached": "message; no connection is made",
    "a proxy in the environment": "the right file, through the proxy",
    "a folder or `file://` as the mirror": "the right file, or what is wrong with theirs",
}


def table():
    lines = ["| fault | outcome |", "| --- | --- |"]
    for fault, (_, outcome) in FAULTS.items():
        message = f"message: {outcome}".replace(f"{SIZE:,}", "N")
        lines.append(f"| {fault} | {outcome if outcome == RIGHT else message} |")
    return "\n".join([*lines, *(f"| {fault} | {outcome} |" for fault, outcome in OTHER_FAULTS.items())]) + "\n"


def test_the_table_of_faults_is_in_the_documentation():
    assert table() in (ROOT / "docs" / "data.md").read_text(encoding="utf-8")


if __name__ == "__main__":
    print(table())
