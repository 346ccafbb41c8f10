"""The loop: one key for each cluster that has Fargate profiles, or machines of theirs."""

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from functools import partial
from typing import Any

from longshore.base.logs import logger
from longshore.controllers.cluster_clients import ClusterClients, running_cluster
from longshore.controllers.cluster_watches import ClusterWatches, Watched
from longshore.controllers.eks_fargate import machines, profiles, told
from longshore.controllers.eks_fargate.plan import NO_CAPACITY, Plan, is_pods_turn, next_steps
from longshore.controllers.interface import Surroundings
from longshore.controllers.pods_own_groups import groups_in
from longshore.instances import fargate_image
from longshore.kubernetes.client import STRATEGIC, Client, Refused
from longshore.kubernetes.fargate import PROFILE_LABEL, SCHEDULER, Size
from longshore.kubernetes.objects import NODES, PODS, path_of, tell
from longshore.model.eks import (
    CLUSTER,
    CLUSTER_STATUS,
    SYSTEM_ACCOUNT,
    Cluster,
    ClusterStatus,
)
from longshore.model.eks_parts import FARGATE_PROFILE, FargateProfile
from longshore.model.errors import AwsError
from longshore.model.instances import INSTANCE, INSTANCE_STATUS, Instance
from longshore.model.kind import Kind
from longshore.store.interface import Change, Key, Reader

MANAGER = "eks"
OURS = {"fieldSelector": f"spec.schedulerName={SCHEDULER}"}
FARGATES = {"labelSelector": told.NODE_SELECTOR}
SOON_SECONDS = 2.0
"""How often a cluster with profiles is looked at while nothing tells of its pods and nodes."""
WATCHED_SECONDS = 10.0
"""How often besides, while a watch does."""
log = logger(__name__)

HaveImage = Callable[[str, str], Awaitable[str]]
"""Has the machine image of this region and id in the registry; LookupError where that cannot be."""


