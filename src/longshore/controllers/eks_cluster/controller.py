"""The loop: one key for each cluster."""

import asyncio
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import msgspec

from longshore.base.hosts_file import forget_names, have_names
from longshore.base.logs import logger
from longshore.components import ComponentMissing, InstallFailed, component, install, locate
from longshore.controllers.eks_cluster import plane as planes
from longshore.controllers.eks_cluster import records
from longshore.controllers.eks_cluster.interfaces import have_interfaces, lead_name
from longshore.controllers.eks_cluster.keeping import Keeping
from longshore.controllers.interface import Surroundings
from longshore.controllers.own_images import OwnImages
from longshore.controllers.system_account import have_execution_role
from longshore.images.contents import Contents
from longshore.model.ec2 import NetworkInterface
from longshore.model.ecs import SERVICE, TASK, Task
from longshore.model.eks import (
    CLUSTER,
    CLUSTER_STATUS,
    SYSTEM_ACCOUNT,
    Cluster,
    ClusterStatus,
    Issue,
)
from longshore.model.errors import AwsError
from longshore.model.kind import Kind
from longshore.store.interface import Change, Key, Reader, Transaction

PLATFORM_VERSION = "eks.1"
LOOK_SECONDS = 6 * 3600.0
"""How often a cluster is looked at to which nothing happens: certificates age."""
INSTALL_LOOK_SECONDS = 1.0
INSTALL_AGAIN_SECONDS = 60.0
ROOM_AGAIN_SECONDS = 15.0
ISSUES = {
    "InsufficientFreeAddressesInSubnet": "InsufficientFreeAddresses",
    "InvalidGroup.NotFound": "Ec2SecurityGroupNotFound",
    "InvalidSubnetID.NotFound": "Ec2SubnetNotFound",
}
"""Codes of a cluster's issues, by EC2's errors."""
log = logger(__name__)


