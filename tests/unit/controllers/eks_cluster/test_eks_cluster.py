"""The controller of EKS clusters: what it makes, once, and what it takes away."""

import msgspec
import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from longshore.base.certificates import CERTIFICATE_DAYS
from longshore.base.ids import RandomIds
from longshore.base.installation import Installation
from longshore.base.sealing import Sealer, Unsealable
from longshore.components import ComponentMissing, InstallFailed, component
from longshore.controllers.eks_cluster import AdminAccess, EksCluster, Keeping, controller
from longshore.controllers.eks_cluster.plane import (
    ECS_CLUSTER,
    endpoint_name,
    home,
    service_name,
)
from longshore.controllers.interface import Surroundings
from longshore.kubernetes import commands
from longshore.model import ec2, ecs, eks
from longshore.model.eks_parts import POD_IDENTITY, PodIdentity, part_name, pod_identity_name
from longshore.model.link_local import CONTROL_PLANES_RANGE, LINK_RANGE
from longshore.store.interface import Key
from longshore.testing.clock import FakeClock
from longshore.testing.memory_store import MemoryStore
from longshore.vpc import (
    create_default_vpc,
    create_network_interface,
    delete_network_interface,
)

ACCOUNT, REGION = "123456789012", "us-east-1"
KEY = Key(eks.CLUSTER.name, ACCOUNT, REGION, "shop")
PLACE = (ACCOUNT, REGION, "shop")
SYSTEM = (eks.SYSTEM_ACCOUNT, REGION)
SERVICE = f"{ECS_CLUSTER}/{service_name(ACCOUNT, 'shop')}"


class Pushed:
    """In the place of `OwnImages`: what was asked for."""

    def __init__(self):
        self.tags = []

    async def have(self, region, repository, tag, contents):
        self.tags.append(tag)


