"""The cluster query language ("Create expressions to define container instances", ECS guide).

expression := term (("or" | "||") term)*
term       := factor (("and" | "&&") factor)*
factor     := ("not" | "!") factor | "(" expression ")" | subject operator [argument]
subject    := attribute:<name> | agentConnected | ec2InstanceId | task:group | …
"""

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import TYPE_CHECKING

from longshore.base.expressions import ExpressionError, compile_expression

if TYPE_CHECKING:
    from longshore.scheduler.columns import Columns, Mask

Query = Callable[["Columns"], "Mask"]
Test = Callable[[str | None], bool]

TOKEN = re.compile(
    r"\s*(?:(?P<sign>==|!=|>=|<=|=~|!~|&&|\|\||[()\[\],!<>])"
    r"|\"(?P<double>[^\"]*)\"|'(?P<single>[^']*)'"
    r"|(?P<word>[^\s()\[\],!<>=~&|\"']+))"
)
OPERATORS = {
    "==": "equals",
    "equals": "equals",
    "!=": "not_equals",
    "not_equals": "not_equals",
    ">": "greater_than",
    "greater_than": "greater_than",
    ">=": "greater_than_equal",
    "greater_than_equal": "greater_than_equal",
    "<": "less_than",
    "less_than": "less_than",
    "<=": "less_than_equal",
    "less_than_equal": "less_than_equal",
    "exists": "exists",
    "not_exists": "not_exists",
    "in": "in",
    "not_in": "not_in",
    "=~": "matches",
    "matches": "matches",
    "!~": "not_matches",
    "not_matches": "not_matches",
}
NEGATED = {"exists": "not_exists", "in": "not_in"}
PATTERN_SECONDS = 0.1
DEEPEST = 50


class QueryError(ValueError):
    """The text is not an expression of the language."""


@lru_cache(maxsize=1024)
def parse_query(text: str) -> Query:
    """The expression as a function from columns to a mask; raises `QueryError`."""
    parser = _Parser(list(_tokens(text)))
    query = parser.expression(0)
    if parser.rest:
        raise QueryError(f"unexpected {parser.rest[0][1]!r}")
    return query


def _tokens(text: str) -> Iterable[tuple[bool, str]]:
    """(is quoted, text) pairs."""
    text = text.rstrip()
    position = 0
    while position < len(text):
        match = TOKEN.match(text, position)
        if match is None:
            raise QueryError(f"cannot read {text[position:]!r}")
        position = match.end()
        quoted = match["double"] if match["double"] is not None else match["single"]
        if quoted is not None:
            yield True, quoted
        else:
            yield False, match["sign"] or match["word"]


