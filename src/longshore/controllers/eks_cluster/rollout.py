"""Has the tasks of a control plane run as they are to: etcd's, and the API server's.

etcd's is replaced by another one where it is to run otherwise, which takes it away for a moment; an
upgrade of Kubernetes leaves it alone. API servers take over from each other: each has interfaces
and files of its own (a generation), so that two run side by side (docs/decisions/0119).
"""

import asyncio

import msgspec

from longshore.controllers.eks_cluster import plane as planes
from longshore.controllers.eks_cluster import records, serving
from longshore.controllers.eks_cluster.interfaces import (
    are_in_place,
    forget_interfaces,
    have_interfaces,
)
from longshore.controllers.eks_cluster.keeping import Keeping, Kept
from longshore.controllers.eks_cluster.logging import have_log_streams
from longshore.controllers.eks_cluster.network import (
    etcd_network,
    have_etcd_group,
    have_etcd_interface,
    have_network,
)
from longshore.controllers.eks_cluster.snapshots import have_snapshot
from longshore.controllers.interface import Surroundings
from longshore.controllers.system_account import have_execution_role
from longshore.kubernetes import ControlPlane, commands
from longshore.model.ec2 import NetworkInterface
from longshore.model.eks import Cluster, ClusterStatus
from longshore.store.interface import Key, Transaction

SNAPSHOT_LOOK_SECONDS = 0.5
Interfaces = tuple[NetworkInterface, ...]


class Rollout:
    """Both services of each cluster; raises AwsError where the user's VPC has not got what they
    take."""

    def __init__(self, surroundings: Surroundings, keeping: Keeping) -> None:
        self._store = surroundings.store
        self._clock = surroundings.clock
        self._ids = surroundings.ids
        self._installation = surroundings.installation
        self._keeping = keeping

    async def run(
        self, key: Key, cluster: Cluster, status: ClusterStatus, image: planes.Image, *, held: bool
    ) -> float | None:
        """Have the services, and what their tasks need; seconds until it may go on where something
        is to come first. A control plane that is held stays as it is, what is around it does not.
        """
        if held:
            await self._surround(key, cluster)
            return None
        kept = await asyncio.to_thread(self._keeping.open, cluster, status)
        # etcd first: API servers wait for it.
        address = await self._have_etcd(key, cluster, kept, image)
        webhook = self._keeping.webhook(cluster, key.account, key.region, kept)
        plane = planes.control_plane(self._installation, cluster, key.region, address, webhook)
        return await self._have_api_server(key, cluster, status, kept, plane, image)

    async def retire(self, key: Key, cluster: Cluster) -> None:
        """Take away the generations that no API server has any more."""

        def forget(tx: Transaction) -> set[str]:
            used = serving.used_interfaces(tx, key, cluster)
            forget_interfaces(tx, key, cluster, but=used)
            return used

        used = await self._store.transact(forget)
        await asyncio.to_thread(self._keeping.retire, cluster, used)

    async def _have_etcd(self, key: Key, cluster: Cluster, kept: Kept, image: planes.Image) -> str:
        """etcd's address."""
        ids, now, installation = self._ids, self._clock.now(), self._installation
        group = await self._store.transact(lambda tx: have_etcd_group(tx, ids, key, cluster))
        eni = await self._store.transact(
            lambda tx: have_etcd_interface(tx, ids, now, installation, key, cluster, group)
        )
        plane = planes.control_plane(installation, cluster, key.region, eni.private_address)
        await asyncio.to_thread(self._keeping.write_etcd, cluster, plane, kept)

        def stage(tx: Transaction) -> None:
            have_execution_role(tx, ids, now)
            chosen = planes.etcd_image(
                records.newest_document(tx, key, planes.etcd_record(key.account, cluster.name)),
                records.newest_document(tx, key, planes.service_record(key.account, cluster.name)),
                image,
                commands(plane)[planes.ETCD],
            )
            document = planes.etcd_document(installation, cluster, key, plane, chosen)
            records.run(tx, ids, key, document, etcd_network(eni), now, minimum=0)

        await self._store.transact(stage)
        return eni.private_address

    async def _have_api_server(
        self,
        key: Key,
        cluster: Cluster,
        status: ClusterStatus,
        kept: Kept,
        plane: ControlPlane,
        image: planes.Image,
    ) -> float | None:
        enis = await self._surround(key, cluster)
        if enis and await self._is_up_to_date(key, cluster, _with(plane, enis), image, enis):
            return None
        if not await self._may_upgrade(key, cluster, status, plane):
            return SNAPSHOT_LOOK_SECONDS
        await self._begin_another(key, cluster, status, kept, plane, image)
        return None

    async def _surround(self, key: Key, cluster: Cluster) -> Interfaces:
        """Have what is there already, and is followed by whoever runs; the newest generation's
        interfaces, where they are in place."""
        ids, now = self._ids, self._clock.now()

        def surround(tx: Transaction) -> Interfaces:
            have_log_streams(tx, ids, key, cluster, now)
            records.have_percents(tx, key, cluster)
            network = serving.newest_network(tx, key, cluster)
            newest = serving.interfaces_beside(tx, key.region, network)
            have_network(tx, ids, key, cluster, newest)
            return newest if are_in_place(tx, key, cluster, newest) else ()

        return await self._store.transact(surround)

    async def _may_upgrade(
        self, key: Key, cluster: Cluster, status: ClusterStatus, plane: ControlPlane
    ) -> bool:
        """Whether there is a snapshot to go back to, of after the upgrade was asked for."""
        if status.version in {"", cluster.version} or not plane.snapshots:
            return True
        asked = records.upgrade_asked_at(self._store.reader, key, cluster)
        directory = planes.etcd_snapshots(self._installation, cluster)
        return await asyncio.to_thread(have_snapshot, directory, asked)

    async def _is_up_to_date(
        self, key: Key, cluster: Cluster, plane: ControlPlane, image: planes.Image, enis: Interfaces
    ) -> bool:
        """Whether the newest generation is what it is to be."""
        wanted = planes.document(self._installation, cluster, key, plane, image, enis[0].id)
        name = planes.service_record(key.account, cluster.name)
        if records.newest_document(self._store.reader, key, name) != wanted:
            return False
        return await asyncio.to_thread(self._keeping.has, cluster, plane, enis[0].id)

    async def _begin_another(
        self,
        key: Key,
        cluster: Cluster,
        status: ClusterStatus,
        kept: Kept,
        plane: ControlPlane,
        image: planes.Image,
    ) -> None:
        """Another generation. What an earlier attempt made and nobody uses is used."""
        ids, now, installation = self._ids, self._clock.now(), self._installation

        def take(tx: Transaction) -> Interfaces:
            used = serving.used_interfaces(tx, key, cluster)
            group = status.security_group
            return have_interfaces(tx, ids, now, installation, key, cluster, group, used)

        enis = await self._store.transact(take)
        own, generation = _with(plane, enis), enis[0].id
        await asyncio.to_thread(self._keeping.write, cluster, own, kept, generation)
        document = planes.document(installation, cluster, key, own, image, generation)

        def stage(tx: Transaction) -> None:
            network = have_network(tx, ids, key, cluster, enis)
            minimum = records.least_percent(tx, key, cluster)
            records.run(tx, ids, key, document, network, now, minimum=minimum)

        await self._store.transact(stage)


def _with(plane: ControlPlane, enis: Interfaces) -> ControlPlane:
    """As it is with these interfaces in the user's subnets: the first is what it advertises."""
    addresses = [eni.private_address for eni in enis]
    return msgspec.structs.replace(plane, address=addresses[0], addresses=tuple(addresses[1:]))
