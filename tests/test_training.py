import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnscratch import (
    SGD,
    Adam,
    Callback,
    Dense,
    Dropout,
    EarlyStopping,
    ReLU,
    Sequential,
    Sigmoid,
    Softmax,
    SoftmaxCrossEntropy,
    SparseCrossEntropy,
    batches,
    evaluate,
    fit,
)


def problem(n=50, seed=0):
    """Two classes that a line tells apart."""
    x = np.random.default_rng(seed).standard_normal((n, 3)).astype(np.float32)
    return x, (x[:, 0] > x[:, 1]).astype(int)


def learner(seed=0):
    model = Sequential([Dense(3, 4, rng=seed), ReLU(), Dense(4, 2, rng=seed)])
    return model, SoftmaxCrossEntropy(), Adam(model, 0.01)


# ---- batches ----


@given(n=st.integers(1, 60), batch_size=st.integers(1, 70), shuffle=st.booleans(), seed=st.integers(0, 99))
def test_every_row_once_with_its_label(n, batch_size, shuffle, seed):
    x = np.arange(2 * n, dtype=np.float32).reshape(n, 2)
    y = np.arange(n)
    pairs = list(batches(x, y, batch_size, shuffle=shuffle, rng=seed))
    assert [len(xb) for xb, _ in pairs] == [batch_size] * (n // batch_size) + (
        [n % batch_size] if n % batch_size else []
    )
    labels = np.concatenate([yb for _, yb in pairs])
    assert sorted(labels) == list(range(n))
    np.testing.assert_array_equal(np.concatenate([xb for xb, _ in pairs]), x[labels])
    if not shuffle:
        assert labels.tolist() == list(range(n))
    np.testing.assert_array_equal(x, np.arange(2 * n).reshape(n, 2))  # the caller's arrays are as they were
    np.testing.assert_array_equal(y, np.arange(n))


def test_each_epoch_has_its_own_order():
    x, _ = problem()
    rng = np.random.default_rng(0)
    first, second = ([yb.tolist() for _, yb in batches(x, np.arange(50), 50, rng=rng)] for _ in range(2))
    assert first != second
    assert first == [yb.tolist() for _, yb in batches(x, np.arange(50), 50, rng=0)]


def test_batches_that_cannot_be_made():
    with pytest.raises(ValueError, match=r"as rows of data, and some, got \(3,\) and \(4,\)"):
        batches(np.zeros((4, 2)), np.zeros(3))
    with pytest.raises(ValueError, match=r"got \(0,\) and \(0,\)"):
        batches(np.zeros((0, 2)), np.zeros(0))
    with pytest.raises(ValueError, match="expected batch_size of at least 1, got 0"):
        batches(np.zeros((4, 2)), np.zeros(4), 0)


# ---- fit and evaluate ----


def test_fit_is_the_visible_loop():
    x, y = problem()
    model, loss, optimizer = learner()
    history = fit(model, loss, optimizer, x, y, epochs=3, batch_size=8, rng=5, verbose=0)

    twin, loss, optimizer = learner()
    rng = np.random.default_rng(5)
    for epoch in range(3):
        total, right = 0.0, 0
        for xb, yb in batches(x, y, batch_size=8, rng=rng):
            outputs = twin.forward(xb, training=True)
            total += loss.forward(outputs, yb) * len(xb)
            right += (outputs.argmax(axis=1) == yb).sum()
            twin.backward(loss.backward())
            optimizer.step()
        assert history["loss"][epoch] == pytest.approx(total / 50, rel=1e-12)
        assert history["accuracy"][epoch] == pytest.approx(right / 50, rel=1e-12)
    assert model.theta.tobytes() == twin.theta.tobytes()


def test_the_epochs_loss_weighs_a_short_batch_by_its_rows():
    x, y = problem(5)
    model, loss, _ = learner()
    expected = loss.forward(model.forward(x), y)
    history = fit(model, loss, SGD(model, 1e-30), x, y, batch_size=4, verbose=0)
    assert history["loss"] == pytest.approx([expected], rel=1e-6)


