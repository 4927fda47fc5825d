"""The field test: wrong layers and losses, as people write them, are caught; right ones are not refused."""

import re
from pathlib import Path

import pytest

from tests.field import RIGHT, WRONG, at_first, before, verdict
from tests.field.__main__ import figures

PAGE = Path(__file__).parent.parent / "docs" / "checks.md"
README = PAGE.parent.parent / "README.md"
MISSED = {
    # Nothing is done that a right layer does not do as well: a constant is no Parameter (the report lists it)
    "RandomFourier: amplitudes that no optimizer sees",
    # The gradient is right but for a jump, and a jump between two inputs shows in no slope
    "HuberLoss: the half is left out far out",
    # Not at the inputs given, nor at others that are sure to be meant: another length, the thousandth call, or two
    # layers made by the same call; the logarithm of a softmax overflows, too, in losses that people call right
    "MaxOfThree: dx as long as its windows: an even length loses the last",
    "FourierFilter: the last frequency once: right for even lengths",
    "FourierFilter: an even length is assumed",
    "WithALog: tired after a thousand calls",
    "CachedLinear: the cache is a default argument",
    "LogCoshLoss: cosh, and overflow",
    # backward after a forward in prediction: batch norms that are right in training do as they like there
    "CachedLinear: only while training",
    "RunningCenter: prediction's gradient has the batch's mean",
    "BatchNormImages: dx of prediction with the batch's terms",
    "WholeChannels: the mask is forgotten in prediction: the last one stays",
}


@pytest.mark.parametrize("case", WRONG, ids=str)
def test_wrong(case):
    assert verdict(case) == ("passed" if str(case) in MISSED else "caught")


@pytest.mark.parametrize("case", RIGHT, ids=str)
def test_right(case):
    if verdict(case) != "passed":
        case.check()  # says why


def test_no_case_stands_twice_and_those_of_before_are_still_there():
    names = [str(case) for case in (*RIGHT, *WRONG)]
    assert len(set(names)) == len(names)
    assert {line for line in before() if line[-1] != ":"} <= set(names)
    assert {name for _, kind in at_first() for name in kind} <= set(names)


def test_an_edit_that_no_longer_fits_is_an_error():
    with pytest.raises(AssertionError, match="Tanh no longer says cosh: bring 'other words' up to date"):
        WRONG[0]._replace(what="other words", edits=("cosh", "sinh")).build()


def test_the_page_says_what_is_counted_here():
    rows = re.findall(
        r"^\| ((?:right|wrong), .*?) \| (\d+) of (\d+) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE
    )
    assert {name: (int(kept), int(total)) for name, kept, total in rows} == figures()
    wrong, caught, right = map(int, re.search(
        r"Of (\d+) mistakes\s+planted in .* it catches (\d+), and refuses none of (\d+) right ones",
        README.read_text(encoding="utf-8"), re.DOTALL,
    ).groups())  # fmt: skip
    assert (wrong, caught, right) == (len(WRONG), len(WRONG) - len(MISSED), len(RIGHT))
