"""Updates of add-ons ("UpdateAddon", Amazon EKS API Reference)."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from longshore.model import eks
from longshore.model.eks_parts import Addon
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
    put_addon,
    shown_addon_status,
)
from longshore.services.eks.failures import in_use
from longshore.services.eks.records import cluster_named
from longshore.services.eks.requests import check_active
from longshore.services.eks.updates import begin, made_before, update_shape
from longshore.services.interface import Context, Operation, Response

if TYPE_CHECKING:
    from types_boto3_eks.type_defs import UpdateAddonRequestTypeDef

CHANGEABLE = frozenset({"ACTIVE", "DEGRADED", "UPDATE_FAILED"})
"""States in which an add-on is updated; one that was never installed is to be made anew."""
PARAMS = {
    "AddonVersion": "addonVersion",
    "ServiceAccountRoleArn": "serviceAccountRoleArn",
    "ResolveConflicts": "resolveConflicts",
    "ConfigurationValues": "configurationValues",
    "PodIdentityAssociations": "podIdentityAssociations",
}
"""What an update shows of its request."""


def update_addon(context: Context, request: "UpdateAddonRequestTypeDef") -> Response:
    check_addon_built(request)
    cluster = cluster_named(context, request["clusterName"])
    addon = addon_named(context, cluster.name, request["addonName"])
    subject = ("", addon.name)
    update = made_before(context, cluster.name, subject, request)
    if update is None:
        check_active(context, cluster)
        _check_free(context, addon)
        put_addon(context, _changed(context, cluster, addon, request))
        have_associations(context, cluster, addon, request)
        params = _params(request)
        update = begin(context, cluster.name, subject, request, "AddonUpdate", params)
    return {"update": update_shape(update)}


def _params(request: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple((kind, _text(request[name])) for kind, name in PARAMS.items() if name in request)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _check_free(context: Context, addon: Addon) -> None:
    state = shown_addon_status(context, addon)
    if state not in CHANGEABLE:
        raise in_use(
            f"Addon {addon.name} cannot be updated as it is currently in {state} state",
            addon.cluster,
        )


def _changed(
    context: Context, cluster: eks.Cluster, addon: Addon, request: "UpdateAddonRequestTypeDef"
) -> Addon:
    """Version and configuration stay where they are not given; a role does not: without one the
    add-on has the permissions of its node's."""
    definition = checked_definition(addon.name, cluster.name)
    version = addon.version
    if "addonVersion" in request:
        version = checked_addon_version(context, cluster, definition, request["addonVersion"])
    values = request.get("configurationValues", addon.configuration_values)
    role = request.get("serviceAccountRoleArn", "")
    return msgspec.structs.replace(
        addon,
        version=version,
        modified_at=max(context.now, addon.modified_at + 0.001),
        resolve_conflicts=request.get("resolveConflicts", "NONE"),
        service_account_role_arn=checked_role(context, role, cluster.name),
        configuration_values=checked_values(definition, values, cluster.name),
    )


OPERATIONS: Mapping[str, Operation] = {"UpdateAddon": about_addon(update_addon)}
