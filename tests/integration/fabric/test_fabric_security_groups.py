"""Packets between ENIs obey security groups."""

import asyncio
import contextlib
import socket
import subprocess
import time

from integration.fabric.fabric_builder import EVERYWHERE, Builder, tcp
from integration.fabric.fabric_traffic import (
    connect,
    echo_server,
    echoes,
    is_refused,
    open_socket,
    reaches,
)

from longshore.controllers.eks_cluster.access import own_address
from longshore.fabric.kernel import KernelFabric
from longshore.model.link_local import LINK_RANGE
from longshore.model.network import Rule


async def test_neighbours_reach_each_other_only_where_ingress_allows(
    fabric: KernelFabric, builder: Builder
) -> None:
    client, server = builder.eni(11, "sg-client"), builder.eni(12, "sg-server")
    await fabric.apply(
        builder.network(
            [client, server], {"sg-client": (), "sg-server": (tcp(8080, cidr="10.0.1.0/24"),)}
        )
    )
    here, there = await fabric.attach(client), await fabric.attach(server)
    with echo_server(there, "0.0.0.0", 8080), echo_server(there, "0.0.0.0", 8081):
        assert reaches(here, server.address, 8080)
        assert is_refused(here, server.address, 8081)
    with echo_server(here, "0.0.0.0", 8080):
        assert is_refused(there, client.address, 8080)


async def test_egress_rules_bound_what_an_eni_may_open(
    fabric: KernelFabric, builder: Builder
) -> None:
    client, server = builder.eni(11, "sg-client"), builder.eni(12, "sg-server", subnet=2)
    open_to_all = (Rule(protocol=-1, cidr=EVERYWHERE),)
    await fabric.apply(
        builder.network(
            [client, server],
            {"sg-client": (), "sg-server": open_to_all},
            egress={"sg-client": (tcp(8080, cidr="10.0.2.0/24", last=8089),)},
        )
    )
    here, there = await fabric.attach(client), await fabric.attach(server)
    with echo_server(there, "0.0.0.0", 8085), echo_server(there, "0.0.0.0", 8090):
        assert reaches(here, server.address, 8085)
        assert is_refused(here, server.address, 8090)


async def test_group_that_refers_to_a_group_allows_its_members_alone(
    fabric: KernelFabric, builder: Builder
) -> None:
    member, stranger = builder.eni(11, "sg-web"), builder.eni(12, "sg-other")
    server = builder.eni(13, "sg-db", subnet=2)
    groups = {"sg-web": (), "sg-other": (), "sg-db": (tcp(5432, group="sg-web"),)}
    await fabric.apply(builder.network([member, stranger, server], groups))
    inside = [await fabric.attach(eni) for eni in (member, stranger, server)]
    with echo_server(inside[2], "0.0.0.0", 5432):
        assert reaches(inside[0], server.address, 5432)
        assert is_refused(inside[1], server.address, 5432)
        joined = builder.eni(12, "sg-other", "sg-web")
        await fabric.apply(builder.network([member, joined, server], groups))
        assert reaches(inside[1], server.address, 5432)


async def test_overlapping_rules_are_all_enforced(fabric: KernelFabric, builder: Builder) -> None:
    client, server = builder.eni(11, "sg-a"), builder.eni(12, "sg-b")
    rules = (
        tcp(80, cidr=EVERYWHERE),
        tcp(1, cidr="10.0.0.0/16", last=1000),
        tcp(900, cidr="10.0.1.0/24", last=2000),
        tcp(443, cidr="192.168.0.0/16"),
    )
    await fabric.apply(builder.network([client, server], {"sg-a": (), "sg-b": rules}))
    here, there = await fabric.attach(client), await fabric.attach(server)
    for port, allowed in ((80, True), (443, True), (1500, True), (2001, False)):
        with echo_server(there, "0.0.0.0", port):
            assert reaches(here, server.address, port, 3 if allowed else 0.4) is allowed


async def test_changed_rules_act_within_a_second_and_cut_what_they_no_longer_allow(
    fabric: KernelFabric, builder: Builder
) -> None:
    client, server = builder.eni(11, "sg-a"), builder.eni(12, "sg-b")
    allowed = builder.network(
        [client, server], {"sg-a": (), "sg-b": (tcp(8080, cidr=EVERYWHERE, last=8081),)}
    )
    narrower = builder.network(
        [client, server], {"sg-a": (), "sg-b": (tcp(8081, cidr=EVERYWHERE),)}
    )
    await fabric.apply(allowed)
    here, there = await fabric.attach(client), await fabric.attach(server)
    with echo_server(there, "0.0.0.0", 8080), echo_server(there, "0.0.0.0", 8081):
        with (
            connect(here, server.address, 8080, 3) as cut,
            connect(here, server.address, 8081, 3) as kept,
        ):
            assert echoes(cut) and echoes(kept)
            started = time.monotonic()
            await fabric.apply(narrower)
            assert time.monotonic() - started < 1
            assert not echoes(cut, 0.5)
            assert echoes(kept)
        assert is_refused(here, server.address, 8080)
        started = time.monotonic()
        await fabric.apply(allowed)
        assert reaches(here, server.address, 8080)
        assert time.monotonic() - started < 1


async def test_eni_that_sends_from_an_address_not_its_own_is_not_heard(
    fabric: KernelFabric, builder: Builder
) -> None:
    client, server = builder.eni(11, "sg-a"), builder.eni(12, "sg-a")
    rules = {"sg-a": (Rule(protocol=-1, cidr=EVERYWHERE),)}
    await fabric.apply(builder.network([client, server], rules))
    here, there = await fabric.attach(client), await fabric.attach(server)
    add_address = ["ip", "-n", here.name, "addr", "add", "10.0.1.99/32", "dev", "eth0"]
    await asyncio.to_thread(subprocess.run, add_address, check=True)
    with echo_server(there, "0.0.0.0", 8080) as peers:
        with open_socket(here) as spoofing:
            spoofing.bind(("10.0.1.99", 0))
            spoofing.settimeout(0.4)
            with contextlib.suppress(OSError):
                spoofing.connect((server.address, 8080))
        assert reaches(here, server.address, 8080)
        assert peers == [client.address]


async def test_group_may_let_in_this_machines_own_loops_and_nobody_else_on_it(
    fabric: KernelFabric, builder: Builder
) -> None:
    server = builder.eni(12, "sg-server", public=True)
    other = builder.eni(13, "sg-server", public=True)
    network = builder.network([server, other], {"sg-server": (tcp(443, cidr=LINK_RANGE),)})
    await fabric.apply(network)
    inside, neighbour = await fabric.attach(server), await fabric.attach(other)
    with echo_server(inside, "0.0.0.0", 443):
        assert is_refused(None, server.public_address, 443)
        assert is_refused(neighbour, server.public_address, 443)
        with socket.create_connection(
            (server.public_address, 443), 3, source_address=(own_address(), 0)
        ) as client:
            assert echoes(client)
