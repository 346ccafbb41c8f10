"""The loop: one key for each cluster."""

from collections.abc import Collection, Iterable, Mapping
from functools import partial
from typing import Any

from longshore.base.logs import logger
from longshore.controllers.cluster_clients import ClusterClients, begun_cluster
from longshore.controllers.eks_nodes.instances import instances_of, name_of, state
from longshore.controllers.eks_pod_groups import interfaces, plan
from longshore.controllers.interface import Surroundings
from longshore.controllers.pods_own_groups import groups_in
from longshore.instances import instance_type
from longshore.kubernetes import pod_groups
from longshore.kubernetes.client import Client, Refused
from longshore.kubernetes.objects import NODES, PODS, Said, path_of, tell
from longshore.model.ec2 import NETWORK_INTERFACE, NetworkInterface
from longshore.model.eks import (
    CLUSTER,
    CLUSTER_STATUS,
    Cluster,
    cluster_arn,
)
from longshore.model.errors import AwsError
from longshore.model.instances import INSTANCE_STATUS, Instance
from longshore.model.kind import Kind
from longshore.store.interface import Change, Key, Reader

MANAGER = "eks"
COMPONENT = "vpc-resource-controller"
ALLOCATED, FAILED = "ResourceAllocated", "BranchAllocationFailed"
PLUGIN = "/apis/apps/v1/namespaces/kube-system/daemonsets/aws-node"
SOON_SECONDS = 1.0
"""How often pods are looked at where a cluster has policies, or interfaces of pods."""
LATER_SECONDS = 3.0
"""How often it is asked whether it has policies."""
JOINING_SECONDS, NODES_SECONDS = 2.0, 15.0
"""How often nodes are told how many interfaces they may have, while one is joining and else."""
JOINS_WITHIN = 300.0
DEFINED_SECONDS = 300.0
"""How often what every cluster has is put back where somebody took it away or changed it."""
DEFINED: Mapping[str, dict[str, Any]] = {
    pod_groups.DEFINITION_PATH: pod_groups.definition(),
    pod_groups.GUARD_PATH: pod_groups.guard(),
    pod_groups.GUARD_BINDING_PATH: pod_groups.guard_binding(),
}
"""What every cluster has, by path."""
log = logger(__name__)


