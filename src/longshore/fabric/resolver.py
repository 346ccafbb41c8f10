"""The resolver of each VPC: names of its own, and the host's resolvers for the rest.

Runs in the agent: `run_resolvers` listens in every router's namespace at the VPC's base address
plus two and at 169.254.169.253, follows the fabric as VPCs come and go, and sends what it does not
know to the servers of the host's resolv.conf, from the host's own namespace.
"""

import asyncio
import contextlib
import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import cast

import dns.exception
import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.resolver
import dns.rrset

from longshore.base.admission import Admission
from longshore.base.installation import Installation
from longshore.base.logs import logger
from longshore.fabric.interface import Fabric
from longshore.fabric.sockets import listen_in
from longshore.model.link_local import API_ADDRESS, DNS_ADDRESS
from longshore.model.network import Vpc

PORT = 53
PORT_OUTSIDE = 53
"""Of the host's resolvers."""
TTL_SECONDS = 10
UPSTREAM_SECONDS = 2.0
QUERIES_AT_ONCE = 256
IDLE_SECONDS = 30.0
MOST_STREAMS_OF_ONE_PEER = 16
MOST_STREAMS = 256
"""TCP connections at a time, of all VPCs: the agent has other files to open."""
TRANSFERS = frozenset({dns.rdatatype.AXFR, dns.rdatatype.IXFR})
PRIVATE_NAME = re.compile(
    r"ip-(\d{1,3})-(\d{1,3})-(\d{1,3})-(\d{1,3})\.(?:ec2|[a-z0-9-]+\.compute)\.internal"
)

Names = Callable[[str, str], Sequence[str] | None]
"""(VPC id, name in lower case without its last dot) to its IPv4 addresses; None if not known."""

log = logger(__name__)


def no_names(vpc_id: str, name: str) -> None:
    """Where nothing but the names is known that are the same in every VPC."""


def names_of(fabric: Fabric) -> Names:
    """What the network that was applied last says of each VPC."""

    def addresses(vpc_id: str, name: str) -> Sequence[str] | None:
        found = (vpc.names for vpc in fabric.network.vpcs if vpc.id == vpc_id)
        return next((each.addresses for each in next(found, ()) if each.name == name), None)

    return addresses


class Resolver:
    """Answers queries; knows nothing of sockets."""

    def __init__(
        self,
        installation: Installation,
        names: Names = no_names,
        servers: Callable[[], Sequence[str]] | None = None,
    ) -> None:
        self._domain = installation.domain
        self._names = names
        self._servers = servers or host_servers

    async def answer(self, vpc: Vpc, query: bytes, *, stream: bool) -> bytes | None:
        """The response to one query in wire form; None for what is no query."""
        try:
            message = dns.message.from_wire(query)
        except dns.exception.DNSException:
            return None
        if message.flags & dns.flags.QR or len(message.question) != 1:
            return None
        question = message.question[0]
        if message.opcode() != dns.opcode.QUERY:
            return _failure(message, dns.rcode.NOTIMP)
        if question.rdtype in TRANSFERS:
            return _failure(message, dns.rcode.REFUSED)
        addresses = self.known(vpc, question.name.to_text(omit_final_dot=True).lower())
        if addresses is None:
            return await self._forward(message, query, stream=stream)
        response = dns.message.make_response(message, recursion_available=True)
        response.flags |= dns.flags.AA
        if addresses and question.rdtype == dns.rdatatype.A:
            response.answer.append(
                dns.rrset.from_text(question.name, TTL_SECONDS, dns.rdataclass.IN, "A", *addresses)
            )
        return response.to_wire()

    def known(self, vpc: Vpc, name: str) -> Sequence[str] | None:
        """The addresses of a name that is ours to answer for; None for the outside world's."""
        given = self._names(vpc.id, name)
        if given is not None:
            return given
        if name == self._domain or name.endswith("." + self._domain):
            return [API_ADDRESS]
        return private_address(vpc, name)

    async def _forward(self, message: dns.message.Message, query: bytes, *, stream: bool) -> bytes:
        ask = _ask_by_stream if stream else _ask_by_datagram
        for server in self._servers():
            with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
                async with asyncio.timeout(UPSTREAM_SECONDS):
                    return await ask(server, query)
        return _failure(message, dns.rcode.SERVFAIL)


def _failure(message: dns.message.Message, code: dns.rcode.Rcode) -> bytes:
    response = dns.message.make_response(message, recursion_available=True)
    response.set_rcode(code)
    return response.to_wire()


def private_address(vpc: Vpc, name: str) -> Sequence[str] | None:
    """The address that a private DNS name of this VPC spells ("EC2 instance hostnames")."""
    found = PRIVATE_NAME.fullmatch(name)
    if found is None:
        return None
    try:
        address = ipaddress.IPv4Address(".".join(found.groups()))
    except ValueError:
        return None
    inside = any(address in ipaddress.IPv4Network(cidr) for cidr in vpc.cidrs)
    return [str(address)] if inside else None


def host_servers() -> Sequence[str]:
    """IPv4 servers of the host's resolv.conf, read anew each time: laptops move."""
    try:
        return [s for s in map(str, dns.resolver.Resolver().nameservers) if ":" not in s]
    except dns.resolver.NoResolverConfiguration:
        return []


