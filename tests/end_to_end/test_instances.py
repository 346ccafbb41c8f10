"""EC2 instances as their users have them: machines that boot, keep their disk, and end."""

import json
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from end_to_end.cloud import trusting
from end_to_end.kills import await_whole, kill, patiently
from end_to_end.machines import PORT, Machine, base_image, first_process
from end_to_end.shells import machine_reads

from longshore.testing.wait import wait_until

GONE_SECONDS = 60
MAY_DESCRIBE = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "ec2:DescribeInstances", "Resource": "*"}],
}
CREDENTIALS = "instance-metadata meta-data/iam/security-credentials/machine"


@pytest.fixture(scope="module")
def profile(cloud):
    """An instance profile whose role may describe instances."""
    cloud.iam.create_role(RoleName="machine", AssumeRolePolicyDocument=trusting("ec2"))
    cloud.iam.put_role_policy(
        RoleName="machine", PolicyName="reads", PolicyDocument=json.dumps(MAY_DESCRIBE)
    )
    cloud.iam.create_instance_profile(InstanceProfileName="machine")
    cloud.iam.add_role_to_instance_profile(InstanceProfileName="machine", RoleName="machine")
    return "machine"


@pytest.fixture(scope="module")
def machine(cloud, profile):
    """An instance that the tests share, each leaving it running."""
    shared = Machine(cloud, IamInstanceProfile={"Name": profile})
    yield shared.await_state("running").await_answer()
    cloud.ec2.terminate_instances(InstanceIds=[shared.id])


def test_an_instance_boots_and_runs_its_user_data(machine):
    assert machine.launched["State"]["Name"] == "pending"
    assert machine.run("cat /root/ran") == "ran\n"


def test_it_has_the_address_and_the_name_of_its_interface(machine):
    told = machine.describe()
    assert told["PrivateIpAddress"] in machine.run("ip addr show eth0")
    assert machine.run("hostname").strip() == told["PrivateDnsName"]


def test_it_has_the_memory_of_its_type(machine):
    free = machine.run("awk '/MemTotal/ { print $2 }' /proc/meminfo")
    assert int(free) == 1024 * 1024
    limit = machine.run(
        "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null"
    )
    assert int(limit) == 2**30


def test_its_metadata_say_who_it_is(machine):
    assert machine.run("instance-metadata meta-data/instance-id").strip() == machine.id
    document = json.loads(machine.run("instance-metadata dynamic/instance-identity/document"))
    assert document["instanceType"] == "t3.micro"


def test_its_role_speaks_for_it(cloud, machine):
    given = json.loads(machine.run(CREDENTIALS))
    key = (given["AccessKeyId"], given["SecretAccessKey"], given["Token"])
    who = cloud.longshore.client("sts", key).get_caller_identity()
    assert who["Arn"].endswith(f"assumed-role/machine/{machine.id}")
    assert cloud.longshore.client("ec2", key).describe_instances()["Reservations"]
    with pytest.raises(ClientError, match="UnauthorizedOperation"):
        cloud.longshore.client("ec2", key).describe_vpcs()


def test_nobody_reaches_a_port_that_its_groups_do_not_open(cloud, machine):
    machine.run("(nc -l -p 81 -e echo open) >/dev/null 2>&1 &")
    address = machine.describe()["PublicIpAddress"]
    assert not machine_reads(address, 81, 1)


def test_a_task_reaches_an_instance_of_its_vpc(cloud, machine, busybox_image):
    address = machine.describe()["PrivateIpAddress"]
    definition = cloud.definition(
        "asks-machine",
        [
            {
                "name": "main",
                "image": busybox_image,
                "command": ["sh", "-c", f"wget -q -O - http://{address}:{PORT}/"],
            }
        ],
    )
    (task,) = cloud.run(definition)
    ended = cloud.await_status(task, "STOPPED")
    assert ended["containers"][0]["exitCode"] == 0


def test_a_reboot_keeps_the_disk_and_runs_no_user_data_again(cloud, machine):
    before = first_process(machine.id)
    cloud.ec2.reboot_instances(InstanceIds=[machine.id])
    wait_until(lambda: first_process(machine.id) not in {None, before}, GONE_SECONDS, "a new init")
    machine.await_answer()
    assert machine.state == "running"
    assert machine.run("cat /root/ran") == "ran\n"


def test_a_stopped_instance_has_its_disk_and_its_private_address_again(cloud, machine):
    address = machine.describe()["PrivateIpAddress"]
    cloud.ec2.stop_instances(InstanceIds=[machine.id])
    machine.await_state("stopped")
    assert "PublicIpAddress" not in machine.describe()
    assert first_process(machine.id) is None
    cloud.ec2.start_instances(InstanceIds=[machine.id])
    machine.await_state("running").await_answer()
    assert machine.describe()["PrivateIpAddress"] == address
    assert machine.run("cat /root/ran") == "ran\n"


def test_an_instance_that_dies_comes_back(machine):
    before = first_process(machine.id)
    machine.kill()
    wait_until(lambda: first_process(machine.id) not in {None, before}, GONE_SECONDS, "a new init")
    machine.await_answer()
    assert machine.run("cat /root/ran") == "ran\n"


def test_an_instance_outlives_longshores_own_processes(cloud, machine):
    before = first_process(machine.id)
    for process in ("agent", "containerd", "control-plane"):
        kill(cloud.longshore, process)
    await_whole(cloud)
    assert first_process(machine.id) == before
    assert patiently(cloud.ec2.describe_instances, InstanceIds=[machine.id])
    assert machine.run("cat /root/ran") == "ran\n"


def test_a_shutdown_from_inside_terminates_the_instance_where_it_asks_for_that(cloud):
    ending = Machine(
        cloud, UserData="#!/bin/sh\npoweroff\n", InstanceInitiatedShutdownBehavior="terminate"
    )
    ending.await_state("terminated")
    assert ending.describe()["StateReason"]["Code"] == "Client.InstanceInitiatedShutdown"


def test_a_terminated_instance_leaves_nothing(cloud):
    ending = Machine(cloud).await_state("running")
    disk = Path(cloud.longshore.data_dir) / "instances" / ending.id
    assert disk.exists()
    interface = ending.describe()["NetworkInterfaces"][0]["NetworkInterfaceId"]
    cloud.ec2.terminate_instances(InstanceIds=[ending.id])
    ending.await_state("terminated")
    assert first_process(ending.id) is None
    wait_until(lambda: not disk.exists(), GONE_SECONDS, "the disk is gone")
    with pytest.raises(ClientError, match="InvalidNetworkInterfaceID"):
        cloud.ec2.describe_network_interfaces(NetworkInterfaceIds=[interface])


def test_an_instance_larger_than_the_machine_is_refused_at_once(cloud):
    with pytest.raises(ClientError, match="InsufficientInstanceCapacity"):
        cloud.ec2.run_instances(
            ImageId=base_image(cloud), InstanceType="r5.16xlarge", MinCount=1, MaxCount=1
        )