def test_validation_split_holds_out_the_last_rows():
    x, y = problem(50)
    x[45:] += 100  # should training ever see these, theta would tell
    model, loss, optimizer = learner()
    history = fit(model, loss, optimizer, x, y, epochs=2, validation_split=0.1, rng=1, verbose=0)
    twin, loss, optimizer = learner()
    other = fit(twin, loss, optimizer, x[:45], y[:45], epochs=2, validation_data=(x[45:], y[45:]), rng=1, verbose=0)
    assert model.theta.tobytes() == twin.theta.tobytes()
    assert history == other
    assert list(history) == ["loss", "accuracy", "val_loss", "val_accuracy"]
    assert (history["val_loss"][-1], history["val_accuracy"][-1]) == evaluate(model, loss, x[45:], y[45:])


def test_split_at_is_rounded_down():
    x, y = problem(10)
    model, loss, optimizer = learner()
    seen = []

    class Count(Callback):
        def on_train_begin(self, model, epochs, steps):
            seen.append(steps)

    fit(model, loss, optimizer, x, y, validation_split=0.25, batch_size=1, callbacks=[Count()], verbose=0)
    assert seen == [7]  # floor(10 * 0.75)


def test_evaluate_is_the_mean_over_all_rows_without_dropout():
    x, y = problem()
    model = Sequential([Dense(3, 4, rng=0), Dropout(0.5, rng=0), Dense(4, 2, rng=0), Softmax()])
    loss = SparseCrossEntropy()
    expected = SparseCrossEntropy().forward(model.forward(x), y)
    for batch_size in (1, 7, 50, 1000):
        value, accuracy = evaluate(model, loss, x, y, batch_size)
        assert value == pytest.approx(expected, rel=1e-6)
        assert accuracy == np.mean(model.predict(x).argmax(axis=1) == y)


def test_same_seed_same_bits():
    x, y = problem()
    thetas = []
    for seed in (3, 3, 4):
        model, loss, optimizer = learner()
        fit(model, loss, optimizer, x, y, epochs=2, rng=seed, verbose=0)
        thetas.append(model.theta.tobytes())
    assert thetas[0] == thetas[1] != thetas[2]


def test_without_shuffling_the_order_is_kept():
    x, y = problem()
    models = []
    for rng in (1, 2):
        model, loss, optimizer = learner()
        fit(model, loss, optimizer, x, y, shuffle=False, rng=rng, verbose=0)
        models.append(model.theta.tobytes())
    assert models[0] == models[1]


def test_a_line_for_each_epoch(capsys):
    x, y = problem()
    model, loss, optimizer = learner()
    history = fit(model, loss, optimizer, x, y, epochs=2, validation_split=0.2)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert lines[1].startswith(f"epoch 2/2  loss {history['loss'][1]:.4f}  accuracy ")
    assert lines[1].isascii()
    fit(model, loss, optimizer, x, y, verbose=0)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"epochs": 0}, "expected epochs of at least 1, got 0"),
        ({"batch_size": 0}, "expected batch_size of at least 1, got 0"),
        ({"validation_split": 1.0}, "validation_split"),
        ({"validation_split": -0.1}, "validation_split"),
        (
            {"validation_split": 0.999},
            r"expected rows to train on and rows to validate with, got validation_split=0.999 of 50 rows",
        ),
        ({"validation_split": 0.5, "validation_data": problem()}, "validation_split"),
        ({"validation_data": (problem()[0], problem()[1] + 7)}, "expected labels from 0 to 1, got"),
        (
            {"validation_data": (problem()[0], np.zeros(3, int))},
            r"expected as many labels as rows of data, and some, got \(3,\) and \(50,\)",
        ),
    ],
)
def test_arguments_that_make_no_sense(arguments, message):
    x, y = problem()
    model, loss, optimizer = learner()
    before = model.theta.copy()
    with pytest.raises(ValueError, match=message):
        fit(model, loss, optimizer, x, y, verbose=0, **arguments)
    assert (model.theta == before).all()


def test_wrong_arguments_show_before_callbacks_hear_of_anything():
    class Never(Callback):
        def on_train_begin(self, model, epochs, steps):
            pytest.fail("training began")

    x, y = problem()
    model, loss, optimizer = learner()
    for wrong in ({"batch_size": 0}, {"validation_data": (x, y[:3])}):
        with pytest.raises(ValueError, match="expected"):
            fit(model, loss, optimizer, x, y, callbacks=[Never()], verbose=0, **wrong)
    with pytest.raises(ValueError, match="expected as many labels as rows"):
        fit(model, loss, optimizer, x, y[:3], callbacks=[Never()], verbose=0)


