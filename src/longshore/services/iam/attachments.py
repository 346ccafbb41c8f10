"""Managed policies attached to users, groups and roles."""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from longshore.model import iam
from longshore.policy.managed import is_managed
from longshore.services.iam.entities import GROUP, ROLE, USER, Noun, Principal, keep, require
from longshore.services.iam.failures import no_such_entity, over_quota, unmodifiable
from longshore.services.iam.pages import page
from longshore.services.iam.policies import check_arn, check_attachable, exists, path_and_name
from longshore.services.iam.roles import is_service_linked
from longshore.services.iam.views import Shape
from longshore.services.interface import Context, Operation, Response

if TYPE_CHECKING:
    from types_boto3_iam import type_defs as t

POLICIES_PER_ENTITY = 10


def changeable_entity(context: Context, noun: Noun[Principal], request: Any) -> Principal:
    """The entity that a request names, if its policies may be changed."""
    entity = require(context, noun, request[noun.parameter])
    if isinstance(entity, iam.Role) and is_service_linked(entity):
        raise unmodifiable(entity.name)
    return entity


def attached_shapes(arns: Iterable[str]) -> list[Shape]:
    return [{"PolicyName": path_and_name(arn)[1], "PolicyArn": arn} for arn in arns]


def _attach(noun: Noun[Principal], context: Context, request: Any) -> Response:
    """Nothing happens where it is attached already."""
    entity = changeable_entity(context, noun, request)
    arn = request["PolicyArn"]
    check_attachable(context, arn)
    attached: tuple[str, ...] = entity.attached
    if arn in attached:
        return {}
    if len(attached) >= POLICIES_PER_ENTITY:
        raise over_quota(f"PoliciesPer{noun.title}", POLICIES_PER_ENTITY)
    keep(context, noun, msgspec.structs.replace(entity, attached=(*attached, arn)))
    return {}


def _detach(noun: Noun[Principal], context: Context, request: Any) -> Response:
    entity, arn = changeable_entity(context, noun, request), request["PolicyArn"]
    check_arn(arn)
    if arn not in entity.attached:
        raise no_such_entity(f"Policy {arn} was not found.")
    left = tuple(each for each in entity.attached if each != arn)
    keep(context, noun, msgspec.structs.replace(entity, attached=left))
    return {}


def _list(noun: Noun[Principal], context: Context, request: Any) -> Response:
    entity = require(context, noun, request[noun.parameter])
    prefix = request.get("PathPrefix", "/")
    arns = [arn for arn in entity.attached if path_and_name(arn)[0].startswith(prefix)]
    given, more = page(arns, str, request)
    return {"AttachedPolicies": attached_shapes(given), **more}


def _operations(noun: Noun[Principal]) -> Mapping[str, Operation]:
    return {
        f"Attach{noun.title}Policy": partial(_attach, noun),
        f"Detach{noun.title}Policy": partial(_detach, noun),
        f"ListAttached{noun.title}Policies": partial(_list, noun),
    }


def list_entities_for_policy(
    context: Context, request: "t.ListEntitiesForPolicyRequestTypeDef"
) -> Response:
    """Groups, roles and users, in this order over all pages."""
    arn = request["PolicyArn"]
    check_arn(arn)
    if not exists(context.tx, context.account, arn):
        raise no_such_entity(f"Policy {arn} was not found.")
    given, more = page(
        _entities(context, arn, request), lambda pair: f"{pair[0]}/{pair[1].name.lower()}", request
    )
    lists: dict[str, list[Shape]] = {"PolicyGroups": [], "PolicyRoles": [], "PolicyUsers": []}
    for title, entity in given:
        lists[f"Policy{title}s"].append({f"{title}Name": entity.name, f"{title}Id": entity.id})
    return {**lists, **more}


def _entities(
    context: Context, arn: str, request: Any
) -> Iterable[tuple[str, iam.User | iam.Group | iam.Role]]:
    usage, wanted = request.get("PolicyUsageFilter", ""), request.get("EntityFilter", "")
    prefix = request.get("PathPrefix", "/")
    if wanted in {"LocalManagedPolicy", "AWSManagedPolicy"}:
        if (wanted == "AWSManagedPolicy") != is_managed(arn):
            return
        wanted = ""
    for noun in (GROUP, ROLE, USER):
        if wanted not in {"", noun.title}:
            continue
        for entity in _using(context, noun.kind, arn, usage):
            if entity.path.startswith(prefix):
                yield noun.title, entity


def _using(context: Context, kind: Any, arn: str, usage: str) -> Iterable[Any]:
    """Entities of this kind that have the policy attached, or as their boundary."""
    found = {}
    indexes = {"PermissionsPolicy": ["policy"], "PermissionsBoundary": ["boundary"]}
    for index in indexes.get(usage, ["policy", "boundary"]):
        if index in kind.indexes:
            for record in context.tx.find(kind, context.account, "", index, arn):
                found[record.key.name] = record.value
    return found.values()


OPERATIONS: Mapping[str, Operation] = {
    **_operations(USER),
    **_operations(GROUP),
    **_operations(ROLE),
    "ListEntitiesForPolicy": list_entities_for_policy,
}
