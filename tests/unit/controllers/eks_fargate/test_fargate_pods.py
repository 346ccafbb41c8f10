"""Pods on Fargate, look by look: the store is in memory, machines and the API server are played."""

import base64
import json
from urllib.parse import unquote

import msgspec
import pytest

from longshore.base.ids import SeededIds
from longshore.base.installation import Installation
from longshore.controllers.eks_fargate import EksFargate
from longshore.controllers.eks_fargate.plan import (
    NO_CAPACITY,
    TIMEOUT_SECONDS,
    TOO_LARGE,
    is_pods_turn,
)
from longshore.controllers.interface import Surroundings
from longshore.instances import fargate_image
from longshore.kubernetes.client import Event, Refused
from longshore.model import eks, iam
from longshore.model.ec2 import (
    ADDRESS_CLAIM,
    NETWORK_INTERFACE,
    SECURITY_GROUP,
    SUBNET,
    SecurityGroup,
)
from longshore.model.eks import SYSTEM_ACCOUNT
from longshore.model.eks_parts import (
    FARGATE_PROFILE,
    FARGATE_PROFILE_STATUS,
    FargateProfile,
    FargateSelector,
    part_name,
)
from longshore.model.instances import INSTANCE, INSTANCE_STATUS, InstanceStatus, Reason
from longshore.policy.trust import service_trust
from longshore.store.interface import Change, Key
from longshore.testing.clock import FakeClock
from longshore.testing.memory_store import MemoryStore
from longshore.vpc import create_default_vpc

ACCOUNT, REGION = "123456789012", "eu-west-1"
PLACE = (ACCOUNT, REGION)
KEY = Key(eks.CLUSTER.name, *PLACE, "web")
ROLE = f"arn:aws:iam::{ACCOUNT}:role/pods"
LABEL = "eks.amazonaws.com/fargate-profile"


class PlayedServer:
    """An API server, as far as Fargate's scheduler asks it; it is its client, too."""

    def __init__(self):
        self.pods, self.nodes, self.events, self.applied = {}, {}, [], {}
        self.policies = []
        self.answers = True

    def make(self, name, profile="fp", **spec):
        """A pod that admission has given to Fargate."""
        self.pods[name] = {
            "metadata": {
                "name": name,
                "namespace": "apps",
                "uid": f"uid-{name}",
                "labels": {LABEL: profile},
            },
            "spec": {"schedulerName": "fargate-scheduler", "containers": [{}], **spec},
            "status": {"phase": "Pending"},
        }

    def join(self, name, ready=True):
        conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
        self.nodes[name] = {
            "metadata": {"name": name, "uid": f"uid-{name}"},
            "status": {"conditions": conditions},
        }

    async def list(self, path, **query):
        self._check()
        if path == "/api/v1/pods":
            assert query == {"fieldSelector": "spec.schedulerName=fargate-scheduler"}
            return json.loads(json.dumps(list(self.pods.values())))
        assert (path, query["labelSelector"]) == (
            "/api/v1/nodes",
            "eks.amazonaws.com/compute-type=fargate",
        )
        return list(self.nodes.values())

    async def find(self, path):
        self._check()
        if path.endswith("/serviceaccounts/default"):
            return {"metadata": {}}
        assert path.endswith("/namespaces/apps/securitygrouppolicies")
        return {"items": self.policies}

    async def create(self, path, body):
        self._check()
        if path.endswith("/events"):
            if any(each["metadata"]["name"] == body["metadata"]["name"] for each in self.events):
                raise Refused(409, "AlreadyExists", "it is there", {})
            self.events.append(body)
            return
        pod = self.pods[path.split("/")[-2]]
        assert path.endswith("/binding")
        assert body["metadata"]["uid"] == pod["metadata"]["uid"]
        assert body["target"]["name"] in self.nodes
        pod["spec"]["nodeName"] = body["target"]["name"]
        pod["metadata"]["annotations"] = body["metadata"]["annotations"]

    async def patch(self, path, body, kind):
        self._check()
        assert path.endswith("/status")
        self.pods[path.split("/")[-2]]["status"] |= body["status"]

    async def delete(self, path, **options):
        self._check()
        kind, name = path.split("/")[-2:]
        found = self.pods if kind == "pods" else self.nodes
        assert found[unquote(name)]["metadata"]["uid"] == options["preconditions"]["uid"]
        del found[unquote(name)]

    async def apply(self, path, body, manager, *, force=False):
        self._check()
        self.applied[path] = body

    def _check(self):
        if not self.answers:
            raise OSError("nobody answers")

    def messages(self, name):
        return [each["message"] for each in self.events if each["involvedObject"]["name"] == name]