class World:
    """The controller with a store, and one cluster that was asked for."""

    def __init__(self, directory):
        self.store, self.clock, ids = MemoryStore(), FakeClock(), RandomIds()
        self.installation = Installation(data_dir=directory / "data")
        self.around = around = Surroundings(
            store=self.store, clock=self.clock, ids=ids, installation=self.installation
        )
        self.keeping = Keeping(self.installation, Sealer(b"k" * 32), b"authority", self.clock)
        self.images = Pushed()
        self.controller = EksCluster(around, self.keeping, self.images)
        self.ids = ids
        self.store._run(self._begin, 1)

    def _begin(self, tx):
        vpc = create_default_vpc(tx, ACCOUNT, REGION, self.ids)
        subnets = [r.value for r in tx.find(ec2.SUBNET, ACCOUNT, REGION, "vpc", vpc.id)]
        cluster = eks.Cluster(
            name="shop",
            arn=eks.cluster_arn(REGION, ACCOUNT, "shop"),
            id=self.ids.hex(32).upper(),
            version="1.35",
            role_arn="arn:aws:iam::123456789012:role/eks",
            created_at=self.clock.now(),
            created_by="arn:aws:iam::123456789012:user/ann",
            vpc_id=vpc.id,
            subnets=tuple(each.id for each in subnets[:2]),
            service_cidr="10.100.0.0/16",
        )
        tx.create(eks.CLUSTER, *PLACE, cluster)

    def get(self, kind, account, region, name):
        record = self.store.reader.get(kind, account, region, name)
        return record.value if record is not None else None

    @property
    def cluster(self):
        return self.get(eks.CLUSTER, *PLACE)

    @property
    def status(self):
        return self.get(eks.CLUSTER_STATUS, *PLACE)

    @property
    def service(self):
        return self.get(ecs.SERVICE, *SYSTEM, SERVICE)

    def change(self, **fields):
        changed = msgspec.structs.replace(self.cluster, **fields)
        self.store._run(lambda tx: tx.put(eks.CLUSTER, *PLACE, changed), 1)

    async def reconcile(self):
        return await self.controller.reconcile(KEY)

    def definitions(self):
        return [r.value for r in self.store.reader.scan(ecs.TASK_DEFINITION, *SYSTEM)]

    def endpoint_rules(self):
        """Of users': Longshore's own loops come in by another one."""
        groups = [r.value for r in self.store.reader.scan(ec2.SECURITY_GROUP, *SYSTEM)]
        group = next(each for each in groups if each.name == self.cluster.id)
        return [rule for rule in group.rules if not rule.egress and rule.cidr != LINK_RANGE]

    def interfaces(self):
        found = self.store.reader.find(
            ec2.NETWORK_INTERFACE, ACCOUNT, REGION, "owner", self.cluster.arn
        )
        by_subnet = {record.value.subnet_id: record.value for record in found}
        return [by_subnet[each] for each in self.cluster.subnets if each in by_subnet]

    def names(self):
        """Where names lead, by VPC and name."""
        found = (record.value for record in self.store.reader.scan(ec2.PRIVATE_NAME))
        return {(each.vpc_id, each.name): each.addresses for each in found}

    def place(self):
        """Have the task run, as ECS would; its public address."""
        deployment = self.service.deployments[-1]
        return self.store._run(lambda tx: self._place(tx, deployment), 1)

    def _place(self, tx, deployment):
        eni = create_network_interface(
            tx,
            self.ids,
            self.clock.now(),
            account=SYSTEM[0],
            region=REGION,
            subnet_id=deployment.network.subnets[0],
            assign_public_ip=True,
            host="host-1",
            installation=self.installation,
        )
        place = ecs.Placement(instance_arn="arn:host", zone=eni.zone, host="host-1", eni_id=eni.id)
        name = service_name(ACCOUNT, "shop")
        task = ecs.Task(
            id="0123",
            arn="arn:task",
            cluster=ECS_CLUSTER,
            cluster_arn=self.service.cluster_arn,
            definition_arn=deployment.definition_arn,
            created_at=self.clock.now(),
            launch_type="EC2",
            network_mode="awsvpc",
            service=name,
            last_status="RUNNING",
            placement=place,
            network=deployment.network,
        )
        tx.put(ecs.TASK, *SYSTEM, task.name, task)
        return eni.public_address


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """Where the components' programs are; a version that is not in it is missing."""
    found = {}
    for version in ("1.35", "1.36"):
        found[f"kube-{version}"] = tmp_path / f"{version}.0-abc" / f"kube-{version}"

    def locate(name):
        if name not in found:
            raise ComponentMissing(name, "kubernetes")
        return found[name]

    monkeypatch.setattr(controller, "locate", locate)
    return found


@pytest.fixture
def world(tmp_path, programs):
    return World(tmp_path)


async def test_cluster_has_a_service_of_one_task_in_the_zones_of_its_subnets(world):
    await world.reconcile()
    assert (world.service.desired_count, world.service.maximum_percent) == (1, 100)
    network = world.service.deployments[-1].network
    zones = {world.get(ec2.SUBNET, *SYSTEM, each).zone for each in network.subnets}
    theirs = {world.get(ec2.SUBNET, ACCOUNT, REGION, s).zone for s in world.cluster.subnets}
    assert zones == theirs
    assert network.public


async def test_its_vpc_has_a_range_that_no_users_vpc_has(world):
    await world.reconcile()
    network = world.service.deployments[-1].network
    subnets = [world.get(ec2.SUBNET, *SYSTEM, each) for each in network.subnets]
    vpc = world.get(ec2.VPC, *SYSTEM, subnets[0].vpc_id)
    assert vpc.cidrs == (CONTROL_PLANES_RANGE,)


async def test_control_plane_has_an_interface_in_two_zones_of_the_users_vpc(world):
    world.change(security_groups=("sg-own",))
    await world.reconcile()
    interfaces = world.interfaces()
    assert [eni.subnet_id for eni in interfaces] == list(world.cluster.subnets)
    for eni in interfaces:
        assert eni.description == "Amazon EKS shop"
        assert eni.security_groups == (world.status.security_group, "sg-own")
        assert (eni.status, eni.requester_managed, eni.public_address) == ("in-use", True, "")
    beside = world.service.deployments[-1].network.beside
    assert set(beside) == {ecs.TaskInterface(ACCOUNT, eni.id) for eni in interfaces}


