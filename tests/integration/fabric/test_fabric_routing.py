"""What reaches what: subnets, the machine, its API, other VPCs, other installations."""

import asyncio
import contextlib
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from integration.fabric.fabric_builder import (
    EVERYWHERE,
    Builder,
    joined,
    make_installation,
    tcp,
    traces,
)
from integration.fabric.fabric_traffic import echo_server, is_refused, reaches

from longshore.fabric import open_fabric
from longshore.fabric.host_rules import machine_address
from longshore.fabric.interface import FabricError
from longshore.fabric.kernel import KernelFabric
from longshore.fabric.names import NETNS_DIR
from longshore.model.link_local import API_ADDRESS, CREDENTIALS_ADDRESS, METADATA_ADDRESS
from longshore.model.network import Network, Rule

OPEN = {"sg-open": (Rule(protocol=-1, cidr=EVERYWHERE),)}


async def test_public_address_is_reached_from_the_machine_and_reaches_out(
    fabric: KernelFabric, builder: Builder
) -> None:
    eni = builder.eni(11, "sg-open", public=True)
    await fabric.apply(builder.network([eni], {"sg-open": (tcp(80, cidr=EVERYWHERE),)}))
    inside = await fabric.attach(eni)
    machine = machine_address(builder.installation)
    with echo_server(inside, "0.0.0.0", 80) as peers, echo_server(inside, "0.0.0.0", 81):
        assert reaches(None, eni.public_address, 80)
        assert peers == [machine]
        assert is_refused(None, eni.public_address, 81)
    with echo_server(None, machine, 8099) as peers:
        assert reaches(inside, machine, 8099)
        assert peers == [eni.public_address]


async def test_neighbour_is_reached_at_its_public_address_too(
    fabric: KernelFabric, builder: Builder
) -> None:
    one, other = (builder.eni(n, "sg-open", public=True) for n in (11, 12))
    await fabric.apply(builder.network([one, other], OPEN))
    here, there = await fabric.attach(one), await fabric.attach(other)
    with echo_server(there, "0.0.0.0", 80) as peers:
        assert reaches(here, other.public_address, 80)
        assert peers == [one.public_address]


@pytest.mark.parametrize("subnet", [1, 2])
async def test_eni_without_a_public_address_reaches_nothing_outside_its_vpc(
    fabric: KernelFabric, builder: Builder, subnet: int
) -> None:
    eni, public = builder.eni(11, "sg-open", subnet=subnet), builder.eni(12, "sg-open", public=True)
    await fabric.apply(builder.network([eni, public], OPEN))
    inside = await fabric.attach(eni)
    there = await fabric.attach(public)
    machine = machine_address(builder.installation)
    with echo_server(None, machine, 8098), echo_server(there, "0.0.0.0", 80):
        assert is_refused(inside, machine, 8098)
        assert is_refused(inside, public.public_address, 80)
        assert reaches(inside, public.address, 80)


async def test_subnet_without_internet_gateway_is_not_reached_at_a_public_address(
    fabric: KernelFabric, builder: Builder
) -> None:
    eni = builder.eni(11, "sg-open", subnet=2, public=True)
    await fabric.apply(builder.network([eni], OPEN))
    inside = await fabric.attach(eni)
    with echo_server(inside, "0.0.0.0", 80):
        assert is_refused(None, eni.public_address, 80)


async def test_api_is_reached_from_every_subnet_and_nothing_else_of_loopback(
    fabric: KernelFabric, builder: Builder
) -> None:
    private = builder.eni(11, "sg-closed", subnet=2)
    await fabric.apply(builder.network([private], {"sg-closed": ()}, {"sg-closed": ()}))
    inside = await fabric.attach(private)
    port = builder.installation.port
    with (
        echo_server(None, "127.0.0.1", port),
        echo_server(None, "127.0.0.1", builder.installation.registry_port),
        echo_server(None, "127.0.0.1", port + 7),
    ):
        assert reaches(inside, API_ADDRESS, port)
        assert reaches(inside, API_ADDRESS, builder.installation.registry_port)
        assert is_refused(inside, API_ADDRESS, port + 7)


