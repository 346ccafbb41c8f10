"""ListSecrets and BatchGetSecretValue."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from longshore.base.sealing import Sealer
from longshore.model.errors import AwsError
from longshore.model.secretsmanager import SECRET, Secret
from longshore.services.interface import Context, Response
from longshore.services.secretsmanager.pages import page
from longshore.services.secretsmanager.resources import (
    arn_of,
    invalid_parameter,
    require_active,
)
from longshore.services.secretsmanager.secrets import summary
from longshore.services.secretsmanager.values import shown, version_of

if TYPE_CHECKING:
    from types_boto3_secretsmanager import type_defs as t

PAGE = 100
BATCH_PAGE = 20
SORTED_BY = {
    "created-date": lambda secret: secret.created_at,
    "last-accessed-date": lambda secret: secret.accessed_at,
    "last-changed-date": lambda secret: secret.changed_at,
    "name": lambda secret: secret.name,
}


def list_secrets(context: Context, request: "t.ListSecretsRequestTypeDef") -> Response:
    found = [
        secret
        for secret in _matching(context, request.get("Filters") or ())
        if not secret.deletes_at or request.get("IncludePlannedDeletion")
    ]
    found.sort(
        key=SORTED_BY[request.get("SortBy", "created-date")],
        reverse=request.get("SortOrder", "desc") == "desc",
    )
    some, token = page(found, request.get("NextToken"), request.get("MaxResults", PAGE))
    return {"SecretList": [_listed(context, secret) for secret in some], **token}


def _listed(context: Context, secret: Secret) -> dict[str, Any]:
    stages = {each.id: list(each.stages) for each in secret.versions if each.stages}
    told = summary(context, secret)
    return {**told, "SecretVersionsToStages": stages} if stages else told


def _matching(context: Context, filters: Sequence[Mapping[str, Any]]) -> list[Secret]:
    records = context.tx.scan(SECRET, context.account, context.region)
    return [
        record.value
        for record in records
        if not 0 < record.value.deletes_at <= context.now
        and all(_passes(record.value, each, context.region) for each in filters)
    ]


def _passes(secret: Secret, given: Mapping[str, Any], region: str) -> bool:
    """Whether one of the filter's values fits; `!` before a value turns it round."""
    texts = _texts(secret, region)
    key = given.get("Key")
    candidates = texts.get(str(key), [])
    if key == "all":
        candidates = [text for name in texts for text in texts[name] if name != "primary-region"]
    return any(_fits(candidates, str(key), value) for value in given.get("Values") or ())


def _fits(candidates: Sequence[str], key: str, value: str) -> bool:
    if value.startswith("!"):
        return not _fits(candidates, key, value[1:])
    if key in {"description", "all"}:
        # Word by word, whatever the case; names and tags are compared from their start, exactly.
        wanted = value.lower()
        return any(wanted in text.lower() for text in candidates)
    return any(text.startswith(value) for text in candidates)


def _texts(secret: Secret, region: str) -> dict[str, list[str]]:
    return {
        "name": [secret.name],
        "description": [secret.description],
        "tag-key": [key for key, _ in secret.tags],
        "tag-value": [value for _, value in secret.tags],
        "primary-region": [region],
    }


def get_batch(
    sealer: Sealer, context: Context, request: "t.BatchGetSecretValueRequestTypeDef"
) -> Response:
    ids, filters = request.get("SecretIdList"), request.get("Filters")
    if bool(ids) == bool(filters):
        raise invalid_parameter("You must specify either SecretIdList or Filters, and not both.")
    if filters:
        ids = [secret.name for secret in _matching(context, filters) if not secret.deletes_at]
    some, token = page(ids or (), request.get("NextToken"), request.get("MaxResults", BATCH_PAGE))
    values, errors = [], []
    for secret_id in some:
        try:
            values.append(_value(sealer, context, secret_id))
        except AwsError as error:
            problem = {"SecretId": secret_id, "ErrorCode": error.code, "Message": error.message}
            errors.append(problem)
    return {"SecretValues": values, "Errors": errors, **token}


def _value(sealer: Sealer, context: Context, secret_id: str) -> dict[str, Any]:
    secret = require_active(context, secret_id)
    # The call itself is allowed by BatchGetSecretValue; each value by GetSecretValue.
    context.authorize("secretsmanager:GetSecretValue", arn_of(context, secret))
    return shown(sealer, context, secret, version_of(secret, None, None))