def test_the_optimizer_of_another_model():
    x, y = problem()
    model, loss, _ = learner()
    with pytest.raises(ValueError, match="expected the optimizer of this model"):
        fit(model, loss, learner()[2], x, y)


def test_a_loss_that_is_not_finite_stops_training_and_names_the_layer():
    class Explosive(ReLU):
        def forward(self, x):
            self.calls = vars(self).get("calls", 0) + 1
            return super().forward(x) + (np.inf if self.calls > 2 else 0)  # two steps

    x, y = problem()
    model = Sequential([Dense(3, 4, rng=0), Explosive(), Dense(4, 2, rng=0)])
    optimizer = Adam(model)
    with (
        pytest.warns(RuntimeWarning, match="invalid value"),
        pytest.raises(
            FloatingPointError,
            match=r"of nan after 20 rows of .* layer 1, Explosive\(\), is the first[^\n]*\nin epoch 1",
        ),
    ):
        fit(model, SoftmaxCrossEntropy(), optimizer, x, y, batch_size=10, verbose=0)
    assert optimizer.t == 2
    assert np.isfinite(model.theta).all()


def test_a_training_that_diverges():
    x, y = problem()
    model, loss, _ = learner()
    with (
        pytest.warns(RuntimeWarning),
        pytest.raises(FloatingPointError, match=r"layer \d, .*; lower the learning rate"),
    ):
        fit(model, loss, SGD(model, 1e30), x, y, batch_size=10, verbose=0)


def test_a_validation_loss_that_is_not_finite():
    class Explosive(ReLU):
        trained = False

        def forward(self, x):
            self.trained = self.trained or self.training
            return super().forward(x) + (np.inf if self.trained and not self.training else 0)

    x, y = problem()
    model = Sequential([Dense(3, 4, rng=0), Explosive(), Dense(4, 2, rng=0)])
    with (
        pytest.warns(RuntimeWarning, match="invalid value"),
        pytest.raises(
            FloatingPointError, match=r"got a loss of nan: layer 1, Explosive\(\), is the first.*\nin epoch 1"
        ),
    ):
        fit(model, SoftmaxCrossEntropy(), Adam(model), x, y, validation_data=(x, y), verbose=0)


@pytest.mark.parametrize("batch_size", [10, 50])
def test_weights_that_are_not_finite_are_named_at_once(batch_size):
    """Also when the loss has not seen them, as no other batch came after."""

    class Slope(ReLU):
        def backward(self, dy):
            return super().backward(dy) * np.nan

    x, y = problem()
    assert len(x) == 50
    model = Sequential([Dense(3, 4, rng=0), Slope(), Dense(4, 2, rng=0)])
    with pytest.raises(
        FloatingPointError,
        match=r"expected finite weights, got .*: in layer 0, Dense\(3, 4\); lower .*check_layer\nin epoch 1",
    ):
        fit(model, SoftmaxCrossEntropy(), SGD(model), x, y, batch_size=batch_size, verbose=0)


def test_an_infinite_loss_stops_training_too_and_callbacks_hear_of_the_end():
    class Infinite(SoftmaxCrossEntropy):
        def forward(self, outputs, labels):
            super().forward(outputs, labels)
            return math.inf

    x, y = problem()
    model, _, optimizer = learner()
    callback = CtrlC(after=-1)
    with pytest.raises(
        FloatingPointError, match="got a loss of inf after 0 rows of this epoch: all layers' outputs are finite"
    ):
        fit(model, Infinite(), optimizer, x, y, callbacks=[callback], verbose=0)
    assert callback.ended


def test_layers_know_whether_they_are_trained():
    modes = []

    class Spy(ReLU):
        def forward(self, x):
            modes.append(self.training)
            return super().forward(x)

    x, y = problem(10)
    model = Sequential([Dense(3, 4, rng=0), Spy(), Dense(4, 2, rng=0)])
    fit(model, SoftmaxCrossEntropy(), Adam(model), x, y, batch_size=5, validation_data=(x, y), verbose=0)
    assert modes == [*[False] * 5, True, True, False]  # looks at data and sizes, two steps, validation


