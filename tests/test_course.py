"""The course says what the code does: every displayed formula is computed, number by number, and compared."""

import math
import re
from pathlib import Path

import numpy as np
import pytest

from docs import pages
from docs.figures import chain_rule, first_network
from nnscratch import (
    SGD,
    Adam,
    CrossEntropy,
    Dense,
    Layer,
    Parameter,
    Sequential,
    Sigmoid,
    Softmax,
    SoftmaxCrossEntropy,
    SparseCrossEntropy,
)
from nnscratch.checking.slopes import plain_slope
from nnscratch.initializers import glorot_uniform

DOCS = Path(__file__).parent.parent / "docs"
N, J, K = 4, 3, 5  # rows, inputs, outputs


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def total(f, *ranges):
    """The sum of f over all combinations of indices."""
    return sum(f(*indices) for indices in np.ndindex(*ranges))


def table(f, *shape):
    """The array whose entries are f of their indices."""
    return np.array([f(*indices) for indices in np.ndindex(*shape)]).reshape(shape)


# ---- Chapter 1 ----

(first, relu, second), LOSS, DZ = first_network.network()[0].layers, *first_network.network()[1:]
A, H = first.forward(np.ones((1, 2)))[0], relu.y[0]
P = np.exp(LOSS.log_p)[0]


def forward_pass():
    assert A.tolist() == [1 * 1 + 1 * 1, 1 * 1 - 2 * 1] == [2, -1]


def through_the_relu():
    assert H.tolist() == [max(A[0], 0), max(A[1], 0)] == [2, 0]


def scores():
    assert second.forward(H[np.newaxis]).tolist() == [[1 * H[0] + 1 * H[1], 1.5 * H[0] - 1 * H[1]]] == [[2, 3]]


def probabilities():
    shares = [math.e**k / (math.e**2 + math.e**3) for k in (2, 3)]
    assert P.tolist() == pytest.approx(shares)
    assert shares == pytest.approx([0.269, 0.731], abs=5e-4)


def surprise():
    assert -LOSS.log_p[0, 0] == pytest.approx(-math.log(P[0]))
    assert -LOSS.log_p[0, 0] == pytest.approx(1.313, abs=5e-4)


def gradient_of_the_scores():
    assert DZ[0].tolist() == [P[0] - 1, P[1] - 0] == pytest.approx([-0.731, 0.731], abs=5e-4)


def gradient_of_a_weight():
    assert second.W.grad[0, 1] == H[0] * DZ[0, 1] == pytest.approx(1.462, abs=5e-4)


def gradient_of_the_hidden_numbers():
    dh = [1 * DZ[0, 0] + 1.5 * DZ[0, 1], 1 * DZ[0, 0] - 1 * DZ[0, 1]]
    assert second.backward(DZ)[0].tolist() == pytest.approx(dh)
    assert dh == pytest.approx([0.366, -1.462], abs=5e-4)


# ---- Layers ----

DENSE = Dense(J, K, rng=0).astype(np.float64)
DENSE.b.value = numbers(K)
X, DY = numbers(N, J, seed=1), numbers(N, K, seed=2)


def dense():
    y = table(lambda n, k: total(lambda i: X[n, i] * DENSE.W.value[i, k], J) + DENSE.b.value[k], N, K)
    np.testing.assert_allclose(DENSE.forward(X), y)


def variance_of_a_sum():
    rng = np.random.default_rng(0)
    x, W = rng.normal(0, 2, (4000, 300)), rng.normal(0, 0.3, (300, 50))
    assert (x @ W).var() == pytest.approx(300 * W.var() * x.var(), rel=0.02)


def variance_of_a_uniform_number():
    a = math.sqrt(6 / (300 + 200))
    w = np.linspace(-a, a, 100_001)
    assert np.trapezoid(w**2, w) / (2 * a) == pytest.approx(a**2 / 3)
    W = glorot_uniform(300, 200, rng=0)
    assert np.abs(W).max() == pytest.approx(a, rel=1e-3)
    assert W.var() == pytest.approx(2 / (300 + 200), rel=0.01)


def chain_rule_by_numbers():
    _, _, dx = chain_rule.values()
    assert dx.tolist() == [2 * 10 + 5 * 1, 1 * 10 + 3 * 1] == [20 + 5, 13]


