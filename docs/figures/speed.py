"""The README's chart: how long others take for the same training, from the table in docs/speed.md."""

import re
from pathlib import Path

from matplotlib.figure import Figure

from docs.figures._style import BACKWARD, GREY, figure

PAGE = Path(__file__).parent.parent / "speed.md"


def table() -> dict[str, float]:
    """How long each peer takes to train 784-100-10, over nnscratch: better settings only, quickest first."""
    text = PAGE.read_text(encoding="utf-8").split("### 784-100-10, batch 32: training")[1].split("###")[0]
    rows = re.findall(r"^\| ([^|]+?) \|.*\| ([\d.]+) x \|", text, re.MULTILINE)
    times: dict[str, float] = {}
    for name, ratio in rows:
        if name == "bare products":
            continue  # no training
        times[name] = min(1 / float(ratio), times.get(name, float("inf")))
    return dict(sorted(times.items(), key=lambda item: item[1]))


def draw() -> Figure:
    times = table()
    chart = figure(9, 3.4)
    ax = chart.subplots()
    for row, (name, time) in enumerate(times.items()):
        ours = name == "nnscratch"
        ax.barh(row, time, color=BACKWARD if ours else GREY)
        ax.text(time + 0.04, row, f"{time:.2f}", va="center", fontweight="bold" if ours else "normal")
    names = [name.replace("written out", "NumPy, in one function") for name in times]
    ax.set(yticks=range(len(times)), yticklabels=names, xlim=(0, 4.4))
    ax.set_xlabel("time to train 784-100-10 on MNIST in batches of 32, on two cores; nnscratch = 1")
    ax.invert_yaxis()
    ax.spines[["top", "right"]].set_visible(False)
    return chart
