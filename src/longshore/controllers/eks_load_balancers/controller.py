"""The loop: one key for each cluster."""

from collections.abc import Callable, Collection, Iterable
from typing import Any

from longshore.balancing import Place
from longshore.base.logs import logger
from longshore.controllers.cluster_clients import ClusterClients
from longshore.controllers.cluster_watches import ClusterWatches, Watched
from longshore.controllers.eks_load_balancers import objects, records
from longshore.controllers.eks_load_balancers.annotations import Unsupported
from longshore.controllers.eks_load_balancers.wanted import (
    Wanted,
    addresses_of,
    has_finalizer,
    identity,
    instances_of,
    is_kept,
    is_ours,
    subnets_of,
    wanted_of,
)
from longshore.controllers.interface import Surroundings
from longshore.kubernetes.client import Client, Event, Refused
from longshore.kubernetes.objects import NODES, SERVICES, Object, Said, path_of, tell
from longshore.model.eks import CLUSTER, CLUSTER_STATUS, Cluster, ClusterStatus
from longshore.model.elbv2 import LOAD_BALANCER, LOAD_BALANCER_STATUS, LoadBalancer
from longshore.model.errors import AwsError
from longshore.model.instances import INSTANCE, INSTANCE_STATUS, state_of
from longshore.model.kind import Kind
from longshore.store.interface import Change, Key, Reader

SLICES = "/apis/discovery.k8s.io/v1/namespaces/{}/endpointslices"
LOOK_SECONDS = 2.0
"""How often a cluster is looked at whose Services have load balancers: their targets are no
Services."""
IDLE_SECONDS, WATCHED_SECONDS = 5.0, 30.0
"""How often another one, before its Services are watched and since."""
CHANGED = 409
SOURCE, FAILED = "service-controller", "SyncLoadBalancerFailed"
log = logger(__name__)


