"""What a node group is made of and somebody has taken away: nothing of it is made again, as on AWS
("Issue", Amazon EKS API Reference)."""

from collections.abc import Iterator

from longshore.controllers.eks_nodegroup import records
from longshore.controllers.eks_nodegroup.template import name_of
from longshore.model import iam
from longshore.model.ec2 import SECURITY_GROUP, SUBNET
from longshore.model.eks import ClusterStatus, Issue
from longshore.model.eks_parts import Nodegroup, NodegroupStatus
from longshore.store.interface import Key, Reader


def missing(
    reader: Reader,
    key: Key,
    nodegroup: Nodegroup,
    running: ClusterStatus,
    status: NodegroupStatus,
) -> list[Issue]:
    """An issue for each thing that is not there any more."""
    return [
        *_of_instances(reader, key, status),
        *_of_network(reader, key, nodegroup, running),
        *_of_role(reader, key, nodegroup),
    ]


def _of_instances(reader: Reader, key: Key, status: NodegroupStatus) -> Iterator[Issue]:
    if status.group and records.group_of(reader, key, status) is None:
        said = f"AutoScalingGroup {status.group} was not found."
        yield Issue("AutoScalingGroupNotFound", said, (status.group,))
    template_id = status.launch_template_id
    if template_id and records.template_of(reader, key, status) is None:
        said = f"The launch template {template_id} of the node group was not found."
        yield Issue("Ec2LaunchTemplateNotFound", said, (template_id,))


def _of_network(
    reader: Reader, key: Key, nodegroup: Nodegroup, running: ClusterStatus
) -> Iterator[Issue]:
    place = (key.account, key.region)
    gone = [each for each in nodegroup.subnets if reader.get(SUBNET, *place, each) is None]
    if gone:
        said = f"The subnets {', '.join(gone)} of the node group were not found."
        yield Issue("Ec2SubnetNotFound", said, tuple(gone))
    group = running.security_group
    if reader.get(SECURITY_GROUP, *place, group) is None:
        said = f"The cluster security group {group} was not found."
        yield Issue("Ec2SecurityGroupNotFound", said, (group,))


def _of_role(reader: Reader, key: Key, nodegroup: Nodegroup) -> Iterator[Issue]:
    name = records.role_name(nodegroup)
    if reader.get(iam.ROLE, key.account, "", name.lower()) is None:
        said = f"The role {nodegroup.node_role} of the nodes was not found."
        yield Issue("IamNodeRoleNotFound", said, (nodegroup.node_role,))
    profile = name_of(nodegroup)
    if reader.get(iam.INSTANCE_PROFILE, key.account, "", profile) is None:
        said = f"The instance profile {profile} of the nodes was not found."
        yield Issue("IamInstanceProfileNotFound", said, (profile,))
