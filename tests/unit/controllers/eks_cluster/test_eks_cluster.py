"""The controller of EKS clusters: what it makes, once, and what it takes away."""

import datetime

import msgspec
import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from longshore.base.certificates import CERTIFICATE_DAYS
from longshore.base.ids import RandomIds
from longshore.base.installation import Installation
from longshore.base.sealing import Sealer, Unsealable
from longshore.components import ComponentMissing, InstallFailed, component
from longshore.controllers.eks_cluster import (
    AdminAccess,
    EksCluster,
    Keeping,
    controller,
    records,
)
from longshore.controllers.eks_cluster.plane import (
    ECS_CLUSTER,
    ETCD_VERSION,
    Image,
    endpoint_name,
    etcd_files_of,
    etcd_image,
    etcd_record,
    etcd_snapshots,
    files_of,
    home,
    service_name,
)
from longshore.controllers.eks_cluster.serving import FOR_EVER, NAMES_SECONDS
from longshore.controllers.interface import Surroundings
from longshore.model import ec2, ecs, eks
from longshore.model.eks_parts import (
    IDENTITY_PROVIDER,
    POD_IDENTITY,
    IdentityProvider,
    PodIdentity,
    part_name,
    pod_identity_name,
)
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
ETCD = etcd_record(ACCOUNT, "shop")


class Pushed:
    """In the place of `OwnImages`: what was asked for."""

    def __init__(self):
        self.tags = []

    async def have(self, region, repository, tag, contents):
        self.tags.append(tag)
        return f"{repository}:{tag}"


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

    @property
    def etcd(self):
        return self.get(ecs.SERVICE, *SYSTEM, ETCD)

    def change(self, **fields):
        changed = msgspec.structs.replace(self.cluster, **fields)
        self.store._run(lambda tx: tx.put(eks.CLUSTER, *PLACE, changed), 1)

    async def reconcile(self):
        return await self.controller.reconcile(KEY)

    def definitions(self, service=SERVICE):
        family = service.partition("/")[2]
        found = self.store.reader.scan(ecs.TASK_DEFINITION, *SYSTEM, prefix=f"{family}:")
        return [record.value for record in found]

    def files(self):
        """Of the newest API server."""
        return files_of(self.installation, self.cluster, self.interfaces()[0].id)

    def endpoint_rules(self):
        """Of users': Longshore's own loops come in by another one."""
        groups = [r.value for r in self.store.reader.scan(ec2.SECURITY_GROUP, *SYSTEM)]
        group = next(each for each in groups if each.name == self.cluster.id)
        return [rule for rule in group.rules if not rule.egress and rule.cidr != LINK_RANGE]

    def every_interface(self):
        """In the user's subnets."""
        found = self.store.reader.find(
            ec2.NETWORK_INTERFACE, ACCOUNT, REGION, "owner", self.cluster.arn
        )
        return {record.value.id: record.value for record in found}

    def interfaces(self):
        """Those of the newest API server."""
        beside = self.service.deployments[-1].network.beside
        return [self.every_interface()[each.id] for each in beside]

    def names(self):
        """Where names lead, by VPC and name."""
        found = (record.value for record in self.store.reader.scan(ec2.PRIVATE_NAME))
        return {(each.vpc_id, each.name): each.addresses for each in found}

    def place(self, last_status="RUNNING"):
        """Have a task of the newest API server, as ECS would; its id and public address."""
        deployment = self.service.deployments[-1]
        return self.store._run(lambda tx: self._place(tx, deployment, last_status), 1)

    def _place(self, tx, deployment, last_status):
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
            id=self.ids.hex(32),
            arn="arn:task",
            cluster=ECS_CLUSTER,
            cluster_arn=self.service.cluster_arn,
            definition_arn=deployment.definition_arn,
            created_at=self.clock.now(),
            launch_type="EC2",
            network_mode="awsvpc",
            service=name,
            last_status=last_status,
            placement=place,
            network=deployment.network,
        )
        tx.put(ecs.TASK, *SYSTEM, task.name, task)
        return task.id, eni.public_address

    def task(self, identifier):
        return self.get(ecs.TASK, *SYSTEM, f"{ECS_CLUSTER}/{identifier}")

    def change_task(self, identifier, **fields):
        changed = msgspec.structs.replace(self.task(identifier), **fields)
        self.store._run(lambda tx: tx.put(ecs.TASK, *SYSTEM, changed.name, changed), 1)

    def asked_for(self):
        return self.get(eks.UPDATE, ACCOUNT, REGION, eks.update_name("shop", "u-1"))

    def take_snapshot(self, at=None):
        """As etcd does; `at` in epoch seconds, by default now."""
        taken = datetime.datetime.fromtimestamp(at or self.clock.now(), datetime.UTC)
        directory = etcd_snapshots(self.installation, self.cluster)
        (directory / taken.strftime("%Y-%m-%dT%H-%M-%SZ.db")).touch()

    def ask_for_version(self, version):
        """As UpdateClusterVersion does, with a snapshot that is there already."""
        self.take_snapshot(self.clock.now() + 1)
        self.ask_for_version_alone(version)

    def trust_provider(self, **fields):
        """As (Dis)AssociateIdentityProviderConfig writes the record."""
        provider = IdentityProvider(
            cluster="shop",
            name="harbour",
            arn="",
            id="",
            issuer="https://login.example.com",
            client_id="shop",
            **fields,
        )
        place = (ACCOUNT, REGION, part_name("shop", provider.name))
        self.store._run(lambda tx: tx.put(IDENTITY_PROVIDER, *place, provider), 1)

    def ask_for_version_alone(self, version):
        update = eks.Update(
            cluster="shop",
            id="u-1",
            type="VersionUpdate",
            params=(("Version", version),),
            created_at=self.clock.now(),
        )
        name = eks.update_name("shop", "u-1")
        self.store._run(lambda tx: tx.put(eks.UPDATE, ACCOUNT, REGION, name, update), 1)
        self.change(version=version)


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
    versions = {"1.35": "3.6.5", "1.36": "3.6.8"}
    monkeypatch.setattr(controller, "etcd_version", lambda path: versions[path.name[5:]])
    return found


