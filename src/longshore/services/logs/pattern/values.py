"""The right-hand sides of comparisons: numbers, strings with wildcards, regular expressions."""

import math
import operator
import re
from collections.abc import Callable
from typing import Any

from longshore.base.expressions import ExpressionError, compile_expression
from longshore.services.logs.pattern.allowance import Allowance
from longshore.services.logs.pattern.interface import InvalidPattern
from longshore.services.logs.pattern.scanner import Scanner

Test = Callable[[Any], bool]
"""Of one value of a message: a JSON value, or the text of a column."""

OPERATORS = ("!=", "<=", ">=", "=", "<", ">")
_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?")


def take_operator(scanner: Scanner) -> str | None:
    return next((each for each in OPERATORS if scanner.take(each)), None)


def take_test(scanner: Scanner, sign: str) -> Test:
    """The value that comes next, as the test `… <sign> value`."""
    expression = scanner.regex()
    quoted = None if expression is not None else scanner.quoted()
    word = scanner.word() if expression is None and quoted is None else None
    if expression is None and quoted is None and word is None:
        raise scanner.fail("a value expected")
    if sign in _ORDER:
        return _order_test(scanner, sign, word)
    equal = (
        regex_test(expression, scanner.allowance)
        if expression is not None
        else _equality(quoted, word)
    )
    return equal if sign == "=" else lambda value: not equal(value)


def _order_test(scanner: Scanner, sign: str, word: str | None) -> Test:
    bound = number(word)
    if bound is None:
        raise scanner.fail(f"a number expected after '{sign}'")
    compare = _ORDER[sign]

    def test(value: Any) -> bool:
        found = number(value)
        return found is not None and compare(found, bound)

    return test


def _equality(quoted: str | None, word: str | None) -> Test:
    if quoted is not None:
        return _text_test(quoted)
    wanted = number(word)
    text = _text_test(word or "")
    if wanted is None:
        return text
    return lambda value: number(value) == wanted or text(value)


def number(value: Any) -> float | None:
    """A number, or a text that spells one."""
    if isinstance(value, str):
        return float(value) if _NUMBER.fullmatch(value) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


def _text_test(text: str) -> Test:
    """Equal, where `*` stands for any characters."""
    if "*" not in text:
        return lambda value: isinstance(value, str) and value == text
    parts = text.split("*")
    return lambda value: isinstance(value, str) and _wild(parts, value)


def _wild(parts: list[str], value: str) -> bool:
    """Whether `value` is `parts` with anything between them; linear, unlike a regex."""
    first, *middle, last = parts
    if len(value) < len(first) + len(last) or not value.startswith(first):
        return False
    if not value.endswith(last):
        return False
    position, end = len(first), len(value) - len(last)
    for part in middle:
        position = value.find(part, position, end)
        if position < 0:
            return False
        position += len(part)
    return True


def regex_test(expression: str, allowance: Allowance) -> Test:
    """Found anywhere in the text ("Supported regex syntax": anchors are the pattern's to give)."""
    try:
        compiled = compile_expression(expression)
    except ExpressionError as error:
        raise InvalidPattern(f"invalid regular expression: {error}") from None

    def test(value: Any) -> bool:
        text = str(value) if isinstance(value, int | float) else value
        return isinstance(text, str) and allowance.search(compiled, text)

    return test
