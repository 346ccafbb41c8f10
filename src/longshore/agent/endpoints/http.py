"""One HTTP request a connection: small, and with no time to lose."""

import asyncio
import contextlib
import socket
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import NamedTuple

import httptools
import msgspec

from longshore.base.logs import logger

LONGEST_HEAD = 8 * 1024
LONGEST_BODY = 8 * 1024
SECONDS = 10.0
"""For a connection as a whole; statistics take one of them."""
MOST_OF_ONE_PEER = 64
"""Connections at a time, so that one task cannot keep the others out."""
HEAD_END = b"\r\n\r\n"

log = logger(__name__)


class Request(NamedTuple):
    """A GET or PUT; `path` is without query, `length` the body's, `headers` go by names in lower
    case, those that come twice joined by commas."""

    method: str
    path: str
    length: int | None = 0
    """None where the head does not tell it."""
    body: bytes = b""
    headers: Mapping[str, str] = MappingProxyType({})


class Response(NamedTuple):
    """`allow` are the methods that a 405 tells of; with `hops`, packets die after that many."""

    status: int
    body: bytes
    allow: tuple[str, ...] = ()
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    hops: int = 0


METHODS = ("GET", "PUT")
Answer = Callable[[str, Request], Awaitable[Response | None]]
"""(the peer's address, what it asks) to the response; None closes the connection without one."""
Refusal = Callable[[int], Response]
"""A status to the response that says no more than it does."""


def json_response(value: object, status: int = 200) -> Response:
    return Response(status, msgspec.json.encode(value))


def json_refusal(status: int) -> Response:
    return json_response(HTTPStatus(status).phrase, status)


def not_allowed(*methods: str) -> Response:
    """The path has only these methods."""
    return json_refusal(405)._replace(allow=methods)


class _Head:
    """Takes what httptools finds in a request's head."""

    def __init__(self) -> None:
        self.url = b""
        self.length: int | None = 0
        self.headers: dict[str, str] = {}
        self.complete = False

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"content-length":
            self.length = int(value)
        elif name.lower() == b"transfer-encoding":
            self.length = None
        key, text = name.decode("latin-1").lower(), value.decode("latin-1").strip(" \t")
        self.headers[key] = f"{self.headers[key]},{text}" if key in self.headers else text

    def on_headers_complete(self) -> None:
        self.complete = True


def parse(head: bytes) -> Request:
    """A request without its body. Raises `httptools.HttpParserError`."""
    found = _Head()
    parser = httptools.HttpRequestParser(found)
    with contextlib.suppress(httptools.HttpParserUpgrade):
        parser.feed_data(head)
    if not found.complete:
        raise httptools.HttpParserError("no request")
    path = httptools.parse_url(found.url).path or b"/"
    return Request(
        parser.get_method().decode("ascii"),
        path.decode("latin-1"),
        found.length,
        headers=found.headers,
    )


class Door:
    """Serves the connections of one listener."""

    def __init__(self, answer: Answer, refusal: Refusal = json_refusal) -> None:
        self._answer = answer
        self._refusal = refusal
        self._open: Counter[str] = Counter()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request, then close; whatever the peer does, this ends within `SECONDS`."""
        peer: str = (writer.get_extra_info("peername") or ("",))[0]
        self._open[peer] += 1
        try:
            if peer and self._open[peer] <= MOST_OF_ONE_PEER:
                async with asyncio.timeout(SECONDS):
                    response = await self._respond(peer, reader)
                    if response is not None:
                        _limit_hops(writer, response.hops)
                        writer.write(encoded(response))
                        writer.close()
                        await writer.wait_closed()
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()
            self._open[peer] -= 1
            if not self._open[peer]:
                del self._open[peer]

    async def _respond(self, peer: str, reader: asyncio.StreamReader) -> Response | None:
        try:
            request = parse(await reader.readuntil(HEAD_END))
        except asyncio.LimitOverrunError:
            return self._refusal(431)
        except httptools.HttpParserError:
            return self._refusal(400)
        if request.method not in METHODS:
            return self._refusal(405)._replace(allow=("GET",))
        if request.method == "PUT":
            if request.length is None:
                return self._refusal(411)
            if request.length > LONGEST_BODY:
                return self._refusal(413)
            request = request._replace(body=await reader.readexactly(request.length))
        try:
            return await self._answer(peer, request)
        except Exception:
            log.error("an endpoint failed", path=request.path.rpartition("/")[0], exc_info=True)
            return self._refusal(500)


def _limit_hops(writer: asyncio.StreamWriter, hops: int) -> None:
    if hops:
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_IP, socket.IP_TTL, hops)


def encoded(response: Response) -> bytes:
    """The response as bytes."""
    lines = [
        f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}",
        f"content-type: {response.content_type}",
        f"content-length: {len(response.body)}",
        "connection: close",
    ]
    lines += [f"{name}: {value}" for name, value in response.headers]
    if response.allow:
        lines.append(f"allow: {', '.join(response.allow)}")
    return "\r\n".join(lines).encode() + HEAD_END + response.body
