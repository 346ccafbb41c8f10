"""Fargate profiles: to make, describe, list and delete them.

("Define which Pods use AWS Fargate when launched", "Amazon EKS Pod execution IAM role", EKS User
Guide.)
"""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from longshore.model import eks
from longshore.model.ec2 import ROUTE_TABLE, SUBNET, Subnet
from longshore.model.eks_parts import (
    FARGATE_PROFILE,
    FargateProfile,
    FargateSelector,
    fargate_profile_arn,
    part_name,
)
from longshore.policy.trust import trusts_service
from longshore.services.eks.failures import (
    in_use,
    invalid_parameter,
    limit_exceeded,
)
from longshore.services.eks.fargate_records import (
    about_profile,
    profile_named,
    profile_shape,
    profiles_of,
    shown_status,
)
from longshore.services.eks.network import existing_resource
from longshore.services.eks.pages import page
from longshore.services.eks.records import cluster_named, digest
from longshore.services.eks.requests import check_active, made_by
from longshore.services.eks.roles import pass_role
from longshore.services.eks.tags import authorize_tags, checked_tags
from longshore.services.interface import Context, Operation, Response
from longshore.services.roles import role_of_arn
from longshore.vpc.projection import route_table_of

if TYPE_CHECKING:
    from types_boto3_eks.type_defs import (
        CreateFargateProfileRequestTypeDef,
        DeleteFargateProfileRequestTypeDef,
        DescribeFargateProfileRequestTypeDef,
        ListFargateProfilesRequestTypeDef,
    )

POD_SERVICE = "eks-fargate-pods.amazonaws.com"
MOST_PROFILES, MOST_SELECTORS, MOST_LABELS = 10, 5, 5
"""Of a cluster, of a profile, of a selector ("Amazon EKS service quotas")."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
RESERVED_NAME = "eks-"
NAMESPACE = re.compile(r"[a-z0-9*?]([a-z0-9*?-]{0,61}[a-z0-9*?])?")
LABEL_NAME = re.compile(r"[A-Za-z0-9*?]([A-Za-z0-9*?_.-]{0,61}[A-Za-z0-9*?])?")
LABEL_PREFIX = re.compile(r"[a-z0-9*?]([a-z0-9*?.-]{0,251}[a-z0-9*?])?")


def create_fargate_profile(
    context: Context, request: "CreateFargateProfileRequestTypeDef"
) -> Response:
    cluster = cluster_named(context, request["clusterName"])
    made = _made_before(context, request)
    if made is None:
        check_active(context, cluster)
        made = _profile(context, cluster, request)
        name = part_name(made.cluster, made.name)
        context.tx.create(FARGATE_PROFILE, context.account, context.region, name, made)
    return {"fargateProfile": profile_shape(context, made)}


def _made_before(
    context: Context, request: "CreateFargateProfileRequestTypeDef"
) -> FargateProfile | None:
    """The profile that the same call made; an error where another one stands in the way."""
    cluster, name = request["clusterName"], request["fargateProfileName"]
    there = profiles_of(context, cluster)
    made = made_by(there, request, cluster)
    if made is not None:
        return made
    if any(profile.name == name for profile in there):
        message = "A Fargate Profile already exists with this name in this cluster."
        raise in_use(message, cluster)
    for profile in there:
        status = shown_status(context, profile)
        if status in {"CREATING", "DELETING"}:
            raise in_use(
                f"Cannot create Fargate Profile {name} because cluster {cluster} currently has"
                f" Fargate profile {profile.name} in status {status}",
                cluster,
            )
    if len(there) >= MOST_PROFILES:
        raise limit_exceeded(
            f"The limit of {MOST_PROFILES} Fargate profiles in a cluster is reached", cluster
        )
    return None


def _profile(
    context: Context, cluster: eks.Cluster, request: "CreateFargateProfileRequestTypeDef"
) -> FargateProfile:
    name, role = request["fargateProfileName"], request["podExecutionRoleArn"]
    _check_name(name, cluster.name)
    unique = context.ids.uuid()
    arn = fargate_profile_arn(context.region, context.account, cluster.name, name, unique)
    pass_role(context, role, POD_SERVICE)
    authorize_tags(context, arn, request)
    _check_role(context, role, cluster.name, arn)
    return FargateProfile(
        cluster=cluster.name,
        name=name,
        arn=arn,
        id=unique,
        created_at=context.now,
        role_arn=role,
        subnets=_subnets(context, cluster, request.get("subnets", ())),
        selectors=_selectors(request.get("selectors", ()), cluster.name),
        client_token=request.get("clientRequestToken", ""),
        request=digest(request),
        tags=checked_tags((), request.get("tags", {}), "InvalidParameterException"),
    )


def _check_name(name: str, cluster: str) -> None:
    if not NAME.fullmatch(name):
        raise invalid_parameter(
            "The fargateProfileName parameter contains invalid characters. It should begin with"
            " letter or digit and can have any of the following characters: letters, digits,"
            " hyphens and underscores.",
            cluster,
        )
    if name.startswith(RESERVED_NAME):
        raise invalid_parameter(
            f"The fargateProfileName must not begin with {RESERVED_NAME}", cluster
        )


def _check_role(context: Context, role_arn: str, cluster: str, arn: str) -> None:
    role = role_of_arn(context.tx, role_arn)
    if role is None:
        raise invalid_parameter(f"The role with ARN {role_arn} cannot be found.", cluster)
    if not trusts_service(role.trust, POD_SERVICE, role_arn, arn):
        raise invalid_parameter(
            "Misconfigured PodExecutionRole Trust Policy; Please add the"
            f" {POD_SERVICE} Service Principal",
            cluster,
        )


def _subnets(context: Context, cluster: eks.Cluster, asked: Sequence[str]) -> tuple[str, ...]:
    """Those of the request, which are the cluster's VPC's and private; without any, the private
    ones of the cluster."""
    ids = tuple(dict.fromkeys(asked))
    subnets = [existing_resource(context, SUBNET, each, cluster.name) for each in ids]
    for subnet in subnets:
        if subnet.vpc_id != cluster.vpc_id:
            raise invalid_parameter(
                f"Subnet {subnet.id} provided in Fargate Profile does not belong to the VPC of the"
                " cluster",
                cluster.name,
            )
        if not _is_private(context, subnet):
            raise invalid_parameter(
                f"Subnet {subnet.id} provided in Fargate Profile is not a private subnet",
                cluster.name,
            )
    if ids:
        return ids
    place = (context.account, context.region)
    own = [context.tx.get(SUBNET, *place, each) for each in cluster.subnets]
    found = tuple(
        each.value.id for each in own if each is not None and _is_private(context, each.value)
    )
    if not found:
        raise invalid_parameter("Fargate Profile has no private subnets", cluster.name)
    return found


def _is_private(context: Context, subnet: Subnet) -> bool:
    """Whether no route of it leads to an internet gateway."""
    place = (context.account, context.region)
    tables = context.tx.find(ROUTE_TABLE, *place, "vpc", subnet.vpc_id)
    table = route_table_of(subnet.id, [record.value for record in tables])
    routes = table.routes if table is not None else ()
    return not any(route.target.startswith("igw-") for route in routes)


def _selectors(asked: Sequence[Any], cluster: str) -> tuple[FargateSelector, ...]:
    if not 1 <= len(asked) <= MOST_SELECTORS:
        raise invalid_parameter(
            f"A Fargate Profile must have from 1 to {MOST_SELECTORS} selectors, not {len(asked)}",
            cluster,
        )
    return tuple(_selector(each, cluster) for each in asked)


def _selector(asked: Mapping[str, Any], cluster: str) -> FargateSelector:
    """The namespace, and labels' keys and values, may have `*` and `?` in them."""
    namespace, labels = asked.get("namespace", ""), dict(asked.get("labels") or {})
    if not namespace:
        raise invalid_parameter("Fargate Profile selectors must have a namespace", cluster)
    if not NAMESPACE.fullmatch(namespace):
        raise invalid_parameter(f"Invalid namespace in selector: {namespace}", cluster)
    if len(labels) > MOST_LABELS:
        raise invalid_parameter(
            f"A selector can have at most {MOST_LABELS} labels, not {len(labels)}", cluster
        )
    for key, value in labels.items():
        prefix, slash, name = key.rpartition("/")
        if not LABEL_NAME.fullmatch(name) or (slash and not LABEL_PREFIX.fullmatch(prefix)):
            raise invalid_parameter(f"Invalid label key in selector: {key}", cluster)
        if value and not LABEL_NAME.fullmatch(value):
            raise invalid_parameter(f"Invalid label value in selector: {value}", cluster)
    return FargateSelector(namespace, tuple(labels.items()))