def chain_rule_of_a_function():
    y, jacobian, dx = chain_rule.values()

    def f(x):
        return np.array([2 * x[0] + x[1], x[0] * x[1]])

    assert y.tolist() == f(np.array([3, 5])).tolist()
    for i in range(2):
        for j in range(2):
            assert plain_slope(lambda x, j=j: f(x)[j], chain_rule.X, i) == pytest.approx(jacobian[j, i])
        assert dx[i] == total(lambda j, i=i: jacobian[j, i] * chain_rule.DY[j], 2)


def dense_backward():
    DENSE.forward(X)
    dx = DENSE.backward(DY)
    np.testing.assert_allclose(DENSE.W.grad, table(lambda i, k: total(lambda n: X[n, i] * DY[n, k], N), J, K))
    np.testing.assert_allclose(DENSE.b.grad, table(lambda k: total(lambda n: DY[n, k], N), K))
    np.testing.assert_allclose(dx, table(lambda n, i: total(lambda k: DY[n, k] * DENSE.W.value[i, k], K), N, J))


def softmax():
    z, y = numbers(K), Softmax().forward(numbers(1, K))[0]
    np.testing.assert_allclose(y, table(lambda k: math.exp(z[k]) / total(lambda j: math.exp(z[j]), K), K))


def softmax_backward():
    layer = Softmax()
    (y,), dy = layer.forward(numbers(1, K)), numbers(1, K, seed=1)
    (dx,) = layer.backward(dy)
    (dy,) = dy
    np.testing.assert_allclose(dx, table(lambda k: total(lambda j: y[k] * ((j == k) - y[j]) * dy[j], K), K))
    np.testing.assert_allclose(dx, table(lambda k: y[k] * (dy[k] - total(lambda j: dy[j] * y[j], K)), K))


# ---- Losses: one row z of logits, or s of scores, with the label c ----

Z, C = numbers(K), 2
T = np.eye(K)[C]
S_ROW = Sigmoid().forward(Z)
S = S_ROW.sum()
Q = S_ROW / S


def gradients_of(loss, outputs, labels):
    value = loss.forward(outputs, labels)
    return value, loss.backward()


def mean_of_logarithms():
    p, labels = Softmax().forward(numbers(N, K)), [0, 4, 2, 2]
    value = -(1 / N) * total(lambda n: math.log(p[n, labels[n]]), N)
    assert SparseCrossEntropy().forward(p, labels) == pytest.approx(value)
    assert SoftmaxCrossEntropy().forward(numbers(N, K), labels) == pytest.approx(value)


def log_sum_exp():
    exponentials = total(lambda j: math.exp(Z[j]), K)
    value = -math.log(math.exp(Z[C]) / exponentials)
    assert SoftmaxCrossEntropy().forward(Z[np.newaxis], [C]) == pytest.approx(value)
    assert math.log(exponentials) - Z[C] == pytest.approx(value)


def gradient_of_logits():
    p = Softmax().forward(Z[np.newaxis])[0]
    np.testing.assert_allclose(gradients_of(SoftmaxCrossEntropy(), Z[np.newaxis], [C])[1][0], p - T)
    z, labels = numbers(N, K), [0, 4, 2, 2]
    dz = (Softmax().forward(z) - np.eye(K)[labels]) / N
    np.testing.assert_allclose(gradients_of(SoftmaxCrossEntropy(), z, labels)[1], dz)


def loss_of_scores():
    assert SparseCrossEntropy().forward(S_ROW[np.newaxis], [C]) == pytest.approx(-math.log(Q[C]))


def gradient_of_scores():
    ds = table(lambda k: 1 / S - T[k] / S_ROW[k], K)
    np.testing.assert_allclose(gradients_of(SparseCrossEntropy(), S_ROW[np.newaxis], [C])[1][0], ds)


def gradient_behind_a_sigmoid():
    sigmoid, loss = Sigmoid(), SparseCrossEntropy()
    loss.forward(sigmoid.forward(Z[np.newaxis]), [C])
    (dz,) = sigmoid.backward(loss.backward())
    np.testing.assert_allclose(dz, (1 / S - T / S_ROW) * S_ROW * (1 - S_ROW))
    np.testing.assert_allclose(dz, (1 - S_ROW) * (Q - T))


def gradient_of_shares():
    q = np.array([0.0, 0.25, 0.75])  # the first is clipped
    t = np.array([0.5, 0.25, 0.25])
    loss = CrossEntropy()
    loss.forward(q[np.newaxis], t[np.newaxis])
    dq = np.array([0, -t[1] / q[1], -t[2] / q[2]])
    ds = table(lambda k: dq[k] - total(lambda j: dq[j] * q[j], 3), 3)  # S = 1
    np.testing.assert_allclose(loss.backward()[0], ds)


