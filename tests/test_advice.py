"""What watches a model and its training: it names what is wrong, and is silent where nothing is."""

import collections
import copy
import dataclasses
import types

import numpy as np
import pytest

import demos.mnist
from nnscratch import (
    SGD,
    Adam,
    Callback,
    Chain,
    CrossEntropy,
    Dense,
    Dropout,
    EarlyStopping,
    Layer,
    Parameter,
    ReLU,
    Sequential,
    Sigmoid,
    Softmax,
    SoftmaxCrossEntropy,
    SparseCrossEntropy,
    advice,
    check_model,
    evaluate,
    fit,
    train_epoch,
)
from tests.architectures import Residual, Squares
from tests.wrong_calls import hopeless

X = np.random.default_rng(0).standard_normal((12, 4)).astype(np.float32)
Y = np.arange(12) % 3


class Scale(Layer):
    """With its gain kept in whatever ``keep`` makes of it."""

    def __init__(self, keep=lambda p: p):
        self.kept = keep(Parameter(np.ones(4)))

    def forward(self, x):
        return x

    def backward(self, dy):
        return dy


@dataclasses.dataclass
class Box:
    inside: object


def object_array(p):
    array = np.empty(1, object)
    array[0] = p
    return array


def small(*layers):
    return Sequential([*layers, Dense(4, 3, rng=0)])


# ---- Is everything trained that looks like it? ----


@pytest.mark.parametrize(
    "keep",
    [lambda p: {p}, lambda p: collections.deque([p]), Box, object_array, lambda p: types.SimpleNamespace(p=p),
     lambda p: [{"a": (Box(p),)}], lambda p: p.move_into],
    ids=["set", "deque", "dataclass", "object array", "namespace", "nested", "bound method"],
)  # fmt: skip
def test_a_parameter_where_none_is_looked_for_is_named(keep):
    with pytest.raises(ValueError, match=r"shape \(4,\) that is not: layer 0, Scale\(\), a place where no parameters"):
        small(Scale(keep))


def test_parameters_of_a_class_or_a_mixin_are_named():
    class Mixin:
        gain = Parameter(np.ones(4))

    class Mixed(Mixin, Scale):
        pass

    class Shared(Scale):
        parts = [Dense(4, 4)]  # noqa: RUF012  # the mistake

    for layer in (Mixed(), Shared()):
        with pytest.raises(ValueError, match=r"that is not: layer 0, .*, a place where no parameters"):
            small(layer)


def later(model):
    model.layers += (Dense(3, 2),)


def later_inside(model):
    model.layers[0].inner = Dense(4, 4)


def later_in_a_list(model):
    model.layers[0].kept.append(Dense(4, 4))


def replaced(model):
    model.layers[0].kept[0] = Parameter(np.zeros(4))


LATER = (later, later_inside, later_in_a_list, replaced)


@pytest.mark.parametrize("change", LATER)
@pytest.mark.parametrize(
    "begin",
    [
        lambda model, loss: fit(model, loss, Adam(model), X, Y, verbose=0),
        lambda model, loss: train_epoch(model, loss, Adam(model), [(X, Y)]),
        lambda model, loss: model.forward(X, training=True),
        lambda model, loss: check_model(model, loss, X, Y),
        lambda model, loss: model.save_weights("nowhere/weights.npz"),
    ],
    ids=["fit", "train_epoch", "the visible loop", "check_model", "save_weights"],
)
def test_layers_and_parameters_that_come_later_are_named_when_it_begins(change, begin):
    model = small(Scale(lambda p: [p]))
    change(model)
    with pytest.raises(ValueError, match="expected every Parameter to be in the model's theta, got one of shape"):
        begin(model, SoftmaxCrossEntropy())


def test_a_layer_taken_away_is_missed():
    model = small(Scale())
    model.layers = model.layers[1:]
    with pytest.raises(ValueError, match="expected the layers and Parameters that the model was built of, got fewer"):
        model.forward(X, training=True)


def test_a_layer_that_came_later_is_switched_to_training_too():
    model = small(Scale())
    model.layers += (Dropout(0.5, rng=0),)
    assert (model.forward(X, training=True) == 0).any()
    assert (model.forward(X) != 0).all()


def test_what_only_looks_strange_is_no_parameter():
    class Busy(Scale):
        def __init__(self):
            super().__init__()
            self.parent, self.self, self.draws = None, self, (i for i in range(3))
            self.module, self.function, self.names = np, np.tanh, {"a": {1, 2}, "b": object()}

    busy = Busy()
    model = small(busy)
    busy.parent = model
    model.forward(X, training=True)
    assert model.theta.size == 4 + 15


