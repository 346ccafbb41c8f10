"""Who may be connected to a port that containers reach: how many, and for how long in silence."""

import asyncio
import contextlib
import ipaddress
import resource
import socket
import ssl
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, Protocol, cast

MOST_OF_ONE_PEER = 512
"""Connections of one address that is not this machine's own."""
MOST = 8192
RESERVED_FILES = 256
"""Open files that connections must leave to everything else."""
HANDSHAKE_SECONDS = 15.0
ACCEPT_AGAIN_SECONDS = 0.05
PATIENCE_SECONDS = 15.0
"""For a complete head, and for each `PROGRESS_BYTES` of a body."""
PROGRESS_BYTES = 64 * 1024
SWEEP_SECONDS = 5.0
"""Silence is noticed by looking at all connections now and then: a request costs no timer."""


def allow_many_files() -> None:
    """Raise this process's limit of open files as far as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = max(soft, 2 * MOST + RESERVED_FILES)
    with contextlib.suppress(ValueError, OSError):
        limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))


def share_of_files(parts: int = 2) -> int:
    """Connections that one of so many ports may have, given this process's limit of open files."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return MOST
    return min(MOST, max(RESERVED_FILES, soft - RESERVED_FILES) // parts)


class Admission:
    """Counts connections, in all and of each peer."""

    def __init__(self, most: int, of_one_peer: int | None = None) -> None:
        self._most = most
        self._of_one_peer = of_one_peer or MOST_OF_ONE_PEER
        self._of: Counter[str] = Counter()
        self._all = 0

    def admit(self, peer: str) -> Callable[[], None] | None:
        """Count one more, and give what counts it out again; None where it is one too many."""
        if self._all >= self._most:
            return None
        if self._of[peer] >= self._of_one_peer and not is_loopback(peer):
            return None
        self._of[peer] += 1
        self._all += 1
        inside = [peer]
        return lambda: self._leave(inside)

    def _leave(self, inside: list[str]) -> None:
        """`inside` has the peer in it, once."""
        if inside:
            peer = inside.pop()
            self._all -= 1
            self._of[peer] -= 1
            if not self._of[peer]:
                del self._of[peer]


def is_loopback(peer: str) -> bool:
    """Whether an address is this machine's own, which is not counted by itself."""
    try:
        return ipaddress.ip_address(peer).is_loopback
    except ValueError:
        return False


class Guest(Protocol):
    """A protocol that says what it waits for, and when its connection ends."""

    transport: asyncio.Transport
    left: Callable[[], None]
    """To be called by `connection_lost`."""

    def connection_made(self, transport: asyncio.Transport) -> None: ...
    def data_received(self, data: bytes) -> None: ...
    def awaited(self) -> object | None:
        """What the client owes: a value that changes as it comes; None where it owes nothing."""


class Entrance(asyncio.Protocol):
    """Takes one plain connection in: counts it, and hands it to its protocol."""

    def __init__(self, admission: Admission, make: Callable[[], Guest]) -> None:
        self._admission = admission
        self._make = make

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        opened = cast(asyncio.Transport, transport)
        left = self._admission.admit(str((opened.get_extra_info("peername") or ("",))[0]))
        if left is None:
            opened.abort()
            return
        protocol = self._make()
        protocol.left = left
        opened.set_protocol(cast(asyncio.BaseProtocol, protocol))
        protocol.connection_made(opened)


class SecureEntrance:
    """Takes a listening socket's connections in, before TLS: `create_server` counts them after.

    Lifecycle: `start`, `close`; connections outlive it. The socket remains the caller's.
    """

    def __init__(
        self,
        listening: socket.socket,
        context: ssl.SSLContext,
        admission: Admission,
        make: Callable[[], Guest],
    ) -> None:
        self._listening = listening
        self._context = context
        self._admission = admission
        self._make = make
        self._accepting: asyncio.Task[None] | None = None
        self._securing: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        self._listening.setblocking(False)
        self._accepting = asyncio.create_task(self._accept(), name="secure entrance")

    async def close(self) -> None:
        """Accept no more, and give up handshakes."""
        running = [*self._securing, *([self._accepting] if self._accepting else [])]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, address = await loop.sock_accept(self._listening)
            except OSError:
                # It has gone already, or this process has no file left for it.
                await asyncio.sleep(ACCEPT_AGAIN_SECONDS)
                continue
            left = self._admission.admit(str(address[0]))
            if left is None:
                connection.close()
                continue
            task = loop.create_task(self._secure(connection, left))
            self._securing.add(task)
            task.add_done_callback(self._securing.discard)

    async def _secure(self, connection: socket.socket, left: Callable[[], None]) -> None:
        def make() -> asyncio.Protocol:
            protocol = self._make()
            protocol.left = left
            return cast(asyncio.Protocol, protocol)

        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            transport, _ = await asyncio.get_running_loop().connect_accepted_socket(
                make, connection, ssl=self._context, ssl_handshake_timeout=HANDSHAKE_SECONDS
            )
        except BaseException as error:
            left()
            connection.close()
            # No TLS, a client that trusts another authority, or one that has gone.
            if not isinstance(error, OSError):
                raise
        else:
            if transport.is_closing():
                left()


class Sweep:
    """Ends connections whose clients owe the same for longer than `PATIENCE_SECONDS`."""

    def __init__(self, connections: Iterable[Any]) -> None:
        """`connections` is read anew each time; those that are no guests are let be."""
        self._connections = connections
        self._owing: dict[Guest, tuple[object, float]] = {}
        self._next: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Sweep now and then, until `stop`."""
        loop = asyncio.get_running_loop()
        self.sweep(loop.time())
        self._next = loop.call_later(SWEEP_SECONDS, self.start)

    def stop(self) -> None:
        if self._next is not None:
            self._next.cancel()

    def sweep(self, now: float) -> None:
        """Look at each connection once; `now` in seconds of any clock."""
        before, self._owing = self._owing, {}
        for connection in list(self._connections):
            awaited = connection.awaited() if hasattr(connection, "awaited") else None
            if awaited is None:
                continue
            known, since = before.get(connection, (None, now))
            if known != awaited:
                since = now
            if now - since >= PATIENCE_SECONDS:
                connection.transport.abort()
            else:
                self._owing[connection] = (awaited, since)
