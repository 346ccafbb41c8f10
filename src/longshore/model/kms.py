"""What KMS keeps: keys with their sealed material, aliases and grants. Times are epoch seconds.

Records lie in the account and region that own them: keys by id, aliases by name (`alias/…`), grants
`<key id>/<grant id>`.

Writers: the API; `controllers/key_rotation` adds key material and removes keys whose waiting period
is over.
"""

import msgspec

from longshore.model.arn import make_arn
from longshore.model.kind import Kind

Tags = tuple[tuple[str, str], ...]
Pairs = tuple[tuple[str, str], ...]
"""Pairs of an encryption context, in order of their keys."""


class Material(msgspec.Struct, frozen=True, kw_only=True):
    """256 bits that a key encrypts with, sealed for its ARN; `id` is 64 hexadecimal digits."""

    id: str
    sealed: str
    created_at: float
    rotation: str = ""
    """AUTOMATIC or ON_DEMAND; empty for a key's first."""


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """A symmetric key. What was encrypted with any of its `materials` can be decrypted; the last
    one encrypts."""

    id: str
    arn: str
    created_at: float
    policy: str
    materials: tuple[Material, ...]
    description: str = ""
    enabled: bool = True
    deletes_at: float = 0.0
    """When it goes; 0 where no deletion is planned."""
    rotation_days: int = 0
    """Days between automatic rotations; 0 where there are none."""
    rotates_at: float = 0.0
    tags: Tags = ()

    @property
    def state(self) -> str:
        """`KeyState`."""
        if self.deletes_at:
            return "PendingDeletion"
        return "Enabled" if self.enabled else "Disabled"


class Alias(msgspec.Struct, frozen=True, kw_only=True):
    """`name` begins with `alias/`; the key is one of the same account and region."""

    name: str
    key_id: str
    created_at: float
    updated_at: float


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """What a principal may do with a key beside the key's policy.

    `equals` is the very encryption context that it is for, `subset` what that must have in it; None
    where any will do.
    """

    id: str
    key_id: str
    token: str
    grantee: str
    operations: tuple[str, ...]
    created_at: float
    issuer: str
    """ARN of the account that made it, as `IssuingAccount` shows it."""
    retiring: str = ""
    name: str = ""
    equals: Pairs | None = None
    subset: Pairs | None = None


def key_arn(region: str, account: str, key_id: str) -> str:
    return make_arn("kms", region, account, f"key/{key_id}")


def alias_arn(region: str, account: str, name: str) -> str:
    return make_arn("kms", region, account, name)


def grant_name(key_id: str, grant_id: str) -> str:
    """The name of a grant's record."""
    return f"{key_id}/{grant_id}"


KEY = Kind("kms.key", Key)
ALIAS = Kind("kms.alias", Alias, {"key": lambda alias: [alias.key_id]})
GRANT = Kind("kms.grant", Grant)
