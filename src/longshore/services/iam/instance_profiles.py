"""Instance profiles: what hands a role to an EC2 instance."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from longshore.model import iam
from longshore.services.iam.entities import (
    INSTANCE_PROFILE,
    ROLE,
    add,
    arn_of,
    keep,
    new_id,
    remove,
    require,
)
from longshore.services.iam.failures import must_first, no_such_entity, over_quota
from longshore.services.iam.pages import page
from longshore.services.iam.roles import changeable
from longshore.services.iam.tagging import checked_tags
from longshore.services.iam.views import instance_profile_shape
from longshore.services.interface import Context, Operation, Response

if TYPE_CHECKING:
    from types_boto3_iam import type_defs as t

INSTANCES_SERVICE = "ec2.amazonaws.com"


def create_instance_profile(
    context: Context, request: "t.CreateInstanceProfileRequestTypeDef"
) -> Response:
    name, path = request["InstanceProfileName"], request.get("Path", "/")
    profile = iam.InstanceProfile(
        name=name,
        path=path,
        id=new_id(INSTANCE_PROFILE, context.ids),
        arn=arn_of(context.account, INSTANCE_PROFILE, path, name),
        created_at=context.now,
        tags=checked_tags(request.get("Tags", ())),
    )
    added = add(context, INSTANCE_PROFILE, profile)
    return {"InstanceProfile": instance_profile_shape(context, added, whole=True)}


def get_instance_profile(
    context: Context, request: "t.GetInstanceProfileRequestTypeDef"
) -> Response:
    profile = require(context, INSTANCE_PROFILE, request["InstanceProfileName"])
    return {"InstanceProfile": instance_profile_shape(context, profile, whole=True)}


def delete_instance_profile(
    context: Context, request: "t.DeleteInstanceProfileRequestTypeDef"
) -> Response:
    profile = require(context, INSTANCE_PROFILE, request["InstanceProfileName"])
    if profile.roles:
        raise must_first("remove roles from instance profile")
    remove(context, INSTANCE_PROFILE, profile)
    return {}


def list_instance_profiles(
    context: Context, request: "t.ListInstanceProfilesRequestTypeDef"
) -> Response:
    prefix = request.get("PathPrefix", "/")
    profiles = [
        record.value
        for record in context.tx.scan(iam.INSTANCE_PROFILE, context.account, "")
        if record.value.path.startswith(prefix)
    ]
    given, more = page(profiles, lambda profile: profile.name.lower(), request)
    return {"InstanceProfiles": [instance_profile_shape(context, each) for each in given], **more}


def list_instance_profiles_for_role(
    context: Context, request: "t.ListInstanceProfilesForRoleRequestTypeDef"
) -> Response:
    role = require(context, ROLE, request["RoleName"])
    found = context.tx.find(iam.INSTANCE_PROFILE, context.account, "", "role", role.name.lower())
    profiles = [record.value for record in found]
    given, more = page(profiles, lambda profile: profile.name.lower(), request)
    return {"InstanceProfiles": [instance_profile_shape(context, each) for each in given], **more}


def add_role_to_instance_profile(
    context: Context, request: "t.AddRoleToInstanceProfileRequestTypeDef"
) -> Response:
    """Whoever does this hands the role to an instance, so `iam:PassRole` must be allowed."""
    profile = require(context, INSTANCE_PROFILE, request["InstanceProfileName"])
    role = changeable(context, request["RoleName"])
    context.authorize("iam:PassRole", role.arn, {"iam:PassedToService": INSTANCES_SERVICE})
    if profile.roles:
        raise over_quota("InstanceSessionsPerInstanceProfile", 1)
    keep(context, INSTANCE_PROFILE, msgspec.structs.replace(profile, roles=(role.name,)))
    return {}


def remove_role_from_instance_profile(
    context: Context, request: "t.RemoveRoleFromInstanceProfileRequestTypeDef"
) -> Response:
    profile = require(context, INSTANCE_PROFILE, request["InstanceProfileName"])
    name = request["RoleName"]
    left = tuple(each for each in profile.roles if each.lower() != name.lower())
    if len(left) == len(profile.roles):
        raise no_such_entity(f"The role with name {name} cannot be found.")
    keep(context, INSTANCE_PROFILE, msgspec.structs.replace(profile, roles=left))
    return {}


OPERATIONS: Mapping[str, Operation] = {
    "CreateInstanceProfile": create_instance_profile,
    "GetInstanceProfile": get_instance_profile,
    "DeleteInstanceProfile": delete_instance_profile,
    "ListInstanceProfiles": list_instance_profiles,
    "ListInstanceProfilesForRole": list_instance_profiles_for_role,
    "AddRoleToInstanceProfile": add_role_to_instance_profile,
    "RemoveRoleFromInstanceProfile": remove_role_from_instance_profile,
}
