"""Tags of secrets."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import msgspec

from longshore.model.errors import AwsError
from longshore.model.secretsmanager import Secret, Tags
from longshore.services.interface import Context, Response
from longshore.services.secretsmanager.resources import (
    invalid_parameter,
    keep,
    require_active,
)

if TYPE_CHECKING:
    from types_boto3_secretsmanager import type_defs as t

MOST_TAGS = 50


def checked(tags: "Iterable[t.TagTypeDef]", old: Tags = ()) -> Tags:
    """`old` with these tags added, as they are kept."""
    given = [(each.get("Key", ""), each.get("Value", "")) for each in tags]
    if any(not key or key.lower().startswith("aws:") for key, _ in given):
        raise invalid_parameter("Tag keys must not be empty or start with the prefix aws:")
    kept = tuple(dict((*old, *given)).items())
    if len(kept) > MOST_TAGS:
        raise AwsError("LimitExceededException", "A secret can have no more than 50 tags.")
    return kept


def shown_tags(secret: Secret) -> list[Mapping[str, str]]:
    return [{"Key": key, "Value": value} for key, value in secret.tags]


def add(context: Context, request: "t.TagResourceRequestTypeDef") -> Response:
    secret = require_active(context, request["SecretId"])
    keep(context, msgspec.structs.replace(secret, tags=checked(request["Tags"], secret.tags)))
    return {}


def remove(context: Context, request: "t.UntagResourceRequestTypeDef") -> Response:
    secret = require_active(context, request["SecretId"])
    left = tuple(tag for tag in secret.tags if tag[0] not in request["TagKeys"])
    keep(context, msgspec.structs.replace(secret, tags=left))
    return {}
