"""Connections to one server that are kept for the next request."""

from collections.abc import Awaitable, Callable

from longshore.awsapi.connection import Connection, ConnectionBroken
from longshore.awsapi.http import HttpResponse


class KeptConnections:
    """Sends requests; `most` connections at the most stay open while nobody uses them."""

    def __init__(self, open_connection: Callable[[], Awaitable[Connection]], most: int) -> None:
        self._open = open_connection
        self._most = most
        self._idle: list[Connection] = []

    def close(self) -> None:
        """End the kept connections."""
        while self._idle:
            self._idle.pop().close()

    async def exchange(
        self, method: str, target: str, headers: dict[str, str], body: bytes
    ) -> HttpResponse:
        """On a kept connection if there is one; if that had died in silence, on a fresh one."""
        while self._idle:
            kept = self._idle.pop()
            if kept.ended:
                kept.close()
                continue
            try:
                return await self._use(kept, method, target, headers, body)
            except ConnectionBroken as error:
                if error.answered:
                    raise
        return await self._use(await self._open(), method, target, headers, body)

    async def _use(
        self,
        connection: Connection,
        method: str,
        target: str,
        headers: dict[str, str],
        body: bytes,
    ) -> HttpResponse:
        try:
            return await connection.exchange(method, target, headers, body)
        finally:
            if connection.usable and len(self._idle) < self._most:
                self._idle.append(connection)
            else:
                connection.close()
