"""Roles and their trust policies. Service-linked ones are changed by AWS only."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from longshore.model import iam
from longshore.services.iam.entities import (
    ROLE,
    add,
    arn_of,
    keep,
    new_id,
    remove,
    require,
)
from longshore.services.iam.failures import invalid_input, must_first, unmodifiable
from longshore.services.iam.pages import page
from longshore.services.iam.policies import check_boundary
from longshore.services.iam.tagging import checked_tags
from longshore.services.iam.trust import stored_trust
from longshore.services.iam.views import role_shape
from longshore.services.interface import Context, Operation, Response

if TYPE_CHECKING:
    from types_boto3_iam import type_defs as t

SERVICE_LINKED = "/aws-service-role/"
"""The path that none but service-linked roles have."""


def is_service_linked(role: iam.Role) -> bool:
    return role.path.startswith(SERVICE_LINKED)


def changeable(context: Context, name: str) -> iam.Role:
    """The role; raises UnmodifiableEntity where it is a service-linked one."""
    role = require(context, ROLE, name)
    if is_service_linked(role):
        raise unmodifiable(role.name)
    return role


def create_role(context: Context, request: "t.CreateRoleRequestTypeDef") -> Response:
    name, path = request["RoleName"], request.get("Path", "/")
    if path.startswith(SERVICE_LINKED):
        raise invalid_input(
            f"Path prefix '{SERVICE_LINKED}' can only be used for AWS Service linked Roles"
        )
    boundary = request.get("PermissionsBoundary")
    role = iam.Role(
        name=name,
        path=path,
        id=new_id(ROLE, context.ids),
        arn=arn_of(context.account, ROLE, path, name),
        created_at=context.now,
        trust=stored_trust(context.tx, context.account, request["AssumeRolePolicyDocument"]),
        description=request.get("Description", ""),
        max_session=request.get("MaxSessionDuration", 3600),
        boundary=check_boundary(context, boundary) if boundary else "",
        tags=checked_tags(request.get("Tags", ())),
    )
    return {"Role": role_shape(context, add(context, ROLE, role), whole=True)}


def get_role(context: Context, request: "t.GetRoleRequestTypeDef") -> Response:
    return {"Role": role_shape(context, require(context, ROLE, request["RoleName"]), whole=True)}


def update_role(context: Context, request: "t.UpdateRoleRequestTypeDef") -> Response:
    """What is not given stays as it is."""
    role = require(context, ROLE, request["RoleName"])
    if is_service_linked(role) and "MaxSessionDuration" in request:
        raise unmodifiable(role.name)
    changed = msgspec.structs.replace(
        role,
        description=request.get("Description", role.description),
        max_session=request.get("MaxSessionDuration", role.max_session),
    )
    keep(context, ROLE, changed)
    return {}


def update_role_description(
    context: Context, request: "t.UpdateRoleDescriptionRequestTypeDef"
) -> Response:
    role = require(context, ROLE, request["RoleName"])
    changed = msgspec.structs.replace(role, description=request["Description"])
    keep(context, ROLE, changed)
    return {"Role": role_shape(context, changed, whole=True)}


def update_assume_role_policy(
    context: Context, request: "t.UpdateAssumeRolePolicyRequestTypeDef"
) -> Response:
    role = changeable(context, request["RoleName"])
    trust = stored_trust(context.tx, context.account, request["PolicyDocument"])
    keep(context, ROLE, msgspec.structs.replace(role, trust=trust))
    return {}


def delete_role(context: Context, request: "t.DeleteRoleRequestTypeDef") -> Response:
    role = changeable(context, request["RoleName"])
    profiles = context.tx.find(iam.INSTANCE_PROFILE, context.account, "", "role", role.name.lower())
    if profiles:
        raise must_first("remove roles from instance profile")
    if role.attached:
        raise must_first("detach all policies")
    if role.inline:
        raise must_first("delete policies")
    remove(context, ROLE, role)
    return {}


def list_roles(context: Context, request: "t.ListRolesRequestTypeDef") -> Response:
    prefix = request.get("PathPrefix", "/")
    roles = [
        record.value
        for record in context.tx.scan(iam.ROLE, context.account, "")
        if record.value.path.startswith(prefix)
    ]
    given, more = page(roles, lambda role: role.name.lower(), request)
    return {"Roles": [role_shape(context, role) for role in given], **more}


OPERATIONS: Mapping[str, Operation] = {
    "CreateRole": create_role,
    "GetRole": get_role,
    "UpdateRole": update_role,
    "UpdateRoleDescription": update_role_description,
    "UpdateAssumeRolePolicy": update_assume_role_policy,
    "DeleteRole": delete_role,
    "ListRoles": list_roles,
}
