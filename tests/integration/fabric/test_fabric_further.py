"""Further ENIs beside a first one, of another VPC that has the very same ranges."""

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
from integration.fabric.fabric_builder import EVERYWHERE, Builder, joined, tcp, traces
from integration.fabric.fabric_traffic import echo_server, is_refused, reaches

from longshore.base.installation import Installation
from longshore.fabric import open_fabric
from longshore.fabric.kernel import KernelFabric
from longshore.fabric.names import port_name
from longshore.fabric.sockets import listen_in
from longshore.model.link_local import DNS_ADDRESS
from longshore.model.network import Interface, Network, Rule

OPEN = {"sg-open": (Rule(protocol=-1, cidr=EVERYWHERE),)}
INSIDE = {"sg-inside": (tcp(443, group="sg-inside"),)}

PROGRAM = """
import asyncio, sys
from pathlib import Path
import msgspec
from longshore.base.installation import load_installation
from longshore.fabric import open_fabric
from longshore.model.network import Network

async def main():
    fabric = await open_fabric(load_installation(Path(sys.argv[1])))
    network = msgspec.json.decode(sys.stdin.buffer.read(), type=Network)
    first, *others = network.interfaces
    print("ready", flush=True)
    while True:
        await fabric.apply(network)
        await fabric.attach(first)
        for number, other in enumerate(others, 1):
            await fabric.attach_further(other, first, number)
        for each in network.interfaces:
            await fabric.detach(each.id)
        await fabric.apply(Network())

asyncio.run(main())
"""


class Plane(NamedTuple):
    """A control plane of its own VPC with an ENI in two subnets of the user's, and a node there."""

    network: Network
    first: Interface
    others: tuple[Interface, Interface]
    node: Interface


@pytest.fixture
def plane(installation: Installation, builder: Builder) -> Plane:
    user = Builder(installation, "vpc-2")
    first = builder.eni(11, "sg-open", public=True)
    neighbour = builder.eni(14, "sg-open")
    others = (user.eni(12, "sg-inside"), user.eni(13, "sg-inside", subnet=2))
    node, stranger = user.eni(14, "sg-inside"), user.eni(15, "sg-else", subnet=2)
    network = joined(
        builder.network([first, neighbour], OPEN),
        user.network([*others, node, stranger], {**INSIDE, "sg-else": ()}),
    )
    return Plane(network, first, others, node)


async def attach(fabric: KernelFabric, plane: Plane) -> Path:
    inside = await fabric.attach(plane.first)
    for number, other in enumerate(plane.others, 1):
        await fabric.attach_further(other, plane.first, number)
    return inside


@pytest.fixture
async def inside(fabric: KernelFabric, plane: Plane) -> AsyncIterator[Path]:
    await fabric.apply(plane.network)
    yield await attach(fabric, plane)


def state(namespace: Path) -> str:
    """Addresses, routes and rules of a namespace."""
    commands = (["-br", "addr"], ["route", "show", "table", "all"], ["rule"])
    return "".join(
        subprocess.run(
            ["ip", "-4", "-n", namespace.name, *command], capture_output=True, text=True, check=True
        ).stdout
        for command in commands
    )


