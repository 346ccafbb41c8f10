"""The loop: one key for each cluster."""

from collections.abc import Collection, Iterable
from typing import Any

from longshore.base.logs import logger
from longshore.controllers.cluster_clients import ClusterClients, begun_cluster
from longshore.controllers.eks_cluster.plane import webhook_url
from longshore.controllers.interface import Surroundings
from longshore.kubernetes.admission import PATH, configuration, proof
from longshore.kubernetes.client import Refused
from longshore.model.eks import CLUSTER, CLUSTER_STATUS
from longshore.model.kind import Kind
from longshore.store.interface import Change, Key, Reader, Record

MANAGER = "eks"
SOON_SECONDS = 3.0
AGAIN_SECONDS = 300.0
"""How often it is put back where somebody has taken it away or changed it."""
log = logger(__name__)


class EksAdmission:
    """`longshore.controllers.interface.Controller` of clusters' webhooks; `authority` (PEM) is the
    installation's own, by which API servers check whom they ask."""

    name = "controllers/eks_admission"
    watched: Collection[Kind[Any]] = (CLUSTER_STATUS,)

    def __init__(
        self, surroundings: Surroundings, clients: ClusterClients, authority: bytes
    ) -> None:
        self._store = surroundings.store
        self._installation = surroundings.installation
        self._clients = clients
        self._authority = authority

    def keys(self, change: Change, reader: Reader) -> Iterable[Key]:
        # Others write the same record about other things.
        after = _endpoint(change.after)
        if after and after != _endpoint(change.before):
            yield _cluster(change.key)

    def every_key(self, reader: Reader) -> Iterable[Key]:
        return [_cluster(record.key) for record in reader.scan(CLUSTER_STATUS)]

    async def reconcile(self, key: Key) -> float | None:
        begun = begun_cluster(self._store.reader, key)
        if begun is None:
            return None
        _, status = begun
        client = await self._clients.client(key)
        if client is None:
            return SOON_SECONDS
        url = webhook_url(self._installation, key.account, key.region, key.name)
        asked = f"{url}/mutate-pods/{proof(status.webhook_digest)}"
        try:
            await client.apply(PATH, configuration(asked, self._authority), MANAGER, force=True)
        except (OSError, Refused) as failure:
            log.info("a cluster did not take its webhook", cluster=key.name, reason=str(failure))
            return SOON_SECONDS
        return AGAIN_SECONDS


def _cluster(key: Key) -> Key:
    return Key(CLUSTER.name, key.account, key.region, key.name)


def _endpoint(record: Record[Any] | None) -> str:
    return record.value.endpoint if record is not None else ""
