"""IAM's entities in the shapes of its responses.

What lists leave out (tags, boundaries) is left out where `whole` is False.
"""

from typing import Any

from longshore.model import iam
from longshore.services.iam.documents import encoded
from longshore.services.iam.trust import shown_trust
from longshore.services.interface import Context

Shape = dict[str, Any]


def tag_list(tags: iam.Tags) -> list[Shape]:
    return [{"Key": key, "Value": value} for key, value in tags]


def boundary_shape(arn: str) -> Shape:
    return {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": arn}


def _whole(entity: iam.User | iam.Role) -> Shape:
    shape: Shape = {}
    if entity.tags:
        shape["Tags"] = tag_list(entity.tags)
    if entity.boundary:
        shape["PermissionsBoundary"] = boundary_shape(entity.boundary)
    return shape


def user_shape(user: iam.User, *, whole: bool = False) -> Shape:
    return {
        "Path": user.path,
        "UserName": user.name,
        "UserId": user.id,
        "Arn": user.arn,
        "CreateDate": user.created_at,
        **(_whole(user) if whole else {}),
    }


def group_shape(group: iam.Group) -> Shape:
    return {
        "Path": group.path,
        "GroupName": group.name,
        "GroupId": group.id,
        "Arn": group.arn,
        "CreateDate": group.created_at,
    }


def role_shape(context: Context, role: iam.Role, *, whole: bool = False) -> Shape:
    shape: Shape = {
        "Path": role.path,
        "RoleName": role.name,
        "RoleId": role.id,
        "Arn": role.arn,
        "CreateDate": role.created_at,
        "AssumeRolePolicyDocument": encoded(shown_trust(context.tx, context.account, role.trust)),
        "MaxSessionDuration": role.max_session,
        **(_whole(role) if whole else {}),
    }
    if role.description:
        shape["Description"] = role.description
    return shape


def instance_profile_shape(
    context: Context, profile: iam.InstanceProfile, *, whole: bool = False
) -> Shape:
    roles = [
        record.value
        for name in profile.roles
        if (record := context.tx.get(iam.ROLE, context.account, "", name.lower())) is not None
    ]
    shape: Shape = {
        "Path": profile.path,
        "InstanceProfileName": profile.name,
        "InstanceProfileId": profile.id,
        "Arn": profile.arn,
        "CreateDate": profile.created_at,
        "Roles": [role_shape(context, role) for role in roles],
    }
    if whole and profile.tags:
        shape["Tags"] = tag_list(profile.tags)
    return shape


def version_shape(
    policy: iam.Policy, version: iam.PolicyVersion, *, document: bool = False
) -> Shape:
    shape: Shape = {
        "VersionId": version.id,
        "IsDefaultVersion": version.id == policy.default_version,
        "CreateDate": version.created_at,
    }
    if document:
        shape["Document"] = encoded(version.document)
    return shape
