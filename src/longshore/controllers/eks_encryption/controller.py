"""The loop: one key for each cluster with a KMS key."""

from collections.abc import Collection, Iterable
from typing import Any

import msgspec

from longshore.base.logs import logger
from longshore.controllers.cluster_clients import ClusterClients
from longshore.controllers.interface import Surroundings
from longshore.kubernetes.client import Client, Object, Refused
from longshore.kubernetes.objects import SECRETS, path_of
from longshore.model.eks import (
    ASSOCIATE_ENCRYPTION,
    CLUSTER,
    CLUSTER_STATUS,
    UPDATE,
    ClusterStatus,
    update_name,
)
from longshore.model.kind import Kind
from longshore.store.interface import Change, Key, Reader, Record, Transaction

CHANGED = frozenset({404, 409})
"""Somebody has deleted the secret meanwhile, or written it: it is encrypted then."""
SOON_SECONDS = 3.0
log = logger(__name__)


class EksEncryption:
    """`longshore.controllers.interface.Controller` of what is to be encrypted."""

    name = "controllers/eks_encryption"
    watched: Collection[Kind[Any]] = (CLUSTER_STATUS,)

    def __init__(self, surroundings: Surroundings, clients: ClusterClients) -> None:
        self._store = surroundings.store
        self._clients = clients

    def keys(self, change: Change, reader: Reader) -> Iterable[Key]:
        after: Record[Any] | None = change.after
        if after is not None and _is_behind(after.value):
            yield _cluster(change.key)

    def every_key(self, reader: Reader) -> Iterable[Key]:
        found = reader.scan(CLUSTER_STATUS)
        return [_cluster(record.key) for record in found if _is_behind(record.value)]

    async def reconcile(self, key: Key) -> float | None:
        record = self._store.reader.get(CLUSTER_STATUS, key.account, key.region, key.name)
        if record is None or not _is_behind(record.value):
            return None
        client = await self._clients.client(key)
        if client is None:
            return SOON_SECONDS
        try:
            count = await _write_anew(client)
        except (OSError, Refused) as failure:
            log.info("secrets wait for their encryption", cluster=key.name, reason=str(failure))
            return SOON_SECONDS
        await self._store.transact(lambda tx: _finish(tx, key, record.value))
        log.info("secrets were encrypted", cluster=key.name, count=count)
        return None


def _is_behind(status: ClusterStatus) -> bool:
    return status.encryption_key != status.rewritten_key


async def _write_anew(client: Client) -> int:
    """Write every secret as it is; how many there were."""
    secrets = await client.list(SECRETS)
    for secret in secrets:
        await _write(client, secret)
    return len(secrets)


async def _write(client: Client, secret: Object) -> None:
    try:
        await client.replace(
            path_of(SECRETS, secret), {"apiVersion": "v1", "kind": "Secret", **secret}
        )
    except Refused as refused:
        if refused.status not in CHANGED:
            raise


def _finish(tx: Transaction, key: Key, done: ClusterStatus) -> None:
    """Say so of the cluster, and of its update."""
    here = (key.account, key.region)
    record = tx.get(CLUSTER_STATUS, *here, key.name)
    if record is None or record.value.id != done.id:
        return
    told = msgspec.structs.replace(record.value, rewritten_key=done.encryption_key)
    tx.put(CLUSTER_STATUS, *here, key.name, told)
    for update in tx.scan(UPDATE, *here, prefix=update_name(key.name, "")):
        if (update.value.type, update.value.status) == (ASSOCIATE_ENCRYPTION, "InProgress"):
            ended = msgspec.structs.replace(update.value, status="Successful")
            tx.put(UPDATE, *here, update.key.name, ended)


def _cluster(key: Key) -> Key:
    return Key(CLUSTER.name, key.account, key.region, key.name)
