"""Chapter 9: where the time of a training step goes, from the table in docs/speed.md."""

import re
from pathlib import Path

from matplotlib.figure import Figure

from docs.figures._style import BACKWARD, FORWARD, GREEN, GREY, PURPLE, figure

PAGE = Path(__file__).parent.parent / "speed.md"
PARTS = {  # what the table calls it: (what the picture calls it, its colour)
    "`batches`": ("gathering the batch", GREY),
    "forward": ("forward", FORWARD),
    "loss": ("loss", PURPLE),
    "accuracy": ("accuracy", GREY),
    "backward": ("backward", BACKWARD),
    "Adam": ("Adam", GREEN),
}


def table() -> dict[str, int]:
    """Microseconds of each row of the table, for 784-100-10."""
    text = PAGE.read_text(encoding="utf-8").split("## Where the time goes")[1]
    return {name: int(time) for name, time in re.findall(r"^\| (.+?) \| (\d+) \| \d+ \|$", text, re.MULTILINE)}


def draw() -> Figure:
    times = table()
    chart = figure(10, 2.6)
    ax = chart.subplots()
    left = 0
    for start, (name, color) in PARTS.items():
        time = next(time for row, time in times.items() if row.startswith(start))
        ax.barh("a step of fit", time, left=left, color=color, edgecolor="white")
        ax.text(
            left + time / 2, 0, f"{name}\n{time}" if time > 20 else f"{time}", ha="center", va="center", color="white"
        )
        left += time
    products = next(time for row, time in times.items() if row.startswith("the bare"))
    ax.barh("its matrix products, nothing else", products, color=FORWARD, edgecolor="white", alpha=0.5)
    ax.text(products / 2, 1, f"{products}", ha="center", va="center")
    ax.invert_yaxis()
    ax.set(xlabel="microseconds, 784-100-10, batches of 32")
    ax.spines[["top", "right"]].set_visible(False)
    return chart
