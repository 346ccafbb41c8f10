"""Patches in the store, staged in transactions."""

import msgspec

from longshore.base.ids import Ids
from longshore.controllers.eks_cluster.plane import service_record
from longshore.controllers.eks_patches.nodegroups import Group
from longshore.controllers.eks_patches.plan import Plan, Plane
from longshore.model.ecs import TASK
from longshore.model.eks import CLUSTER, SYSTEM_ACCOUNT, UPDATE, Update, update_name
from longshore.model.eks_parts import NODEGROUP
from longshore.model.eks_platforms import DONE, FAILED, PATCH, PLATFORM, Patch
from longshore.store.interface import Key, Reader, Transaction


def carry_out(tx: Transaction, plan: Plan, now: float) -> None:
    """Every cluster of the plan that is still the one it was made for."""
    for plane in plan.forget:
        tx.delete(PATCH, plane.key.account, plane.key.region, plane.key.name)
    for plane in plan.begin:
        _begin(tx, plane, now)
    for plane in plan.end:
        _end(tx, plane, now, DONE, "")
    for plane in plan.fail:
        _end(tx, plane, now, FAILED, _trouble(tx, plane.key))


def _begin(tx: Transaction, plane: Plane, now: float) -> None:
    cluster = tx.get(CLUSTER, plane.key.account, plane.key.region, plane.key.name)
    platform = tx.get(PLATFORM, SYSTEM_ACCOUNT, "", plane.minor)
    if cluster is None or cluster.value.id != plane.id or platform is None:
        return
    patch = Patch(
        id=plane.id,
        minor=plane.minor,
        platform=platform.value.name,
        before=plane.platform,
        began_at=now,
    )
    tx.put(PATCH, plane.key.account, plane.key.region, plane.key.name, patch)


def _end(tx: Transaction, plane: Plane, now: float, state: str, reason: str) -> None:
    place = (plane.key.account, plane.key.region, plane.key.name)
    record = tx.get(PATCH, *place)
    if record is not None and record.value == plane.patch:
        ended = msgspec.structs.replace(record.value, state=state, ended_at=now, reason=reason)
        tx.put(PATCH, *place, ended)


def _trouble(reader: Reader, key: Key) -> str:
    """Why the last API server of the cluster ended that ended, in ECS's words."""
    name = service_record(key.account, key.name)
    tasks = reader.find(TASK, SYSTEM_ACCOUNT, key.region, "service", name)
    stops = [record.value.stop for record in tasks if record.value.stop is not None]
    last = max(stops, key=lambda stop: stop.at, default=None)
    return last.reason if last is not None else ""


def forget_gone(tx: Transaction) -> None:
    """Patches of clusters that are gone, or that others have taken the name of."""
    for record in tx.scan(PATCH):
        place = (record.key.account, record.key.region, record.key.name)
        cluster = tx.get(CLUSTER, *place)
        if cluster is None or cluster.value.id != record.value.id:
            tx.delete(PATCH, *place)


def begin_update(tx: Transaction, ids: Ids, group: Group, now: float) -> None:
    """An update of the node group to its newest release, as UpdateNodegroupVersion begins it."""
    place = (group.key.account, group.key.region)
    record = tx.get(NODEGROUP, *place, group.key.name)
    if record is None or record.value.deleted_at:
        return
    nodegroup = record.value
    update = Update(
        cluster=nodegroup.cluster,
        nodegroup=nodegroup.name,
        id=ids.uuid(),
        type="VersionUpdate",
        params=(("Version", nodegroup.version), ("ReleaseVersion", group.newest)),
        created_at=now,
    )
    tx.create(UPDATE, *place, update_name(update.cluster, update.id), update)
    changed = msgspec.structs.replace(
        nodegroup, release_version=group.newest, force_update=False, modified_at=now
    )
    tx.put(NODEGROUP, *place, group.key.name, changed)
