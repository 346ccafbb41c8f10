"""Users, groups, roles and instance profiles, as far as they are alike.

Names are unique in an account whatever their case, and found in any case; an entity keeps the case
it was made with, and its ARN is always the one it was made with ("IAM identifiers").
"""

from dataclasses import dataclass
from typing import Generic, TypeVar

from longshore.base.ids import Ids
from longshore.model import iam
from longshore.model.arn import make_arn
from longshore.model.kind import Kind
from longshore.policy.key_ids import unique_id
from longshore.services.iam.failures import already_exists, no_such_entity, over_quota
from longshore.services.interface import Context
from longshore.store.interface import Reader

E = TypeVar("E", iam.User, iam.Group, iam.Role, iam.InstanceProfile)
Principal = TypeVar("Principal", iam.User, iam.Group, iam.Role)


@dataclass(frozen=True)
class Noun(Generic[E]):
    """One sort of entity.

    `word` stands in its ARNs; `title` begins sentences and is part of operations' names; `most` is
    how many an account may have ("IAM and AWS STS quotas").
    """

    kind: Kind[E]
    word: str
    title: str
    plural: str
    most: int

    @property
    def parameter(self) -> str:
        """The request's member that names one."""
        return f"{self.title}Name"


USER = Noun(iam.USER, "user", "User", "Users", 5000)
GROUP = Noun(iam.GROUP, "group", "Group", "Groups", 300)
ROLE = Noun(iam.ROLE, "role", "Role", "Roles", 1000)
INSTANCE_PROFILE = Noun(
    iam.INSTANCE_PROFILE, "instance-profile", "InstanceProfile", "InstanceProfiles", 1000
)


def arn_of(account: str, noun: Noun[E], path: str, name: str) -> str:
    return make_arn("iam", "", account, f"{noun.word}{path}{name}")


def find(reader: Reader, account: str, noun: Noun[E], name: str) -> E | None:
    record = reader.get(noun.kind, account, "", name.lower())
    return record.value if record is not None else None


def require(context: Context, noun: Noun[E], name: str) -> E:
    """The entity; raises NoSuchEntity."""
    found = find(context.tx, context.account, noun, name)
    if found is None:
        raise no_such_entity(f"{_sentence(noun, name, the=True)} cannot be found.")
    return found


def _sentence(noun: Noun[E], name: str, *, the: bool = False) -> str:
    if noun.word == "instance-profile":
        return f"Instance Profile {name}"
    return f"The {noun.word} with name {name}" if the else f"{noun.title} with name {name}"


def check_free(context: Context, noun: Noun[E], name: str) -> None:
    """Raises EntityAlreadyExists where the name is taken, in whatever case."""
    if find(context.tx, context.account, noun, name) is not None:
        raise already_exists(f"{_sentence(noun, name)} already exists.")


def check_room(context: Context, noun: Noun[E]) -> None:
    """Raises LimitExceeded where the account has as many as it may."""
    if len(context.tx.scan(noun.kind, context.account, "")) >= noun.most:
        raise over_quota(f"{noun.plural}PerAccount", noun.most)


def add(context: Context, noun: Noun[E], value: E) -> E:
    """Keep a new entity, if its name is free and there is room."""
    check_free(context, noun, value.name)
    check_room(context, noun)
    context.tx.create(noun.kind, context.account, "", value.name.lower(), value)
    return value


def keep(context: Context, noun: Noun[E], value: E) -> None:
    context.tx.put(noun.kind, context.account, "", value.name.lower(), value)


def remove(context: Context, noun: Noun[E], value: E) -> None:
    context.tx.delete(noun.kind, context.account, "", value.name.lower())


def rename(context: Context, noun: Noun[E], before: E, after: E) -> None:
    """Keep `after` in the place of `before`, whose name it may not have."""
    if before.name.lower() != after.name.lower():
        check_free(context, noun, after.name)
        remove(context, noun, before)
    keep(context, noun, after)


def new_id(noun: Noun[E], ids: Ids) -> str:
    return unique_id(noun.word, ids)
