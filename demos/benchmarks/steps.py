"""What a training step costs, part by part, beside its floor, the bare matrix products; and what loading costs.

    python -m demos.benchmarks.steps

Adam, float32, ReLU, a last sigmoid. Everything is measured in one run, the things to be compared in turns; the tables
show medians. Results depend on the machine, their ratios much less.
"""

import gzip
import math
import statistics
import time
from collections import defaultdict
from itertools import pairwise

import numpy as np
from threadpoolctl import threadpool_limits

from datasets import mnist
from datasets.dataset import NAMES, cache_dir
from datasets.download import DownloadError
from demos import support
from nnscratch import Adam, Dense, ReLU, Sequential, Sigmoid, SparseCrossEntropy, batches, fit
from nnscratch.metrics import accuracy

REPEATS = 7
NETWORKS = {  # name: (widths, batch size, BLAS threads, rows)
    "784-100-10": ((784, 100, 10), 32, 1, 60_000),
    "784-128-64-10": ((784, 128, 64, 10), 32, 1, 60_000),
    "784-800-800-10": ((784, 800, 800, 10), 128, 2, 12_800),
}


def load():
    """60,000 training digits; without the full set, the 10,000 of the sample six times over, which costs the same.

    Returns (x, y), (x_test, y_test), scaled and flattened.
    """
    try:
        train, test = mnist.load_data()
    except DownloadError:
        print("NOT THE FULL MNIST: no mirror can be reached; 10,000 digits of the sample, six times over, stand in")
        (x, y), test = mnist.load_sample()
        train = np.concatenate([x] * 6), np.concatenate([y] * 6)
    return tuple((x.reshape(-1, 784) / np.float32(255), y) for x, y in (train, test))


def bare_products(model, x, batch_size=32):
    """The matrix products of each step, and nothing else: no step can take less. Seconds for all rows of x."""
    W1, *Ws = (p.value for p in model.parameters if p.value.ndim == 2)
    dW1 = np.empty_like(W1)
    later = [(np.full((batch_size, len(W)), 0.5, np.float32), W, np.empty_like(W)) for W in Ws]
    dy = np.full((batch_size, [W1, *Ws][-1].shape[1]), 0.5, np.float32)
    start = time.perf_counter()
    for i in range(0, len(x), batch_size):
        xb = x[i : i + batch_size]
        if len(xb) < batch_size:  # the last batch may be smaller
            later, dy = [(h[: len(xb)], W, dW) for h, W, dW in later], dy[: len(xb)]
        _ = xb @ W1
        for h, W, _ in later:
            _ = h @ W
        dz = dy
        for h, W, dW in reversed(later):
            np.matmul(h.T, dz, out=dW)
            dz = dz @ W.T
        np.matmul(xb.T, dz, out=dW1)
    return time.perf_counter() - start


def written_out(model, optimizer, x, y, rng, batch_size=32):
    """An epoch of 784-100-10, ReLU and sigmoid, as ``fit`` trains it: the same numbers, in one function.

    Every array and every formula of the framework is here, and none of its classes but the optimizer. Returns the mean
    loss and the accuracy.
    """
    W1, b1, W2, b2 = (p.value for p in model.parameters)
    dW1, db1, dW2, db2 = (p.grad for p in model.parameters)
    order, classes, epsilon = rng.permutation(len(x)), np.arange(10), 1e-7
    total, right = 0.0, 0
    for start in range(0, len(x), batch_size):
        rows = order[start : start + batch_size]
        xb, yb = x.take(rows, axis=0), y[rows]

        h = np.maximum(xb @ W1 + b1, 0)
        z = h @ W2 + b2
        e = np.exp(-np.abs(z))
        scores, slope = np.where(z >= 0, 1, e) / (1 + e), e / (1 + e) ** 2

        t = (yb[:, np.newaxis] == classes).astype(np.float32)
        S = scores.sum(axis=1, keepdims=True)
        S[S < 1e-37 / epsilon] = np.inf
        share = scores / S
        q = share.clip(epsilon, 1 - epsilon)
        total -= float((t * np.log(q)).sum())
        right += np.count_nonzero(scores.argmax(axis=1) == yb)

        g = -t * (q == share) / q
        dz = (g - (g * q).sum(axis=1, keepdims=True)) / (S * len(xb)) * slope
        np.matmul(h.T, dz, out=dW2)
        dz.sum(axis=0, out=db2)
        dh = dz @ W2.T * (h > 0)
        np.matmul(xb.T, dh, out=dW1)
        dh.sum(axis=0, out=db1)
        optimizer.step()
    return total / len(x), right / len(x)