def gradient_through_the_sum():
    t = np.array([0.1, 0.2, 0.3, 0.2, 0.2])
    _, (ds,) = gradients_of(CrossEntropy(), S_ROW[np.newaxis], t[np.newaxis])
    dq = -t / Q
    np.testing.assert_allclose(ds, table(lambda k: total(lambda j: ((j == k) - Q[j]) / S * dq[j], K), K))
    np.testing.assert_allclose(ds, table(lambda k: 1 / S * (dq[k] - total(lambda j: dq[j] * Q[j], K)), K))


# ---- Optimizers ----


class Point(Layer):
    def __init__(self):
        self.place = Parameter(numbers(K))


def gradient_descent():
    model = Sequential([Point()])
    start, model.grad = model.theta.copy(), numbers(K, seed=1)
    SGD(model, 0.1).step()
    np.testing.assert_allclose(model.theta, start - 0.1 * model.grad)


def adam():
    model = Sequential([Point()])
    optimizer, theta, m, v = Adam(model, 0.1), model.theta.copy(), np.zeros(K), np.zeros(K)
    for t in range(1, 6):
        model.grad = g = numbers(K, seed=t)
        optimizer.step_as_it_reads()
        m = 0.9 * m + (1 - 0.9) * g
        v = 0.999 * v + (1 - 0.999) * g**2
        alpha = 0.1 * math.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        theta = theta - alpha * m / (np.sqrt(v) + 1e-7)
        np.testing.assert_allclose(model.theta, theta)


def adams_first_step():
    m, v = 0.9 * 0 + (1 - 0.9) * 1, 0.999 * 0 + (1 - 0.999) * 1
    assert [m, v, math.sqrt(v), m / math.sqrt(v)] == pytest.approx([0.1, 0.001, 0.0316, 3.16], rel=1e-3)


# ---- Chapter 8 ----


def chapter_8(name):
    """A class that the chapter defines."""
    namespace = {}
    for part in pages.parts((DOCS / "08-own-layers.md").read_text(encoding="utf-8")):
        if part.language == "python":
            exec(part.text.split("\nprint(")[0], namespace)
    return namespace[name]


def layer_norm():
    layer, x = chapter_8("LayerNorm")(K), numbers(1, K)
    layer.gain.value, layer.shift.value = numbers(K, seed=1), numbers(K, seed=2)
    mean = total(lambda i: x[0, i], K) / K
    s = math.sqrt(total(lambda i: (x[0, i] - mean) ** 2, K) / K + layer.epsilon)
    y = table(lambda i: layer.gain.value[i] * (x[0, i] - mean) / s + layer.shift.value[i], K)
    np.testing.assert_allclose(layer.forward(x)[0], y)


def layer_norm_backward():
    layer, x, dy = chapter_8("LayerNorm")(K, epsilon=1e-300), numbers(1, K), numbers(1, K, seed=1)
    y = layer.forward(x)[0].copy()  # x_hat, as gain is 1 and shift 0
    s = x.std()
    (dx,), d = layer.backward(dy), dy[0]

    def derivative(i, k):
        return 1 / s * ((i == k) - 1 / K - y[i] * y[k] / K)

    for i in range(K):
        for k in range(K):
            assert plain_slope(lambda x, i=i: layer.forward(x)[0, i], x, k) == pytest.approx(derivative(i, k), abs=1e-8)
    np.testing.assert_allclose(dx, table(lambda k: total(lambda i: derivative(i, k) * d[i], K), K))
    along = total(lambda i: d[i] * y[i], K) / K
    np.testing.assert_allclose(dx, table(lambda k: (d[k] - total(lambda i: d[i], K) / K - y[k] * along) / s, K))


def windows():
    layer = chapter_8("Conv2D")(2, 4, rng=0)
    assert layer.dense.W.value.shape == (9 * 2, 4)
    layer.forward(numbers(3, 5, 6, 2))
    assert layer.dense.x.shape == (3 * (5 - 2) * (6 - 2), 9 * 2)


# ---- Every formula that the chapters display, and what computes it ----

