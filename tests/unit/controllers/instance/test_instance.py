"""The life of an instance's task, with a store and a played agent."""

import msgspec
import pytest

from longshore.base.ids import RandomIds
from longshore.base.installation import Installation
from longshore.controllers.instance.controller import InstanceController
from longshore.controllers.interface import Surroundings
from longshore.instances import Around, reboot_instance, stop_instance, terminate_instance
from longshore.instances.ending import start_instance
from longshore.model import ec2, ecs
from longshore.model.eks import SYSTEM_ACCOUNT
from longshore.model.instances import (
    INSTANCE,
    INSTANCE_STATUS,
    SYSTEM_CLUSTER,
    Instance,
    state_of,
)
from longshore.store.interface import Key
from longshore.testing.clock import FakeClock
from longshore.testing.memory_store import MemoryStore
from longshore.vpc import create_default_vpc, create_network_interface

ACCOUNT, REGION, ID = "123456789012", "us-east-1", "i-0123456789abcdef0"
KEY = Key(INSTANCE.name, ACCOUNT, REGION, ID)


class PlayedMachines:
    """In the place of `Machines`: an image that is there, or is not, and disks."""

    def __init__(self):
        self.failure = ""
        self.forgotten = []

    async def have_image(self, region, image_id):
        if self.failure:
            raise LookupError(self.failure)
        return "registry/machine-images/base:1"

    def document(self, instance, reference):
        return {
            "family": instance.id,
            "networkMode": "awsvpc",
            "cpu": "2048",
            "memory": "1024",
            "containerDefinitions": [{"name": "machine", "image": reference, "privileged": True}],
        }

    def forget_disk(self, instance_id):
        self.forgotten.append(instance_id)


class World:
    """One instance that was asked for."""

    def __init__(self, directory, **fields):
        self.store, self.clock, self.ids = MemoryStore(), FakeClock(), RandomIds()
        self.installation = Installation(data_dir=directory)
        self.machines = PlayedMachines()
        around = Surroundings(
            store=self.store, clock=self.clock, ids=self.ids, installation=self.installation
        )
        self.controller = InstanceController(around, self.machines)
        self.store._run(lambda tx: self._begin(tx, fields), 1)

    def _begin(self, tx, fields):
        vpc = create_default_vpc(tx, ACCOUNT, REGION, self.ids)
        subnet = tx.find(ec2.SUBNET, ACCOUNT, REGION, "vpc", vpc.id)[0].value
        eni = create_network_interface(
            tx,
            self.ids,
            0.0,
            account=ACCOUNT,
            region=REGION,
            subnet_id=subnet.id,
            installation=self.installation,
        )
        eni = msgspec.structs.replace(
            eni, instance_id=ID, delete_on_termination=True, status="in-use"
        )
        tx.put(ec2.NETWORK_INTERFACE, ACCOUNT, REGION, eni.id, eni)
        instance = Instance(
            id=ID,
            reservation_id="r-1",
            image_id="ami-1",
            instance_type="t3.micro",
            vcpus=2,
            memory=1024,
            vpc_id=vpc.id,
            subnet_id=subnet.id,
            zone=subnet.zone,
            interface_id=eni.id,
            private_address=eni.private_address,
            launched_at=0.0,
            **fields,
        )
        tx.create(INSTANCE, ACCOUNT, REGION, ID, instance)

    def value(self, kind, name, account=ACCOUNT):
        record = self.store.reader.get(kind, account, REGION, name)
        return record.value if record is not None else None

    @property
    def instance(self):
        return self.value(INSTANCE, ID)

    @property
    def status(self):
        return self.value(INSTANCE_STATUS, ID)

    @property
    def state(self):
        return state_of(self.instance, self.status)

    @property
    def task(self):
        return self.value(ecs.TASK, f"{SYSTEM_CLUSTER}/{self.status.task_id}", SYSTEM_ACCOUNT)

    @property
    def interface(self):
        return self.value(ec2.NETWORK_INTERFACE, self.instance.interface_id)

    async def reconcile(self):
        return await self.controller.reconcile(KEY)

    async def play(self, status, exit_code=None, stop=None):
        """The agent and the lifecycle have brought the newest task here."""
        task = self.task
        container = msgspec.structs.replace(task.containers[0], exit_code=exit_code)
        changed = msgspec.structs.replace(
            task, last_status=status, containers=(container,), stop=task.stop or stop
        )
        self.store._run(lambda tx: tx.put(ecs.TASK, SYSTEM_ACCOUNT, REGION, task.name, changed), 1)
        await self.reconcile()

    async def run(self):
        await self.reconcile()
        await self.play("RUNNING")

    def place(self, host):
        """The interface is in this host's network."""
        changed = msgspec.structs.replace(self.interface, host=host)
        self.store._run(
            lambda tx: tx.put(ec2.NETWORK_INTERFACE, ACCOUNT, REGION, changed.id, changed), 1
        )

    def ask(self, operation, *arguments):
        around = Around(
            account=ACCOUNT,
            region=REGION,
            now=self.clock.now(),
            ids=self.ids,
            installation=self.installation,
        )
        self.store._run(lambda tx: operation(tx, around, ID, *arguments), 1)


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


