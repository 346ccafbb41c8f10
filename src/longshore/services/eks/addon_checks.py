"""What an add-on may be ("CreateAddon", "UpdateAddon", Amazon EKS API Reference)."""

from typing import Any

from longshore.addons import ADDONS, Addon
from longshore.addons.configuration import Unsupported, checked
from longshore.model import eks
from longshore.model.errors import not_built
from longshore.services.eks.failures import invalid_parameter
from longshore.services.eks.records import running_version, status_of
from longshore.services.eks.roles import EKS_SERVICE, pass_role
from longshore.services.interface import Context
from longshore.services.roles import role_of_arn

NAMESPACE = "kube-system"


def check_addon_built(request: Any) -> None:
    """NotImplemented where the request asks for what there is not."""
    namespace = (request.get("namespaceConfig") or {}).get("namespace", NAMESPACE)
    if namespace != NAMESPACE:
        raise not_built("add-ons in namespaces other than kube-system")


def checked_definition(name: str, cluster: str) -> Addon:
    if name not in ADDONS:
        raise invalid_parameter("Addon specified is not supported", cluster)
    return ADDONS[name]


def checked_addon_version(
    context: Context, cluster: eks.Cluster, definition: Addon, version: str | None
) -> str:
    """The version asked for, or the default one, which must fit what the cluster runs."""
    runs = running_version(cluster, status_of(context, cluster))
    found = definition.version_named(version) if version else definition.version_for(runs)
    if found is None or runs not in found.kubernetes:
        raise invalid_parameter("Addon version specified is not supported", cluster.name)
    return found.name


def checked_role(context: Context, role_arn: str, cluster: str) -> str:
    """A role that there is and that the caller may pass; empty where none is asked for."""
    if not role_arn:
        return ""
    pass_role(context, role_arn, EKS_SERVICE)
    if role_of_arn(context.tx, role_arn) is None:
        raise invalid_parameter(f"The role with ARN {role_arn} cannot be found.", cluster)
    return role_arn


def checked_values(definition: Addon, text: str, cluster: str) -> str:
    try:
        checked(text, definition.schema)
    except Unsupported as failure:
        raise invalid_parameter(
            f"ConfigurationValue provided in request is not supported: {failure}", cluster
        ) from None
    return text
