"""Keys: to make, describe, list, enable and disable them."""

from collections.abc import Mapping
from typing import Any

import msgspec

from longshore.base.key_material import new_material
from longshore.base.sealing import Sealer
from longshore.model.errors import AwsError, not_built
from longshore.model.kms import KEY, Key, Material, key_arn
from longshore.services.interface import Context, Response
from longshore.services.kms.pages import page
from longshore.services.kms.policies import checked_policy, default_policy
from longshore.services.kms.resources import find, find_changeable, keep
from longshore.services.kms.tags import checked_tags

SPEC, USAGE, ORIGIN = "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "AWS_KMS"
KEYS_PAGE = 100
UNBUILT: Mapping[str, tuple[str, ...]] = {
    "keys in key stores of one's own": ("CustomKeyStoreId", "XksKeyId"),
    "multi-Region keys": ("MultiRegion",),
}


def create(sealer: Sealer, context: Context, request: Any) -> Response:
    _check_built(request)
    key_id = context.ids.uuid()
    arn = key_arn(context.region, context.account, key_id)
    policy = request.get("Policy") or default_policy(context.account)
    bypass = request.get("BypassPolicyLockoutSafetyCheck", False)
    material, sealed = new_material(sealer, arn)
    key = Key(
        id=key_id,
        arn=arn,
        created_at=context.now,
        policy=checked_policy(context, arn, policy, bypass=bypass),
        materials=(Material(id=material, sealed=sealed, created_at=context.now),),
        description=request.get("Description", ""),
        tags=checked_tags((), request.get("Tags", ())),
    )
    if key.tags:
        context.authorize("kms:TagResource", arn)
    context.tx.create(KEY, context.account, context.region, key.id, key)
    return {"KeyMetadata": metadata(context, key)}


def _check_built(request: Any) -> None:
    for what, members in UNBUILT.items():
        if any(request.get(member) for member in members):
            raise not_built(what)
    if request.get("Origin", ORIGIN) != ORIGIN:
        raise not_built("keys with imported key material")
    spec = request.get("KeySpec") or request.get("CustomerMasterKeySpec") or SPEC
    usage = request.get("KeyUsage", USAGE)
    if spec != SPEC:
        raise not_built(f"keys of the spec {spec}")
    if usage != USAGE:
        raise AwsError(
            "ValidationException", f"KeyUsage {usage} is not compatible with KeySpec {SPEC}"
        )


def metadata(context: Context, key: Key, account: str = "") -> dict[str, Any]:
    """A `KeyMetadata`; `account` is the key's where it is not the caller's."""
    shape = {
        "AWSAccountId": account or context.account,
        "KeyId": key.id,
        "Arn": key.arn,
        "CreationDate": key.created_at,
        "Enabled": key.state == "Enabled",
        "Description": key.description,
        "KeyUsage": USAGE,
        "KeyState": key.state,
        "Origin": ORIGIN,
        "KeyManager": "CUSTOMER",
        "CustomerMasterKeySpec": SPEC,
        "KeySpec": SPEC,
        "EncryptionAlgorithms": [SPEC],
        "MultiRegion": False,
        "CurrentKeyMaterialId": key.materials[-1].id,
    }
    return shape | ({"DeletionDate": key.deletes_at} if key.deletes_at else {})


def describe(context: Context, request: Any) -> Response:
    found = find(context, request["KeyId"])
    return {"KeyMetadata": metadata(context, found.key, found.account)}


def list_keys(context: Context, request: Any) -> Response:
    records = context.tx.scan(KEY, context.account, context.region)
    keys = [record.value for record in records]
    shown, more = page(keys, request, KEYS_PAGE)
    return {"Keys": [{"KeyId": key.id, "KeyArn": key.arn} for key in shown], **more}


def enable(context: Context, request: Any) -> Response:
    return _set_enabled(context, request, enabled=True)


def disable(context: Context, request: Any) -> Response:
    return _set_enabled(context, request, enabled=False)


def _set_enabled(context: Context, request: Any, *, enabled: bool) -> Response:
    key = find_changeable(context, request["KeyId"])
    keep(context, msgspec.structs.replace(key, enabled=enabled))
    return {}


def update_description(context: Context, request: Any) -> Response:
    key = find_changeable(context, request["KeyId"])
    keep(context, msgspec.structs.replace(key, description=request["Description"]))
    return {}