CHECKS = {
    r"a_1 = 1 \cdot x_1 + 1 \cdot x_2 = 2, \qquad a_2 = 1 \cdot x_1 - 2 \cdot x_2 = -1 .": forward_pass,
    r"h_1 = \max(a_1, 0) = 2, \qquad h_2 = \max(a_2, 0) = 0 .": through_the_relu,
    r"z_0 = 1 \cdot h_1 + 1 \cdot h_2 = 2, \qquad z_1 = 1.5 \cdot h_1 - 1 \cdot h_2 = 3 .": scores,
    r"p_0 = \frac{e^2}{e^2 + e^3} = 0.269, \qquad p_1 = \frac{e^3}{e^2 + e^3} = 0.731 .": probabilities,
    r"L = -\log p_0 = -\log 0.269 = 1.313 .": surprise,
    r"dz_0 = p_0 - 1 = -0.731, \qquad dz_1 = p_1 - 0 = 0.731 .": gradient_of_the_scores,
    r"dw = h_1 \, dz_1 = 2 \cdot 0.731 = 1.462 .": gradient_of_a_weight,
    r"dh_1 = 1 \cdot dz_0 + 1.5 \cdot dz_1 = 0.366, \qquad dh_2 = 1 \cdot dz_0 - 1 \cdot dz_1 = -1.462 .":
        gradient_of_the_hidden_numbers,
    r"y_{nk} = \sum_i x_{ni} W_{ik} + b_k .": dense,
    r"\mathrm{Var}\,y = n_{in} \cdot \mathrm{Var}\,W \cdot \mathrm{Var}\,x .": variance_of_a_sum,
    r"\frac{1}{2a} \int_{-a}^{a} w^2 \, dw = \frac{a^2}{3},": variance_of_a_uniform_number,
    r"L = -\frac{1}{N} \sum_n \log p_{n c_n} .": mean_of_logarithms,
    r"p_k = \frac{e^{z_k}}{\sum_j e^{z_j}}": softmax,
    r"-\log p_c = -\log \frac{e^{z_c}}{\sum_j e^{z_j}} = \log \sum_j e^{z_j} - z_c .": log_sum_exp,
    r"\frac{\partial L}{\partial z_k} = p_k - t_k \quad\text{for one sample, so}\quad dz = \frac{p - t}{N} "
    r"\quad\text{for the mean.}": gradient_of_logits,
    r"q_k = s_k / S, \qquad L = -\log q_c .": loss_of_scores,
    r"\frac{\partial L}{\partial s_k} = \frac{1}{S} - \frac{t_k}{s_k} .": gradient_of_scores,
    r"\frac{\partial L}{\partial z_k} = \Big( \frac{1}{S} - \frac{t_k}{s_k} \Big) s_k (1 - s_k) "
    r"= (1 - s_k)(q_k - t_k) .": gradient_behind_a_sigmoid,
    r"y_1 = 2 x_1 + x_2, \qquad y_2 = x_1 x_2, \qquad\text{at}\quad x_1 = 3,\ x_2 = 5 .": chain_rule_of_a_function,
    r"dx_1 = 2 \cdot dy_1 + 5 \cdot dy_2 = 20 + 5 = 25, \qquad dx_2 = 1 \cdot dy_1 + 3 \cdot dy_2 = 13 .":
        chain_rule_by_numbers,
    r"dx_i = \sum_j \frac{\partial y_j}{\partial x_i} \, dy_j .": chain_rule_of_a_function,
    r"dW_{ik} = \sum_n x_{ni} \, dy_{nk}, \qquad db_k = \sum_n dy_{nk}, \qquad dx_{ni} = \sum_k dy_{nk} W_{ik} .":
        dense_backward,
    r"dx_k = \sum_j y_k ([j = k] - y_j)\, dy_j = y_k \Big( dy_k - \sum_j dy_j\, y_j \Big) .": softmax_backward,
    r"dq_k = -t_k / q_k, \qquad\text{or 0 where } q_k \text{ was clipped: there } L \text{ does not depend on it.}":
        gradient_of_shares,
    r"ds_k = \sum_j \frac{[j = k] - q_j}{S} \, dq_j = \frac{1}{S} \Big( dq_k - \sum_j dq_j\, q_j \Big) .":
        gradient_through_the_sum,
    r"\theta \leftarrow \theta - \eta\, g , \qquad \text{with the learning rate } \eta \text{ and the gradient } g.":
        gradient_descent,
    r"m \leftarrow \beta_1 m + (1 - \beta_1) g, \qquad v \leftarrow \beta_2 v + (1 - \beta_2) g^2, \qquad "
    r"\theta \leftarrow \theta - \eta \frac{m}{\sqrt v + \epsilon} .": adam,
    r"m = 0.1, \qquad v = 0.001, \qquad \frac{m}{\sqrt v} = \frac{0.1}{0.0316} = 3.16 \quad\text{instead of } 1 .":
        adams_first_step,
    r"\alpha = \eta\, \frac{\sqrt{1 - \beta_2^t}}{1 - \beta_1^t} .": adam,
    r"\hat x_i = \frac{x_i - \mu}{s}, \qquad \mu = \frac{1}{n} \sum_i x_i, \qquad s = \sqrt{\tfrac{1}{n} \sum_i "
    r"(x_i - \mu)^2 + \epsilon}, \qquad y_i = \gamma_i \hat x_i + \beta_i .": layer_norm,
    r"\frac{\partial \hat x_i}{\partial x_k} = \frac{1}{s} \Big( [i = k] - \frac{1}{n} - \frac{\hat x_i \hat x_k}{n} "
    r"\Big) \quad\Rightarrow\quad dx_k = \frac{1}{s} \Big( d\hat x_k - \frac{1}{n} \sum_i d\hat x_i - \hat x_k "
    r"\cdot \frac{1}{n} \sum_i d\hat x_i\, \hat x_i \Big) .": layer_norm_backward,
    r"\text{windows } (N \cdot H' \cdot W',\; 9\,C_{in}) \;@\; (9\,C_{in},\; C_{out}) .": windows,
}  # fmt: skip


