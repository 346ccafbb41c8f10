"""Clusters and node groups as the store has them, for the plans."""

from collections.abc import Iterable, Iterator, Mapping

from longshore.controllers.eks_patches.nodegroups import RELEASES, TAG, Group
from longshore.controllers.eks_patches.plan import Plane
from longshore.instances import machine_images
from longshore.model.eks import (
    CLUSTER,
    CLUSTER_STATUS,
    SYSTEM_ACCOUNT,
    UPDATE,
    Cluster,
    ClusterStatus,
    Update,
    update_name,
)
from longshore.model.eks_parts import (
    NODEGROUP,
    NODEGROUP_STATUS,
    Nodegroup,
    NodegroupStatus,
    part_name,
)
from longshore.model.eks_platforms import PATCH, PLATFORM, Platform
from longshore.store.interface import Key, Reader

CUSTOM = "CUSTOM"
"""Node groups of the user's own images have no releases."""


def newest_platforms(reader: Reader) -> Mapping[str, Platform]:
    """By minor version."""
    return {each.value.minor: each.value for each in reader.scan(PLATFORM, SYSTEM_ACCOUNT, "")}


def planes(reader: Reader) -> Iterator[Plane]:
    """Of every cluster that has one."""
    for record in reader.scan(CLUSTER):
        key, cluster = record.key, record.value
        status = _status(reader, key, cluster)
        if status is None or cluster.deleted_at:
            continue
        patch = reader.get(PATCH, key.account, key.region, key.name)
        updating = any(not any(each.subject) for each in _open_updates(reader, key))
        yield Plane(
            key=key,
            id=cluster.id,
            minor=status.version or cluster.version,
            platform=status.platform_version,
            settled=status.status == "ACTIVE" and not updating,
            sound=status.status == "ACTIVE" and not status.issues,
            nodes=sum(each.desired_size for _, each in _nodegroups(reader, key)),
            created_at=cluster.created_at,
            patch=patch.value if patch is not None else None,
        )


def groups(
    reader: Reader, known: Iterable[Plane], newest: Mapping[str, Platform]
) -> Iterator[Group]:
    """Every node group of these clusters that has releases."""
    for plane in known:
        current = plane.minor in newest and plane.platform == newest[plane.minor].name
        updates = _updates(reader, plane.key)
        for key, nodegroup in _nodegroups(reader, plane.key):
            status = reader.get(NODEGROUP_STATUS, key.account, key.region, key.name)
            if nodegroup.ami_type == CUSTOM or status is None or status.value.id != nodegroup.id:
                continue
            own = [each for each in updates if each.subject == (nodegroup.name, "")]
            updating = any(each.status == "InProgress" for each in own)
            sound = status.value.status == "ACTIVE" and not nodegroup.deleted_at
            yield Group(
                key=key,
                cluster=plane.key,
                release=status.value.release_version,
                newest=release_of(key.region, _version(nodegroup, status.value)),
                wants=dict(nodegroup.tags).get(TAG) == RELEASES,
                free=plane.settled and plane.sound and current and sound and not updating,
                updating=updating,
                refused=_refused(own),
            )


def release_of(region: str, version: str) -> str:
    """The release of the machine image of this minor version; empty where there is none."""
    found = (image for image in machine_images(region) if image.kubernetes == version)
    image = next(found, None)
    return image.release_version if image is not None else ""


def _version(nodegroup: Nodegroup, status: NodegroupStatus) -> str:
    return status.version or nodegroup.version


def _refused(updates: list[Update]) -> frozenset[str]:
    failed = [each for each in updates if each.status == "Failed" and each.type == "VersionUpdate"]
    return frozenset(dict(each.params).get("ReleaseVersion", "") for each in failed)


def _status(reader: Reader, key: Key, cluster: Cluster) -> ClusterStatus | None:
    record = reader.get(CLUSTER_STATUS, key.account, key.region, key.name)
    return record.value if record is not None and record.value.id == cluster.id else None


def _updates(reader: Reader, key: Key) -> list[Update]:
    found = reader.scan(UPDATE, key.account, key.region, prefix=update_name(key.name, ""))
    return [record.value for record in found]


def _open_updates(reader: Reader, key: Key) -> list[Update]:
    return [each for each in _updates(reader, key) if each.status == "InProgress"]


def _nodegroups(reader: Reader, key: Key) -> list[tuple[Key, Nodegroup]]:
    found = reader.scan(NODEGROUP, key.account, key.region, prefix=part_name(key.name, ""))
    return [(record.key, record.value) for record in found]
