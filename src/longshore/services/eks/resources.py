"""What each call is about, for IAM.

("Actions, resources, and condition keys for Amazon Elastic Kubernetes Service", Service
Authorization Reference. It names no resource for CreateCluster and ListClusters; what AWS denies,
and lets policies name, is the cluster.) The gateway adds the tags of requests.
"""

from collections.abc import Callable, Iterable, Mapping
from operator import itemgetter
from typing import Any

from longshore.model import eks
from longshore.model.arn import make_arn, parse_arn
from longshore.model.eks_parts import (
    ADDON,
    FARGATE_PROFILE,
    IDENTITY_PROVIDER,
    NODEGROUP,
    POD_IDENTITY,
    addon_arn,
    fargate_profile_arn,
    identity_provider_arn,
    nodegroup_arn,
    part_name,
    pod_identity_arn,
)
from longshore.model.kind import Kind
from longshore.services.eks.named import named_by_arn
from longshore.services.eks.unbuilt import member
from longshore.services.interface import Context, Resource, ResourcesOf

Conditions = dict[str, str | list[str]]
ArnOf = Callable[[str, str, str, str, str], str]
"""Of a part: by region, account, cluster, name and id."""

CREATION_KEYS: Mapping[str, tuple[str, ...]] = {
    "eks:authenticationMode": ("accessConfig", "authenticationMode"),
    "eks:blockStorageEnabled": ("storageConfig", "blockStorage", "enabled"),
    "eks:bootstrapClusterCreatorAdminPermissions": (
        "accessConfig",
        "bootstrapClusterCreatorAdminPermissions",
    ),
    "eks:bootstrapSelfManagedAddons": ("bootstrapSelfManagedAddons",),
    "eks:computeConfigEnabled": ("computeConfig", "enabled"),
    "eks:controlPlaneEgressMode": ("resourcesVpcConfig", "controlPlaneEgressMode"),
    "eks:controlPlaneScalingTier": ("controlPlaneScalingConfig", "tier"),
    "eks:deletionProtection": ("deletionProtection",),
    "eks:elasticLoadBalancingEnabled": (
        "kubernetesNetworkConfig",
        "elasticLoadBalancing",
        "enabled",
    ),
    "eks:endpointPrivateAccess": ("resourcesVpcConfig", "endpointPrivateAccess"),
    "eks:endpointPublicAccess": ("resourcesVpcConfig", "endpointPublicAccess"),
    "eks:kubernetesVersion": ("version",),
    "eks:supportType": ("upgradePolicy", "supportType"),
    "eks:zonalShiftEnabled": ("zonalShiftConfig", "enabled"),
}
"""Condition keys of CreateCluster and the members of the request that they show."""
FIXED_KEYS = frozenset(
    {
        "eks:bootstrapClusterCreatorAdminPermissions",
        "eks:bootstrapSelfManagedAddons",
        "eks:kubernetesVersion",
    }
)
"""Those that UpdateClusterConfig has not."""
CONFIG_KEYS = {key: path for key, path in CREATION_KEYS.items() if key not in FIXED_KEYS}


def _created_cluster(context: Context, request: Any) -> Iterable[Resource]:
    arn = eks.cluster_arn(context.region, context.account, request["name"])
    return [Resource(arn=arn, conditions=_asked_of_cluster(request, CREATION_KEYS))]


def _registered_cluster(context: Context, request: Any) -> Iterable[Resource]:
    return [Resource(arn=eks.cluster_arn(context.region, context.account, request["name"]))]


def _configured_cluster(context: Context, request: Any) -> Iterable[Resource]:
    return [_cluster(context, request["name"], _asked_of_cluster(request, CONFIG_KEYS))]


def _upgraded_cluster(context: Context, request: Any) -> Iterable[Resource]:
    return [_cluster(context, request["name"], {"eks:kubernetesVersion": request["version"]})]


def _asked_of_cluster(request: Any, keys: Mapping[str, tuple[str, ...]]) -> Conditions:
    found = {key: member(request, *path) for key, path in keys.items()}
    return {key: _text(value) for key, value in found.items() if value is not None}