@pytest.fixture
def world(tmp_path, programs):
    return World(tmp_path)


async def test_cluster_has_a_service_of_one_task_in_the_zones_of_its_subnets(world):
    await world.reconcile()
    assert (world.service.desired_count, world.etcd.desired_count) == (1, 1)
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
    certificate = x509.load_pem_x509_certificate((world.files() / "server.crt").read_bytes())
    named = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    shown = {str(address) for address in named.get_values_for_type(x509.IPAddress)}
    assert {*addresses, "10.100.0.1"} <= shown
    names = named.get_values_for_type(x509.DNSName)
    assert {"kubernetes", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"} <= {
        *names
    }


async def test_interface_that_is_lost_is_followed_by_another_api_server(world):
    await world.reconcile()
    gone = world.interfaces()[0]
    world.store._run(lambda tx: delete_network_interface(tx, ACCOUNT, REGION, gone.id), 1)
    await world.reconcile()
    assert [each.revision for each in world.definitions()] == [1, 2]
    assert [eni.subnet_id for eni in world.interfaces()] == list(world.cluster.subnets)
    assert (world.files() / "server.crt").exists()


def fill(world, subnet_id):
    """Have no address free in the subnet."""

    def take(tx):
        subnet = tx.get(ec2.SUBNET, ACCOUNT, REGION, subnet_id).value
        small = msgspec.structs.replace(subnet, cidr="172.31.0.0/28")
        tx.put(ec2.SUBNET, ACCOUNT, REGION, subnet_id, small)
        for number in range(4, 15):
            name = f"{subnet_id}/172.31.0.{number}"
            if tx.get(ec2.ADDRESS_CLAIM, ACCOUNT, REGION, name) is None:
                tx.create(ec2.ADDRESS_CLAIM, ACCOUNT, REGION, name, ec2.AddressClaim(owner="eni-1"))

    world.store._run(take, 1)


async def test_subnet_without_a_free_address_is_an_issue_until_it_has_one(world):
    subnet = world.cluster.subnets[0]
    fill(world, subnet)
    assert await world.reconcile() == controller.ROOM_AGAIN_SECONDS
    assert [issue.code for issue in world.status.issues] == ["InsufficientFreeAddresses"]
    assert world.service is None
    name = f"{subnet}/172.31.0.7"
    world.store._run(lambda tx: tx.delete(ec2.ADDRESS_CLAIM, *PLACE[:2], name), 1)
    await world.reconcile()
    assert world.service is not None