def devices(namespace: Path) -> str:
    command = ["ip", "-n", namespace.name, "-br", "link"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


async def test_it_reaches_the_users_vpc_through_its_eni_there(
    fabric: KernelFabric, plane: Plane, inside: Path
) -> None:
    """The node's address is also that of a neighbour in the first ENI's own VPC."""
    node = await fabric.attach(plane.node)
    neighbour = await fabric.attach(plane.network.interfaces[1])
    with echo_server(node, "0.0.0.0", 443) as peers, echo_server(neighbour, "0.0.0.0", 443):
        assert reaches(inside, plane.node.address, 443)
        assert peers == [plane.others[0].address]


async def test_the_users_vpc_reaches_it_at_each_of_its_addresses_there(
    fabric: KernelFabric, plane: Plane, inside: Path
) -> None:
    node = await fabric.attach(plane.node)
    stranger = await fabric.attach(plane.network.interfaces[-1])
    with echo_server(inside, "0.0.0.0", 443) as peers, echo_server(inside, "0.0.0.0", 444):
        for other in plane.others:
            assert reaches(node, other.address, 443)
            assert is_refused(node, other.address, 444)
            assert is_refused(stranger, other.address, 443)
        assert peers == [plane.node.address] * 2


async def test_its_first_eni_goes_on_as_if_it_were_the_only_one(
    fabric: KernelFabric, plane: Plane, inside: Path
) -> None:
    with echo_server(inside, "0.0.0.0", 443):
        assert reaches(None, plane.first.public_address, 443)
    router = fabric.router(plane.first.vpc_id)
    with echo_server(router, "10.0.0.2", 53) as asked:
        assert reaches(inside, "10.0.0.2", 53)
    with echo_server(router, DNS_ADDRESS, 53) as also:
        assert reaches(inside, DNS_ADDRESS, 53)
    assert asked == also == [plane.first.address]


async def test_attaching_again_changes_nothing(
    fabric: KernelFabric, plane: Plane, inside: Path
) -> None:
    before = await asyncio.to_thread(state, inside)
    await fabric.apply(plane.network)
    assert await attach(fabric, plane) == inside
    assert await asyncio.to_thread(state, inside) == before


async def test_range_that_the_users_vpc_gets_and_loses_is_followed(
    fabric: KernelFabric, plane: Plane, inside: Path
) -> None:
    before = await asyncio.to_thread(state, inside)
    own, theirs = plane.network.vpcs
    wider = msgspec.structs.replace(theirs, cidrs=(*theirs.cidrs, "100.64.0.0/16"))
    await fabric.apply(msgspec.structs.replace(plane.network, vpcs=(own, wider)))
    after = await asyncio.to_thread(state, inside)
    added = set(after.splitlines()) - set(before.splitlines())
    assert sorted(added) == [
        "3001:\tfrom all to 100.64.0.0/16 lookup 101",
        "3002:\tfrom all to 100.64.0.0/16 lookup 102",
    ]
    await fabric.apply(plane.network)
    assert await asyncio.to_thread(state, inside) == before


async def test_eni_follows_the_next_task_when_the_last_ones_namespace_is_held(
    fabric: KernelFabric, builder: Builder, plane: Plane, inside: Path
) -> None:
    """What runs in a namespace keeps it, with all that is in it, after it has lost its name."""
    with listen_in(inside, "0.0.0.0", 80):
        await fabric.detach(plane.first.id)
        second = builder.eni(21, "sg-open")
        network = joined(builder.network([second], OPEN), plane.network)
        await fabric.apply(network)
        again = await attach(fabric, plane._replace(first=second))
        node = await fabric.attach(plane.node)
        with echo_server(again, "0.0.0.0", 443):
            assert reaches(node, plane.others[0].address, 443)


async def test_detached_eni_is_gone_and_the_first_stays(
    fabric: KernelFabric, plane: Plane, inside: Path
) -> None:
    for other in plane.others:
        await fabric.detach(other.id)
        await fabric.detach(other.id)
    assert "eth1" not in state(inside) and "eth2" not in state(inside)
    assert await fabric.attached() == {plane.first.id}
    with echo_server(inside, "0.0.0.0", 443):
        assert reaches(None, plane.first.public_address, 443)


@pytest.mark.parametrize("seed", range(4))
async def test_fabric_killed_at_any_moment_is_completed_by_its_successor(
    installation: Installation, plane: Plane, seed: int
) -> None:
    installation.save()
    network = msgspec.structs.replace(
        plane.network,
        interfaces=tuple(i for i in plane.network.interfaces if i in (plane.first, *plane.others)),
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        PROGRAM,
        str(installation.data_dir),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin and process.stdout
    process.stdin.write(msgspec.json.encode(network))
    process.stdin.close()
    assert await process.stdout.readline() == b"ready\n"
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(process.wait(), random.Random(seed).uniform(0.0, 0.2))
    os.kill(process.pid, signal.SIGKILL)
    await process.wait()
    successor = await open_fabric(installation)
    try:
        await successor.apply(plane.network)
        inside = await attach(successor, plane)
        node = await successor.attach(plane.node)
        with echo_server(inside, "0.0.0.0", 443):
            assert reaches(node, plane.others[0].address, 443)
            assert reaches(node, plane.others[1].address, 443)
            assert reaches(None, plane.first.public_address, 443)
    finally:
        await successor.destroy()
        await successor.close()
    assert traces(installation) == []


async def test_successor_finds_every_eni_of_a_running_task(
    installation: Installation, plane: Plane
) -> None:
    first = await open_fabric(installation)
    await first.apply(plane.network)
    inside = await attach(first, plane)
    await first.close()
    second = await open_fabric(installation)
    try:
        node = await second.attach(plane.node)
        with echo_server(inside, "0.0.0.0", 443):
            assert reaches(node, plane.others[1].address, 443)
        await second.detach(plane.first.id)
        for other in plane.others:
            await second.detach(other.id)
        ports = await asyncio.to_thread(devices, second.router(plane.node.vpc_id))
        assert port_name(plane.node.id) in ports
        assert not any(port_name(other.id) in ports for other in plane.others)
    finally:
        await second.destroy()
        await second.close()
    assert traces(installation) == []
