"""One HTTP/1.1 connection of a client: a request goes out, its response comes back."""

import asyncio
import math
import ssl
from collections.abc import AsyncGenerator
from urllib.parse import SplitResult

import httptools

from longshore.awsapi.http import HttpResponse

CHUNK = 65_536
MOST_BYTES = 64 * 2**20
"""Of a response."""


class ConnectionBroken(OSError):
    """The peer went away; `answered` says whether any byte of the response had come."""

    def __init__(self, answered: bool) -> None:
        super().__init__("the connection ended before the response did")
        self.answered = answered


class _Collector:
    """Callbacks of httptools' parser, and the parser; of a response of `most` bytes at the most."""

    def __init__(self, most: float) -> None:
        self.most = most
        self.received = 0
        self.parser = httptools.HttpResponseParser(self)
        self.keep_alive = False
        self.headers: list[tuple[str, str]] = []
        self.body: list[bytes] = []
        self.complete = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.decode("latin-1").lower(), value.decode("latin-1")))

    def on_body(self, body: bytes) -> None:
        self.body.append(body)

    def on_message_complete(self) -> None:
        self.complete = True
        # Asked later, the parser speaks of the next message.
        self.keep_alive = self.parser.should_keep_alive()


class Connection:
    """A keep-alive connection; `usable` is false once it cannot carry another request."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.usable = True

    @classmethod
    async def open(cls, url: SplitResult, context: ssl.SSLContext | None) -> "Connection":
        """Connect to the URL's host; raises OSError."""
        secure = url.scheme == "https"
        port = url.port or (443 if secure else 80)
        tls = (context or ssl.create_default_context()) if secure else None
        return cls(*await asyncio.open_connection(url.hostname, port, ssl=tls))

    async def exchange(
        self,
        method: str,
        target: str,
        headers: dict[str, str],
        body: bytes,
        most: int = MOST_BYTES,
    ) -> HttpResponse:
        """Send one request and read its response; raises ConnectionBroken.

        A response of more than `most` bytes breaks the connection.
        """
        collector = await self._send(_request(method, target, headers, body), most)
        while not collector.complete:
            await self._receive(collector)
        self.usable = collector.keep_alive
        status = collector.parser.get_status_code()
        return HttpResponse(status, collector.headers, b"".join(collector.body))

    async def stream(self, target: str, headers: dict[str, str]) -> AsyncGenerator[HttpResponse]:
        """GET something whose response goes on: what there is of its body, piece by piece, each
        with the response's status and headers. Raises ConnectionBroken; the connection carries no
        other request."""
        collector = await self._send(_request("GET", target, headers, b""), math.inf)
        while not collector.complete:
            await self._receive(collector)
            piece, collector.body = b"".join(collector.body), []
            if piece or collector.complete:
                status = collector.parser.get_status_code()
                yield HttpResponse(status, collector.headers, piece)

    async def _send(self, request: bytes, most: float) -> _Collector:
        """What the response is to be collected in."""
        self.usable = False
        try:
            self._writer.write(request)
            await self._writer.drain()
        except ConnectionError as error:
            raise ConnectionBroken(answered=False) from error
        return _Collector(most)

    async def _receive(self, collector: _Collector) -> None:
        """Collect what comes next of the response; raises ConnectionBroken."""
        try:
            data = await self._reader.read(CHUNK)
            collector.received += len(data)
            if not data or collector.received > collector.most:
                raise ConnectionBroken(collector.received > 0)
            collector.parser.feed_data(data)
        except (ConnectionError, httptools.HttpParserError) as error:
            raise ConnectionBroken(collector.received > 0) from error

    def close(self) -> None:
        """End the connection; nothing is waited for."""
        self.usable = False
        self._writer.close()

    @property
    def ended(self) -> bool:
        """Whether the peer has hung up."""
        return self._reader.at_eof() or self._writer.is_closing()


def _request(method: str, target: str, headers: dict[str, str], body: bytes) -> bytes:
    head = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    start = f"{method} {target} HTTP/1.1\r\n{head}content-length: {len(body)}\r\n\r\n"
    return start.encode("latin-1") + body
