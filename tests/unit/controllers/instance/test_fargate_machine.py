"""Machines of Fargate's pods: what they are made of, and what is left of them."""

import asyncio
import tomllib

import msgspec
import pytest
from unit.controllers.instance.test_instance import ACCOUNT, ID, REGION, World

from longshore.base.installation import Installation
from longshore.controllers.instance.machine import OWN_CPU, OWN_MEMORY, Machines
from longshore.controllers.instance.steps import FARGATE_FORGET_SECONDS
from longshore.instances import fargate_image, machine_image, machine_images
from longshore.instances.images import require_image
from longshore.instances.root import FARGATE_ROOTFS, ROOTFS
from longshore.model import ec2
from longshore.model.ecs import TASK
from longshore.model.eks import SYSTEM_ACCOUNT
from longshore.model.errors import AwsError
from longshore.model.instances import INSTANCE, INSTANCE_STATUS, FargateNode, Instance
from longshore.scheduler.demand import task_size
from longshore.store.interface import Key
from longshore.testing.memory_store import MemoryStore

NODE = FargateNode(
    account=ACCOUNT,
    cluster="web",
    cluster_id="A",
    profile="fp",
    profile_arn="arn:fp",
    role_arn="arn:role",
    name="fargate-ip-10-0-0-1.ec2.internal",
    cpu=256,
    namespace="apps",
    pod="a",
    pod_uid="uid-a",
)
KEY = Key(INSTANCE.name, SYSTEM_ACCOUNT, REGION, ID)


@pytest.fixture
async def world(tmp_path):
    """The instance of `World`, as one of Longshore's own account with the user's interface."""
    made = World(tmp_path)
    hidden = msgspec.structs.replace(made.instance, fargate=NODE)

    def move(tx):
        tx.delete(INSTANCE, ACCOUNT, REGION, ID)
        tx.create(INSTANCE, SYSTEM_ACCOUNT, REGION, ID, hidden)

    await made.store.transact(move)
    return made


def of_system(world, kind):
    return world.value(kind, ID, SYSTEM_ACCOUNT)


async def test_its_task_has_the_interface_of_the_clusters_account(world):
    await world.controller.reconcile(KEY)
    status = of_system(world, INSTANCE_STATUS)
    task = world.value(TASK, f"ec2/{status.task_id}", SYSTEM_ACCOUNT)
    eni = of_system(world, INSTANCE).interface_id
    assert (task.interface.account, task.interface.id) == (ACCOUNT, eni)


async def test_nothing_is_left_of_it_soon_after_it_has_ended(world):
    machine = of_system(world, INSTANCE)
    ended = msgspec.structs.replace(machine, wanted="terminated")
    await world.store.transact(lambda tx: tx.put(INSTANCE, SYSTEM_ACCOUNT, REGION, ID, ended))
    await world.controller.reconcile(KEY)
    assert world.value(ec2.NETWORK_INTERFACE, machine.interface_id) is None
    assert of_system(world, INSTANCE_STATUS).state == "terminated"
    world.clock.advance(FARGATE_FORGET_SECONDS)
    await world.controller.reconcile(KEY)
    assert of_system(world, INSTANCE) is None
    assert of_system(world, INSTANCE_STATUS) is None


def test_its_size_is_the_pods_and_something_for_itself(tmp_path):
    machines = Machines(Installation(data_dir=tmp_path), None, "CERTIFICATE")
    instance = Instance(
        id=ID,
        reservation_id="",
        image_id="ami-1",
        instance_type="fargate",
        vcpus=1,
        memory=512,
        vpc_id="",
        subnet_id="",
        zone="",
        interface_id="",
        private_address="",
        launched_at=0.0,
        fargate=NODE,
    )
    document = machines.document(instance, "image")
    (container,) = document["containerDefinitions"]
    # A share of the host's, and no limit: it boots as fast as the host lets it.
    assert ("cpu" in document, container["cpu"]) == (False, 256 + OWN_CPU)
    assert document["memory"] == str(512 + OWN_MEMORY)
    assert task_size(document) == (256 + OWN_CPU, 512 + OWN_MEMORY)
    told = {each["name"]: each["value"] for each in container["environment"]}
    assert (told["LONGSHORE_MEMORY"], told["LONGSHORE_POD_CPU"]) == ("512", "256")


def test_no_launch_finds_its_image():
    image = fargate_image(REGION, "1.35")
    assert image not in machine_images(REGION)
    assert machine_image(REGION, image.id) is None
    with pytest.raises(AwsError, match="does not exist"):
        require_image(MemoryStore().reader, ACCOUNT, REGION, image.id)


def test_its_pods_have_kernels_of_their_own_and_all_else_is_a_nodes():
    own, nodes = (
        tomllib.loads((root / "etc/containerd/config.toml").read_text())
        for root in (FARGATE_ROOTFS, ROOTFS)
    )
    name = "io.containerd.cri.v1.runtime"
    runtime = own["plugins"][name]
    assert runtime["containerd"]["default_runtime_name"] == "runsc"
    for config in (own, nodes):
        del config["plugins"][name]["containerd"]
        del config["plugins"][name]["cni"]
    assert own == nodes


async def test_an_image_that_nobody_has_is_refused(tmp_path):
    machines = Machines(Installation(data_dir=tmp_path), None, "CERTIFICATE")
    with pytest.raises(LookupError):
        async with asyncio.timeout(5):
            await machines.have_image(REGION, "ami-00000000000000000")