def whole_epoch(model, loss, optimizer, x, y, **arguments):
    start = time.perf_counter()
    fit(model, loss, optimizer, x, y, rng=0, verbose=0, **arguments)
    return time.perf_counter() - start


def whole_epoch_written_out(model, loss, optimizer, x, y, batch_size):
    start = time.perf_counter()
    written_out(model, optimizer, x, y, np.random.default_rng(0), batch_size)
    return time.perf_counter() - start


def parts_of_an_epoch(model, loss, optimizer, x, y, batch_size):
    """The body of ``fit`` with a clock between the lines."""
    clock = time.perf_counter
    spent = dict.fromkeys(("batches", "forward", "loss", "accuracy", "backward", "optimizer"), 0.0)
    source = batches(x, y, batch_size, rng=0)
    for _ in range(len(x) // batch_size):
        t0 = clock()
        xb, yb = next(source)
        t1 = clock()
        outputs = model.forward(xb, training=True)
        t2 = clock()
        loss.forward(outputs, yb)
        dy = loss.backward()
        t3 = clock()
        accuracy(outputs, yb)
        t4 = clock()
        model.backward(dy)
        t5 = clock()
        optimizer.step()
        t6 = clock()
        for name, seconds in zip(spent, (t1 - t0, t2 - t1, t3 - t2, t4 - t3, t5 - t4, t6 - t5), strict=True):
            spent[name] += seconds
    return spent


class PlainAdam(Adam):
    """Adam as its formula stands: every operation makes a new array of the size of theta."""

    step = Adam.step_as_it_reads


class AdamWithFactors(Adam):
    """Adam in place, but with the factors (1 - beta) in m and v, where the formula has them: twelve passes."""

    def step(self):
        grad, m, v, scratch = self.model.grad, self.m, self.v, self.scratch
        self.t += 1
        m *= self.beta_1
        np.multiply(grad, 1 - self.beta_1, out=scratch)
        m += scratch
        v *= self.beta_2
        np.square(grad, out=scratch)
        scratch *= 1 - self.beta_2
        v += scratch
        np.sqrt(v, out=scratch)
        scratch += self.epsilon
        np.divide(m, scratch, out=scratch)
        scratch *= self.learning_rate * math.sqrt(1 - self.beta_2**self.t) / (1 - self.beta_1**self.t)
        self.model.theta -= scratch
        if self.t % 64 == 0:
            m *= np.abs(m) > self.negligible
            v *= v > self.negligible


def batches_of_a_copy(x, y, batch_size=32):
    """What ``batches`` could do instead: shuffle all rows at once. The copy takes as much memory as the data."""
    start = time.perf_counter()
    order = np.random.default_rng(0).permutation(len(x))
    x, y = x[order], y[order]
    for i in range(0, len(x), batch_size):
        _ = x[i : i + batch_size], y[i : i + batch_size]
    return time.perf_counter() - start


def roots(theta, steps):
    """The dearest of Adam's passes alone."""
    squares, scratch = np.ones_like(theta), np.empty_like(theta)
    start = time.perf_counter()
    for _ in range(steps):
        np.sqrt(squares, out=scratch)
    return time.perf_counter() - start


def bare_unpacking():
    """What loading the full MNIST cannot do without: unpack the four files and see the bytes as arrays."""
    start = time.perf_counter()
    for name in NAMES:
        np.frombuffer(gzip.decompress((cache_dir() / "mnist" / f"{name}.gz").read_bytes()), np.uint8)
    return time.perf_counter() - start


def whole_loading():
    start = time.perf_counter()
    mnist.load_data()
    return time.perf_counter() - start


def learner(sizes=(784, 100, 10)):
    rng = np.random.default_rng(0)
    layers = [layer for n_in, n_out in pairwise(sizes) for layer in (Dense(n_in, n_out, rng=rng), ReLU())]
    model = Sequential([*layers[:-1], Sigmoid()])
    return model, SparseCrossEntropy(), Adam(model)


def parts(x, y, sizes, batch_size, threads):
    """Where the time of a step goes: {part: seconds of each epoch}."""
    learns, seconds = learner(sizes), defaultdict(list)
    with threadpool_limits(threads, user_api="blas"):
        whole_epoch(*learns, x, y, batch_size=batch_size)  # warm
        for _ in range(REPEATS):
            seconds["bare matrix products"].append(bare_products(learns[0], x, batch_size))
            seconds["fit"].append(whole_epoch(*learns, x, y, batch_size=batch_size, threads=threads))
            if sizes == (784, 100, 10):
                seconds["written out"].append(whole_epoch_written_out(*learns, x, y, batch_size))
            for name, spent in parts_of_an_epoch(*learns, x, y, batch_size).items():
                seconds[f"  {name}"].append(spent)
            seconds["  Adam's roots alone"].append(roots(learns[0].theta, math.ceil(len(x) / batch_size)))
    return seconds


def tricks(x, y):
    """What the tricks save, in batches of 32: {variant: seconds of each epoch}."""
    as_it_is, with_dx, with_denormals, with_factors, plain = (learner() for _ in range(5))
    with_dx[0].layers[0].needs_dx = True
    with_denormals[2].negligible = 0.0
    with_factors, plain = (*with_factors[:2], AdamWithFactors(with_factors[0])), (*plain[:2], PlainAdam(plain[0]))
    variants = {"fit": as_it_is, "also the images' dx": with_dx, "denormals kept": with_denormals,
                "Adam in twelve passes": with_factors, "Adam as it reads": plain}  # fmt: skip
    for each in variants.values():
        whole_epoch(*each, x, y)  # warm, and with moments that had time to decay
    seconds = defaultdict(list)
    for _ in range(REPEATS):
        for name, each in variants.items():
            seconds[name].append(whole_epoch(*each, x, y))
        seconds["batches of a copy"].append(batches_of_a_copy(x, y))
    return seconds


def over_written_out(x, y, rounds=15):
    """How many times as long ``fit`` takes as the same mathematics in one function: the median over rounds that take
    two seconds each, so that a machine that changes its pace changes it for both."""
    learns, twin, ratios = learner(), learner(), []
    with threadpool_limits(1, user_api="blas"):
        for _ in range(rounds):
            ours = whole_epoch(*learns, x, y, threads=1)
            ratios.append(ours / whole_epoch_written_out(*twin, x, y, 32))
    return statistics.median(ratios)


def threads_for_large_products(x, y):
    """784-512-10 in batches of 128: {number of BLAS threads: seconds of each epoch}."""
    learns, seconds = learner((784, 512, 10)), defaultdict(list)
    for _ in range(REPEATS):
        for n in (1, 2):
            seconds[f"{n} BLAS thread{'s' * (n > 1)}"].append(whole_epoch(*learns, x, y, batch_size=128, threads=n))
    return seconds


def show(network, batch_size, rows, seconds):
    """A table of medians; "x first" is the quotient of a row and the first one."""
    title, steps = f"{network}, batch {batch_size}", math.ceil(rows / batch_size)
    first = statistics.median(next(iter(seconds.values())))
    print(f"\n{title:<26}{'s/epoch':>9}{'us/step':>9}{'x first':>9}{'from':>9}{'to':>9}")
    for name, values in seconds.items():
        median = statistics.median(values)
        print(
            f"{name:<26}{median:>9.3f}{1e6 * median / steps:>9.1f}{median / first:>9.2f}{min(values):>9.3f}"
            f"{max(values):>9.3f}"
        )


def main():
    (x, y), _ = load()
    print(f"medians of {REPEATS}")
    for name, (sizes, batch_size, threads, rows) in NETWORKS.items():
        show(name, batch_size, rows, parts(x[:rows], y[:rows], sizes, batch_size, threads))
    print(f"\nfit over the same mathematics written out: {over_written_out(x, y):.2f}")
    show("784-100-10", 32, len(x), tricks(x, y))
    show("784-512-10", 128, 12_800, threads_for_large_products(x[:12_800], y[:12_800]))
    if not mnist.MNIST.missing(cache_dir() / "mnist"):
        pairs = [(bare_unpacking(), whole_loading()) for _ in range(15)]
        bare, whole = (statistics.median(times) for times in zip(*pairs, strict=True))
        print(f"\nloading MNIST: {whole:.3f} s, bare gzip and frombuffer {bare:.3f} s, ratio {whole / bare:.2f}")


if __name__ == "__main__":
    support.run(main)
