"""Clients of clusters' API servers, shared by the loops that speak to them."""

import asyncio
from collections.abc import Awaitable, Callable

from longshore.base.logs import logger
from longshore.kubernetes.access import Access
from longshore.kubernetes.client import Client, Object, Refused
from longshore.model.eks import CLUSTER, CLUSTER_STATUS, Cluster, ClusterStatus
from longshore.store.interface import Key, Reader

WAITING_SECONDS = 4.0
"""For so long somebody waits who is waited for by the API server itself, which gives up after five
(`longshore.kubernetes.admission`)."""
log = logger(__name__)

AccessOf = Callable[[str, str, str], Awaitable[Access | None]]
"""To the cluster of this account, region and name; None while none of its control planes runs."""


def running_cluster(reader: Reader, key: Key) -> tuple[Cluster, ClusterStatus] | None:
    """The cluster of this key, where its API server answers and it is to stay."""
    found = _staying(reader, key)
    return found if found is not None and found[1].status == "ACTIVE" else None


def begun_cluster(reader: Reader, key: Key) -> tuple[Cluster, ClusterStatus] | None:
    """The same of one whose API server has answered once."""
    found = _staying(reader, key)
    return found if found is not None and found[1].endpoint else None


def _staying(reader: Reader, key: Key) -> tuple[Cluster, ClusterStatus] | None:
    cluster = reader.get(CLUSTER, key.account, key.region, key.name)
    status = reader.get(CLUSTER_STATUS, key.account, key.region, key.name)
    if cluster is None or status is None or cluster.value.deleted_at:
        return None
    return (cluster.value, status.value) if status.value.id == cluster.value.id else None


class ClusterClients:
    """One client for each cluster, for as long as its API server is reached in the same way."""

    def __init__(self, access_of: AccessOf) -> None:
        self._access_of = access_of
        self._kept: dict[Key, tuple[Access, Client]] = {}

    async def client(self, key: Key) -> Client | None:
        """A client that may do everything in the cluster of this key; ask for it each time."""
        access = await self._access_of(key.account, key.region, key.name)
        kept = self._kept.get(key)
        if kept is not None and kept[0] == access:
            return kept[1]
        self.forget(key)
        if access is None:
            return None
        client = Client(access)
        self._kept[key] = access, client
        return client

    def forget(self, key: Key) -> None:
        """The cluster is gone."""
        kept = self._kept.pop(key, None)
        if kept is not None:
            kept[1].close()


class ClusterObjects:
    """What the authenticator reads in clusters: `longshore.authenticator.ClusterObjects`."""

    def __init__(self, clients: ClusterClients) -> None:
        self._clients = clients

    async def find(self, account: str, region: str, cluster: str, path: str) -> Object | None:
        """The object; None where there is none, or no answer soon enough."""
        try:
            async with asyncio.timeout(WAITING_SECONDS):
                client = await self._clients.client(Key(CLUSTER.name, account, region, cluster))
                return await client.find(path) if client is not None else None
        except (OSError, Refused) as failure:
            log.info("an object was not read", cluster=cluster, path=path, reason=str(failure))
            return None
