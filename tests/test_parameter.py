import copy
import pickle

import numpy as np
import pytest

from nnscratch import Dense, Parameter, Sequential


def test_assigning_copies_and_the_view_stays():
    dense = Dense(2, 3)
    model = Sequential([dense])
    dense.W.value = np.arange(6.0).reshape(2, 3)
    dense.W.grad = np.full((2, 3), 7.0)
    assert model.theta.tolist() == [0, 1, 2, 3, 4, 5, 0, 0, 0]
    assert model.grad.tolist() == [7] * 6 + [0] * 3
    dense.b.value += 1
    assert model.theta.tolist()[6:] == [1, 1, 1]
    model.theta -= 1
    assert dense.W.value.tolist() == [[-1, 0, 1], [2, 3, 4]]
    with pytest.raises(ValueError, match=r"value of W: expected shape \(2, 3\), got \(3,\)"):
        dense.W.value = np.zeros(3)
    with pytest.raises(ValueError, match=r"theta: expected shape \(9,\), got \(\)"):
        model.theta = 0.0


def test_the_callers_array_is_copied():
    array = np.zeros(3)
    parameter = Parameter(array)
    parameter.value += 1
    assert array.tolist() == [0, 0, 0]


@pytest.mark.parametrize("value", [[1, 2], np.zeros(2, np.float16), ["a"]])
def test_only_floats(value):
    with pytest.raises(TypeError, match="expected float32 or float64"):
        Parameter(value)


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_copied_model_has_its_own_theta(clone):
    model = Sequential([Dense(2, 3, rng=0)])
    twin = clone(model)
    assert (twin.theta == model.theta).all()
    assert [p.name for p in twin.parameters] == ["W", "b"]
    twin.theta += 1
    assert (twin.layers[0].W.value == model.layers[0].W.value + 1).all()
    model.theta[:] = 0
    assert not (twin.theta == 0).any()
