"""Gradient checks: is ``backward`` really the derivative of ``forward``?

Read ``slopes`` first: how a derivative is measured without knowing any calculus. Then
``gradients``: what is compared with what; and ``checks``: the same for a layer, a loss, and a whole
model. Then what comes with it: ``promises``, what else a layer has to keep, ``batches``, at other
batches, and ``modes``, in training and prediction; ``losses``, what a loss has to keep; ``twins``,
copies to experiment on; ``diagnosis``, wrong gradients in words; ``report``, the table. And
``optimizers``, with ``missteps``, wrong steps in words: is a step the rule that was published?
"""

from nnscratch.checking.checks import check_layer, check_loss, check_model
from nnscratch.checking.optimizers import check_optimizer
from nnscratch.checking.report import GradientError, Report, Row

__all__ = [
    "GradientError",
    "Report",
    "Row",
    "check_layer",
    "check_loss",
    "check_model",
    "check_optimizer",
]
