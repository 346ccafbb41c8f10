"""uvicorn's HTTP protocol, with limits, and a short way for requests that are not an ASGI route's.

uvicorn keeps the connection: TLS, parsing, keep-alive, pipelining, flow control, shutdown,
websockets, handed-in ASGI routes. An API request skips ASGI's messages, which cost as much as the
rest of its path: its body is gathered here, and its response leaves in one write.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from longshore.awsapi.http import HttpRequest, HttpResponse
from longshore.base.admission import PROGRESS_BYTES, is_loopback
from longshore.base.logs import logger
from longshore.gateway.asgi import LONGEST_BODY, Application, busy, headers_of, too_large

LONGEST_HEAD = 64 * 1024
"""Bytes of request line and headers together."""
MOST_HEADERS = 200
LARGE_BODY = 256 * 1024
"""Bytes that a request may have in memory before it is known who sent it."""
LARGE_BODIES_OF_ONE_PEER = 64 * 1024 * 1024
LARGE_BODIES = 256 * 1024 * 1024
LENGTHS = frozenset({b"content-length", b"transfer-encoding"})
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
NOBODY_WAITS = asyncio.Event()
"""Set when a connection is lost; ASGI's `receive` waits for it, API requests do not."""
log = logger(__name__)


class RefusedRequest(Exception):
    """The request's head breaks a limit, or says its length in two ways."""


