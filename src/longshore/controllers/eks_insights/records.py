"""What insights have in the store, staged in transactions."""

from typing import NamedTuple

import msgspec

from longshore.controllers.cluster_clients import running_cluster
from longshore.model.eks import (
    CLUSTER,
    UPDATE,
    Cluster,
    ClusterStatus,
    update_name,
)
from longshore.model.eks_insights import (
    INSIGHTS_REPORT,
    INSIGHTS_REQUEST,
    InsightsReport,
    InsightsRequest,
    version_before,
)
from longshore.model.eks_parts import ADDON, Addon, part_name
from longshore.store.interface import Key, Reader, Transaction


class Known(NamedTuple):
    """A cluster that runs, and what is known about its insights."""

    cluster: Cluster
    status: ClusterStatus
    report: InsightsReport | None
    request: InsightsRequest | None


def known(reader: Reader, key: Key) -> Known | None:
    """None where the cluster does not run, or is to go."""
    place = (key.account, key.region, key.name)
    running = running_cluster(reader, key)
    if running is None:
        return None
    cluster, status = running
    report, request = reader.get(INSIGHTS_REPORT, *place), reader.get(INSIGHTS_REQUEST, *place)
    own = cluster.id
    return Known(
        cluster,
        status,
        report.value if report is not None and report.value.id == own else None,
        request.value if request is not None and request.value.id == own else None,
    )


def addons_of(reader: Reader, key: Key) -> tuple[Addon, ...]:
    """The cluster's managed add-ons that are to stay."""
    found = reader.scan(ADDON, key.account, key.region, prefix=part_name(key.name, ""))
    return tuple(record.value for record in found if not record.value.deleted_at)


def rollback_version(reader: Reader, key: Key, runs: str, now: float) -> str:
    """The minor version that the cluster may be rolled back to; empty where it may not."""
    found = reader.scan(UPDATE, key.account, key.region, prefix=update_name(key.name, ""))
    return version_before([record.value for record in found], runs, now)


def put(tx: Transaction, key: Key, report: InsightsReport) -> None:
    """The report, if its cluster is still the one of this name."""
    cluster = tx.get(CLUSTER, key.account, key.region, key.name)
    if cluster is not None and cluster.value.id == report.id:
        tx.put(INSIGHTS_REPORT, key.account, key.region, key.name, report)


def fail(tx: Transaction, key: Key, found: Known, failure: str, now: float) -> None:
    """What was asked for has failed; what was known stays."""
    if found.request is None:
        return
    before = found.report or InsightsReport(id=found.cluster.id)
    told = msgspec.structs.replace(
        before, answers=found.request.asked_at, ended_at=now, failure=failure
    )
    put(tx, key, told)


def forget(tx: Transaction, key: Key) -> None:
    """Remove all of a cluster that is gone, or that another one has taken the name of."""
    place = (key.account, key.region, key.name)
    cluster = tx.get(CLUSTER, *place)
    own = cluster.value.id if cluster is not None else ""
    report, request = tx.get(INSIGHTS_REPORT, *place), tx.get(INSIGHTS_REQUEST, *place)
    if report is not None and report.value.id != own:
        tx.delete(INSIGHTS_REPORT, *place)
    if request is not None and request.value.id != own:
        tx.delete(INSIGHTS_REQUEST, *place)
