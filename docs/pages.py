"""What a page of Markdown consists of: prose and blocks of code. For the tests and the notebooks."""

import re
from typing import NamedTuple

FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```[ ]*\n?", re.MULTILINE | re.DOTALL)


class Part(NamedTuple):
    language: str  # of a block; "" for prose, "none" for a block that names none
    text: str

    @property
    def leads_on(self) -> bool:
        """Is this one paragraph of prose that ends in a colon, such as "It prints:"?"""
        text = self.text.strip()
        return not self.language and text.endswith(":") and "\n\n" not in text


def parts(page: str) -> list[Part]:
    """The prose and the blocks of a page, in order."""
    found, end = [], 0
    for match in FENCE.finditer(page):
        found += [Part("", page[end : match.start()]), Part(match[1] or "none", match[2])]
        end = match.end()
    return [part for part in [*found, Part("", page[end:])] if part.text.strip()]


def output(all_parts: list[Part], i: int) -> tuple[str, Part | None]:
    """What the block of Python at i is to print, and the sentence between the two, if there is one."""
    after = all_parts[i + 1 : i + 3]
    if after and after[0].language == "text":
        return after[0].text, None
    if len(after) == 2 and after[0].leads_on and after[1].language == "text":
        return after[1].text, after[0]
    return "", None
