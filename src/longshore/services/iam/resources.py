"""What each call is about, for IAM ("Actions, resources, and condition keys for AWS IAM").

An entity that there is stands under the ARN it has, whatever case the request writes its name in;
one that there is not, under the ARN it would have with the path `/`.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from longshore.model import iam
from longshore.model.arn import make_arn
from longshore.services.iam.entities import (
    GROUP,
    INSTANCE_PROFILE,
    ROLE,
    USER,
    E,
    Noun,
    arn_of,
    find,
)
from longshore.services.iam.oidc_providers import find_provider, provider_arn
from longshore.services.iam.policies import find_own, policy_arn
from longshore.services.iam.roles import SERVICE_LINKED
from longshore.services.iam.service_linked_roles import linked_name
from longshore.services.interface import Context, Resource, ResourcesOf

Conditions = dict[str, str | list[str]]
CHANGES_POLICIES = frozenset(
    f"{verb}{noun.title}{what}"
    for noun in (USER, ROLE)
    for verb, what in (
        ("Attach", "Policy"),
        ("Detach", "Policy"),
        ("Put", "Policy"),
        ("Delete", "Policy"),
        ("Delete", "PermissionsBoundary"),
    )
)
"""Operations whose `iam:PermissionsBoundary` is the boundary that the entity has now."""


def _given(request: Mapping[str, Any]) -> Conditions:
    """What the request itself says, where a key is for it."""
    conditions: Conditions = {}
    if "PermissionsBoundary" in request:
        conditions["iam:PermissionsBoundary"] = request["PermissionsBoundary"]
    if "TagKeys" in request:
        conditions["aws:TagKeys"] = list(request["TagKeys"])
    return conditions


def _tags(tags: iam.Tags, *prefixes: str) -> Conditions:
    return {f"{prefix}:ResourceTag/{key}": value for key, value in tags for prefix in prefixes}


def _named(context: Context, noun: Noun[E], name: str, request: Mapping[str, Any]) -> Resource:
    found = find(context.tx, context.account, noun, name)
    conditions = _given(request)
    if "PolicyArn" in request:
        conditions["iam:PolicyARN"] = request["PolicyArn"]
    if found is None:
        return Resource(arn=arn_of(context.account, noun, "/", name), conditions=conditions)
    if isinstance(found, iam.User | iam.Role):
        conditions |= _tags(found.tags, "aws", "iam")
        if found.boundary and context.operation in CHANGES_POLICIES:
            conditions["iam:PermissionsBoundary"] = found.boundary
    elif isinstance(found, iam.InstanceProfile):
        conditions |= _tags(found.tags, "aws")
    return Resource(arn=found.arn, conditions=conditions)


def _existing(noun: Noun[E]) -> ResourcesOf:
    """The entity that the request names; of users, the caller where it names none."""

    def resources(context: Context, request: Any) -> Iterable[Resource]:
        name = request.get(noun.parameter)
        if name is None and context.principal.kind == "user":
            name = context.principal.user_name
        return [] if name is None else [_named(context, noun, name, request)]

    return resources


def _created(noun: Noun[E]) -> ResourcesOf:
    def resources(context: Context, request: Any) -> Iterable[Resource]:
        path, name = request.get("Path", "/"), request[noun.parameter]
        arn = arn_of(context.account, noun, path, name)
        return [Resource(arn=arn, conditions=_given(request))]

    return resources


def _updated(noun: Noun[E]) -> ResourcesOf:
    """The entity as it is and as it will be: moving one needs permission at both places."""

    def resources(context: Context, request: Any) -> Iterable[Resource]:
        before = _named(context, noun, request[noun.parameter], request)
        found = find(context.tx, context.account, noun, request[noun.parameter])
        if found is None:
            return [before]
        path = request.get("NewPath", found.path)
        name = request.get(f"New{noun.parameter}", found.name)
        after = arn_of(context.account, noun, path, name)
        return [before, Resource(arn=after, conditions=before.conditions)]

    return resources


def _listed(word: str) -> ResourcesOf:
    def resources(context: Context, request: Any) -> Iterable[Resource]:
        path = request.get("PathPrefix", "/")
        return [Resource(arn=make_arn("iam", "", context.account, f"{word}{path}"))]

    return resources


def _policy(context: Context, request: Any) -> Iterable[Resource]:
    arn = request["PolicyArn"]
    found = find_own(context.tx, context.account, arn)
    tags = _tags(found.tags, "aws") if found is not None else {}
    return [Resource(arn=arn, conditions=_given(request) | tags)]


def _created_policy(context: Context, request: Any) -> Iterable[Resource]:
    arn = policy_arn(context.account, request.get("Path", "/"), request["PolicyName"])
    return [Resource(arn=arn)]


def _provider(context: Context, request: Any) -> Iterable[Resource]:
    arn = request["OpenIDConnectProviderArn"]
    found = find_provider(context.tx, context.account, arn)
    tags = _tags(found.tags, "aws") if found is not None else {}
    return [Resource(arn=arn, conditions=_given(request) | tags)]


def _created_provider(context: Context, request: Any) -> Iterable[Resource]:
    return [Resource(arn=provider_arn(context.account, request["Url"]))]


def _created_linked(context: Context, request: Any) -> Iterable[Resource]:
    service = request["AWSServiceName"]
    name = linked_name(service, request.get("CustomSuffix", ""))
    arn = arn_of(context.account, ROLE, f"{SERVICE_LINKED}{service}/", name)
    return [Resource(arn=arn, conditions={"iam:AWSServiceName": service})]


def _deletion(context: Context, request: Any) -> Iterable[Resource]:
    record = context.tx.get(
        iam.SERVICE_LINKED_ROLE_DELETION, context.account, "", request["DeletionTaskId"]
    )
    return [Resource(arn=record.value.role_arn)] if record is not None else []


def _simulated(context: Context, request: Any) -> Iterable[Resource]:
    return [Resource(arn=request["PolicySourceArn"])]


def _of_principals(noun: Noun[E]) -> Iterable[str]:
    """The operations about one user, group or role."""
    title = noun.title
    yield from (f"Get{title}", f"Delete{title}")
    yield from (f"{verb}{title}Policy" for verb in ("Put", "Get", "Delete", "Attach", "Detach"))
    yield from (f"List{title}Policies", f"ListAttached{title}Policies")


def _of_tagged(title: str) -> Iterable[str]:
    return (f"Tag{title}", f"Untag{title}", f"List{title}Tags")


def _of_bounded(title: str) -> Iterable[str]:
    return (f"Put{title}PermissionsBoundary", f"Delete{title}PermissionsBoundary")


USERS = (
    *_of_principals(USER),
    *_of_tagged("User"),
    *_of_bounded("User"),
    "CreateAccessKey",
    "DeleteAccessKey",
    "ListAccessKeys",
    "ListGroupsForUser",
    "UpdateAccessKey",
)
GROUPS = (*_of_principals(GROUP), "AddUserToGroup", "RemoveUserFromGroup")
ROLES = (
    *_of_principals(ROLE),
    *_of_tagged("Role"),
    *_of_bounded("Role"),
    "DeleteServiceLinkedRole",
    "ListInstanceProfilesForRole",
    "UpdateAssumeRolePolicy",
    "UpdateRole",
    "UpdateRoleDescription",
)
PROFILES = (
    *_of_tagged("InstanceProfile"),
    "AddRoleToInstanceProfile",
    "DeleteInstanceProfile",
    "GetInstanceProfile",
    "RemoveRoleFromInstanceProfile",
)
POLICIES = (
    *_of_tagged("Policy"),
    "CreatePolicyVersion",
    "DeletePolicy",
    "DeletePolicyVersion",
    "GetPolicy",
    "GetPolicyVersion",
    "ListEntitiesForPolicy",
    "ListPolicyVersions",
    "SetDefaultPolicyVersion",
)
PROVIDERS = (
    *_of_tagged("OpenIDConnectProvider"),
    "AddClientIDToOpenIDConnectProvider",
    "DeleteOpenIDConnectProvider",
    "GetOpenIDConnectProvider",
    "RemoveClientIDFromOpenIDConnectProvider",
    "UpdateOpenIDConnectProviderThumbprint",
)
RESOURCES: Mapping[str, ResourcesOf] = {
    **dict.fromkeys(USERS, _existing(USER)),
    **dict.fromkeys(GROUPS, _existing(GROUP)),
    **dict.fromkeys(ROLES, _existing(ROLE)),
    **dict.fromkeys(PROFILES, _existing(INSTANCE_PROFILE)),
    **dict.fromkeys(POLICIES, _policy),
    **dict.fromkeys(PROVIDERS, _provider),
    "CreateUser": _created(USER),
    "CreateGroup": _created(GROUP),
    "CreateRole": _created(ROLE),
    "CreateInstanceProfile": _created(INSTANCE_PROFILE),
    "CreateOpenIDConnectProvider": _created_provider,
    "CreatePolicy": _created_policy,
    "CreateServiceLinkedRole": _created_linked,
    "GetServiceLinkedRoleDeletionStatus": _deletion,
    "UpdateUser": _updated(USER),
    "UpdateGroup": _updated(GROUP),
    "ListUsers": _listed("user"),
    "ListGroups": _listed("group"),
    "ListRoles": _listed("role"),
    "ListInstanceProfiles": _listed("instance-profile"),
    "ListPolicies": _listed("policy"),
    "SimulatePrincipalPolicy": _simulated,
}
