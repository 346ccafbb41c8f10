"""Managed node groups: to make, describe, list and delete them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from longshore.model import eks
from longshore.model.ec2 import SUBNET
from longshore.model.eks_parts import NODEGROUP, Nodegroup, nodegroup_arn, part_name
from longshore.model.errors import not_built
from longshore.policy.trust import trusts_service
from longshore.services.eks import nodegroup_software as software
from longshore.services.eks.failures import (
    in_use,
    invalid_parameter,
    limit_exceeded,
)
from longshore.services.eks.network import existing_resource
from longshore.services.eks.nodegroup_checks import (
    UpdateRule,
    check_labels,
    check_name,
    checked_repair,
    checked_taints,
    new_scaling,
    update_rule,
)
from longshore.services.eks.nodegroup_records import (
    about_nodegroup,
    nodegroup_named,
    nodegroup_shape,
    nodegroup_update,
    nodegroups_of,
)
from longshore.services.eks.pages import page
from longshore.services.eks.records import (
    cluster_named,
    digest,
    running_version,
    status_of,
    update_in_progress,
)
from longshore.services.eks.requests import check_active, made_by
from longshore.services.eks.roles import pass_role
from longshore.services.eks.tags import authorize_tags, checked_tags
from longshore.services.interface import Context, Operation, Response
from longshore.services.linked_roles import have_linked_role
from longshore.services.roles import role_of_arn
from longshore.vpc.addresses import free_addresses

if TYPE_CHECKING:
    from types_boto3_eks.type_defs import (
        CreateNodegroupRequestTypeDef,
        DeleteNodegroupRequestTypeDef,
        DescribeNodegroupRequestTypeDef,
        ListNodegroupsRequestTypeDef,
    )

MOST_NODEGROUPS = 30
"""Of a cluster ("Amazon EKS service quotas", EKS User Guide)."""
NODE_SERVICE = "ec2.amazonaws.com"
LINKED_SERVICE = "eks-nodegroup.amazonaws.com"
LINKED_ROLE = (
    "AWSServiceRoleForAmazonEKSNodegroup",
    "AWSServiceRoleForAmazonEKSNodegroup",
    "This policy allows Amazon EKS to create and manage Nodegroups",
)
"""Name, AWS's policy and description of the role by which EKS acts ("Using roles for Amazon EKS
node groups", EKS User Guide)."""
FIRST_RULE = UpdateRule(unavailable=1, percentage=0, strategy="DEFAULT")


def create_nodegroup(context: Context, request: "CreateNodegroupRequestTypeDef") -> Response:
    _check_built(request)
    cluster = cluster_named(context, request["clusterName"])
    made = _made_before(context, request)
    if made is None:
        _check_active(context, cluster)
        made = _nodegroup(context, cluster, request)
        name = part_name(made.cluster, made.name)
        context.tx.create(NODEGROUP, context.account, context.region, name, made)
    return {"nodegroup": nodegroup_shape(context, made)}


def _check_built(request: Any) -> None:
    if request.get("warmPoolConfig"):
        raise not_built("warm pools of node groups")
    if request.get("remoteAccess") and not request.get("launchTemplate"):
        raise not_built("remote access to nodes")


def _made_before(context: Context, request: "CreateNodegroupRequestTypeDef") -> Nodegroup | None:
    """The node group that the same call made; an error where another one has the name."""
    cluster, name = request["clusterName"], request["nodegroupName"]
    there = nodegroups_of(context, cluster)
    made = made_by(there, request, cluster)
    if made is not None:
        return made
    if any(nodegroup.name == name for nodegroup in there):
        raise in_use(
            f"NodeGroup already exists with name {name} and cluster name {cluster}", cluster
        )
    if len(there) >= MOST_NODEGROUPS:
        raise limit_exceeded(
            f"The limit of {MOST_NODEGROUPS} node groups in a cluster is reached", cluster
        )
    return None


def _check_active(context: Context, cluster: eks.Cluster) -> None:
    if update_in_progress(context, cluster.name) is not None:
        raise in_use(
            f"Cannot create Nodegroup because cluster {cluster.name} currently has an update in"
            " progress",
            cluster.name,
        )
    check_active(context, cluster)


def _nodegroup(
    context: Context, cluster: eks.Cluster, request: "CreateNodegroupRequestTypeDef"
) -> Nodegroup:
    name, role = request["nodegroupName"], request["nodeRole"]
    check_name(name, cluster.name)
    unique = context.ids.uuid()
    arn = nodegroup_arn(context.region, context.account, cluster.name, name, unique)
    pass_role(context, role, NODE_SERVICE)
    have_linked_role(context, LINKED_SERVICE, *LINKED_ROLE)
    authorize_tags(context, arn, request)
    _check_role(context, role, cluster.name)
    scaling = new_scaling(_plain(request.get("scalingConfig", {})), cluster.name)
    rule = update_rule(request.get("updateConfig", {}), FIRST_RULE, cluster.name)
    check_labels(request.get("labels", {}), cluster.name)
    return Nodegroup(
        cluster=cluster.name,
        name=name,
        arn=arn,
        id=unique,
        created_at=context.now,
        modified_at=context.now,
        node_role=role,
        subnets=_subnets(context, cluster, request),
        min_size=scaling.least,
        max_size=scaling.most,
        desired_size=scaling.desired,
        **_software(context, cluster, request),
        capacity_type=software.checked_capacity(request.get("capacityType", "ON_DEMAND")),
        labels=tuple(request.get("labels", {}).items()),
        taints=checked_taints(_plain(request.get("taints", ())), cluster.name),
        max_unavailable=rule.unavailable,
        max_unavailable_percentage=rule.percentage,
        update_strategy=rule.strategy,
        repair=checked_repair(_plain(request.get("nodeRepairConfig", {})), cluster.name),
        client_token=request.get("clientRequestToken", ""),
        request=digest(request),
        tags=checked_tags((), request.get("tags", {}), "InvalidParameterException"),
    )


