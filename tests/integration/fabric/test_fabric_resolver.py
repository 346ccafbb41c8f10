"""DNS inside a VPC."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import dns.message
import dns.opcode
import dns.query
import dns.rcode
import msgspec
import pytest
from integration.fabric.fabric_builder import Builder
from integration.fabric.fabric_traffic import open_socket

from longshore.base.installation import Installation
from longshore.fabric.kernel import KernelFabric
from longshore.fabric.resolver import (
    MOST_STREAMS_OF_ONE_PEER,
    Resolver,
    names_of,
    run_resolvers,
)
from longshore.model.link_local import API_ADDRESS, DNS_ADDRESS
from longshore.model.network import Name, Network, Vpc
from longshore.testing.wait import eventually

RESOLVER = "10.0.0.2"


class Upstream(asyncio.DatagramProtocol):
    """A resolver of the outside world that knows one name."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        response = dns.message.make_response(query)
        name = query.question[0].name
        response.answer.append(dns.rrset.from_text(name, 60, "IN", "A", "203.0.113.7"))
        self._transport.sendto(response.to_wire(), addr)


def ask(namespace: Path, name: str, server: str, kind: str, *, tcp: bool) -> list[str]:
    """The addresses in the answer; from within a namespace."""
    query = dns.message.make_query(name, kind)
    with open_socket(namespace, socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM) as client:
        client.settimeout(3)
        if tcp:
            client.connect((server, 53))
            response = dns.query.tcp(query, server, timeout=3, sock=client)
        else:
            response = dns.query.udp(query, server, timeout=3, sock=client)
    assert response.rcode() == dns.rcode.NOERROR
    return [str(record) for rrset in response.answer for record in rrset]


@pytest.fixture
async def inside(
    fabric: KernelFabric, builder: Builder, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Path]:
    """An ENI of a private subnet, in a VPC whose resolver runs."""
    loop = asyncio.get_running_loop()
    upstream, _ = await loop.create_datagram_endpoint(Upstream, local_addr=("127.0.0.1", 0))
    monkeypatch.setattr(
        "longshore.fabric.resolver.PORT_OUTSIDE", upstream.get_extra_info("sockname")[1]
    )
    eni = builder.eni(11, "sg-closed", subnet=2)
    names = {"db.shop.internal": ["10.0.1.5", "10.0.1.6"]}
    resolver = Resolver(
        builder.installation, lambda _, name: names.get(name), servers=lambda: ["127.0.0.1"]
    )
    running = asyncio.create_task(run_resolvers(fabric, resolver))
    await fabric.apply(builder.network([eni], {"sg-closed": ()}, {"sg-closed": ()}))
    yield await fabric.attach(eni)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    upstream.close()


@pytest.mark.parametrize("server", [RESOLVER, DNS_ADDRESS])
@pytest.mark.parametrize("tcp", [False, True])
async def test_names_of_the_vpc_are_known_at_both_addresses(
    inside: Path, server: str, tcp: bool
) -> None:
    async def answered(name: str, kind: str = "A") -> list[str]:
        return await asyncio.to_thread(ask, inside, name, server, kind, tcp=tcp)

    async def listens() -> bool:
        try:
            return bool(await answered("db.shop.internal"))
        except OSError:
            return False

    await eventually(listens)
    assert sorted(await answered("DB.shop.internal")) == ["10.0.1.5", "10.0.1.6"]
    assert await answered("ip-10-0-1-17.ec2.internal") == ["10.0.1.17"]
    assert await answered("ip-10-0-1-17.eu-west-1.compute.internal") == ["10.0.1.17"]
    assert await answered("1.dkr.ecr.us-east-1.longshore.internal") == [API_ADDRESS]
    assert await answered("db.shop.internal", "AAAA") == []


async def test_name_leads_in_each_vpc_to_where_the_network_says_now(
    fabric: KernelFabric, builder: Builder
) -> None:
    name = "7f.gr7.us-east-1.eks.longshore.internal"
    resolver = Resolver(builder.installation, names_of(fabric))
    own, other = builder.vpc, Builder(builder.installation, "vpc-2").vpc
    assert resolver.known(own, name) == [API_ADDRESS]
    for addresses in (("10.0.1.12", "10.0.2.13"), ("10.0.1.14",)):
        named = msgspec.structs.replace(own, names=(Name(name, addresses),))
        await fabric.apply(Network(vpcs=(named, other)))
        # As the VPC was when its resolver began to listen.
        assert resolver.known(own, name) == addresses
        assert resolver.known(other, name) == [API_ADDRESS]
        assert resolver.known(own, "oidc.eks.us-east-1.longshore.internal") == [API_ADDRESS]


async def test_names_of_the_outside_world_are_asked_of_the_hosts_resolvers(inside: Path) -> None:
    assert await asyncio.to_thread(ask, inside, "www.example.com", RESOLVER, "A", tcp=False) == [
        "203.0.113.7"
    ]


async def test_names_are_known_again_in_a_router_that_was_made_anew(
    inside: Path, fabric: KernelFabric
) -> None:
    network = fabric.network
    (eni,) = network.interfaces
    await fabric.detach(eni.id)
    # Both at once, so that the resolvers see the network only as it is in the end.
    await asyncio.gather(fabric.apply(Network()), fabric.apply(network))
    path = await fabric.attach(eni)

    async def answered() -> bool:
        try:
            return bool(
                await asyncio.to_thread(ask, path, "db.shop.internal", RESOLVER, "A", tcp=False)
            )
        except OSError:
            return False

    await eventually(answered)


@pytest.mark.parametrize(
    ("kind", "opcode", "code"),
    [
        ("AXFR", dns.opcode.QUERY, dns.rcode.REFUSED),
        ("IXFR", dns.opcode.QUERY, dns.rcode.REFUSED),
        ("SOA", dns.opcode.UPDATE, dns.rcode.NOTIMP),
        ("SOA", dns.opcode.NOTIFY, dns.rcode.NOTIMP),
    ],
)
async def test_what_is_no_plain_query_is_neither_answered_nor_passed_on(
    tmp_path: Path, kind: str, opcode: dns.opcode.Opcode, code: dns.rcode.Rcode
) -> None:
    def servers() -> list[str]:
        raise AssertionError("it was passed on")

    query = dns.message.make_query("www.example.com", kind)
    query.set_opcode(opcode)
    resolver = Resolver(Installation(data_dir=tmp_path), servers=servers)
    vpc = Vpc(id="vpc-1", cidrs=("10.0.0.0/16",))
    answer = await resolver.answer(vpc, query.to_wire(), stream=True)
    assert answer is not None
    assert dns.message.from_wire(answer).rcode() == code


async def test_one_container_cannot_hold_more_than_some_connections(inside: Path) -> None:
    async def connected() -> bool:
        try:
            return bool(
                await asyncio.to_thread(ask, inside, "db.shop.internal", RESOLVER, "A", tcp=True)
            )
        except (OSError, EOFError):
            return False

    await eventually(connected)
    with contextlib.ExitStack() as stack:
        for _ in range(MOST_STREAMS_OF_ONE_PEER):
            client = stack.enter_context(open_socket(inside, socket.SOCK_STREAM))
            await asyncio.to_thread(client.connect, (RESOLVER, 53))
        assert not await connected()
    await eventually(connected)