async def test_listener_on_the_router_sees_which_eni_asks(
    fabric: KernelFabric, builder: Builder
) -> None:
    enis = [builder.eni(11, "sg-closed"), builder.eni(12, "sg-closed", subnet=2)]
    await fabric.apply(builder.network(enis, {"sg-closed": ()}, {"sg-closed": ()}))
    inside = [await fabric.attach(eni) for eni in enis]
    router = fabric.router(builder.vpc_id)
    for address in (CREDENTIALS_ADDRESS, METADATA_ADDRESS):
        with echo_server(router, address, 80) as peers:
            assert all(reaches(namespace, address, 80) for namespace in inside)
            assert peers == [eni.address for eni in enis]


async def test_packets_never_pass_between_vpcs(fabric: KernelFabric, builder: Builder) -> None:
    other = Builder(builder.installation, "vpc-2")
    mine, theirs = builder.eni(11, "sg-open"), other.eni(12, "sg-open")
    await fabric.apply(joined(builder.network([mine], OPEN), other.network([theirs], OPEN)))
    here, there = await fabric.attach(mine), await fabric.attach(theirs)
    with echo_server(there, "0.0.0.0", 80):
        assert is_refused(here, theirs.address, 80)


async def test_two_installations_never_touch_each_other(
    fabric: KernelFabric, builder: Builder, tmp_path: Path
) -> None:
    second = make_installation(tmp_path / "second")
    neighbour = await open_fabric(second)
    try:
        others = Builder(second)
        mine, theirs = (b.eni(11, "sg-open", public=True) for b in (builder, others))
        await fabric.apply(builder.network([mine], OPEN))
        await neighbour.apply(others.network([theirs], OPEN))
        here, there = await fabric.attach(mine), await neighbour.attach(theirs)
        with echo_server(here, "0.0.0.0", 80), echo_server(there, "0.0.0.0", 80):
            assert reaches(None, mine.public_address, 80)
            assert reaches(None, theirs.public_address, 80)
            assert reaches(here, theirs.public_address, 80)
            await neighbour.destroy()
            assert traces(second) == []
            assert reaches(None, mine.public_address, 80)
    finally:
        await neighbour.destroy()
        await neighbour.close()


async def test_attach_before_the_vpc_is_known_says_what_to_do(
    fabric: KernelFabric, builder: Builder
) -> None:
    with pytest.raises(FabricError, match="apply its network first"):
        await fabric.attach(builder.eni(11))


async def test_what_is_detached_is_gone_and_detaching_is_safe_to_repeat(
    fabric: KernelFabric, builder: Builder
) -> None:
    eni = builder.eni(11, "sg-open")
    await fabric.apply(builder.network([eni], OPEN))
    path = await fabric.attach(eni)
    assert await fabric.attach(eni) == path
    assert await fabric.attached() == {eni.id}
    for _ in range(2):
        await fabric.detach(eni.id)
    await fabric.detach("eni-never-was")
    assert await fabric.attached() == frozenset()
    assert not path.exists()
    await fabric.apply(Network())
    assert not fabric.router(builder.vpc_id).exists()


async def test_public_eni_reaches_the_outside_world_from_the_machines_own_address(
    fabric: KernelFabric, builder: Builder, tmp_path: Path
) -> None:
    eni, private = builder.eni(11, "sg-open", public=True), builder.eni(12, "sg-open", subnet=2)
    await fabric.apply(builder.network([eni, private], OPEN))
    inside, hidden = await fabric.attach(eni), await fabric.attach(private)
    name = f"out{builder.installation.id}"
    async with outside_world(name) as (world, address, machine):
        with echo_server(world, address, 80) as peers:
            assert reaches(inside, address, 80)
            assert peers == [machine]
            assert is_refused(hidden, address, 80)


@contextlib.asynccontextmanager
async def outside_world(name: str) -> AsyncIterator[tuple[Path, str, str]]:
    """A namespace beyond the machine that knows no route back: it, its address, the machine's."""
    world, address, machine = NETNS_DIR / name, "203.0.113.2", "203.0.113.1"
    commands = (
        f"ip netns add {name}",
        f"ip link add {name} type veth peer name eth0 netns {name}",
        f"ip addr add {machine}/30 dev {name}",
        f"ip link set {name} up",
        f"ip -n {name} addr add {address}/30 dev eth0",
        f"ip -n {name} link set eth0 up",
        # As the fabric does for the device of the default route, which a test must not touch.
        f"sysctl -q net.ipv4.conf.{name}.forwarding=1",
    )
    try:
        for command in commands:
            await asyncio.to_thread(subprocess.run, command.split(), check=True)
        yield world, address, machine
    finally:
        for command in (f"ip link del {name}", f"ip netns del {name}"):
            await asyncio.to_thread(subprocess.run, command.split(), check=False)
