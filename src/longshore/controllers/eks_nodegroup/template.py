"""The launch template that a node group's instances are made of; pure but for what it reads."""

from collections.abc import Mapping, Sequence
from typing import Any

from longshore.controllers.eks_nodegroup.trouble import Trouble
from longshore.controllers.eks_nodegroup.user_data import Node, merged, node_config
from longshore.instances import (
    instance_type,
    machine_image,
    machine_images,
    template_of,
    version_of,
)
from longshore.instances.templates import merge
from longshore.model.auto_scaling import GroupTag
from longshore.model.eks import Cluster, ClusterStatus
from longshore.model.eks_parts import Nodegroup
from longshore.model.errors import AwsError
from longshore.store.interface import Reader

CUSTOM = "CUSTOM"
ROOT_DEVICE = "/dev/xvda"
HOP_LIMIT = 2
HOST_PODS = 2
"""Pods with the address of their node that are reckoned with: kube-proxy, and the CNI plugin."""
DEFAULT_TYPE = "t3.medium"
Data = Mapping[str, Any]


def name_of(nodegroup: Nodegroup) -> str:
    """Of its launch template and its instance profile."""
    return f"eks-{nodegroup.id}"


def group_name(nodegroup: Nodegroup) -> str:
    return f"eks-{nodegroup.name}-{nodegroup.id}"


def user_template(reader: Reader, place: tuple[str, str], nodegroup: Nodegroup) -> Data:
    """What the user's launch template says; nothing without one. Raises `Trouble`."""
    named = nodegroup.launch_template
    if named is None:
        return {}
    try:
        template = template_of(reader, *place, {"LaunchTemplateId": named["id"]})
        return version_of(template, named["version"]).data
    except AwsError as error:
        raise Trouble("SourceEc2LaunchTemplateNotFound", error.message, named["id"]) from None


def image_of(place: tuple[str, str], nodegroup: Nodegroup, theirs: Data) -> str:
    """The id of the machine image. Raises `Trouble`."""
    if nodegroup.ami_type != CUSTOM:
        images = machine_images(place[1])
        return next(image.id for image in images if image.kubernetes == nodegroup.version)
    image = str(theirs.get("ImageId", ""))
    if not image.startswith("resolve:") and machine_image(place[1], image) is None:
        raise Trouble("AmiIdNotFound", f"The image id '[{image}]' does not exist", image)
    return image


def types_of(nodegroup: Nodegroup, theirs: Data) -> tuple[str, ...]:
    return nodegroup.instance_types or (str(theirs.get("InstanceType") or DEFAULT_TYPE),)


def max_pods(types: Sequence[str]) -> int:
    """What the least of the types can give addresses to ("Choose an optimal EC2 node instance
    type")."""
    found = [kind for kind in map(instance_type, types) if kind is not None]
    return min((kind.further_addresses for kind in found), default=0) + HOST_PODS


def template_data(
    reader: Reader,
    place: tuple[str, str],
    cluster: Cluster,
    status: ClusterStatus,
    nodegroup: Nodegroup,
) -> dict[str, Any]:
    """A `RequestLaunchTemplateData`: EKS's defaults, the user's own, and what EKS decides.

    Raises `Trouble` where the user's template is not to be had, or does not fit.
    """
    theirs = user_template(reader, place, nodegroup)
    image = image_of(place, nodegroup, theirs)
    data = merge(_defaults(nodegroup), {key: each for key, each in theirs.items() if each})
    data = merge(data, _decided(nodegroup, image))
    if nodegroup.ami_type != CUSTOM:
        node = Node(image, max_pods(types_of(nodegroup, theirs)))
        config = node_config(cluster, status, nodegroup, node)
        data["UserData"] = merged(str(theirs.get("UserData") or ""), config)
    data.pop("InstanceType", None)
    return _with_group(data, status.security_group)


def _defaults(nodegroup: Nodegroup) -> Data:
    found: dict[str, Any] = {
        "MetadataOptions": {"HttpPutResponseHopLimit": HOP_LIMIT, "HttpTokens": "required"}
    }
    if nodegroup.disk_size:
        root = {"VolumeSize": nodegroup.disk_size, "DeleteOnTermination": True}
        found["BlockDeviceMappings"] = [{"DeviceName": ROOT_DEVICE, "Ebs": root}]
    return found


def _decided(nodegroup: Nodegroup, image: str) -> Data:
    tags = [
        {"Key": "eks:cluster-name", "Value": nodegroup.cluster},
        {"Key": "eks:nodegroup-name", "Value": nodegroup.name},
    ]
    return {
        "ImageId": image,
        "IamInstanceProfile": {"Name": name_of(nodegroup)},
        "TagSpecifications": [
            {"ResourceType": kind, "Tags": tags} for kind in ("instance", "volume")
        ],
    }


def _with_group(data: dict[str, Any], group: str) -> dict[str, Any]:
    """With the cluster security group, where the user's template has none of its own."""
    interfaces = data.get("NetworkInterfaces")
    if data.get("SecurityGroupIds") or data.get("SecurityGroups"):
        return data
    if not interfaces:
        return {**data, "SecurityGroupIds": [group]}
    if any(interface.get("Groups") for interface in interfaces):
        return data
    first, *rest = interfaces
    return {**data, "NetworkInterfaces": [{**first, "Groups": [group]}, *rest]}


def mixed_instances(
    nodegroup: Nodegroup, template_id: str, version: int, types: Sequence[str]
) -> dict[str, Any]:
    """The `MixedInstancesPolicy` of the node group's Auto Scaling group."""
    named = {
        "LaunchTemplateId": template_id,
        "LaunchTemplateName": name_of(nodegroup),
        "Version": str(version),
    }
    spot = nodegroup.capacity_type == "SPOT"
    return {
        "LaunchTemplate": {
            "LaunchTemplateSpecification": named,
            "Overrides": [{"InstanceType": kind} for kind in types],
        },
        "InstancesDistribution": {
            "OnDemandAllocationStrategy": "prioritized",
            "OnDemandBaseCapacity": 0,
            "OnDemandPercentageAboveBaseCapacity": 0 if spot else 100,
            "SpotAllocationStrategy": "price-capacity-optimized" if spot else "lowest-price",
        },
    }


def group_tags(nodegroup: Nodegroup) -> tuple[GroupTag, ...]:
    """Which cluster and node group a group is of; the Cluster Autoscaler finds it by them, too."""
    pairs = {
        "eks:cluster-name": nodegroup.cluster,
        "eks:nodegroup-name": nodegroup.name,
        "k8s.io/cluster-autoscaler/enabled": "true",
        f"k8s.io/cluster-autoscaler/{nodegroup.cluster}": "owned",
        f"kubernetes.io/cluster/{nodegroup.cluster}": "owned",
    }
    return tuple(GroupTag(key, value, propagate=True) for key, value in pairs.items())
