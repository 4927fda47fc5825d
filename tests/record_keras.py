"""Record what Keras computes in the setting of ``test_keras.py``. Anyone with Keras installed can run it again:

    KERAS_BACKEND=jax        python -m tests.record_keras float64
    KERAS_BACKEND=tensorflow python -m tests.record_keras float64
    KERAS_BACKEND=tensorflow python -m tests.record_keras float32

The two backends make two different losses of the same model: see docs/backpropagation.md.
"""

import json
import sys

import keras

from tests.test_keras import ARCHITECTURES, BINARY_ADAM, RECORD, digits, fingerprint, initial_weights


def record(name, sizes, adam):
    hidden = [keras.layers.Dense(size, activation="relu") for size in sizes[1:-1]]
    last = keras.layers.Dense(sizes[-1], activation="softmax" if name == "two-hidden" else "sigmoid")
    model = keras.Sequential([keras.Input((sizes[0],)), *hidden, last])
    model.set_weights(list(initial_weights(sizes)))
    model.compile(optimizer=keras.optimizers.Adam(**adam), loss="sparse_categorical_crossentropy")
    losses = []
    for x, y in digits():
        model.reset_metrics()  # or the loss would be the mean over all batches so far
        losses.append(float(model.train_on_batch(x, y)))
    return {"losses": losses, "weights": fingerprint(model.get_weights())}


def main(dtype):
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        jax.config.update("jax_enable_x64", True)
    keras.backend.set_floatx(dtype)
    data = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    adam = BINARY_ADAM if backend == "tensorflow" else {}
    runs = {name: record(name, sizes, adam) for name, sizes in ARCHITECTURES.items()}
    data[f"{backend} {dtype}"] = {"keras": keras.__version__} | runs
    RECORD.write_text(json.dumps(data, indent=0) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
