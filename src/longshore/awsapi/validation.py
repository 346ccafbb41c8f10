"""Constraints of input shapes: required members, lengths, ranges, enumerations, patterns.

A compiled check gives the problems that it found, or None. Shapes without constraints have no
check at all, so that a request costs what it holds.
"""

from collections.abc import Callable
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from longshore.awsapi.model import Member, ServiceModel, Shape
from longshore.awsapi.sites import FLOATS, INTEGERS, Site, element, entry, site_of

if TYPE_CHECKING:
    import regex

LONGEST_KEPT = 256
"""Characters of a text whose match is kept."""
PATTERN_SECONDS = 0.2
"""What one match may take: some models' patterns backtrack without end on hostile input."""


class Problem(NamedTuple):
    """One violated constraint. `path` is dotted; `value` is None for what is missing."""

    path: str
    value: Any
    constraint: str
    kind: str
    """`required`, `enum`, `length`, `range` or `pattern`."""


Check = Callable[[Any], list[Problem] | None]


class Checks:
    """The compiled checks of one service."""

    def __init__(self, model: ServiceModel) -> None:
        self._model = model
        self._made: dict[str, Check | None] = {}

    def of(self, shape_name: str) -> Check | None:
        """The check of a shape; None where every value of its type will do."""
        if shape_name in self._made:
            return self._made[shape_name]

        def later(value: Any) -> list[Problem] | None:
            return (self._made[shape_name] or _nothing)(value)

        self._made[shape_name] = later
        site = site_of(self._model, Member(shape=shape_name))
        self._made[shape_name] = made = self._build(site)
        return made

    def _build(self, site: Site) -> Check | None:
        kind = site.shape.type
        if kind == "structure":
            return self._structure(site)
        if kind == "list":
            return _both(_length(site.shape), self._list(site))
        if kind == "map":
            return _both(_length(site.shape), self._map(site))
        if kind in INTEGERS or kind in FLOATS:
            return _range(site.shape)
        if kind == "string":
            return _both(_enumeration(site.shape), _both(_length(site.shape), _pattern(site.shape)))
        return _length(site.shape) if kind == "blob" else None

    def _structure(self, site: Site) -> Check | None:
        checks = {}
        for name, member in site.shape.members.items():
            check = self.of(member.shape)
            if check is not None:
                checks[name] = check
        required = site.shape.required
        if not checks and not required:
            return None

        def check_structure(value: Any) -> list[Problem] | None:
            if not isinstance(value, dict):
                return None
            problems = [
                Problem(name, None, "Member must not be null", "required")
                for name in required
                if name not in value
            ]
            for name, item in value.items():
                found = checks[name](item) if name in checks else None
                if found:
                    problems += _under(name, found)
            return problems

        return check_structure

    def _list(self, site: Site) -> Check | None:
        check = self.of(element(site).shape)
        if check is None:
            return None

        def check_list(value: Any) -> list[Problem] | None:
            problems = []
            for position, item in enumerate(value, 1):
                found = check(item)
                if found:
                    problems += _under(f"{position}.member", found)
            return problems

        return check_list

    def _map(self, site: Site) -> Check | None:
        key_member, value_member = entry(site)
        check_key, check_value = self.of(key_member.shape), self.of(value_member.shape)
        if check_key is None and check_value is None:
            return None

        def check_map(value: Any) -> list[Problem] | None:
            problems = []
            for key, item in value.items():
                problems += _under("key", (check_key or _nothing)(key) or [])
                problems += _under(f"{key}.member", (check_value or _nothing)(item) or [])
            return problems

        return check_map


def _nothing(value: Any) -> list[Problem] | None:
    return None


def _under(head: str, problems: list[Problem]) -> list[Problem]:
    return [
        problem._replace(path=f"{head}.{problem.path}" if problem.path else head)
        for problem in problems
    ]


def _both(first: Check | None, second: Check | None) -> Check | None:
    if first is None or second is None:
        return first or second
    return lambda value: first(value) or second(value)


def _enumeration(shape: Shape) -> Check | None:
    if not shape.enum:
        return None
    allowed = frozenset(shape.enum)
    constraint = f"Member must satisfy enum value set: [{', '.join(map(str, shape.enum))}]"

    def check(value: Any) -> list[Problem] | None:
        return None if value in allowed else [Problem("", value, constraint, "enum")]

    return check


def _length(shape: Shape) -> Check | None:
    low, high = shape.min, shape.max
    if low is None and high is None:
        return None
    low, high = int(low or 0), int(high) if high is not None else 2**62

    def check(value: Any) -> list[Problem] | None:
        if low <= len(value) <= high:
            return None
        bound = (
            f"less than or equal to {high}"
            if len(value) > high
            else f"greater than or equal to {low}"
        )
        return [Problem("", value, f"Member must have length {bound}", "length")]

    return check


def _range(shape: Shape) -> Check | None:
    if shape.min is None and shape.max is None:
        return None
    low = shape.min if shape.min is not None else float("-inf")
    high = shape.max if shape.max is not None else float("inf")

    def check(value: Any) -> list[Problem] | None:
        if low <= value <= high:
            return None
        bound = (
            f"less than or equal to {_number(high)}"
            if value > high
            else f"greater than or equal to {_number(low)}"
        )
        return [Problem("", value, f"Member must have value {bound}", "range")]

    return check


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else str(value)


def _pattern(shape: Shape) -> Check | None:
    if not shape.pattern:
        return None
    constraint = f"Member must satisfy regular expression pattern: {shape.pattern}"

    def check(value: Any) -> list[Problem] | None:
        if _matches(shape.pattern, value):
            return None
        return [Problem("", value, constraint, "pattern")]

    return check


def _matches(pattern: str, value: str) -> bool:
    """Whether the whole text matches, in the Java dialect that the models are written in.

    There `\\w` and its kin are ASCII; letters of other scripts are asked for by `\\p`.
    A pattern of a model that cannot be read lets everything pass.
    """
    try:
        if len(value) <= LONGEST_KEPT:
            return _kept_match(pattern, value)
        return _match(pattern, value)
    except TimeoutError:
        return False


def _match(pattern: str, value: str) -> bool:
    compiled = _compiled(pattern)
    return compiled is None or compiled.fullmatch(value, timeout=PATTERN_SECONDS) is not None


_kept_match = lru_cache(maxsize=4096)(_match)
"""Requests name the same things again and again; what took too long is not kept."""


@cache
def _compiled(pattern: str) -> "regex.Pattern[str] | None":
    # Imported with the first pattern: it takes 10 ms, which every start would pay.
    import regex

    try:
        return regex.compile(pattern, 0 if r"\p" in pattern else regex.ASCII)
    except regex.error:
        return None