async def test_api_server_is_known_by_its_addresses_in_the_users_vpc(world):
    await world.reconcile()
    addresses = [eni.private_address for eni in world.interfaces()]
    (definition,) = world.definitions()
    commands = {c["name"]: c["command"] for c in definition.document["containerDefinitions"]}
    assert f"--advertise-address={addresses[0]}" in commands["kube-apiserver"]
    files = home(world.installation, world.cluster) / "files"
    certificate = x509.load_pem_x509_certificate((files / "server.crt").read_bytes())
    named = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    shown = {str(address) for address in named.get_values_for_type(x509.IPAddress)}
    assert {*addresses, "10.100.0.1"} <= shown
    names = named.get_values_for_type(x509.DNSName)
    assert {"kubernetes", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"} <= {
        *names
    }


async def test_other_addresses_in_the_users_vpc_are_rolled_out_with_new_certificates(world):
    await world.reconcile()
    certificate = home(world.installation, world.cluster) / "files" / "server.crt"
    before, gone = certificate.read_bytes(), world.interfaces()[0]
    world.store._run(lambda tx: delete_network_interface(tx, ACCOUNT, REGION, gone.id), 1)
    await world.reconcile()
    assert certificate.read_bytes() != before
    assert [each.revision for each in world.definitions()] == [1, 2]
    assert len(world.interfaces()) == 2


async def test_subnet_without_a_free_address_is_an_issue_until_it_has_one(world):
    def fill(tx):
        subnet = tx.get(ec2.SUBNET, ACCOUNT, REGION, world.cluster.subnets[0]).value
        return msgspec.structs.replace(subnet, cidr="172.31.0.0/28")

    small = world.store._run(fill, 1)
    world.store._run(lambda tx: tx.put(ec2.SUBNET, ACCOUNT, REGION, small.id, small), 1)
    for number in range(4, 15):
        claim = ec2.AddressClaim(owner="eni-1")
        name = f"{small.id}/172.31.0.{number}"
        world.store._run(lambda tx, n=name, c=claim: tx.put(ec2.ADDRESS_CLAIM, *PLACE[:2], n, c), 1)
    assert await world.reconcile() == controller.ROOM_AGAIN_SECONDS
    assert [issue.code for issue in world.status.issues] == ["InsufficientFreeAddresses"]
    assert world.service is None
    name = f"{small.id}/172.31.0.7"
    world.store._run(lambda tx: tx.delete(ec2.ADDRESS_CLAIM, *PLACE[:2], name), 1)
    await world.reconcile()
    assert world.service is not None


@pytest.fixture
def hosts(monkeypatch):
    """In the place of /etc/hosts."""
    lines = {}
    monkeypatch.setattr(controller, "have_names", lambda _, names: lines.update(names))
    monkeypatch.setattr(
        controller, "forget_names", lambda _, names: [lines.pop(name, None) for name in names]
    )
    return lines


async def test_endpoints_name_leads_to_the_public_address_and_with_private_access_in_the_vpc(
    world, hosts
):
    await world.reconcile()
    public = world.place()
    await world.reconcile()
    name = endpoint_name(world.installation, world.cluster, REGION)
    lower = name.lower()
    private = tuple(sorted(eni.private_address for eni in world.interfaces()))
    assert world.names() == {("", lower): (public,)}
    assert hosts[name] == public
    world.change(private_access=True)
    await world.reconcile()
    vpc = world.cluster.vpc_id
    assert world.names() == {("", lower): (public,), (vpc, lower): private}
    world.change(public_access=False)
    await world.reconcile()
    assert world.names() == {("", lower): private, (vpc, lower): private}
    assert name not in hosts
    assert world.endpoint_rules() == []
    world.change(public_access=True, private_access=False)
    await world.reconcile()
    assert world.names() == {("", lower): (public,)}
    assert hosts[name] == public
    assert [each.revision for each in world.definitions()] == [1]


