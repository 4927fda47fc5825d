"""Getting one file from the first mirror that has it: whole and verified under its name, or not at all."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from nnscratch.files import replacing

TIMEOUT = (5, 30)  # seconds to connect; seconds of silence while reading
HEADERS = {
    "User-Agent": "nnscratch",
    "Accept-Encoding": "identity",  # the files are gzipped already and are verified as they are
}


class DownloadError(OSError):
    """No mirror delivered the file."""


def download(url_bases: Sequence[str], path: Path, size: int, sha256: str) -> None:
    """Download ``path.name`` from the first of the mirrors that delivers ``size`` bytes with this SHA-256 sum.

    Errors: DownloadError, listing what went wrong at each mirror; OSError when ``path`` cannot be written.
    """
    # Here, because reading cached files needs neither.
    import requests
    from tqdm import tqdm

    problems = []
    for base in url_bases:
        url = base + path.name
        try:
            with replacing(path) as file, requests.get(url, stream=True, timeout=TIMEOUT, headers=HEADERS) as response:
                response.raise_for_status()
                digest, received = hashlib.sha256(), 0
                with tqdm(total=size, desc=path.name, unit="B", unit_scale=True, disable=None, leave=False) as bar:
                    for chunk in response.iter_content(1 << 16):
                        received += len(chunk)
                        if received > size:  # a wrong file must not fill the disk
                            break
                        digest.update(chunk)
                        file.write(chunk)
                        bar.update(len(chunk))
                if received != size:
                    more = "more" if received > size else f"{received:,}"
                    raise DownloadError(f"expected {size:,} bytes, got {more}")
                if digest.hexdigest() != sha256:
                    raise DownloadError(f"expected SHA-256 {sha256}, got {digest.hexdigest()}")
            return
        except (requests.RequestException, DownloadError) as error:
            problems.append(f"  {url}: {error}")
    raise DownloadError("no mirror delivered the file:\n" + "\n".join(problems))