async def test_upgrade_without_free_addresses_fails_and_the_old_version_serves_on(world, hosts):
    await world.reconcile()
    _, address = world.place()
    await world.reconcile()
    fill(world, world.cluster.subnets[0])
    world.ask_for_version("1.36")
    await world.reconcile()
    assert [issue.code for issue in world.status.issues] == ["InsufficientFreeAddresses"]
    assert (world.status.version, world.asked_for().status) == ("1.35", "InProgress")
    world.clock.advance(records.UPDATE_SECONDS + 1)
    await world.reconcile()
    assert world.asked_for().status == "Failed"
    assert [error.code for error in world.asked_for().errors] == ["InsufficientFreeAddresses"]
    assert world.status.version == "1.35"
    assert hosts[endpoint_name(world.installation, world.cluster, REGION)] == address


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
    _, public = world.place()
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
    _, public = world.place()
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
    before, content = world.store.revision, (world.files() / "server.crt").read_bytes()
    await world.reconcile()
    assert world.store.revision == before
    assert (world.files() / "server.crt").read_bytes() == content


async def test_every_process_is_told_of_files_that_are_there_and_etcd_alone_writes(world):
    await world.reconcile()
    directories = {SERVICE: world.files(), ETCD: etcd_files_of(world.installation, world.cluster)}
    writing = set()
    for service, directory in directories.items():
        (definition,) = world.definitions(service)
        told = [w for c in definition.document["containerDefinitions"] for w in c["command"]]
        named = {word.rpartition("/")[2] for word in told if "/etc/kubernetes/" in word}
        assert named <= {path.name for path in directory.iterdir()}
        assert definition.document["volumes"][0]["host"]["sourcePath"] == str(directory)
        writing |= {
            container["name"]
            for container in definition.document["containerDefinitions"]
            if not all(mount.get("readOnly") for mount in container["mountPoints"])
        }
    assert writing == {"etcd"}


async def test_no_process_can_read_a_key_that_it_has_no_use_for(world):
    await world.reconcile()
    kept = world.keeping.open(world.cluster, world.status).keys
    readable = {path.read_bytes() for path in world.files().iterdir()}
    etcds = {p.read_bytes() for p in etcd_files_of(world.installation, world.cluster).iterdir()}
    assert not {kept.etcd.key, kept.front_proxy.key} & (readable | etcds)
    assert kept.cluster.key not in etcds


async def test_api_servers_alone_reach_etcd_at_an_address_that_stays(world):
    await world.reconcile()
    (first,) = world.etcd.deployments
    (beside,) = first.network.beside
    eni = world.get(ec2.NETWORK_INTERFACE, *SYSTEM, beside.id)
    (definition,), (api,) = world.definitions(ETCD), world.definitions()
    (etcd,) = definition.document["containerDefinitions"]
    server = api.document["containerDefinitions"][0]
    url = f"https://{eni.private_address}:2379"
    assert f"--etcd-servers={url}" in server["command"]
    assert url in next(w for w in etcd["command"] if w.startswith("--listen-client-urls="))
    group = world.get(ec2.SECURITY_GROUP, *SYSTEM, eni.security_groups[0])
    (let_in,) = [rule for rule in group.rules if not rule.egress]
    assert (let_in.from_port, let_in.to_port, let_in.cidr) == (2379, 2379, "")
    assert (let_in.group_id,) == world.service.deployments[-1].network.security_groups
    assert eni.public_address == ""
    files = etcd_files_of(world.installation, world.cluster)
    certificate = x509.load_pem_x509_certificate((files / "etcd.crt").read_bytes())
    named = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    shown = {str(address) for address in named.get_values_for_type(x509.IPAddress)}
    assert shown == {eni.private_address, "127.0.0.1"}


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


async def test_upgrade_leaves_etcd_alone(world):
    await world.reconcile()
    before = world.etcd
    world.change(version="1.36")
    await world.reconcile()
    assert world.etcd == before


def etcd_document(reference, version):
    labels = {ETCD_VERSION: version}
    container = {"name": "etcd", "image": reference, "dockerLabels": labels, "command": ["etcd"]}
    return {"containerDefinitions": [container]}


