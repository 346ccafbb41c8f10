"""How Longshore's own loops speak to the API servers of clusters: as administrators."""

import asyncio
import ipaddress

import psutil

from longshore.base.certificates import KeyPair
from longshore.controllers.eks_cluster.keeping import RENEW_SECONDS, Keeping
from longshore.controllers.eks_cluster.plane import endpoint_name
from longshore.controllers.eks_cluster.serving import public_address, serving_task
from longshore.controllers.interface import Surroundings
from longshore.kubernetes import administrator
from longshore.kubernetes.access import Access
from longshore.model.eks import CLUSTER, CLUSTER_STATUS, Cluster, ClusterStatus
from longshore.model.link_local import LINK_RANGE


class AdminAccess:
    """Whatever a cluster's endpoint lets in, these loops get through: they speak from an address
    that nothing else speaks from, which its security group knows."""

    def __init__(self, surroundings: Surroundings, keeping: Keeping) -> None:
        self._store = surroundings.store
        self._clock = surroundings.clock
        self._installation = surroundings.installation
        self._keeping = keeping
        self._clients: dict[str, tuple[KeyPair, float]] = {}

    async def of(self, account: str, region: str, name: str) -> Access | None:
        """To the cluster of this name; None where none of its control planes runs.

        It changes when another API server takes over, so ask for it each time.
        """
        reader, place = self._store.reader, (account, region, name)
        cluster, status = reader.get(CLUSTER, *place), reader.get(CLUSTER_STATUS, *place)
        if cluster is None or status is None or status.value.id != cluster.value.id:
            return None
        serving = serving_task(reader, cluster.key, cluster.value)
        address = public_address(reader, cluster.key, serving)
        if not address:
            return None
        client = await self._client(cluster.value, status.value)
        return Access(
            url=f"https://{endpoint_name(self._installation, cluster.value, region)}",
            authority_pem=status.value.authority.encode(),
            client_cert_pem=client.certificate,
            client_key_pem=client.key,
            address=address,
            source=own_address(),
        )

    async def _client(self, cluster: Cluster, status: ClusterStatus) -> KeyPair:
        """The certificate of a client of the group system:masters."""
        now = self._clock.now()
        known = self._clients.get(cluster.id)
        if known is not None and now < known[1] + RENEW_SECONDS:
            return known[0]
        kept = await asyncio.to_thread(self._keeping.open, cluster, status)
        made = administrator(kept.keys, now)
        self._clients[cluster.id] = made, now
        return made


def own_address() -> str:
    """This machine's end of one of the links to its routers; empty where it has none."""
    links = ipaddress.IPv4Network(LINK_RANGE)
    for entries in psutil.net_if_addrs().values():
        for entry in entries:
            if entry.family.name == "AF_INET" and ipaddress.IPv4Address(entry.address) in links:
                return str(entry.address)
    return ""