class EksCluster:
    """`longshore.controllers.interface.Controller` of every cluster's control plane."""

    name = "controllers/eks_cluster"
    watched: Collection[Kind[Any]] = (CLUSTER, SERVICE, TASK)

    def __init__(self, surroundings: Surroundings, keeping: Keeping, images: OwnImages) -> None:
        self._store = surroundings.store
        self._clock = surroundings.clock
        self._ids = surroundings.ids
        self._installation = surroundings.installation
        self._keeping = keeping
        self._images = images
        self._installs: dict[str, _Install] = {}

    def keys(self, change: Change, reader: Reader) -> Iterable[Key]:
        if change.key.kind == CLUSTER.name:
            if change.after is not None:
                yield change.key
        elif change.key.account == SYSTEM_ACCOUNT:
            record: Any = change.after or change.before
            value = record.value
            service = value.service if isinstance(value, Task) else value.name
            if value.cluster == planes.ECS_CLUSTER and service:
                account, name = planes.cluster_of(service)
                yield Key(CLUSTER.name, account, change.key.region, name)

    def every_key(self, reader: Reader) -> Iterable[Key]:
        return [record.key for record in reader.scan(CLUSTER)]

    async def reconcile(self, key: Key) -> float | None:
        record = self._store.reader.get(CLUSTER, key.account, key.region, key.name)
        if record is None:
            return None
        cluster = record.value
        if cluster.deleted_at:
            await self._take_away(key, cluster)
            return None
        status = await self._begin(key, cluster)
        program = self._program(cluster.version)
        if program is None:
            return await self._install(key, cluster, status)
        try:
            await self._run(key, cluster, status, program)
        except AwsError as error:
            # In words and codes of EC2's: what the user's VPC has not got for the control plane.
            issue = Issue(ISSUES.get(error.code, "Other"), error.message, cluster.subnets)
            await self._change(key, cluster, issues=(issue,))
            return ROOM_AGAIN_SECONDS
        await self._look(key, cluster)
        now = self._clock.now()
        again = await self._store.transact(lambda tx: records.give_up(tx, key, cluster, now))
        return LOOK_SECONDS if again is None else again

    async def _begin(self, key: Key, cluster: Cluster) -> ClusterStatus:
        """The cluster's status, made with its keys where there is none of this very cluster."""
        found = self._status(self._store.reader, key, cluster)
        if found is not None:
            return found
        begun = await asyncio.to_thread(self._keeping.begin, cluster)
        issuer = planes.issuer(self._installation, cluster, key.region)

        def make(tx: Transaction) -> ClusterStatus:
            known = self._status(tx, key, cluster)
            if known is not None:
                return known
            group = records.have_cluster_group(tx, self._ids, key, cluster)
            made = msgspec.structs.replace(
                begun, issuer=issuer, security_group=group, platform_version=PLATFORM_VERSION
            )
            tx.put(CLUSTER_STATUS, key.account, key.region, cluster.name, made)
            return made

        return await self._store.transact(make)

    def _status(self, reader: Reader, key: Key, cluster: Cluster) -> ClusterStatus | None:
        record = reader.get(CLUSTER_STATUS, key.account, key.region, cluster.name)
        return record.value if record is not None and record.value.id == cluster.id else None

    def _program(self, version: str) -> Path | None:
        try:
            return locate(f"kube-{version}").resolve()
        except ComponentMissing:
            return None

    async def _install(self, key: Key, cluster: Cluster, status: ClusterStatus) -> float:
        """Build what the cluster runs, and say so in its status meanwhile."""
        name = f"kubernetes-{cluster.version}"
        running = self._installs.get(name)
        if running is None:
            running = self._installs[name] = _Install(name)
        again = INSTALL_LOOK_SECONDS
        if running.done():
            del self._installs[name]
            again = INSTALL_AGAIN_SECONDS if running.failed else 0.0
        issue = Issue("Other", running.said)
        if status.issues != (issue,):
            await self._change(key, cluster, issues=(issue,))
        return again

    async def _run(self, key: Key, cluster: Cluster, status: ClusterStatus, program: Path) -> None:
        """Have the service that keeps the control plane running, and what its tasks need."""
        tag = program.parent.name
        contents = Contents(files={"kube": str(program)}, config={"Entrypoint": ["/kube"]})
        await self._images.have(key.region, planes.REPOSITORY, tag, contents)
        kept = await asyncio.to_thread(self._keeping.open, cluster, status)
        webhook = self._keeping.webhook(cluster, key.account, key.region, kept)
        beside = await self._interfaces(key, cluster, status)
        addresses = [eni.private_address for eni in beside]
        plane = planes.control_plane(self._installation, cluster, key.region, webhook, addresses)
        made = await asyncio.to_thread(self._keeping.write, cluster, plane, kept)
        reference = planes.image(self._installation, key.region, tag)
        now = self._clock.now()
        document = planes.document(self._installation, cluster, key, plane, reference, made)

        def stage(tx: Transaction) -> None:
            have_execution_role(tx, self._ids, now)
            network = records.have_network(tx, self._ids, key, cluster, beside)
            records.run(tx, self._ids, key, cluster, document, network, now)

        await self._store.transact(stage)

    async def _interfaces(
        self, key: Key, cluster: Cluster, status: ClusterStatus
    ) -> tuple[NetworkInterface, ...]:
        """The control plane's in the user's subnets."""
        ids, now, installation = self._ids, self._clock.now(), self._installation
        group = status.security_group
        return await self._store.transact(
            lambda tx: have_interfaces(tx, ids, now, installation, key, cluster, group)
        )

    async def _look(self, key: Key, cluster: Cluster) -> None:
        """Have the endpoint's name lead to the control plane; ACTIVE once all of it runs."""
        reader = self._store.reader
        task = records.running_task(reader, key, cluster)
        if task is None or task.placement is None:
            trouble = records.trouble(reader, key, cluster)
            if trouble:
                await self._change(key, cluster, issues=(Issue("Other", trouble),))
            return
        address = records.public_address(reader, key, cluster)
        if not address:
            return
        name = planes.endpoint_name(self._installation, cluster, key.region)
        await self._store.transact(lambda tx: lead_name(tx, key, cluster, name, address))
        names = dict(planes.issuer_addresses(self._installation, key.region))
        if cluster.public_access:
            names[name] = address
        else:
            await asyncio.to_thread(forget_names, self._installation, [name])
        await asyncio.to_thread(have_names, self._installation, names)
        # Two of its containers come after the API server was ready.
        if task.last_status == "RUNNING" and records.is_current(reader, key, cluster, task):
            endpoint = f"https://{name}"
            await self._store.transact(lambda tx: records.finish(tx, key, cluster, endpoint))

    async def _change(self, key: Key, cluster: Cluster, **fields: Any) -> None:
        def change(tx: Transaction) -> None:
            status = self._status(tx, key, cluster)
            if status is None:
                return
            changed = msgspec.structs.replace(status, **fields)
            if changed != status:
                tx.put(CLUSTER_STATUS, key.account, key.region, cluster.name, changed)

        await self._store.transact(change)

    async def _take_away(self, key: Key, cluster: Cluster) -> None:
        """The task first; what is left of the cluster goes once it has ended."""
        if not await self._store.transact(lambda tx: records.end(tx, key, cluster)):
            return
        name = planes.endpoint_name(self._installation, cluster, key.region)
        await asyncio.to_thread(forget_names, self._installation, [name])
        await asyncio.to_thread(self._keeping.forget, cluster)
        await self._store.transact(lambda tx: records.forget(tx, key, cluster))
        log.info("a cluster was deleted", cluster=cluster.arn)


class _Install:
    """A component on its way; `said` is how far it is."""

    def __init__(self, name: str) -> None:
        self.said = f"Longshore is installing {name}."
        self.failed = False
        self._task = asyncio.create_task(asyncio.to_thread(self._run, name))

    def done(self) -> bool:
        return self._task.done()

    def _run(self, name: str) -> None:
        try:
            install(component(name), self._tell)
        except (InstallFailed, OSError) as failure:
            self.failed = True
            self.said = f"{name} could not be installed: {failure}"
            log.warning("a component was not installed", component=name, reason=str(failure))

    def _tell(self, line: str) -> None:
        self.said = f"Longshore is installing what this cluster runs. {line}"
