"""The field test: wrong layers and losses, as people write them, are caught; right ones are not refused."""

import pytest

from tests.field import RIGHT, WRONG, activations, blocks, dense, images, losses, norms, sequences, verdict

__all__ = ["activations", "blocks", "dense", "images", "losses", "norms", "sequences"]


@pytest.mark.parametrize("case", WRONG, ids=str)
def test_wrong(case):
    assert verdict(case) == "caught"


@pytest.mark.parametrize("case", RIGHT, ids=str)
def test_right(case):
    case.check()
