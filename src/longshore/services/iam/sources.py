"""The records that a principal's policies come from, and the policies compiled from them."""

from collections.abc import Iterable
from functools import lru_cache

from longshore.model import iam
from longshore.model.principal import Principal
from longshore.policy.document import Document, Kind, read_document
from longshore.policy.evaluation import Policies
from longshore.policy.managed import is_managed, managed_document
from longshore.store.interface import Reader, Record

Entity = Record[iam.User] | Record[iam.Role]
Source = Record[iam.User] | Record[iam.Role] | Record[iam.Group] | Record[iam.Policy]


def entity_of(reader: Reader, principal: Principal) -> Entity | None:
    """The user or role behind the principal; None once it is gone, or another has its name."""
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


def sources_of(reader: Reader, principal: Principal) -> list[Source]:
    """Every record that the policies of `principal` come from."""
    entity = entity_of(reader, principal)
    if entity is None:
        return []
    sources: list[Source] = [entity]
    attached = [*entity.value.attached, entity.value.boundary, *principal.session_policies]
    if isinstance(entity.value, iam.User):
        for name in entity.value.groups:
            group = reader.get(iam.GROUP, principal.account, "", name.lower())
            if group is not None:
                sources.append(group)
                attached += group.value.attached
    for arn in attached:
        if arn.startswith("arn:") and not is_managed(arn):
            policy = reader.get(iam.POLICY, principal.account, "", arn)
            if policy is not None:
                sources.append(policy)
    return sources


def compile_policies(reader: Reader, principal: Principal, sources: Iterable[Source]) -> Policies:
    """What `sources` say of the principal, with its boundary and session policies."""
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


@lru_cache(maxsize=4096)
def compiled(text: str, kind: str = Kind.IDENTITY) -> Document:
    """A document that was checked when it was stored."""
    return read_document(text, kind)


NOTHING = Document(version="2012-10-17", statements=())


def _managed(reader: Reader, account: str, policy_arn: str) -> Document:
    """A managed policy; one that is gone allows nothing, so that a boundary never opens."""
    text = document_of(reader, account, policy_arn)
    return compiled(text) if text is not None else NOTHING


def document_of(reader: Reader, account: str, policy_arn: str) -> str | None:
    """The default version of a managed policy, AWS's or the account's own."""
    if is_managed(policy_arn):
        return managed_document(policy_arn)
    record = reader.get(iam.POLICY, account, "", policy_arn)
    return record.value.document if record is not None else None
