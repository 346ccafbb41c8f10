"""The control plane's logs: where its tasks put them, and where they are delivered.

The tasks of a control plane put all that they log into streams of the system account, which keep
nothing: each delivers to the cluster's own account, or nowhere where its type is not enabled
(docs/decisions/0117). So types are turned on and off beside a control plane that runs on.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from longshore.base.ids import Ids
from longshore.model.eks import (
    CLUSTER,
    LOG_STREAMS,
    SYSTEM_ACCOUNT,
    Cluster,
    log_group,
    log_stream,
)
from longshore.model.logs import (
    LOG_GROUP,
    LOG_STREAM,
    Delivery,
    LogGroup,
    LogStream,
    stream_key,
)
from longshore.store.interface import Change, Key, Transaction

LOG_KINDS = (LOG_GROUP, LOG_STREAM)
PROCESSES = {
    "kube-apiserver": {"awslogs-stream": "api", "longshore-stdout-stream": "audit"},
    "kube-controller-manager": {"awslogs-stream": "controllerManager"},
    "kube-scheduler": {"awslogs-stream": "scheduler"},
}
"""Options of the log driver, and the type of log that each names the stream of, by container."""


def log_configuration(cluster: Cluster, key: Key, name: str) -> Mapping[str, Any]:
    """Of the container `name` of the control plane; nothing for one that EKS shows no log of."""
    if name not in PROCESSES:
        return {}
    streams = {option: log_stream(cluster, kind) for option, kind in PROCESSES[name].items()}
    options = {
        "awslogs-group": _group(cluster, key),
        "awslogs-region": key.region,
        "awslogs-create-stream": "false",
        **streams,
    }
    return {"logConfiguration": {"logDriver": "awslogs", "options": options}}


def have_log_streams(tx: Transaction, ids: Ids, key: Key, cluster: Cluster, now: float) -> None:
    """Have every type delivered as the cluster has it; `now` in epoch seconds."""
    own, theirs = (SYSTEM_ACCOUNT, key.region), (key.account, key.region)
    for kind in LOG_STREAMS:
        name, group = log_stream(cluster, kind), log_group(cluster.name)
        delivery = Delivery(key.account)
        if kind in cluster.log_types:
            _have_stream(tx, ids, theirs, group, name, now)
            delivery = Delivery(key.account, group, name, int(now * 1000))
        stream = _have_stream(tx, ids, own, _group(cluster, key), name, now)
        if _destination(stream.delivery) != _destination(delivery):
            changed = msgspec.structs.replace(stream, delivery=delivery)
            tx.put(LOG_STREAM, *own, stream_key(stream.group, name), changed)


def forget_log_streams(tx: Transaction, key: Key, cluster: Cluster) -> None:
    """Those of the system account; what was delivered stays, as on AWS."""
    own, group = (SYSTEM_ACCOUNT, key.region), _group(cluster, key)
    for record in tx.scan(LOG_STREAM, *own, prefix=stream_key(group, "")):
        tx.delete(LOG_STREAM, *own, record.key.name)
    tx.delete(LOG_GROUP, *own, group)


def logged_cluster(change: Change) -> Iterable[Key]:
    """The cluster whose log group, or a stream of it, somebody deleted: EKS makes it again while
    types of logs are enabled."""
    group = change.key.name.partition(":")[0]
    name = group.removeprefix("/aws/eks/").removesuffix("/cluster")
    own = change.key.account != SYSTEM_ACCOUNT and group == log_group(name)
    if change.after is None and own:
        yield Key(CLUSTER.name, change.key.account, change.key.region, name)


def _destination(delivery: Delivery | None) -> Delivery | None:
    """Where it is to, whenever it began."""
    return delivery and msgspec.structs.replace(delivery, since=0)


def _group(cluster: Cluster, key: Key) -> str:
    """The system account's log group of a cluster."""
    return log_group(f"{key.account}-{cluster.name}")


def _have_stream(
    tx: Transaction, ids: Ids, here: tuple[str, str], group: str, name: str, now: float
) -> LogStream:
    """The stream of this group in this account and region, made with it where it is not."""
    at = int(now * 1000)
    if tx.get(LOG_GROUP, *here, group) is None:
        tx.create(LOG_GROUP, *here, group, LogGroup(name=group, id=ids.hex(16), created_at=at))
    known = tx.get(LOG_STREAM, *here, stream_key(group, name))
    if known is not None:
        return known.value
    made = LogStream(group=group, name=name, id=ids.hex(16), created_at=at)
    tx.create(LOG_STREAM, *here, stream_key(group, name), made)
    return made
