"""One HTTP request a connection: a GET, with a small head and no time to lose."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import NamedTuple

import httptools
import msgspec

from longshore.base.logs import logger

LONGEST_HEAD = 8 * 1024
SECONDS = 10.0
"""For a connection as a whole; statistics take one of them."""
MOST_OF_ONE_PEER = 64
"""Connections at a time, so that one task cannot keep the others out."""
HEAD_END = b"\r\n\r\n"

log = logger(__name__)


class Response(NamedTuple):
    """`body` is JSON."""

    status: int
    body: bytes


Answer = Callable[[str, str], Awaitable[Response]]
"""(the peer's address, path without query) to the response."""


def json_response(value: object, status: int = 200) -> Response:
    return Response(status, msgspec.json.encode(value))


class _Head:
    """Takes what httptools finds in a request's head."""

    def __init__(self) -> None:
        self.url = b""
        self.complete = False

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_headers_complete(self) -> None:
        self.complete = True


def parse(head: bytes) -> tuple[str, str]:
    """Method and path of a request's head. Raises `httptools.HttpParserError`."""
    found = _Head()
    parser = httptools.HttpRequestParser(found)
    with contextlib.suppress(httptools.HttpParserUpgrade):
        parser.feed_data(head)
    if not found.complete:
        raise httptools.HttpParserError("no request")
    path = httptools.parse_url(found.url).path or b"/"
    return parser.get_method().decode("ascii"), path.decode("latin-1")


class Door:
    """Serves the connections of one listener."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._open: Counter[str] = Counter()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request, then close; whatever the peer does, this ends within `SECONDS`."""
        peer: str = (writer.get_extra_info("peername") or ("",))[0]
        self._open[peer] += 1
        try:
            if peer and self._open[peer] <= MOST_OF_ONE_PEER:
                async with asyncio.timeout(SECONDS):
                    writer.write(encoded(await self._respond(peer, reader)))
                    writer.close()
                    await writer.wait_closed()
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()
            self._open[peer] -= 1
            if not self._open[peer]:
                del self._open[peer]

    async def _respond(self, peer: str, reader: asyncio.StreamReader) -> Response:
        try:
            method, path = parse(await reader.readuntil(HEAD_END))
        except asyncio.LimitOverrunError:
            return json_response("Request Header Fields Too Large", 431)
        except httptools.HttpParserError:
            return json_response("Bad Request", 400)
        if method != "GET":
            return json_response("Method Not Allowed", 405)
        try:
            return await self._answer(peer, path)
        except Exception:
            log.error("an endpoint failed", path=path.rpartition("/")[0], exc_info=True)
            return json_response("Internal Server Error", 500)


def encoded(response: Response) -> bytes:
    """The response as bytes."""
    lines = [
        f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}",
        "content-type: application/json",
        f"content-length: {len(response.body)}",
        "connection: close",
    ]
    if response.status == HTTPStatus.METHOD_NOT_ALLOWED:
        lines.append("allow: GET")
    return "\r\n".join(lines).encode() + HEAD_END + response.body
