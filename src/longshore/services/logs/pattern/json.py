"""`{ $.selector = value && … }`: messages that are JSON."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from longshore.services.logs.pattern.allowance import Allowance
from longshore.services.logs.pattern.conditions import Condition, take_conditions
from longshore.services.logs.pattern.interface import Pattern
from longshore.services.logs.pattern.scanner import Scanner
from longshore.services.logs.pattern.values import Test, take_operator, take_test

Step = str | int | None
"""A member's name, an element's number, or None for all of either (`*`)."""

_NAME = re.compile(r"[^\s.\[\](){}=!<>&|\"',]+")
_INDEX = re.compile(r"\[\s*(\d{1,9})\s*\]")
_ALL = re.compile(r"\[\s*\*\s*\]|\.\*")
_MEMBER = re.compile(r"""\[\s*(?:"([^"]*)"|'([^']*)')\s*\]""")
_IS = {"NULL": None, "TRUE": True, "FALSE": False}


class JsonPattern:
    """A condition on a JSON object or array."""

    def __init__(self, condition: Condition, selectors: Mapping[str, Sequence[Step]]) -> None:
        self._condition = condition
        self._selectors = selectors

    def matches(self, message: str) -> bool:
        document = _decoded(message)
        return document is not None and self._condition(document)

    def extract(self, message: str) -> Mapping[str, str]:
        document = _decoded(message)
        extracted = {}
        for text, steps in self._selectors.items():
            for value in resolve(document, steps):
                extracted[text] = value if isinstance(value, str) else _encoded(value)
                break
        return extracted


def _decoded(message: str) -> Any:
    """The document; None where the message is not an object or an array."""
    try:
        document = msgspec.json.decode(message)
    except (msgspec.DecodeError, RecursionError):
        return None
    return document if isinstance(document, dict | list) else None


def _encoded(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def parse_json(text: str, allowance: Allowance) -> Pattern:
    scanner = Scanner(text, allowance)
    selectors: dict[str, Sequence[Step]] = {}

    def comparison(scanner: Scanner) -> Condition:
        start, steps = take_selector(scanner)
        selectors[scanner.text[start : scanner.position]] = steps
        return _take_comparison(scanner, steps)

    scanner.expect("{")
    condition = take_conditions(scanner, comparison)
    scanner.expect("}")
    if not scanner.at_end:
        raise scanner.fail("nothing expected")
    return JsonPattern(condition, selectors)


def take_selector(scanner: Scanner) -> tuple[int, Sequence[Step]]:
    """Where the selector begins, and its steps."""
    scanner.expect("$")
    start = scanner.position - 1
    steps: list[Step] = []
    while (step := _take_step(scanner)) is not ...:
        steps.append(step)
    if not steps:
        raise scanner.fail("a property expected after '$'")
    return start, steps


def _take_step(scanner: Scanner) -> Any:
    """The next step; `...` where the selector ends."""
    if scanner.match(_ALL):
        return None
    if found := scanner.match(_INDEX):
        return int(found[1])
    if found := scanner.match(_MEMBER):
        return found[1] if found[1] is not None else found[2]
    if not scanner.text.startswith(".", scanner.position):
        return ...
    scanner.position += 1
    if scanner.text.startswith("[", scanner.position):
        return _take_step(scanner)
    found = scanner.match(_NAME)
    if found is None:
        raise scanner.fail("a property's name expected")
    return found[0]


def _take_comparison(scanner: Scanner, steps: Sequence[Step]) -> Condition:
    sign = take_operator(scanner)
    if sign is not None:
        return _any(steps, take_test(scanner, sign))
    if scanner.keyword("IS"):
        word = scanner.keyword(*_IS)
        if word is None:
            raise scanner.fail("NULL, TRUE or FALSE expected")
        wanted = _IS[word]
        return _any(steps, lambda value: value is wanted)
    if scanner.keyword("NOT") and scanner.keyword("EXISTS"):
        return lambda document: not any(True for _ in resolve(document, steps))
    raise scanner.fail("a comparison expected")


def _any(steps: Sequence[Step], test: Test) -> Condition:
    """Whether any value that the selector finds passes; so none does where there is none."""
    return lambda document: any(test(value) for value in resolve(document, steps))


def resolve(document: Any, steps: Sequence[Step]) -> Iterator[Any]:
    """Every value that a selector finds."""
    values = [document]
    for step in steps:
        values = [inner for value in values for inner in _inside(value, step)]
    yield from values


def _inside(value: Any, step: Step) -> Sequence[Any]:
    if isinstance(value, dict):
        if step is None:
            return list(value.values())
        return [value[step]] if step in value else []
    if isinstance(value, list):
        if step is None:
            return value
        if isinstance(step, int) and step < len(value):
            return [value[step]]
    return []
