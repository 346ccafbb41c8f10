"""The registry as the control plane runs it: the server and the loops that belong to it."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from longshore.base.authority import Authority
from longshore.base.logs import logger
from longshore.registry.application import application
from longshore.registry.call import Parts
from longshore.registry.clients import follow
from longshore.registry.collection import EVERY_SECONDS, collect
from longshore.registry.expiry import expire
from longshore.registry.server import RegistryServer

RETRY_SECONDS = 30.0

_log = logger(__name__)


@asynccontextmanager
async def running_registry(
    parts: Parts,
    authority: Authority,
    etc: Path = Path("/etc"),
    listening: socket.socket | None = None,
) -> AsyncIterator[RegistryServer]:
    """Serve, keep names resolving, expire images and collect garbage, until left.

    `listening` is the registry's port, where it has been opened already.
    """
    server = RegistryServer(application(parts), parts.installation, authority, listening)
    await server.start()
    loops = [
        asyncio.create_task(
            _forever(parts, lambda: follow(parts.store, parts.installation, authority, etc))
        ),
        asyncio.create_task(_forever(parts, lambda: _collect(parts))),
    ]
    try:
        yield server
    finally:
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, return_exceptions=True)
        await server.close()


async def _forever(parts: Parts, run: Callable[[], Awaitable[None]]) -> None:
    """Run a loop, and again after a while where it fails (a full disk, /etc read-only)."""
    while True:
        try:
            await run()
        except Exception:
            _log.exception("A loop of the registry failed and will be started again")
        await parts.clock.sleep(RETRY_SECONDS)


async def _collect(parts: Parts) -> None:
    while True:
        await expire(parts.store, parts.clock.now())
        await collect(parts.store, parts.blobs, parts.clock.now())
        await parts.clock.sleep(EVERY_SECONDS)
