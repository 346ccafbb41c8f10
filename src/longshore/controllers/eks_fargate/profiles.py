"""Fargate profiles in the store besides what the API writes, staged in transactions."""

from longshore.base.ids import Ids
from longshore.model import eks, iam
from longshore.model.arn import make_arn
from longshore.model.eks_parts import (
    FARGATE_PROFILE,
    FARGATE_PROFILE_STATUS,
    FargateProfile,
    FargateProfileStatus,
    part_name,
)
from longshore.store.interface import Key, Reader, Transaction

API_MODES = frozenset({"API", "API_AND_CONFIG_MAP"})
FARGATE_LINUX = "FARGATE_LINUX"
USERNAME = "system:node:{{SessionName}}"
GROUPS = ("system:bootstrappers", "system:nodes", "system:node-proxier")


def profiles_of(reader: Reader, key: Key) -> list[FargateProfile]:
    """Those of the cluster of this key."""
    prefix = part_name(key.name, "")
    records = reader.scan(FARGATE_PROFILE, key.account, key.region, prefix=prefix)
    return [record.value for record in records]


def status_of(reader: Reader, key: Key, profile: FargateProfile) -> FargateProfileStatus | None:
    """None while there is none of this very profile."""
    name = part_name(profile.cluster, profile.name)
    record = reader.get(FARGATE_PROFILE_STATUS, key.account, key.region, name)
    return record.value if record is not None and record.value.id == profile.id else None


def activate(
    tx: Transaction, ids: Ids, key: Key, cluster: eks.Cluster, profile: FargateProfile, now: float
) -> None:
    """Let machines with the profile's role in, and pods take it."""
    name = part_name(profile.cluster, profile.name)
    found = tx.get(FARGATE_PROFILE, key.account, key.region, name)
    if found is None or found.value.id != profile.id or status_of(tx, key, profile) is not None:
        return
    entry = _have_access_entry(tx, ids, key, cluster, profile, now)
    status = FargateProfileStatus(id=profile.id, status="ACTIVE", access_entry=entry)
    tx.put(FARGATE_PROFILE_STATUS, key.account, key.region, name, status)


def _have_access_entry(
    tx: Transaction, ids: Ids, key: Key, cluster: eks.Cluster, profile: FargateProfile, now: float
) -> str:
    """The ARN of the access entry that was made for the role; empty where somebody else made one,
    or the cluster knows none."""
    if cluster.authentication_mode not in API_MODES:
        return ""
    name = eks.entry_name(cluster.name, profile.role_arn)
    found = tx.get(eks.ACCESS_ENTRY, key.account, key.region, name)
    if found is not None:
        return found.value.arn if found.value.arn in _entries_made(tx, key, profile) else ""
    role = tx.get(iam.ROLE, key.account, "", profile.role_arn.rpartition("/")[2].lower())
    if role is None:
        return ""
    resource = f"access-entry/{cluster.name}/role/{key.account}/{role.value.name}/{ids.uuid()}"
    entry = eks.AccessEntry(
        cluster=cluster.name,
        principal_arn=profile.role_arn,
        principal_id=role.value.id,
        arn=make_arn("eks", key.region, key.account, resource),
        type=FARGATE_LINUX,
        username=USERNAME,
        groups=GROUPS,
        created_at=now,
        modified_at=now,
    )
    tx.create(eks.ACCESS_ENTRY, key.account, key.region, name, entry)
    return entry.arn


def _entries_made(reader: Reader, key: Key, profile: FargateProfile) -> set[str]:
    """Access entries that other profiles of the cluster have had made."""
    prefix, own = part_name(profile.cluster, ""), part_name(profile.cluster, profile.name)
    statuses = reader.scan(FARGATE_PROFILE_STATUS, key.account, key.region, prefix=prefix)
    return {record.value.access_entry for record in statuses if record.key.name != own} - {""}


def forget(tx: Transaction, key: Key, profile: FargateProfile) -> None:
    """Take away every record of the profile; its pods and machines are gone."""
    place, name = (key.account, key.region), part_name(profile.cluster, profile.name)
    found = tx.get(FARGATE_PROFILE, *place, name)
    if found is None or found.value.id != profile.id:
        return
    status = status_of(tx, key, profile)
    if (
        status is not None
        and status.access_entry
        and status.access_entry not in _entries_made(tx, key, profile)
    ):
        entry_name = eks.entry_name(profile.cluster, profile.role_arn)
        entry = tx.get(eks.ACCESS_ENTRY, *place, entry_name)
        if entry is not None and entry.value.arn == status.access_entry:
            tx.delete(eks.ACCESS_ENTRY, *place, entry_name)
    tx.delete(FARGATE_PROFILE_STATUS, *place, name)
    tx.delete(FARGATE_PROFILE, *place, name)
