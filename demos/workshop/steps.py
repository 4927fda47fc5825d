"""The steps: what the reader writes, in the order of the chapters. All of it is data; ``checks`` has the checks."""

from collections.abc import Callable
from typing import NamedTuple

from demos.workshop import checks


class Hole(NamedTuple):
    """Lines that are missing: in a function, from the statement that begins with ``first`` to that with ``last``.

    Without them: from behind the docstring and the guards to the end of the function.
    """

    function: str
    task: str  # what to write; it stands in the hole
    first: str = ""
    last: str = ""


class Step(NamedTuple):
    name: str
    file: str  # in the package
    chapter: str  # in docs/
    check: Callable[[checks.Net], None]
    holes: list[Hole]
    hints: list[str]  # the last one is nearly the solution


LAYERS, LOSS, BACK = "02-layers.md", "03-loss.md", "04-backpropagation.md"
CHECKING, OPTIMIZERS, MNIST = "05-checking.md", "06-optimizers.md", "07-mnist.md"

STEPS = (
    Step(
        "Dense.forward", "layers.py", LAYERS, checks.dense_forward,
        [Hole("Dense.forward", "Return y = x W + b. The numbers of W are in self.W.value, of b in self.b.value.")],
        ["Rows are samples. The matrix product of x (N, n_in) and W (n_in, n_out) is (N, n_out): @ in NumPy.",
         "b (n_out,) is added to each row: NumPy does that by itself. x @ self.W.value + ..."],
    ),
    Step(
        "ReLU.forward", "activations.py", LAYERS, checks.relu_forward,
        [Hole("ReLU.forward", "Return y = max(x, 0), number by number, and keep y in self.y: backward will need it.")],
        ["np.max looks for the largest number of an array. Another function takes the larger one, number by number.",
         "np.maximum(x, 0)"],
    ),
    Step(
        "where weights start", "initializers.py", LAYERS, checks.where_weights_start,
        [Hole("glorot_uniform", "Return W, uniform between -limit and limit, drawn from rng, converted to dtype. rng "
              "may be a Generator, a seed or None: np.random.default_rng(rng) makes a Generator of each."),
         Hole("he_uniform", "The same with another limit.")],
        ["limit is the square root in the docstring. A Generator has a method uniform(low, high, shape).",
         "np.random.default_rng(rng).uniform(-limit, limit, (n_in, n_out)).astype(dtype)"],
    ),
    Step(
        "Softmax.forward", "activations.py", LOSS, checks.softmax_forward,
        [Hole("Softmax.forward", "Return y, by the formula above, so that exp cannot overflow; keep it in self.y.")],
        ["The sum goes over each row: .sum(axis=-1, keepdims=True) makes (N, 1) of (N, C), and a division by that "
         "divides each row by its own number.",
         "First subtract the largest number of each row from that row: x - x.max(axis=-1, keepdims=True). Then exp, "
         "then divide by the sum."],
    ),
    Step(
        "SoftmaxCrossEntropy.forward", "losses.py", LOSS, checks.softmax_cross_entropy_forward,
        [Hole("SoftmaxCrossEntropy.forward", "Return L as a float, by the formula of log p above. one_hot(labels, "
              "z.shape[1], z.dtype) makes t (N, C). Keep t in self.t, log p in self.log_p: backward will need both.")],
        ["Subtract each row's largest number from z, in a new array. Then log p = z - log(the row's sum of exp(z)).",
         "t is 1 at the label and 0 elsewhere: (t * log_p).sum() adds up just the log p of the labels. Flip the sign, "
         "divide by N = len(z)."],
    ),
    Step(
        "Dense.backward", "layers.py", BACK, checks.dense_backward,
        [Hole("Dense.backward", "Put dW into self.W.grad and db into self.b.grad, by the formulas above; return dx.")],
        ["Look at the shapes: dW is (n_in, n_out), as W is. Of x (N, n_in) and dy (N, n_out) only one product has that "
         "shape. There is no 1/N here: it is in dy already.",
         "self.W.grad = self.x.T @ dy; db is the sum of dy over the rows, axis=0; dx = dy @ self.W.value.T"],
    ),
    Step(
        "ReLU.backward", "activations.py", BACK, checks.relu_backward,
        [Hole("ReLU.backward", "Return dx, from dy and self.y.")],
        ["Where y > 0 the slope is 1, elsewhere it is 0: dx is dy or 0.",
         "self.y > 0 is an array of True and False, and in a product True counts as 1."],
    ),
    Step(
        "Sigmoid", "activations.py", BACK, checks.sigmoid,
        [Hole("Sigmoid.forward", "Return y, by the formulas above, and keep in self what backward will need."),
         Hole("Sigmoid.backward", "Return dx.")],
        ["forward: e = np.exp(-np.abs(x)) cannot overflow. np.where(x >= 0, a, b) chooses number by number. backward: "
         "dx is dy times the slope.",
         "y = np.where(x >= 0, 1, e) / (1 + e), and the slope is e / (1 + e)**2: y (1 - y) is 0 where y rounds to 1."],
    ),
    Step(
        "Softmax.backward", "activations.py", BACK, checks.softmax_backward,
        [Hole("Softmax.backward", "Return dx, by the formula above, from dy and self.y.")],
        ["The sum over j is one number for each row: (dy * y).sum(axis=-1, keepdims=True).",
         "self.y * (dy - the sum)"],
    ),
    Step(
        "SoftmaxCrossEntropy.backward", "losses.py", BACK, checks.softmax_cross_entropy_backward,
        [Hole("SoftmaxCrossEntropy.backward", "Return dz, from self.log_p and self.t.")],
        ["p is exp(log p). N is the number of rows, len(self.t).",
         "(np.exp(self.log_p) - self.t) / N"],
    ),
    Step(
        "CrossEntropy.backward", "losses.py", BACK, checks.cross_entropy_backward,
        [Hole("CrossEntropy.backward", "Return ds, by the formula above. forward has kept self.t, self.q, self.total, "
              "which is S, and self.inside, which is False where q was clipped.")],
        ["First dq = -t / q, and 0 where self.inside is False: multiply by it.",
         "The sum over j is one number for each row, (dq * q).sum(axis=1, keepdims=True). Then (dq - sum) / (S N)."],
    ),
    Step(
        "Chain", "model.py", BACK, checks.chain,
        [Hole("Chain.forward", "Send x through self.layers, first to last. The lines around this stay.",
              "for layer", "for layer"),
         Hole("Chain.backward", "Send dy back through them, from the last one to the one with the number self.first, "
              "including it. (Before it there is nothing to train.)", "for layer", "for layer")],
        ["What one layer returns is what the next one gets: x = layer.forward(x), in a loop.",
         "for layer in reversed(self.layers[self.first :]): dy = layer.backward(dy)"],
    ),
    Step(
        "plain_slope", "checking/slopes.py", CHECKING, checks.slope,
        [Hole("plain_slope", "Return the slope at x_i, by central differences: at the points h to the left and to the "
              "right. x may have any shape, i counts through all of it; x is to stay as it is.")],
        ["How much does f change between x_i - h and x_i + h, divided by the distance of the two?",
         "step = np.zeros(x.shape), step.flat[i] = h, then f(x + step), f(x - step)."],
    ),
    Step(
        "SGD.step", "optimizers.py", OPTIMIZERS, checks.sgd,
        [Hole("SGD.step", "The two lines with arrows above, for theta, grad and self.velocity; theta is to be changed "
              "in place, as it is the model's own array.", "self.velocity")],
        ["theta += ... changes the model's own array. theta = ... would make a new one that the model does not know.",
         "self.velocity = self.momentum * self.velocity - self.learning_rate * grad, then add it to theta."],
    ),
    Step(
        "Adam.step_as_it_reads", "optimizers.py", OPTIMIZERS, checks.adam,
        [Hole("Adam.step_as_it_reads", "The four lines of the formula above, for g, self.m, self.v, self.t and theta, "
              "which is to be changed in place. (step, below, is the same without new arrays; yours will train.)",
              "self.m")],
        ["self.m and self.v are new running means: beta_1 times the old one and 1 - beta_1 times g; for v likewise, "
         "with g**2. alpha is one number: math.sqrt.",
         "theta -= alpha * self.m / (np.sqrt(self.v) + self.epsilon)"],
    ),
    Step(
        "accuracy", "metrics.py", MNIST, checks.accuracy,
        [Hole("accuracy", "Return the share as a float. labels is (N,), or one-hot rows (N, C).")],
        ["scores.argmax(axis=1): the column of the largest score in each row. One-hot labels have labels.ndim == 2.",
         "Compare these with the labels, or with labels.argmax(axis=1). The mean of True and False is a share."],
    ),
    Step(
        "batches", "training.py", MNIST, checks.batches,
        [Hole("batches", "Yield pairs (x, y) of batch_size rows, in the order of a permutation drawn from rng (a "
              "Generator, a seed or None), or in order if shuffle is False. The last one may be smaller.")],
        ["Shuffle the numbers of the rows: np.random.default_rng(rng).permutation(len(x)). Then x[rows] and y[rows] "
         "are the rows of a batch.",
         "for start in range(0, len(x), batch_size): rows = order[start : start + batch_size], then yield x[rows], "
         "y[rows]"],
    ),
    Step(
        "train_epoch", "training.py", MNIST, checks.train_epoch,
        [Hole("train_epoch", "outputs of the model for x, this being training; value of the loss.",
              "outputs = ", "value = "),
         Hole("train_epoch", "The gradient of the loss back through the model, and a step of the optimizer.",
              "model.backward", "optimizer.step")],
        ["model.forward has an argument training; loss.forward takes the outputs and the labels y.",
         "model.backward(loss.backward()), then optimizer.step()"],
    ),
)  # fmt: skip
