"""nnscratch beside its peers, in one run: training, inference, memory, scaling, and life beside a busy process.

    python -m demos.benchmarks                       everything: about a quarter of an hour on two cores
    python -m demos.benchmarks training --repeats 3  one part of it
    pip install -e ".[bench]"                       installs the peers; those that are missing are left out

What is compared is measured in turns, after an epoch to warm up, at one thread and at all cores; the tables show the
better setting of each peer, medians, and medians of the ratios of the rounds. ``demos/benchmarks/peers.py`` has the
peers. Results go to runs/benchmark: results.json, results.md, benchmark.png. With all peers it takes 7 GB of
memory.
"""

import argparse
import importlib.util
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from importlib import metadata
from itertools import pairwise
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from datasets import mnist
from datasets.dataset import cache_dir
from demos import support
from demos.benchmarks import steps
from demos.benchmarks.peers import PEERS
from nnscratch import plots

FLOOR, OURS, PLAIN = "bare products", "nnscratch", "written out"
ALL = tuple(name for name in PEERS if name != PLAIN)
MODELS = {  # name: (widths, last activation, batch size, who trains it: the largest one would take the others too long)
    "784-10": ((784, 10), "sigmoid", 32, ALL),
    "784-100-10": ((784, 100, 10), "sigmoid", 32, tuple(PEERS)),
    "784-128-64-10": ((784, 128, 64, 10), "softmax", 32, ALL),
    "784-800-800-10": ((784, 800, 800, 10), "softmax", 128, (FLOOR, OURS, "PyTorch, fused Adam", "PyTorch")),
}
ROWS, IMAGES, BLOCKS = 60_000, 10_000, (100, 1000, 10_000)
SCALING = {  # what grows: its values, and for each of them (widths, batch size, rows)
    "batch size": {n: ((784, 100, 10), n, min(500 * n, ROWS)) for n in (1, 4, 16, 64, 256, 1024, 4096)},
    "hidden width": {n: ((784, n, 10), 32, 6400) for n in (16, 64, 256, 1024, 4096)},
    "samples": {n: ((784, 100, 10), 32, n) for n in (1000, 4000, 16_000, 60_000, 600_000)},
    "depth": {n: ((784, *[100] * (n - 1), 10), 32, 6400) for n in (1, 2, 5, 10, 20)},
}
BUSY = "import time, numpy as np\nx, end = np.ones((1000, 1000)), time.time() + 120\nwhile time.time() < end: x @ x"
SETTLE = 0.2  # seconds: threads go on spinning for a while when their work is done
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


# ---- Measuring -------------------------------------------------------------------------------------------------------


class Worker:
    """The process of one peer; it sleeps unless it is asked."""

    def __init__(self, name, threads, folder):
        self.name, self.threads = name, threads
        self.log = tempfile.TemporaryFile()  # noqa: SIM115  # closed in close()
        command = [sys.executable, "-m", "demos.benchmarks.peers", name, str(threads), folder]
        environment = {k: v for k, v in os.environ.items() if k not in THREAD_VARIABLES}
        environment["TF_CPP_MIN_LOG_LEVEL"] = "2"  # TensorFlow greets with pages of notes
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True, env=environment
        )

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            self.log.seek(0)
            reason = self.log.read().decode(errors="replace").strip()[-2000:]
            raise ChildProcessError(f"{self.name} ended: leave it out by uninstalling it, or repair it:\n{reason}")
        return json.loads(line)

    def ask(self, do, **arguments):
        self.process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
        self.process.stdin.flush()
        return self.answer()

    def close(self):
        self.process.kill()
        self.process.communicate()
        self.log.close()