async def test_own_loops_reach_the_api_server_as_administrators_whoever_is_let_in(world, hosts):
    access = AdminAccess(world.around, world.keeping)
    assert await access.of(*PLACE) is None
    world.change(private_access=True, public_access=False)
    await world.reconcile()
    assert await access.of(*PLACE) is None
    public = world.place()
    await world.reconcile()
    given = await access.of(*PLACE)
    assert given.url == f"https://{endpoint_name(world.installation, world.cluster, REGION)}"
    assert given.address == public
    assert given.authority_pem.decode() == world.status.authority
    client = x509.load_pem_x509_certificate(given.client_cert_pem)
    groups = client.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    assert [each.value for each in groups] == ["system:masters"]
    assert await access.of(ACCOUNT, REGION, "another") is None


async def test_looking_again_changes_nothing(world):
    await world.reconcile()
    files = home(world.installation, world.cluster) / "files"
    before, content = world.store.revision, (files / "server.crt").read_bytes()
    await world.reconcile()
    assert world.store.revision == before
    assert (files / "server.crt").read_bytes() == content


async def test_every_process_is_told_of_files_that_are_there_and_etcd_alone_writes(world):
    await world.reconcile()
    (definition,) = world.definitions()
    containers = {each["name"]: each for each in definition.document["containerDefinitions"]}
    kept = world.keeping.open(world.cluster, world.status)
    webhook = world.keeping.webhook(world.cluster, ACCOUNT, REGION, kept)
    addresses = [eni.private_address for eni in world.interfaces()]
    plane = controller.planes.control_plane(
        world.installation, world.cluster, REGION, webhook, addresses
    )
    assert {name: each["command"] for name, each in containers.items()} == commands(plane)
    writing = {
        name
        for name, each in containers.items()
        if not all(mount.get("readOnly") for mount in each["mountPoints"])
    }
    assert writing == {"etcd"}
    there = {path.name for path in (home(world.installation, world.cluster) / "files").iterdir()}
    told = [word for each in containers.values() for word in each["command"]]
    assert {word.rpartition("/")[2] for word in told if plane.directory + "/" in word} <= there


async def test_files_of_a_cluster_are_for_their_owner_alone(world):
    await world.reconcile()
    directory = home(world.installation, world.cluster)
    modes = {path.name: path.stat().st_mode & 0o077 for path in directory.rglob("*")}
    assert set(modes.values()) == {0}


async def test_keys_are_sealed_for_this_very_cluster(world):
    await world.reconcile()
    assert world.status.authority not in world.status.sealed_keys
    other = msgspec.structs.replace(world.cluster, id="0" * 32)
    with pytest.raises(Unsealable):
        world.keeping.open(other, world.status)
    stranger = Keeping(world.installation, Sealer(b"x" * 32), b"", world.clock)
    with pytest.raises(Unsealable):
        stranger.open(world.cluster, world.status)


async def test_status_of_an_earlier_cluster_of_the_name_is_not_this_ones(world):
    await world.reconcile()
    before = world.status
    world.change(id="F" * 32)
    await world.reconcile()
    assert world.status.id == "F" * 32
    assert world.status.sealed_keys != before.sealed_keys
    assert world.status.authority != before.authority


async def test_another_version_is_rolled_out_as_another_revision(world):
    await world.reconcile()
    world.change(version="1.36")
    await world.reconcile()
    assert [each.revision for each in world.definitions()] == [1, 2]
    assert len(world.service.deployments) == 2
    assert world.service.deployments[-1].definition_arn.endswith(":2")
    assert world.images.tags[-1] == "1.36.0-abc"


async def test_another_build_of_the_same_version_is_rolled_out_too(world, programs, tmp_path):
    await world.reconcile()
    programs["kube-1.35"] = tmp_path / "1.35.0-def" / "kube-1.35"
    await world.reconcile()
    assert [each.revision for each in world.definitions()] == [1, 2]


async def test_certificates_are_renewed_long_before_they_end_and_authorities_stay(world):
    await world.reconcile()
    certificate = home(world.installation, world.cluster) / "files" / "server.crt"
    before, authority = certificate.read_bytes(), world.status.authority
    world.clock.advance(CERTIFICATE_DAYS * 86_400 * 0.6)
    assert await world.reconcile() <= 86_400
    assert certificate.read_bytes() != before
    assert world.status.authority == authority
    assert [each.revision for each in world.definitions()] == [1, 2]


