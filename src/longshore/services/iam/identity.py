"""Who callers are and what they may do, from the records of IAM."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache

from longshore.base.ids import Ids
from longshore.model import iam
from longshore.model.arn import parse_arn
from longshore.model.errors import AwsError
from longshore.model.principal import Credential, Principal
from longshore.policy.document import Document, Kind, read_document
from longshore.policy.evaluation import Policies, Request, evaluate
from longshore.policy.managed import managed_document
from longshore.policy.session import role_session, seal, unseal
from longshore.services.iam.denial import told_resource
from longshore.services.interface import Resource
from longshore.store.interface import Reader, Record

SEALING_KEY_NAME = "session"
COMPILED_PRINCIPALS = 10_000
TRUST_ACTIONS = frozenset({"sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"})
"""What a role's trust policy must allow, whatever identity policies say."""
FEDERATED_USERS = "arn:aws:sts::"
"""GetFederationToken's, who have no trust policy."""
INVALID_TOKEN = "The security token included in the request is invalid."  # noqa: S105 - a sentence
EXPIRED_TOKEN = "The security token included in the request is expired"  # noqa: S105 - a sentence


class IamIdentity:
    """`services.interface.Identity` over IAM's records."""

    def __init__(self, ids: Ids) -> None:
        self._ids = ids
        self._compiled: dict[tuple[object, ...], tuple[tuple[object, ...], Policies]] = {}

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
        return _of_user(reader, access_key_id)

    def authorize(
        self,
        reader: Reader,
        principal: Principal,
        action: str,
        resource: Resource,
        conditions: Mapping[str, str | list[str]],
        resource_policy: str | None,
    ) -> None:
        request = Request(
            principal=principal,
            action=action,
            resource=resource.arn,
            conditions={**conditions, **resource.conditions} if resource.conditions else conditions,
        )
        if _is_barred(principal, action):
            raise AwsError("InvalidClientTokenId", INVALID_TOKEN, 403)
        policies = self._policies(reader, principal)
        trust = action in TRUST_ACTIONS and not resource.arn.startswith(FEDERATED_USERS)
        if trust or resource_policy is not None:
            kind = Kind.TRUST if trust else Kind.RESOURCE
            policies = replace(
                policies,
                resource=compiled(resource_policy, kind) if resource_policy is not None else None,
                resource_must_allow=trust,
            )
        decision = evaluate(request, policies)
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
        return self._policies(reader, principal)

    def _policies(self, reader: Reader, principal: Principal) -> Policies:
        sources = list(_sources(reader, principal))
        if not sources and _is_of_entity(principal):
            raise AwsError("InvalidClientTokenId", INVALID_TOKEN, 403)
        stamp = tuple((s.key.name, s.revision) for s in sources)
        who = (principal.account, principal.kind, principal.user_name, principal.role_arn)
        key = (*who, principal.session_policies)
        known = self._compiled.get(key)
        if known is None or known[0] != stamp:
            if len(self._compiled) >= COMPILED_PRINCIPALS:
                self._compiled.clear()
            known = stamp, _compile(reader, principal, sources)
            self._compiled[key] = known
        return known[1]


def _is_barred(principal: Principal, action: str) -> bool:
    """GetSessionToken's credentials may not call IAM, and little of STS, without MFA.

    GetFederationToken's may call neither ("Compare AWS STS credentials", IAM User Guide).
    """
    service, _, name = action.partition(":")
    if principal.issued_at is None or name == "PassRole":
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
    return _is_of_entity(principal) and _entity(reader, principal) is None


def _is_of_entity(principal: Principal) -> bool:
    """Whether a user or role of IAM stands behind it, unlike root and services."""
    return bool(principal.user_name or principal.role_arn)


def sealing_key(reader: Reader) -> bytes:
    """The key of the installation's session tokens; made at first start."""
    record = reader.get(iam.SEALING_KEY, "", "", SEALING_KEY_NAME)
    if record is None:
        raise RuntimeError("the sealing key is made at first start")
    return record.value.key


