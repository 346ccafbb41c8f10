"""Pods' own interfaces, look by look: the store is in memory, the API server is played."""

import json

import msgspec
import pytest

from longshore.base.ids import SeededIds
from longshore.base.installation import Installation
from longshore.controllers.eks_pod_groups import EksPodGroups
from longshore.controllers.eks_pod_groups.plan import free_number, is_switched_on
from longshore.controllers.interface import Surroundings
from longshore.kubernetes.client import Refused
from longshore.model import eks
from longshore.model.ec2 import (
    ADDRESS_CLAIM,
    NETWORK_INTERFACE,
    SECURITY_GROUP,
    SUBNET,
    SecurityGroup,
)
from longshore.model.instances import INSTANCE, Instance
from longshore.store.interface import Key
from longshore.testing.clock import FakeClock
from longshore.testing.memory_store import MemoryStore
from longshore.vpc import create_default_vpc, create_network_interface
from longshore.vpc.interfaces import delete_network_interface
from longshore.vpc.zones import private_dns_name

ACCOUNT, REGION = "123456789012", "eu-west-1"
PLACE = (ACCOUNT, REGION)
KEY = Key(eks.CLUSTER.name, *PLACE, "web")
RESOURCE = "vpc.amazonaws.com/pod-eni"


class PlayedServer:
    """An API server, as far as it is asked; it is its client, too."""

    def __init__(self):
        self.pods, self.nodes, self.policies, self.events = {}, {}, [], []
        self.definitions, self.daemon_set = [], None
        self.answers = True

    def join(self, name):
        self.nodes[name] = {"metadata": {"name": name, "labels": {}}, "status": {}}

    def make(self, name, node="", labels=None, uid="", phase="Pending"):
        """A pod that admission has had ask for an interface."""
        self.pods[name] = {
            "metadata": {
                "name": name,
                "namespace": "apps",
                "uid": uid or f"uid-{name}",
                "labels": labels or {},
                "annotations": {RESOURCE: "[]"},
            },
            "spec": {
                "containers": [{"name": "c", "resources": {"limits": {RESOURCE: "1"}}}],
                **({"nodeName": node} if node else {}),
            },
            "status": {"phase": phase},
        }

    async def list(self, path, **query):
        self._check()
        if path == "/api/v1/nodes":
            return list(self.nodes.values())
        if path == "/api/v1/pods":
            return json.loads(json.dumps(list(self.pods.values())))
        return self.policies

    async def find(self, path):
        self._check()
        if path.endswith("/aws-node"):
            return self.daemon_set
        if path.endswith("/securitygrouppolicies"):
            own = [each for each in self.policies if f"/{each['metadata']['namespace']}/" in path]
            return {"items": own}
        return {"metadata": {"labels": {"team": "one"}}}

    async def create(self, path, body):
        self._check()
        if any(each["metadata"]["name"] == body["metadata"]["name"] for each in self.events):
            raise Refused(409, "AlreadyExists", "it is there", {})
        self.events.append(body)

    async def patch(self, path, body):
        self._check()
        parts = path.split("/")
        if "nodes" in parts:
            node = self.nodes[parts[4]]
            for part, value in body.items():
                for name, what in value.items():
                    node[part].setdefault(name, {}).update(what)
            return
        pod = self.pods[parts[-1]]
        if body["metadata"]["uid"] != pod["metadata"]["uid"]:
            raise Refused(409, "Conflict", "another pod", {})
        pod["metadata"]["annotations"] |= body["metadata"]["annotations"]

    async def apply(self, path, body, manager, *, force=False):
        self._check()
        self.definitions.append(body["metadata"]["name"])

    def _check(self):
        if not self.answers:
            raise OSError("nobody answers")