def api_server(reference):
    beside = {"name": "another", "image": "r:1"}
    return {"containerDefinitions": [beside, {"name": "kube-apiserver", "image": reference}]}


@pytest.mark.parametrize(
    ("etcd", "before", "wanted", "moves"),
    [
        # The next minor version of Kubernetes brings a patch of etcd.
        (("r:1.35.4-a", "3.6.5"), "r:1.35.4-a", ("r:1.36.3-b", "3.6.8"), False),
        # It is through: nothing more happens.
        (("r:1.35.4-a", "3.6.5"), "r:1.36.3-b", ("r:1.36.3-b", "3.6.8"), False),
        # A patch of Kubernetes comes with it.
        (("r:1.35.4-a", "3.6.5"), "r:1.36.3-b", ("r:1.36.4-c", "3.6.8"), True),
        # A patch of Kubernetes leaves etcd as it is.
        (("r:1.36.3-b", "3.6.8"), "r:1.36.3-b", ("r:1.36.4-c", "3.6.8"), False),
        # Kubernetes needs another etcd.
        (("r:1.36.3-b", "3.6.8"), "r:1.36.3-b", ("r:1.37.0-d", "3.7.0"), True),
    ],
)
def test_etcd_moves_with_patches_and_where_it_has_to(etcd, before, wanted, moves):
    chosen = etcd_image(etcd_document(*etcd), api_server(before), Image(*wanted), ["etcd"])
    assert chosen == Image(*(wanted if moves else etcd))


def test_etcd_moves_with_its_arguments():
    """An older build may not know them."""
    wanted = Image("r:1.35.4-b", "3.6.5")
    ran = etcd_document("r:1.35.4-a", "3.6.5")
    assert etcd_image(ran, api_server("r:1.35.4-b"), wanted, ["etcd", "--new=1"]) == wanted


async def test_etcd_ends_before_another_one_begins_and_api_servers_after(world):
    await world.reconcile()
    assert (world.etcd.minimum_percent, world.etcd.maximum_percent) == (0, 100)
    assert (world.service.minimum_percent, world.service.maximum_percent) == (100, 200)


async def test_api_server_that_takes_over_has_interfaces_and_files_of_its_own(world):
    await world.reconcile()
    enis, files = world.interfaces(), world.files()
    certificate = (files / "server.crt").read_bytes()
    world.change(version="1.36")
    await world.reconcile()
    assert {eni.subnet_id for eni in world.interfaces()} == {eni.subnet_id for eni in enis}
    assert not {eni.id for eni in enis} & {eni.id for eni in world.interfaces()}
    assert (world.files() / "server.crt").read_bytes() != certificate


async def test_upgrade_waits_for_a_snapshot_of_after_it_was_asked_for(world, hosts):
    await world.reconcile()
    world.place()
    await world.reconcile()
    world.take_snapshot(world.clock.now() - 10)
    world.ask_for_version_alone("1.36")
    assert await world.reconcile() <= 1
    assert len(world.service.deployments) == 1
    wanted = etcd_snapshots(world.installation, world.cluster) / "wanted"
    assert int(wanted.read_text()) >= world.asked_for().created_at
    world.take_snapshot(int(wanted.read_text()))
    await world.reconcile()
    assert len(world.service.deployments) == 2


async def test_health_tells_for_a_day_that_the_cluster_was_restored(world, hosts):
    await world.reconcile()
    world.place()
    await world.reconcile()
    assert world.status.issues == ()
    now = int(world.clock.now())
    told = {"at": now, "snapshot": now - 1800, "why": "lost"}
    directory = etcd_snapshots(world.installation, world.cluster)
    (directory / "restored.json").write_bytes(msgspec.json.encode(told))
    await world.reconcile()
    (issue,) = world.status.issues
    assert (issue.code, world.status.status) == ("Other", "ACTIVE")
    assert "was lost" in issue.message
    world.clock.advance(86_401)
    await world.reconcile()
    assert world.status.issues == ()