class Clients:
    def __init__(self, server):
        self._server = server

    async def client(self, key):
        assert key == KEY
        return self._server


class World:
    """The cluster `web` with a Fargate profile of one subnet, and what becomes of them."""

    def __init__(self, directory):
        self.store, self.clock, self.ids = MemoryStore(), FakeClock(), SeededIds(5)
        self.server = PlayedServer()
        surroundings = Surroundings(
            store=self.store,
            clock=self.clock,
            ids=self.ids,
            installation=Installation(data_dir=directory),
        )
        self.images = []
        self.controller = EksFargate(surroundings, Clients(self.server), self._have_image)
        self.subnet = None
        self.first_look = None

    async def _have_image(self, region, image_id):
        self.images.append((region, image_id))
        return "image:1"

    async def begin(self, mode="API"):
        await self.store.transact(lambda tx: self._make(tx, mode))
        self.first_look = await self.look()

    def _make(self, tx, mode):
        vpc = create_default_vpc(tx, *PLACE, self.ids)
        self.subnet = tx.find(SUBNET, *PLACE, "vpc", vpc.id)[0].value
        group = SecurityGroup(id="sg-cluster", vpc_id=vpc.id, name="c", description="c")
        tx.put(SECURITY_GROUP, *PLACE, group.id, group)
        role = iam.Role(
            name="pods",
            path="/",
            id="AROAPODS",
            arn=ROLE,
            created_at=0.0,
            trust=service_trust("eks-fargate-pods.amazonaws.com"),
        )
        tx.put(iam.ROLE, ACCOUNT, "", "pods", role)
        cluster = eks.Cluster(
            name="web",
            arn=eks.cluster_arn(REGION, ACCOUNT, "web"),
            id="A" * 32,
            version="1.35",
            role_arn=ROLE,
            created_at=0.0,
            created_by=ROLE,
            vpc_id=vpc.id,
            subnets=(self.subnet.id,),
            service_cidr="10.100.0.0/16",
            authentication_mode=mode,
        )
        status = eks.ClusterStatus(
            id=cluster.id,
            status="ACTIVE",
            version="1.35",
            endpoint="https://web.test",
            authority="CERTIFICATE",
            security_group=group.id,
        )
        tx.put(eks.CLUSTER, *PLACE, "web", cluster)
        tx.put(eks.CLUSTER_STATUS, *PLACE, "web", status)
        self._put_profile(tx, "fp")

    def _put_profile(self, tx, name):
        profile = FargateProfile(
            cluster="web",
            name=name,
            arn=f"arn:aws:eks:{REGION}:{ACCOUNT}:fargateprofile/web/{name}/1",
            id=name,
            created_at=0.0,
            role_arn=ROLE,
            subnets=(self.subnet.id,),
            selectors=(FargateSelector("apps"),),
        )
        tx.put(FARGATE_PROFILE, *PLACE, part_name("web", name), profile)

    async def more(self, name):
        """Another profile."""
        await self.store.transact(lambda tx: self._put_profile(tx, name))
        await self.look()

    async def delete(self, name="fp"):
        found = self.profile(name)
        deleted = msgspec.structs.replace(found, deleted_at=1.0)
        path = (*PLACE, part_name("web", name))
        await self.store.transact(lambda tx: tx.put(FARGATE_PROFILE, *path, deleted))
        await self.look()

    async def look(self):
        return await self.controller.reconcile(KEY)

    async def become(self, state, **fields):
        """What the instance's controller does with the only machine."""
        (machine,) = self.machines
        status = InstanceStatus(state=state, changed_at=self.clock.now())
        changed = msgspec.structs.replace(machine, **fields)
        place = (SYSTEM_ACCOUNT, REGION, machine.id)

        def write(tx):
            tx.put(INSTANCE_STATUS, *place, status)
            tx.put(INSTANCE, *place, changed)

        await self.store.transact(write)

    async def forget(self):
        (machine,) = self.machines
        place = (SYSTEM_ACCOUNT, REGION, machine.id)
        await self.store.transact(lambda tx: (tx.delete(INSTANCE, *place), None)[1])

    async def run(self, name="a", **spec):
        """A pod that runs on its node; the name of that."""
        self.server.make(name, **spec)
        await self.look()
        (machine,) = self.machines
        self.server.join(machine.fargate.name)
        await self.look()
        return machine.fargate.name

    def profile(self, name="fp"):
        record = self.store.reader.get(FARGATE_PROFILE, *PLACE, part_name("web", name))
        return record.value if record is not None else None

    @property
    def status(self):
        name = part_name("web", "fp")
        record = self.store.reader.get(FARGATE_PROFILE_STATUS, *PLACE, name)
        return record.value.status if record is not None else None

    @property
    def machines(self):
        return [record.value for record in self.store.reader.scan(INSTANCE, SYSTEM_ACCOUNT)]

    @property
    def interfaces(self):
        return [record.value for record in self.store.reader.scan(NETWORK_INTERFACE, *PLACE)]

    @property
    def entry(self):
        name = eks.entry_name("web", ROLE)
        record = self.store.reader.get(eks.ACCESS_ENTRY, *PLACE, name)
        return record.value if record is not None else None


