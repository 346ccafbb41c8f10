"""Whether a request is allowed ("Policy evaluation logic", IAM User Guide)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from longshore.model.arn import parse_arn
from longshore.model.principal import Principal
from longshore.policy.document import Document, Statement
from longshore.policy.pattern import Values, matches

Conditions = Mapping[str, str | list[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One call: who does what to which resource (`*` where the action has none)."""

    principal: Principal
    action: str
    resource: str
    conditions: Conditions = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policies:
    """Every policy that has a say. `boundary` and `session` are None where there is none."""

    identity: Sequence[Document] = ()
    boundary: Document | None = None
    session: Sequence[Document] | None = None
    resource: Document | None = None
    resource_must_allow: bool = False
    """True for trust policies: no identity policy replaces them."""


@dataclass(frozen=True, slots=True)
class Decision:
    """`reason` is the end of AWS's sentence: `because …` or `with an explicit deny in …`."""

    allowed: bool
    reason: str = ""


ALLOWED = Decision(True)
DIRECT, ROLE, DELEGATED, ABSENT = 3, 2, 1, 0
"""How a resource policy names a principal: itself, its role, its account, or not at all."""


def evaluate(request: Request, policies: Policies) -> Decision:
    """The decision for one request."""
    values = _values(request)
    denied = _explicit_deny(request, policies, values)
    if denied:
        return Decision(False, f"with an explicit deny in {denied}")
    grant = _resource_grant(request, policies.resource, values)
    if _is_root(request.principal):
        needs_grant = policies.resource_must_allow or not _same_account(request)
        return ALLOWED if grant or not needs_grant else _missing("resource-based", request)
    if policies.resource_must_allow and not grant:
        return _missing("resource-based", request)
    if not _same_account(request) and not grant:
        return _missing("resource-based", request)
    if grant == DIRECT and _same_account(request):
        return ALLOWED
    if grant == ROLE and _same_account(request):
        return _limits(request, policies, values)
    if not any(_allows(document, request, values) for document in policies.identity):
        return _missing("identity-based", request)
    return _limits(request, policies, values)


def _limits(request: Request, policies: Policies, values: Values) -> Decision:
    """Boundary and session policies must let through what another policy allows.

    They limit what a role is granted by a resource's policy, but not what a user or a session is
    granted there by its own ARN.
    """
    if policies.boundary is not None and not _allows(policies.boundary, request, values):
        return _missing("permissions boundary", request)
    if policies.session is not None and not any(
        _allows(document, request, values) for document in policies.session
    ):
        return _missing("session", request)
    return ALLOWED


def _missing(kind: str, request: Request) -> Decision:
    noun = kind if kind == "permissions boundary" else f"{kind} policy"
    return Decision(False, f"because no {noun} allows the {request.action} action")


def _explicit_deny(request: Request, policies: Policies, values: Values) -> str:
    """Which kind of policy denies, with its article; empty where none does."""
    session = policies.session or ()
    boundary = [policies.boundary] if policies.boundary is not None else []
    for documents, name in (
        (policies.identity, "an identity-based policy"),
        (boundary, "a permissions boundary"),
        (session, "a session policy"),
    ):
        if any(_denies(document, request, values) for document in documents):
            return name
    if policies.resource is not None and any(
        not statement.allow
        and principal_grant(statement, request.principal)
        and _applies(statement, request, values)
        for statement in policies.resource.statements
    ):
        return "a resource-based policy"
    return ""


def _resource_grant(request: Request, document: Document | None, values: Values) -> int:
    if document is None:
        return ABSENT
    return max(
        (
            principal_grant(statement, request.principal)
            for statement in document.statements
            if statement.allow and _applies(statement, request, values)
        ),
        default=ABSENT,
    )


def _allows(document: Document, request: Request, values: Values) -> bool:
    return any(s.allow and _applies(s, request, values) for s in document.statements)


