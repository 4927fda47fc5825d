"""How many threads the matrix products use: NumPy leaves that to BLAS, which takes one for each
core."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# With fewer multiplications than that in its largest product, a step is faster on one thread. And
# threads wait for each other by spinning: when any other process is busy on the machine, they
# mostly wait (docs/speed.md has the figures). The size decides and not a clock: another number of
# threads may give other last bits, and the same seed is to give the same weights.
WORTH_THREADS = 50_000_000


@contextmanager
def blas_threads(model: Any, batch_size: int, threads: int | None, verbose: int) -> Iterator[None]:
    """While the block runs: ``threads`` threads; if None, one where products are small, else as
    many as ever.

    This is the work of threadpoolctl; where it is not installed nothing is changed. ``verbose``
    says what was changed. Errors: ImportError for a number of threads without threadpoolctl.
    """
    largest_product = batch_size * max(p.value.size for p in model.parameters)
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
    if threads is None and largest_product >= WORTH_THREADS:
        yield
        return
    controller, wanted = ThreadpoolController(), threads or 1
    blas = controller.select(user_api="blas").info()
    if verbose and any(library["num_threads"] != wanted for library in blas):
        print(f"BLAS threads: {wanted} (choose with threads=)")
    with controller.limit(limits=wanted, user_api="blas"):
        yield