def test_what_callbacks_are_told():
    told = []

    class Listener(Callback):
        def on_train_begin(self, *arguments):
            told.append(arguments)

        def on_batch_end(self, *arguments):
            told.append(arguments)

        def on_train_end(self, *arguments):
            told.append(arguments)

    x, y = problem(5)
    model, loss, _ = learner()
    outputs = model.forward(x)
    values = [loss.forward(outputs[rows], y[rows]) for rows in (slice(4), slice(4, 5))]
    right = [float((outputs[rows].argmax(axis=1) == y[rows]).sum()) for rows in (slice(4), slice(4, 5))]
    optimizer = SGD(model, 1e-30)  # nothing changes
    fit(model, loss, optimizer, x, y, epochs=1, batch_size=4, shuffle=False, callbacks=[Listener()], verbose=0)
    begin, first, second, end = told
    assert begin == (model, 1, 2)
    assert first == pytest.approx((values[0], right[0] / 4), rel=1e-6)
    assert second == pytest.approx(((4 * values[0] + values[1]) / 5, sum(right) / 5), rel=1e-6)
    assert end == (model,)


def test_one_row_is_enough_to_train_and_one_to_validate():
    x, y = problem(2)
    model, loss, optimizer = learner()
    fit(model, loss, optimizer, x, y, validation_split=0.5, verbose=0)
    assert optimizer.t == 1


def test_the_usual_batch_has_32_rows():
    x, y = problem(64)
    assert [len(xb) for xb, _ in batches(x, y)] == [32, 32]
    model, loss, optimizer = learner()
    fit(model, loss, optimizer, x, y, verbose=0)
    assert optimizer.t == 2


def test_every_callback_hears_of_every_epoch():
    heard = []

    class Stop(Callback):
        def on_epoch_end(self, model, history):
            heard.append(self)
            return True

    x, y = problem()
    model, loss, optimizer = learner()
    first, second = Stop(), Stop()
    fit(model, loss, optimizer, x, y, epochs=3, callbacks=[first, second], verbose=0)
    assert heard == [first, second]


# ---- interrupting ----


class CtrlC(Callback):
    def __init__(self, after):
        self.left = after
        self.ended = False

    def on_batch_end(self, loss, accuracy):
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt

    def on_train_end(self, model):
        self.ended = True


def test_ctrl_c_keeps_what_was_learned(capsys):
    x, y = problem()
    model, loss, optimizer = learner()
    stop = CtrlC(after=2 * 5 + 3)  # 5 steps an epoch: in the third epoch
    history = fit(model, loss, optimizer, x, y, epochs=9, batch_size=10, rng=0, callbacks=[stop])
    assert stop.ended
    assert "interrupted in epoch 3" in capsys.readouterr().out
    assert len(history["loss"]) == len(history["accuracy"]) == 2
    assert optimizer.t == 13
    assert math.isfinite(evaluate(model, loss, x, y)[0])
    fit(model, loss, optimizer, x, y, verbose=0)  # and training can go on


# ---- early stopping ----


def stopped_at(values, **arguments):
    """The epoch after which EarlyStopping stops a training with these val_losses, and the epoch whose weights stay."""
    model = Sequential([Dense(1, 1)])
    stopping = EarlyStopping(**arguments)
    stopping.on_train_begin(model, len(values), 1)
    history = {"val_loss": [], "val_accuracy": []}
    for epoch, value in enumerate(values, start=1):
        model.theta[:] = epoch
        history["val_loss"].append(value)
        history["val_accuracy"].append(-value)
        if stopping.on_epoch_end(model, history):
            break
    stopping.on_train_end(model)
    return epoch, int(model.theta[0])


