"""nnscratch: neural networks in NumPy, written to be read.

The notation, obeyed everywhere: for any array ``a``, ``da`` is the gradient of the loss with
respect to ``a`` and has its shape; that of a Parameter ``W``, dW, is kept in ``W.grad``. Rows are
samples: ``x (N, n_in)``, ``y = x W + b``, ``W (n_in, n_out)``, ``b (n_out,)``. The mean over the
batch, the 1/N, is taken once: in the loss. ``theta`` is all parameters as one vector, ``grad``
their gradients. Randomness is an argument, ``rng``: share one Generator, as the same integer given
twice gives the same numbers twice.

The lesson, in reading order:

- ``parameter``     a value and its gradient; many parameters as one theta
- ``layers``        the chain rule; the contract of a layer; Dense, Flatten, Dropout
- ``initializers``  where weights start, and where the square root of 6 comes from
- ``activations``   ReLU, Sigmoid, Softmax
- ``losses``        one-hot rows; SoftmaxCrossEntropy, CrossEntropy, SparseCrossEntropy
- ``model``         Chain, layers in a row; Sequential, a chain whose parameters are one theta
- ``optimizers``    SGD, Adam
- ``metrics``       accuracy, confusion matrix, classification report
- ``training``      batches, train_epoch, evaluate, fit

On a first reading, take ``guards.f(x)`` for x, and pass over what says ``advice`` or ``memory``:
they keep you safe, as do

- ``guards``        every check of an argument, and its words
- ``advice``        what watches a model and its training, and says where something goes wrong
- ``memory``        what layers remember of a batch, and where that must not go
- ``search``        where the parameters of a layer are found
- ``callbacks``     what happens around epochs; early stopping
- ``saving``        weights in a file; ``writing``: a file whole or not at all
- ``blas``          how many threads the products use
- ``checking``      the proof that all of this is right
- ``tables``        numbers as text; ``plots``: pictures
"""

from nnscratch.activations import ReLU, Sigmoid, Softmax
from nnscratch.callbacks import Callback, EarlyStopping
from nnscratch.checking import (
    GradientError,
    check_layer,
    check_loss,
    check_model,
    check_optimizer,
)
from nnscratch.guards import StaleBackwardError
from nnscratch.layers import Dense, Dropout, Flatten, Layer
from nnscratch.losses import CrossEntropy, Loss, SoftmaxCrossEntropy, SparseCrossEntropy
from nnscratch.model import Chain, Sequential
from nnscratch.optimizers import SGD, Adam, Optimizer
from nnscratch.parameter import Parameter
from nnscratch.training import batches, evaluate, fit, train_epoch

__version__ = "0.2.0"

__all__ = [
    "SGD", "Adam", "Callback", "Chain", "CrossEntropy", "Dense", "Dropout", "EarlyStopping",
    "Flatten", "GradientError", "Layer", "Loss", "Optimizer", "Parameter", "ReLU", "Sequential",
    "Sigmoid", "Softmax", "SoftmaxCrossEntropy", "SparseCrossEntropy", "StaleBackwardError",
    "batches", "check_layer", "check_loss", "check_model", "check_optimizer", "evaluate", "fit",
    "train_epoch",
]  # fmt: skip
