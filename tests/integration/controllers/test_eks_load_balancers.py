"""Load balancers of Services, look by look: the records are real, API server and HAProxy are
played."""

from typing import Any

import msgspec
import pytest

from longshore.base.clock import SystemClock
from longshore.base.ids import RandomIds
from longshore.base.installation import Installation
from longshore.controllers.eks_load_balancers import EksLoadBalancers
from longshore.controllers.eks_load_balancers.annotations import PREFIX
from longshore.controllers.eks_load_balancers.wanted import FINALIZER
from longshore.controllers.interface import Surroundings
from longshore.kubernetes.client import Refused
from longshore.model.ec2 import SECURITY_GROUP, SUBNET, VPC, SecurityGroup
from longshore.model.eks import CLUSTER, CLUSTER_STATUS, Cluster, ClusterStatus
from longshore.model.elbv2 import (
    LISTENER,
    LOAD_BALANCER,
    LOAD_BALANCER_STATUS,
    TARGET_GROUP,
    LoadBalancerStatus,
)
from longshore.model.instances import INSTANCE, INSTANCE_STATUS, Instance, InstanceStatus
from longshore.store.interface import Key
from longshore.testing.memory_store import MemoryStore
from longshore.vpc import create_default_vpc

ACCOUNT, REGION = "123456789012", "us-east-1"
PLACE = (ACCOUNT, REGION)
KEY = Key(CLUSTER.name, ACCOUNT, REGION, "shop")
NODES_GROUP = "sg-00000000000000001"


class PlayedApi:
    """Services, nodes and slices as `kubernetes.Client` gives them."""

    def __init__(self) -> None:
        self.services: dict[str, dict[str, Any]] = {}
        self.nodes: list[dict[str, Any]] = []
        self.slices: list[dict[str, Any]] = []
        self.events: list[tuple[str, str]] = []

    async def list(self, path: str, **query: str) -> Any:
        if path.endswith("/services"):
            return list(self.services.values())
        return self.nodes if path.endswith("/nodes") else self.slices

    async def get(self, path: str) -> Any:
        return self._named(path)

    async def patch(self, path: str, body: Any) -> Any:
        service = self._named(path.removesuffix("/status"))
        if "status" in body:
            service["status"] = {"loadBalancer": {}}
            if body["status"]["loadBalancer"]["ingress"]:
                service["status"] = body["status"]
        service["metadata"]["finalizers"] = body.get("metadata", service["metadata"]).get(
            "finalizers", service["metadata"].get("finalizers")
        )
        if service["metadata"].get("deletionTimestamp") and not service["metadata"]["finalizers"]:
            del self.services[service["metadata"]["name"]]

    async def create(self, path: str, body: Any) -> Any:
        self.events.append((body["reason"], body["message"]))

    def _named(self, path: str) -> Any:
        service = self.services.get(path.rpartition("/")[2])
        if service is None:
            raise Refused(404, "NotFound", path, {})
        return service


