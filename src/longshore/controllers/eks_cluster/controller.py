"""The loop: one key for each cluster."""

import asyncio
import functools
import subprocess
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import msgspec

from longshore.base.hosts_file import forget_names, have_names
from longshore.base.logs import logger
from longshore.components import ComponentMissing, InstallFailed, component, install, locate
from longshore.controllers.eks_cluster import plane as planes
from longshore.controllers.eks_cluster import platforms, records, serving
from longshore.controllers.eks_cluster.encryption import (
    KEY_KINDS,
    clusters_of_key,
    encryption_issues,
    have_provider,
)
from longshore.controllers.eks_cluster.interfaces import lead_name
from longshore.controllers.eks_cluster.keeping import Keeping
from longshore.controllers.eks_cluster.logging import LOG_KINDS, logged_cluster
from longshore.controllers.eks_cluster.rollout import Rollout
from longshore.controllers.eks_cluster.snapshots import restore_issues
from longshore.controllers.interface import Surroundings
from longshore.controllers.own_images import OwnImages
from longshore.images.contents import Contents
from longshore.model.ecs import SERVICE, TASK, Task
from longshore.model.eks import (
    CLUSTER,
    CLUSTER_STATUS,
    SYSTEM_ACCOUNT,
    Cluster,
    ClusterStatus,
    Issue,
)
from longshore.model.eks_platforms import PATCH
from longshore.model.errors import AwsError
from longshore.model.kind import Kind
from longshore.store.interface import Change, Key, Reader, Transaction

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
    watched: Collection[Kind[Any]] = (CLUSTER, PATCH, SERVICE, TASK, *LOG_KINDS, *KEY_KINDS)

    def __init__(self, surroundings: Surroundings, keeping: Keeping, images: OwnImages) -> None:
        self._store = surroundings.store
        self._clock = surroundings.clock
        self._ids = surroundings.ids
        self._installation = surroundings.installation
        self._keeping = keeping
        self._images = images
        self._rollout = Rollout(surroundings, keeping)
        self._installs: dict[str, _Install] = {}

    def keys(self, change: Change, reader: Reader) -> Iterable[Key]:
        if change.key.kind == CLUSTER.name:
            if change.after is not None:
                yield change.key
        elif change.key.kind == PATCH.name:
            yield Key(CLUSTER.name, change.key.account, change.key.region, change.key.name)
        elif change.key.kind in {kind.name for kind in LOG_KINDS}:
            yield from logged_cluster(change)
        elif change.key.kind in {kind.name for kind in KEY_KINDS}:
            yield from clusters_of_key(change, reader)
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
        wait = await self._have(key, cluster, status)
        task = serving.serving_task(self._store.reader, key, cluster)
        later = await self._serve(key, cluster, task) if task is not None else None
        if wait is None:
            await self._tell(key, cluster, task)
        await self._rollout.retire(key, cluster)
        now = self._clock.now()
        again = await self._store.transact(lambda tx: records.give_up(tx, key, cluster, now))
        return min(each for each in (wait, later, again, LOOK_SECONDS) if each is not None)

    async def _have(self, key: Key, cluster: Cluster, status: ClusterStatus) -> float | None:
        """Have the control plane run as it is to, or be on its way; where it cannot be, say why:
        seconds until it may."""
        program = self._program(cluster.version)
        if program is None:
            return await self._install(key, cluster, status)
        try:
            return await self._run(key, cluster, status, program)
        except AwsError as error:
            # In words and codes of EC2's: what the user's VPC has not got for the control plane.
            issue = Issue(ISSUES.get(error.code, "Other"), error.message, cluster.subnets)
            await self._change(key, cluster, issues=(issue,))
            return ROOM_AGAIN_SECONDS
        except InstallFailed as failure:
            said = f"The provider of encryption could not be installed: {failure}"
            await self._change(key, cluster, issues=(Issue("Other", said),))
            return INSTALL_AGAIN_SECONDS

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
            made = msgspec.structs.replace(begun, issuer=issuer, security_group=group)
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

    async def _run(
        self, key: Key, cluster: Cluster, status: ClusterStatus, program: Path
    ) -> float | None:
        """Have the services that keep the control plane running, and what their tasks need."""
        tag = program.parent.name
        contents = Contents(files={"kube": str(program)}, config={"Entrypoint": ["/kube"]})
        reference = await self._images.have(key.region, planes.REPOSITORY, tag, contents)
        version = await asyncio.to_thread(etcd_version, program)
        provider = ""
        if cluster.encryption_key:
            provider = await have_provider(self._images, key.region)
        minor, made_of, now = cluster.version, platforms.digest(tag, version), self._clock.now()
        platform, held = await self._store.transact(
            lambda tx: platforms.take_turn(tx, key, cluster, minor, made_of, now)
        )
        image = planes.Image(reference, version, provider, platforms.label(platform))
        return await self._rollout.run(key, cluster, status, image, held=held)

    async def _serve(self, key: Key, cluster: Cluster, task: Task) -> float | None:
        """Have the endpoint's name lead to this API server; seconds until there is more to do."""
        reader = self._store.reader
        address = serving.public_address(reader, key, task)
        if not address:
            return None
        name = planes.endpoint_name(self._installation, cluster, key.region)
        enis = serving.interfaces_beside(reader, key.region, task.network)
        await self._store.transact(lambda tx: lead_name(tx, key, cluster, name, address, enis))
        names = dict(planes.issuer_addresses(self._installation, key.region))
        if cluster.public_access:
            names[name] = address
        else:
            await asyncio.to_thread(forget_names, self._installation, [name])
        await asyncio.to_thread(have_names, self._installation, names)
        # Names first: whom they led to so far may end from then on.
        now = self._clock.now()
        return await self._store.transact(lambda tx: serving.keep(tx, key, cluster, task, now))

    async def _tell(self, key: Key, cluster: Cluster, task: Task | None) -> None:
        """ACTIVE once this API server runs and no other one does; or what is in the way."""
        reader = self._store.reader
        if task is not None and serving.is_through(reader, key, cluster, task):
            endpoint = f"https://{planes.endpoint_name(self._installation, cluster, key.region)}"
            directory = planes.etcd_snapshots(self._installation, cluster)
            issues = await asyncio.to_thread(restore_issues, directory, self._clock.now())
            await self._store.transact(
                lambda tx: records.finish(tx, key, cluster, endpoint, issues)
            )
            return
        trouble = serving.unplaced(reader, key, cluster)
        if not trouble and (task is None or task.placement is None):
            trouble = serving.last_stop(reader, key, cluster)
        issues = encryption_issues(reader, cluster)
        if trouble:
            issues = (*issues, Issue("Other", trouble))
        if issues:
            await self._change(key, cluster, issues=issues)

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


@functools.cache
def etcd_version(program: Path) -> str:
    """That of the etcd in this program, as `3.6.5`."""
    said = subprocess.run(
        [program, "etcd", "--version"], check=True, capture_output=True, text=True, timeout=60
    )
    return said.stdout.partition("etcd Version:")[2].split()[0]


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
