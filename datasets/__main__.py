"""Download, verify and list a data set: ``python -m datasets mnist``."""

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
    parser = argparse.ArgumentParser(prog="python -m datasets", description="Download, verify and list a data set.")
    parser.add_argument("name", choices=list(DATASETS))
    parser.add_argument("--data-dir", help="where data sets are kept, a folder for each (default: the user's cache)")
    parser.add_argument("--mirror", action="append", metavar="URL", help="instead of the known mirrors; also a folder")
    parser.add_argument("--check", action="store_true", help="only look at what is there, download nothing")
    options = parser.parse_args(arguments)

    dataset = DATASETS[options.name]
    folder = cache_dir(options.data_dir) / dataset.name
    try:
        dataset.complete(folder, not options.check, options.mirror or dataset.mirrors)
    except (DownloadError, CacheError, DatasetError) as error:
        print(f"error: {error}", file=sys.stderr)
    print(folder)
    missing = dataset.missing(folder)
    bad = len(missing)
    for name in NAMES:
        verdict = "missing"
        if name not in missing:
            try:
                verdict = f"right, {len(dataset.verified(folder, name)):,} bytes"
            except DatasetError as error:
                verdict, bad = f"DAMAGED: {error}", bad + 1
        print(f"  {name:<26}{verdict}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