class _Answer(asyncio.DatagramProtocol):
    """Takes the one datagram that answers a query."""

    def __init__(self) -> None:
        self.data: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: object) -> None:
        if not self.data.done():
            self.data.set_result(data)

    def error_received(self, exc: Exception) -> None:
        if not self.data.done():
            self.data.set_exception(exc)


async def _ask_by_datagram(server: str, query: bytes) -> bytes:
    # A connected socket of a fresh port takes answers from that server alone.
    transport, protocol = await asyncio.get_running_loop().create_datagram_endpoint(
        _Answer, remote_addr=(server, PORT_OUTSIDE)
    )
    try:
        transport.sendto(query)
        return await protocol.data
    finally:
        transport.close()


async def _ask_by_stream(server: str, query: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(server, PORT_OUTSIDE)
    try:
        writer.write(len(query).to_bytes(2, "big") + query)
        return await _read_message(reader)
    finally:
        writer.close()


async def _read_message(reader: asyncio.StreamReader) -> bytes:
    length = int.from_bytes(await reader.readexactly(2), "big")
    return await reader.readexactly(length)


async def run_resolvers(fabric: Fabric, resolver: Resolver) -> None:
    """Serve every VPC of the fabric that has a resolver, until cancelled."""
    serving: dict[tuple[str, str, int], asyncio.Task[None]] = {}
    admission = Admission(MOST_STREAMS, MOST_STREAMS_OF_ONE_PEER)
    async with asyncio.TaskGroup() as group:
        while True:
            wanted = {
                (vpc.id, vpc.resolver, router_identity(fabric, vpc.id)): vpc
                for vpc in fabric.network.vpcs
                if vpc.resolver
            }
            for key in serving.keys() - wanted.keys():
                serving.pop(key).cancel()
            for key, vpc in wanted.items():
                if key not in serving or serving[key].done():
                    serving[key] = group.create_task(_serve(fabric, resolver, admission, vpc))
            await fabric.changed()


def router_identity(fabric: Fabric, vpc_id: str) -> int:
    """Tells a VPC's router from an earlier one of the same VPC, whose sockets are of no use now."""
    try:
        return fabric.router(vpc_id).stat().st_ino
    except FileNotFoundError:
        return 0


async def _serve(fabric: Fabric, resolver: Resolver, admission: Admission, vpc: Vpc) -> None:
    """Answer in one VPC until cancelled."""

    async def answer(query: bytes, stream: bool) -> bytes | None:
        # As the VPC is now: its ranges may have grown since.
        current = next((found for found in fabric.network.vpcs if found.id == vpc.id), vpc)
        return await resolver.answer(current, query, stream=stream)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # VPCs may have the same addresses.
        left = admission.admit(f"{vpc.id} {(writer.get_extra_info('peername') or ('',))[0]}")
        if left is None:
            writer.transport.abort()
            return
        try:
            await _serve_stream(answer, reader, writer)
        finally:
            writer.transport.abort()
            left()

    loop = asyncio.get_running_loop()
    router = fabric.router(vpc.id)
    async with contextlib.AsyncExitStack() as stack:
        try:
            opened = [
                listen_in(router, address, PORT, kind)
                for address in (vpc.resolver, DNS_ADDRESS)
                for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM)
            ]
        except OSError as error:
            log.warning("resolver could not listen", vpc_id=vpc.id, error=str(error))
            return
        group = await stack.enter_async_context(asyncio.TaskGroup())
        for listener in opened:
            if listener.type == socket.SOCK_DGRAM:
                transport, _ = await loop.create_datagram_endpoint(
                    lambda: _Datagrams(answer, group), sock=listener
                )
                stack.callback(transport.close)
            else:
                server = await asyncio.start_server(serve, sock=listener)
                stack.callback(server.close)
        await asyncio.Event().wait()


class _Datagrams(asyncio.DatagramProtocol):
    """One listening UDP socket."""

    def __init__(
        self,
        answer: Callable[[bytes, bool], Awaitable[bytes | None]],
        group: asyncio.TaskGroup,
    ) -> None:
        self._answer = answer
        self._group = group
        self._running = 0
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Neither asyncio's own transport nor uvloop's is a subclass of DatagramTransport.
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if self._running < QUERIES_AT_ONCE:
            self._running += 1
            self._group.create_task(self._reply(data, addr))

    async def _reply(self, data: bytes, peer: tuple[str, int]) -> None:
        try:
            response = await self._answer(data, False)
            if response is not None and self._transport is not None:
                self._transport.sendto(response, peer)
        finally:
            self._running -= 1


async def _serve_stream(
    answer: Callable[[bytes, bool], Awaitable[bytes | None]],
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:
    """Answer the queries of one TCP connection in turn."""
    with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
        while True:
            async with asyncio.timeout(IDLE_SECONDS):
                query = await _read_message(reader)
            response = await answer(query, True)
            if response is None:
                break
            async with asyncio.timeout(IDLE_SECONDS):
                writer.write(len(response).to_bytes(2, "big") + response)
                await writer.drain()
        writer.close()
        async with asyncio.timeout(IDLE_SECONDS):
            await writer.wait_closed()
