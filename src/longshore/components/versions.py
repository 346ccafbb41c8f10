"""Versions as programs print them, and ranges of them (pure)."""

import re
from itertools import zip_longest

import msgspec

Version = tuple[int, ...]


def parse(text: str) -> Version:
    """The leading dotted numbers: `1.1.5+ds1` is (1, 1, 5), `v2.4.2-rc.1` (2, 4, 2).

    Raises ValueError where there is no number.
    """
    found = re.match(r"\D{0,3}(\d+(?:\.\d+)*)", text)
    if found is None:
        raise ValueError(f"no version in {text!r}")
    return tuple(int(part) for part in found[1].split("."))


def compare(one: Version, other: Version) -> int:
    """Below zero if `one` is older, zero if they are the same; 2.4 is the same as 2.4.0."""
    for left, right in zip_longest(one, other, fillvalue=0):
        if left != right:
            return -1 if left < right else 1
    return 0


class Range(msgspec.Struct, frozen=True):
    """Versions from `at_least` on, and older than `below` where that is given."""

    at_least: str = "0"
    below: str = ""

    def accepts(self, text: str) -> bool:
        version = parse(text)
        return compare(version, parse(self.at_least)) >= 0 and (
            not self.below or compare(version, parse(self.below)) < 0
        )

    def __str__(self) -> str:
        return f"{self.at_least} or later" + (f", before {self.below}" if self.below else "")
