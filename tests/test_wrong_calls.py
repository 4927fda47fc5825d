"""Wrong calls are explained, and change nothing; unusual right ones work. The table is in ``wrong_calls.py``."""

import numpy as np
import pandas as pd
import pytest

from nnscratch import Adam, SoftmaxCrossEntropy, advice, evaluate, fit
from tests.wrong_calls import CALLS, FILE_CALLS, X, Y, model


@pytest.mark.parametrize(("call", "error", "words"), CALLS.values(), ids=CALLS)
def test_the_message_says_what_was_expected_what_came_and_what_to_do(call, error, words):
    with pytest.raises(error) as caught:
        call()
    message = "\n".join([str(caught.value), *getattr(caught.value, "__notes__", [])])
    assert words in message
    assert message.index("expected") < message.index("got")


@pytest.mark.parametrize(("call", "error", "words"), FILE_CALLS.values(), ids=FILE_CALLS)
def test_so_do_those_about_files(call, error, words, tmp_path):
    with pytest.raises(error) as caught:
        call(tmp_path / "weights.npz")
    message = str(caught.value)
    assert words in message
    assert str(tmp_path) in message
    assert message.index("expected") < message.index("got")


@pytest.mark.parametrize("row", [0, 999, 1000, 2000])
def test_the_row_that_is_not_finite_is_found(row):
    x = np.ones((2001, 2))
    x[row, 1] = -np.inf
    with pytest.raises(ValueError, match=f"x: expected finite numbers, got -inf in row {row}: mend"):
        advice.finite(x, "x")


def backwards(array):
    return array[::-1].copy()[::-1]


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


UNUSUAL = {
    "backwards in memory": backwards,
    "columns in memory": np.asfortranarray,
    "every other one": lambda array: np.repeat(array, 2, axis=0)[::2],
    "big-endian": lambda array: array.astype(array.dtype.newbyteorder(">")),
    "read-only": read_only,
    "a pandas frame": lambda array: (pd.DataFrame if array.ndim > 1 else pd.Series)(array, index=range(50, 60)),
    "lists": lambda array: array.tolist(),
    "64 bits": lambda array: array.astype(float if array.dtype.kind == "f" else np.int64),
}


@pytest.mark.parametrize("unusual", UNUSUAL.values(), ids=UNUSUAL)
def test_unusual_arrays_are_as_good_as_any(unusual):
    def train(x, y):
        learner, loss = model(), SoftmaxCrossEntropy()
        history = fit(
            learner, loss, Adam(learner), x, y, epochs=2, batch_size=4, validation_split=0.2, rng=0, verbose=0
        )
        return history, learner.theta.tobytes(), learner.predict(x).tobytes(), evaluate(learner, loss, x, y)

    x, y = X.astype(np.float32), Y.astype(np.int32)
    assert train(unusual(x), unusual(y)) == train(x, y)