async def test_names_lead_to_the_old_api_server_until_the_new_one_is_whole(world, hosts):
    await world.reconcile()
    old, old_address = world.place()
    await world.reconcile()
    assert world.task(old).protected_until == FOR_EVER
    enis = world.interfaces()
    world.change(private_access=True)
    await world.reconcile()
    world.ask_for_version("1.36")
    await world.reconcile()
    new, new_address = world.place("PENDING")
    await world.reconcile()
    name = endpoint_name(world.installation, world.cluster, REGION)
    assert hosts[name] == old_address
    private = tuple(sorted(eni.private_address for eni in enis))
    assert world.names()[world.cluster.vpc_id, name.lower()] == private
    assert world.task(old).protected_until == FOR_EVER
    world.change_task(new, last_status="RUNNING")
    await world.reconcile()
    assert hosts[name] == new_address
    private = tuple(sorted(eni.private_address for eni in world.interfaces()))
    assert world.names()[world.cluster.vpc_id, name.lower()] == private
    assert world.asked_for().status == "InProgress"


async def test_old_api_server_ends_once_its_address_is_forgotten_and_leaves_nothing(world, hosts):
    await world.reconcile()
    old, _ = world.place()
    await world.reconcile()
    enis, files = world.interfaces(), world.files()
    world.ask_for_version("1.36")
    await world.reconcile()
    new, _ = world.place()
    assert await world.reconcile() <= NAMES_SECONDS
    assert world.task(new).protected_until == FOR_EVER
    assert world.task(old).protected_until > world.clock.now()
    world.clock.advance(NAMES_SECONDS + 1)
    await world.reconcile()
    assert world.task(old).protected_until == 0.0
    world.change_task(old, desired_status="STOPPED", last_status="STOPPING")
    await world.reconcile()
    assert {eni.id for eni in enis} <= set(world.every_interface())
    assert (files / "server.crt").exists()
    assert world.asked_for().status == "InProgress"
    world.change_task(old, last_status="STOPPED")
    await world.reconcile()
    assert set(world.every_interface()) == {eni.id for eni in world.interfaces()}
    assert not files.exists()
    assert world.asked_for().status == "Successful"
    assert world.status.version == "1.36"


async def test_new_api_server_that_falls_ill_gives_the_names_back(world, hosts):
    await world.reconcile()
    old, old_address = world.place()
    await world.reconcile()
    world.ask_for_version("1.36")
    await world.reconcile()
    new, new_address = world.place()
    await world.reconcile()
    name = endpoint_name(world.installation, world.cluster, REGION)
    assert hosts[name] == new_address
    ill = ecs.ContainerStatus(id="1", name="kube-apiserver", image="", health="UNHEALTHY")
    world.change_task(new, containers=(ill,))
    await world.reconcile()
    assert hosts[name] == old_address
    assert world.task(old).protected_until == FOR_EVER


async def test_interfaces_that_were_made_before_a_crash_are_used_by_the_next_attempt(world):
    await world.reconcile()
    world.change(version="1.36")
    write = world.keeping.write
    world.keeping.write = lambda *_: 1 / 0
    with pytest.raises(ZeroDivisionError):
        await world.reconcile()
    assert len(world.every_interface()) == 4
    assert len(world.service.deployments) == 1
    world.keeping.write = write
    await world.reconcile()
    assert len(world.service.deployments) == 2
    # The first deployment has no task: nothing of it is left.
    assert set(world.every_interface()) == {eni.id for eni in world.interfaces()}


async def test_control_plane_with_etcd_inside_ends_before_another_one_begins(world, hosts):
    """As earlier versions of Longshore made them: two would share etcd's files."""
    await world.reconcile()
    (definition,) = world.definitions()
    containers = definition.document["containerDefinitions"]
    inside = {**definition.document, "containerDefinitions": [*containers, {"name": "etcd"}]}
    before = msgspec.structs.replace(definition, document=inside)
    name = ecs.definition_name(before.family, before.revision)
    world.store._run(lambda tx: tx.put(ecs.TASK_DEFINITION, *SYSTEM, name, before), 1)
    old, _ = world.place()
    await world.reconcile()
    assert (world.service.minimum_percent, world.service.maximum_percent) == (0, 100)
    assert len(world.service.deployments) == 2
    assert world.task(old).protected_until == 0.0
    last = msgspec.structs.replace(world.service, deployments=world.service.deployments[-1:])
    world.store._run(lambda tx: tx.put(ecs.SERVICE, *SYSTEM, SERVICE, last), 1)
    await world.reconcile()
    assert (world.service.minimum_percent, world.service.maximum_percent) == (100, 200)


