"""KMS keys as every service finds them: by id, ARN or alias; and who may use them.

A key's policy decides together with its grants ("Key policies in AWS KMS", "Grants in AWS KMS"):
each grant is read here as statements beside the policy's own.
"""

import base64
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgspec

from longshore.model.arn import parse_arn
from longshore.model.errors import AwsError
from longshore.model.kms import (
    ALIAS,
    GRANT,
    KEY,
    Grant,
    Key,
    alias_arn,
    grant_name,
    key_arn,
)
from longshore.services.interface import Resource
from longshore.store.interface import Reader

ALIAS_PREFIX = "alias/"
TOKEN_PREFIX = "lsgrant."  # noqa: S105 - what every one begins with
CRYPTOGRAPHIC = frozenset(
    {
        "Decrypt",
        "Encrypt",
        "GenerateDataKey",
        "GenerateDataKeyWithoutPlaintext",
        "ReEncryptFrom",
        "ReEncryptTo",
    }
)
"""Operations of grants that have an encryption context."""
Conditions = dict[str, str | list[str]]


class Found(NamedTuple):
    """A key, where it is, and the alias that it was asked for by."""

    key: Key
    account: str
    region: str
    alias: str = ""


def find_key(reader: Reader, account: str, region: str, key_id: str) -> Found | None:
    """The key of an id, a key's ARN, an alias or its ARN, as seen from this account and region.

    Raises InvalidArnException and NotFoundException where `key_id` is neither, and
    NotFoundException for an alias that leads to none.
    """
    name = key_id
    arn = parse_arn(key_id)
    if key_id.startswith("arn:"):
        if arn is None or arn.service != "kms":
            raise AwsError("InvalidArnException", f"Invalid arn {key_id}")
        if arn.region != region:
            raise AwsError("NotFoundException", f"Invalid arn {arn.region}")
        account, name = arn.account, arn.resource.removeprefix("key/")
    if not name.startswith(ALIAS_PREFIX):
        if arn is None and len(name) != 36:
            raise AwsError("NotFoundException", f"Invalid keyId '{key_id}'")
        record = reader.get(KEY, account, region, name)
        return Found(record.value, account, region) if record is not None else None
    alias = reader.get(ALIAS, account, region, name)
    key = reader.get(KEY, account, region, alias.value.key_id) if alias is not None else None
    if key is None:
        raise AwsError(
            "NotFoundException", f"Alias {alias_arn(region, account, name)} is not found."
        )
    return Found(key.value, account, region, name)


def require_key(reader: Reader, account: str, region: str, key_id: str, now: float) -> Found:
    """The same; NotFoundException where there is no such key, or it is due to be deleted."""
    found = find_key(reader, account, region, key_id)
    if found is None or (found.key.deletes_at and found.key.deletes_at <= now):
        arn = key_id if key_id.startswith("arn:") else key_arn(region, account, key_id)
        raise AwsError("NotFoundException", f"Key '{arn}' does not exist")
    return found


def check_usable(key: Key) -> None:
    """DisabledException, KMSInvalidStateException ("Key states of AWS KMS keys")."""
    if key.deletes_at:
        raise invalid_state(key, "is pending deletion.")
    if not key.enabled:
        raise AwsError("DisabledException", f"{key.arn} is disabled.")


def invalid_state(key: Key, how: str) -> AwsError:
    return AwsError("KMSInvalidStateException", f"{key.arn} {how}")


def key_resource(reader: Reader, caller: str, found: Found, **more: str | list[str]) -> Resource:
    """The key of a call by the account `caller`, with what policies may ask of it; `more` are
    further keys of KMS's (`ViaService`)."""
    key = found.key
    aliases = reader.find(ALIAS, found.account, found.region, "key", key.id)
    conditions: Conditions = {
        "kms:CallerAccount": caller,
        "kms:KeyOrigin": "AWS_KMS",
        "kms:KeySpec": "SYMMETRIC_DEFAULT",
        "kms:KeyUsage": "ENCRYPT_DECRYPT",
        "kms:MultiRegion": "false",
    }
    if aliases:
        conditions["kms:ResourceAliases"] = [alias.value.name for alias in aliases]
    if found.alias:
        conditions["kms:RequestAlias"] = found.alias
    conditions |= {f"aws:ResourceTag/{name}": value for name, value in key.tags}
    conditions |= {f"kms:{name}": value for name, value in more.items()}
    return Resource(arn=key.arn, conditions=conditions)


def context_conditions(context: Mapping[str, str]) -> dict[str, str | list[str]]:
    """An encryption context as policies ask for it; without `kms:` before the names."""
    found: dict[str, str | list[str]] = {
        f"EncryptionContext:{name}": value for name, value in context.items()
    }
    return found | {"EncryptionContextKeys": list(context)} if context else found


def key_policy(reader: Reader, arn: str) -> str | None:
    """The policy (JSON) of the key of this ARN, with its grants; None where there is no key."""
    parts = parse_arn(arn)
    if parts is None or parts.service != "kms" or parts.resource_type != "key":
        return None
    record = reader.get(KEY, parts.account, parts.region, parts.resource_id)
    if record is None:
        return None
    grants = grants_of(reader, parts.account, parts.region, record.value.id)
    return _with_grants(record.value.policy, grants) if grants else record.value.policy


def grants_of(reader: Reader, account: str, region: str, key_id: str) -> list[Grant]:
    """Oldest first."""
    records = reader.scan(GRANT, account, region, prefix=grant_name(key_id, ""))
    return sorted((each.value for each in records), key=lambda grant: (grant.created_at, grant.id))


def _with_grants(policy: str, grants: Iterable[Grant]) -> str:
    document: dict[str, Any] = msgspec.json.decode(policy)
    own = document["Statement"]
    statements = own if isinstance(own, list) else [own]
    granted = [statement for grant in grants for statement in _statements(grant)]
    return msgspec.json.encode({**document, "Statement": [*statements, *granted]}).decode()


def _statements(grant: Grant) -> Iterable[Mapping[str, Any]]:
    """What a grant allows: its context is asked of what encrypts and decrypts alone."""
    with_context = CRYPTOGRAPHIC.intersection(grant.operations)
    others = [name for name in grant.operations if name not in CRYPTOGRAPHIC]
    for names, condition in ((sorted(with_context), _condition(grant)), (others, {})):
        if names:
            yield {
                "Effect": "Allow",
                "Principal": {"AWS": grant.grantee},
                "Action": [f"kms:{name}" for name in names],
                "Resource": "*",
                **({"Condition": condition} if condition else {}),
            }


def _condition(grant: Grant) -> dict[str, Any]:
    pairs = grant.equals if grant.equals is not None else grant.subset
    if pairs is None:
        return {}
    wanted = {f"kms:EncryptionContext:{name}": _literal(value) for name, value in pairs}
    condition: dict[str, Any] = {"StringEquals": wanted} if wanted else {}
    if grant.equals is not None:
        names = [_literal(name) for name, _ in pairs]
        condition["ForAllValues:StringEquals"] = {"kms:EncryptionContextKeys": names}
    return condition


def _literal(text: str) -> str:
    """As a policy has it to mean nothing but itself."""
    return text.replace("${", "${$}{")


def new_token(arn: str, grant_id: str, secret: str) -> str:
    """Opaque to callers; it says which grant it is of."""
    return TOKEN_PREFIX + base64.urlsafe_b64encode(f"{arn} {grant_id} {secret}".encode()).decode()