class EksPodGroups:
    """`longshore.controllers.interface.Controller` of pods' own security groups."""

    name = "controllers/eks_pod_groups"
    watched: Collection[Kind[Any]] = (CLUSTER, CLUSTER_STATUS, INSTANCE_STATUS)

    def __init__(self, surroundings: Surroundings, clients: ClusterClients) -> None:
        self._store = surroundings.store
        self._clock = surroundings.clock
        self._ids = surroundings.ids
        self._installation = surroundings.installation
        self._clients = clients
        self._due: dict[tuple[Key, str], float] = {}
        """When what is done now and then is due in a cluster; on the monotonic clock."""

    def keys(self, change: Change, reader: Reader) -> Iterable[Key]:
        if change.key.kind in {CLUSTER.name, CLUSTER_STATUS.name}:
            yield _cluster(change.key.account, change.key.region, change.key.name)
            return
        for record in reader.scan(CLUSTER, change.key.account, change.key.region):
            yield record.key

    def every_key(self, reader: Reader) -> Iterable[Key]:
        found = {record.key for record in reader.scan(CLUSTER)}
        for record in reader.scan(NETWORK_INTERFACE):
            # Of a cluster that went while nobody looked.
            if record.value.branch is not None:
                name = record.value.owner_arn.split("/")[1]
                found.add(_cluster(record.key.account, record.key.region, name))
        return found

    async def reconcile(self, key: Key) -> float | None:
        begun = begun_cluster(self._store.reader, key)
        arn = cluster_arn(key.region, key.account, key.name)
        if begun is None:
            return await self._end(key, arn)
        cluster, _ = begun
        client = await self._clients.client(key)
        if client is None:
            return LATER_SECONDS
        try:
            if self._is_due(key, "definition", DEFINED_SECONDS):
                await self._define(key, client)
            instances = self._nodes_of(key, cluster)
            await self._tell_nodes(key, client, instances)
            policies = await client.list(pod_groups.POLICIES)
            branches = interfaces.branches_of(self._store.reader, key, arn)
            if not policies and not branches:
                return LATER_SECONDS
            await self._look(key, cluster, client, instances)
        except Refused as refused:
            if not refused.is_absence:
                log.warning("a cluster refused", cluster=key.name, reason=str(refused))
            # The definition is established a moment after it was made.
            return SOON_SECONDS
        except OSError as failure:
            # The API server is away for a moment while it is exchanged; its own loop knows.
            log.info("a cluster does not answer", cluster=key.name, reason=str(failure))
            return LATER_SECONDS
        return SOON_SECONDS

    def _is_due(self, key: Key, what: str, seconds: float) -> bool:
        now = self._clock.monotonic()
        if now < self._due.get((key, what), now):
            return False
        self._due[key, what] = now + seconds
        return True

    async def _end(self, key: Key, arn: str) -> float | None:
        """Of a cluster that is gone, or goes, nothing is left."""
        reader = self._store.reader
        record = reader.get(CLUSTER, key.account, key.region, key.name)
        if record is not None and not record.value.deleted_at:
            return LATER_SECONDS
        for name in [each for each in self._due if each[0] == key]:
            del self._due[name]
        for each in interfaces.branches_of(reader, key, arn):
            await self._store.transact(partial(interfaces.remove, key=key, interface_id=each.id))
        return None

    async def _define(self, key: Key, client: Client) -> None:
        try:
            for path, document in DEFINED.items():
                await client.apply(path, document, MANAGER, force=True)
        except (OSError, Refused):
            self._due.pop((key, "definition"), None)
            raise

    def _nodes_of(self, key: Key, cluster: Cluster) -> dict[str, Instance]:
        """Instances that run, by the names of their nodes; machines of Fargate's are none."""
        found = instances_of(self._store.reader, key, cluster)
        return {name_of(each, key.region): each for each in found if each.fargate is None}

    async def _tell_nodes(
        self, key: Key, client: Client, instances: Mapping[str, Instance]
    ) -> None:
        newest = max((each.launched_at for each in instances.values()), default=0.0)
        joining = self._clock.now() < newest + JOINS_WITHIN
        if not self._is_due(key, "nodes", JOINING_SECONDS if joining else NODES_SECONDS):
            return
        on = plan.is_switched_on(await client.find(PLUGIN))
        for node in await client.list(NODES):
            name = node["metadata"]["name"]
            if name in instances:
                await self._tell_node(client, node, instances[name], on)

    async def _tell_node(
        self, client: Client, node: Mapping[str, Any], instance: Instance, on: bool
    ) -> None:
        kind = instance_type(instance.instance_type) if on else None
        path = f"{NODES}/{node['metadata']['name']}"
        metadata, status = plan.node_change(node, kind.branches if kind is not None else 0)
        if metadata:
            await client.patch(path, dict(metadata))
        if status:
            await client.patch(f"{path}/status", dict(status))

    async def _look(
        self,
        key: Key,
        cluster: Cluster,
        client: Client,
        instances: Mapping[str, Instance],
    ) -> None:
        pods = await client.list(PODS, resourceVersion="0")
        # After the cluster was asked: what is made meanwhile is not taken for what is left over.
        branches = interfaces.branches_of(self._store.reader, key, cluster.arn)
        trunks = {
            each.interface_id
            for each in instances.values()
            if state(self._store.reader, key, each) != "terminated"
        }
        steps = plan.next_steps(pods, branches, trunks)
        for interface_id in steps.remove:
            await self._store.transact(
                partial(interfaces.remove, key=key, interface_id=interface_id)
            )
        for pod in steps.allocate:
            instance = instances.get(pod["spec"]["nodeName"])
            if instance is not None:
                await self._allocate(key, cluster, client, instance, pod)
        for pod, interface in steps.annotate:
            await self._annotate(key, client, pod, interface)
        for each in branches:
            if each.id not in steps.remove:
                await self._follow(key, each)

    async def _allocate(
        self,
        key: Key,
        cluster: Cluster,
        client: Client,
        instance: Instance,
        pod: Mapping[str, Any],
    ) -> None:
        groups = await groups_in(client, pod)
        now, ids, installation = self._clock.now(), self._ids, self._installation
        try:
            if not groups:
                raise AwsError("InvalidGroup.NotFound", "no SecurityGroupPolicy means this pod")
            made = await self._store.transact(
                lambda tx: interfaces.have_branch(
                    tx, ids, installation, now, key, cluster, instance.interface_id, pod, groups
                )
            )
        except AwsError as error:
            message = f"failed to allocate branch ENI to pod: {error.code}: {error.message}"
            await self._tell(client, pod, FAILED, message)
            return
        log.info("a pod got an interface", cluster=key.name, network_interface_id=made.id)
        await self._annotate(key, client, pod, made)

    async def _annotate(
        self, key: Key, client: Client, pod: Mapping[str, Any], interface: NetworkInterface
    ) -> None:
        metadata = pod["metadata"]
        text = interfaces.annotation(self._store.reader, key, interface)
        # Another pod of this name is another pod.
        change = {"metadata": {"uid": metadata["uid"], "annotations": {pod_groups.RESOURCE: text}}}
        try:
            await client.patch(path_of(PODS, pod), change)
        except Refused as refused:
            log.info("a pod was not told of its interface", reason=refused.message)
            return
        await self._tell(client, pod, ALLOCATED, f"Allocated {text} to the pod")

    async def _tell(
        self, client: Client, pod: Mapping[str, Any], reason: str, message: str
    ) -> None:
        said = Said("Pod", COMPONENT, reason, message, warning=reason == FAILED)
        await tell(client, pod, said, self._clock.now())

    async def _follow(self, key: Key, interface: NetworkInterface) -> None:
        """Have an interface where its node's is, which a stopped instance's is not."""
        if interface.branch is None:
            return
        trunk = self._store.reader.get(
            NETWORK_INTERFACE, key.account, key.region, interface.branch.trunk
        )
        if trunk is not None and trunk.value.host != interface.host:
            await self._store.transact(
                partial(interfaces.follow_trunk, key=key, interface_id=interface.id)
            )


def _cluster(account: str, region: str, name: str) -> Key:
    return Key(CLUSTER.name, account, region, name)
