"""The mistakes that the demo's model with two hidden layers is surest of, as the demo draws them."""

import tempfile

import numpy as np

from datasets import mnist
from demos import support
from demos.mnist import MODELS, learn, rows
from demos.mnist import draw as draw_all

SLOW = "seconds"
VARIES = True  # which digits are the worst depends on the last bits of the weights


class Pictures(support.Report):
    """A report that keeps its pictures and saves nothing."""

    def save_figure(self, name, figure):
        self.figures[name] = figure

    def save(self, name, write):
        pass


def draw():
    (x_train, y_train), (images, y_test) = mnist.load_data()
    with tempfile.TemporaryDirectory() as folder:
        report = Pictures(support.parse_arguments(["--quiet", "--output", folder], MODELS))
    report.figures = {}
    rng = np.random.default_rng(0)
    trained = learn("two-hidden", rng, (rows(x_train), y_train), (rows(images), y_test), report.options, report)
    draw_all("two-hidden", rng, *trained, images, y_test, report)
    return report.figures["two-hidden/mistakes.png"]
