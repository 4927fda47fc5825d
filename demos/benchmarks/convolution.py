"""How long a small convolutional network takes beside PyTorch's, and where the time goes.

    python -m demos.benchmarks.convolution          two minutes; without torch, the parts only

Two convolutions of 5 x 5, each with ReLU and a pool, then dense layers, as in LeNet-5; Adam, batches of 64, float32,
one thread. Everything is measured in one run, in turns of a few steps; the tables show medians, and medians of the
quotients of the turns. PyTorch takes part as it comes, and with images channels last, with which it is often faster.
"""

import importlib.util
import statistics
import time
from collections import defaultdict

import numpy as np

from demos import support
from demos.layers.images import Conv2D, MaxPool2D, PlainConv2D
from nnscratch import Adam, Dense, Flatten, ReLU, Sequential, SoftmaxCrossEntropy

BATCH, STEPS, TURNS = 64, 5, 40
NETWORKS = {"6 and 16 filters, 120-84-10": (6, 16, (120, 84)), "16 and 32 filters, 10": (16, 32, ())}


class ChannelsInnermost(Conv2D):
    """What Conv2D would be with images that are channels last in memory, too: rows (P, size² n_in), not columns."""

    def forward(self, x):
        windows = self.windows(np.ascontiguousarray(x))  # (N, H', W', n_in, size, size)
        self.shape, self.places = x.shape, windows.shape[:3]
        self.columns = self.gather(windows)
        return (self.columns @ self.W.value.reshape(-1, self.n_out) + self.b.value).reshape(*self.places, self.n_out)

    def backward(self, dy):
        dy = dy.reshape(-1, self.n_out)
        self.W.grad = (self.columns.T @ dy).reshape(self.W.value.shape)
        self.b.grad = dy.sum(axis=0)
        return self.scatter(dy @ self.W.value.reshape(-1, self.n_out).T) if self.needs_dx else None

    def gather(self, windows):
        return windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, self.size**2 * self.n_in)

    def scatter(self, dcolumns):
        dcolumns = dcolumns.reshape(*self.places, self.size, self.size, self.n_in)
        dx, (_, height, width) = np.zeros(self.shape, dcolumns.dtype), self.places
        for i in range(self.size):
            for j in range(self.size):
                dx[:, i : i + height, j : j + width] += dcolumns[:, :, :, i, j]
        return dx


class Ours:
    def __init__(self, filters, convolution=Conv2D):
        first, second, hidden = filters
        rng = np.random.default_rng(0)
        layers = [convolution(1, first, 5, rng=rng), ReLU(), MaxPool2D(2)]  # (N, 12, 12, first)
        layers += [convolution(first, second, 5, rng=rng), ReLU(), MaxPool2D(2), Flatten()]  # (N, 4, 4, second)
        n = 16 * second
        for width in hidden:
            layers += [Dense(n, width, rng=rng), ReLU()]
            n = width
        self.model = Sequential([*layers, Dense(n, 10, rng=rng)])
        self.loss, self.optimizer = SoftmaxCrossEntropy(), Adam(self.model)

    def step(self, x, y):
        self.loss.forward(self.model.forward(x, training=True), y)
        self.model.backward(self.loss.backward())
        self.optimizer.step()