@pytest.fixture
async def world(tmp_path):
    made = World(tmp_path)
    await made.begin()
    return made


async def test_a_new_profile_is_active_and_its_role_may_have_nodes(world):
    assert world.status == "ACTIVE"
    assert (world.entry.type, world.entry.principal_id) == ("FARGATE_LINUX", "AROAPODS")
    assert world.entry.username == "system:node:{{SessionName}}"
    assert "system:node-proxier" in world.entry.groups
    (binding,) = world.server.applied.values()
    assert binding["roleRef"]["name"] == "system:node-proxier"


async def test_the_image_of_a_new_profiles_machines_is_there_before_its_first_pod(world):
    assert world.images == [(REGION, fargate_image(REGION, "1.35").id)]


async def test_a_profile_is_active_where_the_image_of_its_machines_cannot_be_made(tmp_path):
    class Poor(World):
        async def _have_image(self, region, image_id):
            raise LookupError("kubernetes-1.35 could not be installed")

    world = Poor(tmp_path)
    await world.begin()
    assert world.status == "ACTIVE"


async def test_a_cluster_without_access_entries_gets_none(tmp_path):
    world = World(tmp_path)
    await world.begin("CONFIG_MAP")
    assert (world.status, world.entry) == ("ACTIVE", None)


async def test_a_pod_gets_a_machine_of_its_size_in_the_profiles_subnet(world):
    requests = {"cpu": "300m", "memory": "1Gi"}
    world.server.make("a", containers=[{"resources": {"requests": requests}}])
    await world.look()
    (machine,), (eni,) = world.machines, world.interfaces
    assert (machine.fargate.cpu, machine.memory) == (512, 2048)
    assert machine.image_id == fargate_image(REGION, "1.35").id
    assert (machine.fargate.role_arn, machine.fargate.pod_uid) == (ROLE, "uid-a")
    assert (eni.subnet_id, eni.security_groups) == (world.subnet.id, ("sg-cluster",))
    assert eni.requester_managed
    assert not eni.public_address
    assert len(eni.secondary_addresses) == 1
    name = f"fargate-ip-{eni.private_address.replace('.', '-')}.eu-west-1.compute.internal"
    assert machine.fargate.name == name
    config = json.loads(base64.b64decode(machine.user_data))["spec"]
    assert config["cluster"]["apiServerEndpoint"] == "https://web.test"
    assert f"--hostname-override={name}" in config["kubelet"]["flags"]
    assert config["kubelet"]["config"]["maxPods"] == 1


