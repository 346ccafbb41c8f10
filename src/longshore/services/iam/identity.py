"""Who callers are and what they may do, from the records of IAM."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from longshore.base.ids import Ids
from longshore.model import iam
from longshore.model.arn import parse_arn
from longshore.model.errors import AwsError
from longshore.model.principal import Credential, Principal
from longshore.policy.document import Kind
from longshore.policy.evaluation import Policies, Request, evaluate
from longshore.policy.session import role_session, seal, unseal
from longshore.services.iam.denial import told_resource
from longshore.services.iam.sources import Source, compile_policies, compiled, entity_of, sources_of
from longshore.services.interface import Resource
from longshore.services.roles import role_of_arn
from longshore.store.interface import Reader, Record

SEALING_KEY_NAME = "session"
COMPILED_PRINCIPALS = 10_000
MOST_ALLOWED = 20_000
LONGEST_ARN = 512
"""Characters: longer ones are evaluated each time, so that what is kept stays small."""
TRUST_ACTIONS = frozenset(
    {
        "sts:AssumeRole",
        "sts:AssumeRoleWithWebIdentity",
        "sts:SetSourceIdentity",
        "sts:TagSession",
    }
)
"""What a role's trust policy must allow, whatever identity policies say."""
FEDERATED_USERS = "arn:aws:sts::"
"""GetFederationToken's, who have no trust policy."""
INVALID_TOKEN = "The security token included in the request is invalid."  # noqa: S105 - a sentence
EXPIRED_TOKEN = "The security token included in the request is expired"  # noqa: S105 - a sentence


@dataclass(frozen=True, slots=True, eq=False)
class Compiled:
    """A principal's policies and the records that they come from; good while those are so."""

    sources: list[Source]
    policies: Policies


@dataclass(frozen=True, slots=True)
class KeyHolder:
    """A long-lived key's credential and the records that it comes from."""

    key: Record[iam.AccessKey]
    user: Record[iam.User]
    credential: Credential


class IamIdentity:
    """`services.interface.Identity` over IAM's records."""

    def __init__(self, ids: Ids) -> None:
        self._ids = ids
        self._compiled: dict[tuple[object, ...], Compiled] = {}
        self._holders: dict[str, KeyHolder] = {}
        self._allowed: set[tuple[Compiled, str, str]] = set()
        """Actions and resources that these policies allow, whatever the condition keys."""

    def credential(
        self, reader: Reader, access_key_id: str, session_token: str, now: float
    ) -> Credential:
        if session_token:
            credential = unseal(sealing_key(reader), access_key_id, session_token)
            if credential is None:
                raise AwsError("InvalidClientTokenId", INVALID_TOKEN, 403)
            if credential.expires is not None and credential.expires <= now:
                raise AwsError("ExpiredToken", EXPIRED_TOKEN, 403)
            if _is_gone(reader, credential.principal):
                raise AwsError("InvalidClientTokenId", INVALID_TOKEN, 403)
            return credential
        return self._of_user(reader, access_key_id)

    def _of_user(self, reader: Reader, access_key_id: str) -> Credential:
        key = reader.get(iam.ACCESS_KEY, "", "", access_key_id)
        if key is None or key.value.status != "Active":
            raise AwsError("InvalidClientTokenId", INVALID_TOKEN, 403)
        user = reader.get(iam.USER, key.value.account, "", key.value.user_name.lower())
        if user is None:
            raise AwsError("InvalidClientTokenId", INVALID_TOKEN, 403)
        known = self._holders.get(access_key_id)
        if known is None or known.key is not key or known.user is not user:
            known = self._hold(key, user)
        return known.credential

    def _hold(self, key: Record[iam.AccessKey], user: Record[iam.User]) -> KeyHolder:
        credential = Credential(
            access_key_id=key.key.name,
            secret_access_key=key.value.secret,
            principal=user_principal(user.value, key.key.name),
        )
        if len(self._holders) >= COMPILED_PRINCIPALS:
            self._holders.clear()
        held = self._holders[key.key.name] = KeyHolder(key, user, credential)
        return held

    def authorize(
        self,
        reader: Reader,
        principal: Principal,
        action: str,
        resource: Resource,
        conditions: Mapping[str, str | list[str]],
        resource_policy: str | None,
    ) -> None:
        if _is_barred(principal, action):
            raise AwsError("InvalidClientTokenId", INVALID_TOKEN, 403)
        own = self._policies(reader, principal)
        alone = resource_policy is None and action not in TRUST_ACTIONS
        if alone and (own, action, resource.arn) in self._allowed:
            return
        request = Request(
            principal=principal,
            action=action,
            resource=resource.arn,
            conditions={**conditions, **resource.conditions} if resource.conditions else conditions,
        )
        policies = own.policies if alone else _with_resource(own.policies, request, resource_policy)
        decision = evaluate(request, policies)
        if decision.unconditional and alone:
            self._remember(own, action, resource.arn)
        if not decision.allowed:
            raise AwsError(
                "AccessDeniedException",
                f"User: {principal.arn} is not authorized to perform: {action} "
                f"on resource: {told_resource(action, resource.arn)} {decision.reason}".rstrip(),
            )

    def issue(
        self, reader: Reader, role_arn: str, session_name: str, seconds: float, now: float
    ) -> Credential:
        role = role_of_arn(reader, role_arn)
        if role is None:
            raise AwsError("NoSuchEntity", f"The role with name {role_arn} cannot be found.", 404)
        principal = role_session(role, session_name, now)
        return seal(sealing_key(reader), principal, now + seconds, self._ids)

    def policies_of(self, reader: Reader, principal: Principal) -> Policies:
        """Every identity policy, boundary and session policy of `principal`."""
        return self._policies(reader, principal).policies

    def _remember(self, own: Compiled, action: str, arn: str) -> None:
        """Nothing but what `own` was compiled for has a say: account and kind of the principal."""
        if len(arn) > LONGEST_ARN:
            return
        if len(self._allowed) >= MOST_ALLOWED:
            self._allowed.clear()
        self._allowed.add((own, action, arn))

    def _policies(self, reader: Reader, principal: Principal) -> Compiled:
        sources = sources_of(reader, principal)
        if not sources and _is_of_entity(principal):
            raise AwsError("InvalidClientTokenId", INVALID_TOKEN, 403)
        key = (
            principal.account,
            principal.kind,
            principal.user_name,
            principal.role_arn,
            principal.session_policies,
        )
        known = self._compiled.get(key)
        if known is None or known.sources != sources:
            if len(self._compiled) >= COMPILED_PRINCIPALS:
                self._compiled.clear()
            known = Compiled(sources, compile_policies(reader, principal, sources))
            self._compiled[key] = known
        return known


