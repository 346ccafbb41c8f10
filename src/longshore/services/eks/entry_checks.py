"""What an access entry may be ("Create access entries", Amazon EKS User Guide)."""

from collections.abc import Sequence
from typing import NamedTuple

from longshore.model import eks
from longshore.model.errors import not_built
from longshore.services.eks.failures import invalid_parameter

RESERVED = ("system:", "eks:", "aws:", "amazon:", "iam:")
"""What no username and no group of users begins with."""
SESSION_NAMES = ("{{SessionName}}", "{{SessionNameRaw}}")


class NodeType(NamedTuple):
    """A type of entries for roles of nodes: who they are, and to whom the role is passed."""

    username: str
    groups: tuple[str, ...]
    service: str


NODE_TYPES = {
    "EC2_LINUX": NodeType(
        "system:node:{{EC2PrivateDNSName}}", ("system:nodes",), "ec2.amazonaws.com"
    ),
    "FARGATE_LINUX": NodeType(
        "system:node:{{SessionName}}",
        ("system:bootstrappers", "system:nodes", "system:node-proxier"),
        "eks-fargate-pods.amazonaws.com",
    ),
}
UNBUILT_TYPES = {
    "EC2": "EKS Auto Mode's nodes",
    "EC2_WINDOWS": "nodes with Windows",
    "HYBRID_LINUX": "hybrid nodes",
    "HYPERPOD_LINUX": "nodes of SageMaker HyperPod",
}


def check_type(kind: str, cluster: str) -> None:
    if kind in UNBUILT_TYPES:
        raise not_built(f"access entries of {UNBUILT_TYPES[kind]}")
    if kind != "STANDARD" and kind not in NODE_TYPES:
        known = ", ".join(sorted(("STANDARD", *NODE_TYPES, *UNBUILT_TYPES)))
        raise invalid_parameter(f"The type {kind} is invalid, it must be one of [{known}]", cluster)


def check_standard(entry: eks.AccessEntry) -> None:
    """Entries of nodes are neither changed nor given policies."""
    if entry.type != "STANDARD":
        raise invalid_parameter(
            'This operation can only be performed on Access Entries with a type of "STANDARD".',
            entry.cluster,
        )


def check_username(username: str, cluster: str) -> None:
    for prefix in RESERVED:
        if username.startswith(prefix):
            raise invalid_parameter(f"The username must not begin with {prefix}", cluster)
    for name in SESSION_NAMES:
        before, found, _ = username.partition(name)
        if found and ":" not in before:
            raise invalid_parameter(f"The username must contain a colon before {name}", cluster)


def checked_groups(groups: Sequence[str], cluster: str) -> tuple[str, ...]:
    """The groups, each once."""
    for group in groups:
        if not group:
            raise invalid_parameter("A kubernetes group name must not be empty", cluster)
        for prefix in RESERVED:
            if group.startswith(prefix):
                raise invalid_parameter(
                    f"The kubernetes group name {group} is invalid, it cannot start with {prefix}",
                    cluster,
                )
    return tuple(dict.fromkeys(groups))