class Bench:
    """The workers, the data they read, and how noisy the machine was meanwhile."""

    def __init__(self, names, repeats, folder):
        self.names, self.repeats, self.folder, self.workers, self.noise = names, repeats, folder, {}, []
        self.model, self.x = steps.learner()[0], np.full((9600, 784), 0.5, np.float32)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        for worker in self.workers.values():
            worker.close()

    def settings(self, name):
        return (0,) if PEERS[name].chooses_threads else sorted({1, cores()})

    def team(self, names, **network):
        """The workers of these peers, each with a new network, by (name, setting)."""
        keys = [(name, threads) for name in names if name in self.names for threads in self.settings(name)]
        for key in keys:
            self.start(*key)
        for key in keys:
            self.workers[key].ask("build", **network)
        return {(name, say_threads(threads)): self.workers[name, threads] for name, threads in keys}

    def start(self, name, threads):
        if (name, threads) not in self.workers:
            self.workers[name, threads] = Worker(name, threads, self.folder)
            self.workers[name, threads].answer()
        return self.workers[name, threads]

    def listen(self):
        """How long a computation that is always the same takes now."""
        self.noise.append(steps.bare_products(self.model, self.x))

    def measure(self, worker, request):
        time.sleep(SETTLE)
        self.listen()
        return worker.ask(**request)

    def race(self, entrants, repeats):
        """{(name, setting): seconds} of {(name, setting): (worker, request)}, in turns, after a round to warm up."""
        for worker, request in entrants.values():
            worker.ask(**request)
        seconds = {key: [] for key in entrants}
        for _ in range(repeats):
            for key, values in seconds.items():
                values.append(self.measure(*entrants[key]))
            seconds = without_slow_settings(seconds)
        return seconds


def without_slow_settings(seconds):
    """After the first round: who took 1.5 times as long as in its best setting need not go on in this one.

    Only the floor goes on in all settings: ours is one of them.
    """
    best = {name: min(values[0] for (other, _), values in seconds.items() if other == name) for name, _ in seconds}
    return {key: values for key, values in seconds.items() if values[0] <= 1.5 * best[key[0]] or key[0] == FLOOR}


def summary(seconds):
    """For each peer its best setting by median, and how many times as long nnscratch takes.

    That is the median of the ratios of each round, of what was measured within the same minute: the machine may be
    slower in some rounds than in others.
    """
    ours = next(values for (name, _), values in seconds.items() if name == OURS)
    settings = {}
    for (name, setting), values in seconds.items():
        ratio = statistics.median(a / b for a, b in zip(ours, values, strict=False))  # some gave up after a round
        row = {"setting": setting, "seconds": values, "median": statistics.median(values), "ratio": ratio}
        settings.setdefault(name, []).append(row)
    return {name: {**min(rows, key=lambda row: row["median"]), "settings": rows} for name, rows in settings.items()}


def odd_ones(accuracies):
    """Who is off by more than 0.01 from the median of the others."""
    odd = {}
    for name, value in accuracies.items():
        others = [other for each, other in accuracies.items() if each != name]
        if others and abs(value - statistics.median(others)) > 0.01:
            odd[name] = f"{name} reaches {value:.4f}, the median of the others is {statistics.median(others):.4f}"
    return odd


def noise(seconds, load):
    """How much the time of one and the same computation varied, and what that means."""
    median = statistics.median(seconds)
    slow = sum(value > 1.2 * median for value in seconds) / len(seconds)
    quiet = slow <= 0.05 and (load is None or load < 0.5)
    words = "the machine was quiet: trust the medians"
    if not quiet:
        words = "the machine was busy with something else: do not trust these figures, repeat the run"
    return {"median": median, "spread": max(seconds) / median, "share above 1.2": slow, "load before": load,
            "trustworthy": quiet, "words": words}  # fmt: skip


def cores():
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def say_threads(threads):
    return f"{threads} thread{'s' * (threads > 1)}" if threads else "its own choice"


# ---- The parts -------------------------------------------------------------------------------------------------------


def training(bench):
    results = {}
    for model, (sizes, last, batch_size, names) in MODELS.items():
        print(f"  {model}")
        team = bench.team(names, sizes=sizes, last=last, batch_size=batch_size, rows=ROWS)
        rows = summary(bench.race({key: (worker, {"do": "epoch"}) for key, worker in team.items()}, bench.repeats))
        accuracies = {}
        for name, row in rows.items():
            if PEERS[name].learns:
                row["accuracy"] = accuracies[name] = team[name, row["setting"]].ask("accuracy")
        results[model] = {"batch size": batch_size, "epochs": 1 + bench.repeats, "peers": rows,
                          "odd accuracies": odd_ones(accuracies)}  # fmt: skip
    return results


