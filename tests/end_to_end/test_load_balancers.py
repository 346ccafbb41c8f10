"""A Network Load Balancer before tasks: real connections, through a real listener."""

import contextlib
import os
import signal
import socket
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from end_to_end.kills import await_whole, kill
from end_to_end.shells import ECHO_PORT, PAGE_PORT, fetch, start_shells

from longshore.base.processes import command_lines
from longshore.testing.wait import wait_until

ACTIVE_SECONDS = 60
HEALTH_SECONDS = 40
GONE_SECONDS = 60
CHECKED = {
    "HealthCheckProtocol": "HTTP",
    "HealthCheckPath": "/index.html",
    "HealthCheckIntervalSeconds": 5,
    "HealthCheckTimeoutSeconds": 2,
    "HealthyThresholdCount": 2,
    "UnhealthyThresholdCount": 2,
}


class Balancer:
    """A load balancer that is active, before target groups of addresses, by port."""

    def __init__(self, cloud, name, **settings):
        self.elb = cloud.longshore.client("elbv2")
        self.cloud = cloud
        self.name = name
        usual = {"Subnets": cloud.default_subnets()[:1], "Type": "network"}
        made = self.elb.create_load_balancer(Name=name, **{**usual, **settings})
        self.arn = made["LoadBalancers"][0]["LoadBalancerArn"]
        self.id = self.arn.rpartition("/")[2]
        self.dns_name = made["LoadBalancers"][0]["DNSName"]
        self.groups = {}

    def listen(self, port, target_port, *targets, **check):
        """Forward this port to these addresses."""
        group = self.elb.create_target_group(
            Name=f"{self.name}-{port}",
            Protocol="TCP",
            Port=target_port,
            VpcId=self.cloud.default_vpc(),
            TargetType="ip",
            **{**CHECKED, "HealthCheckPort": str(PAGE_PORT), **check},
        )["TargetGroups"][0]["TargetGroupArn"]
        self.groups[port] = group
        self.register(port, *targets)
        self.elb.create_listener(
            LoadBalancerArn=self.arn,
            Protocol="TCP",
            Port=port,
            DefaultActions=[{"Type": "forward", "TargetGroupArn": group}],
        )

    def register(self, port, *addresses):
        targets = [{"Id": each} for each in addresses]
        self.elb.register_targets(TargetGroupArn=self.groups[port], Targets=targets)

    def deregister(self, port, *addresses):
        targets = [{"Id": each} for each in addresses]
        self.elb.deregister_targets(TargetGroupArn=self.groups[port], Targets=targets)

    def describe(self):
        return self.elb.describe_load_balancers(LoadBalancerArns=[self.arn])["LoadBalancers"][0]

    def await_active(self):
        wait_until(
            lambda: self.describe()["State"]["Code"] == "active", ACTIVE_SECONDS, "it is active"
        )
        return self

    def health(self, port):
        """States and reasons by address."""
        told = self.elb.describe_target_health(TargetGroupArn=self.groups[port])
        return {
            each["Target"]["Id"]: (
                each["TargetHealth"]["State"],
                each["TargetHealth"].get("Reason", ""),
            )
            for each in told["TargetHealthDescriptions"]
        }

    def await_health(self, port, state, *addresses):
        """Wait until these targets have this state."""

        def reached():
            found = self.health(port)
            return {found.get(address, ("",))[0] for address in addresses} == {state}

        wait_until(reached, HEALTH_SECONDS, f"{addresses} are {state}")

    def interfaces(self):
        filters = [{"Name": "description", "Values": [f"ELB net/{self.name}/{self.id}"]}]
        return self.cloud.ec2.describe_network_interfaces(Filters=filters)["NetworkInterfaces"]


def who(balancer, port=80, seconds=2, complaints=None):
    """The page that comes through the load balancer; empty where none does, and then why not is
    the last of the complaints."""
    try:
        return fetch(f"http://{balancer.dns_name}:{port}/", seconds=seconds).strip()
    except OSError as error:
        if complaints is not None:
            complaints[:] = [repr(error), balancer.interfaces()]
        return ""


@pytest.fixture(scope="module")
def shells(cloud):
    """Two tasks with pages that say which is which."""
    group = cloud.security_group("balanced", 80, PAGE_PORT, ECHO_PORT)
    place = {
        "subnet": cloud.default_subnets()[0],
        "groups": [group],
        "public": True,
        "launch_type": "FARGATE",
    }
    found = start_shells(cloud, {"one": place, "two": place}, "balanced")
    for name, shell in found.items():
        shell.run(f"echo {name} > /www/name")
    yield found
    for shell in found.values():
        cloud.stop(shell.arn)


@pytest.fixture(scope="module")
def balancer(cloud, shells):
    """Ports 80 and 9000 lead to both tasks."""
    addresses = [shell.private_address for shell in shells.values()]
    made = Balancer(cloud, "front")
    made.listen(80, PAGE_PORT, *addresses)
    made.listen(ECHO_PORT, ECHO_PORT, *addresses)
    made.await_active()
    for port in (80, ECHO_PORT):
        made.await_health(port, "healthy", *addresses)
    return made