class EksLoadBalancers:
    """`longshore.controllers.interface.Controller` of clusters' Services of type LoadBalancer."""

    name = "controllers/eks_load_balancers"
    watched: Collection[Kind[Any]] = (
        CLUSTER,
        CLUSTER_STATUS,
        LOAD_BALANCER,
        LOAD_BALANCER_STATUS,
    )

    def __init__(self, surroundings: Surroundings, clients: ClusterClients) -> None:
        self._store = surroundings.store
        self._clock = surroundings.clock
        self._ids = surroundings.ids
        self._installation = surroundings.installation
        self._clients = clients
        self._told: dict[Key, dict[str, str]] = {}
        self._watches = ClusterWatches(self._clock, Watched(SERVICES, matters=_is_ours))

    async def listen(self, wake: Callable[[Key], None]) -> None:
        """See `longshore.controllers.interface.Listener`: Services are no records."""
        await self._watches.run(wake)

    def keys(self, change: Change, reader: Reader) -> Iterable[Key]:
        key = change.key
        if key.kind in {CLUSTER.name, CLUSTER_STATUS.name}:
            return [Key(CLUSTER.name, key.account, key.region, key.name)]
        found = records.clusters_with_any(reader)
        return {each for each in found if (each.account, each.region) == (key.account, key.region)}

    def every_key(self, reader: Reader) -> Iterable[Key]:
        own = {record.key for record in reader.scan(CLUSTER)}
        return own | set(records.clusters_with_any(reader))

    async def reconcile(self, key: Key) -> float | None:
        reader = self._store.reader
        record = reader.get(CLUSTER, key.account, key.region, key.name)
        status = reader.get(CLUSTER_STATUS, key.account, key.region, key.name)
        if record is None or record.value.deleted_at:
            self._told.pop(key, None)
            return await self._take_away(key)
        if status is None or not _runs(record.value, status.value):
            return None
        client = await self._clients.client(key)
        if client is None:
            return LOOK_SECONDS
        try:
            idle = WATCHED_SECONDS if self._watches.follow(key, client) else IDLE_SECONDS
            busy = await self._look(key, client, record.value, status.value)
            return LOOK_SECONDS if busy else idle
        except OSError:
            # The API server is away for a moment while it is exchanged; its own loop knows.
            return LOOK_SECONDS

    async def _take_away(self, key: Key) -> float | None:
        """A deleted cluster leaves no load balancer."""
        left = records.services_with_any(self._store.reader, key)
        done = [await self._remove(key, service) for service in left]
        return None if all(done) else LOOK_SECONDS

    async def _remove(self, key: Key, service: str) -> bool:
        place = self._place(key)
        return await self._store.transact(lambda tx: records.remove(tx, place, key, service))

    def _place(self, key: Key) -> Place:
        return Place(
            account=key.account,
            region=key.region,
            now=self._clock.now(),
            ids=self._ids,
            installation=self._installation,
        )

    async def _look(
        self, key: Key, client: Client, cluster: Cluster, status: ClusterStatus
    ) -> bool:
        """Whether there is a Service that has, or had, a load balancer."""
        services = await client.list(SERVICES)
        kept = [each for each in services if is_kept(each)]
        going = [each for each in services if not is_kept(each) and has_finalizer(each)]
        known = {identity(each) for each in (*kept, *going)}
        for service in going:
            await self._end(key, client, service)
        for owner in records.services_with_any(self._store.reader, key) - known:
            await self._remove(key, owner)
        nodes = await client.list(NODES) if kept else []
        for service in kept:
            await self._have(key, client, cluster, status, service, nodes)
        told = self._told.get(key, {})
        self._told[key] = {owner: said for owner, said in told.items() if owner in known}
        return bool(known)

    async def _end(self, key: Key, client: Client, service: Object) -> None:
        """The Service goes, or is of another type, once its load balancer is gone."""
        if not await self._remove(key, identity(service)):
            return
        try:
            if not service["metadata"].get("deletionTimestamp"):
                await objects.put_hostname(client, service, "")
                service = await client.get(path_of(SERVICES, service))
            await objects.put_finalizer(client, service, wanted=False)
            await self._say(key, client, service, "DeletedLoadBalancer", "Deleted load balancer")
        except Refused as refused:
            log.info("a Service waits for its load balancer's end", reason=refused.message)

    async def _have(
        self,
        key: Key,
        client: Client,
        cluster: Cluster,
        status: ClusterStatus,
        service: Object,
        nodes: Iterable[Object],
    ) -> None:
        try:
            if not has_finalizer(service):
                await objects.put_finalizer(client, service, wanted=True)
            balancer = await self._stage(key, client, cluster, status, service, nodes)
            if balancer is not None:
                await self._show(key, client, service, balancer)
        except (Unsupported, AwsError) as failure:
            said = failure.message if isinstance(failure, AwsError) else str(failure)
            reason = f"Error syncing load balancer: failed to ensure load balancer: {said}"
            await self._say(key, client, service, FAILED, reason)
        except Refused as refused:
            # It was changed, or is gone, since it was listed: the next look tells.
            if refused.status != CHANGED and not refused.is_absence:
                log.warning("a Service was not changed", reason=refused.message)

    async def _stage(
        self,
        key: Key,
        client: Client,
        cluster: Cluster,
        status: ClusterStatus,
        service: Object,
        nodes: Iterable[Object],
    ) -> LoadBalancer | None:
        wanted = wanted_of(service, records.cluster_tag(key.name))
        reader = self._store.reader
        of_vpc = records.subnets_of_vpc(reader, key, cluster.vpc_id)
        subnets = subnets_of(service, wanted.scheme, of_vpc, cluster.subnets)
        targets = await self._targets(key, client, wanted, service, nodes)
        place, group = self._place(key), status.security_group
        return await self._store.transact(
            lambda tx: records.have(tx, place, key, wanted, subnets, targets, group)
        )

    async def _targets(
        self,
        key: Key,
        client: Client,
        wanted: Wanted,
        service: Object,
        nodes: Iterable[Object],
    ) -> records.Targets:
        if wanted.target_type == "instance":
            ids = [each for each in instances_of(nodes) if self._lives(key, each)]
            return {port: {(each, port.target) for each in ids} for port in wanted.ports}
        metadata = service["metadata"]
        chosen = f"kubernetes.io/service-name={metadata['name']}"
        found = await client.list(SLICES.format(metadata["namespace"]), labelSelector=chosen)
        return {port: addresses_of(found, port) for port in wanted.ports}

    def _lives(self, key: Key, instance_id: str) -> bool:
        place = (key.account, key.region, instance_id)
        record = self._store.reader.get(INSTANCE, *place)
        status = self._store.reader.get(INSTANCE_STATUS, *place)
        if record is None:
            return False
        state = state_of(record.value, status.value if status is not None else None)
        return state in {"pending", "running"}

    async def _show(
        self, key: Key, client: Client, service: Object, balancer: LoadBalancer
    ) -> None:
        """The Service has its address once the load balancer is active."""
        state, reason = records.state_of(self._store.reader, key, balancer)
        if reason:
            said = f"Error syncing load balancer: failed to ensure load balancer: {reason}"
            await self._say(key, client, service, FAILED, said)
        elif state == "active":
            await objects.put_hostname(client, service, balancer.dns_name)
            await self._say(key, client, service, "EnsuredLoadBalancer", "Ensured load balancer")

    async def _say(
        self, key: Key, client: Client, service: Object, reason: str, message: str
    ) -> None:
        """An event, unless it is what was last said of the Service."""
        told = self._told.setdefault(key, {})
        owner = identity(service)
        if told.get(owner) == message:
            return
        told[owner] = message
        failed = reason == FAILED
        said = Said("Service", SOURCE, reason, message, warning=failed, anew=True)
        await tell(client, service, said, self._clock.now())


def _is_ours(event: Event) -> bool:
    return is_ours(event.object) or has_finalizer(event.object)


def _runs(cluster: Cluster, status: ClusterStatus) -> bool:
    return status.id == cluster.id and status.status == "ACTIVE" and not cluster.deleted_at
