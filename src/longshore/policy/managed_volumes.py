"""What the AWS-managed policy `AmazonEBSCSIDriverPolicy` allows: to describe, to make volumes and
snapshots that say whose they are, and to delete such ones alone."""

from collections.abc import Mapping
from typing import Any

Statement = Mapping[str, Any]
DESCRIBE_VOLUMES = (
    "ec2:DescribeAvailabilityZones",
    "ec2:DescribeInstances",
    "ec2:DescribeSnapshots",
    "ec2:DescribeTags",
    "ec2:DescribeVolumes",
    "ec2:DescribeVolumesModifications",
    "ec2:DescribeVolumeStatus",
)
_VOLUMES, _SNAPSHOTS = "arn:aws:ec2:*:*:volume/*", "arn:aws:ec2:*:*:snapshot/*"
_INSTANCES = "arn:aws:ec2:*:*:instance/*"
_CLUSTER = ("ebs.csi.aws.com/cluster", "true")
_TAGS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "volume": (_CLUSTER, ("CSIVolumeName", "*")),
    "snapshot": (("CSIVolumeSnapshotName", "*"), _CLUSTER),
}


def _statement(actions: list[str], resources: list[str], **condition: Any) -> Statement:
    found: dict[str, Any] = {"Effect": "Allow", "Action": actions, "Resource": resources}
    return {**found, "Condition": condition} if condition else found


def _tagged(kind: str, resource: str, action: str, key: str) -> list[Statement]:
    """One statement for each of the tags that will do."""
    return [
        _statement([action], [resource], StringLike={f"{key}/{tag}": value})
        for tag, value in _TAGS[kind]
    ]


USE_VOLUMES: tuple[Statement, ...] = (
    _statement(["ec2:CreateSnapshot", "ec2:ModifyVolume"], [_VOLUMES]),
    _statement(["ec2:AttachVolume", "ec2:DetachVolume"], [_VOLUMES, _INSTANCES]),
    _statement(["ec2:CreateVolume", "ec2:EnableFastSnapshotRestores"], [_SNAPSHOTS]),
    _statement(
        ["ec2:CreateTags"],
        [_VOLUMES, _SNAPSHOTS],
        StringEquals={"ec2:CreateAction": ["CreateVolume", "CreateSnapshot"]},
    ),
    _statement(["ec2:DeleteTags"], [_VOLUMES, _SNAPSHOTS]),
    *_tagged("volume", _VOLUMES, "ec2:CreateVolume", "aws:RequestTag"),
    *_tagged("volume", _VOLUMES, "ec2:DeleteVolume", "ec2:ResourceTag"),
    _statement(
        ["ec2:DeleteVolume"],
        [_VOLUMES],
        StringLike={"ec2:ResourceTag/kubernetes.io/created-for/pvc/name": "*"},
    ),
    *_tagged("snapshot", _SNAPSHOTS, "ec2:CreateSnapshot", "aws:RequestTag"),
    *_tagged("snapshot", _SNAPSHOTS, "ec2:DeleteSnapshot", "ec2:ResourceTag"),
)
