"""A model on disk: its weights in a file, and nothing else."""

import os
from typing import Any

import numpy as np

from nnscratch.advice import look_through
from nnscratch.guards import unexpected
from nnscratch.writing import replacing


def save_weights(model: Any, path: str | os.PathLike[str]) -> None:
    """Write all parameters of a model to one ``.npz`` file, at once or not at all."""
    look_through(model)  # what is not in theta would be missing
    arrays: dict[str, Any] = dict(zip(names_in_file(model), model.get_weights(), strict=True))
    with replacing(path) as file:
        np.savez(file, **arrays)


def load_weights(model: Any, path: str | os.PathLike[str]) -> None:
    """Take over what ``save_weights`` wrote, all of it or nothing."""
    names = names_in_file(model)
    with open(path, "rb") as file:
        try:
            with np.load(file, allow_pickle=False) as archive:
                if archive.files != names:
                    raise unexpected(names, archive.files, "another architecture")
                model.set_weights([archive[name] for name in names])
        except Exception as error:  # a damaged archive fails in a dozen ways
            raise ValueError(
                f"{path}: expected a whole file that save_weights wrote for this architecture, got "
                f"one that fails: {error}; build that model, or save again"
            ) from error


def names_in_file(model: Any) -> list[str]:
    """What the parameters are called there: their number and their name."""
    return [f"{i}_{p.name}" for i, p in enumerate(model.parameters)]
