"""Staging labels and the list of versions."""

from typing import TYPE_CHECKING

from longshore.model.secretsmanager import CURRENT
from longshore.services.interface import Context, Response
from longshore.services.secretsmanager.pages import page
from longshore.services.secretsmanager.resources import (
    invalid_parameter,
    keep,
    named,
    not_found,
    require,
    require_active,
)
from longshore.services.secretsmanager.values import moved

if TYPE_CHECKING:
    from types_boto3_secretsmanager import type_defs as t

PAGE = 100


def update(context: Context, request: "t.UpdateSecretVersionStageRequestTypeDef") -> Response:
    secret = require_active(context, request["SecretId"])
    stage, to = request["VersionStage"], request.get("MoveToVersionId")
    holder = next((each.id for each in secret.versions if stage in each.stages), None)
    given = request.get("RemoveFromVersionId")
    if to is not None and all(each.id != to for each in secret.versions):
        raise not_found(
            f"Secrets Manager can't find the specified secret value for VersionId: {to}"
        )
    if given is not None and given != holder:
        raise invalid_parameter(
            f"Staging label {stage} is currently attached to version {holder or ''}, but was to be"
            f" removed from version {given}."
        )
    if to is not None and holder not in {None, to} and given is None:
        raise invalid_parameter(
            f"The parameter RemoveFromVersionId can't be empty. Staging label {stage} is currently"
            f" attached to version {holder}, so you must explicitly reference that version in"
            " RemoveFromVersionId."
        )
    if to is None and stage == CURRENT:
        raise invalid_parameter(
            "You can only move staging label AWSCURRENT to a different secret version. It can't be"
            " completely removed."
        )
    keep(context, moved(secret, stage, to))
    return named(context, secret)


def list_versions(context: Context, request: "t.ListSecretVersionIdsRequestTypeDef") -> Response:
    secret = require(context, request["SecretId"])
    wanted = [
        version
        for version in secret.versions
        if version.stages or request.get("IncludeDeprecated", False)
    ]
    some, token = page(wanted, request.get("NextToken"), request.get("MaxResults", PAGE))
    versions = [
        {
            "VersionId": each.id,
            "VersionStages": list(each.stages),
            "CreatedDate": each.created_at,
            "KmsKeyIds": ["DefaultEncryptionKey"],
        }
        for each in some
    ]
    return {"Versions": versions, **token, **named(context, secret)}
