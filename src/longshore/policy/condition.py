"""Condition operators ("IAM JSON policy elements: Condition operators")."""

import base64
import ipaddress
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from longshore.policy.pattern import ArnPattern, Pattern, Unresolved, Values

Test = Callable[[str, Values], bool]
"""Whether a value of the request satisfies the policy's; raises `Unresolved`."""
Compile = Callable[[str, bool], Test]
"""Of a policy's value, and whether it may have variables; raises `ValueError`."""

NUMBER = re.compile(r"[+-]?(\d{1,64}(\.\d{0,64})?|\.\d{1,64})([eE][+-]?\d{1,3})?", re.ASCII)
DATE = re.compile(
    r"(\d{4}-\d\d-\d\d)(T\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)?)?", re.ASCII
)


def _text(compare: Callable[[str, str], bool], *, ignore_case: bool = False) -> Compile:
    def compiled(wanted: str, variables: bool) -> Test:
        pattern = Pattern(wanted, variables=variables)

        def satisfied(given: str, values: Values) -> bool:
            text = pattern.literal(values)
            if ignore_case:
                return compare(text.casefold(), given.casefold())
            return compare(text, given)

        return satisfied

    return compiled


def _parsed(parse: Callable[[str], Any], compare: Callable[[Any, Any], bool]) -> Compile:
    """Compare after parsing, without variables; a request's value that is none of its kind never
    satisfies.
    """

    def compiled(wanted: str, variables: bool) -> Test:
        limit = parse(wanted)

        def satisfied(given: str, values: Values) -> bool:
            try:
                return compare(parse(given), limit)
            except ValueError:
                return False

        return satisfied

    return compiled


def _number(text: str) -> Decimal:
    if NUMBER.fullmatch(text) is None:
        raise ValueError(text)
    return Decimal(text)


def _date(text: str) -> Decimal:
    """ISO 8601 or epoch seconds, as epoch seconds."""
    if NUMBER.fullmatch(text):
        return Decimal(text)
    if DATE.fullmatch(text) is None:
        raise ValueError(text)
    moment = datetime.fromisoformat(text)
    return Decimal((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def _truth(text: str) -> bool:
    if text.lower() not in {"true", "false"}:
        raise ValueError(text)
    return text.lower() == "true"


def _binary(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def _in_network(given: Any, wanted: Any) -> bool:
    return bool(given.version == wanted.version and given.subnet_of(wanted))


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """An address or a network; IPv4 in IPv6's clothes (`::ffff:192.0.2.1`) is IPv4."""
    network = ipaddress.ip_network(text, strict=False)
    if isinstance(network, ipaddress.IPv6Network):
        mapped = network.network_address.ipv4_mapped
        if mapped is not None and network.prefixlen >= 96:
            return ipaddress.ip_network((mapped, network.prefixlen - 96), strict=False)
    return network


def _like(wanted: str, variables: bool) -> Test:
    return Pattern(wanted, variables=variables).matches


def _arn_like(wanted: str, variables: bool) -> Test:
    return ArnPattern(wanted, variables=variables).matches


POSITIVE: Mapping[str, Compile] = {
    "stringequals": _text(operator.eq),
    "stringequalsignorecase": _text(operator.eq, ignore_case=True),
    "stringlike": _like,
    "numericequals": _parsed(_number, operator.eq),
    "numericlessthan": _parsed(_number, operator.lt),
    "numericlessthanequals": _parsed(_number, operator.le),
    "numericgreaterthan": _parsed(_number, operator.gt),
    "numericgreaterthanequals": _parsed(_number, operator.ge),
    "dateequals": _parsed(_date, operator.eq),
    "datelessthan": _parsed(_date, operator.lt),
    "datelessthanequals": _parsed(_date, operator.le),
    "dategreaterthan": _parsed(_date, operator.gt),
    "dategreaterthanequals": _parsed(_date, operator.ge),
    "bool": _parsed(_truth, operator.eq),
    "binaryequals": _parsed(_binary, operator.eq),
    "ipaddress": _parsed(_network, _in_network),
    "arnequals": _arn_like,
    "arnlike": _arn_like,
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


class UnknownOperator(ValueError):
    """There is no condition operator of this name."""


class Condition:
    """One operator over one key: satisfied or not by a request's values."""

    def __init__(
        self, name: str, key: str, wanted: Iterable[str], *, variables: bool = True
    ) -> None:
        """Raises `UnknownOperator`, or `ValueError` where a value is none of the operator's kind.

        `variables` is False in documents of version 2008-10-17.
        """
        lowered = name.lower()
        self.key = key.lower()
        self._quantifier = next((q for q in QUANTIFIERS if lowered.startswith(q)), "")
        lowered = lowered.removeprefix(self._quantifier)
        self._if_exists = lowered.endswith("ifexists")
        lowered = lowered.removesuffix("ifexists")
        self._negative = lowered in NEGATIVE
        self._absent: frozenset[bool] | None = None
        self._tests: tuple[Test, ...] = ()
        if lowered == "null" and not self._if_exists:
            self._absent = frozenset(_truth(value) for value in wanted)
            return
        compile_value = POSITIVE.get(NEGATIVE.get(lowered, lowered))
        if compile_value is None:
            raise UnknownOperator(name)
        self._tests = tuple(compile_value(value, variables) for value in wanted)

    def satisfied(self, values: Values) -> bool:
        """Whether the request meets this condition; raises `Unresolved`."""
        given = values(self.key)
        if self._absent is not None:
            return (not given) in self._absent
        if not given:
            return self._satisfied_by_absence()
        if self._quantifier == "foranyvalue:":
            return any(self._meets(value, values) for value in given)
        if self._quantifier or self._negative:
            return all(self._meets(value, values) for value in given)
        return any(self._meets(value, values) for value in given)

    def _satisfied_by_absence(self) -> bool:
        if self._if_exists:
            return True
        if self._quantifier == "foranyvalue:":
            return False
        return self._negative or self._quantifier == "forallvalues:"

    def _meets(self, given: str, values: Values) -> bool:
        return self._matches(given, values) is not self._negative

    def _matches(self, given: str, values: Values) -> bool:
        """Whether one of the policy's values is met; those without a meaning here are passed over.

        Raises `Unresolved` where no value is met and one has no meaning: what it would have been
        is unknown, so that neither the operator nor its negation may be said to hold.
        """
        unresolved: Unresolved | None = None
        for test in self._tests:
            try:
                if test(given, values):
                    return True
            except Unresolved as error:
                unresolved = error
        if unresolved is not None:
            raise unresolved
        return False
