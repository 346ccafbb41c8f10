"""Serving an ASGI application on HTTP and HTTPS, in the caller's event loop."""

import asyncio
import socket
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from longshore.gateway.asgi import AsgiApp
from longshore.gateway.http_protocol import ApiProtocol

IDLE_SECONDS = 75
"""boto3's pools keep connections for long; uvicorn's own 5 s would break them."""
GRACE_SECONDS = 5
BACKLOG = 2048


@dataclass(frozen=True, slots=True)
class Certificate:
    """PEM files: the certificate with its chain, and its key."""

    certificate: Path
    key: Path


class Listener:
    """One listening socket and what serves it. Signals are left to `main`.

    Lifecycle: `bind` (raises OSError where the port is taken), `start`, `stop`.
    """

    def __init__(
        self, app: AsgiApp, host: str, port: int, certificate: Certificate | None = None
    ) -> None:
        self._config = uvicorn.Config(
            app,
            http=ApiProtocol,
            ws="websockets-sansio",
            lifespan="off",
            loop="none",
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=IDLE_SECONDS,
            timeout_graceful_shutdown=GRACE_SECONDS,
            backlog=BACKLOG,
            ssl_certfile=certificate.certificate if certificate is not None else None,
            ssl_keyfile=certificate.key if certificate is not None else None,
        )
        self._server = uvicorn.Server(self._config)
        self._address = (host, port)
        self._socket: socket.socket | None = None
        self._task: asyncio.Task[None] | None = None

    def bind(self) -> int:
        """Take the port; gives its number (of use where 0 was asked for)."""
        family = socket.AF_INET6 if ":" in self._address[0] else socket.AF_INET
        # Named as TCP, so that event loops turn Nagle's algorithm off on what it accepts.
        self._socket = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(self._address)
        port: int = self._socket.getsockname()[1]
        return port

    async def start(self) -> None:
        """Serve until `stop`; returns once connections are accepted."""
        if self._socket is None:
            self.bind()
        assert self._socket is not None
        self._config.load()
        self._server.lifespan = self._config.lifespan_class(self._config)
        await self._server.startup([self._socket])
        self._task = asyncio.create_task(self._server.main_loop(), name="listener")

    async def stop(self) -> None:
        """Let running requests end, for some seconds, and close."""
        self._server.should_exit = True
        if self._task is not None and self._socket is not None:
            await self._task
            await self._server.shutdown([self._socket])
