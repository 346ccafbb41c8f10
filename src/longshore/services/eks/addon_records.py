"""Add-ons and their statuses, or EKS's errors that there are none; as the API shows them."""

from typing import Any

from longshore.model import eks
from longshore.model.eks_parts import ADDON, ADDON_STATUS, Addon, AddonStatus, part_name
from longshore.services.eks.failures import about, not_found
from longshore.services.eks.pod_identity_records import associations_of
from longshore.services.eks.records import update_in_progress
from longshore.services.eks.view import issue_shape
from longshore.services.interface import Context


def addon_named(context: Context, cluster: str, name: str) -> Addon:
    record = context.tx.get(ADDON, context.account, context.region, part_name(cluster, name))
    if record is None:
        raise not_found(f"No addon: {name} found in cluster: {cluster}", cluster)
    return record.value


def addons_of(context: Context, cluster: str) -> list[Addon]:
    """A cluster's, ordered by name."""
    place = (context.account, context.region)
    records = context.tx.scan(ADDON, *place, prefix=part_name(cluster, ""))
    return [record.value for record in records]


def put_addon(context: Context, addon: Addon) -> None:
    name = part_name(addon.cluster, addon.name)
    context.tx.put(ADDON, context.account, context.region, name, addon)


def addon_status(context: Context, addon: Addon) -> AddonStatus:
    """What its controller says of it; a new one's while that is nothing."""
    name = part_name(addon.cluster, addon.name)
    record = context.tx.get(ADDON_STATUS, context.account, context.region, name)
    if record is None or record.value.id != addon.id:
        return AddonStatus(id=addon.id)
    return record.value


def addon_update(context: Context, addon: Addon) -> eks.Update | None:
    """The one that is in progress."""
    return update_in_progress(context, addon.cluster, ("", addon.name))


def shown_addon_status(context: Context, addon: Addon) -> str:
    if addon.deleted_at:
        return "DELETING"
    return "UPDATING" if addon_update(context, addon) else addon_status(context, addon).status


def addon_shape(context: Context, addon: Addon) -> dict[str, Any]:
    """An `Addon`."""
    shape: dict[str, Any] = {
        "addonName": addon.name,
        "clusterName": addon.cluster,
        "status": shown_addon_status(context, addon),
        "addonVersion": addon.version,
        "health": {"issues": [issue_shape(issue) for issue in addon_status(context, addon).issues]},
        "addonArn": addon.arn,
        "createdAt": addon.created_at,
        "modifiedAt": addon.modified_at,
        "tags": dict(addon.tags),
    }
    if addon.service_account_role_arn:
        shape["serviceAccountRoleArn"] = addon.service_account_role_arn
    if addon.configuration_values:
        shape["configurationValues"] = addon.configuration_values
    owned = [each.arn for each in associations_of(context, addon.cluster, owner=addon.arn)]
    if owned:
        shape["podIdentityAssociations"] = owned
    return shape


about_addon = about("addonName")
"""Decorates operations on one of these."""
