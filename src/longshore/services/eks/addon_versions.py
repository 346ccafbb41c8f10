"""The add-ons that clusters may have, their versions, and how each can be configured."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from longshore.addons import ADDONS, Addon, AddonVersion
from longshore.addons.objects import architecture
from longshore.components.pins import KUBERNETES_RELEASES
from longshore.services.eks.addon_checks import NAMESPACE
from longshore.services.eks.failures import invalid_parameter, not_found
from longshore.services.eks.pages import page
from longshore.services.interface import Context, Operation, Response

if TYPE_CHECKING:
    from types_boto3_eks.type_defs import (
        DescribeAddonConfigurationRequestTypeDef,
        DescribeAddonVersionsRequestTypeDef,
    )

PUBLISHER, OWNER = "eks", "aws"


def describe_addon_versions(
    context: Context, request: "DescribeAddonVersionsRequestTypeDef"
) -> Response:
    name, kubernetes = request.get("addonName"), request.get("kubernetesVersion")
    if name and name not in ADDONS:
        raise invalid_parameter("Addon specified is not supported")
    if kubernetes and kubernetes not in KUBERNETES_RELEASES:
        raise invalid_parameter(f"unsupported Kubernetes version {kubernetes}")
    found = [addon for addon in ADDONS.values() if _is_wanted(addon, request)]
    given, following = page(found, request, lambda addon: addon.name)
    return {"addons": [_shape(addon, kubernetes) for addon in given], **following}


def _is_wanted(addon: Addon, request: "DescribeAddonVersionsRequestTypeDef") -> bool:
    return (
        request.get("addonName") in {None, "", addon.name}
        and addon.kind in (request.get("types") or (addon.kind,))
        and PUBLISHER in (request.get("publishers") or (PUBLISHER,))
        and OWNER in (request.get("owners") or (OWNER,))
    )


def _shape(addon: Addon, kubernetes: str | None) -> dict[str, Any]:
    versions = [
        version
        for version in addon.versions
        if kubernetes is None or kubernetes in version.kubernetes
    ]
    return {
        "addonName": addon.name,
        "type": addon.kind,
        "addonVersions": [_version_shape(addon, version, kubernetes) for version in versions],
        "publisher": PUBLISHER,
        "owner": OWNER,
        "defaultNamespace": NAMESPACE,
    }


def _version_shape(addon: Addon, version: AddonVersion, kubernetes: str | None) -> dict[str, Any]:
    return {
        "addonVersion": version.name,
        "architecture": [architecture()],
        "computeTypes": ["ec2"],
        "compatibilities": [
            {
                "clusterVersion": minor,
                "platformVersions": ["*"],
                "defaultVersion": addon.version_for(minor) == version,
            }
            for minor in version.kubernetes
            if kubernetes in {None, minor}
        ],
        "requiresConfiguration": False,
        "requiresIamPermissions": bool(addon.policies),
    }


def describe_addon_configuration(
    context: Context, request: "DescribeAddonConfigurationRequestTypeDef"
) -> Response:
    addon = ADDONS.get(request["addonName"])
    if addon is None:
        raise not_found("Addon specified is not supported", "")
    version = addon.version_named(request["addonVersion"])
    if version is None:
        raise not_found("Addon version specified is not supported", "")
    return {
        "addonName": addon.name,
        "addonVersion": version.name,
        "configurationSchema": msgspec.json.encode(addon.schema).decode(),
        "podIdentityConfiguration": _pod_identity(addon),
    }


def _pod_identity(addon: Addon) -> list[dict[str, Any]]:
    if not addon.policies:
        return []
    account, policies = addon.service_account, list(addon.policies)
    return [{"serviceAccount": account, "recommendedManagedPolicies": policies}]


OPERATIONS: Mapping[str, Operation] = {
    "DescribeAddonConfiguration": describe_addon_configuration,
    "DescribeAddonVersions": describe_addon_versions,
}