def _denies(document: Document, request: Request, values: Values) -> bool:
    return any(not s.allow and _applies(s, request, values) for s in document.statements)


def _applies(statement: Statement, request: Request, values: Values) -> bool:
    """Whether action, resource and conditions match; principals are not looked at."""
    if not _matches_any(statement.actions, request.action, values, ignore_case=True) ^ (
        statement.not_action
    ):
        return False
    if not _matches_any(statement.resources, request.resource, values) ^ statement.not_resource:
        return False
    return all(condition.satisfied(values) for condition in statement.conditions)


def _matches_any(
    patterns: Iterable[str], text: str, values: Values, *, ignore_case: bool = False
) -> bool:
    return any(matches(pattern, text, values, ignore_case=ignore_case) for pattern in patterns)


def principal_grant(statement: Statement, principal: Principal) -> int:
    """How the statement's principals name `principal`: DIRECT, DELEGATED (its account), ABSENT."""
    if statement.principals is None:
        return ABSENT
    found = max((_names(kind, name, principal) for kind, name in statement.principals), default=0)
    if statement.not_principal:
        return ABSENT if found else DIRECT
    return found


def _names(kind: str, name: str, principal: Principal) -> int:
    if name == "*":
        return _by_role(principal) if kind == "AWS" else ABSENT
    if kind == "Service":
        return DIRECT if principal.kind == "service" and principal.arn == name else ABSENT
    if kind == "Federated":
        return DIRECT if principal.kind == "federated" and principal.arn == name else ABSENT
    if name in {principal.account, f"arn:aws:iam::{principal.account}:root"}:
        return DELEGATED
    if name in {principal.arn, principal.user_id}:
        return DIRECT
    role_id = principal.user_id.partition(":")[0]
    return ROLE if principal.role_arn and name in {principal.role_arn, role_id} else ABSENT


def _by_role(principal: Principal) -> int:
    """`*` names a session by its role."""
    return ROLE if principal.role_arn else DIRECT


def _is_root(principal: Principal) -> bool:
    return principal.kind == "root"


def _same_account(request: Request) -> bool:
    """Resources whose ARN names no account count as the caller's own."""
    arn = parse_arn(request.resource)
    return arn is None or arn.account in {"", "aws", "*", request.principal.account}


def _values(request: Request) -> Values:
    """Look-up of condition keys, case-insensitive, the principal's own keys among them."""
    found: dict[str, list[str]] = {}
    for key, value in (
        *principal_conditions(request.principal).items(),
        *request.conditions.items(),
    ):
        found[key.lower()] = [value] if isinstance(value, str) else list(value)
    return lambda key: found.get(key.lower())


def principal_conditions(principal: Principal) -> dict[str, str | list[str]]:
    """The global condition keys that tell of the principal."""
    conditions: dict[str, str | list[str]] = {
        "aws:PrincipalArn": principal.role_arn or principal.arn,
        "aws:PrincipalAccount": principal.account,
        "aws:PrincipalType": PRINCIPAL_TYPES.get(principal.kind, "Anonymous"),
        "aws:PrincipalIsAWSService": "true" if principal.kind == "service" else "false",
        "aws:userid": principal.user_id,
    }
    if principal.source_identity:
        conditions["aws:SourceIdentity"] = principal.source_identity
    if principal.user_name and principal.kind == "user":
        conditions["aws:username"] = principal.user_name
    if principal.issued_at is not None:
        conditions["aws:TokenIssueTime"] = str(int(principal.issued_at))
        conditions["aws:MultiFactorAuthPresent"] = str(principal.mfa_authenticated).lower()
    conditions.update({f"aws:PrincipalTag/{k}": v for k, v in principal.session_tags})
    return conditions


PRINCIPAL_TYPES = {
    "root": "Account",
    "user": "User",
    "assumed-role": "AssumedRole",
    "federated-user": "FederatedUser",
    "service": "AWSService",
}