class Scene:
    """A cluster with one node in the default VPC."""

    def __init__(self, tmp_path) -> None:
        self.store, self.api = MemoryStore(), PlayedApi()
        self.surroundings = Surroundings(
            store=self.store,
            clock=SystemClock(),
            ids=RandomIds(),
            installation=Installation(data_dir=tmp_path),
        )
        self.loop = EksLoadBalancers(self.surroundings, self)

    async def client(self, key):
        return self.api

    def forget(self, key):
        pass

    async def prepare(self):
        ids = self.surroundings.ids
        await self.store.transact(lambda tx: create_default_vpc(tx, ACCOUNT, REGION, ids))
        vpc = self.all(VPC)[0].id
        self.subnets = [subnet.id for subnet in self.all(SUBNET)]
        cluster = Cluster(
            name="shop",
            arn="arn:aws:eks:us-east-1:123456789012:cluster/shop",
            id="A" * 32,
            version="1.35",
            role_arn="role",
            created_at=1.0,
            created_by="me",
            vpc_id=vpc,
            subnets=tuple(self.subnets[:2]),
            service_cidr="10.100.0.0/16",
        )
        status = ClusterStatus(id="A" * 32, status="ACTIVE", security_group=NODES_GROUP)
        group = SecurityGroup(id=NODES_GROUP, vpc_id=vpc, name="nodes", description="nodes")
        instance = Instance(
            id="i-00000000000000001",
            reservation_id="r-1",
            image_id="ami-1",
            instance_type="t3.micro",
            vcpus=2,
            memory=1024,
            vpc_id=vpc,
            subnet_id=self.subnets[0],
            zone="us-east-1a",
            interface_id="eni-1",
            private_address="172.31.0.7",
            launched_at=1.0,
        )
        await self.put(CLUSTER, "shop", cluster)
        await self.put(CLUSTER_STATUS, "shop", status)
        await self.put(SECURITY_GROUP, NODES_GROUP, group)
        await self.put(INSTANCE, instance.id, instance)
        await self.put(INSTANCE_STATUS, instance.id, InstanceStatus(state="running"))
        self.cluster = cluster
        node = {"metadata": {"name": "n"}, "spec": {"providerID": f"aws:///x-1a/{instance.id}"}}
        self.api.nodes = [node]
        return self

    async def put(self, kind, name, value):
        await self.store.transact(lambda tx: tx.put(kind, *PLACE, name, value))

    def all(self, kind):
        return [record.value for record in self.store.reader.scan(kind, *PLACE)]

    def own_groups(self):
        return [each for each in self.all(SECURITY_GROUP) if each.name.startswith("k8s-")]

    def expose(self, name="web", annotations=None, **spec):
        found = {PREFIX + key: value for key, value in (annotations or {}).items()}
        known = self.api.services.get(name, {"metadata": {}})
        self.api.services[name] = {
            "metadata": {
                "name": name,
                "namespace": "default",
                "uid": f"uid-{name}",
                "resourceVersion": "1",
                "annotations": found,
                "finalizers": known["metadata"].get("finalizers", []),
            },
            "spec": {
                "type": "LoadBalancer",
                "ports": [{"port": 80, "nodePort": 30080}],
                **spec,
            },
        }
        return self.api.services[name]

    async def look(self, times=1):
        for _ in range(times):
            await self.loop.reconcile(KEY)

    async def come_up(self):
        """HAProxy runs for every load balancer, and for none that is deleted."""
        for record in self.store.reader.scan(LOAD_BALANCER, *PLACE):
            name = record.key.name
            if record.value.deleted_at:
                await self.store.transact(
                    lambda tx, name=name: tx.delete(LOAD_BALANCER, *PLACE, name)
                )
            else:
                await self.put(LOAD_BALANCER_STATUS, name, LoadBalancerStatus(state="active"))


@pytest.fixture
async def scene(tmp_path):
    return await Scene(tmp_path).prepare()


async def test_a_service_gets_its_load_balancer_before_the_clusters_nodes(scene):
    service = scene.expose(loadBalancerSourceRanges=["192.0.2.0/24"])
    await scene.look()
    (balancer,) = scene.all(LOAD_BALANCER)
    assert set(balancer.subnets) == set(scene.subnets[:2])
    assert [listener.port for listener in scene.all(LISTENER)] == [80]
    (group,) = scene.all(TARGET_GROUP)
    assert [target.key for target in group.targets] == ["i-00000000000000001:30080"]
    (own,) = scene.own_groups()
    assert balancer.security_groups == (own.id,)
    assert [(r.from_port, r.cidr) for r in own.rules if not r.egress] == [(80, "192.0.2.0/24")]
    nodes = next(each for each in scene.all(SECURITY_GROUP) if each.id == NODES_GROUP)
    assert [(rule.from_port, rule.group_id) for rule in nodes.rules] == [(30080, own.id)]
    assert service["metadata"]["finalizers"] == [FINALIZER]
    assert "status" not in service


async def test_its_status_names_it_once_it_is_active(scene):
    service = scene.expose()
    await scene.look()
    await scene.come_up()
    await scene.look(2)
    (balancer,) = scene.all(LOAD_BALANCER)
    ingress = service["status"]["loadBalancer"]["ingress"]
    assert ingress == [{"hostname": balancer.dns_name}]
    assert scene.api.events == [("EnsuredLoadBalancer", "Ensured load balancer")]


async def test_looking_again_changes_nothing(scene):
    scene.expose()
    await scene.look()
    before = [scene.all(kind) for kind in (LOAD_BALANCER, LISTENER, TARGET_GROUP, SECURITY_GROUP)]
    await scene.look(2)
    after = [scene.all(kind) for kind in (LOAD_BALANCER, LISTENER, TARGET_GROUP, SECURITY_GROUP)]
    assert after == before


