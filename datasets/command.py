"""What ``python -m datasets`` does: download, verify and list a data set."""

import argparse
import sys
from collections.abc import Sequence

from datasets.dataset import NAMES, DatasetError, cache_dir
from datasets.download import CacheError, DownloadError
from datasets.fashion_mnist import FASHION_MNIST
from datasets.kmnist import KMNIST
from datasets.mnist import MNIST

DATASETS = {dataset.name: dataset for dataset in (MNIST, FASHION_MNIST, KMNIST)}


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 0 if all files are there and right, otherwise 1, after a line that says why."""
    parser = argparse.ArgumentParser(prog="python -m datasets", description="Download, verify and list a data set.")
    parser.add_argument("name", choices=list(DATASETS))
    parser.add_argument("--data-dir", help="where data sets are kept, a folder for each (default: the user's cache)")
    parser.add_argument("--mirror", action="append", metavar="URL", help="instead of the known mirrors; also a folder")
    parser.add_argument("--check", action="store_true", help="only look at what is there, download nothing")
    options = parser.parse_args(arguments)

    dataset = DATASETS[options.name]
    try:
        folder = cache_dir(options.data_dir) / dataset.name
    except CacheError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    try:
        dataset.complete(folder, not options.check, options.mirror or dataset.mirrors)
    except (DownloadError, CacheError) as error:
        print(f"error: {error}", file=sys.stderr)
    except DatasetError:
        pass  # the list tells it
    print(folder)
    missing = dataset.missing(folder)
    bad = len(missing)
    for name in NAMES:
        verdict = "missing"
        if name not in missing:
            try:
                data, path = dataset.verified(folder, name)
                verdict = f"right, {len(data):,} bytes" + ("" if path.parent == folder else f", in {path.parent}")
            except DatasetError as error:
                verdict, bad = f"DAMAGED: {error}", bad + 1
        print(f"  {name:<26}{verdict}")
    return 1 if bad else 0