def displayed():
    chapters = "".join(page.read_text(encoding="utf-8") for page in sorted(DOCS.glob("[0-9]*.md")))
    return {" ".join(formula.split()) for formula in re.findall(r"\$\$(.*?)\$\$", chapters, re.DOTALL)}


def test_every_displayed_formula_has_a_check_and_every_check_a_formula():
    assert displayed() == set(CHECKS)


@pytest.mark.parametrize("check", dict.fromkeys(CHECKS.values()), ids=lambda check: check.__name__)
def test_formula(check):
    check()


# ---- What the chapters quote from elsewhere ----


def text(page):
    return (DOCS / page).read_text(encoding="utf-8")


def test_the_bug_stories_have_the_figures_of_the_page_of_bugs():
    stories = text("05-checking.md").split("## Ten bugs")[1].split("What they have in common")[0]
    assert len(re.findall(r"^\*\*The |^\*\*Adam ", stories, re.MULTILINE)) == 10
    shares = re.findall(r"(\d+\.\d\d) %", stories)
    assert len(shares) > 10
    for share in shares:
        assert f"{float(share) / 100:.4f}" in text("bugs.md"), share


def test_the_times_are_those_of_the_page_of_measurements():
    measured = text("speed.md")
    times = re.findall(r"(?<=instead of )\d{2,3}|\d+(?= µs)", text("09-fast.md"))
    assert len(times) > 5
    for time in times:
        assert re.search(rf"\b{time}\b", measured), time
    for factor in re.findall(r"(\d+\.\d\d) times", text("09-fast.md")):
        assert factor in measured


@pytest.mark.parametrize("library", ["keras", "torch"])
def test_weights_go_to_other_frameworks_and_back(library):
    pytest.importorskip(library)
    blocks = [part.text for part in pages.parts(text("10-keras-pytorch.md")) if part.language == "py"]
    (block,) = [block for block in blocks if f"import {library}\n" in block]
    exec(block, {})


@pytest.mark.long
def test_what_helps_against_overfitting():
    """Roughly: on another processor these trainings go other ways, and so do their means of five."""
    from docs.figures import overfitting

    quoted = text("07-mnist.md").split("## What helps")[1]
    for name, setting in overfitting.SETTINGS.items():
        results = [overfitting.train(*setting, seed)[1:] for seed in range(overfitting.SEEDS)]
        loss, accuracy = np.mean(results, axis=0)
        losses, shares = re.findall(r"\b0\.2\d\d", quoted), re.findall(r"(94\.\d) %", quoted)
        if name != "dropout 0.3":
            assert any(float(said) == pytest.approx(loss, abs=0.03) for said in losses), name
        if name in ("as it is", "dropout 0.3"):
            assert any(float(said) / 100 == pytest.approx(accuracy, abs=0.006) for said in shares), name
