"""What a parsed pattern is."""

from collections.abc import Mapping
from typing import Protocol


class InvalidPattern(ValueError):
    """The text is not a filter pattern; the message says why."""


class Pattern(Protocol):
    """A pattern, ready to be tried on messages; raises `TooSlow` when its allowance is spent."""

    def matches(self, message: str) -> bool: ...

    def extract(self, message: str) -> Mapping[str, str]:
        """The values that the pattern names in a message that matches, as TestMetricFilter tells
        them: `$name` of columns, `$.selector` of JSON.
        """
