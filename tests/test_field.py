"""The field test: wrong layers and losses, as people write them, are caught; right ones are not refused."""

import re
from pathlib import Path

import pytest

from tests.field import RIGHT, WRONG, before, verdict
from tests.field.__main__ import figures

PAGE = Path(__file__).parent.parent / "docs" / "checks.md"
MISSED = {"Residual: a block that is not found"}  # kept in an attribute of a function: nobody looks there


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


def test_an_edit_that_no_longer_fits_is_an_error():
    with pytest.raises(AssertionError, match="Tanh no longer says cosh: bring 'other words' up to date"):
        WRONG[0]._replace(what="other words", edits=("cosh", "sinh")).build()


def test_the_page_says_what_is_counted_here():
    rows = re.findall(
        r"^\| ((?:right|wrong), .*?) \| (\d+) of (\d+) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE
    )
    assert {name: (int(kept), int(total)) for name, kept, total in rows} == figures()
