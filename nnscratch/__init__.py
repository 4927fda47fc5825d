"""nnscratch: neural networks in NumPy, written to be read.

The notation, obeyed everywhere: for any array ``a``, ``da`` is the gradient of the loss with
respect to ``a`` and has its shape. Rows are samples: ``x (N, n_in)``, ``y = x W + b``, ``W (n_in,
n_out)``, ``b (n_out,)``. The mean over the batch, the 1/N, is taken once: in the loss. ``theta`` is
all parameters as one vector, ``grad`` their gradients. Randomness is an argument, ``rng``.

The lesson, in reading order:

- ``parameter``     a value and its gradient; many parameters as one theta
- ``initializers``  where weights start, and where the square root of 6 comes from
- ``layers``        the contract of a layer; Dense, Flatten, Dropout
- ``activations``   ReLU, Sigmoid, Softmax
- ``metrics``       one-hot rows, accuracy, confusion matrix, report
- ``losses``        SoftmaxCrossEntropy, CrossEntropy, SparseCrossEntropy
- ``model``         Chain, the chain rule; Sequential, a chain whose parameters are one theta
- ``optimizers``    SGD, Adam
- ``training``      batches, train_epoch, evaluate, fit

What keeps you safe:

- ``guards``        every check of an argument, and its words
- ``callbacks``     what happens between epochs; early stopping
- ``advice``        what watches a model and its training, in words
- ``saving``        weights in a file, the summary; ``writing``, a file whole or not at all
- ``blas``          how many threads the products use
- ``checking``      the proof that all of this is right
- ``plots``         pictures
"""

from nnscratch.activations import ReLU, Sigmoid, Softmax
from nnscratch.callbacks import Callback, EarlyStopping
from nnscratch.checking import GradientError, check_layer, check_loss, check_model
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
    "batches", "check_layer", "check_loss", "check_model", "evaluate", "fit", "train_epoch",
]  # fmt: skip
