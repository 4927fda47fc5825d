"""What the pictures of the docs share: colours that every common kind of colour vision can tell apart."""

from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

FORWARD, BACKWARD = "#0072b2", "#d55e00"  # blue: values on their way forward; vermillion: gradients on their way back
GREY, GREEN, PURPLE = "#8a8a8a", "#009e73", "#aa4499"


def figure(width: float, height: float) -> Figure:
    return Figure(figsize=(width, height), layout="constrained")


def bare(ax: Axes) -> None:
    """An axes without ticks and frame."""
    ax.set_axis_off()


def two_colours(low: str, high: str) -> LinearSegmentedColormap:
    """From one colour over white, in the middle, to another."""
    return LinearSegmentedColormap.from_list("two colours", [low, "white", high])
