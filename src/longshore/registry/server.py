"""The registry's HTTPS server: uvicorn's protocol on a listener of the control plane's own loop.

Measured in benchmarks/registry.py; docs/decisions/0060-registry-server.md has the figures.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import cast

from starlette.applications import Starlette
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from longshore.awsapi.regions import regions_of_aws
from longshore.base.admission import (
    PROGRESS_BYTES,
    Admission,
    SecureEntrance,
    Sweep,
    share_of_files,
)
from longshore.base.authority import Authority
from longshore.base.installation import Installation
from longshore.base.listening import listening_socket
from longshore.base.logs import logger

MAX_HEAD = 128 * 1024
"""Bytes of a request's head; a password with session policies may take 64 KiB."""
MAX_CONNECTIONS = 1024
KEEP_ALIVE_SECONDS = 75
CLOSE_SECONDS = 5.0
RENEW_SECONDS = 12 * 3600.0

_log = logger(__name__)


class RegistryServer:
    """Serves an application on `installation.listen`, port `installation.registry_port`.

    `listening` is that port's socket, where it has been opened already.
    """

    def __init__(
        self,
        application: Starlette,
        installation: Installation,
        authority: Authority,
        listening: socket.socket | None = None,
    ) -> None:
        self._socket = listening
        self._installation = installation
        self._authority = authority
        self._config = Config(
            application,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            limit_concurrency=MAX_CONNECTIONS,
        )
        self._state = ServerState()
        self._admission = Admission(min(MAX_CONNECTIONS, share_of_files()))
        self._sweep = Sweep(self._state.connections)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._context.set_alpn_protocols(["http/1.1"])
        self._entrance: SecureEntrance | None = None
        self._renewal: asyncio.TimerHandle | None = None

    async def start(self) -> None:
        """Listen; raises OSError where the port is taken."""
        self._config.load()
        self._load_certificate()
        if self._socket is None:
            listen, port = self._installation.listen, self._installation.registry_port
            self._socket = listening_socket(listen, port)
        self._entrance = SecureEntrance(
            self._socket, self._context, self._admission, self._protocol
        )
        self._entrance.start()
        self._sweep.start()

    async def close(self) -> None:
        """Stop listening, let requests end for a few seconds, then cut them off."""
        if self._renewal is not None:
            self._renewal.cancel()
        if self._entrance is None or self._socket is None:
            return
        await self._entrance.close()
        self._socket.close()
        self._sweep.stop()
        for connection in list(self._state.connections):
            connection.shutdown()
        if self._state.tasks:
            await asyncio.wait(list(self._state.tasks), timeout=CLOSE_SECONDS)
        for connection in list(self._state.connections):
            transport = getattr(connection, "transport", None)
            if transport is not None:
                transport.abort()

    def _protocol(self) -> "BoundedProtocol":
        return BoundedProtocol(config=self._config, server_state=self._state, app_state={})

    def _load_certificate(self) -> None:
        """Take the certificate that is valid now; new connections use it at once."""
        names, addresses = certificate_names(self._installation)
        paths = self._authority.certificate(names, addresses)
        self._context.load_cert_chain(*paths)
        self._renewal = asyncio.get_running_loop().call_later(RENEW_SECONDS, self._load_certificate)


def certificate_names(installation: Installation) -> tuple[list[str], list[str]]:
    """DNS names and addresses of the registry: of every account, in every region."""
    regions = {installation.region, *regions_of_aws()}
    names = [f"*.dkr.ecr.{region}.{installation.domain}" for region in sorted(regions)]
    return [*names, "localhost"], ["127.0.0.1", "::1"]


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's protocol with a limit on a request's head, which httptools lacks."""

    _head = 0
    _received = 0
    left: Callable[[], None] = staticmethod(lambda: None)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.left()

    def awaited(self) -> object | None:
        """See `admission.Guest`; what the application does not take yet is not owed."""
        if self._head < 0:
            return None if self.flow.read_paused else (self.cycle, self._received // PROGRESS_BYTES)
        if cast(object, self.cycle) is None:
            return "the first head"
        if self.cycle.response_complete and self.timeout_keep_alive_task is None:
            return self.cycle
        return None

    def data_received(self, data: bytes) -> None:
        if self._head > MAX_HEAD:
            self.send_400_response("Request header fields too large")
            return
        self._head += len(data)
        self._received += len(data)
        super().data_received(data)

    def on_headers_complete(self) -> None:
        self._head = -(1 << 62)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._head = 0
        super().on_message_complete()
