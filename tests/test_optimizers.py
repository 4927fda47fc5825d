import math

import numpy as np
import pytest

from nnscratch import SGD, Adam, Dense, Layer, Optimizer, Parameter, ReLU, Sequential


def model_at(*theta, dtype=np.float64):
    """A model of two parameters, W and b of Dense(1, 1)."""
    model = Sequential([Dense(1, 1, dtype=dtype)])
    model.theta = theta
    return model


def test_sgd_by_hand():
    model = model_at(1.0, 2.0)
    optimizer = SGD(model, learning_rate=0.1)
    model.grad[:] = [10, -1]
    optimizer.step()
    assert model.theta.tolist() == [1 - 0.1 * 10, 2 + 0.1 * 1]


def test_a_learning_rate_that_changes_acts_on_new_gradients_only():
    model = model_at(1.0, 2.0)
    optimizer = SGD(model, learning_rate=0.1, momentum=0.5)
    model.grad[:] = [10, 0]
    optimizer.step()  # velocity -1
    optimizer.learning_rate = 0.01
    optimizer.step()  # velocity 0.5 (-1) - 0.1 = -0.6
    assert model.theta == pytest.approx([-0.6, 2])


@pytest.mark.parametrize("kind", [SGD, Adam])
def test_numpy_scalars_do_not_turn_float32_into_float64(kind, monkeypatch):
    model = model_at(1.0, 2.0, dtype=np.float32)
    values = {"learning_rate": np.float64(0.1), "weight_decay": np.float64(0.1)}
    optimizer = kind(model, **values, **({"momentum": np.float64(0.5)} if kind is SGD else {"beta_1": np.float64(0.9)}))
    twin = model_at(1.0, 2.0, dtype=np.float32)
    plain = {name: float(value) for name, value in values.items()}
    other = kind(twin, **plain, **({"momentum": 0.5} if kind is SGD else {"beta_1": 0.9}))
    for _ in range(3):
        model.grad[:] = twin.grad[:] = [3, -1]
        optimizer.step()
        other.step()
    assert model.theta.tobytes() == twin.theta.tobytes()


def test_an_epsilon_that_float32_cannot_hold():
    with pytest.raises(ValueError, match=r"expected epsilon >= 1\.2e-38 and finite, got 1e-50"):
        Adam(model_at(0.0, 0.0, dtype=np.float32), epsilon=1e-50)


def test_sgd_with_momentum_by_hand():
    model = model_at(1.0, 2.0)
    optimizer = SGD(model, learning_rate=0.1, momentum=0.5)
    model.grad[:] = [10, 0]
    optimizer.step()  # velocity -1
    assert model.theta.tolist() == [0, 2]
    optimizer.step()  # velocity 0.5 (-1) - 1 = -1.5
    assert model.theta.tolist() == [-1.5, 2]
    model.grad[:] = 0
    optimizer.step()  # velocity -0.75
    assert model.theta.tolist() == [-2.25, 2]


@pytest.mark.parametrize("kind", [SGD, Adam])
def test_weight_decay_by_hand(kind):
    model = model_at(1.0, -2.0)
    kind(model, learning_rate=0.1, weight_decay=0.5).step()  # grad is 0: only the decay, by 0.1 * 0.5
    np.testing.assert_allclose(model.theta, [0.95, -1.9], rtol=1e-15)


def test_adam_by_hand():
    """Two steps of the published formula, number by number."""
    model = model_at(1.0, 1.0)
    optimizer = Adam(model, learning_rate=0.1)
    model.grad[:] = [2.0, -0.5]
    optimizer.step()
    # m = 0.1 g, v = 0.001 g², alpha = 0.1 sqrt(0.001) / 0.1 = sqrt(0.001): a step of 0.1 g / |g| but for epsilon
    first = 1 - math.sqrt(0.001) * 0.2 / (math.sqrt(0.004) + 1e-7)
    other = 1 + math.sqrt(0.001) * 0.05 / (math.sqrt(0.00025) + 1e-7)
    np.testing.assert_allclose(model.theta, [first, other], rtol=1e-14)
    assert model.theta == pytest.approx([0.9, 1.1], abs=1e-5)
    model.grad[:] = [-1.0, -0.5]
    optimizer.step()
    m = 0.9 * 0.2 + 0.1 * -1.0
    v = 0.999 * 0.004 + 0.001 * 1.0
    alpha = 0.1 * math.sqrt(1 - 0.999**2) / (1 - 0.9**2)
    assert model.theta[0] == pytest.approx(first - alpha * m / (math.sqrt(v) + 1e-7), rel=1e-14)