async def test_endpoint_lets_in_whom_the_cluster_says_now(world):
    await world.reconcile()
    assert [rule.cidr for rule in world.endpoint_rules()] == ["0.0.0.0/0"]
    world.change(public_cidrs=("192.0.2.0/24", "198.51.100.0/24"))
    await world.reconcile()
    rules = world.endpoint_rules()
    assert [rule.cidr for rule in rules] == ["192.0.2.0/24", "198.51.100.0/24"]
    assert {(rule.protocol, rule.from_port, rule.to_port) for rule in rules} == {("tcp", 443, 443)}


async def test_missing_component_is_installed_and_the_status_says_so(world, programs, monkeypatch):
    program = programs.pop("kube-1.35")

    def install(what, progress):
        assert what == component("kubernetes-1.35")
        progress("building kubernetes-1.35, some 9 min")
        programs["kube-1.35"] = program

    monkeypatch.setattr(controller, "install", install)
    again = await world.reconcile()
    assert again is not None
    assert world.status.status == "CREATING"
    assert "installing" in world.status.issues[0].message
    await world.controller._installs["kubernetes-1.35"]._task
    await world.reconcile()
    assert world.service is not None


async def test_component_that_cannot_be_installed_is_tried_again_later(
    world, programs, monkeypatch
):
    del programs["kube-1.35"]

    def install(what, progress):
        raise InstallFailed(what, ["no route to the module proxy"])

    monkeypatch.setattr(controller, "install", install)
    await world.reconcile()
    await world.controller._installs["kubernetes-1.35"]._task
    assert await world.reconcile() == controller.INSTALL_AGAIN_SECONDS
    assert "no route to the module proxy" in world.status.issues[0].message
    await world.reconcile()
    assert "kubernetes-1.35" in world.controller._installs
    await world.controller._installs["kubernetes-1.35"]._task


async def test_status_says_why_no_control_plane_runs(world):
    await world.reconcile()
    assert world.status.issues == ()
    said = f"(service {world.service.name}) was unable to place a task because of its size."
    event = ecs.ServiceEvent("1", world.clock.now(), said)
    status = ecs.ServiceStatus(events=(event,))
    world.store._run(lambda tx: tx.put(ecs.SERVICE_STATUS, *SYSTEM, SERVICE, status), 1)
    await world.reconcile()
    assert [issue.message for issue in world.status.issues] == [said]


async def test_deletion_waits_for_the_task_and_leaves_nothing(world, monkeypatch):
    monkeypatch.setattr(controller, "forget_names", lambda *_: None)
    kinds = (eks.CLUSTER, eks.CLUSTER_STATUS, ecs.SERVICE, ecs.TASK_DEFINITION, POD_IDENTITY)
    await world.reconcile()
    name = part_name(world.cluster.name, pod_identity_name("default", "till"))
    association = PodIdentity(
        cluster=world.cluster.name,
        namespace="default",
        service_account="till",
        arn="",
        id="a-1",
        role_arn="",
        created_at=0.0,
        modified_at=0.0,
    )
    world.store._run(lambda tx: tx.put(POD_IDENTITY, ACCOUNT, REGION, name, association), 1)
    directory, group = home(world.installation, world.cluster), world.status.security_group
    world.change(deleted_at=1.0)
    await world.reconcile()
    assert world.service.status == "DRAINING"
    assert directory.exists()
    ended = msgspec.structs.replace(world.service, status="INACTIVE")
    world.store._run(lambda tx: tx.put(ecs.SERVICE, *SYSTEM, SERVICE, ended), 1)
    await world.reconcile()
    assert not directory.exists()
    assert not [record for kind in kinds for record in world.store.reader.scan(kind)]
    assert world.get(ec2.SECURITY_GROUP, ACCOUNT, REGION, group) is None
    names = {r.value.name for r in world.store.reader.scan(ec2.SECURITY_GROUP)}
    assert names == {"default"}
    assert not world.store.reader.scan(ec2.NETWORK_INTERFACE)
    assert not world.store.reader.scan(ec2.PRIVATE_NAME)