@pytest.mark.parametrize(
    ("values", "arguments", "expected"),
    [
        ([3, 2, 1], {}, (3, 3)),
        ([3, 2, 2, 1], {}, (3, 3)),  # patience 0: the first epoch without progress
        ([3, 2, 2, 1], {"patience": 1}, (3, 3)),
        ([3, 2, 2, 1], {"patience": 2}, (4, 4)),
        ([3, 2, 2.5, 2.2, 1], {"patience": 2, "restore_best_weights": True}, (4, 2)),
        ([3, 1, 2], {"patience": 5, "restore_best_weights": True}, (3, 2)),  # also when never stopped
        ([3, 2.7, 2.6, 2.1], {"min_delta": 0.5, "patience": 2}, (3, 3)),
        ([3, 2.7, 2.6, 2.1], {"min_delta": -0.5, "patience": 2}, (3, 3)),
        ([3, 2.7, 2.6, 2.1], {"min_delta": 0.5, "patience": 2, "monitor": "val_accuracy"}, (3, 3)),
        ([3, 4, 1], {}, (2, 2)),  # the first epoch never stops a training
        ([3, 2, 2, 1], {"monitor": "val_accuracy"}, (3, 3)),  # accuracies improve upwards
    ],
)
def test_early_stopping_follows_keras_rules(values, arguments, expected):
    assert stopped_at(values, **arguments) == expected


def test_early_stopping_does_not_watch_what_is_no_number():
    with pytest.raises(FloatingPointError, match="expected a finite val_loss to watch, got nan: look at the metric"):
        stopped_at([1, math.nan])


def test_early_stopping_in_fit():
    x, y = problem()
    model, loss, _ = learner()
    optimizer = SGD(model, 1e-30)  # nothing will improve
    stopping = EarlyStopping(patience=2)
    for _ in range(2):  # the second training starts afresh
        history = fit(model, loss, optimizer, x, y, epochs=9, validation_split=0.2, callbacks=[stopping], verbose=0)
        assert len(history["val_loss"]) == 3
    with pytest.raises(ValueError, match="expected monitor to be one of"):
        fit(model, loss, optimizer, x, y, callbacks=[stopping], verbose=0)


def test_weights_survive_an_interruption_before_the_first_epoch_ends():
    x, y = problem()
    model, loss, optimizer = learner()
    start = model.theta.copy()
    stopping = EarlyStopping(restore_best_weights=True)
    fit(model, loss, optimizer, x, y, batch_size=10, validation_split=0.2, callbacks=[CtrlC(2), stopping], verbose=0)
    assert (model.theta != start).any()


# ---- real digits ----


def test_twenty_digits_can_be_learned_by_heart(sample):
    x, y = sample[0][:20], sample[1][:20]
    model = Sequential([Dense(784, 50, rng=0), ReLU(), Dense(50, 10, rng=0), Sigmoid()])
    fit(model, SparseCrossEntropy(), Adam(model, 0.01), x, y, epochs=100, batch_size=20, rng=0, verbose=0)
    loss, accuracy = evaluate(model, SparseCrossEntropy(), x, y)
    assert accuracy == 1
    assert loss < 1e-3


@pytest.mark.parametrize(
    ("layers", "low", "high"),
    [
        (lambda rng: [Dense(784, 10, rng=rng), Sigmoid()], 0.86, 0.90),
        (lambda rng: [Dense(784, 100, rng=rng), ReLU(), Dense(100, 10, rng=rng), Sigmoid()], 0.915, 0.95),
        (lambda rng: [Dense(784, 64, rng=rng), ReLU(), Dropout(0.2, rng=rng), Dense(64, 10, rng=rng), Softmax()],
         0.90, 0.94),
    ],
    ids=["one-layer", "hidden", "dropout"],
)  # fmt: skip
def test_accuracy_on_the_sample(layers, low, high, sample):
    x_train, y_train, x_test, y_test = sample
    rng = np.random.default_rng(0)
    model = Sequential(layers(rng))
    loss = SparseCrossEntropy()
    history = fit(model, loss, Adam(model), x_train, y_train, epochs=5, rng=rng, verbose=0)
    assert history["loss"] == sorted(history["loss"], reverse=True)
    assert low < evaluate(model, loss, x_test, y_test)[1] < high


@pytest.mark.parametrize("where", ["training", "validation"])
def test_a_wrong_label_in_the_last_row_is_found_before_any_step(where):
    x, y = problem()
    wrong = y.copy()
    wrong[-1] = 2
    model, loss, optimizer = learner()
    before = model.theta.copy()
    data = {"x": x, "y": wrong} if where == "training" else {"x": x, "y": y, "validation_data": (x, wrong)}
    with pytest.raises(ValueError, match="expected labels from 0 to 1, got 0 to 2"):
        fit(model, loss, optimizer, **data, batch_size=10, shuffle=False, verbose=0)
    assert (model.theta == before).all()