class Torch:
    """The same network, loss and optimizer."""

    def __init__(self, filters, channels_last):
        import torch

        torch.set_num_threads(1)
        first, second, hidden = filters
        nn, self.torch = torch.nn, torch
        layers = [nn.Conv2d(1, first, 5), nn.ReLU(), nn.MaxPool2d(2)]
        layers += [nn.Conv2d(first, second, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()]
        n = 16 * second
        for width in hidden:
            layers += [nn.Linear(n, width), nn.ReLU()]
            n = width
        self.format = torch.channels_last if channels_last else torch.contiguous_format
        self.model = nn.Sequential(*layers, nn.Linear(n, 10)).to(memory_format=self.format)
        self.loss, self.optimizer = nn.CrossEntropyLoss(), torch.optim.Adam(self.model.parameters(), fused=True)

    def step(self, x, y):
        x = self.torch.from_numpy(x.transpose(0, 3, 1, 2)).to(memory_format=self.format)
        self.optimizer.zero_grad()
        self.loss(self.model(x), self.torch.from_numpy(y)).backward()
        self.optimizer.step()


def seconds(learner, x, y, steps):
    """Of a step."""
    start = time.perf_counter()
    for _ in range(steps):
        learner.step(x, y)
    return (time.perf_counter() - start) / steps


def in_turns(learners, x, y, turns):
    """{name: seconds of a step in each turn}. Every other turn has the opposite order."""
    spent = defaultdict(list)
    for learner in learners.values():
        seconds(learner, x, y, 3)  # warm
    for turn in range(turns):
        for name in list(learners)[:: 1 if turn % 2 else -1]:
            spent[name].append(seconds(learners[name], x, y, STEPS))
    return spent


def parts(filters, x, y, turns):
    """{part: seconds of a step in each turn}, by clocks around the methods of the layers."""
    learner, spent, turn = Ours(filters), defaultdict(list), defaultdict(float)

    def clocked(owner, method, name):
        run = getattr(owner, method)

        def timed(*arguments):
            start = time.perf_counter()
            result = run(*arguments)
            turn[name] += time.perf_counter() - start
            return result

        setattr(owner, method, timed)

    for layer in learner.model.layers:
        kind = type(layer).__name__
        for method in ("forward", "backward"):
            clocked(layer, method, {"MaxPool2D": "pools", "ReLU": "ReLU"}.get(kind, kind))
        if isinstance(layer, Conv2D):
            clocked(layer, "gather", "gathering the columns")
            clocked(layer, "scatter", "scattering them back")
    seconds(learner, x, y, 3)
    for _ in range(turns):
        turn.clear()
        whole = seconds(learner, x, y, STEPS)
        each = {name: value / STEPS for name, value in turn.items()}
        each["products and biases"] = each["Conv2D"] - each["gathering the columns"] - each["scattering them back"]
        dense = each.pop("Dense") + each.pop("Flatten")
        convolutions = each.pop("Conv2D")
        each["all else: dense layers, loss, Adam"] = whole - convolutions - each["pools"] - each["ReLU"]
        each["  of this, dense layers"] = dense
        for name, value in {"a step": whole, **each}.items():
            spent[name].append(value)
    return spent


def show(title, spent, first):
    print(f"\n{title:<40}{'ms/step':>9}{f'/ {first}':>18}")
    for name, values in spent.items():
        quotients = [a / b for a, b in zip(values, spent[first], strict=True)]
        print(f"{name:<40}{1e3 * statistics.median(values):>9.2f}{statistics.median(quotients):>18.2f}")


@support.one_thread
def main(turns=TURNS):
    rng = np.random.default_rng(0)
    x, y = rng.random((BATCH, 28, 28, 1), np.float32), rng.integers(0, 10, BATCH)
    print(f"medians of {turns} turns of {STEPS} steps, batches of {BATCH}, one thread")
    torch_is_there = importlib.util.find_spec("torch") is not None
    if not torch_is_there:
        print("left out: PyTorch. python -m pip install torch")
    for name, filters in NETWORKS.items():
        learners = {"nnscratch": Ours(filters)}
        if torch_is_there:
            learners |= {"PyTorch": Torch(filters, False), "PyTorch, channels last": Torch(filters, True)}
        learners["channels innermost in memory"] = Ours(filters, ChannelsInnermost)
        spent = in_turns(learners, x, y, turns)
        show(name, spent, "nnscratch")
        for peer in list(learners)[1 : 3 if torch_is_there else 1]:
            quotients = [a / b for a, b in zip(spent["nnscratch"], spent[peer], strict=True)]
            print(f"nnscratch / {peer}: {statistics.median(quotients):.2f}")
        show(f"where the time goes, {name}", parts(filters, x, y, turns), "a step")
    plain = {"Conv2D": Ours(filters), "PlainConv2D": Ours(filters, PlainConv2D)}
    show(name, in_turns(plain, x[:8], y[:8], max(turns // 8, 1)), "Conv2D")


if __name__ == "__main__":
    support.run(main)
