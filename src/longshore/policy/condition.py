"""Condition operators ("IAM JSON policy elements: Condition operators")."""

import base64
import binascii
import ipaddress
import operator
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from longshore.policy.pattern import Values, arn_matches, matches, plain, substitute

Compare = Callable[[str, str, Values], bool]
"""Whether the request's value satisfies the policy's: (policy's, request's, all values)."""


def _text(compare: Callable[[str, str], bool], *, ignore_case: bool = False) -> Compare:
    def satisfied(wanted: str, given: str, values: Values) -> bool:
        replaced = substitute(wanted, values)
        if replaced is None:
            return False
        wanted = plain(replaced)
        if ignore_case:
            wanted, given = wanted.lower(), given.lower()
        return compare(wanted, given)

    return satisfied


def _parsed(parse: Callable[[str], Any], compare: Callable[[Any, Any], bool]) -> Compare:
    """Compare after parsing; what cannot be parsed satisfies nothing."""

    def satisfied(wanted: str, given: str, values: Values) -> bool:
        replaced = substitute(wanted, values)
        if replaced is None:
            return False
        try:
            return compare(parse(given), parse(plain(replaced)))
        except (ValueError, binascii.Error):
            return False

    return satisfied


def _date(text: str) -> float:
    """ISO 8601 or epoch seconds, as epoch seconds."""
    try:
        return float(text)
    except ValueError:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _truth(text: str) -> bool:
    if text.lower() not in {"true", "false"}:
        raise ValueError(text)
    return text.lower() == "true"


def _binary(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def _in_network(given: Any, wanted: Any) -> bool:
    return bool(given.version == wanted.version and given.subnet_of(wanted))


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    return ipaddress.ip_network(text, strict=False)


def _like(wanted: str, given: str, values: Values) -> bool:
    return matches(wanted, given, values)


POSITIVE: Mapping[str, Compare] = {
    "stringequals": _text(operator.eq),
    "stringequalsignorecase": _text(operator.eq, ignore_case=True),
    "stringlike": _like,
    "numericequals": _parsed(float, operator.eq),
    "numericlessthan": _parsed(float, operator.lt),
    "numericlessthanequals": _parsed(float, operator.le),
    "numericgreaterthan": _parsed(float, operator.gt),
    "numericgreaterthanequals": _parsed(float, operator.ge),
    "dateequals": _parsed(_date, operator.eq),
    "datelessthan": _parsed(_date, operator.lt),
    "datelessthanequals": _parsed(_date, operator.le),
    "dategreaterthan": _parsed(_date, operator.gt),
    "dategreaterthanequals": _parsed(_date, operator.ge),
    "bool": _parsed(_truth, operator.eq),
    "binaryequals": _parsed(_binary, operator.eq),
    "ipaddress": _parsed(_network, _in_network),
    "arnequals": arn_matches,
    "arnlike": arn_matches,
}
NEGATIVE: Mapping[str, str] = {
    "stringnotequals": "stringequals",
    "stringnotequalsignorecase": "stringequalsignorecase",
    "stringnotlike": "stringlike",
    "numericnotequals": "numericequals",
    "datenotequals": "dateequals",
    "notipaddress": "ipaddress",
    "arnnotequals": "arnequals",
    "arnnotlike": "arnlike",
}
QUANTIFIERS = ("forallvalues:", "foranyvalue:")


class Condition:
    """One operator over one key: satisfied or not by a request's values."""

    def __init__(self, name: str, key: str, wanted: Iterable[str]) -> None:
        """Raises `ValueError` where there is no such operator."""
        lowered = name.lower()
        self.key = key.lower()
        self._wanted = tuple(wanted)
        self._quantifier = next((q for q in QUANTIFIERS if lowered.startswith(q)), "")
        lowered = lowered.removeprefix(self._quantifier)
        self._if_exists = lowered.endswith("ifexists") and lowered != "null"
        lowered = lowered.removesuffix("ifexists")
        self._null = lowered == "null"
        self._negative = lowered in NEGATIVE
        compare = POSITIVE.get(NEGATIVE.get(lowered, lowered))
        if compare is None and not self._null:
            raise ValueError(f"unknown condition operator {name}")
        self._compare = compare

    def satisfied(self, values: Values) -> bool:
        """Whether the request meets this condition."""
        given = values(self.key)
        if self._null:
            return any((wanted.lower() == "true") == (given is None) for wanted in self._wanted)
        if not given:
            return self._satisfied_by_absence()
        if self._quantifier == "forallvalues:":
            return all(self._meets(value, values) for value in given)
        if self._quantifier == "foranyvalue:" or not self._negative:
            return any(self._meets(value, values) for value in given)
        return all(self._meets(value, values) for value in given)

    def _satisfied_by_absence(self) -> bool:
        if self._quantifier == "foranyvalue:":
            return False
        return self._if_exists or self._negative or self._quantifier == "forallvalues:"

    def _meets(self, given: str, values: Values) -> bool:
        assert self._compare is not None
        found = any(self._compare(wanted, given, values) for wanted in self._wanted)
        return found is not self._negative
