"""Whether a request is allowed ("Policy evaluation logic", IAM User Guide)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from time import gmtime, strftime

import msgspec

from longshore.model.arn import parse_arn
from longshore.model.principal import Principal
from longshore.policy.document import Document, Statement
from longshore.policy.pattern import Pattern, Unresolved, Values

Conditions = Mapping[str, str | list[str]]


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One call: who does what to which resource (`*` where the action has none)."""

    principal: Principal
    action: str
    resource: str
    conditions: Conditions = msgspec.field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policies:
    """Every policy that has a say. `boundary` and `session` are None where there is none."""

    identity: Sequence[Document] = ()
    boundary: Document | None = None
    session: Sequence[Document] | None = None
    resource: Document | None = None
    resource_must_allow: bool = False
    """True for trust policies: no identity policy replaces them."""
    resource_must_name: bool = False
    """True for policies of KMS keys: an identity policy counts where they name its account."""


@dataclass(frozen=True, slots=True)
class Decision:
    """`reason` is the end of AWS's sentence: `because …` or `with an explicit deny in …`.

    It is empty where a role's trust policy does not allow: AWS does not tell then whether there is
    the role. `unconditional` says that it was allowed and no condition key was asked for: the same
    principal's next request for this action and resource is allowed by the same policies.
    """

    allowed: bool
    reason: str = ""
    unconditional: bool = False


ALLOWED = Decision(True)
ALLOWED_ALWAYS = Decision(True, unconditional=True)
DIRECT, ROLE, DELEGATED, ABSENT = 3, 2, 1, 0
"""How a resource policy names a principal: itself; the role or user that it is a session of, or
all; its account; or not at all."""


def evaluate(request: Request, policies: Policies) -> Decision:
    """The decision for one request."""
    values = _Keys(request)
    decision = _decide(request, policies, values)
    return ALLOWED_ALWAYS if decision.allowed and not values.asked else decision


def _decide(request: Request, policies: Policies, values: Values) -> Decision:
    denied = _explicit_deny(request, policies, values)
    if denied:
        return Decision(False, f"with an explicit deny in {denied}")
    grant = _resource_grant(request, policies.resource, values)
    own = _account(request) == request.principal.account
    needed = policies.resource_must_allow or policies.resource_must_name
    if not grant and (needed or not own):
        return Decision(False) if policies.resource_must_allow else _missing(RESOURCE, request)
    if request.principal.kind == "root" or (own and grant == DIRECT):
        return ALLOWED
    if own and grant == ROLE:
        return _limits(request, policies, values)
    if not any(_allows(document, request, values) for document in policies.identity):
        return _missing(IDENTITY, request)
    return _limits(request, policies, values)


def names_in(document: Document, request: Request) -> bool:
    """Whether a resource's policy itself allows the request, or leaves it to the principal's
    account."""
    return _resource_grant(request, document, _Keys(request)) != ABSENT


def is_named(arn: str, principal: Principal) -> bool:
    """Whether a policy that names `arn` (of a user, a role, a session, an account) means this
    principal."""
    return _names("AWS", arn, principal) != ABSENT


def _limits(request: Request, policies: Policies, values: Values) -> Decision:
    """Boundary and session policies must let through what another policy allows.

    They limit what a role is granted by a resource's policy, but not what a user or a session is
    granted there by its own ARN.
    """
    if policies.boundary is not None and not _allows(policies.boundary, request, values):
        return _missing(BOUNDARY, request)
    if policies.session is not None and not any(
        _allows(document, request, values) for document in policies.session
    ):
        return _missing(SESSION, request)
    return ALLOWED


IDENTITY, RESOURCE = "identity-based policy", "resource-based policy"
BOUNDARY, SESSION = "permissions boundary", "session policy"


def _missing(kind: str, request: Request) -> Decision:
    return Decision(False, f"because no {kind} allows the {request.action} action")


def _explicit_deny(request: Request, policies: Policies, values: Values) -> str:
    """Which kind of policy denies, with its article; empty where none does."""
    boundary = [policies.boundary] if policies.boundary is not None else []
    for documents, name in (
        (policies.identity, f"an {IDENTITY}"),
        (boundary, f"a {BOUNDARY}"),
        (policies.session or (), f"a {SESSION}"),
    ):
        if any([_denies(document, request, values) for document in documents if document.denying]):
            return name
    if policies.resource is not None and any(
        _is_meant(statement, request.principal, bounded=bool(boundary))
        and _applies(statement, request, values)
        for statement in policies.resource.denying
    ):
        return "the role trust policy" if policies.resource_must_allow else f"a {RESOURCE}"
    return ""


def _resource_grant(request: Request, document: Document | None, values: Values) -> int:
    if document is None:
        return ABSENT
    return max(
        (
            _grant(statement, request.principal)
            for statement in document.allowing
            if _applies(statement, request, values)
        ),
        default=ABSENT,
    )


def _allows(document: Document, request: Request, values: Values) -> bool:
    return any(_applies(statement, request, values) for statement in document.allowing)


def _denies(document: Document, request: Request, values: Values) -> bool:
    return any(_applies(statement, request, values) for statement in document.denying)


