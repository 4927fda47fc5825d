"""What makes training fast, counted instead of timed: memory that a step takes, passes over theta, denormal numbers."""

import tracemalloc

import numpy as np
import pytest

from nnscratch import Adam, Dense, ReLU, Sequential, Sigmoid, SparseCrossEntropy, batches, fit


def learner(hidden=100):
    model = Sequential([Dense(784, hidden, rng=0), ReLU(), Dense(hidden, 10, rng=1), Sigmoid()])
    return model, SparseCrossEntropy(), Adam(model)


def step(model, loss, optimizer, x, y):
    loss.forward(model.forward(x, training=True), y)
    model.backward(loss.backward())
    optimizer.step()


@pytest.fixture
def peak():
    """A function that says how much memory in bytes a call takes at once, at most, beyond what was there before."""

    def measured(work, *arguments):
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        work(*arguments)
        return tracemalloc.get_traced_memory()[1] - before

    tracemalloc.start()
    yield measured
    tracemalloc.stop()


def test_a_step_takes_no_memory_of_the_size_of_the_weights(sample, peak):
    """But for every 64th, in which Adam looks for negligible moments."""
    parts = learner()
    x, y = sample[0][:32], sample[1][:32]
    step(*parts, x, y)
    peaks = [peak(step, *parts, x, y) for _ in range(127)]
    largest = parts[0].parameters[0].value.nbytes
    assert sum(size > largest / 2 for size in peaks) == 2


class Counted(np.ndarray):
    """An array that counts the operations it takes part in, each of them a pass over its memory."""

    passes = 0

    def __array_ufunc__(self, ufunc, method, *inputs, out=(), **options):
        Counted.passes += 1
        plain = [each.view(np.ndarray) if isinstance(each, Counted) else each for each in (*inputs, *out)]
        getattr(ufunc, method)(*plain[: len(inputs)], out=tuple(plain[len(inputs) :]) or None, **options)
        return out[0] if out else NotImplemented


def test_adam_passes_over_theta_ten_times():
    """2 for m, 3 for v, 5 from the root to the step."""
    model, _, optimizer = learner()
    for owner in (model, optimizer):
        for name, value in vars(owner).items():
            if isinstance(value, np.ndarray):
                vars(owner)[name] = value.view(Counted)
    Counted.passes = 0
    optimizer.step()
    assert Counted.passes == 10


def test_training_takes_no_copy_of_the_data(sample, peak):
    """Beyond the caller's arrays: a few vectors of the size of theta, one batch, and little else."""
    x, y, *_ = sample
    parts = learner()
    assert peak(lambda: fit(*parts, x, y, rng=0, verbose=0)) < 6 * parts[0].theta.nbytes + 3e6 < x.nbytes


def denormals(optimizer):
    tiny = np.finfo(np.float32).tiny
    return sum(np.count_nonzero((moment != 0) & (np.abs(moment) < tiny)) for moment in (optimizer.m, optimizer.v))


def test_no_denormals_after_2000_steps_on_real_digits(sample):
    x, y, *_ = sample
    kept, cleared = learner(hidden=20), learner(hidden=20)
    kept[2].negligible = 0.0
    for parts in (kept, cleared):
        rng = np.random.default_rng(0)
        source = (pair for _ in range(7) for pair in batches(x, y, rng=rng))
        for _ in range(2000):
            step(*parts, *next(source))
    assert denormals(cleared[2]) == 0
    assert denormals(kept[2]) > 10  # which is what they would be


def test_no_array_is_turned_into_words_unless_something_is_wrong(sample):
    """An error message that is put together before it is needed cost a hundred times the prediction of a row."""

    def refuse(number):
        raise AssertionError("an array was formatted")

    parts = learner(hidden=20)
    x, y = sample[0][:40], sample[1][:40]
    with np.printoptions(formatter={"all": refuse}):
        parts[0].predict(x[:1])
        fit(*parts, x, y, validation_split=0.2, verbose=0)
        with pytest.raises(AssertionError):
            str(x)