def inference(bench):
    """nnscratch in the blocks that its ``predict`` chooses; the others in the best size of those in BLOCKS."""
    entrants = {}
    team = bench.team(ALL, sizes=(784, 100, 10), last="sigmoid", batch_size=32, rows=3200)
    for (name, setting), worker in team.items():
        worker.ask("epoch")  # scikit-learn predicts only after training
        for block in (IMAGES,) if name == OURS else BLOCKS:
            key = name, setting if name == OURS else f"{setting}, blocks of {block}"
            entrants[key] = worker, {"do": "predict", "rows": IMAGES, "block": block}
    return {"images": IMAGES, "peers": summary(bench.race(entrants, 4 * bench.repeats))}


def memory(bench):
    """Of training for an epoch, beyond the data: in new processes, since a process seldom gives memory back."""
    if sys.platform == "win32":
        print("memory: left out, Windows does not tell the peak of a process the way others do")
        return {}

    def growth(name, model, kind):
        sizes, last, batch_size, _ = MODELS[model]
        worker = Worker(name, bench.settings(name)[0], bench.folder)
        try:
            worker.answer()
            return worker.ask(kind, sizes=sizes, last=last, batch_size=batch_size, rows=ROWS)
        finally:
            worker.close()

    ours = {}
    for model, (sizes, *_) in MODELS.items():
        theta = 4 * sum((n_in + 1) * n_out for n_in, n_out in pairwise(sizes))
        ours[model] = {"theta": theta, "limit": 30e6 + 6 * theta, "process": growth(OURS, model, "resident_growth"),
                       "arrays": growth(OURS, model, "traced_peak")}  # fmt: skip
    others = [name for name in bench.names if name not in (FLOOR, OURS, PLAIN)]
    peers = {name: growth(name, "784-100-10", "resident_growth") for name in others}
    return {OURS: ours, "peers, 784-100-10": peers}