async def test_another_build_of_the_same_version_is_rolled_out_too(world, programs, tmp_path):
    await world.reconcile()
    programs["kube-1.35"] = tmp_path / "1.35.0-def" / "kube-1.35"
    await world.reconcile()
    assert [each.revision for each in world.definitions()] == [1, 2]


async def test_certificates_are_renewed_long_before_they_end_and_authorities_stay(world):
    await world.reconcile()
    authority, etcds = world.status.authority, etcd_files_of(world.installation, world.cluster)
    before, etcd = (world.files() / "server.crt").read_bytes(), (etcds / "etcd.crt").read_bytes()
    world.clock.advance(CERTIFICATE_DAYS * 86_400 * 0.6)
    assert await world.reconcile() <= 86_400
    assert (world.files() / "server.crt").read_bytes() != before
    assert (etcds / "etcd.crt").read_bytes() != etcd
    assert world.status.authority == authority
    assert [each.revision for each in world.definitions()] == [1, 2]
    assert [each.revision for each in world.definitions(ETCD)] == [1]


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


def find_no_room(world, service, name):
    said = f"(service {name}) was unable to place a task because of its size."
    status = ecs.ServiceStatus(events=(ecs.ServiceEvent("1", world.clock.now(), said),))
    world.store._run(lambda tx: tx.put(ecs.SERVICE_STATUS, *SYSTEM, service, status), 1)
    return said


@pytest.mark.parametrize("service", [SERVICE, ETCD])
async def test_status_says_why_no_control_plane_runs(world, service):
    await world.reconcile()
    assert world.status.issues == ()
    said = find_no_room(world, service, world.service.name)
    await world.reconcile()
    assert [issue.message for issue in world.status.issues] == [said]


async def test_status_says_why_an_upgrade_does_not_come_about(world, hosts):
    await world.reconcile()
    world.place()
    await world.reconcile()
    world.ask_for_version("1.36")
    said = find_no_room(world, SERVICE, world.service.name)
    await world.reconcile()
    assert [issue.message for issue in world.status.issues] == [said]


async def test_identity_provider_that_leaves_is_gone_once_the_cluster_was_looked_at(world):
    await world.reconcile()
    world.place()
    world.trust_provider()
    await world.reconcile()
    assert world.get(IDENTITY_PROVIDER, ACCOUNT, REGION, "shop/harbour")
    world.trust_provider(deleted_at=1.0)
    await world.reconcile()
    assert world.get(IDENTITY_PROVIDER, ACCOUNT, REGION, "shop/harbour") is None


async def test_deletion_waits_for_the_task_and_leaves_nothing(world, monkeypatch):
    monkeypatch.setattr(controller, "forget_names", lambda *_: None)
    kinds = (
        *(eks.CLUSTER, eks.CLUSTER_STATUS, ecs.SERVICE, ecs.TASK_DEFINITION),
        *(IDENTITY_PROVIDER, POD_IDENTITY),
    )
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
    world.trust_provider()
    directory, group = home(world.installation, world.cluster), world.status.security_group
    world.change(deleted_at=1.0)
    await world.reconcile()
    assert (world.service.status, world.etcd.status) == ("DRAINING", "ACTIVE")
    assert directory.exists()
    for service in (SERVICE, ETCD):
        ended = world.get(ecs.SERVICE, *SYSTEM, service)
        ended = msgspec.structs.replace(ended, status="INACTIVE")
        world.store._run(lambda tx, n=service, s=ended: tx.put(ecs.SERVICE, *SYSTEM, n, s), 1)
        await world.reconcile()
        assert world.etcd is None or world.etcd.status == "DRAINING"
    assert not directory.exists()
    assert not [record for kind in kinds for record in world.store.reader.scan(kind)]
    assert world.get(ec2.SECURITY_GROUP, ACCOUNT, REGION, group) is None
    names = {r.value.name for r in world.store.reader.scan(ec2.SECURITY_GROUP)}
    assert names == {"default"}
    assert not world.store.reader.scan(ec2.NETWORK_INTERFACE)
    assert not world.store.reader.scan(ec2.PRIVATE_NAME)
