"""The classic MNIST tutorials from end to end, on a framework whose every line you can read.

    python -m demos.mnist                       all four models, one after the other
    python -m demos.mnist --model two-hidden    one of them
    python -m demos.mnist --help                what can be changed

Read this file from top to bottom: the data, the models, the loss, the training, the results; ``main`` puts them
together. What is only plumbing (arguments, progress, saving) is in ``support.py``.
"""

if __name__ == "__main__":  # why this comes before the imports: demos/_launcher.py
    import os
    import sys

    try:
        sys.path.insert(0, os.path.abspath(f"{__file__}/../.."))
        from demos._launcher import launch

        sys.exit(launch("demos.mnist"))
    except KeyboardInterrupt:
        sys.exit("interrupted")

import time

import numpy as np

from datasets import mnist
from demos import support
from nnscratch import (
    Adam,
    Dense,
    ReLU,
    Sequential,
    Sigmoid,
    Softmax,
    SoftmaxCrossEntropy,
    SparseCrossEntropy,
    evaluate,
    fit,
    plots,
)
from nnscratch.metrics import classification_report, confusion_matrix

# ---- 1. The data -----------------------------------------------------------------------------------------------------


def explore(x_train, y_train, x_test, report):
    """Images of 28 x 28 grey pixels from 0 to 255, and the digit that each one shows."""
    report.say(f"training images {x_train.shape} {x_train.dtype}, values {x_train.min()} to {x_train.max()}")
    report.say(f"test images     {x_test.shape} {x_test.dtype}")
    report.say(f"of each digit   {np.bincount(y_train).tolist()}")
    report.save_figure("digits.png", plots.digits(x_train[:40], y_train, report.title("the first training digits")))


def rows(images):
    """Scale and flatten: numbers from 0 to 1, which suit the initial weights, and one row of 784 for each image."""
    return images.reshape(-1, 784) / np.float32(255)


# ---- 2. The models ---------------------------------------------------------------------------------------------------


def one_layer(rng):
    """Ten weighted sums of the pixels, each squeezed into (0, 1): one detector per digit."""
    return [Dense(784, 10, rng=rng), Sigmoid()]


def hidden(rng):
    """A hundred ReLU units between pixels and detectors: features that the network finds by itself."""
    return [Dense(784, 100, rng=rng), ReLU(), Dense(100, 10, rng=rng), Sigmoid()]


def two_hidden(rng):
    """Two hidden layers, and a softmax: ten outputs that are a probability distribution by construction."""
    return [Dense(784, 128, rng=rng), ReLU(), Dense(128, 64, rng=rng), ReLU(), Dense(64, 10, rng=rng), Softmax()]


MODELS = {  # name: (what it is, its layers, epochs, validation split)
    "one-layer": ("784-10 sigmoid", one_layer, 5, 0.0),
    "hidden": ("784-100 ReLU-10 sigmoid", hidden, 5, 0.0),
    "hidden-validated": ("784-100 ReLU-10 sigmoid, validated", hidden, 10, 0.1),
    "two-hidden": ("784-128-64 ReLU-10 softmax", two_hidden, 5, 0.0),
}

# ---- 3. Which loss? --------------------------------------------------------------------------------------------------
#
# The tutorials end in ten sigmoids and train with "sparse categorical cross-entropy". Under that one name there are two
# losses, and which one runs depends on Keras' backend. With z the last Dense layer's outputs and y the label:
#
#   B  -log( sigmoid(z_y) / sum_k sigmoid(z_k) )    the outputs are normalised: Keras on JAX, PyTorch and NumPy
#   A  -log( softmax(z)_y )                         the sigmoid is skipped: Keras on TensorFlow
#
# This demo trains B, the loss of the outputs that the model really has; ``--variant a`` trains A. Accuracy is about the
# same either way, and either way the ten outputs of a sigmoid model do not add up to 1: they are scores, not
# probabilities. (After a softmax A and B are the same function.)


def build(layers, variant):
    """The model, its loss, and the function that turns what it predicts into scores to show."""
    if variant == "a":
        # The model ends in z; softmax and logarithm are in the loss. The last activation is for display only.
        return Sequential(layers[:-1]), SoftmaxCrossEntropy(), layers[-1].forward
    return Sequential(layers), SparseCrossEntropy(), lambda outputs: outputs


