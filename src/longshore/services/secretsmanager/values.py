"""Values: sealing, versions, GetSecretValue and PutSecretValue."""

import binascii
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from longshore.base.sealing import Sealer, Unsealable
from longshore.model.errors import AwsError
from longshore.model.secretsmanager import (
    CURRENT,
    PREVIOUS,
    Secret,
    SecretVersion,
)
from longshore.services.interface import Context, Response
from longshore.services.secretsmanager.resources import (
    arn_of,
    invalid_parameter,
    keep,
    named,
    not_found,
    require_active,
)

if TYPE_CHECKING:
    from types_boto3_secretsmanager import type_defs as t

LONGEST = 65536
MOST_VERSIONS = 100
"""Versions without stages are forgotten, the oldest first, when there are more."""


def given_value(request: Mapping[str, Any]) -> tuple[bytes, bool] | None:
    """The value in a request and whether it is binary; None where there is none."""
    text, binary = request.get("SecretString"), request.get("SecretBinary")
    if text is not None and binary is not None:
        raise invalid_parameter("You can't specify both a binary secret value and a string value.")
    if text is None and binary is None:
        return None
    value = text.encode() if text is not None else bytes(binary)  # type: ignore[arg-type]
    if not 0 < len(value) <= LONGEST:
        raise invalid_parameter(f"The secret value must have 1 to {LONGEST} bytes.")
    return value, text is None


def with_version(
    sealer: Sealer,
    context: Context,
    secret: Secret,
    value: tuple[bytes, bool],
    token: str,
    stages: tuple[str, ...] = (CURRENT,),
) -> tuple[Secret, SecretVersion]:
    """The secret with a version of this value; the same call again changes nothing."""
    content, binary = value
    for version in secret.versions:
        if version.id == token:
            if (unsealed(sealer, context, secret, version), version.binary) != value:
                raise AwsError(
                    "ResourceExistsException",
                    "You can't modify an existing version, you can only create a new version.",
                )
            return secret, version
    version = SecretVersion(
        id=token,
        sealed=sealer.seal(content, _place(context, secret, token)),
        binary=binary,
        created_at=context.now,
    )
    versions = _fewer((*secret.versions, version))
    changed = msgspec.structs.replace(secret, versions=versions, changed_at=context.now)
    for stage in stages:
        changed = moved(changed, stage, token)
    return changed, next(each for each in changed.versions if each.id == token)


def _fewer(versions: tuple[SecretVersion, ...]) -> tuple[SecretVersion, ...]:
    surplus = len(versions) - MOST_VERSIONS
    if surplus <= 0:
        return versions
    gone = {each.id for each in [each for each in versions[:-1] if not each.stages][:surplus]}
    return tuple(each for each in versions if each.id not in gone)


def moved(secret: Secret, stage: str, to: str | None) -> Secret:
    """The secret with `stage` on one version only, or on none.

    Where AWSCURRENT moves on, the version that had it becomes AWSPREVIOUS.
    """
    holder = next((each.id for each in secret.versions if stage in each.stages), None)
    versions = tuple(
        msgspec.structs.replace(each, stages=_stages(each, stage, to)) for each in secret.versions
    )
    changed = msgspec.structs.replace(secret, versions=versions)
    if stage == CURRENT and holder is not None and holder != to:
        return moved(changed, PREVIOUS, holder)
    return changed


def _stages(version: SecretVersion, stage: str, to: str | None) -> tuple[str, ...]:
    others = tuple(each for each in version.stages if each != stage)
    return (*others, stage) if version.id == to else others


def _place(context: Context, secret: Secret, version_id: str) -> str:
    return f"{arn_of(context, secret)}:{version_id}"


def unsealed(sealer: Sealer, context: Context, secret: Secret, version: SecretVersion) -> bytes:
    try:
        return sealer.unseal(version.sealed, _place(context, secret, version.id))
    except (Unsealable, binascii.Error):
        raise AwsError(
            "DecryptionFailure",
            "Secrets Manager can't decrypt the protected secret text using the provided KMS key.",
        ) from None


def version_of(secret: Secret, version_id: str | None, stage: str | None) -> SecretVersion:
    """The version asked for; by default the current one."""
    if version_id is None:
        wanted = stage or CURRENT
        for version in secret.versions:
            if wanted in version.stages:
                return version
        raise not_found(
            f"Secrets Manager can't find the specified secret value for staging label: {wanted}"
        )
    for version in secret.versions:
        if version.id == version_id:
            if stage is not None and stage not in version.stages:
                raise invalid_request_of_stage()
            return version
    raise not_found(
        f"Secrets Manager can't find the specified secret value for VersionId: {version_id}"
    )


def invalid_request_of_stage() -> AwsError:
    return AwsError(
        "InvalidRequestException",
        "You provided a VersionStage that is not associated to the provided VersionId.",
    )


def shown(
    sealer: Sealer, context: Context, secret: Secret, version: SecretVersion
) -> dict[str, Any]:
    """A secret's value as responses give it."""
    value = unsealed(sealer, context, secret, version)
    return {
        **named(context, secret),
        "VersionId": version.id,
        **({"SecretBinary": value} if version.binary else {"SecretString": value.decode()}),
        "VersionStages": list(version.stages),
        "CreatedDate": version.created_at,
    }


def get(sealer: Sealer, context: Context, request: "t.GetSecretValueRequestTypeDef") -> Response:
    secret = require_active(context, request["SecretId"])
    version = version_of(secret, request.get("VersionId"), request.get("VersionStage"))
    return shown(sealer, context, secret, version)


def put(sealer: Sealer, context: Context, request: "t.PutSecretValueRequestTypeDef") -> Response:
    secret = require_active(context, request["SecretId"])
    value = given_value(request)
    if value is None:
        raise invalid_parameter("You must provide either SecretString or SecretBinary.")
    token = request.get("ClientRequestToken") or context.ids.uuid()
    stages = tuple(request.get("VersionStages") or (CURRENT,))
    if not any(version.stages for version in secret.versions) and CURRENT not in stages:
        stages = (*stages, CURRENT)
    changed, version = with_version(sealer, context, secret, value, token, stages)
    keep(context, changed)
    return {
        **named(context, secret),
        "VersionId": version.id,
        "VersionStages": list(version.stages),
    }