def role_of_arn(reader: Reader, role_arn: str) -> iam.Role | None:
    """The role that has exactly this ARN."""
    arn = parse_arn(role_arn)
    if arn is None or arn.service != "iam" or arn.resource_type != "role":
        return None
    record = reader.get(iam.ROLE, arn.account, "", arn.resource.rsplit("/", 1)[-1].lower())
    return record.value if record is not None and record.value.arn == role_arn else None


@lru_cache(maxsize=4096)
def compiled(text: str, kind: str = Kind.IDENTITY) -> Document:
    """A document that was checked when it was stored."""
    return read_document(text, kind)


def _of_user(reader: Reader, access_key_id: str) -> Credential:
    key = reader.get(iam.ACCESS_KEY, "", "", access_key_id)
    if key is None or key.value.status != "Active":
        raise AwsError("InvalidClientTokenId", INVALID_TOKEN, 403)
    user = reader.get(iam.USER, key.value.account, "", key.value.user_name.lower())
    if user is None:
        raise AwsError("InvalidClientTokenId", INVALID_TOKEN, 403)
    return Credential(
        access_key_id=access_key_id,
        secret_access_key=key.value.secret,
        principal=user_principal(user.value, access_key_id),
    )


@lru_cache(maxsize=4096)
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


Entity = Record[iam.User] | Record[iam.Role]
Source = Record[iam.User] | Record[iam.Role] | Record[iam.Group] | Record[iam.Policy]


def _entity(reader: Reader, principal: Principal) -> Entity | None:
    if principal.user_name:
        user = reader.get(iam.USER, principal.account, "", principal.user_name.lower())
        user_id = principal.issuer_id or principal.user_id
        return user if user is not None and user.value.id == user_id else None
    if principal.role_arn:
        name = principal.role_arn.rsplit("/", 1)[-1].lower()
        role = reader.get(iam.ROLE, principal.account, "", name)
        # A role made anew under the old name is another role: the session has no policies.
        if role is not None and principal.user_id.partition(":")[0] == role.value.id:
            return role
    return None


def _sources(reader: Reader, principal: Principal) -> Iterable[Source]:
    """Every record that the policies of `principal` come from."""
    entity = _entity(reader, principal)
    if entity is None:
        return
    yield entity
    attached = [*entity.value.attached, entity.value.boundary, *principal.session_policies]
    if isinstance(entity.value, iam.User):
        for name in entity.value.groups:
            group = reader.get(iam.GROUP, principal.account, "", name.lower())
            if group is not None:
                yield group
                attached += group.value.attached
    for arn in attached:
        policy = (
            reader.get(iam.POLICY, principal.account, "", arn) if arn.startswith("arn:") else None
        )
        if policy is not None:
            yield policy


def _compile(reader: Reader, principal: Principal, sources: Iterable[Source]) -> Policies:
    documents: list[Document] = []
    boundary = ""
    for source in sources:
        value = source.value
        if isinstance(value, iam.Policy):
            continue
        documents += [compiled(document) for _, document in value.inline]
        documents += [_managed(reader, principal.account, arn) for arn in value.attached]
        boundary = boundary or getattr(value, "boundary", "")
    sessions = [
        _managed(reader, principal.account, each) if each.startswith("arn:") else compiled(each)
        for each in principal.session_policies
    ]
    return Policies(
        identity=tuple(documents),
        boundary=_managed(reader, principal.account, boundary) if boundary else None,
        # A federated user has what its session policies allow: nothing where it was given none.
        session=sessions if sessions or principal.kind == "federated-user" else None,
    )


NOTHING = Document(version="2012-10-17", statements=())


def _managed(reader: Reader, account: str, policy_arn: str) -> Document:
    """A managed policy; one that is gone allows nothing, so that a boundary never opens."""
    text = document_of(reader, account, policy_arn)
    return compiled(text) if text is not None else NOTHING


def document_of(reader: Reader, account: str, policy_arn: str) -> str | None:
    """The default version of a managed policy, AWS's or the account's own."""
    if policy_arn.startswith("arn:aws:iam::aws:policy/"):
        return managed_document(policy_arn)
    record = reader.get(iam.POLICY, account, "", policy_arn)
    return record.value.document if record is not None else None