def test_adam_over_many_steps_is_the_formula(rng):
    """Also past the 64th step, where negligible moments are set to zero."""
    model = Sequential([Dense(3, 2, dtype=np.float64, rng=0), ReLU(), Dense(2, 2, dtype=np.float64, rng=1)])
    theta = model.theta.copy()
    optimizer = Adam(model, 0.01, beta_1=0.8, beta_2=0.99, epsilon=1e-3, weight_decay=0.1)
    m = v = 0
    for t in range(1, 201):
        g = rng.standard_normal(theta.shape)
        model.grad[:] = g
        optimizer.step()
        m = 0.8 * m + 0.2 * g
        v = 0.99 * v + 0.01 * g**2
        theta = theta - 0.01 * 0.1 * theta
        theta = theta - 0.01 * math.sqrt(1 - 0.99**t) / (1 - 0.8**t) * m / (np.sqrt(v) + 1e-3)
    np.testing.assert_allclose(model.theta, theta, rtol=1e-12)


def test_moments_hold_no_denormals(rng):
    model = model_at(1.0, 1.0, dtype=np.float32)
    optimizer = Adam(model)
    model.grad[:] = 1e-3
    optimizer.step()
    model.grad[0] = 0  # a pixel that stays dark from now on
    for _ in range(2000):
        optimizer.step()
    tiny = np.finfo(np.float32).tiny
    for moment in (optimizer.m, optimizer.v):
        assert not ((moment != 0) & (np.abs(moment) < tiny)).any()
    assert optimizer.m[0] == 0
    assert optimizer.m[1] > 0