def _with_resource(policies: Policies, request: Request, resource_policy: str | None) -> Policies:
    """The same, with the resource's own policy, which is a role's trust policy for some actions."""
    trust = request.action in TRUST_ACTIONS and not request.resource.startswith(FEDERATED_USERS)
    kind = Kind.TRUST if trust else Kind.RESOURCE
    return replace(
        policies,
        resource=compiled(resource_policy, kind) if resource_policy is not None else None,
        resource_must_allow=trust,
        resource_must_name=request.action.startswith("kms:"),
    )


def _is_barred(principal: Principal, action: str) -> bool:
    """GetSessionToken's credentials may not call IAM, and little of STS, without MFA.

    GetFederationToken's may call neither ("Compare AWS STS credentials", IAM User Guide).
    """
    if principal.issued_at is None:
        return False
    service, _, name = action.partition(":")
    if name == "PassRole":
        return False
    if principal.kind == "federated-user":
        return service in {"iam", "sts"}
    if principal.kind != "user" or principal.mfa_authenticated:
        return False
    return service == "iam" or (service == "sts" and action not in CALLED_BY_SESSIONS)


CALLED_BY_SESSIONS = TRUST_ACTIONS | {"sts:GetFederationToken"}
"""GetFederationToken refuses sessions in words of its own."""


def _is_gone(reader: Reader, principal: Principal) -> bool:
    """Whether the user or role that a session is of was deleted; one of the same name is another.

    Otherwise resources' policies that name it by ARN would let its sessions in until they expire.
    """
    return _is_of_entity(principal) and entity_of(reader, principal) is None


def _is_of_entity(principal: Principal) -> bool:
    """Whether a user or role of IAM stands behind it, unlike root and services."""
    return bool(principal.user_name or principal.role_arn)


def sealing_key(reader: Reader) -> bytes:
    """The key of the installation's session tokens; made at first start."""
    record = reader.get(iam.SEALING_KEY, "", "", SEALING_KEY_NAME)
    if record is None:
        raise RuntimeError("the sealing key is made at first start")
    return record.value.key


def user_principal(user: iam.User, access_key_id: str) -> Principal:
    """The user behind a long-lived key."""
    arn = parse_arn(user.arn)
    assert arn is not None
    return Principal(
        account=arn.account,
        arn=user.arn,
        user_id=user.id,
        kind="user",
        access_key_id=access_key_id,
        user_name=user.name,
        session_tags=user.tags,
    )