class _Parser:
    def __init__(self, tokens: list[tuple[bool, str]]) -> None:
        self.rest = tokens

    def _next(self) -> tuple[bool, str]:
        if not self.rest:
            raise QueryError("the expression ends too early")
        return self.rest.pop(0)

    def _accept(self, *signs: str) -> bool:
        if self.rest and not self.rest[0][0] and self.rest[0][1].lower() in signs:
            self.rest.pop(0)
            return True
        return False

    def expression(self, depth: int) -> Query:
        if depth > DEEPEST:
            raise QueryError("the expression is nested too deeply")
        query = self._term(depth)
        while self._accept("or", "||"):
            query = _either(query, self._term(depth))
        return query

    def _term(self, depth: int) -> Query:
        query = self._factor(depth)
        while self._accept("and", "&&"):
            query = _both(query, self._factor(depth))
        return query

    def _factor(self, depth: int) -> Query:
        if depth > DEEPEST:
            raise QueryError("the expression is nested too deeply")
        if self._accept("not", "!"):
            inner = self._factor(depth + 1)
            return lambda columns: ~inner(columns)
        if self._accept("("):
            query = self.expression(depth + 1)
            if not self._accept(")"):
                raise QueryError("a parenthesis is not closed")
            return query
        return self._comparison()

    def _comparison(self) -> Query:
        quoted, subject = self._next()
        if quoted or subject in "()[],!":
            raise QueryError(f"{subject!r} is no subject")
        operator = self._operator()
        if operator in {"exists", "not_exists"}:
            return _compare(subject, _existence(operator))
        if operator in {"in", "not_in"}:
            return _compare(subject, _membership(operator, self._list()))
        return _compare(subject, _test(operator, self._argument()))

    def _operator(self) -> str:
        quoted, text = self._next()
        if text == "!" and not quoted:
            negated = OPERATORS.get(self._next()[1], "")
            if negated not in NEGATED:
                raise QueryError("! stands before exists or in only")
            return NEGATED[negated]
        if quoted or text.lower() not in OPERATORS:
            raise QueryError(f"{text!r} is no operator")
        return OPERATORS[text.lower()]

    def _argument(self) -> str:
        quoted, text = self._next()
        if not quoted and text in {"(", ")", "[", "]", ",", "!"}:
            raise QueryError(f"{text!r} is no argument")
        return text

    def _list(self) -> frozenset[str]:
        if not self._accept("["):
            raise QueryError("in takes a list in brackets")
        values = [self._argument()]
        while self._accept(","):
            values.append(self._argument())
        if not self._accept("]"):
            raise QueryError("a bracket is not closed")
        return frozenset(values)


def _both(left: Query, right: Query) -> Query:
    return lambda columns: left(columns) & right(columns)


def _either(left: Query, right: Query) -> Query:
    return lambda columns: left(columns) | right(columns)


def _compare(subject: str, test: Test) -> Query:
    def query(columns: "Columns") -> "Mask":
        if subject == "task:group":
            claims = [any(test(group) for group in row.groups) for row in columns.rows]
        else:
            claims = [test(value) for value in _values(columns, subject)]
        return columns.mask(claims)

    return query


def _values(columns: "Columns", subject: str) -> list[str | None]:
    if subject.startswith("attribute:"):
        name = subject.removeprefix("attribute:")
        return [
            (row.attributes[name] or "") if name in row.attributes else None for row in columns.rows
        ]
    if subject == "agentConnected":
        return [str(row.connected).lower() for row in columns.rows]
    if subject == "runningTasksCount":
        return [str(sum(row.groups.values())) for row in columns.rows]
    return columns.values(subject)


def _existence(operator: str) -> Test:
    return lambda value: (value is not None) == (operator == "exists")


def _membership(operator: str, values: frozenset[str]) -> Test:
    return lambda value: (value in values) == (operator == "in")


def _test(operator: str, argument: str) -> Test:
    match operator:
        case "equals":
            return lambda value: value == argument
        case "not_equals":
            return lambda value: value != argument
        case "matches" | "not_matches":
            return _pattern(argument, operator == "matches")
    return _order(operator, argument)


def _pattern(argument: str, wanted: bool) -> Test:
    try:
        compiled = compile_expression(argument)
    except ExpressionError as error:
        raise QueryError(f"{argument!r} is no regular expression") from error

    def test(value: str | None) -> bool:
        if value is None:
            return not wanted
        try:
            found = compiled.fullmatch(value, timeout=PATTERN_SECONDS) is not None
        except TimeoutError:
            return False
        return found == wanted

    return test


def _order(operator: str, argument: str) -> Test:
    def test(value: str | None) -> bool:
        if value is None:
            return False
        left, right = _comparable(value, argument)
        match operator:
            case "greater_than":
                return left > right
            case "greater_than_equal":
                return left >= right
            case "less_than":
                return left < right
        return left <= right

    return test


def _comparable(value: str, argument: str) -> tuple[tuple[float, str], tuple[float, str]]:
    """As numbers where both are, else as texts."""
    try:
        return (float(value), ""), (float(argument), "")
    except ValueError:
        return (0.0, value), (0.0, argument)
