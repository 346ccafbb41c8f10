"""Packets obey the VPC: what tasks on both launch types reach, and what reaches them."""

import ipaddress
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from botocore.exceptions import ClientError
from end_to_end.shells import (
    CONTROL_PORT,
    ECHO_PORT,
    PAGE_PORT,
    machine_address,
    machine_reads,
    start_shells,
)

from longshore.testing.wait import wait_until

ANYWHERE = "0.0.0.0/0"
EFFECT_SECONDS = 1.0
"""Within this time a changed rule acts on running tasks."""
PRIVATE = ("private_fargate", "private_ec2")


class Network:
    """A VPC with a public subnet, a private one in another AZ, and groups; removed by `remove`."""

    def __init__(self, ec2):
        self.ec2 = ec2
        self.vpc = ec2.create_vpc(CidrBlock="10.40.0.0/16")["Vpc"]["VpcId"]
        ec2.modify_vpc_attribute(VpcId=self.vpc, EnableDnsHostnames={"Value": True})
        self.gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        ec2.attach_internet_gateway(InternetGatewayId=self.gateway, VpcId=self.vpc)
        self.public = self._subnet("10.40.1.0/24", "us-east-1a")
        self.private = self._subnet("10.40.2.0/24", "us-east-1b")
        self.routes = ec2.create_route_table(VpcId=self.vpc)["RouteTable"]["RouteTableId"]
        ec2.create_route(
            RouteTableId=self.routes, DestinationCidrBlock=ANYWHERE, GatewayId=self.gateway
        )
        ec2.associate_route_table(RouteTableId=self.routes, SubnetId=self.public)
        self.front, self.back, self.other = map(self._group, ("front", "back", "other"))
        for group in (self.front, self.back, self.other):
            self.allow(group, CONTROL_PORT)

    def _subnet(self, cidr, zone):
        answer = self.ec2.create_subnet(VpcId=self.vpc, CidrBlock=cidr, AvailabilityZone=zone)
        return answer["Subnet"]["SubnetId"]

    def _group(self, name):
        answer = self.ec2.create_security_group(GroupName=name, Description=name, VpcId=self.vpc)
        return answer["GroupId"]

    def allow(self, group, port, source=ANYWHERE):
        self.ec2.authorize_security_group_ingress(
            GroupId=group, IpPermissions=[permission(port, source)]
        )

    def forbid(self, group, port, source=ANYWHERE):
        self.ec2.revoke_security_group_ingress(
            GroupId=group, IpPermissions=[permission(port, source)]
        )

    def remove(self):
        for subnet in (self.public, self.private):
            self.ec2.delete_subnet(SubnetId=subnet)
        self.ec2.delete_route_table(RouteTableId=self.routes)
        self.ec2.detach_internet_gateway(InternetGatewayId=self.gateway, VpcId=self.vpc)
        self.ec2.delete_internet_gateway(InternetGatewayId=self.gateway)
        for group in (self.front, self.back, self.other):
            self.ec2.delete_security_group(GroupId=group)
        self.ec2.delete_vpc(VpcId=self.vpc)


def permission(port, source):
    """TCP to one port, from a CIDR block or a group."""
    found = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port}
    if source.startswith("sg-"):
        return {**found, "UserIdGroupPairs": [{"GroupId": source}]}
    return {**found, "IpRanges": [{"CidrIp": source}]}


@pytest.fixture(scope="module")
def network(cloud):
    network = Network(cloud.ec2)
    yield network
    network.remove()


@pytest.fixture(scope="module")
def shells(cloud, network):
    def place(subnet, group, launch_type, **further):
        return {"subnet": subnet, "groups": [group], "launch_type": launch_type, **further}

    found = start_shells(
        cloud,
        {
            "public": place(network.public, network.front, "FARGATE", public=True),
            "private_fargate": place(network.private, network.back, "FARGATE", through="public"),
            "private_ec2": place(network.private, network.back, "EC2", through="public"),
            "other": place(network.public, network.other, "EC2", through="public"),
        },
    )
    yield found
    for shell in found.values():
        cloud.ecs.stop_task(task=shell.arn)
    for shell in found.values():
        cloud.await_status(shell.arn, "STOPPED")