def scaling(bench):
    results = {}
    for axis, values in SCALING.items():
        results[axis] = {}
        for value, (sizes, batch_size, rows) in values.items():
            if not enough_memory(4 * 784 * rows):
                print(f"scaling: {axis} {value} left out, not known to have {6e-9 * 784 * rows:.1f} GB of free memory")
                continue
            network = {"sizes": sizes, "last": "softmax", "batch_size": batch_size}
            # The floor does not depend on how many rows there are in all: it need not have the synthetic ones.
            team = bench.team([FLOOR], **network, rows=min(rows, ROWS)) | bench.team([OURS], **network, rows=rows)
            request = {"do": "epoch", "times": max(1, 6400 // rows)}
            best = summary(bench.race({key: (worker, request) for key, worker in team.items()}, min(bench.repeats, 3)))
            steps = {name: math.ceil((rows if name == OURS else min(rows, ROWS)) / batch_size) for name in best}
            row = {name: best[name]["median"] / steps[name] for name in best}
            row |= {"ratio": row[OURS] / row[FLOOR], "per sample": best[OURS]["median"] / rows}
            results[axis][value] = row
    return results


def enough_memory(size):
    """Whether the system says that it has 1.5 times as many bytes; small arrays need not be asked for."""
    if size < 500e6:
        return True
    file = Path("/proc/meminfo")
    return file.exists() and 1024 * int(file.read_text().split("MemAvailable:")[1].split()[0]) > 1.5 * size


def busy(bench):
    """Our training alone and beside a process that multiplies matrices with as many threads as its BLAS likes."""
    results = {}
    for threads in sorted({1, cores()}):
        worker = bench.start(OURS, threads)
        worker.ask("build", sizes=(784, 100, 10), last="sigmoid", batch_size=32, rows=16_000)
        worker.ask("epoch")
        alone, beside = [], []
        for _ in range(bench.repeats):
            alone.append(bench.measure(worker, {"do": "epoch"}))
            environment = {k: v for k, v in os.environ.items() if k not in THREAD_VARIABLES}
            neighbour = subprocess.Popen([sys.executable, "-c", BUSY], env=environment)
            try:
                time.sleep(1)  # until it has begun
                beside.append(worker.ask("epoch"))
            finally:
                neighbour.kill()
                neighbour.wait()
        medians = statistics.median(alone), statistics.median(beside)
        results[say_threads(threads)] = {"alone": alone, "busy": beside, "slow-down": medians[1] / medians[0]}
    return results


PARTS = {part.__name__: part for part in (training, inference, memory, scaling, busy)}


# ---- What it says ----------------------------------------------------------------------------------------------------


def table(head, rows):
    """Markdown; numbers to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return [f"| {' | '.join(map(str, line))} |" for line in lines] + [""]


def peers_table(rows, unit, scale):
    head = ["peer", "setting", unit, "from", "to", "nnscratch takes", "test accuracy"]
    lines = []
    for name, row in sorted(rows.items(), key=lambda item: item[1]["median"]):
        seconds = [f"{scale * value:.3f}" for value in (row["median"], min(row["seconds"]), max(row["seconds"]))]
        accuracy = f"{row['accuracy']:.4f}" if "accuracy" in row else ""
        lines.append([name, row["setting"], *seconds, f"{row['ratio']:.2f} x", accuracy])
        for other in row["settings"] if name == FLOOR else ():
            if other["setting"] != row["setting"]:
                lines.append(
                    [name, other["setting"], f"{scale * other['median']:.3f}", "", "", f"{other['ratio']:.2f} x", ""]
                )
    return table(head, lines)


def markdown(results):
    """The tables of all parts that were run."""
    machine, said = results["machine"], results["noise"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    lines = [f"Measured by `python -m demos.benchmarks` on {machine['cores']} cores, {machine['processor']}, "
             f"{machine['data']}, with {versions}.", ""]  # fmt: skip
    load = "unknown" if said["load before"] is None else f"{said['load before']:.2f}"
    lines += [f"Noise: the slowest reference computation took {said['spread']:.2f} times the median, "
              f"{said['share above 1.2']:.0%} took more than 1.2 times; load average before the run {load}. In words: "
              f"{said['words']}.", ""]  # fmt: skip
    if machine["missing"]:
        lines += [f'Not installed: {", ".join(machine["missing"])} (`pip install -e ".[bench]"`).', ""]
    for model, part in results.get("training", {}).items():
        lines += [f"### {model}, batch {part['batch size']}: training, {part['epochs']} epochs", ""]
        lines += peers_table(part["peers"], "s/epoch", 1)
        lines += [f"**Warning: not the same accuracy. {warning}.**\n" for warning in part["odd accuracies"].values()]
    if part := results.get("inference"):
        lines += [f"### Inference: {part['images']:,} images, 784-100-10", ""]
        lines += peers_table(part["peers"], "ms", 1e3)
    if part := results.get("memory"):
        lines += ["### Memory of training beyond the data", ""]
        rows = [[f"nnscratch, {model}", mb(row["process"]), mb(row["arrays"]), mb(row["limit"])]
                for model, row in part[OURS].items()]  # fmt: skip
        rows += [[f"{name}, 784-100-10", mb(value), "", ""] for name, value in part["peers, 784-100-10"].items()]
        lines += table(["peer", "growth of the process, MB", "its arrays, MB", "30 MB + 6 theta"], rows)
    for axis, values in results.get("scaling", {}).items():
        lines += [f"### Scaling: {axis}", ""]
        rows = [[value, *(f"{1e6 * row[key]:.1f}" for key in (OURS, FLOOR)), f"{row['ratio']:.2f}",
                 f"{1e6 * row['per sample']:.2f}"] for value, row in values.items()]  # fmt: skip
        lines += table([axis, "µs/step", "bare products", "ratio", "µs/sample"], rows)
        if axis == "samples":
            steps = [row[OURS] for row in values.values()]
            lines += [
                f"The slowest of these steps takes {max(steps) / min(steps):.2f} times as long as the fastest.",
                "",
            ]
    if part := results.get("busy"):
        lines += ["### Beside a busy process, 784-100-10", ""]
        rows = [[setting, f"{row['slow-down']:.2f} x"] for setting, row in part.items()]
        lines += table(["nnscratch with", "slow-down"], rows)
    return "\n".join(lines)


def mb(size):
    return f"{size / 1e6:.1f}"


def picture(part, title):
    """Horizontal bars of seconds an epoch, a panel for each model; the ratios are written on."""
    figure = Figure(figsize=(11, 7), layout="constrained")
    figure.suptitle(title)
    panels = figure.subplots(-(-len(part) // 2), 2, squeeze=False).flat
    for ax, (model, results) in zip(panels, part.items(), strict=False):
        rows = sorted(results["peers"].items(), key=lambda item: -item[1]["median"])
        colors = [{OURS: plots.RIGHT, FLOOR: "0.8"}.get(name, "0.6") for name, _ in rows]
        texts = [f"{row['median']:.2f} s" + f", x {row['ratio']:.2f}" * (name != OURS) for name, row in rows]
        ax.bar_label(
            ax.barh([name for name, _ in rows], [row["median"] for _, row in rows], color=colors), texts, padding=3
        )
        ax.set(title=f"{model}, batch {results['batch size']}", xlabel="s/epoch")
        ax.margins(x=0.35)
        ax.spines[["top", "right"]].set_visible(False)
    return figure


def machine(missing):
    packages = {name.lower(): name for name in ("numpy", "jax", "keras", "tensorflow", "tensorflow-cpu", "torch",
                                                "scikit-learn")}  # fmt: skip
    versions = {d.metadata["Name"].lower().replace("_", "-"): d.version for d in metadata.distributions()}
    full = not mnist.MNIST.missing(cache_dir() / "mnist")
    return {"cores": cores(), "processor": processor(), "system": platform.platform(),
            "versions": {"Python": platform.python_version(), **{k: versions[k] for k in packages if k in versions}},
            "missing": missing, "data": "full MNIST" if full else "the sample of MNIST, not all of it"}  # fmt: skip


def processor():
    file = Path("/proc/cpuinfo")  # on Linux platform knows only the kind of machine
    lines = file.read_text().splitlines() if file.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def installed():
    """The names of those whose libraries are here, and of those who are missing."""
    here = {name: all(importlib.util.find_spec(module) for module in each.needs) for name, each in PEERS.items()}
    return [name for name in here if here[name]], [name for name in here if not here[name]]


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m demos.benchmarks", description=__doc__.split("\n")[0])
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)} (default: all)")
    parser.add_argument("--repeats", type=support.positive(int), default=5, help="default: %(default)s")
    parser.add_argument("--output", type=Path, default=Path("runs/benchmark"), help="default: %(default)s")
    options = parser.parse_args(arguments, argparse.Namespace(quiet=False))
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"argument parts: expected some of {', '.join(PARTS)}, got {', '.join(sorted(unknown))}")
    report = support.Report(options)
    names, missing = installed()
    for name in missing:
        report.say(f'{name} is not installed and left out: pip install -e ".[bench]"')

    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    results = {"machine": machine(missing)}
    with tempfile.TemporaryDirectory() as folder, Bench(names, options.repeats, folder) as bench:
        for i, array in enumerate(array for pair in steps.load() for array in pair):
            np.save(Path(folder) / f"{i}.npy", array)
        for part in options.parts or PARTS:
            report.say(f"measuring: {part}")
            bench.listen()
            results[part] = PARTS[part](bench)
    results["noise"] = noise(bench.noise, load)

    report.say("\n" + markdown(results))
    report.save_json("results.json", results)
    report.save_text("results.md", markdown(results))
    if "training" in results:
        report.save_figure(
            "benchmark.png",
            picture(results["training"], "Training: seconds an epoch, and how many times as long nnscratch takes (x)"),
        )


if __name__ == "__main__":
    support.run(main)
