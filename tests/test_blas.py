"""How many BLAS threads a training uses, and that it puts things back."""

import sys

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from nnscratch import SGD, Callback, Dense, Sequential, SoftmaxCrossEntropy, batches, fit
from nnscratch.blas import WORTH_THREADS, blas_threads, largest_product


def now():
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


@pytest.fixture(autouse=True)
def _two_threads():
    with threadpool_limits(2, user_api="blas"):
        if now() != {2}:
            pytest.skip("this BLAS has no threads to choose from")
        yield


@pytest.mark.parametrize(
    ("multiplications", "threads", "expected"),
    [(WORTH_THREADS - 1, None, 1), (WORTH_THREADS, None, 2), (10, 2, 2), (WORTH_THREADS, 1, 1)],
)
def test_small_products_run_on_one_thread_unless_told_otherwise(multiplications, threads, expected, capsys):
    with blas_threads(multiplications, threads, 1):
        assert now() == {expected}
    assert capsys.readouterr().out == ("BLAS threads: 1 (choose with threads=)\n" if expected == 1 else "")
    assert now() == {2}
    with blas_threads(multiplications, threads, 0):
        assert now() == {expected}
    assert capsys.readouterr().out == ""


def test_they_are_put_back_when_something_fails():
    block = blas_threads(10, None, 0)
    block.__enter__()
    assert now() == {1}
    assert not block.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert now() == {2}


def test_without_threadpoolctl_nothing_is_changed(monkeypatch):
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)  # importing it fails
    with blas_threads(10, None, 1):
        assert now() == {2}
    with pytest.raises(ImportError, match="expected threadpoolctl to set threads=2, got no such package: pip install"):
        fit_once(batch_size=10, threads=2)


def fit_once(**arguments):
    """Train 5,000 weights on a batch; the number of threads meanwhile."""
    seen = set()

    class Look(Callback):
        def on_batch_end(self, loss, accuracy):
            seen.update(now())

    model = Sequential([Dense(2, 5, rng=0), Dense(5, 1000, rng=0)])
    x, y = np.ones((20_000, 2), np.float32), np.zeros(20_000, int)
    fit(model, SoftmaxCrossEntropy(), SGD(model), x, y, callbacks=[Look()], **arguments)
    return seen


@pytest.mark.parametrize(
    ("batch_size", "threads", "expected"), [(9999, None, 1), (10_000, None, 2), (20_000, 1, 1), (5000, 2, 2)]
)
def test_fit_goes_by_its_largest_product_and_says_so(batch_size, threads, expected, capsys):
    assert fit_once(batch_size=batch_size, threads=threads) == {expected}
    assert ("BLAS threads: 1" in capsys.readouterr().out) == (expected == 1)
    assert now() == {2}


def test_a_convolution_counts_its_places():
    """Its weights take part once for each place of the output."""

    class Places(Dense):
        def forward(self, x):
            return np.repeat(super().forward(x)[:, np.newaxis], 50, axis=1)  # (N, 50, n_out)

    assert largest_product(Sequential([Dense(4, 6), Dense(6, 3)]), np.ones((9, 4)), 2) == 2 * 24
    assert largest_product(Sequential([Places(4, 6)]), np.ones((9, 4)), 1) == 24 * 50


def test_two_trainings_at_once_leave_the_threads_as_they_were():
    """The one that began first ends first, and the other one ends with its own limit."""
    first, second = (blas_threads(10, threads, 0) for threads in (None, 1))
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert now() == {1}
    second.__exit__(None, None, None)
    assert now() == {2}


def test_a_numpy_integer_as_batch_size_is_no_smaller_number():
    """np.uint8(100) * 784 would overflow."""
    x, y = np.ones((240, 2), np.float32), np.zeros(240, int)
    model, rows = Sequential([Dense(2, 300, rng=0)]), []

    class Rows(Callback):
        def on_train_begin(self, model, epochs, steps):
            rows.append(steps)

    fit(model, SoftmaxCrossEntropy(), SGD(model), x, y, batch_size=np.uint8(100), callbacks=[Rows()], verbose=0)
    assert rows == [3]
    assert [len(xb) for xb, _ in batches(x, y, np.uint8(100))] == [100, 100, 40]