# ---- 4. Train, and test ----------------------------------------------------------------------------------------------


def learn(name, rng, train, test, options, report):
    """Train one of the models and keep it. Returned: the model, its history, and its scores for the test images."""
    (x_train, y_train), (x_test, y_test) = train, test
    title, layers, epochs, validation_split = MODELS[name]
    epochs = epochs if options.epochs is None else options.epochs
    split = validation_split if options.validation_split is None else options.validation_split
    model, loss, to_scores = build(layers(rng), options.variant)
    report.section(f"{name}: {title}, loss {loss}")
    report.say(model.summary())

    # Adam follows the gradient of the loss, 32 images at a time.
    start = time.perf_counter()
    history = fit(
        model, loss, Adam(model, options.learning_rate), x_train, y_train,
        epochs=epochs, batch_size=options.batch_size, validation_split=split, rng=rng,
        callbacks=[support.ProgressBar(report)], verbose=0 if options.quiet else 1,
    )  # fmt: skip
    seconds = time.perf_counter() - start
    report.save(f"{name}/weights.npz", model.save_weights)
    report.save_json(f"{name}/history.json", history)

    # How good it is, images tell that were never trained on.
    test_loss, test_accuracy = evaluate(model, loss, x_test, y_test)
    scores = to_scores(model.predict(x_test))
    report.say(f"test loss {test_loss:.4f}, test accuracy {test_accuracy:.4f}")
    shown = " ".join(f"{score:.3f}" for score in scores[0])
    report.say(f"the ten scores of the first test image, a {y_test[0]}: {shown}; their sum is {scores[0].sum():.3f}")
    report.say(classification_report(y_test, scores.argmax(axis=1)))
    report.row(
        name, parameters=model.theta.size, epochs=epochs, history=history, test_accuracy=test_accuracy,
        test_loss=test_loss, seconds=seconds,
    )  # fmt: skip
    return model, history, scores


# ---- 5. Look at it ---------------------------------------------------------------------------------------------------


def draw(name, rng, model, history, scores, images, labels, report):
    """What the model takes for what, what it gets wrong, what it looks for, and how it learnt that."""
    title, predicted = MODELS[name][0], scores.argmax(axis=1)
    matrix = confusion_matrix(labels, predicted, 10)
    confidence = scores.max(axis=1) / scores.sum(axis=1).clip(1e-30)  # its largest score as a share of all ten
    few = rng.permutation(len(images))[:24]
    wrong = np.flatnonzero(predicted != labels)
    worst = wrong[np.argsort(-confidence[wrong])][:24]
    W = model.parameters[0].value
    units = mnist.CLASS_NAMES if W.shape[1] == 10 else ()

    legend = "predicted digit and its share of the scores, true digit"
    accuracy = matrix.trace() / matrix.sum()
    pictures = {
        "confusion": plots.confusion(matrix, mnist.CLASS_NAMES, report.title(f"{title}: accuracy {accuracy:.4f}")),
        "predictions": plots.predictions(
            images[few], labels[few], predicted[few], confidence[few],
            report.title(f"{title}: random predictions\n{legend}"),
        ),
        "mistakes": plots.predictions(
            images[worst], labels[worst], predicted[worst], confidence[worst],
            report.title(f"{title}: its most confident mistakes\n{legend}"),
        ),
        "weights": plots.weights(W, (28, 28), report.title(f"{title}: first-layer weights"), units),
    }  # fmt: skip
    if history["loss"]:
        pictures["curves"] = plots.curves(history, report.title(title))
    for picture, figure in pictures.items():
        report.save_figure(f"{name}/{picture}.png", figure)


# ---- All of it -------------------------------------------------------------------------------------------------------


@support.one_thread
def main(arguments=None):
    options = support.parse_arguments(arguments, MODELS)
    names = [options.model] if options.model else list(MODELS)
    report = support.Report(options, names)
    (x_train, y_train), (images, y_test) = support.load_mnist(options, report)

    with report.with_something_to_lose():
        explore(x_train, y_train, images, report)
        train, test = (rows(x_train), y_train), (rows(images), y_test)
        for name in report.until_interrupted(names):
            rng = np.random.default_rng(options.seed)  # for the initial weights, then for the order of the images
            model, history, scores = learn(name, rng, train, test, options, report)
            draw(name, rng, model, history, scores, images, y_test, report)
        report.finish()
