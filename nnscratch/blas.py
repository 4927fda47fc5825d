"""How many threads the matrix products use: NumPy leaves that to BLAS, which takes all cores."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from nnscratch import memory
from nnscratch.layers import Layer
from nnscratch.parameter import Array
from nnscratch.search import find

# With fewer multiplications than that in its largest product, a step is faster on one thread. And
# threads wait for each other by spinning: when any other process is busy on the machine, they
# mostly wait (docs/speed.md has the figures). The size decides and not a clock: another number of
# threads may give other last bits, and the same seed is to give the same weights.
WORTH_THREADS = 50_000_000

# Trainings in several Python threads share one BLAS: the last of them to end puts back what the
# first one found.
_lock = threading.Lock()
_running = 0
_first: Any = None


@contextmanager
def blas_threads(multiplications: int, threads: int | None, verbose: int) -> Iterator[None]:
    """While the block runs: ``threads`` threads; if None, one where the largest product has so few
    multiplications that it is faster on one, else as many as ever.

    This is the work of threadpoolctl; where it is not installed nothing is changed. ``verbose``
    says what was changed. Errors: ImportError for a number of threads without threadpoolctl.
    """
    try:
        from threadpoolctl import ThreadpoolController
    except ImportError as error:
        if threads is not None:
            raise ImportError(
                f"expected threadpoolctl to set threads={threads}, got no such package: "
                "pip install threadpoolctl"
            ) from error
        yield
        return
    if threads is None and multiplications >= WORTH_THREADS:
        yield
        return
    controller, wanted = ThreadpoolController(), threads or 1
    blas = controller.select(user_api="blas").info()
    if verbose and any(library["num_threads"] != wanted for library in blas):
        print(f"BLAS threads: {wanted} (choose with threads=)")
    global _running, _first
    with _lock:
        limit = controller.limit(limits=wanted, user_api="blas")
        _first = _first if _running else limit
        _running += 1
    try:
        yield
    finally:
        with _lock:
            _running -= 1
            if not _running:
                _first.restore_original_limits()


def largest_product(model: Any, x: Array, batch_size: int) -> int:
    """The multiplications in the largest product of any layer, for a batch of such rows as x has.

    Each of a layer's weights takes part once for every row of its output: in y (1, n_out) that is
    one, in the y (1, height, width, filters) of a convolution height * width, in the y (1, length,
    n_out) of an attention layer its length.
    """
    x, largest = x[:1], 0
    with memory.kept(model, find(Layer, model.layers)):
        for layer in model.layers:
            x = layer.forward(x)
            weights = max((p.value.size for p in layer.parameters), default=0)
            largest = max(largest, weights * x[..., 0].size)
    return int(batch_size) * largest
