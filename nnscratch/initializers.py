"""Where training starts: random weights of a size at which signals neither grow nor die."""

import math
from typing import Any

import numpy as np

from nnscratch.parameter import Array

Rng = np.random.Generator | int | None


def glorot_uniform(n_in: int, n_out: int, *, rng: Rng = None, dtype: Any = np.float32) -> Array:
    """W (n_in, n_out), uniform in +-sqrt(6 / (n_in + n_out)): between what keeps the variance of y = x W and that of
    dx = dy Wᵀ. Glorot & Bengio 2010, eq. 16."""
    limit = math.sqrt(6 / (n_in + n_out))
    return np.random.default_rng(rng).uniform(-limit, limit, (n_in, n_out)).astype(dtype)


def he_uniform(n_in: int, n_out: int, *, rng: Rng = None, dtype: Any = np.float32) -> Array:
    """W (n_in, n_out), uniform in +-sqrt(6 / n_in): Var W = 2 / n_in makes up for the half that a ReLU throws away.
    He et al. 2015, eq. 10. To use it: ``dense.W.value = he_uniform(784, 100)``."""
    limit = math.sqrt(6 / n_in)
    return np.random.default_rng(rng).uniform(-limit, limit, (n_in, n_out)).astype(dtype)


def zeros(*shape: int, dtype: Any = np.float32) -> Array:
    """For biases. Weights that start at zero would stay equal to each other for ever."""
    return np.zeros(shape, dtype)
