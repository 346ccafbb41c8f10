"""A small asynchronous client of the JSON services, for Longshore's own processes.

    async with Client(endpoint_url, lambda: keys, region, clock) as client:
        reply = await client.call("ecs", "DescribeClusters", {"clusters": ["default"]})

Values are plain JSON: timestamps are epoch seconds, blobs base64 text.
"""

import asyncio
import ssl
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import msgspec

from longshore.awsapi.connection import Connection
from longshore.awsapi.http import HttpResponse
from longshore.awsapi.kept_connections import KeptConnections
from longshore.awsapi.model import load_metadata
from longshore.awsapi.signing import Keys, sign
from longshore.base.clock import Clock
from longshore.model.errors import AwsError

IDLE_CONNECTIONS = 8


class Client:
    """Calls operations of one endpoint by name, over kept connections."""

    def __init__(
        self,
        endpoint_url: str,
        keys: Callable[[], Keys],
        region: str,
        clock: Clock,
        *,
        seconds: float = 30.0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`keys` is asked for each request, so that they may change; `seconds` bound each call."""
        self._url = url = urlsplit(endpoint_url)
        self._keys = keys
        self._region = region
        self._clock = clock
        self._seconds = seconds
        self._connections = KeptConnections(lambda: Connection.open(url, tls), IDLE_CONNECTIONS)

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

    async def call(
        self, service: str, operation: str, request: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """The operation's response.

        `service` is botocore's name of a service that speaks JSON. Raises `AwsError` with the
        code that came back, `OSError` (also `TimeoutError`) where nobody answers.
        """
        metadata = load_metadata(service)
        response = await self.request(
            "POST",
            "/",
            service=metadata.scope_name,
            headers={
                "content-type": f"application/x-amz-json-{metadata.json_version}",
                "x-amz-target": f"{metadata.target_prefix}.{operation}",
            },
            body=msgspec.json.encode(request or {}),
        )
        if response.status >= 300:
            error = error_of(response)
            error.request_id = dict(response.headers).get("x-amzn-requestid", "")
            raise error
        reply: dict[str, Any] = msgspec.json.decode(response.body) if response.body else {}
        return reply

    async def request(
        self,
        method: str,
        target: str,
        *,
        service: str,
        headers: Mapping[str, str],
        body: bytes = b"",
    ) -> HttpResponse:
        """Send any signed request; `target` is the path and query as they go out."""
        signed = sign(
            self._keys(),
            method=method,
            url=f"{self._url.scheme}://{self._url.netloc}{target}",
            headers=headers,
            body=body,
            region=self._region,
            service=service,
            now=self._clock.now(),
        )
        async with asyncio.timeout(self._seconds):
            return await self._connections.exchange(method, target, signed, body)


def error_of(response: HttpResponse) -> AwsError:
    """The error that a JSON service answered with."""
    try:
        body = msgspec.json.decode(response.body)
    except msgspec.DecodeError:
        body = None
    if not isinstance(body, dict):
        return AwsError(
            "UnknownError", response.body[:200].decode("utf-8", "replace"), response.status
        )
    code = str(body.pop("__type", "UnknownError")).rpartition("#")[2]
    message = str(body.pop("message", None) or body.pop("Message", ""))
    return AwsError(code, message, response.status, body)
