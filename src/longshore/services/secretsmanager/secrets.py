"""CreateSecret, UpdateSecret, DescribeSecret."""

import re
from typing import TYPE_CHECKING, Any

import msgspec

from longshore.base.sealing import Sealer
from longshore.model.errors import AwsError, not_built
from longshore.model.secretsmanager import Secret
from longshore.services.interface import Context, Response
from longshore.services.secretsmanager.resources import (
    find,
    invalid_request,
    keep,
    named,
    require,
    require_active,
    suffix,
)
from longshore.services.secretsmanager.tags import checked, shown_tags
from longshore.services.secretsmanager.values import given_value, unsealed, with_version

if TYPE_CHECKING:
    from types_boto3_secretsmanager import type_defs as t

_NAME = re.compile(r"[A-Za-z0-9/_+=.@!-]{1,512}")
DEFAULT_KEY = "alias/aws/secretsmanager"


def create(sealer: Sealer, context: Context, request: "t.CreateSecretRequestTypeDef") -> Response:
    name = request["Name"]
    if not _NAME.fullmatch(name):
        raise AwsError(
            "ValidationException",
            "Invalid name. Must be a valid name containing alphanumeric characters, or any of the"
            " following: -/_+=.@!",
        )
    if request.get("AddReplicaRegions"):
        raise not_built("replicas of secrets")
    _check_key(request.get("KmsKeyId"))
    value = given_value(request)
    token = request.get("ClientRequestToken") or context.ids.uuid()
    old = find(context.tx, context.account, context.region, name, context.now)
    if old is not None:
        return _created_before(sealer, context, old, value, token)
    secret = Secret(
        name=name,
        suffix=suffix(context),
        created_at=context.now,
        changed_at=context.now,
        description=request.get("Description", ""),
        type=str(request.get("Type", "")),
        tags=checked(request.get("Tags") or ()),
    )
    response = named(context, secret)
    if value is not None:
        secret, version = with_version(sealer, context, secret, value, token)
        response["VersionId"] = version.id
    keep(context, secret)
    return response


def _created_before(
    sealer: Sealer, context: Context, old: Secret, value: tuple[bytes, bool] | None, token: str
) -> Response:
    """The same answer again for the same token and value; an error for anything else."""
    if old.deletes_at:
        raise invalid_request(
            "You can't create this secret because a secret with this name is already scheduled for"
            " deletion."
        )
    for version in old.versions:
        if version.id == token and value == (
            unsealed(sealer, context, old, version),
            version.binary,
        ):
            return {**named(context, old), "VersionId": token}
    raise AwsError(
        "ResourceExistsException",
        f"The operation failed because the secret {old.name} already exists.",
    )


def _check_key(key_id: str | None) -> None:
    """The account's default key is the only one: there is no KMS to ask for others."""
    if key_id not in {None, "", DEFAULT_KEY}:
        raise not_built("KMS keys of one's own for secrets")


def update(sealer: Sealer, context: Context, request: "t.UpdateSecretRequestTypeDef") -> Response:
    secret = require_active(context, request["SecretId"])
    _check_key(request.get("KmsKeyId"))
    changed = msgspec.structs.replace(
        secret,
        description=request.get("Description", secret.description),
        type=str(request.get("Type", secret.type)),
        changed_at=context.now,
    )
    response = named(context, secret)
    value = given_value(request)
    if value is not None:
        token = request.get("ClientRequestToken") or context.ids.uuid()
        changed, version = with_version(sealer, context, changed, value, token)
        response["VersionId"] = version.id
    keep(context, changed)
    return response


def describe(context: Context, request: "t.DescribeSecretRequestTypeDef") -> Response:
    secret = require(context, request["SecretId"])
    stages = {each.id: list(each.stages) for each in secret.versions if each.stages}
    return {**summary(context, secret), "VersionIdsToStages": stages}


def summary(context: Context, secret: Secret) -> dict[str, Any]:
    """What DescribeSecret and ListSecrets both tell."""
    told: dict[str, Any] = {
        **named(context, secret),
        "Type": secret.type,
        "Description": secret.description,
        "LastChangedDate": secret.changed_at,
        "DeletedDate": secret.deleted_at,
        "Tags": shown_tags(secret),
        "CreatedDate": secret.created_at,
    }
    return {name: value for name, value in told.items() if value or name == "Tags"}
