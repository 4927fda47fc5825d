"""Record what Keras computes in the setting of ``test_keras.py``. Anyone with Keras installed can run it again:

    KERAS_BACKEND=jax        python -m tests.record_keras float64
    KERAS_BACKEND=tensorflow python -m tests.record_keras float64
    KERAS_BACKEND=tensorflow python -m tests.record_keras float32

The two backends make two different losses of the same model: see docs/03-loss.md.
"""

import json
import sys

import keras
import numpy as np

from tests.test_keras import (
    ARCHITECTURES,
    BATCH_SIZE,
    BINARY_ADAM,
    RECORD,
    VARIANTS,
    digits,
    fingerprint,
    initial_weights,
)


def record(run):
    inputs = [keras.Input((run.sizes[0],))]
    h = inputs[0]
    for size in run.sizes[1:-1]:
        h = keras.layers.Dense(size, activation="relu")(h)
        if run.dropout:
            inputs.append(keras.Input((size,)))  # the mask is given: Keras would draw another
            h = keras.layers.Multiply()([h, inputs[-1]])
    y = keras.layers.Dense(run.sizes[-1], activation=run.output.__name__.lower())(h)
    model = keras.Model(inputs, y)
    model.set_weights(list(initial_weights(run.sizes)))
    optimizer = getattr(keras.optimizers, run.optimizer.__name__)(**run.arguments)
    loss = "categorical_crossentropy" if run.smoothing else "sparse_categorical_crossentropy"
    model.compile(optimizer=optimizer, loss=loss)
    masks = [given_masks(each.shape[1], run.dropout) for each in inputs[1:]]
    losses = []
    for (x, y), *mask in zip(digits(run.smoothing), *masks, strict=False):  # masks have no end
        model.reset_metrics()  # or the loss would be the mean over all batches so far
        losses.append(float(model.train_on_batch([x, *mask], y)))
    return {"losses": losses, "weights": fingerprint(model.get_weights())}


def given_masks(size, rate):
    """The masks that Dropout(rate, rng=size) draws for a layer of this size, one for each batch."""
    rng = np.random.default_rng(size)
    while True:
        kept = rng.random((BATCH_SIZE, size), np.float32) >= rate
        yield kept / (1 - rate)


def main(dtype):
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        jax.config.update("jax_enable_x64", True)
        runs = ARCHITECTURES | VARIANTS
    else:
        runs = {name: run._replace(arguments=BINARY_ADAM) for name, run in ARCHITECTURES.items()}
    keras.backend.set_floatx(dtype)
    data = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    data[f"{backend} {dtype}"] = {"keras": keras.__version__} | {name: record(run) for name, run in runs.items()}
    RECORD.write_text(json.dumps(data, indent=0) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
