"""`[ip, user, …, status = 4*]`: messages that are columns between spaces."""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from longshore.services.logs.pattern.allowance import Allowance
from longshore.services.logs.pattern.conditions import Condition, take_conditions
from longshore.services.logs.pattern.interface import InvalidPattern, Pattern
from longshore.services.logs.pattern.scanner import Scanner
from longshore.services.logs.pattern.values import take_operator, take_test

_COLUMN = re.compile(r'\[([^\]]*)\]|"((?:[^"\\]|\\.)*)"|(\S+)')
"""What stands in brackets or quotes is one column."""
_NAME = re.compile(r"[A-Za-z0-9_$-]+")
MOST_COLUMNS = 128


class Column(NamedTuple):
    """`name` is empty where the pattern gives none; `condition` is of all columns by name."""

    name: str
    condition: Condition | None = None


class ColumnPattern:
    """Columns before and after the ellipsis; `rest` None where there is none."""

    def __init__(self, first: Sequence[Column], rest: Sequence[Column] | None) -> None:
        self._first = first
        self._rest = rest
        named = [column.name for column in (*first, *(rest or ())) if column.name]
        if len(set(named)) != len(named):
            raise InvalidPattern("two columns have the same name")

    def _values(self, message: str) -> Mapping[str, str] | None:
        """The columns by name; None where there are too few or too many."""
        found = [_text(match) for match in _COLUMN.finditer(message)]
        rest = self._rest or ()
        needed = len(self._first) + len(rest)
        if len(found) < needed or (self._rest is None and len(found) > needed):
            return None
        values = dict(zip((column.name for column in self._first), found, strict=False))
        tail = found[len(found) - len(rest) :]
        return values | dict(zip((column.name for column in rest), tail, strict=True))

    def matches(self, message: str) -> bool:
        values = self._values(message)
        if values is None:
            return False
        conditions = (column.condition for column in (*self._first, *(self._rest or ())))
        return all(condition(values) for condition in conditions if condition is not None)

    def extract(self, message: str) -> Mapping[str, str]:
        values = self._values(message) or {}
        return {f"${name}": value for name, value in values.items() if name}


def _text(match: "re.Match[str]") -> str:
    return next(group for group in match.groups() if group is not None)


def parse_columns(text: str, allowance: Allowance) -> Pattern:
    scanner = Scanner(text, allowance)
    scanner.expect("[")
    parts: list[list[Column]] = [[]]
    while True:
        if scanner.take("..."):
            parts.append([])
        else:
            parts[-1].append(_take_column(scanner))
        if not scanner.take(","):
            break
    scanner.expect("]")
    if not scanner.at_end:
        raise scanner.fail("nothing expected")
    if len(parts) > 2 or sum(len(part) for part in parts) > MOST_COLUMNS:
        raise InvalidPattern("at most one ellipsis and 128 columns")
    return ColumnPattern(parts[0], parts[1] if len(parts) == 2 else None)


def _take_column(scanner: Scanner) -> Column:
    """A name, a name with conditions, or nothing at all."""
    if scanner.ahead(",") or scanner.ahead("]"):
        return Column("")
    names: list[str] = []

    def comparison(scanner: Scanner) -> Condition:
        scanner.skip_space()
        found = scanner.match(_NAME)
        name = found[0] if found else ""
        names.append(name)
        sign = take_operator(scanner)
        if sign is None:
            if not name:
                raise scanner.fail("a column expected")
            return lambda values: True
        test = take_test(scanner, sign)
        return lambda values: test(values[name])

    condition = take_conditions(scanner, comparison)
    if len(set(names)) > 1:
        raise scanner.fail("conditions of one column name another")
    return Column(names[0], condition)
