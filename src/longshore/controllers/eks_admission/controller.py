"""The loop: one key for each cluster."""

from collections.abc import Collection, Iterable
from typing import Any

from longshore.base.logs import logger
from longshore.controllers.cluster_clients import ClusterClients
from longshore.controllers.eks_cluster.plane import webhook_url
from longshore.controllers.interface import Surroundings
from longshore.kubernetes.admission import PATH, configuration, proof
from longshore.kubernetes.client import Refused
from longshore.model.eks import CLUSTER, CLUSTER_STATUS, ClusterStatus
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
        status = self._running(key)
        if status is None:
            return None
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

    def _running(self, key: Key) -> ClusterStatus | None:
        """The status of a cluster whose API server answers and that is to stay."""
        place = (key.account, key.region, key.name)
        cluster = self._store.reader.get(CLUSTER, *place)
        status = self._store.reader.get(CLUSTER_STATUS, *place)
        if cluster is None or status is None or cluster.value.deleted_at:
            return None
        is_own = status.value.id == cluster.value.id
        return status.value if is_own and status.value.endpoint else None


def _cluster(key: Key) -> Key:
    return Key(CLUSTER.name, key.account, key.region, key.name)


def _endpoint(record: Record[Any] | None) -> str:
    return record.value.endpoint if record is not None else ""
