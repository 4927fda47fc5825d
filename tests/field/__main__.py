"""The field test in figures: ``python -m tests.field``. docs/checks.md quotes them."""

from tests.field import FILES, RIGHT, WRONG, before, verdict


def figures():
    """{"right": ..., ...}: how many there are and were, of the kinds written before the check, and after it."""
    unseen = f"{__package__}.{FILES[-1]}"
    found = {}
    for group, cases in (("right", RIGHT), ("wrong", WRONG)):
        for when, chosen in (
            ("written before the checks", [case for case in cases if case.kind.__module__ != unseen]),
            ("of new kinds", [case for case in cases if case.kind.__module__ == unseen]),
        ):
            kept = sum(verdict(case) == ("passed" if group == "right" else "caught") for case in chosen)
            found[f"{group}, {when}"] = (kept, len(chosen))
    for group, cases in (("right", RIGHT), ("wrong", WRONG)):
        known = [case for case in cases if case.kind.__module__ != unseen]
        found[f"{group}, by the checks of 0.1.0"] = (len(known) - sum(str(c) in before() for c in known), len(known))
    return found


if __name__ == "__main__":
    for name, (kept, total) in figures().items():
        print(f"{name:34} {kept} of {total}")
