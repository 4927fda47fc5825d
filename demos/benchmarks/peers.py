"""Who takes part in ``demos.benchmarks``: nnscratch, its floor, and its peers as their documentation recommends.

All train the same network with Adam (learning rate 1e-3), shuffle anew for every epoch, and add up loss and accuracy as
``fit`` does, where they can. Backends and threads are chosen once per process, so each peer has a process of its
own, which reads a request from each line of its input and answers in JSON:

    python -m demos.benchmarks.peers NAME THREADS FOLDER
"""

import json
import os
import sys
import time
import tracemalloc
from itertools import pairwise
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from demos.benchmarks import steps
from nnscratch import Adam, Dense, ReLU, Sequential, Sigmoid, Softmax, SparseCrossEntropy, fit
from nnscratch.metrics import accuracy


class Peer:
    """``__init__`` imports the library, ``build`` makes a new network, ``epoch`` trains it once through the data."""

    needs = ()  # the modules without which it cannot take part
    learns = True
    chooses_threads = False  # then it is run in one setting only, threads=0


class BareProducts(Peer):
    """The floor: nothing but the matrix products."""

    learns = False

    def __init__(self, threads):
        threadpool_limits(threads, user_api="blas")

    def build(self, sizes, last, batch_size, x, y):
        self.model, self.batch_size, self.x = network(sizes, last), batch_size, x

    def epoch(self):
        steps.bare_products(self.model, self.x, self.batch_size)

    def predict(self, x):
        for p in self.model.parameters:
            x = x @ p.value if p.value.ndim == 2 else x
        return x


class NNScratch(Peer):
    chooses_threads = True

    def __init__(self, threads):
        self.threads = threads or None  # None: fit chooses

    def build(self, sizes, last, batch_size, x, y):
        self.model, self.loss, self.rng = network(sizes, last), SparseCrossEntropy(), np.random.default_rng(0)
        self.optimizer, self.batch_size, self.x, self.y = Adam(self.model), batch_size, x, y

    def epoch(self):
        batch_size, rng = self.batch_size, self.rng
        fit(self.model, self.loss, self.optimizer, self.x, self.y, batch_size=batch_size, rng=rng, verbose=0,
            threads=self.threads)  # fmt: skip

    def predict(self, x):
        return self.model.predict(x)


class WrittenOut(Peer):
    """The same mathematics as nnscratch's in one function: what classes, guards and helpers cost on top of it."""

    def __init__(self, threads):
        threadpool_limits(threads, user_api="blas")

    def build(self, sizes, last, batch_size, x, y):
        assert (sizes, last) == ([784, 100, 10], "sigmoid"), "written out for one architecture only"
        self.model, self.rng = network(sizes, last), np.random.default_rng(0)
        self.optimizer, self.batch_size, self.x, self.y = Adam(self.model), batch_size, x, y

    def epoch(self):
        steps.written_out(self.model, self.optimizer, self.x, self.y, self.rng, self.batch_size)

    def predict(self, x):
        return self.model.predict(x)


def network(sizes, last):
    rng = np.random.default_rng(0)
    layers = [layer for n_in, n_out in pairwise(sizes) for layer in (Dense(n_in, n_out, rng=rng), ReLU())]
    return Sequential([*layers[:-1], {"sigmoid": Sigmoid, "softmax": Softmax}[last]()])


