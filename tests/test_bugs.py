"""Every classic mistake in ``bugs`` is caught by its check; docs/bugs.md lists them all."""

import re

import pytest

from nnscratch import Dense, ReLU, SparseCrossEntropy
from tests.bugs import BUGS, SETTINGS, Bug, is_caught, layer, loss, planted
from tests.write_bugs_page import PAGE, Result, gradient_errors, render

MEASURED = re.compile(r"\d+\.\d+(?:e[-+]?\d+)?|\d+(?= of them)")


@pytest.mark.parametrize("bug", BUGS.values(), ids=BUGS)
def test_planted_bugs_are_caught(bug):
    bug.caught_by.run()
    assert is_caught(bug)
    bug.caught_by.run()  # the bug is gone again


def test_what_is_no_bug_is_not_caught():
    assert not is_caught(Bug([(ReLU.backward, "self.y > 0", "0 < self.y")], layer(ReLU), ""))


def test_a_bug_that_no_longer_fits_the_source_is_an_error():
    with pytest.raises(AssertionError, match=r"ReLU.backward no longer says self.y > 7: bring the bug up to date"):
        is_caught(Bug([(ReLU.backward, "self.y > 7", "self.y > 8")], layer(ReLU), ""))


@pytest.mark.parametrize(
    ("name", "check"),
    [
        ("all weights start alike", layer(Dense)),
        ("ReLU's mask x >= 0", layer(ReLU)),
        ("a mean over rows and classes", loss(SparseCrossEntropy)),
        ("scores that are not normalised", loss(SparseCrossEntropy)),
        ("labels off by one", loss(SparseCrossEntropy)),
    ],
)
def test_a_right_gradient_is_not_everything(name, check):
    with planted(BUGS[name]):
        check.run()


def test_the_page_says_what_is_planted_here():
    """All of it, but for the digits of what was measured."""
    errors = gradient_errors()
    assert max(errors.values()) < 1e-7
    nothing = Result(*[0.0] * len(Result._fields))
    expected = render(len(BUGS), errors, dict.fromkeys(SETTINGS, nothing), dict.fromkeys(BUGS, nothing))
    assert MEASURED.sub("#", PAGE.read_text(encoding="utf-8")) == MEASURED.sub("#", expected)
