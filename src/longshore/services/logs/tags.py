"""Tags of log groups, by name (the older operations) and by ARN."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from longshore.model.errors import AwsError
from longshore.model.logs import LOG_GROUP, Tags
from longshore.services.interface import Context, Response
from longshore.services.logs.resources import invalid_parameter, require_group

if TYPE_CHECKING:
    from types_boto3_logs import type_defs as t

MOST_TAGS = 50


def checked(tags: Mapping[str, str]) -> Tags:
    """The tags as they are kept; refuses reserved keys and more than AWS allows."""
    if any(key.lower().startswith("aws:") for key in tags):
        raise invalid_parameter("Tag keys starting with 'aws:' are reserved for AWS use.")
    if len(tags) > MOST_TAGS:
        raise AwsError("TooManyTagsException", "The resource can have no more than 50 tags.")
    return tuple(tags.items())


def list_of_group(context: Context, request: "t.ListTagsLogGroupRequestTypeDef") -> Response:
    return {"tags": dict(require_group(context.tx, context, request).value.tags)}


def list_for_resource(context: Context, request: "t.ListTagsForResourceRequestTypeDef") -> Response:
    return {"tags": dict(require_group(context.tx, context, request).value.tags)}


def tag_group(context: Context, request: "t.TagLogGroupRequestTypeDef") -> Response:
    return _tag(context, request, request["tags"])


def tag_resource(context: Context, request: "t.TagResourceRequestTypeDef") -> Response:
    return _tag(context, request, request["tags"])


def untag_group(context: Context, request: "t.UntagLogGroupRequestTypeDef") -> Response:
    return _untag(context, request, request["tags"])


def untag_resource(context: Context, request: "t.UntagResourceRequestTypeDef") -> Response:
    return _untag(context, request, request["tagKeys"])


def _tag(context: Context, request: Mapping[str, Any], tags: Mapping[str, str]) -> Response:
    checked(tags)
    group = require_group(context.tx, context, request).value
    changed = msgspec.structs.replace(group, tags=checked({**dict(group.tags), **tags}))
    context.tx.put(LOG_GROUP, context.account, context.region, group.name, changed)
    return {}


def _untag(context: Context, request: Mapping[str, Any], keys: Sequence[str]) -> Response:
    group = require_group(context.tx, context, request).value
    left = tuple((key, value) for key, value in group.tags if key not in keys)
    changed = msgspec.structs.replace(group, tags=left)
    context.tx.put(LOG_GROUP, context.account, context.region, group.name, changed)
    return {}
