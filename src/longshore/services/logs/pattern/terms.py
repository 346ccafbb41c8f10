"""`ERROR "no space" -retry ?WARN`: words that a message has, or has not."""

import re
from collections.abc import Callable, Mapping, Sequence

from longshore.services.logs.pattern.allowance import Allowance
from longshore.services.logs.pattern.interface import InvalidPattern, Pattern
from longshore.services.logs.pattern.scanner import Scanner
from longshore.services.logs.pattern.values import regex_test

Has = Callable[[str], bool]

_TERM = re.compile(r"[^\s\"%]+")
_PLAIN = re.compile(r"[\w*.:/@#$+=-]+")
"""What a term may hold outside of quotes."""


class TermPattern:
    """All of `required`, none of `excluded`, and one of `optional` if there is nothing else."""

    def __init__(
        self, required: Sequence[Has], excluded: Sequence[Has], optional: Sequence[Has]
    ) -> None:
        self._required = required
        self._excluded = excluded
        # "If you combine ? with other terms, all ? terms are ignored" (Filter pattern syntax).
        self._optional = () if required or excluded else optional

    def matches(self, message: str) -> bool:
        if not all(has(message) for has in self._required):
            return False
        if any(has(message) for has in self._excluded):
            return False
        return not self._optional or any(has(message) for has in self._optional)

    def extract(self, message: str) -> Mapping[str, str]:
        del message
        return {}


def parse_terms(text: str, allowance: Allowance) -> Pattern:
    scanner = Scanner(text, allowance)
    found: dict[str, list[Has]] = {"": [], "-": [], "?": []}
    while not scanner.at_end:
        sign = next((each for each in "-?" if scanner.take(each)), "")
        found[sign].append(_take_term(scanner))
    return TermPattern(found[""], found["-"], found["?"])


def _take_term(scanner: Scanner) -> Has:
    expression = scanner.regex()
    if expression is not None:
        return regex_test(expression, scanner.allowance)
    term = scanner.quoted()
    if term is None:
        match = scanner.match(_TERM)
        term = match[0] if match else ""
        if not _PLAIN.fullmatch(term):
            raise InvalidPattern(f"Invalid character(s) in term '{term}'")
    wanted = term
    return lambda message: wanted in message