def test_denormal_squares_are_set_to_zero_too():
    model = model_at(1.0, 1.0, dtype=np.float32)
    optimizer = Adam(model)
    model.grad[:] = [1e-20, 1]  # 1e-40 when squared
    for _ in range(64):
        optimizer.step()
    assert optimizer.v[0] == 0
    assert optimizer.v[1] == pytest.approx(sum(0.999**k for k in range(64)), rel=1e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_moments_have_the_models_precision(dtype):
    model = model_at(1.0, 1.0, dtype=dtype)
    assert {Adam(model).m.dtype, Adam(model).v.dtype, SGD(model).velocity.dtype} == {np.dtype(dtype)}


def test_values_at_the_end_of_their_range():
    model = Sequential([Dense(1, 1, dtype=np.float64)])
    Adam(model, beta_1=0, beta_2=0, epsilon=1.2e-38)
    SGD(model, momentum=0, weight_decay=0)


def test_the_gradient_is_not_changed(rng):
    for kind in (SGD, Adam):
        model = model_at(1.0, 1.0)
        model.grad[:] = [3, 4]
        kind(model).step()
        assert model.grad.tolist() == [3, 4]


def test_defaults_are_keras():
    optimizer = Adam(model_at(0.0, 0.0))
    values = (optimizer.learning_rate, optimizer.beta_1, optimizer.beta_2, optimizer.epsilon, optimizer.weight_decay)
    assert values == (1e-3, 0.9, 0.999, 1e-7, 0.0)
    assert SGD(model_at(0.0, 0.0)).learning_rate == 0.01


@pytest.mark.parametrize(
    ("kind", "arguments", "message"),
    [
        (SGD, {"learning_rate": 0}, "expected learning_rate > 0 and finite, got 0"),
        (Adam, {"learning_rate": -1}, "expected learning_rate > 0 and finite, got -1"),
        (Adam, {"learning_rate": float("nan")}, "expected learning_rate > 0 and finite, got nan"),
        (SGD, {"momentum": 1}, r"expected momentum in \[0, 1\), got 1"),
        (SGD, {"weight_decay": -0.1}, "expected weight_decay >= 0 and finite, got -0.1"),
        (Adam, {"beta_1": 1.0}, r"expected beta_1 in \[0, 1\), got 1.0"),
        (Adam, {"beta_2": -0.1}, r"expected beta_2 in \[0, 1\), got -0.1"),
        (Adam, {"beta_2": 1.0}, r"expected beta_2 in \[0, 1\), got 1.0"),
        (SGD, {"learning_rate": float("inf")}, "expected learning_rate > 0 and finite, got inf"),
        (Adam, {"epsilon": float("inf")}, "expected epsilon >= 1.2e-38 and finite, got inf"),
        (Adam, {"epsilon": 0}, "expected epsilon >= 1.2e-38 and finite, got 0"),
        (Adam, {"weight_decay": -1}, "expected weight_decay >= 0 and finite, got -1"),
    ],
)
def test_values_out_of_range(kind, arguments, message):
    with pytest.raises(ValueError, match=message):
        kind(model_at(0.0, 0.0), **arguments)


def test_an_optimizer_without_a_step():
    with pytest.raises(NotImplementedError, match=r"Optimizer needs a method step\(self\)"):
        Optimizer(model_at(0.0, 0.0), 0.1).step()


def test_nothing_to_train():
    with pytest.raises(ValueError, match="got none to train"):
        Adam(Sequential([ReLU()]))


def test_a_single_parameter_can_be_trained():
    class Gain(Layer):
        def __init__(self):
            self.gain = Parameter(np.ones(1))

    model = Sequential([Gain()])
    model.grad[:] = 2
    SGD(model, 0.1).step()
    assert model.theta.tolist() == [1 - 0.1 * 2]


def test_a_new_optimizer_is_one_method():
    class SignDescent(Optimizer):
        def step(self):
            self.model.theta -= self.learning_rate * np.sign(self.model.grad)

    model = model_at(1.0, 1.0)
    model.grad[:] = [5, -5]
    SignDescent(model, 0.5).step()
    assert model.theta.tolist() == [0.5, 1.5]


def test_adams_step_is_its_formula_to_the_last_digits(rng):
    """Both ways to write it, on the same gradients, past the 64th step; the decay is there or not."""
    for weight_decay in (0.0, 0.1):
        models = [Sequential([Dense(5, 4, dtype=np.float64, rng=0)]) for _ in range(2)]
        settings = {"learning_rate": 0.01, "beta_1": 0.8, "beta_2": 0.99, "epsilon": 1e-4, "weight_decay": weight_decay}
        fast, plain = (Adam(model, **settings) for model in models)
        for _ in range(200):
            models[0].grad[:] = models[1].grad[:] = rng.standard_normal(24)
            fast.step()
            plain.step_as_it_reads()
        assert fast.t == plain.t == 200
        np.testing.assert_allclose(models[0].theta, models[1].theta, rtol=1e-13)
        np.testing.assert_allclose(0.2 * fast.m, plain.m, rtol=1e-12)
        np.testing.assert_allclose(0.01 * fast.v, plain.v, rtol=1e-12)
        assert np.abs(models[0].theta - Dense(5, 4, rng=0).W.value.mean()).max() > 0.1


def test_decay_spares_what_does_not_decay():
    model = Sequential([Dense(2, 2, dtype=np.float64, rng=0)])
    model.layers[0].b.value, model.layers[0].b.decays = [1, 2], False
    W = model.layers[0].W.value.copy()
    SGD(model, 0.5, weight_decay=0.5).step()
    assert model.layers[0].b.value.tolist() == [1, 2]
    np.testing.assert_allclose(model.layers[0].W.value, 0.75 * W)
