"""Platform versions: what a control plane is made of, and whether it may come to the newest.

A platform version is whatever of a control plane is the same for all clusters of a minor version:
the patch of Kubernetes, etcd, the processes' arguments. It is numbered by the installation, since
any change of Longshore's may be one (docs/decisions/0121). The patches' controller says whose turn
it is (`model/eks_platforms.Patch`).
"""

import functools
import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from longshore.base.installation import Installation
from longshore.controllers.eks_cluster import plane as planes
from longshore.controllers.eks_cluster.keeping import FORM
from longshore.controllers.eks_cluster.plane import PLATFORM_LABEL, service_record
from longshore.kubernetes import Webhook
from longshore.kubernetes.audit import audit_policy
from longshore.model import ecs
from longshore.model.eks import (
    ASSOCIATE_IDENTITY_PROVIDER,
    CLUSTER,
    CLUSTER_STATUS,
    DISASSOCIATE_IDENTITY_PROVIDER,
    SYSTEM_ACCOUNT,
    UPDATE,
    Cluster,
    Update,
    update_name,
)
from longshore.model.eks_platforms import FAILED, PATCH, PLATFORM, ROLLING, Patch, Platform
from longshore.store.interface import Key, Reader, Transaction

BESIDE = frozenset(
    {
        ASSOCIATE_IDENTITY_PROVIDER,
        DISASSOCIATE_IDENTITY_PROVIDER,
        "AccessConfigUpdate",
        "DeletionProtectionUpdate",
        "EndpointAccessUpdate",
        "LoggingUpdate",
        "UpgradePolicyUpdate",
    }
)
"""Types of updates for which no control plane is replaced."""
_SAMPLE = Cluster(
    name="cluster",
    arn="arn:aws:eks:us-east-1:000000000000:cluster/cluster",
    id="0" * 32,
    version="",
    role_arn="",
    created_at=0.0,
    created_by="",
    vpc_id="vpc-0",
    subnets=("subnet-0",),
    service_cidr="10.100.0.0/16",
    encryption_key="arn:aws:kms:us-east-1:000000000000:key/0",
)


@functools.cache
def digest(tag: str, etcd: str) -> str:
    """What tells one platform version from another: `tag` is of the image of Kubernetes' processes,
    `etcd` the version of the etcd in it."""
    installation, key = Installation(data_dir=Path("/")), Key(CLUSTER.name, "", "", _SAMPLE.name)
    webhook = Webhook(url="https://localhost", authority=b"", token="")
    plane = planes.control_plane(installation, _SAMPLE, "us-east-1", "127.0.0.1", webhook)
    image = planes.Image(tag, etcd, provider="kms-plugin")
    made_of = (
        planes.etcd_document(installation, _SAMPLE, key, plane, image),
        planes.document(installation, _SAMPLE, key, plane, image, "eni-0"),
        FORM,
        audit_policy(),
    )
    return hashlib.sha256(msgspec.json.encode(made_of, order="deterministic")).hexdigest()


def have_platform(tx: Transaction, minor: str, made_of: str, now: float) -> Platform:
    """The platform version of the minor version that has this digest: the newest, from now on."""
    record = tx.get(PLATFORM, SYSTEM_ACCOUNT, "", minor)
    if record is not None and record.value.digest == made_of:
        return record.value
    number = record.value.number + 1 if record is not None else 1
    platform = Platform(minor=minor, number=number, digest=made_of, since=now)
    tx.put(PLATFORM, SYSTEM_ACCOUNT, "", minor, platform)
    return platform


def label(platform: Platform) -> str:
    """What the containers of control planes of this platform version have on them."""
    return f"{platform.minor}-{platform.name}"


def platform_of(document: Mapping[str, Any] | None) -> str:
    """The label of a control plane that is of this document; empty where it has none."""
    containers = document["containerDefinitions"] if document is not None else ()
    found = (each.get("dockerLabels", {}).get(PLATFORM_LABEL, "") for each in containers)
    return next(filter(None, found), "")


def take_turn(
    tx: Transaction, key: Key, cluster: Cluster, minor: str, made_of: str, now: float
) -> tuple[Platform, bool]:
    """The newest platform version of this minor version, and whether the cluster's control plane
    stays as it is: one that runs waits for its turn, and one that could not be brought there is
    taken back to what it was."""
    platform = have_platform(tx, minor, made_of, now)
    place = (key.account, key.region)
    status = tx.get(CLUSTER_STATUS, *place, key.name)
    if status is None or status.value.status != "ACTIVE":
        return platform, False
    before = platform_of(_newest(tx, key))
    record = tx.get(PATCH, *place, key.name)
    patch = record.value if record is not None and record.value.id == cluster.id else None
    failed = patch is not None and (patch.state, patch.platform) == (FAILED, platform.name)
    found = tx.scan(UPDATE, *place, prefix=update_name(key.name, ""))
    updates = [each.value for each in found if each.value.status == "InProgress"]
    if failed and before == label(platform) and not _is_replaced(updates):
        return platform, take_back(tx, key, before)
    return platform, is_held(before, platform, patch, updates)


def is_held(
    before: str, platform: Platform, patch: Patch | None, updates: Iterable[Update]
) -> bool:
    """Whether the control plane, which is labelled `before`, stays of that platform version.

    It goes on when it is its turn, and with whatever else replaces it: another minor version, an
    update of what it is told. `updates` are those in progress.
    """
    if not before or before == label(platform):
        return False
    if before.partition("-")[0] != platform.minor or _is_replaced(updates):
        return False
    return patch is None or (patch.state, patch.platform) != (ROLLING, platform.name)


def _is_replaced(updates: Iterable[Update]) -> bool:
    return any(each.type not in BESIDE and not any(each.subject) for each in updates)


def take_back(tx: Transaction, key: Key, unwanted: str) -> bool:
    """Have the API server run again that ran before the one with the label `unwanted`; whether
    there is one."""
    here, name = (SYSTEM_ACCOUNT, key.region), service_record(key.account, key.name)
    record = tx.get(ecs.SERVICE, *here, name)
    deployments = record.value.deployments if record is not None else ()
    good = [each for each in deployments if platform_of(_document(tx, key, each)) != unwanted]
    if record is None or not good:
        return False
    others = tuple(each for each in deployments if each is not good[-1])
    changed = msgspec.structs.replace(record.value, deployments=(*others, good[-1]))
    tx.put(ecs.SERVICE, *here, name, changed)
    return True


def _newest(reader: Reader, key: Key) -> Mapping[str, Any] | None:
    name = service_record(key.account, key.name)
    record = reader.get(ecs.SERVICE, SYSTEM_ACCOUNT, key.region, name)
    return _document(reader, key, record.value.deployments[-1]) if record is not None else None


def _document(reader: Reader, key: Key, deployment: ecs.Deployment) -> Mapping[str, Any] | None:
    name = ecs.definition_of_arn(deployment.definition_arn)
    record = reader.get(ecs.TASK_DEFINITION, SYSTEM_ACCOUNT, key.region, name)
    return record.value.document if record is not None else None
