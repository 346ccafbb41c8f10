"""Wildcards and policy variables ("IAM policy elements: Variables and tags")."""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final, NamedTuple

Values = Callable[[str], list[str] | None]
"""The values of a condition key in the request, by its name; None where the key is absent."""

MARK = re.compile(r"\$\{([^}]*)\}|([*?])", re.DOTALL)
PLAIN_MARK = re.compile(r"((?!))|([*?])")
"""The same without variables: the first group matches nothing."""
COLON = re.compile(r"(\$\{[^}]*\})|:")
ESCAPES = frozenset("*?$")
"""`${*}`, `${?}` and `${$}` stand for the characters themselves."""


class Unresolved(Exception):
    """A policy variable has no single value in the request and no default.

    The statement does not apply then, whatever its operators ("If a variable cannot be resolved,
    this might cause the entire statement to be invalid").
    """


class Wild(NamedTuple):
    """`*` (any characters) or `?` (one)."""

    mark: str


class Variable(NamedTuple):
    """`${key}` or `${key, 'default'}`."""

    key: str
    default: str | None


Part = str | Wild | Variable


class Pattern:
    """A value of a policy, read once: text, wildcards and variables."""

    __slots__ = ("_any", "_ignore_case", "_parts", "_regex", "_varies")

    def __init__(self, text: str, *, variables: bool = True, ignore_case: bool = False) -> None:
        """`variables` is False in documents of version 2008-10-17, where `${…}` is plain text."""
        self._parts = tuple(_parts(text, variables))
        self._ignore_case = ignore_case
        self._varies = any(isinstance(part, Variable) for part in self._parts)
        self._regex = None if self._varies else expression(self._parts, ignore_case)
        self._any = self._parts == (ANY,)

    def matches(self, text: str, values: Values) -> bool:
        """Whether `text` is what the pattern means in this request; raises `Unresolved`."""
        if self._any:
            return True
        regex = self._regex or expression(self._resolved(values), self._ignore_case)
        return regex.fullmatch(text) is not None

    def literal(self, values: Values) -> str:
        """The text for operators without wildcards, `*` and `?` as they are."""
        return "".join(
            part.mark if isinstance(part, Wild) else str(part) for part in self._resolved(values)
        )

    def _resolved(self, values: Values) -> tuple[str | Wild, ...]:
        """What a variable brings in is taken literally: its `*` and `?` are no wildcards."""
        return tuple(
            _value(part, values) if isinstance(part, Variable) else part for part in self._parts
        )


class ArnPattern:
    """An ARN matched part by part: a wildcard in one part does not reach into the next."""

    __slots__ = ("_any", "_segments")

    def __init__(self, text: str, *, variables: bool = True) -> None:
        self._any = text == "*"
        segments = _segments(text) if variables else text.split(":", 5)
        self._segments = tuple(Pattern(segment, variables=variables) for segment in segments)

    def matches(self, text: str, values: Values) -> bool:
        """Whether `text` is such an ARN; raises `Unresolved`."""
        if self._any:
            return True
        given = text.split(":", 5)
        # All of them are looked at, so that a variable without a value is noticed always.
        met = [s.matches(g, values) for s, g in zip(self._segments, given, strict=False)]
        return len(given) == len(self._segments) and all(met)


def _segments(text: str) -> list[str]:
    """The six parts of an ARN pattern; the colons inside `${…}` part nothing."""
    segments: list[str] = []
    start = 0
    for found in COLON.finditer(text):
        if found[1] is None and len(segments) < 5:
            segments.append(text[start : found.start()])
            start = found.end()
    return [*segments, text[start:]]


def _parts(text: str, variables: bool) -> list[Part]:
    parts: list[Part] = []
    start = 0
    for found in (MARK if variables else PLAIN_MARK).finditer(text):
        parts += [text[start : found.start()], _part(found)]
        start = found.end()
    return [part for part in (*parts, text[start:]) if part != ""]


def _part(found: re.Match[str]) -> Part:
    if found[2] is not None:
        return Wild(found[2])
    if found[1] in ESCAPES:
        return found[1]
    key, comma, rest = found[1].partition(",")
    default = rest.strip()
    quoted = bool(comma) and len(default) >= 2 and default[0] == default[-1] == "'"
    return Variable(key.strip(), default[1:-1] if quoted else None)


def _value(variable: Variable, values: Values) -> str:
    found = values(variable.key)
    if found is not None and len(found) == 1:
        return found[0]
    if variable.default is None:
        raise Unresolved(variable.key)
    return variable.default


@lru_cache(maxsize=8192)
def expression(parts: tuple[str | Wild, ...], ignore_case: bool = False) -> re.Pattern[str]:
    """A regular expression for text and wildcards, matched in time linear in each of them.

    Each `*` but the last is an atomic group that takes the first place where what follows it is
    found: a later place could match nothing that this one does not.
    """
    runs: list[str] = [""]
    for part in parts:
        if part == ANY:
            runs.append("")
        else:
            runs[-1] += "." if isinstance(part, Wild) else re.escape(part)
    first, *rest = runs
    middle = "".join([f"(?>.*?{run})" for run in rest[:-1] if run])
    last = f".*{rest[-1]}" if rest else ""
    flags = re.DOTALL | (re.IGNORECASE if ignore_case else 0)
    return re.compile(first + middle + last, flags)


ANY: Final = Wild("*")
