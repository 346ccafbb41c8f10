"""Keys and aliases of a call: found, or refused in KMS's words, and what policies may ask of them.

("Actions, resources, and condition keys for AWS Key Management Service", Service Authorization
Reference; "AWS KMS condition keys".)
"""

from collections.abc import Iterable, Mapping
from typing import Any

from longshore.model.arn import parse_arn
from longshore.model.errors import AwsError
from longshore.model.kms import ALIAS, KEY, Alias, Key, alias_arn
from longshore.services.interface import Context, Resource
from longshore.services.keys import (
    ALIAS_PREFIX,
    Found,
    context_conditions,
    invalid_state,
    key_resource,
    require_key,
)


def find(context: Context, key_id: str) -> Found:
    """The key of an id, an ARN or an alias, of any account; NotFoundException."""
    return require_key(context.tx, context.account, context.region, key_id, context.now)


def find_own(context: Context, key_id: str) -> Key:
    """The key of an id or an ARN, of the caller's account; aliases will not do."""
    parts = parse_arn(key_id)
    name = parts.resource if parts is not None else key_id
    if name.startswith(ALIAS_PREFIX):
        raise AwsError("NotFoundException", f"Invalid keyId '{key_id}'")
    found = find(context, key_id)
    if found.account != context.account:
        raise AwsError("NotFoundException", f"Key '{key_id}' does not exist")
    return found.key


def find_changeable(context: Context, key_id: str) -> Key:
    """An own key; KMSInvalidStateException while it is to be deleted."""
    key = find_own(context, key_id)
    if key.deletes_at:
        raise invalid_state(key, "is pending deletion.")
    return key


def keep(context: Context, key: Key) -> None:
    context.tx.put(KEY, context.account, context.region, key.id, key)


def find_alias(context: Context, name: str) -> Alias:
    record = context.tx.get(ALIAS, context.account, context.region, name)
    if record is None:
        arn = alias_arn(context.region, context.account, name)
        raise AwsError("NotFoundException", f"Alias {arn} is not found.")
    return record.value


def own_key(context: Context, request: Any) -> Iterable[Resource]:
    """The key of a call that is of the caller's account."""
    key = find_own(context, request["KeyId"])
    more: dict[str, str | list[str]] = {}
    if "PendingWindowInDays" in request:
        more["ScheduleKeyDeletionPendingWindowInDays"] = str(request["PendingWindowInDays"])
    if "BypassPolicyLockoutSafetyCheck" in request:
        bypass = str(request["BypassPolicyLockoutSafetyCheck"]).lower()
        more["BypassPolicyLockoutSafetyCheck"] = bypass
    yield _resource(context, Found(key, context.account, context.region), more)


def any_key(context: Context, request: Any) -> Iterable[Resource]:
    """The key of a call that may be another account's, or asked for by an alias."""
    yield _resource(context, find(context, request["KeyId"]), {})


def used_key(context: Context, request: Any) -> Iterable[Resource]:
    """The same with the encryption context that it is used with."""
    yield in_context(context, find(context, request["KeyId"]), request.get("EncryptionContext", {}))


def in_context(context: Context, found: Found, encryption_context: Mapping[str, str]) -> Resource:
    more = {**context_conditions(encryption_context), "EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}
    return _resource(context, found, more)


def granted_key(context: Context, request: Any) -> Iterable[Resource]:
    """The key of CreateGrant, with what is to be granted."""
    more: dict[str, str | list[str]] = {"GrantOperations": list(request["Operations"])}
    for name in ("GranteePrincipal", "RetiringPrincipal"):
        if name in request:
            more[name] = request[name]
    constraints = request.get("Constraints") or {}
    if constraints:
        more["GrantConstraintType"] = next(iter(constraints))
    more["GrantIsForAWSResource"] = "false"
    key_id = request["KeyId"]
    found = find(context, key_id)
    if found.alias:
        raise AwsError("NotFoundException", f"Invalid keyId '{key_id}'")
    yield _resource(context, found, more)


def new_alias(context: Context, request: Any) -> Iterable[Resource]:
    yield _alias(context, request["AliasName"])
    key = find_own(context, request["TargetKeyId"])
    yield _resource(context, Found(key, context.account, context.region), {})


def alias(context: Context, request: Any) -> Iterable[Resource]:
    """An alias and its key."""
    found = find_alias(context, request["AliasName"])
    yield _alias(context, found.name)
    yield from _own(context, found.key_id)


def moved_alias(context: Context, request: Any) -> Iterable[Resource]:
    """An alias, its key and the one that it is to have."""
    yield from alias(context, request)
    yield from _own(context, find_own(context, request["TargetKeyId"]).id)


def _own(context: Context, key_id: str) -> Iterable[Resource]:
    record = context.tx.get(KEY, context.account, context.region, key_id)
    if record is not None:
        yield _resource(context, Found(record.value, context.account, context.region), {})


def _alias(context: Context, name: str) -> Resource:
    return Resource(arn=alias_arn(context.region, context.account, name))


def _resource(context: Context, found: Found, more: Mapping[str, str | list[str]]) -> Resource:
    return key_resource(context.tx, context.principal.account, found, **more)


def end_dry_run(request: Any) -> None:
    """DryRunOperationException, where nothing more is asked for."""
    if request.get("DryRun"):
        raise AwsError(
            "DryRunOperationException",
            "The request would have succeeded, but the DryRun option is set.",
            412,
        )
