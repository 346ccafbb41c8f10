"""The loop of what a new cluster begins with: CoreDNS, kube-proxy and VPC CNI, which nobody manages
then."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from longshore.addons import ADDONS, ebs_csi
from longshore.addons import Addon as Definition
from longshore.addons.objects import Object, path_of
from longshore.base.logs import logger
from longshore.components import InstallFailed
from longshore.controllers.cluster_clients import ClusterClients, running_cluster
from longshore.controllers.eks_addons import records
from longshore.controllers.eks_addons.controller import LATER_SECONDS, settings_of
from longshore.controllers.eks_addons.images import AddonImages
from longshore.controllers.eks_addons.installing import MANAGER
from longshore.controllers.eks_addons.steps import SOON_SECONDS
from longshore.controllers.interface import Surroundings
from longshore.kubernetes.client import Client, Refused
from longshore.model.eks import CLUSTER, CLUSTER_STATUS, Cluster, ClusterStatus
from longshore.model.eks_parts import ADDON, part_name
from longshore.model.kind import Kind
from longshore.store.interface import Change, Key, Reader

log = logger(__name__)


class EksBootstrap:
    """`longshore.controllers.interface.Controller` of clusters' self-managed add-ons.

    Each is put into a cluster once; what the cluster's owner makes of it is theirs.
    """

    name = "controllers/eks_addons/bootstrap"
    watched: Collection[Kind[Any]] = (CLUSTER_STATUS,)

    def __init__(
        self, surroundings: Surroundings, clients: ClusterClients, images: AddonImages
    ) -> None:
        self._store = surroundings.store
        self._clients = clients
        self._images = images

    def keys(self, change: Change, reader: Reader) -> Iterable[Key]:
        if change.after is not None:
            key = change.key
            yield Key(CLUSTER.name, key.account, key.region, key.name)

    def every_key(self, reader: Reader) -> Iterable[Key]:
        return [record.key for record in reader.scan(CLUSTER)]

    async def reconcile(self, key: Key) -> float | None:
        running = running_cluster(self._store.reader, key)
        if running is None:
            return None
        cluster, status = running
        if status.bootstrapped:
            return None
        client = await self._clients.client(key)
        if client is None:
            return SOON_SECONDS
        try:
            await self._apply(key, client, [ebs_csi.first_class()])
            for definition in self._wanted(key) if cluster.self_managed_addons else ():
                await self._have(key, definition, client, cluster, status)
        except (InstallFailed, LookupError) as failure:
            log.warning("an add-on's image was not made", cluster=key.name, reason=str(failure))
            return LATER_SECONDS
        except OSError as failure:
            log.info("a cluster does not answer", cluster=key.name, reason=str(failure))
            return SOON_SECONDS
        await self._store.transact(lambda tx: records.mark_bootstrapped(tx, key, cluster.id))
        return None

    def _wanted(self, key: Key) -> Sequence[Definition]:
        """Those that are not managed ones already; kube-proxy first, since others need it."""
        reader, place = self._store.reader, (key.account, key.region)
        found = [definition for definition in ADDONS.values() if definition.bootstrapped]
        return [
            definition
            for definition in sorted(found, key=lambda each: each.name, reverse=True)
            if reader.get(ADDON, *place, part_name(key.name, definition.name)) is None
        ]

    async def _have(
        self,
        key: Key,
        definition: Definition,
        client: Client,
        cluster: Cluster,
        status: ClusterStatus,
    ) -> None:
        version = definition.version_for(status.version)
        if version is None:
            return
        reference = await self._images.have(key.region, definition, version)
        objects = definition.objects(settings_of(cluster, status, reference), {})
        await self._apply(key, client, objects)

    async def _apply(self, key: Key, client: Client, objects: Sequence[Object]) -> None:
        for each in objects:
            try:
                await client.apply(path_of(each), each, MANAGER)
            except Refused as refused:
                if not refused.conflicts:
                    raise
                log.info("an object is its owner's", cluster=key.name, path=path_of(each))
