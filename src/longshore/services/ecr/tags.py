"""Tags of repositories."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from longshore.images import catalog, failures
from longshore.images.catalog import Home
from longshore.model import ecr
from longshore.model.errors import AwsError
from longshore.services.ecr.resources import home_of_arn
from longshore.services.interface import Context, Operation, Response

if TYPE_CHECKING:
    from types_boto3_ecr.type_defs import (
        ListTagsForResourceRequestTypeDef,
        TagResourceRequestTypeDef,
        UntagResourceRequestTypeDef,
    )

MAX_TAGS = 50
MAX_KEY = 128
MAX_VALUE = 256


def checked_tags(before: ecr.Tags, given: Iterable[Any]) -> ecr.Tags:
    """`before` with the tags `given` over them; raises AWS's errors for what no tag may be."""
    tags = dict(before)
    for tag in given:
        key, value = str(tag["Key"]), str(tag.get("Value", ""))
        if not 0 < len(key) <= MAX_KEY or len(value) > MAX_VALUE or key.lower().startswith("aws:"):
            raise AwsError(
                "InvalidTagParameterException",
                f"Invalid tag: the key '{key[:MAX_KEY]}' or its value does not satisfy the"
                " constraints on tags",
            )
        tags[key] = value
    if len(tags) > MAX_TAGS:
        raise AwsError(
            "TooManyTagsException", f"The number of tags may not be larger than {MAX_TAGS}"
        )
    return tuple(tags.items())


def tag_resource(context: Context, request: "TagResourceRequestTypeDef") -> Response:
    home = _home(request["resourceArn"])
    found = catalog.repository(context.tx, home).value
    _put(context, home, found, checked_tags(found.tags, request["tags"]))
    return {}


def untag_resource(context: Context, request: "UntagResourceRequestTypeDef") -> Response:
    home = _home(request["resourceArn"])
    found = catalog.repository(context.tx, home).value
    gone = set(request["tagKeys"])
    _put(context, home, found, tuple(pair for pair in found.tags if pair[0] not in gone))
    return {}


def list_tags_for_resource(
    context: Context, request: "ListTagsForResourceRequestTypeDef"
) -> Response:
    found = catalog.repository(context.tx, _home(request["resourceArn"])).value
    return {"tags": [{"Key": key, "Value": value} for key, value in found.tags]}


def _home(arn: str) -> Home:
    home = home_of_arn(arn)
    if home is None:
        raise failures.invalid_parameter("resourceArn", "Invalid ARN")
    return home


def _put(context: Context, home: Home, found: ecr.Repository, tags: ecr.Tags) -> None:
    context.tx.put(ecr.REPOSITORY, *home, msgspec.structs.replace(found, tags=tags))


OPERATIONS: Mapping[str, Operation] = {
    "ListTagsForResource": list_tags_for_resource,
    "TagResource": tag_resource,
    "UntagResource": untag_resource,
}
