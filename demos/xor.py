"""First contact: a network learns XOR, which no single layer can. Run it: python -m demos.xor"""

if __name__ == "__main__":  # why this comes before the imports: demos/_launcher.py
    import os
    import sys

    try:
        sys.path.insert(0, os.path.abspath(f"{__file__}/../.."))
        from demos._launcher import launch

        sys.exit(launch("demos.xor"))
    except KeyboardInterrupt:
        sys.exit("interrupted")

import numpy as np

from nnscratch import Adam, Dense, ReLU, Sequential, SoftmaxCrossEntropy


def main() -> None:
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
    y = np.array([0, 1, 1, 0])  # 1 where exactly one input is 1

    rng = np.random.default_rng(0)
    model = Sequential([Dense(2, 8, rng=rng), ReLU(), Dense(8, 2, rng=rng)])
    loss = SoftmaxCrossEntropy()
    optimizer = Adam(model, learning_rate=0.05)

    for step in range(201):
        value = loss.forward(model.forward(x, training=True), y)  # how wrong is the model?
        model.backward(loss.backward())  # which way is each parameter to blame?
        optimizer.step()  # a step against it
        if step % 50 == 0:
            print(f"step {step:3}  loss {value:.4f}")

    for inputs, scores in zip(x.astype(int).tolist(), model.predict(x), strict=True):
        print(inputs, "->", scores.argmax())
