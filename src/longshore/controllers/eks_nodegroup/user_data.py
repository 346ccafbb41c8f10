"""What a node is told when it boots: EKS's part of its user data; pure.

("Customize managed nodes with launch templates", Amazon EC2 user data; `NodeConfig` is that of the
Amazon Linux 2023 images, nodeadm's API.)
"""

import base64
import binascii
import email.policy
import ipaddress
from collections.abc import Mapping, Sequence
from email.message import Message
from email.parser import BytesParser
from typing import Any, NamedTuple

import msgspec

from longshore.controllers.eks_nodegroup.trouble import Trouble
from longshore.model.eks import Cluster, ClusterStatus
from longshore.model.eks_parts import Nodegroup, Taint

BOUNDARY = "//"
NODE_CONFIG = "application/node.eks.aws"
EFFECTS = {
    "NO_SCHEDULE": "NoSchedule",
    "NO_EXECUTE": "NoExecute",
    "PREFER_NO_SCHEDULE": "PreferNoSchedule",
}
DNS_ADDRESS = 10
"""Which address of the services' range is that of the cluster's DNS."""
NODEGROUP_LABEL = "eks.amazonaws.com/nodegroup"
IMAGE_LABEL = "eks.amazonaws.com/nodegroup-image"


class Node(NamedTuple):
    """What nodes of one version of the launch template have in common."""

    image: str
    max_pods: int


def labels(nodegroup: Nodegroup, image: str) -> dict[str, str]:
    """EKS's labels and the user's ("Understand each phase of node updates")."""
    found = {
        NODEGROUP_LABEL: nodegroup.name,
        IMAGE_LABEL: image,
        "eks.amazonaws.com/capacityType": nodegroup.capacity_type,
    }
    if nodegroup.launch_template is not None:
        found["eks.amazonaws.com/sourceLaunchTemplateId"] = nodegroup.launch_template["id"]
        found["eks.amazonaws.com/sourceLaunchTemplateVersion"] = nodegroup.launch_template[
            "version"
        ]
    return {**found, **dict(nodegroup.labels)}


def node_config(
    cluster: Cluster, status: ClusterStatus, nodegroup: Nodegroup, node: Node
) -> dict[str, Any]:
    """The `NodeConfig` by which a node joins the cluster as one of the group."""
    services = ipaddress.ip_network(cluster.service_cidr)
    return {
        "apiVersion": "node.eks.aws/v1alpha1",
        "kind": "NodeConfig",
        "spec": {
            "cluster": {
                "name": cluster.name,
                "apiServerEndpoint": status.endpoint,
                "certificateAuthority": base64.b64encode(status.authority.encode()).decode(),
                "cidr": cluster.service_cidr,
            },
            "kubelet": {
                "config": {
                    "maxPods": node.max_pods,
                    "clusterDNS": [str(services[DNS_ADDRESS])],
                },
                "flags": _flags(nodegroup, node.image),
            },
        },
    }


def _flags(nodegroup: Nodegroup, image: str) -> list[str]:
    pairs = [f"{key}={value}" for key, value in labels(nodegroup, image).items()]
    flags = [f"--node-labels={','.join(pairs)}"]
    if nodegroup.taints:
        flags.append(f"--register-with-taints={','.join(map(_taint, nodegroup.taints))}")
    return flags


def _taint(taint: Taint) -> str:
    value = f"={taint.value}" if taint.value else ""
    return f"{taint.key}{value}:{EFFECTS[taint.effect]}"


def merged(theirs: str, config: Mapping[str, Any]) -> str:
    """The user's parts, then EKS's; both sides base64.

    Raises `Trouble` where the user's data is no MIME multi-part archive.
    """
    own = msgspec.json.format(msgspec.json.encode(config), indent=2)
    parts = [*_parts(theirs), f"Content-Type: {NODE_CONFIG}\n\n{own.decode()}\n".encode()]
    return base64.b64encode(_joined(parts)).decode()


def _joined(parts: Sequence[bytes]) -> bytes:
    boundary = BOUNDARY
    while any(f"--{boundary}".encode() in part for part in parts):
        boundary += "/"
    marker = f"--{boundary}".encode()
    head = f'MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="{boundary}"\n\n'
    body = b"".join(marker + b"\n" + part.rstrip(b"\n") + b"\n\n" for part in parts)
    return head.encode() + body + marker + b"--\n"


def _parts(theirs: str) -> list[bytes]:
    if not theirs:
        return []
    refused = Trouble(
        "Ec2LaunchTemplateInvalidConfiguration",
        "User data was not in the MIME multipart format.",
    )
    try:
        content = base64.b64decode(theirs, validate=True)
    except binascii.Error:
        raise refused from None
    # As it was written: nothing is folded anew, and nothing is decoded.
    policy = email.policy.compat32.clone(linesep="\n", max_line_length=0)
    message = BytesParser(policy=policy).parsebytes(content)
    parts = message.get_payload()
    if not isinstance(parts, list):
        raise refused
    return [part.as_bytes() for part in parts if isinstance(part, Message)]