class Jax(Peer):
    """One call of a jitted step for each batch. The state is donated: its memory is used again for the new state."""

    needs = ("jax",)

    def __init__(self, threads):
        os.environ["NPROC"] = str(threads)  # JAX has no documented setting; XLA reads this one as it starts
        import jax

        self.jax = jax

    def build(self, sizes, last, batch_size, x, y):
        jax, jnp = self.jax, self.jax.numpy
        self.batch_size, self.x, self.y, self.rng = batch_size, x, y.astype(np.int32), np.random.default_rng(0)
        keys = jax.random.split(jax.random.key(0), len(sizes) - 1)
        glorot = jax.nn.initializers.glorot_uniform()
        params = [(glorot(key, shape), jnp.zeros(shape[1])) for key, shape in zip(keys, pairwise(sizes), strict=True)]
        zeros = jax.tree.map(jnp.zeros_like, params)
        self.state = params, zeros, jax.tree.map(jnp.copy, zeros), jnp.zeros(()), jnp.zeros(()), jnp.zeros((), int)

        def forward(params, x):
            for W, b in params[:-1]:
                x = jax.nn.relu(x @ W + b)
            z = x @ params[-1][0] + params[-1][1]
            return jax.nn.sigmoid(z) if last == "sigmoid" else jax.nn.softmax(z)

        def loss(params, xb, yb):
            outputs = forward(params, xb)
            q = jnp.clip(outputs / outputs.sum(axis=1, keepdims=True), 1e-7, 1 - 1e-7)
            return -jnp.log(q[jnp.arange(len(yb)), yb]).mean(), (outputs.argmax(axis=1) == yb).sum()

        def step(state, xb, yb):
            params, m, v, t, total, right = state
            (value, hits), grads = jax.value_and_grad(loss, has_aux=True)(params, xb, yb)
            t = t + 1
            m = jax.tree.map(lambda m, g: m + (g - m) * 0.1, m, grads)
            v = jax.tree.map(lambda v, g: v + (g * g - v) * 0.001, v, grads)
            alpha = 1e-3 * jnp.sqrt(1 - 0.999**t) / (1 - 0.9**t)
            params = jax.tree.map(lambda p, m, v: p - alpha * m / (jnp.sqrt(v) + 1e-7), params, m, v)
            return params, m, v, t, total + value * len(yb), right + hits

        self.step, self.forward = jax.jit(step, donate_argnums=0), jax.jit(forward)

    def epoch(self):
        order = self.rng.permutation(len(self.x))
        for i in range(0, len(order), self.batch_size):
            rows = order[i : i + self.batch_size]
            self.state = self.step(self.state, self.x[rows], self.y[rows])
        self.jax.block_until_ready(self.state)

    def predict(self, x):
        return np.asarray(self.forward(self.state[0], x))


class Keras(Peer):
    """``compile`` and ``fit``, nothing else."""

    def __init__(self, threads):
        os.environ["KERAS_BACKEND"] = self.backend
        os.environ["NPROC"] = str(threads)  # for JAX, as above
        if self.backend == "tensorflow":
            import tensorflow

            tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
            tensorflow.config.threading.set_inter_op_parallelism_threads(threads)
        import keras

        self.keras = keras

    def build(self, sizes, last, batch_size, x, y):
        layers = self.keras.layers
        self.batch_size, self.x, self.y = batch_size, x, y
        hidden = [layers.Dense(n, activation="relu") for n in sizes[1:-1]]
        output = layers.Dense(sizes[-1], activation=last)
        self.model = self.keras.Sequential([self.keras.Input((sizes[0],)), *hidden, output])
        self.model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])

    def epoch(self):
        self.model.fit(self.x, self.y, batch_size=self.batch_size, verbose=0)

    def predict(self, x):
        return self.model.predict(x, batch_size=len(x), verbose=0)


class KerasOnJax(Keras):
    backend, needs = "jax", ("keras", "jax")


class KerasOnTensorFlow(Keras):
    backend, needs = "tensorflow", ("keras", "tensorflow")


class PyTorch(Peer):
    """Its loss is of logits. Rows are picked by index: a DataLoader, which would fetch them one by one, is slower."""

    needs = ("torch",)
    fused = False

    def __init__(self, threads):
        import torch

        torch.set_num_threads(threads)
        self.torch = torch

    def build(self, sizes, last, batch_size, x, y):
        torch, nn = self.torch, self.torch.nn
        self.x, self.y, self.batch_size = torch.from_numpy(x), torch.from_numpy(y.astype(np.int64)), batch_size
        layers = [layer for n_in, n_out in pairwise(sizes) for layer in (nn.Linear(n_in, n_out), nn.ReLU())]
        self.model, self.loss = nn.Sequential(*layers[:-1]), nn.CrossEntropyLoss()
        self.optimizer = torch.optim.Adam(self.model.parameters(), fused=self.fused)

    def epoch(self):
        total, right = 0.0, 0
        for rows in self.torch.randperm(len(self.x)).split(self.batch_size):
            xb, yb = self.x.index_select(0, rows), self.y.index_select(0, rows)
            z = self.model(xb)
            value = self.loss(z, yb)
            self.optimizer.zero_grad()
            value.backward()
            self.optimizer.step()
            total += value.item() * len(xb)
            right += (z.argmax(1) == yb).sum().item()

    def predict(self, x):
        with self.torch.inference_mode():
            return self.model(self.torch.from_numpy(x)).numpy()


