"""Users."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from longshore.model import iam
from longshore.model.errors import AwsError
from longshore.services.iam.entities import (
    USER,
    add,
    arn_of,
    new_id,
    remove,
    rename,
    require,
)
from longshore.services.iam.failures import must_first, validation
from longshore.services.iam.pages import page
from longshore.services.iam.policies import check_boundary
from longshore.services.iam.tagging import checked_tags
from longshore.services.iam.views import user_shape
from longshore.services.interface import Context, Operation, Response
from longshore.store.interface import Record

if TYPE_CHECKING:
    from types_boto3_iam import type_defs as t


def named_user(context: Context, request: Any) -> str:
    """The user that a request is about: the caller, where it names none."""
    if "UserName" in request:
        return str(request["UserName"])
    if context.principal.kind != "user":
        raise validation("Must specify userName when calling with non-User credentials")
    return context.principal.user_name


def keys_of(context: Context, user: iam.User) -> list[Record[iam.AccessKey]]:
    """The user's access keys, the oldest first."""
    index = f"{context.account}/{user.name.lower()}"
    found = context.tx.find(iam.ACCESS_KEY, "", "", "user", index)
    return sorted(found, key=lambda record: (record.value.created_at, record.key.name))


def create_user(context: Context, request: "t.CreateUserRequestTypeDef") -> Response:
    name, path = request["UserName"], request.get("Path", "/")
    boundary = request.get("PermissionsBoundary")
    user = iam.User(
        name=name,
        path=path,
        id=new_id(USER, context.ids),
        arn=arn_of(context.account, USER, path, name),
        created_at=context.now,
        boundary=check_boundary(context, boundary) if boundary else "",
        tags=checked_tags(request.get("Tags", ())),
    )
    return {"User": user_shape(add(context, USER, user), whole=True)}


def get_user(context: Context, request: "t.GetUserRequestTypeDef") -> Response:
    if "UserName" not in request and context.principal.kind == "root":
        raise AwsError(
            "NotImplemented", "Longshore does not describe an account's root user yet.", 501
        )
    return {"User": user_shape(require(context, USER, named_user(context, request)), whole=True)}


def update_user(context: Context, request: "t.UpdateUserRequestTypeDef") -> Response:
    """A new name or path gives a new ARN; id, keys, groups and policies stay."""
    user = require(context, USER, request["UserName"])
    name, path = request.get("NewUserName", user.name), request.get("NewPath", user.path)
    arn = arn_of(context.account, USER, path, name)
    keys = keys_of(context, user)
    rename(context, USER, user, msgspec.structs.replace(user, name=name, path=path, arn=arn))
    for key in keys:
        renamed = msgspec.structs.replace(key.value, user_name=name)
        context.tx.put(iam.ACCESS_KEY, "", "", key.key.name, renamed)
    return {}


def delete_user(context: Context, request: "t.DeleteUserRequestTypeDef") -> Response:
    user = require(context, USER, request["UserName"])
    if user.groups:
        raise must_first("remove users from group")
    if keys_of(context, user):
        raise must_first("delete access keys")
    if user.attached:
        raise must_first("detach all policies")
    if user.inline:
        raise must_first("delete policies")
    remove(context, USER, user)
    return {}


def list_users(context: Context, request: "t.ListUsersRequestTypeDef") -> Response:
    prefix = request.get("PathPrefix", "/")
    users = [
        record.value
        for record in context.tx.scan(iam.USER, context.account, "")
        if record.value.path.startswith(prefix)
    ]
    given, more = page(users, lambda user: user.name.lower(), request)
    return {"Users": [user_shape(user) for user in given], **more}


OPERATIONS: Mapping[str, Operation] = {
    "CreateUser": create_user,
    "GetUser": get_user,
    "UpdateUser": update_user,
    "DeleteUser": delete_user,
    "ListUsers": list_users,
}