def _applies(statement: Statement, request: Request, values: Values) -> bool:
    """Whether action, resource and conditions match; principals are not looked at."""
    try:
        if _matches_any(statement.action_patterns, request.action, values) is statement.not_action:
            return False
        if _matches_any(statement.resources, request.resource, values) is statement.not_resource:
            return False
        return all(condition.satisfied(values) for condition in statement.conditions)
    except Unresolved:
        return False


def _matches_any(patterns: Iterable[Pattern], text: str, values: Values) -> bool:
    for pattern in patterns:  # noqa: SIM110 - a generator costs more than most matches
        if pattern.matches(text, values):
            return True
    return False


def _is_meant(statement: Statement, principal: Principal, *, bounded: bool) -> bool:
    """Whether a statement that denies is about `principal`.

    NotPrincipal spares who is named at every level: a session by its own ARN and its role's. With a
    permissions boundary nobody is spared ("IAM JSON policy elements: NotPrincipal").
    """
    if not statement.not_principal:
        everybody = ("AWS", "*") in (statement.principals or ())
        return everybody or _grant(statement, principal) != ABSENT
    named = {_names(kind, name, principal) for kind, name in statement.principals or ()}
    return bounded or DIRECT not in named or (bool(principal.role_arn) and ROLE not in named)


def _grant(statement: Statement, principal: Principal) -> int:
    """How the statement's Principal names `principal`, the closest way first."""
    if statement.principals is None or statement.not_principal:
        return ABSENT
    return max((_names(kind, name, principal) for kind, name in statement.principals), default=0)


def _names(kind: str, name: str, principal: Principal) -> int:
    """Whoever shows an identity provider's token is let in by that provider's name alone."""
    if kind != "AWS":
        wanted = {"Service": "service", "Federated": "federated"}.get(kind)
        return DIRECT if principal.kind == wanted and principal.arn == name else ABSENT
    if principal.kind == "federated":
        return ABSENT
    if name == "*":
        return ROLE if principal.kind in SESSIONS else DIRECT
    if not principal.account:
        return ABSENT
    if name in (principal.arn, principal.user_id):
        return DIRECT
    if name in (principal.account, f"arn:aws:iam::{principal.account}:root"):
        return DELEGATED
    issuer_id = principal.issuer_id or principal.user_id.partition(":")[0]
    return ROLE if name in _issuers(principal) or name == issuer_id else ABSENT


def _issuers(principal: Principal) -> tuple[str, ...]:
    """The ARNs of the role or user that `principal` is a session of."""
    return tuple(arn for arn in (principal.role_arn, principal.user_arn) if arn)


SESSIONS = frozenset({"assumed-role", "federated-user"})
"""`*` names a session as its role or user is named: its limits hold."""


def _account(request: Request) -> str:
    arn = parse_arn(request.resource)
    if arn is None or arn.account in {"", "aws", "*"}:
        return request.principal.account
    return arn.account


class _Keys:
    """Look-up of condition keys, case-insensitive, the principal's own keys among them.

    They are put together when a statement first asks for one: most ask for none.
    """

    __slots__ = ("_found", "_request")

    def __init__(self, request: Request) -> None:
        self._request = request
        self._found: dict[str, list[str]] | None = None

    @property
    def asked(self) -> bool:
        """Whether any key was."""
        return self._found is not None

    def __call__(self, key: str) -> list[str] | None:
        if self._found is None:
            self._found = _condition_keys(self._request)
        return self._found.get(key.lower())


def _condition_keys(request: Request) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {"aws:resourceaccount": [_account(request)]}
    for key, value in (
        *principal_conditions(request.principal).items(),
        *request.conditions.items(),
    ):
        found[key.lower()] = [value] if isinstance(value, str) else list(value)
    return found


def principal_conditions(principal: Principal) -> dict[str, str | list[str]]:
    """The global condition keys that tell of the principal."""
    conditions: dict[str, str | list[str]] = {
        "aws:PrincipalType": PRINCIPAL_TYPES.get(principal.kind, "Anonymous"),
        "aws:PrincipalIsAWSService": "true" if principal.kind == "service" else "false",
        "aws:userid": principal.user_id,
    }
    if principal.account and principal.kind != "federated":
        conditions["aws:PrincipalArn"] = principal.role_arn or principal.arn
        conditions["aws:PrincipalAccount"] = principal.account
    if principal.kind == "service":
        conditions["aws:PrincipalServiceName"] = principal.arn
    if principal.source_identity:
        conditions["aws:SourceIdentity"] = principal.source_identity
    if principal.user_name and principal.kind == "user":
        conditions["aws:username"] = principal.user_name
    if principal.issued_at is not None:
        conditions["aws:TokenIssueTime"] = _iso8601(int(principal.issued_at))
        conditions["aws:MultiFactorAuthPresent"] = str(principal.mfa_authenticated).lower()
    conditions.update({f"aws:PrincipalTag/{k}": v for k, v in principal.session_tags})
    conditions.update(principal.identity)
    return conditions


def _iso8601(seconds: int) -> str:
    return strftime("%Y-%m-%dT%H:%M:%SZ", gmtime(seconds))


PRINCIPAL_TYPES = {
    "root": "Account",
    "user": "User",
    "assumed-role": "AssumedRole",
    "federated-user": "FederatedUser",
    "service": "AWSService",
}
