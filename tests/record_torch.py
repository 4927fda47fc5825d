"""Record what PyTorch's autograd computes for the models of ``test_torch.py``. Anyone with PyTorch can run it again:

python -m tests.record_torch
"""

import json

import numpy as np
import torch

from nnscratch import Dense, Dropout, Flatten, ReLU, Sigmoid, Softmax, SoftmaxCrossEntropy
from tests.test_torch import RECORD, SEEDS, case, fingerprint


def outputs(model, x, parameters):
    """What the model computes, said in PyTorch. Of its layers only the settings are read."""
    values = iter(parameters)
    for layer in model.layers:
        match layer:
            case Dense():
                x = x @ next(values) + next(values)
            case Flatten():
                x = torch.flatten(x, start_dim=1)
            case Dropout():
                kept = layer.rng.random(tuple(x.shape), np.float32) >= layer.rate
                x = x * torch.tensor(kept) / (1 - layer.rate)
            case ReLU():
                x = torch.relu(x)
            case Sigmoid():
                x = torch.sigmoid(x)
            case Softmax():
                x = torch.softmax(x, dim=1)
    return x


def cross_entropy(loss, y, labels):
    labels = torch.tensor(labels)
    if isinstance(loss, SoftmaxCrossEntropy):
        return torch.nn.functional.cross_entropy(y, labels)
    t = torch.nn.functional.one_hot(labels, y.shape[1]) if labels.ndim == 1 else labels
    q = (y / y.sum(dim=1, keepdim=True)).clamp(loss.epsilon, 1 - loss.epsilon)
    return -(t * q.log()).sum(dim=1).mean()


def record(seed):
    model, loss, x, labels = case(seed)
    parameters = [torch.tensor(p.value, requires_grad=True) for p in model.parameters]
    value = cross_entropy(loss, outputs(model, torch.tensor(x), parameters), labels)
    value.backward()
    return {"loss": value.item(), "gradients": [fingerprint(p.grad.numpy()) for p in parameters]}


if __name__ == "__main__":
    data = {"torch": torch.__version__, "cases": [record(seed) for seed in SEEDS]}
    RECORD.write_text(json.dumps(data, indent=0) + "\n")