def _text(value: Any) -> str | list[str]:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _every_cluster(context: Context, request: Any) -> Iterable[Resource]:
    return [Resource(arn=eks.cluster_arn(context.region, context.account, "*"))]


def _named_cluster(context: Context, request: Any) -> Iterable[Resource]:
    return [_cluster(context, request["name"], {})]


def _cluster_of_parts(context: Context, request: Any) -> Iterable[Resource]:
    return [_cluster(context, request["clusterName"], {})]


def _cluster_of_new_entry(context: Context, request: Any) -> Iterable[Resource]:
    conditions: Conditions = {
        "eks:accessEntryType": request.get("type", "STANDARD"),
        "eks:principalArn": request["principalArn"],
        **_asked_of_entry(request),
    }
    return [_cluster(context, request["clusterName"], conditions)]


def _cluster(context: Context, name: str, conditions: Conditions) -> Resource:
    arn = eks.cluster_arn(context.region, context.account, name)
    known = named_by_arn(context, arn)
    tags = _tags(known.tags) if known is not None else {}
    return Resource(arn=arn, conditions={**tags, **conditions})


def _named_entry(context: Context, request: Any) -> Iterable[Resource]:
    cluster, principal = request["clusterName"], request["principalArn"]
    name = eks.entry_name(cluster, principal)
    record = context.tx.get(eks.ACCESS_ENTRY, context.account, context.region, name)
    asked: Conditions = {**_asked_of_entry(request), **_asked_of_policy(request)}
    if record is not None:
        return [Resource(arn=record.value.arn, conditions={**_of_entry(record.value), **asked})]
    asked |= {"eks:clusterName": cluster, "eks:principalArn": principal}
    parts = parse_arn(principal)
    kind, owner = (parts.resource_type, parts.account) if parts is not None else ("*", "*")
    resource = f"access-entry/{cluster}/{kind}/{owner}/{principal.rpartition('/')[2]}/*"
    arn = make_arn("eks", context.region, context.account, resource)
    return [Resource(arn=arn, conditions=asked)]


def _of_entry(entry: eks.AccessEntry) -> Conditions:
    return {
        **_tags(entry.tags),
        "eks:accessEntryType": entry.type,
        "eks:clusterName": entry.cluster,
        "eks:kubernetesGroups": list(entry.groups),
        "eks:principalArn": entry.principal_arn,
        "eks:username": entry.username,
    }


def _asked_of_entry(request: Any) -> Conditions:
    asked: Conditions = {}
    if "kubernetesGroups" in request:
        asked["eks:kubernetesGroups"] = list(request["kubernetesGroups"])
    if "username" in request:
        asked["eks:username"] = request["username"]
    return asked


def _asked_of_policy(request: Any) -> Conditions:
    asked: Conditions = {}
    if "policyArn" in request:
        asked["eks:policyArn"] = request["policyArn"]
    scope = request.get("accessScope") or {}
    if "type" in scope:
        asked["eks:accessScope"] = scope["type"]
    if scope.get("namespaces"):
        asked["eks:namespaces"] = list(scope["namespaces"])
    return asked


def _tagged(context: Context, request: Any) -> Iterable[Resource]:
    arn = str(request["resourceArn"])
    found = named_by_arn(context, arn)
    conditions: Conditions = {}
    if isinstance(found, eks.AccessEntry):
        conditions = _of_entry(found)
    elif found is not None:
        conditions = _tags(found.tags)
    if request.get("tagKeys"):
        conditions["aws:TagKeys"] = list(request["tagKeys"])
    return [Resource(arn=arn, conditions=conditions)]


def _cluster_of_new_provider(context: Context, request: Any) -> Iterable[Resource]:
    oidc = request["oidc"]
    conditions: Conditions = {"eks:clientId": oidc["clientId"], "eks:issuerUrl": oidc["issuerUrl"]}
    return [_cluster(context, request["clusterName"], conditions)]


def _named_part(
    kind: Kind[Any], arn: ArnOf, name_of: Callable[[Any], str]
) -> Callable[[Context, Any], Iterable[Resource]]:
    """What calls on a part of a cluster are about, which the request names so."""

    def resources(context: Context, request: Any) -> Iterable[Resource]:
        cluster, name = request["clusterName"], name_of(request)
        place = (context.account, context.region)
        record = context.tx.get(kind, *place, part_name(cluster, name))
        if record is not None:
            return [Resource(arn=record.value.arn, conditions=_tags(record.value.tags))]
        return [Resource(arn=arn(context.region, context.account, cluster, name, "*"))]

    return resources


