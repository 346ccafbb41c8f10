"""Add-ons: to install, describe, list and remove them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from longshore.model import eks
from longshore.model.eks_parts import ADDON, Addon, addon_arn, part_name
from longshore.services.eks.addon_checks import (
    check_addon_built,
    checked_addon_version,
    checked_definition,
    checked_role,
    checked_values,
)
from longshore.services.eks.addon_identities import have_associations
from longshore.services.eks.addon_records import (
    about_addon,
    addon_named,
    addon_shape,
    addons_of,
    put_addon,
)
from longshore.services.eks.failures import in_use
from longshore.services.eks.pages import page
from longshore.services.eks.records import cluster_named, digest
from longshore.services.eks.requests import check_active, made_by
from longshore.services.eks.tags import authorize_tags, checked_tags
from longshore.services.interface import Context, Operation, Response

if TYPE_CHECKING:
    from types_boto3_eks.type_defs import (
        CreateAddonRequestTypeDef,
        DeleteAddonRequestTypeDef,
        DescribeAddonRequestTypeDef,
        ListAddonsRequestTypeDef,
    )


def create_addon(context: Context, request: "CreateAddonRequestTypeDef") -> Response:
    check_addon_built(request)
    cluster = cluster_named(context, request["clusterName"])
    made = _made_before(context, request)
    if made is None:
        check_active(context, cluster)
        made = _addon(context, cluster, request)
        name = part_name(made.cluster, made.name)
        context.tx.create(ADDON, context.account, context.region, name, made)
        have_associations(context, cluster, made, request)
    return {"addon": addon_shape(context, made)}


def _made_before(context: Context, request: "CreateAddonRequestTypeDef") -> Addon | None:
    """The add-on that the same call made; an error where another one did."""
    cluster = request["clusterName"]
    there = addons_of(context, cluster)
    made = made_by(there, request, cluster)
    if made is None and any(addon.name == request["addonName"] for addon in there):
        raise in_use("Addon already exists.", cluster)
    return made


def _addon(context: Context, cluster: eks.Cluster, request: "CreateAddonRequestTypeDef") -> Addon:
    name = request["addonName"]
    definition = checked_definition(name, cluster.name)
    unique = context.ids.uuid()
    arn = addon_arn(context.region, context.account, cluster.name, name, unique)
    authorize_tags(context, arn, request)
    role = request.get("serviceAccountRoleArn", "")
    values = request.get("configurationValues", "")
    return Addon(
        cluster=cluster.name,
        name=name,
        arn=arn,
        id=unique,
        version=checked_addon_version(context, cluster, definition, request.get("addonVersion")),
        created_at=context.now,
        modified_at=context.now,
        resolve_conflicts=request.get("resolveConflicts", "NONE"),
        service_account_role_arn=checked_role(context, role, cluster.name),
        configuration_values=checked_values(definition, values, cluster.name),
        client_token=request.get("clientRequestToken", ""),
        request=digest(request),
        tags=checked_tags((), request.get("tags", {}), "InvalidParameterException"),
    )


def describe_addon(context: Context, request: "DescribeAddonRequestTypeDef") -> Response:
    cluster = cluster_named(context, request["clusterName"])
    addon = addon_named(context, cluster.name, request["addonName"])
    return {"addon": addon_shape(context, addon)}


def list_addons(context: Context, request: "ListAddonsRequestTypeDef") -> Response:
    """Managed ones: self-managed add-ons are the cluster's owner's."""
    cluster = cluster_named(context, request["clusterName"])
    names = [addon.name for addon in addons_of(context, cluster.name)]
    given, following = page(names, request, lambda name: name)
    return {"addons": list(given), **following}


def delete_addon(context: Context, request: "DeleteAddonRequestTypeDef") -> Response:
    """One that is being deleted goes on to be, as it was asked for first."""
    cluster = cluster_named(context, request["clusterName"])
    addon = addon_named(context, cluster.name, request["addonName"])
    if not addon.deleted_at:
        addon = msgspec.structs.replace(
            addon, deleted_at=context.now, preserve=request.get("preserve", False)
        )
        put_addon(context, addon)
    return {"addon": addon_shape(context, addon)}


OPERATIONS: Mapping[str, Operation] = {
    "CreateAddon": about_addon(create_addon),
    "DeleteAddon": about_addon(delete_addon),
    "DescribeAddon": about_addon(describe_addon),
    "ListAddons": list_addons,
}
