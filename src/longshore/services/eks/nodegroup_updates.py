"""Updates of node groups: of what they are asked to be, and of what their nodes run.

("Update a managed node group for your cluster", "Edit a node group configuration", EKS User Guide.)
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from longshore.model import eks
from longshore.model.eks_insights import version_before
from longshore.model.eks_parts import NODEGROUP, Nodegroup, Taint, part_name
from longshore.model.errors import not_built
from longshore.services.eks import nodegroup_software as software
from longshore.services.eks.failures import in_use, invalid_parameter, invalid_request
from longshore.services.eks.nodegroup_checks import (
    MOST_TAINTS,
    UpdateRule,
    changed_scaling,
    check_labels,
    checked_repair,
    checked_taints,
    update_rule,
)
from longshore.services.eks.nodegroup_records import (
    about_nodegroup,
    current_scaling,
    nodegroup_named,
    nodegroup_status,
    nodegroup_update,
    shown_status,
    taint_shape,
)
from longshore.services.eks.records import (
    cluster_named,
    running_version,
    status_of,
    updates_of,
)
from longshore.services.eks.updates import begin, made_before, update_shape
from longshore.services.eks.versions import checked_version, minor_number
from longshore.services.interface import Context, Operation, Response

if TYPE_CHECKING:
    from types_boto3_eks.type_defs import (
        UpdateNodegroupConfigRequestTypeDef,
        UpdateNodegroupVersionRequestTypeDef,
    )

UPDATABLE = frozenset({"ACTIVE", "DEGRADED"})


class Change(NamedTuple):
    """Members of the node group as it is to be, and the (type, value) that the update shows."""

    fields: dict[str, Any]
    params: tuple[tuple[str, str], ...]


def update_nodegroup_config(
    context: Context, request: "UpdateNodegroupConfigRequestTypeDef"
) -> Response:
    if request.get("warmPoolConfig"):
        raise not_built("warm pools of node groups")

    def change(nodegroup: Nodegroup) -> Change:
        changes = [
            part(context, nodegroup, request[member])  # type: ignore[literal-required]
            for member, part in CONFIG.items()
            if request.get(member)
        ]
        if not changes:
            raise invalid_parameter("No changes needed for the node group", nodegroup.cluster)
        fields = {name: value for each in changes for name, value in each.fields.items()}
        return Change(fields, tuple(param for each in changes for param in each.params))

    return _update(context, request, "ConfigUpdate", change)


def update_nodegroup_version(
    context: Context, request: "UpdateNodegroupVersionRequestTypeDef"
) -> Response:
    def change(nodegroup: Nodegroup) -> Change:
        found = _version_change(context, nodegroup, request)
        return found._replace(
            fields={**found.fields, "force_update": bool(request.get("force", False))}
        )

    return _update(context, request, "VersionUpdate", change)


def _update(
    context: Context, request: Any, kind: str, change_of: Callable[[Nodegroup], Change]
) -> Response:
    cluster = cluster_named(context, request["clusterName"]).name
    nodegroup = nodegroup_named(context, cluster, request["nodegroupName"])
    subject = (nodegroup.name, "")
    update = made_before(context, cluster, subject, request)
    if update is None:
        _check_free(context, nodegroup, kind)
        change = change_of(nodegroup)
        update = begin(context, cluster, subject, request, kind, change.params)
        changed = msgspec.structs.replace(nodegroup, modified_at=context.now, **change.fields)
        name = part_name(cluster, nodegroup.name)
        context.tx.put(NODEGROUP, context.account, context.region, name, changed)
    return {"update": update_shape(update)}


def _check_free(context: Context, nodegroup: Nodegroup, kind: str) -> None:
    other = nodegroup_update(context, nodegroup)
    if other is not None:
        raise in_use(
            f"Cannot {kind} because nodegroup {nodegroup.name} currently has update {other.id} in"
            " progress",
            nodegroup.cluster,
        )
    if shown_status(context, nodegroup, nodegroup_status(context, nodegroup)) not in UPDATABLE:
        raise invalid_request(
            "Nodegroup cannot be updated as it is currently not in Active State", nodegroup.cluster
        )


def _scaling(context: Context, nodegroup: Nodegroup, asked: Mapping[str, int]) -> Change:
    before = current_scaling(context, nodegroup, nodegroup_status(context, nodegroup))
    scaling = changed_scaling(before, asked, nodegroup.cluster)
    fields = {
        "min_size": scaling.least,
        "max_size": scaling.most,
        "desired_size": scaling.desired,
    }
    params = (
        ("MinSize", str(scaling.least)),
        ("MaxSize", str(scaling.most)),
        ("DesiredSize", str(scaling.desired)),
    )
    return Change(fields, params)


def _labels(context: Context, nodegroup: Nodegroup, asked: Mapping[str, Any]) -> Change:
    added, removed = asked.get("addOrUpdateLabels", {}), asked.get("removeLabels", ())
    _check_apart(added, removed, "label", nodegroup)
    check_labels(added, nodegroup.cluster)
    kept = {key: value for key, value in nodegroup.labels if key not in set(removed)}
    params = []
    if added:
        params.append(("LabelsToAdd", _json(added)))
    if removed:
        params.append(("LabelsToRemove", _json(list(removed))))
    return Change({"labels": tuple({**kept, **added}.items())}, tuple(params))


def _taints(context: Context, nodegroup: Nodegroup, asked: Mapping[str, Any]) -> Change:
    """A taint takes the place of the one with its key and effect."""
    added = checked_taints(asked.get("addOrUpdateTaints", ()), nodegroup.cluster)
    removed = checked_taints(asked.get("removeTaints", ()), nodegroup.cluster)
    _check_apart(_identities(added), _identities(removed), "taint", nodegroup)
    gone = _identities((*added, *removed))
    kept = [taint for taint in nodegroup.taints if (taint.key, taint.effect) not in gone]
    taints = (*kept, *added)
    if len(taints) > MOST_TAINTS:
        raise invalid_parameter(
            f"A node group can have at most {MOST_TAINTS} taints, not {len(taints)}",
            nodegroup.cluster,
        )
    params = []
    if added:
        params.append(("TaintsToAdd", _json([taint_shape(taint) for taint in added])))
    if removed:
        params.append(("TaintsToRemove", _json([taint_shape(taint) for taint in removed])))
    return Change({"taints": taints}, tuple(params))


def _identities(taints: tuple[Taint, ...]) -> set[tuple[str, str]]:
    return {(taint.key, taint.effect) for taint in taints}


def _check_apart(added: Any, removed: Any, what: str, nodegroup: Nodegroup) -> None:
    both = set(added) & set(removed)
    if both:
        raise invalid_parameter(
            f"The same {what} cannot be added and removed: {sorted(both)[0]}", nodegroup.cluster
        )


def _update_config(context: Context, nodegroup: Nodegroup, asked: Mapping[str, Any]) -> Change:
    before = UpdateRule(
        nodegroup.max_unavailable, nodegroup.max_unavailable_percentage, nodegroup.update_strategy
    )
    rule = update_rule(asked, before, nodegroup.cluster)
    fields = {
        "max_unavailable": rule.unavailable,
        "max_unavailable_percentage": rule.percentage,
        "update_strategy": rule.strategy,
    }
    params = [
        (kind, str(number))
        for kind, number in (
            ("MaxUnavailable", rule.unavailable),
            ("MaxUnavailablePercentage", rule.percentage),
        )
        if number
    ]
    if asked.get("updateStrategy"):
        params.append(("UpdateStrategy", rule.strategy))
    return Change(fields, tuple(params))


def _repair(context: Context, nodegroup: Nodegroup, asked: Mapping[str, Any]) -> Change:
    """What is given is all that there is then."""
    repair = checked_repair(asked, nodegroup.cluster)
    params = [("NodeRepairConfig", _json(repair))]
    if "enabled" in repair:
        params.insert(0, ("NodeRepairEnabled", _json(repair["enabled"])))
    return Change({"repair": repair}, tuple(params))


CONFIG: Mapping[str, Callable[[Context, Nodegroup, Any], Change]] = {
    "labels": _labels,
    "taints": _taints,
    "scalingConfig": _scaling,
    "updateConfig": _update_config,
    "nodeRepairConfig": _repair,
}
"""What UpdateNodegroupConfig may be asked for."""


def _version_change(
    context: Context, nodegroup: Nodegroup, request: "UpdateNodegroupVersionRequestTypeDef"
) -> Change:
    template = _template(context, nodegroup, request)
    fields: dict[str, Any] = {}
    params: list[tuple[str, str]] = []
    if template is not None:
        fields["launch_template"] = template.named
        params += [
            ("LaunchTemplateName", template.named["name"]),
            ("LaunchTemplateVersion", template.named["version"]),
        ]
    if nodegroup.ami_type == software.CUSTOM:
        software.check_without_versions(request, nodegroup.cluster)
        if template is None:
            raise invalid_parameter(
                "Launch template details can't be null for Custom ami type node group",
                nodegroup.cluster,
            )
        return Change({**fields, "release_version": template.image}, tuple(params))
    cluster = cluster_named(context, nodegroup.cluster)
    version = _version(context, nodegroup, cluster, request.get("version"))
    release = software.checked_release(
        context, request.get("releaseVersion"), version, cluster.name
    )
    fields |= {"version": version, "release_version": release}
    return Change(fields, (("Version", version), ("ReleaseVersion", release), *params))


def _template(
    context: Context, nodegroup: Nodegroup, request: "UpdateNodegroupVersionRequestTypeDef"
) -> software.Template | None:
    """Another version of the template that the node group was made with, if one is asked for."""
    asked: Any = request.get("launchTemplate")
    if asked is None:
        return None
    if nodegroup.launch_template is None:
        raise invalid_parameter(
            "You cannot specify a launch template for a node group that was not created with one",
            nodegroup.cluster,
        )
    template = software.user_template(context, asked, nodegroup.cluster)
    if template.named["id"] != nodegroup.launch_template["id"]:
        raise invalid_parameter(
            "The launch template must be the one that the node group was created with",
            nodegroup.cluster,
        )
    if bool(template.image) != (nodegroup.ami_type == software.CUSTOM):
        raise invalid_parameter(
            f"The AMI type {nodegroup.ami_type} of the node group cannot be changed by its launch"
            " template",
            nodegroup.cluster,
        )
    types = template.data.get("InstanceType")
    if types and nodegroup.instance_types:
        raise invalid_request(
            "Cannot specify instance types in launch template and API request", nodegroup.cluster
        )
    software.checked_types(
        nodegroup.instance_types, template, nodegroup.ami_type, nodegroup.cluster
    )
    return template


def _version(
    context: Context, nodegroup: Nodegroup, cluster: eks.Cluster, asked: str | None
) -> str:
    """The cluster's where none is asked for; never a newer one than that, nor an older one than
    nodes run, unless the cluster itself may go back there, or has gone."""
    status = nodegroup_status(context, nodegroup)
    runs = (status.version if status is not None else "") or nodegroup.version
    allowed = running_version(cluster, status_of(context, cluster))
    wanted = checked_version(asked or allowed, cluster.name)
    if minor_number(wanted) > minor_number(allowed):
        raise invalid_parameter(
            f"Nodegroup version {wanted} cannot be newer than the version {allowed} of the cluster",
            cluster.name,
        )
    updates = updates_of(context, cluster.name)
    back = {allowed, version_before(updates, allowed, context.now)}
    if minor_number(wanted) < minor_number(runs) and wanted not in back:
        raise invalid_parameter(
            f"Nodegroup version cannot be changed from {runs} back to {wanted}", cluster.name
        )
    return wanted


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


OPERATIONS: Mapping[str, Operation] = {
    "UpdateNodegroupConfig": about_nodegroup(update_nodegroup_config),
    "UpdateNodegroupVersion": about_nodegroup(update_nodegroup_version),
}
