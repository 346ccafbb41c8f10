"""Serving an ASGI application on HTTP and HTTPS, in the caller's event loop."""

import asyncio
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from longshore.base.admission import Admission, Entrance, SecureEntrance, Sweep
from longshore.base.listening import BACKLOG, listening_socket
from longshore.gateway.asgi import AsgiApp
from longshore.gateway.http_protocol import Answers, ApiProtocol, LargeBodies

IDLE_SECONDS = 75
"""boto3's pools keep connections for long; uvicorn's own 5 s would break them."""
GRACE_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Certificate:
    """PEM files: the certificate with its chain, and its key."""

    certificate: Path
    key: Path


class Visitors:
    """What the listeners of one endpoint share: who is connected, and what waits in memory."""

    def __init__(self, most: int) -> None:
        self.admission = Admission(most)
        self.large_bodies = LargeBodies()
        self.answers = Answers()


class Listener:
    """One listening socket and what serves it. Signals are left to `main`.

    Lifecycle: `bind` (raises OSError where the port is taken), `start`, `stop`; or `unbind`
    instead of `start`. `certificate` is called by `start`, in a thread: it may make one.
    """

    def __init__(
        self,
        app: AsgiApp,
        host: str,
        port: int,
        visitors: Visitors,
        certificate: Callable[[], Certificate] | None = None,
    ) -> None:
        self._config = uvicorn.Config(
            app,
            http=self._entrance,  # type: ignore[arg-type]
            # Any class says that there are websockets; the protocol takes its own.
            ws=asyncio.Protocol,
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
        )
        self._server = uvicorn.Server(self._config)
        self._visitors = visitors
        self._secure: SecureEntrance | None = None
        self._sweep = Sweep(self._server.server_state.connections)
        self._address = (host, port)
        self._certificate = certificate
        self._socket: socket.socket | None = None
        self._task: asyncio.Task[None] | None = None

    def bind(self) -> int:
        """Take the port and let clients wait; gives its number (of use where 0 was asked for)."""
        self._socket = listening_socket(*self._address)
        port: int = self._socket.getsockname()[1]
        return port

    def unbind(self) -> None:
        """Give the port back."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    async def start(self) -> None:
        """Serve until `stop`; returns once connections are accepted."""
        if self._socket is None:
            self.bind()
        assert self._socket is not None
        if self._certificate is not None:
            found = await asyncio.to_thread(self._certificate)
            self._config.ssl_certfile, self._config.ssl_keyfile = found.certificate, found.key
        self._config.load()
        self._server.lifespan = self._config.lifespan_class(self._config)
        context: ssl.SSLContext | None = self._config.ssl
        if context is None:
            await self._server.startup([self._socket])
        else:
            await self._server.startup([])
            self._accept_securely(self._socket, context)
        self._task = asyncio.create_task(self._server.main_loop(), name="listener")
        self._sweep.start()

    def _accept_securely(self, listening: socket.socket, context: ssl.SSLContext) -> None:
        self._secure = SecureEntrance(
            listening,
            context,
            self._visitors.admission,
            lambda: self._protocol(
                config=self._config, server_state=self._server.server_state, app_state={}
            ),
        )
        self._secure.start()

    def _entrance(self, **settings: Any) -> Entrance:
        return Entrance(self._visitors.admission, lambda: self._protocol(**settings))

    def _protocol(self, **settings: Any) -> ApiProtocol:
        return ApiProtocol(self._visitors.large_bodies, self._visitors.answers, **settings)

    async def stop(self) -> None:
        """Let running requests end, for some seconds, and close."""
        self._sweep.stop()
        if self._secure is not None:
            await self._secure.close()
        self._server.should_exit = True
        if self._task is not None and self._socket is not None:
            await self._task
            await self._server.shutdown([self._socket])
