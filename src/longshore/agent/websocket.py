"""Signed websockets to the control plane: ACS and TCS."""

from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as open_websocket
from websockets.exceptions import InvalidMessage

from longshore.agent.host import Host
from longshore.awsapi.signing import sign
from longshore.nodeapi.frames import MAX_FRAME_BYTES

OPEN_SECONDS = 10.0
CLOSE_SECONDS = 2.0


async def connect(host: Host, url: str, query: Mapping[str, str]) -> ClientConnection:
    """An open websocket to `url`: an endpoint of DiscoverPollEndpoint (`http(s)://…`) and `/ws`.

    Raises `websockets.InvalidHandshake` where the control plane refuses, and `OSError` (also
    `TimeoutError`) where nobody answers.
    """
    # "https" becomes "wss" by the same change.
    target = f"{url.replace('http', 'ws', 1)}?{urlencode(query)}"
    headers = signed_headers(host, target)
    # The library sends its own.
    del headers["host"]
    try:
        return await open_websocket(
            target,
            additional_headers=headers,
            compression=None,
            proxy=None,
            max_size=MAX_FRAME_BYTES,
            open_timeout=OPEN_SECONDS,
            close_timeout=CLOSE_SECONDS,
        )
    except InvalidMessage as error:
        raise ConnectionError(f"{urlsplit(url).netloc} ended the handshake: {error}") from error


def signed_headers(host: Host, url: str, body: bytes = b"") -> dict[str, str]:
    """The headers of a GET that the host signs: a handshake's, or a telemetry frame's."""
    return sign(
        host.keys(),
        method="GET",
        url=url,
        headers={},
        body=body,
        region=host.installation.region,
        service="ecs",
        now=host.clock.now(),
    )