class EksFargate:
    """`longshore.controllers.interface.Controller` of Fargate profiles, and the scheduler of pods
    on Fargate."""

    name = "controllers/eks_fargate"
    watched: Collection[Kind[Any]] = (CLUSTER_STATUS, FARGATE_PROFILE, INSTANCE, INSTANCE_STATUS)

    def __init__(
        self, surroundings: Surroundings, clients: ClusterClients, have_image: HaveImage
    ) -> None:
        self._store = surroundings.store
        self._clock = surroundings.clock
        self._ids = surroundings.ids
        self._installation = surroundings.installation
        self._clients = clients
        self._have_image = have_image
        self._watches = ClusterWatches(
            self._clock, Watched(PODS, OURS, is_pods_turn), Watched(NODES, FARGATES)
        )

    async def listen(self, wake: Callable[[Key], None]) -> None:
        """See `longshore.controllers.interface.Listener`: pods and nodes are no records."""
        await self._watches.run(wake)

    def keys(self, change: Change, reader: Reader) -> Iterable[Key]:
        key = change.key
        if key.kind == FARGATE_PROFILE.name:
            yield _cluster(key.account, key.region, key.name.partition("/")[0])
        elif key.kind == CLUSTER_STATUS.name:
            yield _cluster(key.account, key.region, key.name)
        elif key.account == SYSTEM_ACCOUNT:
            found = _instance(change, reader)
            if found is not None and found.fargate is not None:
                yield _cluster(found.fargate.account, key.region, found.fargate.cluster)

    def every_key(self, reader: Reader) -> Iterable[Key]:
        found = {
            _cluster(record.key.account, record.key.region, record.value.cluster)
            for record in reader.scan(FARGATE_PROFILE)
        }
        for record in reader.scan(INSTANCE, SYSTEM_ACCOUNT):
            node = record.value.fargate
            if node is not None:
                found.add(_cluster(node.account, record.key.region, node.cluster))
        return found

    async def reconcile(self, key: Key) -> float | None:
        reader = self._store.reader
        found = profiles.profiles_of(reader, key)
        there = machines.machines_of(reader, key)
        if not found and not there:
            return None
        cluster = running_cluster(reader, key)
        if cluster is None:
            await self._end(key, [each.instance.id for each in there])
            return SOON_SECONDS
        client = await self._clients.client(key)
        if client is None:
            return SOON_SECONDS
        try:
            await self._begin(key, cluster, found, client)
            watched = self._watches.follow(key, client)
            await self._look(key, cluster, client)
            return WATCHED_SECONDS if watched else SOON_SECONDS
        except OSError as failure:
            # The API server is away for a moment while it is exchanged; its own loop knows.
            log.info("a cluster does not answer", cluster=key.name, reason=str(failure))
        return SOON_SECONDS

    async def _begin(
        self,
        key: Key,
        cluster: tuple[Cluster, ClusterStatus],
        found: Iterable[FargateProfile],
        client: Client,
    ) -> None:
        """Have profiles active that are new."""
        made, status = cluster
        for profile in found:
            if profile.deleted_at or profiles.status_of(self._store.reader, key, profile):
                continue
            await client.apply(told.PROXY_BINDING_PATH, told.PROXY_BINDING, MANAGER, force=True)
            await self._prepare(key.region, status.version)
            now, ids = self._clock.now(), self._ids
            await self._store.transact(
                partial(profiles.activate, ids=ids, key=key, cluster=made, profile=profile, now=now)
            )

    async def _prepare(self, region: str, version: str) -> None:
        """Have the machines' image now: no pod is to wait for it."""
        try:
            await self._have_image(region, fargate_image(region, version).id)
        except LookupError as failure:
            # Machines try again, and their pods say so.
            log.warning("the image of Fargate's machines was not made", reason=str(failure))

    async def _look(self, key: Key, cluster: tuple[Cluster, ClusterStatus], client: Client) -> None:
        """Do what is next."""
        pods = await client.list(PODS, **OURS)
        nodes = await client.list(NODES, **FARGATES)
        # After the cluster was asked: what is made meanwhile is not taken for what is left over.
        found = profiles.profiles_of(self._store.reader, key)
        there = machines.machines_of(self._store.reader, key)
        plan = next_steps(pods, nodes, there, found, self._clock.now())
        await self._carry_out(key, cluster, plan, client)
        left = {(pod["metadata"].get("labels") or {}).get(PROFILE_LABEL, "") for pod in pods}
        left |= {
            each.instance.fargate.profile
            for each in there
            if each.instance.fargate and each.state != "terminated"
        }
        for profile in found:
            if profile.deleted_at and profile.name not in left:
                await self._store.transact(partial(profiles.forget, key=key, profile=profile))
                log.info("a Fargate profile was deleted", profile_arn=profile.arn)

    async def _carry_out(
        self, key: Key, cluster: tuple[Cluster, ClusterStatus], plan: Plan, client: Client
    ) -> None:
        await self._end(key, plan.end)
        for pod, profile, size in plan.provision:
            await self._provision(key, cluster, profile, pod, size, client)
        for pod, node, size in plan.bind:
            await self._bind(pod, node, size, client)
        for pod, message in plan.tell:
            await self._tell(pod, message, client)
        for pod in plan.evict:
            await client.delete(path_of(PODS, pod), preconditions={"uid": pod["metadata"]["uid"]})
        for gone in plan.forget:
            metadata = gone["metadata"]
            await client.delete(
                f"{NODES}/{metadata['name']}", preconditions={"uid": metadata["uid"]}
            )

    async def _end(self, key: Key, instance_ids: Iterable[str]) -> None:
        now, ids, installation = self._clock.now(), self._ids, self._installation
        for each in instance_ids:
            await self._store.transact(
                partial(
                    machines.end,
                    ids=ids,
                    installation=installation,
                    now=now,
                    key=key,
                    instance_id=each,
                )
            )

    async def _provision(
        self,
        key: Key,
        cluster: tuple[Cluster, ClusterStatus],
        profile: FargateProfile,
        pod: Mapping[str, Any],
        size: Size,
        client: Client,
    ) -> None:
        now, ids, installation = self._clock.now(), self._ids, self._installation
        groups = await groups_in(client, pod)
        try:
            made = await self._store.transact(
                lambda tx: machines.provision(
                    tx, ids, installation, now, key, cluster, profile, pod, size, groups
                )
            )
        except AwsError as error:
            log.info("a pod got no machine", cluster=key.name, reason=error.message)
            await self._tell(pod, NO_CAPACITY, client)
        else:
            log.info("a pod gets a machine", cluster=key.name, instance_id=made.id, size=size.told)

    async def _bind(self, pod: Mapping[str, Any], node: str, size: Size, client: Client) -> None:
        try:
            path = f"{path_of(PODS, pod)}/binding"
            await client.create(path, told.binding(pod, node, size))
        except Refused as refused:
            # It is bound already, or gone: the next look tells.
            log.info("a pod was not bound", node=node, reason=refused.message)

    async def _tell(self, pod: Mapping[str, Any], message: str, client: Client) -> None:
        """Have the pod say why it waits, and an event of it."""
        if told.is_told(pod, message):
            return
        now = self._clock.now()
        await tell(client, pod, told.waits(message), now)
        try:
            patch = told.unschedulable(message, now)
            await client.patch(f"{path_of(PODS, pod)}/status", patch, STRATEGIC)
        except Refused as refused:
            log.info("a pod's status was not changed", reason=refused.message)


def _cluster(account: str, region: str, name: str) -> Key:
    return Key(CLUSTER.name, account, region, name)


def _instance(change: Change, reader: Reader) -> Instance | None:
    """The instance that a change is about."""
    found = change.after or change.before
    if found is not None and isinstance(found.value, Instance):
        return found.value
    record = reader.get(INSTANCE, change.key.account, change.key.region, change.key.name)
    return record.value if record is not None else None