async def test_a_cluster_is_looked_at_less_often_once_its_pods_and_nodes_are_watched(world):
    assert await world.look() > world.first_look


async def test_a_pod_whom_a_policy_means_has_its_groups(world):
    def put(tx):
        group = SecurityGroup(id="sg-own", vpc_id=world.subnet.vpc_id, name="o", description="o")
        tx.put(SECURITY_GROUP, *PLACE, group.id, group)

    await world.store.transact(put)
    spec = {"podSelector": {}, "securityGroups": {"groupIds": ["sg-own"]}}
    world.server.policies.append({"metadata": {"namespace": "apps"}, "spec": spec})
    world.server.make("a")
    await world.look()
    (eni,) = world.interfaces
    assert eni.security_groups == ("sg-own",)


async def test_a_pod_is_bound_once_its_node_is_ready(world):
    world.server.make("a")
    await world.look()
    await world.look()
    (machine,) = world.machines
    world.server.join(machine.fargate.name, ready=False)
    await world.look()
    assert "nodeName" not in world.server.pods["a"]["spec"]
    world.server.join(machine.fargate.name)
    await world.look()
    assert world.server.pods["a"]["spec"]["nodeName"] == machine.fargate.name
    annotations = world.server.pods["a"]["metadata"]["annotations"]
    assert annotations == {"CapacityProvisioned": "0.25vCPU 0.5GB"}


async def test_each_pod_has_a_machine_of_its_own(world):
    world.server.make("a")
    world.server.make("b")
    await world.look()
    assert {each.fargate.pod for each in world.machines} == {"a", "b"}


@pytest.mark.parametrize("phase", ["Running", "Succeeded"])
async def test_a_machine_stays_until_its_pod_is_deleted(world, phase):
    node = await world.run()
    world.server.pods["a"]["status"]["phase"] = phase
    await world.look()
    assert world.machines[0].wanted == "running"
    del world.server.pods["a"]
    await world.look()
    assert world.machines[0].wanted == "terminated"
    assert node in world.server.nodes
    await world.become("terminated")
    await world.look()
    assert world.server.nodes == {}


async def test_a_node_whose_machine_is_gone_is_removed(world):
    await world.run()
    await world.forget()
    await world.look()
    assert world.server.nodes == {}


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            {"hostNetwork": True},
            "Pod not supported on Fargate: fields not supported: HostNetwork",
        ),
        ({"containers": [{"resources": {"requests": {"cpu": "17"}}}]}, TOO_LARGE),
    ],
)
async def test_a_pod_that_fargate_does_not_run_waits_and_says_why(world, spec, message):
    world.server.make("a", **spec)
    await world.look()
    await world.look()
    assert world.server.messages("a") == [message]
    (condition,) = world.server.pods["a"]["status"]["conditions"]
    assert (condition["type"], condition["status"]) == ("PodScheduled", "False")
    assert (condition["reason"], condition["message"]) == ("Unschedulable", message)
    assert world.machines == []


async def test_a_pod_without_capacity_waits_and_is_tried_again(world):
    world.server.make("a")
    await world.look()
    reason = Reason("Server.InsufficientInstanceCapacity", "none")
    await world.become("terminated", wanted="terminated", reason=reason)
    await world.look()
    assert world.server.messages("a") == [NO_CAPACITY]
    assert len(world.machines) == 1
    await world.forget()
    await world.look()
    assert world.machines[0].wanted == "running"