def test_a_model_inside_a_layer_is_refused_by_name_and_a_chain_is_trained():
    class Keeper(Layer):
        def __init__(self, inner):
            self.inner = inner

        def forward(self, x):
            return self.inner.forward(x)

        def backward(self, dy):
            return self.inner.backward(dy)

    with pytest.raises(ValueError, match=r"one of another model, layer 0 inner.layers.0.W: .* Chain instead of Seq"):
        small(Keeper(Sequential([Dense(4, 4)])))
    for block in (Keeper(Chain([Dense(4, 4, rng=1), ReLU()])), Residual([Dense(4, 4, rng=1), ReLU()])):
        model = small(block)
        before = model.get_weights()[0]
        assert check_model(model, SoftmaxCrossEntropy(), X, Y).largest_error < 1e-7
        fit(model, SoftmaxCrossEntropy(), Adam(model), X, Y, verbose=0)
        assert (model.get_weights()[0] != before).all()


# ---- Where does an error come from? ----


class Failing(Layer):
    def __init__(self, where, kind):
        self.where, self.kind = where, kind

    def forward(self, x):
        if self.where == "forward":
            raise self.kind
        return x

    def backward(self, dy):
        if self.where == "backward":
            raise self.kind
        return dy


@pytest.mark.parametrize("where", ["forward", "backward"])
@pytest.mark.parametrize("kind", [KeyError, ZeroDivisionError, TypeError, OSError])
def test_an_error_of_any_kind_names_the_layer_and_its_place(where, kind):
    model = Sequential([Dense(4, 4, rng=0), Chain([ReLU(), Failing(where, kind)]), Dense(4, 3, rng=0)])
    with pytest.raises(kind) as caught:
        fit(model, SoftmaxCrossEntropy(), Adam(model), X, Y, verbose=0)
    assert caught.value.__notes__ == [
        f"in {where} of layer 1, Failing()",
        f"in {where} of layer 1, Chain([ReLU(), Failing()])",
    ]


def test_a_subclass_calls_itself_by_its_own_name():
    class Linear(Dense):
        pass

    with pytest.raises(ValueError, match=r"Linear\(4, 3\): expected x of shape \(N, 4\), got \(2, 7\)"):
        Linear(4, 3).forward(np.ones((2, 7)))


def test_targets_that_would_be_broadcast_are_told_so():
    model, y = Sequential([Dense(4, 1, rng=0)]), X[:, 0]
    for call in (
        lambda: fit(model, Squares(), SGD(model), X, y, metric=None, verbose=0),
        lambda: evaluate(model, Squares(), X, y, metric=None),
        lambda: train_epoch(model, Squares(), SGD(model), [(X, y)], metric=None),
    ):
        with pytest.raises(
            ValueError, match=r"targets \(N,\) against outputs \(N, 1\) make \(N, N\): use y\[:, np.new"
        ):
            call()
    fit(model, Squares(), SGD(model), X, y[:, np.newaxis], metric=None, verbose=0)


def test_a_dx_of_another_shape_is_named_before_it_is_broadcast():
    class Summed(ReLU):
        def backward(self, dy):
            return super().backward(dy).sum(axis=0, keepdims=True)

    model = Sequential([Dense(4, 4, rng=0), Summed(), Dense(4, 3, rng=0)])
    with pytest.raises(
        ValueError, match=r"backward of layer 1, Summed\(\), to return dx of shape \(2, 4\), got \(1, 4"
    ):
        fit(model, SoftmaxCrossEntropy(), Adam(model), X, Y, verbose=0)


# ---- Why is my accuracy 0.098? ----


def trained(capsys, layers, x, y, rate=1e-3, loss=None, **arguments):
    """The lines of advice that fit prints."""
    model = Sequential(layers)
    fit(model, loss or SparseCrossEntropy(), Adam(model, rate), x, y, **({"epochs": 1, "rng": 0} | arguments))
    return [line for line in capsys.readouterr().out.splitlines() if line.startswith("advice: ")]


def hidden(n=50):
    return [Dense(784, n, rng=0), ReLU(), Dense(n, 10, rng=1), Sigmoid()]


def test_pixels_up_to_255(sample, capsys):
    x, y = 255 * sample[0][:2000], sample[1][:2000]
    first = trained(capsys, hidden(), x, y)[0]
    assert first.startswith(
        "advice: x goes from 0 to 255, and networks learn best within [-1, 1]: divide images by 255"
    )


