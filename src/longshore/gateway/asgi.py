"""The ASGI application: Longshore's own pages, handed-in routes, websockets, and else the API."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any

import msgspec

from longshore.awsapi.http import HttpRequest, HttpResponse
from longshore.base.clock import Clock
from longshore.base.installation import Installation
from longshore.base.logs import logger
from longshore.gateway.app import ApiPath
from longshore.gateway.exchange import Reset
from longshore.gateway.handlers.origin import is_foreign
from longshore.model.errors import AwsError
from longshore.model.principal import Principal

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

LONGEST_BODY = 16 * 1024 * 1024
"""Bytes. ECS takes 64 KiB of a task definition, Lambda and Logs a few MiB; blobs go elsewhere."""
CALLER = "longshore.caller"
REGION = "longshore.region"
OWN = "/_longshore/"
WEBSOCKETS_OF = "ecs"
"""The service that agents sign for, on both of their connections."""
TEXT = ("content-type", "text/plain; charset=utf-8")
JSON = ("content-type", "application/json")
POLICY_VIOLATION = 1008
log = logger(__name__)


class BodyTooLarge(Exception):
    """The request's body is over the limit."""


class Later:
    """A route that is made while others are served already; who comes earlier waits for it."""

    def __init__(self) -> None:
        self._app: AsgiApp | None = None
        self._made = asyncio.Event()

    def become(self, app: AsgiApp) -> None:
        self._app = app
        self._made.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._made.wait()
        assert self._app is not None
        await self._app(scope, receive, send)


class Application:
    """One ASGI application for all that the endpoint answers.

    A handed-in route gets what its path begins with, as a whole segment; HTTP requests to it are
    its own to authenticate. Websockets are authenticated here: the route finds the caller's
    `Principal` in `scope["longshore.caller"]` and the signed region in `scope["longshore.region"]`.
    """

    def __init__(
        self,
        path: ApiPath,
        *,
        clock: Clock,
        installation: Installation,
        routes: Mapping[str, AsgiApp],
        reset: Reset | None,
    ) -> None:
        self._path = path
        self._clock = clock
        self._installation = installation
        self._routes = sorted(routes.items(), key=lambda route: -len(route[0]))
        self._reset = reset
        self._open = installation.auth == "open"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        route = self._route(scope["path"])
        if route is not None:
            await route(scope, receive, send)
            return
        try:
            request = request_of(scope, await read_body(scope, receive))
        except BodyTooLarge:
            response = too_large()
        else:
            response = await self.answer(request)
        await send_response(response, send, scope["method"] == "HEAD")

    def owns(self, path: str) -> bool:
        """Whether a request to this path is answered here, not by a handed-in route."""
        return self._route(path) is None

    async def answer(self, request: HttpRequest) -> HttpResponse:
        """The response to a request that is not a handed-in route's."""
        response = self.begin(request)
        return response if isinstance(response, HttpResponse) else await response

    def begin(self, request: HttpRequest) -> HttpResponse | Awaitable[HttpResponse]:
        """The response at once where nothing has to be waited for, else what will give it."""
        if self._open and is_foreign(request.headers):
            return foreign()
        if request.path.startswith(OWN):
            return self._own(request)
        return self._path.begin(request)

    def _route(self, path: str) -> AsgiApp | None:
        for prefix, app in self._routes:
            if path == prefix or path.startswith(prefix + "/"):
                return app
        return None

    async def _own(self, request: HttpRequest) -> HttpResponse:
        match request.method, request.path.removeprefix(OWN):
            case "GET", "health":
                return HttpResponse(200, [JSON], self._health())
            case "GET", "metrics":
                return HttpResponse(200, [TEXT], self._metrics())
            case "POST", "reset" if self._open and self._reset is not None:
                await self._reset()
                return HttpResponse(200, [JSON], b"{}")
            case _:
                return HttpResponse(404, [TEXT], b"Not found.\n")

    def _metrics(self) -> bytes:
        # Imported here: see its docstring.
        from longshore.gateway.metrics_page import metrics_page

        return metrics_page(self._path.measure)

    def _health(self) -> bytes:
        return msgspec.json.encode({"status": "ready", "region": self._installation.region})

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = self._route(scope["path"])
        try:
            if route is None:
                raise AwsError("NotFound", "There is no such websocket.", 404)
            scope[CALLER], scope[REGION] = self._websocket_caller(scope)
        except AwsError as error:
            log.info("websocket refused", path=scope["path"], code=error.code)
            await receive()
            await send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": error.code})
            return
        await route(scope, receive, send)

    def _websocket_caller(self, scope: Scope) -> tuple[Principal, str]:
        request = request_of({**scope, "method": "GET"}, b"")
        if self._open and is_foreign(request.headers):
            raise AwsError("AccessDenied", "This is another site's page.", 403)
        return self._path.who(request, WEBSOCKETS_OF)


def request_of(scope: Scope, body: bytes) -> HttpRequest:
    """An ASGI request as a value."""
    client = scope.get("client")
    return HttpRequest(
        scope["method"],
        scope["raw_path"].decode("latin-1"),
        scope["query_string"].decode("latin-1"),
        headers_of(scope["headers"]),
        body,
        client[0] if client else "",
        scope["scheme"] in {"https", "wss"},
    )


def headers_of(pairs: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Headers by lower-case name; repeated ones joined, blanks around values gone."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in pairs:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1").strip()
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    return headers


async def read_body(scope: Scope, receive: Receive) -> bytes:
    """The whole body; raises BodyTooLarge, before reading where the length is announced."""
    for name, value in scope["headers"]:
        if name == b"content-length" and int(value) > LONGEST_BODY:
            raise BodyTooLarge
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        part: bytes = message.get("body", b"")
        size += len(part)
        if size > LONGEST_BODY:
            raise BodyTooLarge
        parts.append(part)
        if not message.get("more_body"):
            return parts[0] if len(parts) == 1 else b"".join(parts)


def too_large() -> HttpResponse:
    """What the endpoint says to a body over the limit, as AWS's front ends do."""
    body = b'{"__type":"RequestEntityTooLargeException","message":"Request size exceeded limit"}'
    return HttpResponse(413, [JSON, ("connection", "close")], body)


def foreign() -> HttpResponse:
    """What a browser gets that sends another site's request to an endpoint that takes any key."""
    body = b'{"__type":"AccessDenied","message":"Requests of other sites\' pages are refused."}'
    return HttpResponse(403, [JSON], body)


def busy() -> HttpResponse:
    """What the endpoint says where no more large bodies fit into memory; clients try again."""
    body = b'{"__type":"ServiceUnavailable","message":"Please reduce your request rate."}'
    return HttpResponse(503, [JSON, ("connection", "close")], body)


async def send_response(response: HttpResponse, send: Send, head: bool = False) -> None:
    """Send a response in ASGI's two messages."""
    headers = [
        (name.encode("latin-1"), value.encode("latin-1", "replace"))
        for name, value in response.headers
    ]
    headers.append((b"content-length", str(len(response.body)).encode()))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if head else response.body})
