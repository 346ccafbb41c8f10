"""GetAccountAuthorizationDetails: everybody and every policy, in pages."""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from longshore.model import iam
from longshore.policy.managed import managed_arns, managed_document
from longshore.services.iam.attachments import attached_shapes
from longshore.services.iam.documents import encoded
from longshore.services.iam.inline import inline_shapes
from longshore.services.iam.pages import page
from longshore.services.iam.policies import AWS_VERSION, attachments, aws_shape, policy_shape
from longshore.services.iam.views import (
    Shape,
    group_shape,
    instance_profile_shape,
    role_shape,
    user_shape,
    version_shape,
)
from longshore.services.interface import Context, Operation, Response

if TYPE_CHECKING:
    from types_boto3_iam import type_defs as t


class Entry(NamedTuple):
    """One entity: the list that it is in, its place there, and its shape once it is wanted."""

    member: str
    key: str
    shape: Callable[[], Shape]


def get_account_authorization_details(
    context: Context, request: "t.GetAccountAuthorizationDetailsRequestTypeDef"
) -> Response:
    wanted = [str(name) for name in request.get("Filter", ())] or [*ENTRIES]
    entries = [entry for name in ENTRIES if name in wanted for entry in ENTRIES[name](context)]
    given, more = page(entries, lambda entry: f"{entry.member}/{entry.key}", request)
    lists: dict[str, list[Shape]] = {
        "UserDetailList": [],
        "GroupDetailList": [],
        "RoleDetailList": [],
        "Policies": [],
    }
    for entry in given:
        lists[entry.member].append(entry.shape())
    return {**lists, **more}


def _users(context: Context) -> Iterable[Entry]:
    for record in context.tx.scan(iam.USER, context.account, ""):
        yield Entry("UserDetailList", record.key.name, _later(_user, record.value))


def _user(user: iam.User) -> Shape:
    return user_shape(user, whole=True) | {
        "UserPolicyList": inline_shapes(user.inline),
        "GroupList": list(user.groups),
        "AttachedManagedPolicies": attached_shapes(user.attached),
    }


def _groups(context: Context) -> Iterable[Entry]:
    for record in context.tx.scan(iam.GROUP, context.account, ""):
        yield Entry("GroupDetailList", record.key.name, _later(_group, record.value))


def _group(group: iam.Group) -> Shape:
    return group_shape(group) | {
        "GroupPolicyList": inline_shapes(group.inline),
        "AttachedManagedPolicies": attached_shapes(group.attached),
    }


def _roles(context: Context) -> Iterable[Entry]:
    for record in context.tx.scan(iam.ROLE, context.account, ""):
        yield Entry("RoleDetailList", record.key.name, _later(_role, context, record.value))


def _role(context: Context, role: iam.Role) -> Shape:
    profiles = context.tx.find(iam.INSTANCE_PROFILE, context.account, "", "role", role.name.lower())
    shape = role_shape(context, role, whole=True) | {
        "RolePolicyList": inline_shapes(role.inline),
        "AttachedManagedPolicies": attached_shapes(role.attached),
        "InstanceProfileList": [
            instance_profile_shape(context, record.value) for record in profiles
        ],
    }
    return {name: value for name, value in shape.items() if name not in NOT_IN_ROLE_DETAILS}


NOT_IN_ROLE_DETAILS = frozenset({"MaxSessionDuration", "Description"})


def _own_policies(context: Context) -> Iterable[Entry]:
    for record in context.tx.scan(iam.POLICY, context.account, ""):
        yield Entry("Policies", record.key.name, _later(_own_policy, context, record.value))


def _own_policy(context: Context, policy: iam.Policy) -> Shape:
    shape = policy_shape(context, policy) | {
        "PolicyVersionList": [
            version_shape(policy, version, document=True) for version in policy.versions
        ]
    }
    return shape | ({"Description": policy.description} if policy.description else {})


def _aws_policies(context: Context) -> Iterable[Entry]:
    """Those of AWS's that are attached to something here."""
    for arn in managed_arns():
        if attachments(context.tx, context.account, arn):
            yield Entry("Policies", arn, _later(_aws_policy, context, arn))


def _aws_policy(context: Context, arn: str) -> Shape:
    version = {
        "VersionId": AWS_VERSION,
        "IsDefaultVersion": True,
        "Document": encoded(managed_document(arn) or ""),
    }
    return aws_shape(context, arn) | {"PolicyVersionList": [version]}


def _later(function: Callable[..., Shape], *arguments: Any) -> Callable[[], Shape]:
    return lambda: function(*arguments)


ENTRIES: Mapping[str, Callable[[Context], Iterable[Entry]]] = {
    "User": _users,
    "Group": _groups,
    "Role": _roles,
    "LocalManagedPolicy": _own_policies,
    "AWSManagedPolicy": _aws_policies,
}
"""By the names of `Filter`."""
OPERATIONS: Mapping[str, Operation] = {
    "GetAccountAuthorizationDetails": get_account_authorization_details,
}
