"""A small client of Kubernetes' API, for Longshore's own loops.

    async with Client(access) as cluster:
        nodes = await cluster.list("/api/v1/nodes")
        await cluster.apply("/api/v1/namespaces/kube-system/services/kube-dns", service, "eks")

Paths are the API's own ("Kubernetes API Concepts"), objects are plain JSON documents.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, closing
from types import TracebackType
from typing import Any, Self
from urllib.parse import SplitResult, urlencode, urlsplit

import msgspec

from longshore.awsapi.connection import Connection, ConnectionBroken
from longshore.awsapi.http import HttpResponse
from longshore.awsapi.kept_connections import KeptConnections
from longshore.kubernetes.access import Access, tls_context

Object = dict[str, Any]
JSON = "application/json"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"
PAGE = 500
"""Objects that one answer of a list has at most."""
IDLE_CONNECTIONS = 4
HTTPS = 443


class Event(msgspec.Struct, frozen=True):
    """What happened to an object: it was ADDED, MODIFIED or DELETED ("Efficient detection of
    changes")."""

    type: str
    object: Object


class Refused(Exception):
    """The API server answered with an error: a `Status`.

    `status` is that of HTTP, `reason` a word as `NotFound`; `conflicts` are the fields (as
    `.spec.replicas`) that other field managers have, each with what the server says of it.
    """

    def __init__(self, status: int, reason: str, message: str, details: Object) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message
        causes = [cause for cause in details.get("causes", ()) if isinstance(cause, dict)]
        self.conflicts: tuple[tuple[str, str], ...] = tuple(
            (cause.get("field", ""), cause.get("message", ""))
            for cause in causes
            if cause.get("reason") == "FieldManagerConflict"
        )

    @property
    def is_absence(self) -> bool:
        return self.status == 404


class Client:
    """Speaks to one API server over kept connections; `seconds` bound each call.

    Calls raise `Refused`, and OSError (also TimeoutError) where nobody answers.
    """

    def __init__(self, access: Access, *, seconds: float = 15.0) -> None:
        self._access = access
        self._url: SplitResult = urlsplit(access.url)
        self._seconds = seconds
        self._tls = tls_context(access)
        self._connections = KeptConnections(self._open, IDLE_CONNECTIONS)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the kept connections."""
        self._connections.close()

    async def get(self, path: str) -> Object:
        return await self.call("GET", path)

    async def find(self, path: str) -> Object | None:
        """The object; None where there is none."""
        try:
            return await self.call("GET", path)
        except Refused as refused:
            if refused.is_absence:
                return None
            raise

    async def list(self, path: str, **query: str) -> "list[Object]":
        """All objects of a collection; `query` as `labelSelector`, `fieldSelector`."""
        found: list[Object] = []
        more: dict[str, str] = {}
        while True:
            answer = await self.call("GET", path, query={"limit": str(PAGE), **query, **more})
            found += answer.get("items") or []
            if not (following := answer.get("metadata", {}).get("continue")):
                return found
            more = {"continue": following}

    async def watch(self, path: str, **query: str) -> AsyncGenerator[Event]:
        """What happens to a collection's objects, as it comes; what is there comes first.

        `timeoutSeconds` in `query` is when the server ends it. How long nothing may come is for the
        caller to say.
        """
        target = f"{path}?{urlencode({'watch': 'true', **query})}"
        async with asyncio.timeout(self._seconds):
            connection = await self._open()
        pieces = connection.stream(target, self._headers(JSON))
        with closing(connection):
            async with aclosing(pieces):
                rest = b""
                async for piece in pieces:
                    if piece.status >= 300:
                        _answer(piece)
                    *lines, rest = (rest + piece.body).split(b"\n")
                    for line in filter(None, lines):
                        yield _event(line)

    async def create(self, path: str, body: Object) -> Object:
        """`path` is the collection's, or that of a subresource as `pods/NAME/eviction`."""
        return await self.call("POST", path, body)

    async def replace(self, path: str, body: Object) -> Object:
        """Refused with 409 where the object is not the one of `body`'s resourceVersion any more."""
        return await self.call("PUT", path, body)

    async def patch(self, path: str, body: Any, kind: str = MERGE) -> Object:
        return await self.call("PATCH", path, body, kind)

    async def apply(
        self, path: str, body: Object, manager: str, *, force: bool = False, dry: bool = False
    ) -> Object:
        """Have the object with these fields ("Server-Side Apply"); `Refused.conflicts` where
        another manager has some of them with other values, unless `force`."""
        query = {"fieldManager": manager, "force": "true" if force else "false"}
        if dry:
            query["dryRun"] = "All"
        return await self.call("PATCH", path, body, APPLY, query)

    async def delete(self, path: str, **options: Any) -> None:
        """Nothing happens where there is none; `options` are `DeleteOptions`."""
        try:
            await self.call("DELETE", path, options or None)
        except Refused as refused:
            if not refused.is_absence:
                raise

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        kind: str = JSON,
        query: Mapping[str, str] | None = None,
    ) -> Object:
        """Any request with JSON in its answer."""
        target = f"{path}?{urlencode(query)}" if query else path
        headers, content = self._headers(JSON), b""
        if body is not None:
            headers["content-type"], content = kind, msgspec.json.encode(body)
        return _answer(await self._exchange(method, target, headers, content))

    async def text(self, path: str) -> str:
        """What is no JSON, as `/metrics`."""
        response = await self._exchange("GET", path, self._headers("text/plain"), b"")
        if response.status >= 300:
            _answer(response)
        return response.body.decode("utf-8", "replace")

    def _headers(self, accept: str) -> dict[str, str]:
        return {"host": self._url.netloc, "accept": accept}

    async def _exchange(
        self, method: str, target: str, headers: dict[str, str], content: bytes
    ) -> HttpResponse:
        async with asyncio.timeout(self._seconds):
            return await self._connections.exchange(method, target, headers, content)

    async def _open(self) -> Connection:
        host = self._url.hostname or ""
        streams = await asyncio.open_connection(
            self._access.address or host,
            self._url.port or HTTPS,
            ssl=self._tls,
            server_hostname=host,
            local_addr=(self._access.source, 0) if self._access.source else None,
        )
        return Connection(*streams)


def _event(line: bytes) -> Event:
    """Of one line of a watch. Raises `Refused` where the server cannot go on, ConnectionBroken
    where it is no event."""
    try:
        event = msgspec.json.decode(line, type=Event)
    except msgspec.DecodeError as error:
        raise ConnectionBroken(answered=True) from error
    if event.type == "ERROR":
        raise _refused(event.object.get("code", 500), event.object)
    return event


def _answer(response: HttpResponse) -> Object:
    try:
        document = msgspec.json.decode(response.body) if response.body else {}
    except msgspec.DecodeError:
        document = {"message": response.body[:200].decode("utf-8", "replace")}
    if not isinstance(document, dict):
        document = {}
    if response.status >= 300:
        raise _refused(response.status, document)
    return document


def _refused(status: int, document: Object) -> Refused:
    """Of a `Status`."""
    return Refused(
        status,
        str(document.get("reason", "")),
        str(document.get("message", "")),
        document.get("details") or {},
    )