async def test_other_ports_and_targets_are_followed_in_place(scene):
    scene.expose()
    await scene.look()
    (before,) = scene.all(LOAD_BALANCER)
    scene.api.slices = [
        {"ports": [{"port": 8080}], "endpoints": [{"addresses": ["172.31.0.50"]}]},
    ]
    scene.expose(
        annotations={"nlb-target-type": "ip", "scheme": "internet-facing"},
        ports=[{"port": 81, "nodePort": 30081}],
    )
    await scene.look()
    (after,) = scene.all(LOAD_BALANCER)
    assert after.arn == before.arn
    assert [listener.port for listener in scene.all(LISTENER)] == [81]
    (group,) = scene.all(TARGET_GROUP)
    assert [target.key for target in group.targets] == ["172.31.0.50:8080"]
    nodes = next(each for each in scene.all(SECURITY_GROUP) if each.id == NODES_GROUP)
    assert [rule.from_port for rule in nodes.rules] == [8080]


async def test_a_node_that_goes_drains(scene):
    scene.expose()
    await scene.look()
    scene.api.nodes = []
    await scene.look()
    (group,) = scene.all(TARGET_GROUP)
    assert [bool(target.deregistered_at) for target in group.targets] == [True]


async def test_another_scheme_is_another_load_balancer(scene):
    scene.expose()
    await scene.look()
    (before,) = scene.all(LOAD_BALANCER)
    scene.expose(annotations={"scheme": "internal"})
    await scene.look()
    assert scene.all(LOAD_BALANCER)[0].deleted_at
    await scene.come_up()
    await scene.look()
    (after,) = scene.all(LOAD_BALANCER)
    assert (after.scheme, after.name) == ("internal", before.name)
    assert len(scene.all(LISTENER)) == 1


@pytest.mark.parametrize("end", ["deleted", "retyped"])
async def test_a_service_goes_after_its_load_balancer(scene, end):
    service = scene.expose()
    await scene.look()
    await scene.come_up()
    await scene.look()
    if end == "deleted":
        service["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    else:
        service["spec"]["type"] = "ClusterIP"
    await scene.look()
    assert service["metadata"]["finalizers"] == [FINALIZER]
    await scene.come_up()
    await scene.look()
    assert service["metadata"]["finalizers"] == []
    assert [scene.all(kind) for kind in (LOAD_BALANCER, LISTENER, TARGET_GROUP)] == [[], [], []]
    assert scene.own_groups() == []
    nodes = next(each for each in scene.all(SECURITY_GROUP) if each.id == NODES_GROUP)
    assert nodes.rules == ()
    assert service["status"]["loadBalancer"].get("ingress", []) == [] or end == "deleted"


async def test_a_service_that_lost_its_finalizer_leaves_no_load_balancer(scene):
    scene.expose()
    await scene.look()
    scene.api.services.clear()
    await scene.look()
    await scene.come_up()
    await scene.look()
    assert [scene.all(kind) for kind in (LOAD_BALANCER, TARGET_GROUP)] == [[], []]
    assert scene.own_groups() == []


@pytest.mark.parametrize("gone", [True, False])
async def test_a_deleted_cluster_takes_its_load_balancers_along(scene, gone):
    scene.expose()
    await scene.look()
    if gone:
        await scene.store.transact(lambda tx: tx.delete(CLUSTER, *PLACE, "shop"))
    else:
        deleted = msgspec.structs.replace(scene.cluster, deleted_at=5.0)
        await scene.put(CLUSTER, "shop", deleted)
    assert KEY in set(scene.loop.every_key(scene.store.reader))
    await scene.look()
    await scene.come_up()
    await scene.look()
    assert [scene.all(kind) for kind in (LOAD_BALANCER, LISTENER, TARGET_GROUP)] == [[], [], []]
    assert scene.own_groups() == []


async def test_what_cannot_be_made_is_said_once_and_leaves_nothing(scene):
    scene.expose(ports=[{"port": 53, "nodePort": 30053, "protocol": "UDP"}])
    await scene.look(3)
    ((reason, message),) = scene.api.events
    assert reason == "SyncLoadBalancerFailed"
    assert "UDP" in message
    assert scene.all(LOAD_BALANCER) == []
    assert scene.own_groups() == []
