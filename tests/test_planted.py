"""Every classic mistake in ``planted`` is caught by its check, and by nothing that would fail anyway."""

import pytest

from tests.planted import BUGS, is_caught


@pytest.mark.parametrize("bug", BUGS.values(), ids=BUGS)
def test_planted_bugs_are_caught(bug):
    bug.caught_by.run()
    assert is_caught(bug)
    bug.caught_by.run()  # and it is gone again
