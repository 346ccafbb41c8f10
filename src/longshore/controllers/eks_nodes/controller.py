"""The loop: one key for each cluster."""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

from longshore.base.clock import rfc_3339
from longshore.base.logs import logger
from longshore.controllers.cluster_clients import ClusterClients
from longshore.controllers.cluster_watches import ClusterWatches, Watched
from longshore.controllers.eks_nodes import serving
from longshore.controllers.eks_nodes.instances import instances_of, is_gone, name_of, named
from longshore.controllers.eks_nodes.leaving import leave
from longshore.controllers.interface import Surroundings
from longshore.kubernetes.client import Client, Event, Refused
from longshore.kubernetes.objects import NODES
from longshore.model.eks import CLUSTER, CLUSTER_STATUS, Cluster, ClusterStatus
from longshore.model.instances import INSTANCE, INSTANCE_STATUS, Instance
from longshore.model.kind import Kind
from longshore.store.interface import Change, Key, Reader

REQUESTS = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
SOON_SECONDS = 2.0
"""How often a cluster is looked at that an instance may be joining."""
LATER_SECONDS = 15.0
"""How often otherwise: certificates are renewed long before they end, and kubelets are patient."""
JOINING_SECONDS = 300.0
"""For so long after it was launched an instance may be joining."""
log = logger(__name__)


class EksNodes:
    """`longshore.controllers.interface.Controller` of clusters' nodes."""

    name = "controllers/eks_nodes"
    watched: Collection[Kind[Any]] = (CLUSTER, CLUSTER_STATUS, INSTANCE, INSTANCE_STATUS)

    def __init__(self, surroundings: Surroundings, clients: ClusterClients) -> None:
        self._store = surroundings.store
        self._clock = surroundings.clock
        self._clients = clients
        self._objections: dict[Key, dict[str, str]] = {}
        # A kubelet gives no logs before its certificate is approved.
        self._watches = ClusterWatches(self._clock, Watched(REQUESTS, matters=_is_new))

    async def listen(self, wake: Callable[[Key], None]) -> None:
        """See `longshore.controllers.interface.Listener`: requests are no records."""
        await self._watches.run(wake)

    def keys(self, change: Change, reader: Reader) -> Iterable[Key]:
        if change.key.kind in {CLUSTER.name, CLUSTER_STATUS.name}:
            key = change.key
            yield Key(CLUSTER.name, key.account, key.region, key.name)
            return
        account, found = change.key.account, change.after or change.before
        if found is not None and isinstance(found.value, Instance):
            account = found.value.interface_account(account)
        for record in reader.scan(CLUSTER, account, change.key.region):
            yield record.key

    def every_key(self, reader: Reader) -> Iterable[Key]:
        return [record.key for record in reader.scan(CLUSTER)]

    async def reconcile(self, key: Key) -> float | None:
        reader = self._store.reader
        record = reader.get(CLUSTER, key.account, key.region, key.name)
        status = reader.get(CLUSTER_STATUS, key.account, key.region, key.name)
        if record is None:
            self._objections.pop(key, None)
            self._clients.forget(key)
        if record is None or status is None or not _runs(record.value, status.value):
            return None
        client = await self._clients.client(key)
        if client is None:
            return SOON_SECONDS
        instances = instances_of(reader, key, record.value)
        try:
            nodes, leaving = await self._forget_gone(key, client)
            if not nodes and not instances and not leaving:
                return None
            self._watches.follow(key, client)
            await self._approve(key, client, instances)
        except OSError:
            # The API server is away for a moment while it is exchanged; its own loop knows.
            return SOON_SECONDS
        return SOON_SECONDS if leaving else self._again(instances)

    def _again(self, instances: Sequence[Instance]) -> float:
        newest = max((each.launched_at for each in instances), default=0.0)
        joining = self._clock.now() < newest + JOINING_SECONDS
        return SOON_SECONDS if joining else LATER_SECONDS

    async def _forget_gone(self, key: Key, client: Client) -> tuple[list[dict[str, Any]], bool]:
        """Have no Node whose instance is no more; the others, and whether one has yet to go."""
        left, leaving = [], False
        for node in await client.list(NODES):
            if not is_gone(self._store.reader, key, node):
                left.append(node)
            elif not await self._leave(key, client, node):
                leaving = True
        return left, leaving

    async def _leave(self, key: Key, client: Client, node: dict[str, Any]) -> bool:
        """Whether this one is gone; one that cannot go holds up nothing else."""
        name = node["metadata"]["name"]
        try:
            gone = await leave(client, node, self._clock.now())
        except Refused as refused:
            log.info("a node was not removed", cluster=key.name, node=name, reason=refused.message)
            return False
        if gone:
            log.info("a node was removed whose instance is gone", cluster=key.name, node=name)
        return gone

    async def _approve(self, key: Key, client: Client, instances: Sequence[Instance]) -> None:
        """Have every request approved that is the node's own; others wait for an administrator."""
        objections: dict[str, str] = {}
        for request in serving.waiting(await client.list(REQUESTS)):
            name = request["metadata"]["name"]
            objection = self._objection(key, request, instances)
            if objection:
                objections[name] = objection
            else:
                await self._put_approval(client, name, request)
        told = self._objections.get(key, {})
        for name, objection in objections.items():
            if told.get(name) != objection:
                log.warning("a serving certificate was refused", request=name, reason=objection)
        self._objections[key] = objections

    async def _put_approval(self, client: Client, name: str, request: serving.Object) -> None:
        body = serving.approved(request, rfc_3339(self._clock.now()))
        try:
            await client.replace(f"{REQUESTS}/{name}/approval", body)
        except Refused as refused:
            # It has been decided about, or withdrawn, meanwhile: the next look tells.
            log.info("a serving certificate waits", request=name, reason=refused.message)

    def _objection(self, key: Key, request: serving.Object, instances: Sequence[Instance]) -> str:
        node = serving.node_of(request)
        instance = named(instances, node, key.region) if node else None
        if instance is None:
            return "who asks is no instance of the cluster's VPC"
        names, addresses = [name_of(instance, key.region)], [instance.private_address]
        return serving.objection(request, names, addresses)


def _is_new(event: Event) -> bool:
    return event.type == "ADDED"


def _runs(cluster: Cluster, status: ClusterStatus) -> bool:
    return status.id == cluster.id and status.status == "ACTIVE" and not cluster.deleted_at