def test_units_that_died(sample, capsys):
    lines = trained(capsys, hidden()[:3], sample[0][:2000], sample[1][:2000], rate=0.3, loss=SoftmaxCrossEntropy())
    assert len(lines) == 1
    assert (
        "of the units of layer 1, ReLU(), never fire, and learn nothing: usually a learning rate that is too"
        in lines[0]
    )


def test_one_class_for_all(sample, capsys):
    layers = [Dense(784, 10, rng=0)]
    order = np.argsort(sample[1][:2000], kind="stable")  # sorted by class, and not shuffled
    x, y = sample[0][:2000][order], sample[1][:2000][order]
    model = Sequential(layers)
    fit(model, SoftmaxCrossEntropy(), SGD(model, 0.3), x, y, shuffle=False)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("advice")]
    assert len(lines) == 1
    assert "of the rows are taken for class 9: usually a learning rate that is too large" in lines[0]
    assert "or rows sorted by class and not shuffled" in lines[0]


def test_labels_of_other_rows(sample, capsys):
    y = np.random.default_rng(0).permutation(sample[1][:2000])
    lines = trained(capsys, hidden(), sample[0][:2000], y)
    assert len(lines) == 1
    assert "of the rows are right, which is guessing: usually labels that belong to other rows" in lines[0]


def test_advice_is_given_once_and_only_to_who_listens(sample, capsys):
    x, y = sample[0][:2000], np.random.default_rng(0).permutation(sample[1][:2000])
    assert trained(capsys, hidden(), x, y, verbose=0) == []
    lines = trained(capsys, hidden(), 255 * x, y, rate=1e-7, epochs=3)
    assert len(lines) == len(set(lines)) >= 2


@pytest.mark.parametrize("name", demos.mnist.MODELS)
def test_healthy_trainings_get_no_advice(name, sample, capsys):
    layers = demos.mnist.MODELS[name][1](np.random.default_rng(0))
    assert trained(capsys, layers, sample[0], sample[1], validation_split=0.1, epochs=2) == []


def test_neither_do_those_that_have_no_classes_or_few_rows(sample, capsys):
    x, y = sample[0][:500], sample[0][:500, :1]
    assert trained(capsys, [Dense(784, 1, rng=0)], x, y, loss=Squares(), metric=None) == []
    assert trained(capsys, hidden(), sample[0][:60], sample[1][:60]) == []
    one_hot = np.eye(10, dtype=np.float32)[sample[1][:2000]]
    assert trained(capsys, hidden(), sample[0][:2000], one_hot, loss=CrossEntropy()) == []


def test_advice_changes_nothing_of_the_training(sample):
    thetas = []
    for verbose in (0, 1):
        model = Sequential([Dense(784, 20, rng=0), ReLU(), Dropout(0.5, rng=0), Dense(20, 10, rng=1)])
        arguments = {"epochs": 2, "rng": 0, "verbose": verbose}
        fit(model, SoftmaxCrossEntropy(), Adam(model), sample[0][:640], sample[1][:640], **arguments)
        thetas.append(model.theta.tobytes())
    assert thetas[0] == thetas[1]


# ---- Callbacks ----


def test_only_true_stops_a_training():
    class Answer(Callback):
        def __init__(self, answer):
            self.answer = answer

        def on_epoch_end(self, model, history):
            return self.answer

    for answer, epochs in ((True, 1), (1, 3), (1.0, 3), (0.5, 3), ("stop", 3), (None, 3), (False, 3)):
        model = small()
        history = fit(model, SoftmaxCrossEntropy(), Adam(model), X, Y, epochs=3, callbacks=[Answer(answer)], verbose=0)
        assert len(history["loss"]) == epochs, answer


def test_a_callback_may_add_to_the_history(capsys):
    class Rate(Callback):
        def on_epoch_end(self, model, history):
            history.setdefault("lr", [])
            if len(history["loss"]) == 2:
                history["lr"].append(0.5)

    model = small()
    history = fit(model, SoftmaxCrossEntropy(), Adam(model), X, Y, epochs=3, callbacks=[Rate()])
    assert history["lr"] == [0.5]
    assert [len(history[key]) for key in ("loss", "accuracy")] == [3, 3]
    assert "lr 0.5000" in capsys.readouterr().out.splitlines()[-1]


