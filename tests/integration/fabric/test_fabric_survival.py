"""What is in the kernel survives its maker, and a half-made thing is completed."""

import asyncio
import fcntl
import os
import random
import signal
import sys

import msgspec
import pytest
from integration.fabric.fabric_builder import EVERYWHERE, Builder, traces
from integration.fabric.fabric_traffic import connect, echo_server, echoes, is_refused, reaches

from longshore.base.installation import Installation
from longshore.fabric import namespaces, nftables, open_fabric
from longshore.fabric.conntrack import list_flows
from longshore.fabric.kernel import KernelFabric
from longshore.fabric.links import Links
from longshore.model.network import Rule

OPEN = {"sg-open": (Rule(protocol=-1, cidr=EVERYWHERE),)}

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
    print("ready", flush=True)
    while True:
        await fabric.apply(network)
        await asyncio.gather(*(fabric.attach(i) for i in network.interfaces))
        for interface in network.interfaces:
            await fabric.detach(interface.id)
        await fabric.apply(Network())

asyncio.run(main())
"""


async def test_successor_adopts_what_is_there_and_open_connections_go_on(
    installation: Installation, builder: Builder
) -> None:
    client, server = builder.eni(11, "sg-open"), builder.eni(12, "sg-open", public=True)
    network = builder.network([client, server], OPEN)
    first = await open_fabric(installation)
    await first.apply(network)
    here, there = await first.attach(client), await first.attach(server)
    with echo_server(there, "0.0.0.0", 80), connect(here, server.address, 80, 3) as connection:
        await first.close()
        second = await open_fabric(installation)
        try:
            assert await second.attached() == {client.id, server.id}
            assert second.network == network
            assert await second.attach(server) == there
            await second.apply(network)
            assert await second.attach(client) == here
            assert echoes(connection)
            assert reaches(None, server.public_address, 80)
        finally:
            await second.destroy()
            await second.close()
    assert traces(installation) == []


@pytest.mark.parametrize("seed", range(6))
async def test_fabric_killed_at_any_moment_is_completed_by_its_successor(
    installation: Installation, builder: Builder, seed: int
) -> None:
    installation.save()
    enis = [builder.eni(n, "sg-open", public=n % 2 == 1) for n in range(11, 15)]
    network = builder.network(enis, OPEN)
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
    moment = random.Random(seed).uniform(0.0, 0.25)
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(process.wait(), moment)
    os.kill(process.pid, signal.SIGKILL)
    await process.wait()
    successor = await open_fabric(installation)
    try:
        await successor.apply(network)
        inside = [await successor.attach(eni) for eni in enis]
        with echo_server(inside[0], "0.0.0.0", 80):
            assert reaches(inside[1], enis[0].address, 80)
            assert reaches(None, enis[0].public_address, 80)
        assert await successor.attached() == {eni.id for eni in enis}
    finally:
        await successor.destroy()
        await successor.close()
    assert traces(installation) == []


async def test_lock_that_any_user_can_take_keeps_no_task_from_its_network(
    fabric: KernelFabric, builder: Builder
) -> None:
    namespaces.NETNS_DIR.mkdir(parents=True, exist_ok=True)
    directory = os.open(namespaces.NETNS_DIR, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        eni = builder.eni(11, "sg-open")
        async with asyncio.timeout(30):
            await fabric.apply(builder.network([eni], OPEN))
            assert namespaces.exists(await fabric.attach(eni))
            await fabric.destroy()
    finally:
        os.close(directory)


def kernel_state(fabric: KernelFabric, vpc_id: str) -> tuple[object, ...]:
    """Routes, rules, addresses and tables of a router, as the kernel tells them."""
    links = Links()
    router = links.open(fabric.router(vpc_id))
    try:
        with namespaces.within(fabric.router(vpc_id)):
            tables = nftables.list_tables()
        return (
            sorted(
                (r.get_attr("RTA_DST") or "", r["dst_len"], r.get_attr("RTA_TABLE"))
                for r in router.get_routes(family=2)
            ),
            sorted((r.get_attr("FRA_SRC") or "", r["src_len"]) for r in router.get_rules(family=2)),
            sorted(a.get_attr("IFA_LOCAL") for a in router.get_addr(family=2)),
            tables,
        )
    finally:
        links.close()


async def test_network_is_made_again_after_a_reboot_without_a_control_plane(
    installation: Installation, builder: Builder
) -> None:
    eni = builder.eni(11, "sg-open", public=True)
    network = builder.network([eni], OPEN)
    first = await open_fabric(installation)
    await first.apply(network)
    kept = installation.data_dir / "fabric" / "network.json"
    text = kept.read_bytes()
    await first.destroy()
    await first.close()
    kept.write_bytes(text)
    second = await open_fabric(installation)
    try:
        inside = await second.attach(eni)
        with echo_server(inside, "0.0.0.0", 80):
            assert reaches(None, eni.public_address, 80)
    finally:
        await second.destroy()
        await second.close()
    assert traces(installation) == []
    assert not kept.exists()


async def test_applying_again_changes_nothing(fabric: KernelFabric, builder: Builder) -> None:
    eni = builder.eni(11, "sg-open", public=True)
    network = builder.network([eni], OPEN)
    await fabric.apply(network)
    await fabric.attach(eni)
    before = await asyncio.to_thread(kernel_state, fabric, builder.vpc_id)
    await fabric.apply(network)
    await fabric.attach(eni)
    assert await asyncio.to_thread(kernel_state, fabric, builder.vpc_id) == before


async def test_address_given_to_another_eni_takes_no_flows_along(
    fabric: KernelFabric, builder: Builder
) -> None:
    client, server = builder.eni(11, "sg-open"), builder.eni(12, "sg-open")
    await fabric.apply(builder.network([client, server], OPEN))
    here, there = await fabric.attach(client), await fabric.attach(server)
    with echo_server(there, "0.0.0.0", 80), connect(here, server.address, 80, 3) as connection:
        assert echoes(connection)
    await fabric.detach(server.id)
    await fabric.apply(builder.network([client], OPEN))
    with namespaces.within(fabric.router(builder.vpc_id)):
        assert list_flows() == []


async def test_attach_and_rule_changes_are_quick_beside_many_enis(
    fabric: KernelFabric, builder: Builder
) -> None:
    loop = asyncio.get_running_loop()
    enis = [builder.eni(n, "sg-open") for n in range(10, 90)]
    await fabric.apply(builder.network(enis, OPEN))
    took = []
    for eni in enis[:40]:
        started = loop.time()
        await fabric.attach(eni)
        took.append(loop.time() - started)
    # Twice the aim of 50 ms: other programs share this machine.
    assert sorted(took)[len(took) // 2] < 0.1
    started = loop.time()
    await fabric.apply(builder.network(enis, {"sg-open": ()}))
    assert loop.time() - started < 0.5
    here, there = [await fabric.attach(eni) for eni in enis[:2]]
    with echo_server(there, "0.0.0.0", 80):
        assert is_refused(here, enis[1].address, 80)