class World:
    """The cluster `web`, a node of type m5.large, and one of a type without branches."""

    def __init__(self, directory):
        self.store, self.clock, self.ids = MemoryStore(), FakeClock(), SeededIds(5)
        self.server = PlayedServer()
        self.installation = Installation(data_dir=directory)
        surroundings = Surroundings(
            store=self.store, clock=self.clock, ids=self.ids, installation=self.installation
        )
        self.controller = EksPodGroups(surroundings, self)
        self.nodes = []

    async def client(self, key):
        assert key == KEY
        return self.server

    async def begin(self):
        await self.store.transact(self._make)
        for name in self.nodes:
            self.server.join(name)

    def _make(self, tx):
        vpc = create_default_vpc(tx, *PLACE, self.ids)
        self.subnet = tx.find(SUBNET, *PLACE, "vpc", vpc.id)[0].value
        for name in ("sg-pod", "sg-node"):
            group = SecurityGroup(id=name, vpc_id=vpc.id, name=name, description="d")
            tx.put(SECURITY_GROUP, *PLACE, name, group)
        cluster = eks.Cluster(
            name="web",
            arn=eks.cluster_arn(REGION, ACCOUNT, "web"),
            id="A" * 32,
            version="1.35",
            role_arn="arn",
            created_at=0.0,
            created_by="arn",
            vpc_id=vpc.id,
            subnets=(self.subnet.id,),
            service_cidr="10.100.0.0/16",
        )
        status = eks.ClusterStatus(
            id=cluster.id, status="ACTIVE", version="1.35", endpoint="https://web.test"
        )
        tx.put(eks.CLUSTER, *PLACE, "web", cluster)
        tx.put(eks.CLUSTER_STATUS, *PLACE, "web", status)
        self.nodes = [self._node(tx, "i-1", "m5.large"), self._node(tx, "i-2", "t3.medium")]

    def _node(self, tx, instance_id, kind):
        """The name of the instance's node."""
        eni = create_network_interface(
            tx,
            self.ids,
            0.0,
            account=ACCOUNT,
            region=REGION,
            subnet_id=self.subnet.id,
            security_groups=("sg-node",),
            host="host-1",
            installation=self.installation,
        )
        instance = Instance(
            id=instance_id,
            reservation_id="r",
            image_id="ami",
            instance_type=kind,
            vcpus=2,
            memory=4096,
            vpc_id=eni.vpc_id,
            subnet_id=eni.subnet_id,
            zone=eni.zone,
            interface_id=eni.id,
            private_address=eni.private_address,
            launched_at=0.0,
        )
        tx.put(INSTANCE, *PLACE, instance_id, instance)
        return private_dns_name(eni.private_address, REGION)

    async def look(self):
        return await self.controller.reconcile(KEY)

    def policy(self, *groups, **spec):
        spec = spec or {"podSelector": {"matchLabels": {"app": "safe"}}}
        metadata = {"name": "safe", "namespace": "apps"}
        whole = {"securityGroups": {"groupIds": list(groups)}, **spec}
        self.server.policies.append({"metadata": metadata, "spec": whole})

    @property
    def branches(self):
        found = [record.value for record in self.store.reader.scan(NETWORK_INTERFACE, *PLACE)]
        return [each for each in found if each.interface_type == "branch"]

    def told(self, name):
        return json.loads(self.server.pods[name]["metadata"]["annotations"][RESOURCE])

    def reasons(self):
        return [each["reason"] for each in self.server.events]


@pytest.fixture
async def world(tmp_path):
    made = World(tmp_path)
    await made.begin()
    return made


async def test_nodes_say_how_many_interfaces_of_pods_they_may_have(world):
    await world.look()
    large, burstable = (world.server.nodes[name] for name in world.nodes)
    assert large["status"] == {"capacity": {RESOURCE: "9"}, "allocatable": {RESOURCE: "9"}}
    assert large["metadata"]["labels"] == {"vpc.amazonaws.com/has-trunk-attached": "true"}
    assert burstable["status"] == {}
    assert burstable["metadata"]["labels"] == {}
    assert world.server.definitions == [
        "securitygrouppolicies.vpcresources.k8s.aws",
        *("eks-pod-eni.vpcresources.k8s.aws",) * 2,
    ]


async def test_bound_pod_gets_an_interface_with_its_groups_and_is_told(world):
    world.policy("sg-pod")
    world.server.make("one", world.nodes[0], {"app": "safe"})
    world.server.make("unbound", "", {"app": "safe"})
    await world.look()
    [branch] = world.branches
    assert branch.security_groups == ("sg-pod",)
    assert (branch.subnet_id, branch.host, branch.status) == (world.subnet.id, "host-1", "in-use")
    assert branch.attachment_id == ""
    assert dict(branch.tags)["eks:eni:owner"] == "eks-vpc-resource-controller"
    [told] = world.told("one")
    assert told["eniId"] == branch.id
    assert told["ifAddress"] == branch.mac
    assert (told["privateIp"], told["vlanId"]) == (branch.private_address, 1)
    assert told["subnetCidr"] == world.subnet.cidr
    assert world.told("unbound") == []
    assert world.reasons() == ["ResourceAllocated"]
    await world.look()
    assert world.branches == [branch]
    assert world.reasons() == ["ResourceAllocated"]


async def test_controller_killed_before_the_pod_was_told_makes_no_second_interface(world):
    world.policy("sg-pod")
    world.server.make("one", world.nodes[0], {"app": "safe"})
    await world.look()
    world.server.pods["one"]["metadata"]["annotations"] = {RESOURCE: "[]"}
    await world.look()
    assert len(world.branches) == 1
    assert world.told("one")[0]["eniId"] == world.branches[0].id


