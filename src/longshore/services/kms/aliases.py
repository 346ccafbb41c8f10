"""Aliases of keys."""

from typing import Any

import msgspec

from longshore.model.errors import AwsError
from longshore.model.kms import ALIAS, Alias, alias_arn
from longshore.services.interface import Context, Response
from longshore.services.keys import ALIAS_PREFIX
from longshore.services.kms.pages import page
from longshore.services.kms.resources import find_alias, find_changeable, find_own

RESERVED = "alias/aws/"
ALIASES_PAGE = 50


def create(context: Context, request: Any) -> Response:
    name = request["AliasName"]
    if not name.startswith(ALIAS_PREFIX) or name == ALIAS_PREFIX or ":" in name:
        raise AwsError(
            "InvalidAliasNameException", f"Alias must start with the prefix {ALIAS_PREFIX}"
        )
    if name.startswith(RESERVED):
        raise AwsError("NotAuthorizedException", f"Aliases with {RESERVED} are reserved for AWS")
    if context.tx.get(ALIAS, context.account, context.region, name) is not None:
        arn = alias_arn(context.region, context.account, name)
        raise AwsError("AlreadyExistsException", f"An alias with the name {arn} already exists")
    key = find_changeable(context, request["TargetKeyId"])
    alias = Alias(name=name, key_id=key.id, created_at=context.now, updated_at=context.now)
    context.tx.create(ALIAS, context.account, context.region, name, alias)
    return {}


def update(context: Context, request: Any) -> Response:
    alias = find_alias(context, request["AliasName"])
    key = find_changeable(context, request["TargetKeyId"])
    moved = msgspec.structs.replace(alias, key_id=key.id, updated_at=context.now)
    context.tx.put(ALIAS, context.account, context.region, alias.name, moved)
    return {}


def delete(context: Context, request: Any) -> Response:
    alias = find_alias(context, request["AliasName"])
    context.tx.delete(ALIAS, context.account, context.region, alias.name)
    return {}


def list_aliases(context: Context, request: Any) -> Response:
    """Those of one key, or all of the account and region; AWS's own do not exist."""
    records = context.tx.scan(ALIAS, context.account, context.region)
    aliases = [record.value for record in records]
    if "KeyId" in request:
        key = find_own(context, request["KeyId"])
        aliases = [alias for alias in aliases if alias.key_id == key.id]
    shown, more = page(aliases, request, ALIASES_PAGE)
    return {"Aliases": [_shape(context, alias) for alias in shown], **more}


def _shape(context: Context, alias: Alias) -> dict[str, Any]:
    return {
        "AliasName": alias.name,
        "AliasArn": alias_arn(context.region, context.account, alias.name),
        "TargetKeyId": alias.key_id,
        "CreationDate": alias.created_at,
        "LastUpdatedDate": alias.updated_at,
    }
