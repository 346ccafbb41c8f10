"""Policy documents: read, checked and compiled once ("Grammar of the IAM JSON policy language")."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from longshore.model.errors import AwsError
from longshore.policy.condition import Condition

VERSIONS = ("2012-10-17", "2008-10-17")
STATEMENT_KEYS = frozenset(
    {
        "Sid",
        "Effect",
        "Principal",
        "NotPrincipal",
        "Action",
        "NotAction",
        "Resource",
        "NotResource",
        "Condition",
    }
)
PRINCIPAL_KINDS = frozenset({"AWS", "Service", "Federated", "CanonicalUser"})
ACTION = re.compile(r"\*|[A-Za-z0-9-]+:[A-Za-z0-9*?]+")


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement; `principals` is None in identity policies, which have none.

    `principals` are pairs of kind (`AWS`, `Service`, `Federated`) and name; `*` is ("AWS", "*").
    """

    sid: str
    allow: bool
    actions: tuple[str, ...]
    not_action: bool
    resources: tuple[str, ...]
    not_resource: bool
    conditions: tuple[Condition, ...]
    principals: tuple[tuple[str, str], ...] | None
    not_principal: bool


@dataclass(frozen=True, slots=True)
class Document:
    """A policy, ready to be evaluated."""

    version: str
    statements: tuple[Statement, ...]


class Kind:
    """What a document is for, which decides what it must and must not have."""

    IDENTITY = "identity"
    RESOURCE = "resource"
    TRUST = "trust"


def read_document(text: str, kind: str = Kind.IDENTITY) -> Document:
    """The document, compiled; raises `AwsError` MalformedPolicyDocument in IAM's wording."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise malformed("This policy contains invalid Json") from None
    if not isinstance(found, dict):
        raise malformed("Syntax errors in policy.")
    version = found.get("Version", "2008-10-17")
    if version not in VERSIONS:
        raise malformed(f"The policy must contain a valid version string: {VERSIONS[0]}")
    if set(found) - {"Version", "Id", "Statement"}:
        raise malformed("Syntax errors in policy.")
    statements = found.get("Statement")
    if isinstance(statements, dict):
        statements = [statements]
    if not isinstance(statements, list) or not statements:
        raise malformed("Syntax errors in policy.")
    compiled = tuple(_statement(statement, kind) for statement in statements)
    sids = [statement.sid for statement in compiled if statement.sid]
    if len(sids) != len(set(sids)):
        raise malformed("Statement IDs (SID) in a single policy must be unique.")
    return Document(version, compiled)


def malformed(message: str) -> AwsError:
    """IAM's error for a document that is none."""
    return AwsError("MalformedPolicyDocument", message)


def _statement(found: Any, kind: str) -> Statement:
    if not isinstance(found, dict) or set(found) - STATEMENT_KEYS:
        raise malformed("Syntax errors in policy.")
    effect = found.get("Effect")
    if effect not in {"Allow", "Deny"}:
        raise malformed("Syntax errors in policy.")
    actions, not_action = _either(
        found, "Action", required="Policy statement must contain actions."
    )
    for action in actions:
        if ACTION.fullmatch(action) is None:
            raise malformed(
                "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
            )
    resources, not_resource = _resources(found, kind)
    principals, not_principal = _principals(found, kind)
    return Statement(
        sid=str(found.get("Sid", "")),
        allow=effect == "Allow",
        actions=actions,
        not_action=not_action,
        resources=resources,
        not_resource=not_resource,
        conditions=tuple(_conditions(found.get("Condition", {}))),
        principals=principals,
        not_principal=not_principal,
    )


def _either(found: Mapping[str, Any], name: str, required: str) -> tuple[tuple[str, ...], bool]:
    """The values of `name` or of its negation, and whether it was the negation."""
    negation = f"Not{name}"
    if (name in found) == (negation in found):
        raise malformed(required if name not in found else "Syntax errors in policy.")
    return _strings(found.get(name, found.get(negation))), negation in found


def _resources(found: Mapping[str, Any], kind: str) -> tuple[tuple[str, ...], bool]:
    if kind == Kind.TRUST:
        if "Resource" in found or "NotResource" in found:
            raise malformed("Has prohibited field Resource")
        return ("*",), False
    if kind == Kind.RESOURCE and "Resource" not in found and "NotResource" not in found:
        return ("*",), False
    resources, negated = _either(
        found, "Resource", required="Policy statement must contain resources."
    )
    for resource in resources:
        if resource != "*" and not resource.startswith(("arn:", "${", "*")):
            raise malformed(f'Resource {resource} must be in ARN format or "*".')
    return resources, negated


def _principals(
    found: Mapping[str, Any], kind: str
) -> tuple[tuple[tuple[str, str], ...] | None, bool]:
    named = [name for name in ("Principal", "NotPrincipal") if name in found]
    if kind == Kind.IDENTITY:
        if named:
            raise malformed("Policy document should not specify a principal.")
        return None, False
    if len(named) != 1:
        raise malformed(
            "Missing required field Principal" if not named else "Syntax errors in policy."
        )
    given = found[named[0]]
    if given == "*":
        return (("AWS", "*"),), named[0] == "NotPrincipal"
    if not isinstance(given, dict) or not given or set(given) - PRINCIPAL_KINDS:
        raise malformed("Syntax errors in policy.")
    pairs = tuple((each, name) for each in given for name in _strings(given[each]))
    return pairs, named[0] == "NotPrincipal"


def _conditions(found: Any) -> Iterable[Condition]:
    if not isinstance(found, dict):
        raise malformed("Syntax errors in policy.")
    for name, block in found.items():
        if not isinstance(block, dict):
            raise malformed("Syntax errors in policy.")
        for key, wanted in block.items():
            try:
                yield Condition(name, key, _scalars(wanted))
            except ValueError:
                raise malformed(f"Invalid Condition type : {name}.") from None


def _strings(found: Any) -> tuple[str, ...]:
    values = (found,) if isinstance(found, str) else found
    if not isinstance(values, list | tuple) or not values:
        raise malformed("Syntax errors in policy.")
    if not all(isinstance(value, str) for value in values):
        raise malformed("Syntax errors in policy.")
    return tuple(values)


def _scalars(found: Any) -> list[str]:
    """Condition values as text; JSON's booleans and numbers are allowed."""
    values = found if isinstance(found, list) else [found]
    if not all(isinstance(value, str | bool | int | float) for value in values):
        raise malformed("Syntax errors in policy.")
    return [str(v).lower() if isinstance(v, bool) else str(v) for v in values]