@pytest.fixture
def page_allowed(network):
    """The page's port of both kinds of groups is open to everyone."""
    for group in (network.front, network.back):
        network.allow(group, PAGE_PORT)
    yield
    for group in (network.front, network.back):
        network.forbid(group, PAGE_PORT)


@pytest.mark.parametrize("name", ["public", *PRIVATE])
def test_task_has_its_subnets_address_inside_and_in_the_api(shells, network, name):
    shell = shells[name]
    block = "10.40.1.0/24" if name == "public" else "10.40.2.0/24"
    assert ipaddress.ip_address(shell.private_address) in ipaddress.ip_network(block)
    assert f"inet {shell.private_address}/" in shell.run("ip -4 addr show")
    subnet = network.public if name == "public" else network.private
    assert shell.interface["SubnetId"] == subnet
    assert shell.interface["Status"] == "in-use"


def test_task_with_a_public_address_is_reached_from_the_machine(shells, page_allowed):
    assert wait_until(lambda: machine_reads(shells["public"].public_address), EFFECT_SECONDS)


def test_task_with_a_public_address_reaches_the_machine_and_is_seen_at_it(shells):
    with machine_page() as page:
        printed = shells["public"].run(f"timeout 3 wget -q -O - http://{page.address}/")
    assert printed == "from the machine"
    assert page.callers == [shells["public"].public_address]


@pytest.mark.parametrize("name", PRIVATE)
def test_task_in_a_private_subnet_without_nat_is_not_reached_and_reaches_nothing(
    shells, page_allowed, name
):
    shell = shells[name]
    assert shell.public_address is None
    assert not machine_reads(shell.private_address)
    with machine_page() as page:
        shell.run(f"timeout 1 wget -q -O - http://{page.address}/")
    assert page.callers == []


@pytest.mark.parametrize("name", PRIVATE)
def test_subnets_of_a_vpc_route_to_each_other(shells, page_allowed, name):
    public, private = shells["public"], shells[name]
    assert soon(lambda: public.reads(private.private_address))
    assert soon(lambda: private.reads(public.private_address))


@pytest.mark.parametrize("name", PRIVATE)
def test_group_lets_nothing_in_that_no_rule_allows(shells, name):
    assert soon(lambda: not shells["public"].reads(shells[name].private_address))


@pytest.mark.parametrize("name", PRIVATE)
def test_group_that_refers_to_a_group_lets_its_members_in_and_nobody_else(shells, network, name):
    address = shells[name].private_address
    network.allow(network.back, PAGE_PORT, network.front)
    try:
        assert soon(lambda: shells["public"].reads(address))
        assert not shells["other"].reads(address)
    finally:
        network.forbid(network.back, PAGE_PORT, network.front)


@pytest.mark.parametrize("name", PRIVATE)
def test_without_an_egress_rule_a_task_opens_nothing_yet_still_answers(
    cloud, shells, network, page_allowed, name
):
    shell, public = shells[name], shells["public"]
    assert soon(lambda: shell.reads(public.private_address))
    everything = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": ANYWHERE}]}]
    cloud.ec2.revoke_security_group_egress(GroupId=network.back, IpPermissions=everything)
    try:
        assert soon(lambda: not shell.reads(public.private_address))
        assert public.reads(shell.private_address)
    finally:
        cloud.ec2.authorize_security_group_egress(GroupId=network.back, IpPermissions=everything)


