"""Tags of clusters, access entries, node groups, Fargate profiles, add-ons, associations and
identity providers."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from longshore.model import eks
from longshore.model.eks_connected import CONNECTED_CLUSTER, ConnectedCluster
from longshore.model.eks_parts import PodIdentity, part_name
from longshore.model.errors import AwsError
from longshore.services.eks.named import PARTS, Named, named_by_arn
from longshore.services.eks.pod_identity_records import put_association
from longshore.services.eks.records import put_entry
from longshore.services.interface import Context, Operation, Response

if TYPE_CHECKING:
    from types_boto3_eks.type_defs import (
        ListTagsForResourceRequestTypeDef,
        TagResourceRequestTypeDef,
        UntagResourceRequestTypeDef,
    )

MOST_TAGS = 50


def checked_tags(before: eks.Tags, given: Mapping[str, str], code: str) -> eks.Tags:
    """`before` with the tags `given` over them; AwsError of this code for what no tag may be.

    Lengths are in the service's model.
    """
    if any(key.lower().startswith("aws:") for key in given):
        raise AwsError(code, "Tag keys must not begin with aws:")
    tags = {**dict(before), **given}
    if len(tags) > MOST_TAGS:
        raise AwsError(code, f"A resource can have at most {MOST_TAGS} tags, not {len(tags)}")
    return tuple(tags.items())


def authorize_tags(context: Context, arn: str, request: Any) -> None:
    """Who makes something with tags must be allowed to tag it, too."""
    if request.get("tags"):
        context.authorize("eks:TagResource", arn)


def tag_resource(context: Context, request: "TagResourceRequestTypeDef") -> Response:
    found = _named(context, request["resourceArn"])
    _put(context, found, checked_tags(found.tags, request["tags"], "BadRequestException"))
    return {}


def untag_resource(context: Context, request: "UntagResourceRequestTypeDef") -> Response:
    found = _named(context, request["resourceArn"])
    gone = set(request["tagKeys"])
    _put(context, found, tuple(pair for pair in found.tags if pair[0] not in gone))
    return {}


def list_tags_for_resource(
    context: Context, request: "ListTagsForResourceRequestTypeDef"
) -> Response:
    return {"tags": dict(_named(context, request["resourceArn"]).tags)}


def _named(context: Context, arn: str) -> Named:
    found = named_by_arn(context, arn)
    if found is None:
        raise AwsError("NotFoundException", f"No resource found for ARN: {arn}")
    return found


def _put(context: Context, found: Named, tags: eks.Tags) -> None:
    tagged = msgspec.structs.replace(found, tags=tags)
    place = (context.account, context.region)
    if isinstance(tagged, eks.AccessEntry):
        put_entry(context, tagged)
    elif isinstance(tagged, PodIdentity):
        put_association(context, tagged)
    elif isinstance(tagged, ConnectedCluster):
        context.tx.put(CONNECTED_CLUSTER, *place, tagged.name, tagged)
    elif isinstance(tagged, eks.Cluster):
        context.tx.put(eks.CLUSTER, *place, tagged.name, tagged)
    else:
        kind = next(kind for kind in PARTS.values() if isinstance(tagged, kind.type))
        context.tx.put(kind, *place, part_name(tagged.cluster, tagged.name), tagged)


OPERATIONS: Mapping[str, Operation] = {
    "ListTagsForResource": list_tags_for_resource,
    "TagResource": tag_resource,
    "UntagResource": untag_resource,
}