def test_a_monitor_that_is_not_there_is_told_before_the_first_epoch():
    class Never(Callback):
        def on_batch_end(self, loss, score):
            pytest.fail("training began")

    model = small()
    for monitor in ("val_loss", "val_accuracy", "my_loss"):
        with pytest.raises(ValueError, match=f"expected monitor to be one of .*, got '{monitor}'"):
            fit(model, SoftmaxCrossEntropy(), Adam(model), X, Y, callbacks=[EarlyStopping(monitor), Never()], verbose=0)


def test_what_is_neither_a_loss_nor_an_accuracy_may_improve_either_way():
    with pytest.raises(ValueError, match="expected to monitor a loss or an accuracy, got 'f1': say whether larger_is"):
        EarlyStopping("f1")
    for larger, epochs in ((True, 3), (False, 2)):
        stopping, model = EarlyStopping("f1", larger_is_better=larger), small()
        stopping.on_train_begin(model, 3, 1)
        values = [0.1, 0.2, 0.3]
        stops = [stopping.on_epoch_end(model, {"f1": values[: i + 1]}) for i in range(3)]
        assert (stops.index(True) + 1 if True in stops else 3) == epochs


def test_a_metric_that_is_not_finite_stops_early_stopping_with_words():
    model = small()
    history = fit(model, SoftmaxCrossEntropy(), Adam(model), X, Y, epochs=2, metric=hopeless, verbose=0)
    assert np.isnan(history["hopeless"]).all()  # without anybody who relies on it
    stopping = EarlyStopping("hopeless", larger_is_better=True)
    with pytest.raises(FloatingPointError, match="expected a finite hopeless to watch, got nan: look at the metric"):
        fit(model, SoftmaxCrossEntropy(), Adam(model), X, Y, metric=hopeless, callbacks=[stopping], verbose=0)


def test_settings_are_checked_whenever_they_are_assigned():
    model = small(Dropout(0.5))
    adam, sgd = Adam(model), SGD(model)
    for owner, name, value in ((adam, "learning_rate", -1), (adam, "beta_1", 1), (adam, "epsilon", 0), (sgd, "momentum",
                               2), (sgd, "weight_decay", -1), (model.layers[0], "rate", 1.0)):  # fmt: skip
        before = getattr(owner, name)
        with pytest.raises(ValueError, match=f"expected {name} .*got {value}"):
            setattr(owner, name, value)
        assert getattr(owner, name) == before
    adam.learning_rate = np.float64(0.5)
    assert type(adam.learning_rate) is float


def test_objects_say_what_they_are():
    model = small()
    assert repr(model.parameters[0]) == "Parameter('W', (4, 3), float32)"
    assert repr(SGD(model, 0.1, momentum=0.9)) == "SGD(learning_rate=0.1, weight_decay=0, momentum=0.9)"
    assert repr(Adam(model)).startswith("Adam(learning_rate=0.001, weight_decay=0, beta_1=0.9,")
    assert repr(model.summary()) == str(model.summary())
    assert len(repr(model.summary()).splitlines()) == 3


# ---- What fresh eyes found ----


def test_the_mode_is_the_forwards_whatever_was_set_by_hand(rng):
    model = small(Dropout(0.5, rng=0))
    x = np.ones((50, 4), np.float32)
    model.forward(x, training=True)
    for by_hand in (False, True):
        model.training = model.layers[0].training = by_hand
        assert (model.layers[0].forward(x) == 0).any() == by_hand
        expected = x @ model.layers[1].W.value
        assert model.forward(x) == pytest.approx(expected)
        model.training = model.layers[0].training = by_hand
        assert model.forward(x, training=True) != pytest.approx(expected)


def test_a_numpy_true_stops_as_well():
    class Enough(Callback):
        def on_epoch_end(self, model, history):
            return np.mean(history["loss"]) < 9

    model = small()
    history = fit(model, SoftmaxCrossEntropy(), Adam(model), X, Y, epochs=3, callbacks=[Enough()], verbose=0)
    assert len(history["loss"]) == 1


def test_a_parameter_in_a_loss_is_named():
    class Tempered(SoftmaxCrossEntropy):
        def __init__(self):
            self.temperature = Parameter(np.ones(1))

    model = small()
    with pytest.raises(ValueError, match=r"got one of shape \(1,\) in Tempered\(\), where nobody trains it: move it"):
        fit(model, Tempered(), Adam(model), X, Y, verbose=0)


@pytest.mark.parametrize("last", [Softmax, Sigmoid])
def test_a_softmax_of_a_softmax_is_warned_of(last):
    model = Sequential([Dense(4, 3, rng=0), last()])
    with pytest.warns(UserWarning, match=r"the model ends in S.*, and SoftmaxCrossEntropy\(\) takes another softmax"):
        fit(model, SoftmaxCrossEntropy(), Adam(model), X, Y, verbose=0)