def test_rule_acts_on_a_running_task_within_a_second_and_so_does_its_end(shells, network):
    address = shells["public"].public_address
    assert soon(lambda: not machine_reads(address))
    network.allow(network.front, PAGE_PORT)
    assert wait_until(lambda: machine_reads(address), EFFECT_SECONDS)
    network.forbid(network.front, PAGE_PORT)
    assert wait_until(lambda: not machine_reads(address), EFFECT_SECONDS)


def test_open_connection_is_cut_when_its_rule_goes(shells, network):
    network.allow(network.front, ECHO_PORT)
    connection = wait_until(
        lambda: _connection(shells["public"].public_address), EFFECT_SECONDS, "connected"
    )
    with connection:
        assert _echoes(connection)
        network.forbid(network.front, ECHO_PORT)
        assert wait_until(lambda: not _echoes(connection), EFFECT_SECONDS)


@pytest.mark.parametrize("name", ["public", *PRIVATE])
def test_names_of_the_vpc_resolve_inside(shells, name):
    address = shells["private_ec2"].private_address
    printed = shells[name].run(f"nslookup ip-{address.replace('.', '-')}.ec2.internal")
    assert address in printed


@pytest.mark.parametrize("name", ["public", *PRIVATE])
def test_api_answers_inside_at_the_endpoint_that_tasks_are_given(shells, name):
    printed = shells[name].run("wget -S -q -O - $AWS_ENDPOINT_URL/_longshore/health")
    assert "200 OK" in printed


def test_elastic_address_moves_to_a_tasks_interface_and_is_reached(
    cloud, shells, network, page_allowed
):
    given = cloud.ec2.allocate_address(Domain="vpc")
    association = cloud.ec2.associate_address(
        AllocationId=given["AllocationId"],
        NetworkInterfaceId=shells["other"].interface["NetworkInterfaceId"],
    )["AssociationId"]
    try:
        assert wait_until(
            lambda: machine_reads(given["PublicIp"], CONTROL_PORT), EFFECT_SECONDS, "reached"
        )
    finally:
        cloud.ec2.disassociate_address(AssociationId=association)
        cloud.ec2.release_address(AllocationId=given["AllocationId"])
    assert wait_until(lambda: not machine_reads(given["PublicIp"], CONTROL_PORT), EFFECT_SECONDS)


@pytest.mark.parametrize("what", ["vpc", "subnet", "security_group", "internet_gateway"])
def test_what_tasks_use_is_not_deleted(cloud, shells, network, what):
    calls = {
        "vpc": lambda: cloud.ec2.delete_vpc(VpcId=network.vpc),
        "subnet": lambda: cloud.ec2.delete_subnet(SubnetId=network.private),
        "security_group": lambda: cloud.ec2.delete_security_group(GroupId=network.back),
        "internet_gateway": lambda: cloud.ec2.detach_internet_gateway(
            InternetGatewayId=network.gateway, VpcId=network.vpc
        ),
    }
    with pytest.raises(ClientError) as refused:
        calls[what]()
    assert refused.value.response["Error"]["Code"] == "DependencyViolation"
    assert shells["public"].run("echo still here") == "still here\n"


class MachinePage:
    """A page that the machine serves on all its addresses; `callers` are who asked."""

    def __init__(self):
        self.callers = callers = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                callers.append(self.client_address[0])
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"from the machine")

            def log_message(self, *arguments):
                """Nothing: pytest shows what fails."""

        self.server = HTTPServer(("", 0), Handler)
        self.address = f"{machine_address()}:{self.server.server_port}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *failure):
        self.server.shutdown()
        self.server.server_close()


def machine_page():
    return MachinePage()


def soon(condition):
    """The condition, once the last change of rules acts (asking takes time of its own)."""
    return wait_until(condition, EFFECT_SECONDS + 4)


def _connection(address):
    try:
        return socket.create_connection((address, ECHO_PORT), timeout=0.3)
    except OSError:
        return None


def _echoes(connection):
    try:
        connection.settimeout(0.3)
        connection.sendall(b"ping\n")
        return bool(connection.recv(100))
    except OSError:
        return False
