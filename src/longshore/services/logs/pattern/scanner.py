"""A cursor over the text of a pattern."""

import re

from longshore.services.logs.pattern.allowance import Allowance
from longshore.services.logs.pattern.interface import InvalidPattern

_SPACE = re.compile(r"\s*")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPE = re.compile(r'\\(["\\])')
_REGEX = re.compile(r"%([^%]+)%")
_WORD = re.compile(r'[^\s,()&|<>=!\]}"]+')


class Scanner:
    """Takes a pattern's text apart, from the left; `allowance` is for its expressions."""

    def __init__(self, text: str, allowance: Allowance) -> None:
        self.text = text
        self.allowance = allowance
        self.position = 0

    def fail(self, reason: str) -> InvalidPattern:
        return InvalidPattern(f"{reason} at character {self.position + 1}")

    def skip_space(self) -> None:
        found = _SPACE.match(self.text, self.position)
        if found is not None:
            self.position = found.end()

    @property
    def at_end(self) -> bool:
        self.skip_space()
        return self.position >= len(self.text)

    def ahead(self, literal: str) -> bool:
        self.skip_space()
        return self.text.startswith(literal, self.position)

    def take(self, literal: str) -> bool:
        """Whether `literal` came next; it is consumed."""
        if not self.ahead(literal):
            return False
        self.position += len(literal)
        return True

    def expect(self, literal: str) -> None:
        if not self.take(literal):
            raise self.fail(f"'{literal}' expected")

    def match(self, pattern: "re.Pattern[str]") -> "re.Match[str] | None":
        found = pattern.match(self.text, self.position)
        if found is not None:
            self.position = found.end()
        return found

    def quoted(self) -> str | None:
        """A string in double quotes, without them; None where none comes next."""
        if not self.ahead('"'):
            return None
        found = self.match(_QUOTED)
        if found is None:
            raise self.fail("a closing quote is missing")
        return _ESCAPE.sub(r"\1", found[1])

    def regex(self) -> str | None:
        """What stands between percent signs; None where none comes next."""
        if not self.ahead("%"):
            return None
        found = self.match(_REGEX)
        if found is None:
            raise self.fail("a closing percent sign is missing")
        return found[1]

    def word(self) -> str | None:
        """Characters up to a space or an operator; None where there are none."""
        self.skip_space()
        found = self.match(_WORD)
        return found[0] if found else None

    def keyword(self, *words: str) -> str | None:
        """One of `words`, in any case; None, and nothing consumed, where another comes next."""
        start = self.position
        found = (self.word() or "").upper()
        if found in words:
            return found
        self.position = start
        return None
