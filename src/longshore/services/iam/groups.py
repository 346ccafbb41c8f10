"""Groups, and who is in them. Membership is kept with the user."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from longshore.model import iam
from longshore.services.iam.entities import (
    GROUP,
    USER,
    add,
    arn_of,
    find,
    keep,
    new_id,
    remove,
    rename,
    require,
)
from longshore.services.iam.failures import must_first, over_quota
from longshore.services.iam.pages import page
from longshore.services.iam.views import group_shape, user_shape
from longshore.services.interface import Context, Operation, Response

if TYPE_CHECKING:
    from types_boto3_iam import type_defs as t

GROUPS_PER_USER = 10


def members(context: Context, group: iam.Group) -> Sequence[iam.User]:
    found = context.tx.find(iam.USER, context.account, "", "group", group.name.lower())
    return [record.value for record in found]


def create_group(context: Context, request: "t.CreateGroupRequestTypeDef") -> Response:
    name, path = request["GroupName"], request.get("Path", "/")
    group = iam.Group(
        name=name,
        path=path,
        id=new_id(GROUP, context.ids),
        arn=arn_of(context.account, GROUP, path, name),
        created_at=context.now,
    )
    return {"Group": group_shape(add(context, GROUP, group))}


def get_group(context: Context, request: "t.GetGroupRequestTypeDef") -> Response:
    group = require(context, GROUP, request["GroupName"])
    users, more = page(members(context, group), lambda user: user.name.lower(), request)
    return {"Group": group_shape(group), "Users": [user_shape(user) for user in users], **more}


def update_group(context: Context, request: "t.UpdateGroupRequestTypeDef") -> Response:
    """A new name or path gives a new ARN; id, members and policies stay."""
    group = require(context, GROUP, request["GroupName"])
    name, path = request.get("NewGroupName", group.name), request.get("NewPath", group.path)
    arn = arn_of(context.account, GROUP, path, name)
    users = members(context, group)
    rename(context, GROUP, group, msgspec.structs.replace(group, name=name, path=path, arn=arn))
    for user in users:
        groups = tuple(name if _same(each, group.name) else each for each in user.groups)
        keep(context, USER, msgspec.structs.replace(user, groups=groups))
    return {}


def delete_group(context: Context, request: "t.DeleteGroupRequestTypeDef") -> Response:
    group = require(context, GROUP, request["GroupName"])
    if members(context, group):
        raise must_first("remove users from group")
    if group.attached:
        raise must_first("detach all policies")
    if group.inline:
        raise must_first("delete policies")
    remove(context, GROUP, group)
    return {}


def list_groups(context: Context, request: "t.ListGroupsRequestTypeDef") -> Response:
    prefix = request.get("PathPrefix", "/")
    groups = [
        record.value
        for record in context.tx.scan(iam.GROUP, context.account, "")
        if record.value.path.startswith(prefix)
    ]
    given, more = page(groups, lambda group: group.name.lower(), request)
    return {"Groups": [group_shape(group) for group in given], **more}


def add_user_to_group(context: Context, request: "t.AddUserToGroupRequestTypeDef") -> Response:
    """Nothing happens where the user is in the group already."""
    group = require(context, GROUP, request["GroupName"])
    user = require(context, USER, request["UserName"])
    if any(_same(name, group.name) for name in user.groups):
        return {}
    if len(user.groups) >= GROUPS_PER_USER:
        raise over_quota("GroupsPerUser", GROUPS_PER_USER)
    keep(context, USER, msgspec.structs.replace(user, groups=(*user.groups, group.name)))
    return {}


def remove_user_from_group(
    context: Context, request: "t.RemoveUserFromGroupRequestTypeDef"
) -> Response:
    """Nothing happens where the user is not in the group."""
    group = require(context, GROUP, request["GroupName"])
    user = require(context, USER, request["UserName"])
    left = tuple(name for name in user.groups if not _same(name, group.name))
    keep(context, USER, msgspec.structs.replace(user, groups=left))
    return {}


def list_groups_for_user(
    context: Context, request: "t.ListGroupsForUserRequestTypeDef"
) -> Response:
    user = require(context, USER, request["UserName"])
    groups = [
        group
        for name in user.groups
        if (group := find(context.tx, context.account, GROUP, name)) is not None
    ]
    given, more = page(groups, lambda group: group.name.lower(), request)
    return {"Groups": [group_shape(group) for group in given], **more}


def _same(one: str, other: str) -> bool:
    return one.lower() == other.lower()


OPERATIONS: Mapping[str, Operation] = {
    "CreateGroup": create_group,
    "GetGroup": get_group,
    "UpdateGroup": update_group,
    "DeleteGroup": delete_group,
    "ListGroups": list_groups,
    "AddUserToGroup": add_user_to_group,
    "RemoveUserFromGroup": remove_user_from_group,
    "ListGroupsForUser": list_groups_for_user,
}