_named_addon = _named_part(ADDON, addon_arn, itemgetter("addonName"))
_named_nodegroup = _named_part(NODEGROUP, nodegroup_arn, itemgetter("nodegroupName"))
_named_profile = _named_part(FARGATE_PROFILE, fargate_profile_arn, itemgetter("fargateProfileName"))
_named_provider = _named_part(
    IDENTITY_PROVIDER, identity_provider_arn, lambda asked: asked["identityProviderConfig"]["name"]
)


def _named_pod_identity(context: Context, request: Any) -> Iterable[Resource]:
    cluster, part_id = request["clusterName"], request["associationId"]
    arn = pod_identity_arn(context.region, context.account, cluster, part_id)
    place = (context.account, context.region)
    there = context.tx.scan(POD_IDENTITY, *place, prefix=part_name(cluster, ""))
    tags = next((each.value.tags for each in there if each.value.id == part_id), ())
    return [Resource(arn=arn, conditions=_tags(tags))]


def _tags(tags: eks.Tags) -> Conditions:
    return {f"aws:ResourceTag/{key}": value for key, value in tags}


RESOURCES: Mapping[str, ResourcesOf] = {
    **dict.fromkeys(
        (
            "CancelUpdate",
            "DeleteCluster",
            "DeregisterCluster",
            "DescribeCluster",
            "DescribeUpdate",
            "ListUpdates",
        ),
        _named_cluster,
    ),
    **dict.fromkeys(
        (
            "AssociateAccessPolicy",
            "DeleteAccessEntry",
            "DescribeAccessEntry",
            "DisassociateAccessPolicy",
            "ListAssociatedAccessPolicies",
            "UpdateAccessEntry",
        ),
        _named_entry,
    ),
    **dict.fromkeys(("ListTagsForResource", "TagResource", "UntagResource"), _tagged),
    **dict.fromkeys(
        (
            "DeleteNodegroup",
            "DescribeNodegroup",
            "UpdateNodegroupConfig",
            "UpdateNodegroupVersion",
        ),
        _named_nodegroup,
    ),
    **dict.fromkeys(("DeleteFargateProfile", "DescribeFargateProfile"), _named_profile),
    **dict.fromkeys(("DeleteAddon", "DescribeAddon", "UpdateAddon"), _named_addon),
    **dict.fromkeys(
        (
            "DeletePodIdentityAssociation",
            "DescribePodIdentityAssociation",
            "UpdatePodIdentityAssociation",
        ),
        _named_pod_identity,
    ),
    **dict.fromkeys(
        (
            "AssociateEncryptionConfig",
            "DescribeInsight",
            "DescribeInsightsRefresh",
            "ListInsights",
            "StartInsightsRefresh",
        ),
        _cluster_of_parts,
    ),
    **dict.fromkeys(
        ("DescribeIdentityProviderConfig", "DisassociateIdentityProviderConfig"), _named_provider
    ),
    "AssociateIdentityProviderConfig": _cluster_of_new_provider,
    "CreateAccessEntry": _cluster_of_new_entry,
    "CreateAddon": _cluster_of_parts,
    "CreateCluster": _created_cluster,
    "CreateFargateProfile": _cluster_of_parts,
    "CreateNodegroup": _cluster_of_parts,
    "CreatePodIdentityAssociation": _cluster_of_parts,
    "ListAccessEntries": _cluster_of_parts,
    "ListAddons": _cluster_of_parts,
    "ListClusters": _every_cluster,
    "ListFargateProfiles": _cluster_of_parts,
    "ListIdentityProviderConfigs": _cluster_of_parts,
    "ListNodegroups": _cluster_of_parts,
    "ListPodIdentityAssociations": _cluster_of_parts,
    "RegisterCluster": _registered_cluster,
    "UpdateClusterConfig": _configured_cluster,
    "UpdateClusterVersion": _upgraded_cluster,
}
