"""Policy documents: read, checked and compiled once ("Grammar of the IAM JSON policy language")."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from longshore.model.errors import AwsError
from longshore.policy.condition import Condition, UnknownOperator
from longshore.policy.pattern import Pattern

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
ACTION = re.compile(r"\*(:\*)?|[A-Za-z0-9-]+:[A-Za-z0-9*?]+")
SID = re.compile(r"[0-9A-Za-z]*")
PRINCIPAL = re.compile(
    r"\*|\d{12}|A[A-Z]{3}[A-Z0-9]{12,124}"
    r"|arn:aws[a-z-]*:iam::\d{12}:(root|(user|role)/[\w+=,.@/-]+)"
    r"|arn:aws[a-z-]*:sts::\d{12}:(assumed-role/[\w+=,.@-]+/[\w+=,.@-]+|federated-user/[\w+=,.@-]+)",
    re.ASCII,
)
"""What `AWS` may name: all, an account, a unique id, a root, user, role or session."""
CONDITION_KEY = re.compile(r"[A-Za-z0-9._~%/-]+:.+", re.DOTALL)
"""A service's prefix, or the URL of an identity provider (`example.com/id/1:sub`)."""
PREFACE = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement; `principals` is None in identity policies, which have none.

    `actions` are as they are written; `action_patterns` are the same, compiled.

    `principals` are pairs of kind (`AWS`, `Service`, `Federated`) and name; `*` is ("AWS", "*").
    """

    sid: str
    allow: bool
    actions: tuple[str, ...]
    action_patterns: tuple[Pattern, ...]
    not_action: bool
    resources: tuple[Pattern, ...]
    not_resource: bool
    conditions: tuple[Condition, ...]
    principals: tuple[tuple[str, str], ...] | None
    not_principal: bool


@dataclass(frozen=True)
class Document:
    """A policy, ready to be evaluated."""

    version: str
    statements: tuple[Statement, ...]

    @cached_property
    def allowing(self) -> tuple[Statement, ...]:
        return tuple(statement for statement in self.statements if statement.allow)

    @cached_property
    def denying(self) -> tuple[Statement, ...]:
        return tuple(statement for statement in self.statements if not statement.allow)


class Kind:
    """What a document is for, which decides what it must and must not have."""

    IDENTITY = "identity"
    RESOURCE = "resource"
    TRUST = "trust"


def read_document(text: str, kind: str = Kind.IDENTITY) -> Document:
    """The document, compiled; raises `AwsError` MalformedPolicyDocument in IAM's wording."""
    found = _json(text)
    if not isinstance(found, dict):
        raise malformed("Syntax errors in policy.")
    version = found.get("Version", "2008-10-17")
    if version not in VERSIONS:
        raise malformed(f"The policy must contain a valid version string: {VERSIONS[0]}")
    if set(found) - {"Version", "Id", "Statement"} or not isinstance(found.get("Id", ""), str):
        raise malformed("Syntax errors in policy.")
    statements = found.get("Statement")
    if isinstance(statements, dict):
        statements = [statements]
    if not isinstance(statements, list) or not statements:
        raise malformed("Syntax errors in policy.")
    variables = version == VERSIONS[0]
    compiled = tuple(_statement(statement, kind, variables) for statement in statements)
    sids = [statement.sid for statement in compiled if statement.sid]
    if len(sids) != len(set(sids)):
        raise malformed("Statement IDs (SID) in a single policy must be unique.")
    return Document(version, compiled)


def _json(text: str) -> Any:
    """JSON by its standard: no element twice, no NaN, no infinity."""
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise malformed("This policy contains invalid Json") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An element given twice would be read as one of both, and nobody would know as which."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise malformed("Syntax errors in policy.")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def malformed(message: str) -> AwsError:
    """IAM's error for a document that is none."""
    return AwsError("MalformedPolicyDocument", message)


def _statement(found: Any, kind: str, variables: bool) -> Statement:
    if not isinstance(found, dict) or set(found) - STATEMENT_KEYS:
        raise malformed("Syntax errors in policy.")
    effect = found.get("Effect")
    if effect not in ("Allow", "Deny"):
        raise malformed("Syntax errors in policy.")
    actions, not_action = _actions(found)
    resources, not_resource = _resources(found, kind)
    principals, not_principal = _principals(found, kind)
    return Statement(
        sid=_sid(found.get("Sid", ""), kind),
        allow=effect == "Allow",
        actions=actions,
        action_patterns=tuple(Pattern(each, variables=False, ignore_case=True) for each in actions),
        not_action=not_action,
        resources=tuple(Pattern(each, variables=variables) for each in resources),
        not_resource=not_resource,
        conditions=tuple(_conditions(found.get("Condition", {}), variables)),
        principals=principals,
        not_principal=not_principal,
    )


def _sid(found: Any, kind: str) -> str:
    """Resources' policies may have any text here; IAM's only letters and digits."""
    if not isinstance(found, str):
        raise malformed("Syntax errors in policy.")
    if kind != Kind.RESOURCE and SID.fullmatch(found) is None:
        raise malformed(
            "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the "
            "regular expression [0-9A-Za-z]*"
        )
    return found


def _actions(found: Mapping[str, Any]) -> tuple[tuple[str, ...], bool]:
    actions, negated = _either(found, "Action", required="Policy statement must contain actions.")
    if not all(ACTION.fullmatch(action) for action in actions):
        raise malformed(PREFACE)
    return actions, negated


def _either(found: Mapping[str, Any], name: str, required: str) -> tuple[tuple[str, ...], bool]:
    """The values of `name` or of its negation, and whether it was the negation."""
    negation = f"Not{name}"
    if (name in found) == (negation in found):
        raise malformed(required if name not in found else "Syntax errors in policy.")
    given = found.get(name, found.get(negation))
    if given == []:
        raise malformed(required)
    return _strings(given), negation in found


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
    negated = named[0] == "NotPrincipal"
    if negated and kind == Kind.TRUST:
        raise malformed("Has prohibited field NotPrincipal")
    if negated and found["Effect"] == "Allow":
        raise malformed("NotPrincipal is not supported with Effect Allow")
    return tuple(_named(found[named[0]])), negated


def _named(given: Any) -> Iterable[tuple[str, str]]:
    """Pairs of kind and name."""
    if given == "*":
        given = {"AWS": "*"}
    if not isinstance(given, dict) or not given or set(given) - PRINCIPAL_KINDS:
        raise malformed("Syntax errors in policy.")
    for kind, names in given.items():
        for name in _strings(names):
            if kind == "AWS" and PRINCIPAL.fullmatch(name) is None:
                raise malformed(f'Invalid principal in policy: "{kind}":"{name}"')
            yield kind, name


def _conditions(found: Any, variables: bool) -> Iterable[Condition]:
    if not isinstance(found, dict):
        raise malformed("Syntax errors in policy.")
    for name, block in found.items():
        if not isinstance(block, dict):
            raise malformed("Syntax errors in policy.")
        for key, wanted in block.items():
            if CONDITION_KEY.fullmatch(key) is None:
                raise malformed(PREFACE)
            try:
                yield Condition(name, key, _scalars(wanted), variables=variables)
            except UnknownOperator:
                raise malformed(f"Invalid Condition type : {name}.") from None
            except ValueError:
                raise malformed("Syntax errors in policy.") from None


def _strings(found: Any) -> tuple[str, ...]:
    values = [found] if isinstance(found, str) else found
    if not isinstance(values, list) or not values:
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