def describe_fargate_profile(
    context: Context, request: "DescribeFargateProfileRequestTypeDef"
) -> Response:
    cluster = cluster_named(context, request["clusterName"])
    profile = profile_named(context, cluster.name, request["fargateProfileName"])
    return {"fargateProfile": profile_shape(context, profile)}


def list_fargate_profiles(
    context: Context, request: "ListFargateProfilesRequestTypeDef"
) -> Response:
    cluster = cluster_named(context, request["clusterName"])
    names = [profile.name for profile in profiles_of(context, cluster.name)]
    given, following = page(names, request, lambda name: name)
    return {"fargateProfileNames": list(given), **following}


def delete_fargate_profile(
    context: Context, request: "DeleteFargateProfileRequestTypeDef"
) -> Response:
    """Its controller deletes its pods, and removes it after them."""
    cluster = cluster_named(context, request["clusterName"])
    profile = profile_named(context, cluster.name, request["fargateProfileName"])
    for other in profiles_of(context, cluster.name):
        status = shown_status(context, other)
        if status == "DELETING" or (other.name != profile.name and status == "CREATING"):
            raise in_use(
                f"Cannot delete Fargate Profile {profile.name} because cluster {cluster.name}"
                f" currently has Fargate profile {other.name} in status {status}",
                cluster.name,
            )
    deleted = msgspec.structs.replace(profile, deleted_at=context.now)
    name = part_name(cluster.name, profile.name)
    context.tx.put(FARGATE_PROFILE, context.account, context.region, name, deleted)
    return {"fargateProfile": profile_shape(context, deleted)}


OPERATIONS: Mapping[str, Operation] = {
    "CreateFargateProfile": about_profile(create_fargate_profile),
    "DeleteFargateProfile": about_profile(delete_fargate_profile),
    "DescribeFargateProfile": about_profile(describe_fargate_profile),
    "ListFargateProfiles": list_fargate_profiles,
}