class PyTorchFused(PyTorch):
    fused = True


class ScikitLearn(Peer):
    """``partial_fit`` is one epoch that goes on where the last one ended; its outputs are always a softmax."""

    needs = ("sklearn",)

    def __init__(self, threads):
        from sklearn.neural_network import MLPClassifier

        threadpool_limits(threads)
        self.make = MLPClassifier

    def build(self, sizes, last, batch_size, x, y):
        self.model, self.x, self.y = self.make(sizes[1:-1], alpha=0, batch_size=min(batch_size, len(x))), x, y

    def epoch(self):
        self.model.partial_fit(self.x, self.y, classes=np.arange(10))

    def predict(self, x):
        return self.model.predict_proba(x)


PEERS = {
    "bare products": BareProducts,
    "nnscratch": NNScratch,
    "written out": WrittenOut,
    "JAX, jitted step": Jax,
    "Keras on JAX": KerasOnJax,
    "Keras on TensorFlow": KerasOnTensorFlow,
    "PyTorch, fused Adam": PyTorchFused,
    "PyTorch": PyTorch,
    "scikit-learn": ScikitLearn,
}


# ---- The process that a peer runs in ---------------------------------------------------------------------------


class Host:
    """Each method answers one kind of request. Times are seconds."""

    def __init__(self, name, threads, folder):
        self.peer = PEERS[name](threads)
        self.x, self.y, self.x_test, self.y_test = (np.load(Path(folder) / f"{i}.npy") for i in range(4))

    def build(self, sizes, last, batch_size, rows):
        """A new network and the first rows of the data; where there are too few, all of them as often as needed."""
        x, y = self.x[:rows], self.y[:rows]
        if rows > len(x):
            x, y = np.resize(x, (rows, x.shape[1])), np.resize(y, rows)
        self.peer.build(sizes, last, batch_size, x, y)

    def epoch(self, times=1):
        start = time.perf_counter()
        for _ in range(times):
            self.peer.epoch()
        return (time.perf_counter() - start) / times

    def predict(self, rows, block):
        x = self.x[:rows]
        start = time.perf_counter()
        for i in range(0, len(x), block):
            self.peer.predict(x[i : i + block])
        return time.perf_counter() - start

    def accuracy(self):
        return accuracy(self.peer.predict(self.x_test), self.y_test)

    def resident_growth(self, **network):
        """By how many bytes this process grows, at most, while it builds a network and trains it for an epoch."""
        before, _ = resident()
        self.build(**network)
        self.peer.epoch()
        return resident()[1] - before

    def traced_peak(self, **network):
        """The most bytes that Python and NumPy held at once for the same, beyond what was there before."""
        tracemalloc.start()
        self.build(**network)
        self.peer.epoch()
        return tracemalloc.get_traced_memory()[1]


def resident():
    """The memory of this process in bytes, and the most it ever was."""
    status = Path("/proc/self/status")
    if status.exists():  # on Linux getrusage would start with the peak of the process that started this one
        fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return tuple(1024 * int(fields[name].split()[0]) for name in ("VmRSS", "VmHWM"))
    import resource  # not on Windows, where benchmark.py does not ask

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # on macOS bytes
    return peak, peak


def serve(name, threads, folder):
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print must not come between the answers
    host = Host(name, int(threads), folder)
    print(json.dumps("ready"), file=answers, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(getattr(host, request.pop("do"))(**request)), file=answers, flush=True)


if __name__ == "__main__":
    serve(*sys.argv[1:])
