"""Throw bytes at ``idx.read``, guided by what they reach: ``python -m tests.fuzz_idx -runs=1000000`` (needs atheris).

Anything but an array or an IDXError ends it with the bytes that did it; so does memory beyond -rss_limit_mb.
"""

import gzip
import sys

import atheris

with atheris.instrument_imports(include=["datasets"]):
    from datasets import idx


def throw(data):
    # As they come; as an IDX file's rest; packed; and as a gzip file's rest.
    forms = (data, b"\0\0" + data, gzip.compress(b"\0\0" + data, 1), b"\x1f\x8b\x08\0" + data)
    try:
        array = idx.read(forms[data[0] % 4 if data else 0])
    except idx.IDXError:
        return
    assert array.nbytes <= 2**20


if __name__ == "__main__":
    atheris.Setup(sys.argv, throw)
    atheris.Fuzz()
