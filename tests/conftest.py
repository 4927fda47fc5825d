"""Settings for all tests."""

import os

# One BLAS thread: the products in the tests are small, and several tests run at once. Before NumPy is imported.
for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import numpy as np
import pytest
from hypothesis import settings

from datasets import mnist

collect_ignore = ["record_keras.py", "record_torch.py", "fuzz_idx.py"]  # programs, which need Keras, PyTorch, atheris

settings.register_profile("nnscratch", deadline=None, derandomize=True)
settings.load_profile("nnscratch")


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def sample():
    """The sample of MNIST, scaled and flattened: x_train (10000, 784), y_train, x_test (2000, 784), y_test."""
    (x_train, y_train), (x_test, y_test) = mnist.load_sample()
    x_train, x_test = (x.reshape(-1, 784) / np.float32(255) for x in (x_train, x_test))
    return x_train, y_train, x_test, y_test