async def test_a_subnet_without_addresses_has_no_capacity(world):
    taken = ADDRESS_CLAIM.type(owner="somebody")

    def fill(tx):
        for number in range(4091):
            tx.put(ADDRESS_CLAIM, *PLACE, f"{world.subnet.id}/{number}", taken)

    await world.store.transact(fill)
    world.server.make("a")
    await world.look()
    assert world.server.messages("a") == [NO_CAPACITY]
    assert (world.machines, world.interfaces) == ([], [])


async def test_a_machine_that_never_becomes_a_node_is_given_up(world):
    world.server.make("a")
    await world.look()
    world.clock.advance(TIMEOUT_SECONDS + 1)
    await world.look()
    assert world.machines[0].wanted == "terminated"
    told = "Pod provisioning timed out (will retry) for pod: apps/a"
    assert world.server.messages("a") == [told]


async def test_a_deleted_profile_goes_after_its_pods_and_machines(world):
    await world.run()
    await world.delete()
    assert world.server.pods == {}
    assert world.profile() is not None
    await world.look()
    assert world.machines[0].wanted == "terminated"
    await world.become("terminated")
    await world.look()
    await world.forget()
    await world.look()
    assert (world.profile(), world.status, world.entry) == (None, None, None)
    assert await world.look() is None


async def test_an_access_entry_stays_while_another_profile_needs_it(world):
    await world.more("other")
    await world.delete("other")
    assert world.profile("other") is None
    assert world.entry is not None
    await world.delete()
    assert world.entry is None


async def test_an_access_entry_that_the_user_made_stays(tmp_path):
    world = World(tmp_path)
    await world.store.transact(lambda tx: world._make(tx, "API"))
    entry = eks.AccessEntry(
        cluster="web",
        principal_arn=ROLE,
        principal_id="AROAPODS",
        arn="arn:theirs",
        type="FARGATE_LINUX",
        username="system:node:{{SessionName}}",
        created_at=0.0,
        modified_at=0.0,
    )
    name = eks.entry_name("web", ROLE)
    await world.store.transact(lambda tx: tx.put(eks.ACCESS_ENTRY, *PLACE, name, entry))
    await world.look()
    await world.delete()
    assert (world.profile(), world.entry) == (None, entry)


async def test_machines_of_a_cluster_that_is_gone_end(world):
    await world.run()
    await world.store.transact(lambda tx: tx.delete(eks.CLUSTER, *PLACE, "web"))
    await world.look()
    assert world.machines[0].wanted == "terminated"


async def test_an_api_server_that_is_away_is_asked_again(world):
    world.server.make("a")
    world.server.answers = False
    assert await world.look() is not None
    world.server.answers = True
    await world.look()
    assert len(world.machines) == 1


@pytest.mark.parametrize(
    ("kind", "node", "matters"),
    [
        ("ADDED", "", True),
        ("MODIFIED", "", True),
        ("MODIFIED", "fargate-ip-1", False),
        ("DELETED", "fargate-ip-1", True),
    ],
)
def test_what_happens_to_a_pod_on_its_node_is_its_kubelets_alone(kind, node, matters):
    assert is_pods_turn(Event(kind, {"spec": {"nodeName": node}})) is matters


async def test_a_change_of_a_machine_concerns_its_cluster(world):
    world.server.make("a")
    await world.look()
    (machine,) = world.machines
    record = world.store.reader.get(INSTANCE, SYSTEM_ACCOUNT, REGION, machine.id)
    for kind in (INSTANCE, INSTANCE_STATUS):
        key = Key(kind.name, SYSTEM_ACCOUNT, REGION, machine.id)
        after = record if kind is INSTANCE else None
        found = world.controller.keys(Change(1, key, None, after), world.store.reader)
        assert list(found) == [KEY]
    assert set(world.controller.every_key(world.store.reader)) == {KEY}
