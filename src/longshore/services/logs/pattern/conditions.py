"""`&&`, `||` and parentheses over comparisons; what a comparison is, JSON and columns say."""

from collections.abc import Callable
from typing import Any

from longshore.services.logs.pattern.scanner import Scanner

Condition = Callable[[Any], bool]
"""Of a message taken apart: a JSON document, or the columns by name."""
TakeComparison = Callable[[Scanner], Condition]

DEEPEST = 32
"""Parentheses within each other."""


def take_conditions(scanner: Scanner, comparison: TakeComparison, depth: int = 0) -> Condition:
    """Alternatives of conjunctions, as far as they go."""
    if depth > DEEPEST:
        raise scanner.fail("too many parentheses within each other")
    alternatives = [_conjunction(scanner, comparison, depth)]
    while scanner.take("||"):
        alternatives.append(_conjunction(scanner, comparison, depth))
    if len(alternatives) == 1:
        return alternatives[0]
    return lambda subject: any(each(subject) for each in alternatives)


def _conjunction(scanner: Scanner, comparison: TakeComparison, depth: int) -> Condition:
    conditions = [_unit(scanner, comparison, depth)]
    while scanner.take("&&"):
        conditions.append(_unit(scanner, comparison, depth))
    if len(conditions) == 1:
        return conditions[0]
    return lambda subject: all(each(subject) for each in conditions)


def _unit(scanner: Scanner, comparison: TakeComparison, depth: int) -> Condition:
    if not scanner.take("("):
        return comparison(scanner)
    inner = take_conditions(scanner, comparison, depth + 1)
    scanner.expect(")")
    return inner
