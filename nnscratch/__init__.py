"""nnscratch: neural networks in NumPy, written to be read.

The notation, obeyed everywhere: for any array ``a``, ``da`` is the gradient of the loss with respect
to ``a`` and has its shape. Rows are samples: ``x (N, n_in)``, ``y = x W + b``, ``W (n_in, n_out)``,
``b (n_out,)``. The mean over the batch, the 1/N, is taken once: in the loss. ``theta`` is all
parameters as one vector, ``grad`` their gradients. Randomness is an argument, ``rng``.

Read the files in this order:

- ``parameter``       a value and its gradient
- ``differentiable``  why backward before forward is an error
- ``initializers``    where weights start
- ``layers``          the contract of a layer; Dense, Flatten, Dropout
- ``activations``     ReLU, Sigmoid, Softmax
- ``metrics``         accuracy, confusion matrix, report; labels checked, labels as rows
- ``losses``          CrossEntropy, SparseCrossEntropy, SoftmaxCrossEntropy
- ``model``           Sequential: the layers in a row, one theta, forward and backward
- ``optimizers``      SGD, Adam
- ``callbacks``       what happens between epochs; EarlyStopping
- ``training``        batches, fit, evaluate
- ``contract``        what else a layer promises; ``diagnosis``: wrong gradients in words
- ``gradcheck``       the proof that all of this is right
- ``plots``           pictures; ``files``: writing safely; ``threads``: how many the products use
"""

from nnscratch.activations import ReLU, Sigmoid, Softmax
from nnscratch.callbacks import Callback, EarlyStopping
from nnscratch.contract import GradientError
from nnscratch.differentiable import StaleBackwardError
from nnscratch.gradcheck import check_layer, check_loss, check_model
from nnscratch.layers import Dense, Dropout, Flatten, Layer
from nnscratch.losses import CrossEntropy, Loss, SoftmaxCrossEntropy, SparseCrossEntropy
from nnscratch.model import Sequential
from nnscratch.optimizers import SGD, Adam, Optimizer
from nnscratch.parameter import Parameter
from nnscratch.training import batches, evaluate, fit

__version__ = "0.1.0"

__all__ = [
    "SGD", "Adam", "Callback", "CrossEntropy", "Dense", "Dropout", "EarlyStopping", "Flatten",
    "GradientError", "Layer", "Loss", "Optimizer", "Parameter", "ReLU", "Sequential", "Sigmoid",
    "Softmax", "SoftmaxCrossEntropy", "SparseCrossEntropy", "StaleBackwardError", "batches",
    "check_layer", "check_loss", "check_model", "evaluate", "fit",
]  # fmt: skip
