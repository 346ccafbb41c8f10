"""What IAM keeps: users, groups, roles, policies, keys, identity providers.

IAM is global: records have the region `""`. They are named by the entity's name in lower case,
because names differ by more than case; managed policies by their ARN, identity providers by their
URL without `https://`. Times are epoch seconds.
"""

import msgspec

from longshore.model.kind import Kind

Tags = tuple[tuple[str, str], ...]
Inline = tuple[tuple[str, str], ...]
"""Inline policies: (name, document)."""


class User(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    path: str
    id: str
    arn: str
    created_at: float
    inline: Inline = ()
    attached: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    boundary: str = ""
    tags: Tags = ()


class Group(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    path: str
    id: str
    arn: str
    created_at: float
    inline: Inline = ()
    attached: tuple[str, ...] = ()


class Role(msgspec.Struct, frozen=True, kw_only=True):
    """`trust` is the AssumeRolePolicyDocument; `max_session` in seconds."""

    name: str
    path: str
    id: str
    arn: str
    created_at: float
    trust: str
    description: str = ""
    max_session: int = 3600
    inline: Inline = ()
    attached: tuple[str, ...] = ()
    boundary: str = ""
    tags: Tags = ()


class InstanceProfile(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    path: str
    id: str
    arn: str
    created_at: float
    roles: tuple[str, ...] = ()
    tags: Tags = ()


class PolicyVersion(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    document: str
    created_at: float


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """A customer-managed policy; `next_version` is the number of the version made next."""

    name: str
    path: str
    id: str
    arn: str
    created_at: float
    updated_at: float
    versions: tuple[PolicyVersion, ...]
    default_version: str
    next_version: int = 2
    description: str = ""
    tags: Tags = ()

    @property
    def document(self) -> str:
        """Of the default version."""
        return next(v.document for v in self.versions if v.id == self.default_version)


class AccessKey(msgspec.Struct, frozen=True, kw_only=True):
    """Named by its id in account `""`, so that a key alone tells its account."""

    id: str
    secret: str
    account: str
    user_name: str
    status: str
    created_at: float


class ServiceLinkedRoleDeletion(msgspec.Struct, frozen=True, kw_only=True):
    """How the deletion of a service-linked role ended; named by its task's id.

    `used_in` are the ARNs, by region, of what still uses the role; where there is any, it stays.
    """

    task_id: str
    role_arn: str
    used_in: tuple[tuple[str, tuple[str, ...]], ...] = ()


class OidcProvider(msgspec.Struct, frozen=True, kw_only=True):
    """An OpenID Connect provider whose tokens roles of the account may trust.

    `url` is without `https://`; `client_ids` are the audiences that tokens may be for;
    `thumbprints` the SHA-1 (hexadecimal, lower case) of certificates, good where the machine's
    authorities do not vouch for the provider's own.
    """

    url: str
    arn: str
    created_at: float
    client_ids: tuple[str, ...] = ()
    thumbprints: tuple[str, ...] = ()
    tags: Tags = ()


class SealingKey(msgspec.Struct, frozen=True, kw_only=True):
    """What session tokens are sealed under: 32 bytes, named `session` in account `""`."""

    key: bytes


class AccountAlias(msgspec.Struct, frozen=True, kw_only=True):
    """Named `alias`; an account has one at most."""

    alias: str


USER = Kind(
    "iam.user",
    User,
    {
        "id": lambda value: [value.id],
        "group": lambda value: [name.lower() for name in value.groups],
        "policy": lambda value: value.attached,
        "boundary": lambda value: [value.boundary] if value.boundary else [],
    },
)
GROUP = Kind("iam.group", Group, {"policy": lambda value: value.attached})
ROLE = Kind(
    "iam.role",
    Role,
    {
        "id": lambda value: [value.id],
        "policy": lambda value: value.attached,
        "boundary": lambda value: [value.boundary] if value.boundary else [],
    },
)
INSTANCE_PROFILE = Kind(
    "iam.instance-profile",
    InstanceProfile,
    {"role": lambda value: [name.lower() for name in value.roles]},
)
POLICY = Kind("iam.policy", Policy, {"name": lambda value: [value.name.lower()]})
ACCESS_KEY = Kind(
    "iam.access-key",
    AccessKey,
    {"user": lambda value: [f"{value.account}/{value.user_name.lower()}"]},
)
SERVICE_LINKED_ROLE_DELETION = Kind("iam.service-linked-role-deletion", ServiceLinkedRoleDeletion)
OIDC_PROVIDER = Kind("iam.oidc-provider", OidcProvider)
SEALING_KEY = Kind("iam.sealing-key", SealingKey)
ACCOUNT_ALIAS = Kind("iam.account-alias", AccountAlias)
