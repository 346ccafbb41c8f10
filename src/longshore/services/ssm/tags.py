"""Tags of parameters. Of the other resource types that can be tagged here, none exists yet."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec

from longshore.model.errors import AwsError
from longshore.model.ssm import Parameter, Tags
from longshore.services.interface import Context, Response
from longshore.services.ssm.names import find, keep, reference, validation

if TYPE_CHECKING:
    from types_boto3_ssm import type_defs as t

MOST_TAGS = 50


def checked(tags: Iterable[tuple[str, str]]) -> Tags:
    """The tags as they are kept: the last of a key counts."""
    kept = tuple(dict(tags).items())
    if any(key.lower().startswith("aws:") for key, _ in kept):
        raise validation("Tag keys starting with 'aws:' are reserved for internal use.")
    if len(kept) > MOST_TAGS:
        raise AwsError("TooManyTagsError", "The parameter can have no more than 50 tags.")
    return kept


def _parameter(context: Context, resource_type: str, resource_id: str) -> Parameter:
    found = None
    if resource_type == "Parameter":
        found = find(context, reference(resource_id))
    if found is None:
        raise AwsError(
            "InvalidResourceId",
            "The resource ID isn't valid. Verify that you entered the correct ID and try again.",
        )
    return found


def add(context: Context, request: "t.AddTagsToResourceRequestTypeDef") -> Response:
    parameter = _parameter(context, request["ResourceType"], request["ResourceId"])
    given = [(each["Key"], each["Value"]) for each in request["Tags"]]
    checked(given)
    tags = checked((*parameter.tags, *given))
    keep(context, msgspec.structs.replace(parameter, tags=tags))
    return {}


def remove(context: Context, request: "t.RemoveTagsFromResourceRequestTypeDef") -> Response:
    parameter = _parameter(context, request["ResourceType"], request["ResourceId"])
    left = tuple(tag for tag in parameter.tags if tag[0] not in request["TagKeys"])
    keep(context, msgspec.structs.replace(parameter, tags=left))
    return {}


def list_tags(context: Context, request: "t.ListTagsForResourceRequestTypeDef") -> Response:
    parameter = _parameter(context, request["ResourceType"], request["ResourceId"])
    return {"TagList": [{"Key": key, "Value": value} for key, value in parameter.tags]}
