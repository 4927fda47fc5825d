"""How many threads the matrix products use: NumPy leaves that to its BLAS library, which takes one for each core."""

from collections.abc import Iterator
from contextlib import contextmanager

# With fewer multiplications than that in its largest product, a step is faster on one thread. And threads wait for each
# other by spinning: when any other process is busy on the machine, they mostly wait (docs/speed.md has the figures).
# The size decides and not a clock: another number of threads may give other last bits, and the same seed is to give
# the same weights.
WORTH_THREADS = 50_000_000


@contextmanager
def blas_threads(multiplications: int, threads: int | None = None) -> Iterator[str]:
    """While the block runs: ``threads`` threads, or, if None, one if the products are small and else as many as ever.

    Yields what was changed, in words, or "". This is the work of threadpoolctl; where it is not installed nothing is
    changed. Errors: ImportError for a number of threads without threadpoolctl.
    """
    if threads is None and multiplications >= WORTH_THREADS:
        yield ""
        return
    try:
        from threadpoolctl import ThreadpoolController
    except ImportError as error:
        if threads is not None:
            raise ImportError(
                f"expected threadpoolctl to set threads={threads}, got no such package: pip install threadpoolctl"
            ) from error
        yield ""
        return
    controller, wanted = ThreadpoolController(), threads or 1
    changed = any(library["num_threads"] != wanted for library in controller.select(user_api="blas").info())
    with controller.limit(limits=wanted, user_api="blas"):
        yield f"BLAS threads: {wanted} (choose with threads=)" if changed else ""