def test_connections_reach_every_healthy_target(balancer):
    url = f"http://{balancer.dns_name}/name"
    assert {fetch(url).strip() for _ in range(6)} == {"one", "two"}


def test_its_name_leads_there_inside_of_the_vpc(balancer, shells):
    told = shells["one"].run(f"wget -q -O - http://{balancer.dns_name}/index.html")
    assert told == "hello\n"


def test_its_interface_is_in_the_users_subnet_and_is_not_theirs_to_delete(balancer, cloud):
    (interface,) = balancer.interfaces()
    assert interface["SubnetId"] == cloud.default_subnets()[0]
    assert interface["RequesterManaged"]
    assert interface["InterfaceType"] == "network_load_balancer"
    with pytest.raises(ClientError):
        cloud.ec2.delete_network_interface(NetworkInterfaceId=interface["NetworkInterfaceId"])


def test_an_unhealthy_target_gets_nothing_until_it_is_well_again(balancer, shells):
    ill = shells["one"]
    ill.run("mv /www/index.html /www/away")
    balancer.await_health(80, "unhealthy", ill.private_address)
    told = balancer.health(80)[ill.private_address]
    assert told == ("unhealthy", "Target.ResponseCodeMismatch")
    url = f"http://{balancer.dns_name}/name"
    assert {fetch(url).strip() for _ in range(6)} == {"two"}
    ill.run("mv /www/away /www/index.html")
    balancer.await_health(80, "healthy", ill.private_address)


def test_connections_outlive_targets_that_come_and_go(balancer, shells):
    one, two = (shell.private_address for shell in shells.values())
    with socket.create_connection((balancer.dns_name, ECHO_PORT), timeout=5) as kept:
        assert _echo(kept, b"before") == b"before"
        balancer.deregister(ECHO_PORT, one, two)
        draining = ("draining", "Target.DeregistrationInProgress")

        def drained():
            return balancer.health(ECHO_PORT) == dict.fromkeys((one, two), draining)

        wait_until(drained, HEALTH_SECONDS, "both drain")
        wait_until(lambda: not _connects(balancer, ECHO_PORT), HEALTH_SECONDS, "no new ones")
        assert _echo(kept, b"after") == b"after"
        balancer.register(ECHO_PORT, one, two)
        balancer.await_health(ECHO_PORT, "healthy", one, two)
        assert _echo(kept, b"again") == b"again"


def _echo(connection, said):
    connection.sendall(said)
    return connection.recv(100)


def _connects(balancer, port):
    """Whether what is said there is answered."""
    with contextlib.suppress(OSError):
        address = (balancer.dns_name, port)
        with socket.create_connection(address, timeout=2) as connection:
            return _echo(connection, b"there?") == b"there?"
    return False


def test_a_killed_listener_comes_back_at_the_same_address(balancer):
    (before,) = balancer.interfaces()
    _kill_haproxy(balancer)
    wait_until(lambda: who(balancer) == "hello", GONE_SECONDS, "it answers again")
    (after,) = balancer.interfaces()
    assert after["Association"]["PublicIp"] == before["Association"]["PublicIp"]


def _kill_haproxy(balancer):
    """All of its processes."""
    for pid, words in command_lines():
        with contextlib.suppress(OSError):
            mounts = Path(f"/proc/{pid}/mountinfo")
            if words[0] == "haproxy" and balancer.id in mounts.read_text():
                os.kill(pid, signal.SIGKILL)


def test_it_outlives_longshores_own_processes(balancer, cloud):
    for process in ("agent", "containerd", "control-plane"):
        kill(cloud.longshore, process)
    await_whole(cloud)
    assert who(balancer) == "hello"


def test_its_security_group_lets_in_whom_it_names(cloud, shells):
    closed = cloud.security_group("closed")
    made = Balancer(cloud, "guarded", SecurityGroups=[closed])
    address = shells["one"].private_address
    made.listen(80, PAGE_PORT, address)
    made.await_active().await_health(80, "healthy", address)
    assert who(made, seconds=1) == ""
    made.elb.set_security_groups(
        LoadBalancerArn=made.arn, SecurityGroups=[cloud.security_group("balanced-80", 80)]
    )
    why = []
    wait_until(lambda: who(made, complaints=why) == "hello", HEALTH_SECONDS, why)
    made.elb.delete_load_balancer(LoadBalancerArn=made.arn)


def test_a_deleted_load_balancer_leaves_nothing(balancer, cloud):
    arn = balancer.arn
    files = Path(cloud.longshore.data_dir) / "load-balancers" / balancer.id
    assert files.exists()
    balancer.elb.delete_load_balancer(LoadBalancerArn=arn)
    with pytest.raises(balancer.elb.exceptions.LoadBalancerNotFoundException):
        balancer.describe()
    wait_until(lambda: not balancer.interfaces(), GONE_SECONDS, "its interface is gone")
    wait_until(lambda: not files.exists(), GONE_SECONDS, "its files are gone")
    assert balancer.dns_name not in Path("/etc/hosts").read_text()
    for group in balancer.groups.values():
        balancer.elb.delete_target_group(TargetGroupArn=group)