@pytest.mark.parametrize("how", ["gone", "ended", "made anew"])
async def test_interface_goes_with_its_pod(world, how):
    world.policy("sg-pod")
    world.server.make("one", world.nodes[0], {"app": "safe"})
    await world.look()
    [before] = world.branches
    claims = len(list(world.store.reader.scan(ADDRESS_CLAIM)))
    if how == "gone":
        del world.server.pods["one"]
    elif how == "ended":
        world.server.pods["one"]["status"]["phase"] = "Succeeded"
    else:
        world.server.make("one", world.nodes[0], {"app": "safe"}, uid="another")
    world.server.policies.clear()
    await world.look()
    assert before not in world.branches
    if how != "made anew":
        assert world.branches == []
        assert len(list(world.store.reader.scan(ADDRESS_CLAIM))) == claims - 1


async def test_pod_that_is_leaving_keeps_its_interface_until_it_is_gone(world):
    world.policy("sg-pod")
    world.server.make("one", world.nodes[0], {"app": "safe"})
    await world.look()
    world.server.pods["one"]["metadata"]["deletionTimestamp"] = "2020-01-01T00:00:00Z"
    await world.look()
    assert len(world.branches) == 1


async def test_interfaces_of_a_node_that_is_gone_go_and_its_others_stay(world):
    world.policy("sg-pod")
    for number, node in enumerate(world.nodes):
        world.server.make(f"pod-{number}", node, {"app": "safe"})
    await world.look()
    first = world.store.reader.get(INSTANCE, *PLACE, "i-1").value

    def end(tx):
        delete_network_interface(tx, *PLACE, first.interface_id)
        tx.delete(INSTANCE, *PLACE, "i-1")

    await world.store.transact(end)
    await world.look()
    [left] = world.branches
    assert left.branch.pod == "pod-1"


async def test_group_that_is_not_there_is_told_once_and_nothing_is_half_made(world):
    world.policy("sg-absent")
    world.server.make("one", world.nodes[0], {"app": "safe"})
    claims = len(list(world.store.reader.scan(ADDRESS_CLAIM)))
    for _ in range(2):
        await world.look()
    assert world.branches == []
    assert len(list(world.store.reader.scan(ADDRESS_CLAIM))) == claims
    [event] = world.server.events
    assert event["reason"] == "BranchAllocationFailed"
    assert "InvalidGroup.NotFound" in event["message"]


async def test_pods_of_one_node_have_numbers_of_their_own(world):
    world.policy("sg-pod")
    for number in range(3):
        world.server.make(f"pod-{number}", world.nodes[0], {"app": "safe"})
    await world.look()
    assert sorted(each.branch.vlan for each in world.branches) == [1, 2, 3]
    del world.server.pods["pod-1"]
    world.server.make("again", world.nodes[0], {"app": "safe"})
    await world.look()
    await world.look()
    numbers = [each.branch.vlan for each in world.branches]
    assert len(set(numbers)) == len(numbers) == 3


async def test_interface_is_where_its_nodes_is(world):
    world.policy("sg-pod")
    world.server.make("one", world.nodes[0], {"app": "safe"})
    await world.look()
    trunk = world.branches[0].branch.trunk

    def stop(tx):
        eni = tx.get(NETWORK_INTERFACE, *PLACE, trunk).value
        tx.put(NETWORK_INTERFACE, *PLACE, trunk, msgspec.structs.replace(eni, host=""))

    await world.store.transact(stop)
    await world.look()
    assert world.branches[0].host == ""


async def test_deleted_cluster_leaves_no_interface_behind(world):
    world.policy("sg-pod")
    world.server.make("one", world.nodes[0], {"app": "safe"})
    await world.look()
    await world.store.transact(lambda tx: tx.delete(eks.CLUSTER, *PLACE, "web"))
    assert KEY in list(world.controller.every_key(world.store.reader))
    await world.look()
    assert world.branches == []


async def test_cluster_that_does_not_answer_is_asked_again(world):
    world.server.answers = False
    assert await world.look() is not None
    world.server.answers = True
    await world.look()
    assert world.server.definitions


def test_vpc_cni_add_on_switches_interfaces_of_pods_on():
    def plugin(*environment):
        containers = [{"env": [{"name": n, "value": v} for n, v in environment]}]
        return {"spec": {"template": {"spec": {"containers": containers}}}}

    assert is_switched_on(None)
    assert is_switched_on(plugin(("ENABLE_POD_ENI", "true")))
    assert not is_switched_on(plugin(("ENABLE_POD_ENI", "false")))
    assert not is_switched_on(plugin(("OTHER", "true")))


def test_first_number_is_one():
    assert free_number([], "eni-1") == 1