def test_a_backward_after_a_copy_is_refused():
    model = small()
    dy = model.forward(X, training=True)
    with pytest.raises(RuntimeError, match="expected backward after the forward of the same batch"):
        copy.deepcopy(model).backward(dy)


def test_a_layer_that_begins_with_its_first_batch_begins_with_a_batch_of_training():
    class Whitening(ReLU):
        scale = None

        def forward(self, x):
            if self.training and self.scale is None:
                assert len(x) == 12
                self.scale = 1 / x.std(axis=0)
            return super().forward(x if self.scale is None else x * self.scale)

        def backward(self, dy):
            return super().backward(dy) if self.scale is None else super().backward(dy) * self.scale

    model = Sequential([Dense(4, 4, rng=0), Whitening(), Dense(4, 3, rng=0)])
    for _ in range(2):
        fit(model, SoftmaxCrossEntropy(), Adam(model), X, Y, verbose=0)
    assert np.isfinite(model.layers[1].scale).all()


# ---- Where the line is between silence and advice ----


def outputs_that(predict, n=200):
    """A model that predicts these classes of 4, for labels 0, 1, 2, 3, 0, ...; (model, x, y)."""
    y = np.arange(n) % 4
    model = Sequential([Dense(4, 4, dtype=np.float64)])
    model.set_weights([np.eye(4), np.zeros(4)])
    return model, np.eye(4)[predict(y)], y


@pytest.mark.parametrize(
    ("predict", "words"),
    [
        (lambda y: y, ""),
        (lambda y: np.where(np.arange(len(y)) < 0.8 * len(y), 1, y), ""),  # 85 % are called 1, and 40 % are right
        (lambda y: np.where(np.arange(len(y)) < 0.95 * len(y), 1, y), "96% of the rows are taken for class 1: usually"),
        (lambda y: (y + 1) % 4, "0% of the rows are right, which is guessing: usually labels that belong to other"),
        (lambda y: np.where(np.arange(len(y)) % 3 == 0, y, (y + 1) % 4), ""),  # a third is right
    ],
    ids=["right", "nearly one class", "one class", "none is right", "a third is right"],
)
def test_when_predictions_are_advised_upon(predict, words):
    line = advice.on_epoch(*outputs_that(predict))
    assert line.startswith(words)
    assert bool(line) == bool(words)


def test_one_hot_labels_are_classes_and_few_rows_tell_nothing():
    model, x, y = outputs_that(lambda y: (y + 1) % 4)
    assert "0% of the rows are right" in advice.on_epoch(model, x, np.eye(4)[y])
    assert advice.on_epoch(model, x[:99], y[:99]) == ""
    assert advice.on_epoch(model, x[:100], y[:100]) != ""
    assert advice.on_epoch(model, x, y.astype(float)) == ""  # targets of a regression


def test_a_class_that_is_common_may_be_predicted_often():
    model, x, _ = outputs_that(lambda y: 0 * y)
    y = np.where(np.arange(200) < 130, 0, 1)
    assert advice.on_epoch(model, x, y) == ""


def test_half_of_the_units_may_be_silent():
    for silent, told in ((2, False), (3, True)):
        model = Sequential([Dense(4, 4, dtype=np.float64), ReLU(), Dense(4, 4, dtype=np.float64)])
        shift = np.where(np.arange(4) < silent, -10.0, 10.0)
        model.set_weights([np.eye(4), shift, 5 * np.eye(4), -5 * shift])
        y = np.arange(200) % 4
        line = advice.on_epoch(model, np.eye(4)[y], y)
        assert ("75% of the units of layer 1, ReLU(), never fire, and learn nothing: usually" in line) == told


@pytest.mark.parametrize(("low", "high", "told"), [(-10, 10, False), (-10.5, 0, True), (0, 10.5, True), (0, 1, False)])
def test_inputs_far_outside_are_told(low, high, told):
    line = advice.on_inputs(np.array([[low, high]]))
    assert line.startswith(f"x goes from {low:g} to {high:g}, and networks learn best within [-1, 1]") == told


def test_the_rows_that_are_watched_come_from_all_over_the_data():
    x, y = advice.sample(np.arange(5000), np.arange(5000))
    assert len(x) == 500
    assert (x == y).all()
    assert x[-1] > 4900
    assert len(advice.sample(np.arange(30), np.arange(30))[0]) == 30
