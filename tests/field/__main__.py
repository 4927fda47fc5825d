"""The field test in figures: ``python -m tests.field``. docs/checks.md quotes them."""

from tests.field import RIGHT, WRONG, at_first, before, verdict

AUTHORS = {"unseen": "of new kinds", "strangers": "by somebody else", "strangers_losses": "by somebody else"}


def author(case):
    return AUTHORS.get(case.kind.__module__.rpartition(".")[2], "written before the checks")


def figures():
    """{"right, ...": (how many are judged rightly, of how many)}: now, and of some at other times."""
    found = {}
    for group, cases, verdict_due in (("right", RIGHT, "passed"), ("wrong", WRONG, "caught")):
        for case in cases:
            name = f"{group}, {author(case)}"
            kept, total = found.get(name, (0, 0))
            found[name] = kept + (verdict(case) == verdict_due), total + 1
    for group, (total, names) in zip(("right", "wrong"), at_first(), strict=True):
        found[f"{group}, by somebody else, at first sight"] = (total - len(names), total)
    for group, cases in (("right", RIGHT), ("wrong", WRONG)):
        known = [case for case in cases if author(case) == "written before the checks"]
        found[f"{group}, by the checks of 0.1.0"] = (len(known) - sum(str(c) in before() for c in known), len(known))
    return found


if __name__ == "__main__":
    for name, (kept, total) in figures().items():
        print(f"{name:40} {kept} of {total}")
