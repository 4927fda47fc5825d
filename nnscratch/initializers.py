"""Where training starts: random weights of a size at which signals neither grow nor die.

Where the square root of 6 comes from: y = x W sums n_in products of independent numbers of mean 0,
so Var y = n_in Var W Var x, and y is as large as x if Var W = 1 / n_in. Backwards, dx = dy Wᵀ sums
n_out products, and asks for 1 / n_out. Glorot & Bengio put the mean of n_in and n_out there: Var W
= 2 / (n_in + n_out). A uniform distribution between -limit and limit has the variance limit² / 3:
hence limit = sqrt(6 / (n_in + n_out)). Biases may start at zero. Weights may not: all units of a
layer would get the same gradient, and stay the same unit.
"""

import math
from typing import Any

import numpy as np

from nnscratch.parameter import Array

Rng = np.random.Generator | int | None


def glorot_uniform(n_in: int, n_out: int, *, rng: Rng = None, dtype: Any = np.float32) -> Array:
    """W (n_in, n_out), uniform in +-sqrt(6 / (n_in + n_out)). Glorot & Bengio 2010, eq. 16."""
    limit = math.sqrt(6 / (n_in + n_out))
    return np.random.default_rng(rng).uniform(-limit, limit, (n_in, n_out)).astype(dtype)


def he_uniform(n_in: int, n_out: int, *, rng: Rng = None, dtype: Any = np.float32) -> Array:
    """W (n_in, n_out), uniform in +-sqrt(6 / n_in): Var W = 2 / n_in makes up for the half that a
    ReLU throws away. He et al. 2015, eq. 10. Use: ``dense.W.value = he_uniform(784, 100)``."""
    limit = math.sqrt(6 / n_in)
    return np.random.default_rng(rng).uniform(-limit, limit, (n_in, n_out)).astype(dtype)
