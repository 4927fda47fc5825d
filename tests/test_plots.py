"""What the pictures show, read back from the figures."""

import numpy as np
import pytest
from matplotlib.colors import to_hex

from nnscratch import plots


def texts(ax):
    return [text.get_text() for text in ax.texts]


def test_confusion_shows_every_count_in_its_row():
    matrix = np.arange(9).reshape(3, 3)
    ax = plots.confusion(matrix, ["a", "b", "c"], "title").axes[0]
    assert texts(ax) == [str(n) for n in range(9)]
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_title()) == ("predicted", "true", "title")
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b", "c"]
    shares = ax.collections[0].get_array().reshape(3, 3)
    np.testing.assert_allclose(shares, matrix / matrix.sum(axis=1, keepdims=True))


def test_predictions_tell_right_from_wrong_by_colour_text_and_frame():
    images = np.arange(2 * 4).reshape(2, 2, 2)
    figure = plots.predictions(images, [3, 5], [3, 6], [0.9999, 0.5], "title")
    right, wrong = figure.axes[:2]
    assert (plots.RIGHT, plots.WRONG) == ("#0072b2", "#d55e00")  # blue, vermillion
    assert right.get_title() == "3 (99.9%)\nis a 3"  # rounded down
    assert wrong.get_title() == "6 (50.0%)\nbut is a 5"
    assert to_hex(right.title.get_color()) == plots.RIGHT
    assert to_hex(wrong.title.get_color()) == plots.WRONG
    assert wrong.spines["top"].get_linewidth() > right.spines["top"].get_linewidth()
    np.testing.assert_array_equal(right.images[0].get_array(), images[0])


def test_weights_are_shown_as_images_of_the_units():
    W = np.random.default_rng(0).standard_normal((6, 10))
    figure = plots.weights(W, (2, 3), "title", list("0123456789"))
    ax = figure.axes[0]
    shown = np.ma.filled(ax.images[0].get_array(), np.nan)
    height, width = shown.shape[0] // 2, shown.shape[1] // 5
    for unit in range(10):
        row, column = divmod(unit, 5)
        tile = shown[row * height : (row + 1) * height, column * width : (column + 1) * width]
        np.testing.assert_array_equal(tile[~np.isnan(tile)].reshape(2, 3), W[:, unit].reshape(2, 3))
    assert texts(ax) == list("0123456789")
    low, high = ax.images[0].get_clim()
    assert low == -high  # white is zero


@pytest.mark.parametrize("n", [1, 10, 100, 128, 7, 64])
def test_any_number_of_units(n):
    assert plots.weights(np.ones((4, n)), (2, 2), "title").axes


def test_curves_show_the_history():
    history = {"loss": [3, 2], "accuracy": [0.5, 0.6], "val_loss": [4, 3], "val_accuracy": [0.4, 0.5]}
    figure = plots.curves(history, "title")
    for ax, key in zip(figure.axes, ("accuracy", "loss"), strict=True):
        lines = {line.get_label(): list(line.get_ydata()) for line in ax.lines}
        assert lines == {"training": history[key], "validation": history[f"val_{key}"]}


def test_digits_have_their_labels():
    images = np.arange(12 * 4).reshape(12, 2, 2)
    figure = plots.digits(images, range(12), "title")
    for i, ax in enumerate(figure.axes[:12]):
        assert ax.get_title() == str(i)
        np.testing.assert_array_equal(ax.images[0].get_array(), images[i])
