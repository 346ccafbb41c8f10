"""What names, health checks and attributes may be; AwsError where they are not."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from longshore.model.elbv2 import Attributes, HealthCheck
from longshore.model.errors import AwsError, not_built
from longshore.services.elbv2.failures import invalid, misconfigured

Document = Mapping[str, Any]

LONGEST_NAME = 32
MOST_TAGS = 50
_NAME = re.compile("[A-Za-z0-9-]+")
_PATH = re.compile(r"/[!-&(-~]{0,1023}")
"""Printable, without a space or an apostrophe, which HAProxy's configuration would end it at."""
_CODES = re.compile(r"\d{3}(-\d{3})?(,\d{3}(-\d{3})?)*")
_NUMBER = re.compile("[0-9]{1,5}")
LOWEST_CODE, HIGHEST_CODE = 200, 599
HIGHEST_PORT = 65535


def check_name(name: str, what: str) -> str:
    """ValidationError for what no load balancer or target group is called."""
    if len(name) > LONGEST_NAME:
        raise invalid(f"{what} name '{name}' cannot be longer than '{LONGEST_NAME}' characters")
    if not _NAME.fullmatch(name):
        raise invalid(
            f"{what} name '{name}' can only contain characters that are alphanumeric "
            "characters and hyphens(-)"
        )
    if name.startswith("-") or name.endswith("-"):
        raise invalid(f"{what} name '{name}' cannot begin or end with '-'")
    return name


def health_check(request: Document, before: HealthCheck) -> HealthCheck:
    """`before` with what the request says of it ("Health checks for Network Load Balancer target
    groups")."""
    if request.get("HealthCheckEnabled") is False:
        raise misconfigured(
            "Health check enabled must be true for target groups with target type 'instance' or "
            "'ip'"
        )
    protocol = request.get("HealthCheckProtocol", before.protocol)
    if protocol not in {"TCP", "HTTP", "HTTPS"}:
        raise invalid(f"Health check protocol '{protocol}' is not supported")
    fields: dict[str, Any] = {"protocol": protocol}
    for member, field in _PLAIN.items():
        if request.get(member) is not None:
            fields[field] = request[member]
    if protocol == "TCP":
        if request.get("HealthCheckPath") or (request.get("Matcher") or {}).get("HttpCode"):
            raise misconfigured(
                "You cannot specify a path or a matcher for health checks with protocol TCP"
            )
        fields |= {"path": "", "codes": ""}
    else:
        matcher = (request.get("Matcher") or {}).get("HttpCode")
        fields["path"] = request.get("HealthCheckPath") or before.path or "/"
        fields["codes"] = matcher or before.codes or "200-399"
        if "HealthCheckTimeoutSeconds" not in request and before.protocol == "TCP":
            fields["timeout"] = min(6, fields.get("interval", before.interval))
    return _checked(msgspec.structs.replace(before, **fields))


_PLAIN = {
    "HealthCheckIntervalSeconds": "interval",
    "HealthCheckPort": "port",
    "HealthCheckTimeoutSeconds": "timeout",
    "HealthyThresholdCount": "healthy_threshold",
    "UnhealthyThresholdCount": "unhealthy_threshold",
}


def _checked(check: HealthCheck) -> HealthCheck:
    if check.port != "traffic-port":
        _check_port(check.port)
    if check.timeout > check.interval:
        raise invalid("Health check timeout must be smaller than or equal to the interval")
    if check.path and not _PATH.fullmatch(check.path):
        raise invalid(f"Health check path '{check.path}' is not valid")
    if check.codes:
        _check_codes(check.codes)
    return check


def _check_port(port: str) -> None:
    if not _NUMBER.fullmatch(port) or not 1 <= int(port) <= HIGHEST_PORT:
        raise invalid(f"Health check port '{port}' must be in the range 1-65535 or 'traffic-port'")


def _check_codes(codes: str) -> None:
    numbers = [int(each) for each in re.split("[,-]", codes)] if _CODES.fullmatch(codes) else []
    if not numbers or not all(LOWEST_CODE <= each <= HIGHEST_CODE for each in numbers):
        raise invalid(f"Health check matcher HTTP code '{codes}' must be within 200-599")


def tag_pairs(given: Iterable[Document]) -> tuple[tuple[str, str], ...]:
    """The tags of a request; DuplicateTagKeys, TooManyTags."""
    pairs: dict[str, str] = {}
    for tag in given:
        if tag["Key"].lower().startswith("aws:"):
            raise invalid("Tag keys starting with 'aws:' are reserved for internal use")
        if tag["Key"] in pairs:
            raise AwsError("DuplicateTagKeys", f"Tag key '{tag['Key']}' was specified twice")
        pairs[tag["Key"]] = tag.get("Value") or ""
    return bounded(tuple(pairs.items()))


def bounded(tags: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    if len(tags) > MOST_TAGS:
        raise AwsError("TooManyTags", f"The maximum number of tags is {MOST_TAGS}")
    return tags


BOOLEANS = frozenset({"true", "false"})
Allowed = Mapping[str, Sequence[str] | range | frozenset[str]]
"""What an attribute may be; one that is known and not here is not built."""


def changed_attributes(
    before: Attributes, given: Iterable[Document], allowed: Allowed, unbuilt: Mapping[str, str]
) -> Attributes:
    """`before` with the attributes of a request; `unbuilt` are those that may only be what they
    are, by key."""
    fresh = dict(before)
    for attribute in given:
        key, value = attribute.get("Key", ""), attribute.get("Value", "")
        if key in unbuilt:
            if value != unbuilt[key]:
                raise not_built(f"the attribute {key} with the value {value}")
            continue
        if key not in allowed:
            raise invalid(f"Attribute key '{key}' is not recognized")
        choices = allowed[key]
        fits = (
            value.isdecimal() and int(value) in choices
            if isinstance(choices, range)
            else value in choices
        )
        if not fits:
            raise invalid(f"Attribute value '{value}' is not valid for the attribute '{key}'")
        fresh[key] = value
    return fresh