async def test_a_new_instance_is_a_task_with_the_instances_own_interface(world):
    await world.reconcile()
    assert world.state == "pending"
    assert world.task.interface == ecs.TaskInterface(ACCOUNT, world.instance.interface_id)
    assert world.task.launch_type == "EC2"


async def test_an_instance_runs_once_its_task_does(world):
    await world.run()
    assert world.state == "running"
    assert world.status.running_since == world.clock.now()


async def test_a_stopped_instance_starts_again_as_another_task(world):
    await world.run()
    first = world.task.id
    world.ask(stop_instance)
    assert world.state == "stopping"
    await world.reconcile()
    assert world.task.desired_status == "STOPPED"
    await world.play("STOPPED", 129)
    assert world.state == "stopped"
    assert world.status.reason.code == "Client.UserInitiatedShutdown"
    world.ask(start_instance)
    assert world.state == "pending"
    await world.run()
    assert world.state == "running"
    assert world.task.id != first
    assert world.status.reason is None


async def test_a_stopped_instance_is_in_no_hosts_network_a_rebooted_one_stays_there(world):
    await world.run()
    world.place("host-1")
    world.ask(reboot_instance)
    await world.reconcile()
    await world.play("STOPPED", 129)
    assert world.interface.host == "host-1"
    await world.play("RUNNING")
    world.ask(stop_instance)
    await world.reconcile()
    await world.play("STOPPED", 129)
    assert world.interface.host == ""


async def test_a_reboot_is_not_seen_in_the_state(world):
    await world.run()
    first = world.task.id
    world.ask(reboot_instance)
    await world.reconcile()
    assert world.task.desired_status == "STOPPED"
    await world.play("STOPPED", 129)
    assert world.state == "running"
    assert world.task.id != first
    await world.play("RUNNING")
    assert world.task.desired_status == "RUNNING"


@pytest.mark.parametrize(("behaviour", "state"), [("stop", "stopped"), ("terminate", "terminated")])
async def test_a_shutdown_from_inside_does_what_the_instance_says(tmp_path, behaviour, state):
    world = World(tmp_path, shutdown_behavior=behaviour)
    await world.run()
    ended = ecs.Stop(code="EssentialContainerExited", reason="", at=0.0)
    await world.play("STOPPED", 130, ended)
    await world.reconcile()
    assert world.state == state
    assert world.status.reason.code == "Client.InstanceInitiatedShutdown"


async def test_an_instance_whose_machine_dies_comes_back_by_itself(world):
    await world.run()
    first = world.task.id
    world.clock.advance(60.0)
    ended = ecs.Stop(code="EssentialContainerExited", reason="", at=0.0)
    await world.play("STOPPED", 137, ended)
    assert world.state == "running"
    assert world.task.id != first


async def test_an_instance_that_dies_at_once_is_not_started_without_end(world):
    await world.run()
    ended = ecs.Stop(code="EssentialContainerExited", reason="", at=0.0)
    first = world.task.id
    await world.play("STOPPED", 1, ended)
    assert await world.reconcile() > 0
    assert world.task.id == first


async def test_an_instance_without_room_is_terminated_and_says_why(world):
    await world.reconcile()
    full = ecs.Stop(
        code="TaskFailedToStart", reason="Capacity is unavailable at this time.", at=0.0
    )
    await world.play("STOPPED", None, full)
    await world.reconcile()
    assert world.state == "terminated"
    assert world.status.reason.code == "Server.InsufficientInstanceCapacity"


async def test_an_instance_whose_image_cannot_be_made_is_terminated(world):
    world.machines.failure = "iptables is missing"
    await world.reconcile()
    await world.reconcile()
    assert world.state == "terminated"
    assert "iptables is missing" in world.status.reason.message


async def test_a_terminated_instance_leaves_nothing_and_is_forgotten_after_an_hour(world):
    await world.run()
    world.ask(terminate_instance)
    assert world.state == "shutting-down"
    await world.reconcile()
    await world.play("STOPPED", 129)
    assert world.state == "terminated"
    assert world.interface is None
    assert world.machines.forgotten == [ID]
    assert world.task is None
    assert not world.store.reader.scan(ecs.TASK_DEFINITION, SYSTEM_ACCOUNT, REGION)
    assert await world.reconcile() == pytest.approx(3600.0)
    world.clock.advance(3601.0)
    await world.reconcile()
    assert world.instance is None
    assert world.status is None