class LimitedHttpProtocol(HttpToolsProtocol):
    """Refuses heads that are too long, and Content-Length together with Transfer-Encoding.

    The latter is how requests are smuggled past a proxy ("HTTP/1.1", RFC 9112, section 6.1).
    """

    _head = 0
    _idle_since: float | None = None
    """Loop seconds of the last answer; None once anything came after it."""
    left: Callable[[], None] = staticmethod(lambda: None)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()
            self.timeout_keep_alive_task = None
        self.left()

    def on_response_complete(self) -> None:
        """uvicorn's own, but for the timer: one waits all the while, not a new one each time."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
            return
        self._idle_since = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self._look_after(self.timeout_keep_alive)

    def _unset_keepalive_if_required(self) -> None:
        self._idle_since = None

    def timeout_keep_alive_handler(self) -> None:
        self.timeout_keep_alive_task = None
        if self._idle_since is None:
            return
        left = self._idle_since + self.timeout_keep_alive - self.loop.time()
        if left > 0:
            self._look_after(left)
        elif not self.transport.is_closing():
            self.transport.close()

    def _look_after(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(
            seconds, self.timeout_keep_alive_handler
        )

    def handle_websocket_upgrade(self) -> None:
        # Imported here: the first answer does not wait for it.
        from longshore.gateway.websocket import CountedWebsocket

        self.ws_protocol_class = partial(CountedWebsocket, self.left)  # type: ignore[assignment]
        super().handle_websocket_upgrade()

    def awaited(self) -> object | None:
        """See `admission.Guest`."""
        if cast(object, self.cycle) is None:
            return "the first head"
        if self.cycle.response_complete and self._idle_since is None:
            return self.cycle
        return None

    def on_message_begin(self) -> None:
        # uvicorn's own, which also makes an ASGI scope, runs once it is known that one is needed.
        self._head = 0
        self.url = b""
        self.headers = []
        self.expect_100_continue = False

    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head += len(name) + len(value)
        self.headers.append((name.lower(), value))
        if self._head > LONGEST_HEAD or len(self.headers) > MOST_HEADERS:
            raise RefusedRequest("head too long")

    def on_headers_complete(self) -> None:
        lengths = 0
        for name, value in self.headers:
            if name in LENGTHS:
                lengths += 1
            elif name == b"expect":
                self.expect_100_continue = value.lower() == b"100-continue"
        if lengths > 1:
            raise RefusedRequest("two lengths")
        self.head_complete()

    def head_complete(self) -> None:
        """The head is within the limits: go on as ASGI has it."""
        url, headers, expect = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expect
        self.headers = self.scope["headers"] = headers
        super().on_headers_complete()

    def _count(self, size: int) -> None:
        self._head += size
        if self._head > LONGEST_HEAD:
            raise RefusedRequest("head too long")

    def data_received(self, data: bytes) -> None:
        if not self.transport.is_closing():
            super().data_received(data)

    def send_400_response(self, msg: str) -> None:
        if not self.transport.is_closing():
            super().send_400_response("Bad Request")


class LargeBodies:
    """Bytes of large bodies that are in memory at a time: in all, and of each peer."""

    def __init__(self) -> None:
        self._of: Counter[str] = Counter()

    def take(self, peer: str, size: int) -> bool:
        """Make room for a body; false where there is none."""
        of_peer = self._of[peer] + size
        if self._of.total() + size > LARGE_BODIES:
            return False
        if of_peer > LARGE_BODIES_OF_ONE_PEER and not is_loopback(peer):
            return False
        self._of[peer] = of_peer
        return True

    def give_back(self, peer: str, size: int) -> None:
        self._of[peer] -= size
        if not self._of[peer]:
            del self._of[peer]


class Answers:
    """The responses of one turn of the event loop, which leave together at its end.

    What a write costs is for the most part waking the client up, and clients of many connections
    are then awake for all but the first (docs/decisions/0098).
    """

    def __init__(self) -> None:
        self._ready: list[tuple[asyncio.Transport, bytes]] = []

    def add(self, transport: asyncio.Transport, content: bytes) -> None:
        if not self._ready:
            asyncio.get_running_loop().call_soon(self.leave)
        self._ready.append((transport, content))

    def leave(self) -> None:
        """Now: to be called before anything else is written to a connection, or it is closed."""
        ready, self._ready = self._ready, []
        for transport, content in ready:
            if not transport.is_closing():
                transport.write(content)


class ApiProtocol(LimitedHttpProtocol):
    """Answers what the application owns; ASGI routes and upgrades take uvicorn's way."""

    _api: "ApiCycle | None" = None

    def __init__(
        self, large_bodies: LargeBodies, answers: Answers, *arguments: Any, **settings: Any
    ) -> None:
        super().__init__(*arguments, **settings)
        self.large_bodies = large_bodies
        self.answers = answers

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        waiting: list[object] = [cycle for cycle, _ in self.pipeline]
        if self._api is not None and not self._api.begun:
            waiting.append(self._api)
        for cycle in waiting:
            if isinstance(cycle, ApiCycle):
                cycle.forget()

    def awaited(self) -> object | None:
        if self._api is not None and not self._api.begun:
            return (self._api, self._api.size // PROGRESS_BYTES)
        return super().awaited()

    def head_complete(self) -> None:
        self._api = None
        path, _, query = self.url.decode("latin-1").partition("?")
        application: Application = self.config.app  # type: ignore[assignment]
        if self.parser.should_upgrade() or path[:1] != "/" or not application.owns(path):
            super().head_complete()
            return
        version = self.parser.get_http_version()
        request = HttpRequest(
            self.parser.get_method().decode("ascii"),
            path,
            query,
            headers_of(self.headers),
            b"",
            self.client[0] if self.client else "",
            self.scheme == "https",
        )
        keep_alive = version != "1.0" and self.parser.should_keep_alive()
        self._api = ApiCycle(self, application, request, self.cycle, keep_alive)
        self.cycle = self._api  # type: ignore[assignment]
        if not self._api.fits():
            self._begin(self._api)
        elif self.expect_100_continue:
            self.answers.leave()
            self.transport.write(CONTINUE)

    def on_body(self, body: bytes) -> None:
        if self._api is None:
            super().on_body(body)
        elif not self._api.begun and not self._api.gather(body):
            self._begin(self._api)

    def on_message_complete(self) -> None:
        if self._api is None:
            super().on_message_complete()
        elif not self._api.begun:
            self._begin(self._api)

    def send_400_response(self, msg: str) -> None:
        self.answers.leave()
        super().send_400_response(msg)

    def handle_websocket_upgrade(self) -> None:
        self.answers.leave()
        super().handle_websocket_upgrade()

    def shutdown(self) -> None:
        self.answers.leave()
        super().shutdown()

    def _begin(self, cycle: "ApiCycle") -> None:
        """Answer now, or after the requests that came before on this connection."""
        cycle.begun = True
        if self.transport.is_closing():
            # The answer to a request before it was the last of this connection.
            cycle.forget()
        elif cycle.before is None or cycle.before.response_complete:
            if not cycle.answer_at_once():
                self._start_asgi_task(cycle, self.app)  # type: ignore[arg-type]
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((cycle, self.app))  # type: ignore[arg-type]
        cycle.before = None


class ApiCycle:
    """One API request and its response; stands where uvicorn has its RequestResponseCycle."""

    __slots__ = (
        "_application",
        "_awaited",
        "_body",
        "_protocol",
        "_refused",
        "_request",
        "_taken",
        "before",
        "begun",
        "disconnected",
        "keep_alive",
        "message_event",
        "response_complete",
    )

    def __init__(
        self,
        protocol: ApiProtocol,
        application: Application,
        request: HttpRequest,
        before: Any,
        keep_alive: bool,
    ) -> None:
        self._protocol = protocol
        self._application = application
        self._request = request
        self._awaited: Awaitable[HttpResponse] | None = None
        self._body = bytearray()
        self._taken = 0
        self._refused = False
        self.before = before
        self.begun = False
        self.keep_alive = keep_alive
        self.disconnected = False
        self.response_complete = False
        self.message_event = NOBODY_WAITS

    def fits(self) -> bool:
        """Whether the announced length of the body is within the limit."""
        length = self._request.headers.get("content-length", "0")
        return len(length) < 18 and int(length) <= LONGEST_BODY

    @property
    def size(self) -> int:
        """Bytes of the body so far."""
        return len(self._body)

    def gather(self, body: bytes) -> bool:
        """Keep a part of the body; false once there is too much of it, or of all bodies."""
        self._body += body
        if len(self._body) <= LARGE_BODY or self._taken:
            return len(self._body) <= LONGEST_BODY
        size = int(self._request.headers.get("content-length", LONGEST_BODY))
        if self._protocol.large_bodies.take(self._request.source_ip, size):
            self._taken = size
            return len(self._body) <= LONGEST_BODY
        self._refused = True
        return False

    def forget(self) -> None:
        """Let go of the body."""
        self._body.clear()
        if self._taken:
            self._protocol.large_bodies.give_back(self._request.source_ip, self._taken)
            self._taken = 0

    def answer_at_once(self) -> bool:
        """Answer without a task, of which most reads have no need; false where it must wait."""
        try:
            response = self._response()
        except Exception as error:
            response = self._unanswered(error)
        if not isinstance(response, HttpResponse):
            self._awaited = response
            return False
        self._send(response)
        return True

    async def run_asgi(self, app: object) -> None:
        """Answer, in one write; uvicorn's name for it."""
        if self._awaited is None and self.answer_at_once():
            return
        assert self._awaited is not None
        try:
            response = await self._awaited
        except Exception as error:
            response = self._unanswered(error)
        except BaseException:
            self.forget()
            raise
        self._send(response)

    def _response(self) -> HttpResponse | Awaitable[HttpResponse]:
        if self._refused or len(self._body) > LONGEST_BODY or not self.fits():
            self.keep_alive = False
            return busy() if self._refused else too_large()
        self._request.body = bytes(self._body)
        self._body.clear()
        return self._application.begin(self._request)

    def _unanswered(self, error: Exception) -> HttpResponse:
        log.error("request was not answered", path=self._request.path, exc_info=error)
        self.keep_alive = False
        return HttpResponse(500)

    def _send(self, response: HttpResponse) -> None:
        self.response_complete = True
        if self._taken:
            self.forget()
        transport = self._protocol.transport
        if self.disconnected or transport.is_closing():
            return
        defaults = self._protocol.server_state.default_headers
        content = encoded(response, defaults, self._request.method, self.keep_alive)
        self._protocol.answers.add(transport, content)
        if not self.keep_alive:
            self._protocol.answers.leave()
            transport.close()
        self._protocol.on_response_complete()


def encoded(
    response: HttpResponse, defaults: list[tuple[bytes, bytes]], method: str, keep_alive: bool
) -> bytes:
    """A response as bytes; line ends inside header values, where a header could hide, are gone."""
    lines = [f"{name}: {value}\r\n" for name, value in response.headers]
    head = "".join(lines)
    if head.count("\n") != len(lines) or head.count("\r") != len(lines):
        head = "".join([line[:-2].replace("\r", " ").replace("\n", " ") + "\r\n" for line in lines])
    parts = [STATUS_LINE[response.status]]
    parts += [b"%b: %b\r\n" % default for default in defaults]
    parts.append(head.encode("latin-1", "replace"))
    if not keep_alive and "connection: close\r\n" not in lines:
        parts.append(b"connection: close\r\n")
    parts.append(b"content-length: %d\r\n\r\n" % len(response.body))
    if method != "HEAD":
        parts.append(response.body)
    return b"".join(parts)
