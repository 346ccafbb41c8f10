"""What a load balancer has in its subnets, in the records: interfaces, tasks, names."""

import msgspec
import pytest

from longshore.balancing import Place, new_load_balancer, remove_load_balancer
from longshore.base.ids import RandomIds
from longshore.base.installation import Installation
from longshore.controllers.load_balancer import records, task
from longshore.model import ecs
from longshore.model.ec2 import NETWORK_INTERFACE, PRIVATE_NAME, SECURITY_GROUP, SUBNET
from longshore.model.eks import SYSTEM_ACCOUNT
from longshore.model.elbv2 import LOAD_BALANCER, LOAD_BALANCER_STATUS, load_balancer_name
from longshore.store.interface import Key
from longshore.testing.memory_store import MemoryStore
from longshore.vpc import create_default_vpc, host_network

ACCOUNT, REGION = "123456789012", "us-east-1"
HERE = (ACCOUNT, REGION)


class Balancer:
    """A load balancer in the first two subnets of a default VPC."""

    def __init__(self, tmp_path):
        self.store = MemoryStore()
        self.ids = RandomIds()
        self.installation = Installation(data_dir=tmp_path)
        self.place = Place(
            account=ACCOUNT, region=REGION, now=1.0, ids=self.ids, installation=self.installation
        )

    async def prepare(self, scheme="internet-facing"):
        await self.store.transact(lambda tx: create_default_vpc(tx, ACCOUNT, REGION, self.ids))
        self.subnets = [record.value for record in self.store.reader.scan(SUBNET)]
        balancer = await self.store.transact(
            lambda tx: new_load_balancer(
                tx,
                self.place,
                name="front",
                scheme=scheme,
                subnets=self.subnets[:2],
            )
        )
        name = load_balancer_name(balancer.name, balancer.id)
        self.key = Key(LOAD_BALANCER.name, ACCOUNT, REGION, name)
        return self

    @property
    def record(self):
        return self.store.reader.get(LOAD_BALANCER, *HERE, self.key.name).value

    def interfaces(self):
        found = self.store.reader.find(NETWORK_INTERFACE, *HERE, "owner", self.record.arn)
        return [record.value for record in found]

    async def nodes(self):
        return await self.store.transact(
            lambda tx: records.have_nodes(tx, self.ids, 1.0, self.installation, self.key)
        )

    async def boot(self, node, tmp_path):
        document = task.document(self.record, node.subnet_id, "image", tmp_path)
        await self.store.transact(
            lambda tx: records.boot(tx, self.ids, 1.0, self.key, node, document)
        )

    async def change(self, **fields):
        changed = msgspec.structs.replace(self.record, **fields)
        await self.store.transact(lambda tx: tx.put(LOAD_BALANCER, *HERE, self.key.name, changed))

    def tasks(self):
        return [record.value for record in self.store.reader.scan(ecs.TASK, SYSTEM_ACCOUNT)]

    async def end_tasks(self):
        for each in self.tasks():
            if each.desired_status == "STOPPED":
                ended = msgspec.structs.replace(each, last_status="STOPPED")
                await self.store.transact(
                    lambda tx, ended=ended: tx.put(
                        ecs.TASK, SYSTEM_ACCOUNT, REGION, ended.name, ended
                    )
                )


@pytest.fixture
def balancer(tmp_path):
    return Balancer(tmp_path)


async def test_there_is_an_interface_of_the_users_in_each_subnet(balancer):
    await balancer.prepare()
    nodes = await balancer.nodes()
    assert await balancer.nodes() == nodes
    assert {node.subnet_id for node in nodes} == {each.id for each in balancer.subnets[:2]}
    assert all(node.public_address for node in nodes)
    name = balancer.record
    for eni in balancer.interfaces():
        assert eni.description == f"ELB net/front/{name.id}"
        assert eni.requester_managed
        assert eni.security_groups == ()


async def test_an_internal_one_has_no_public_address(balancer):
    await balancer.prepare(scheme="internal")
    assert [node.public_address for node in await balancer.nodes()] == ["", ""]


async def test_without_security_groups_everything_passes_on_its_host(balancer):
    await balancer.prepare()
    await balancer.nodes()
    for eni in balancer.interfaces():
        there = msgspec.structs.replace(eni, host="here")
        await balancer.store.transact(
            lambda tx, there=there: tx.put(NETWORK_INTERFACE, *HERE, there.id, there)
        )
    network = host_network(balancer.store.reader, "here", 1)
    (group,) = {name for each in network.interfaces for name in each.security_groups}
    told = next(each for each in network.groups if each.id == group)
    assert [rule.cidr for rule in (*told.ingress, *told.egress)] == ["0.0.0.0/0", "0.0.0.0/0"]


async def test_a_task_takes_the_interface_and_belongs_to_longshore(balancer, tmp_path):
    await balancer.prepare()
    node, _ = await balancer.nodes()
    await balancer.boot(node, tmp_path)
    (made,) = balancer.tasks()
    assert made.interface == ecs.TaskInterface(ACCOUNT, node.interface_id)
    assert records.balancer_of(made, REGION) == balancer.key


async def test_a_new_start_takes_the_place_of_the_last_one(balancer, tmp_path):
    await balancer.prepare()
    for _ in range(2):
        await balancer.boot((await balancer.nodes())[0], tmp_path)
    assert len(balancer.tasks()) == 1
    assert len(balancer.store.reader.scan(ecs.TASK_DEFINITION, SYSTEM_ACCOUNT)) == 1


async def test_a_subnet_that_is_left_keeps_its_interface_until_the_task_has_ended(
    balancer, tmp_path
):
    await balancer.prepare()
    for node in await balancer.nodes():
        await balancer.boot(node, tmp_path)
    await balancer.change(subnets=(balancer.subnets[0].id, balancer.subnets[2].id))
    assert len(await balancer.nodes()) == 3
    await balancer.end_tasks()
    nodes = await balancer.nodes()
    wanted = {balancer.subnets[0].id, balancer.subnets[2].id}
    assert {node.subnet_id for node in nodes} == wanted
    assert {eni.subnet_id for eni in balancer.interfaces()} == wanted


async def test_other_security_groups_are_its_interfaces_too(balancer):
    await balancer.prepare()
    (default,) = [record.value for record in balancer.store.reader.scan(SECURITY_GROUP)]
    await balancer.nodes()
    await balancer.change(security_groups=(default.id,))
    await balancer.nodes()
    assert {eni.security_groups for eni in balancer.interfaces()} == {(default.id,)}


async def test_a_deleted_one_leaves_no_record(balancer, tmp_path):
    await balancer.prepare()
    for node in await balancer.nodes():
        await balancer.boot(node, tmp_path)
    record = balancer.record
    await balancer.store.transact(
        lambda tx: records.lead_name(tx, balancer.key, record, ["198.18.0.1"])
    )
    await balancer.store.transact(
        lambda tx: remove_load_balancer(tx, balancer.place, balancer.key.name)
    )
    assert len(await balancer.nodes()) == 2
    await balancer.end_tasks()
    assert await balancer.nodes() == ()
    await balancer.store.transact(lambda tx: records.forget(tx, balancer.key, record))
    kinds = (LOAD_BALANCER, LOAD_BALANCER_STATUS, NETWORK_INTERFACE, PRIVATE_NAME, ecs.TASK)
    assert [balancer.store.reader.scan(kind) for kind in kinds] == [[]] * len(kinds)