def _plain(value: Any) -> Any:
    """A member of a request without its TypedDict."""
    return value


def _check_role(context: Context, role_arn: str, cluster: str) -> None:
    role = role_of_arn(context.tx, role_arn)
    if role is None:
        raise invalid_parameter(f"The role with ARN {role_arn} cannot be found.", cluster)
    if not trusts_service(role.trust, NODE_SERVICE, role_arn):
        raise invalid_parameter(
            f"Following required service principals [{NODE_SERVICE}] were not found in the trust"
            f" relationships of nodeRole {role_arn}",
            cluster,
        )


def _subnets(
    context: Context, cluster: eks.Cluster, request: "CreateNodegroupRequestTypeDef"
) -> tuple[str, ...]:
    """Those of the request, which are in the cluster's VPC and not full."""
    ids = tuple(dict.fromkeys(request["subnets"]))
    if not ids:
        raise invalid_parameter("subnets cannot be empty.", cluster.name)
    subnets = [existing_resource(context, SUBNET, each, cluster.name) for each in ids]
    strange = [subnet.id for subnet in subnets if subnet.vpc_id != cluster.vpc_id]
    if strange:
        raise invalid_parameter(
            f"Subnets [{', '.join(strange)}] are not in the VPC {cluster.vpc_id} of the cluster",
            cluster.name,
        )
    place = (context.account, context.region)
    if not any(free_addresses(context.tx, *place, subnet) > 0 for subnet in subnets):
        raise invalid_parameter(
            f"Subnets [{', '.join(ids)}] do not have free IP addresses", cluster.name
        )
    return ids


def _software(
    context: Context, cluster: eks.Cluster, request: "CreateNodegroupRequestTypeDef"
) -> dict[str, Any]:
    """Members of the node group that say what its nodes are."""
    asked = _plain(request.get("launchTemplate"))
    template = software.user_template(context, asked, cluster.name) if asked is not None else None
    if template is not None:
        software.check_beside_template(request, template, cluster.name)
    if template is not None and template.image:
        software.check_without_versions(request, cluster.name)
        ami_type, version, release = software.CUSTOM, "", template.image
    else:
        ami_type = software.checked_ami_type(
            request.get("amiType", software.AMI_TYPE), cluster.name
        )
        version = _version(context, cluster, request.get("version"))
        release = software.checked_release(
            context, request.get("releaseVersion"), version, cluster.name
        )
    types = request.get("instanceTypes", ())
    return {
        "version": version,
        "release_version": release,
        "ami_type": ami_type,
        "instance_types": software.checked_types(types, template, ami_type, cluster.name),
        "disk_size": software.checked_disk(request.get("diskSize"), template, cluster.name),
        "launch_template": template.named if template is not None else None,
    }


def _version(context: Context, cluster: eks.Cluster, asked: str | None) -> str:
    """A new node group's is its cluster's."""
    runs = running_version(cluster, status_of(context, cluster))
    if asked and asked != runs:
        raise invalid_parameter(
            f"Requested Nodegroup version {asked} is invalid. Allowed version is {runs}",
            cluster.name,
        )
    return runs


def describe_nodegroup(context: Context, request: "DescribeNodegroupRequestTypeDef") -> Response:
    cluster = cluster_named(context, request["clusterName"])
    nodegroup = nodegroup_named(context, cluster.name, request["nodegroupName"])
    return {"nodegroup": nodegroup_shape(context, nodegroup)}


def list_nodegroups(context: Context, request: "ListNodegroupsRequestTypeDef") -> Response:
    cluster = cluster_named(context, request["clusterName"])
    names = [nodegroup.name for nodegroup in nodegroups_of(context, cluster.name)]
    given, following = page(names, request, lambda name: name)
    return {"nodegroups": list(given), **following}


def delete_nodegroup(context: Context, request: "DeleteNodegroupRequestTypeDef") -> Response:
    """Its controller ends the nodes, and removes it after them."""
    cluster = cluster_named(context, request["clusterName"])
    nodegroup = nodegroup_named(context, cluster.name, request["nodegroupName"])
    if nodegroup.deleted_at:
        raise in_use(f"Nodegroup {nodegroup.name} is already being deleted", cluster.name)
    if nodegroup_update(context, nodegroup) is not None:
        raise in_use(
            f"Cannot delete because nodegroup {nodegroup.name} currently has an update in progress",
            cluster.name,
        )
    deleted = msgspec.structs.replace(nodegroup, deleted_at=context.now, modified_at=context.now)
    name = part_name(cluster.name, nodegroup.name)
    context.tx.put(NODEGROUP, context.account, context.region, name, deleted)
    return {"nodegroup": nodegroup_shape(context, deleted)}


OPERATIONS: Mapping[str, Operation] = {
    "CreateNodegroup": about_nodegroup(create_nodegroup),
    "DeleteNodegroup": about_nodegroup(delete_nodegroup),
    "DescribeNodegroup": about_nodegroup(describe_nodegroup),
    "ListNodegroups": list_nodegroups,
}
