"""Websockets through the gateway: who may open one, and what the route learns of the caller."""

import asyncio
import time
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin

from longshore.awsapi.signing import Keys, sign
from longshore.testing.gateway import Running, Start
from longshore.testing.identity import KEY_ID, SECRET

QUERY = "agentHash=1&clusterArn=arn%3Aaws%3Aecs&sendCredentials=true"


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Says who called, then repeats what it is told."""
    assert (await receive())["type"] == "websocket.connect"
    await send({"type": "websocket.accept"})
    caller = f"{scope['longshore.caller'].arn} {scope['longshore.region']} {scope['path']}"
    await send({"type": "websocket.send", "text": caller})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})


def headers(
    running: Running, path: str, secret: str = SECRET, service: str = "ecs"
) -> dict[str, str]:
    signed = sign(
        Keys(KEY_ID, secret),
        method="GET",
        url=f"http://127.0.0.1:{running.installation.port}{path}",
        headers={},
        body=b"",
        region="eu-west-1",
        service=service,
        now=time.time(),
    )
    del signed["host"]
    return signed


async def test_a_signed_websocket_reaches_its_route_with_the_caller(start: Start) -> None:
    running = await start(routes={"/ws": echo})
    path = f"/ws?{QUERY}"
    url = f"ws://127.0.0.1:{running.installation.port}{path}"
    async with asyncio.timeout(10), connect(url, additional_headers=headers(running, path)) as ws:
        assert await ws.recv() == "arn:aws:iam::123456789012:root eu-west-1 /ws"
        await ws.send("x" * 100_000)
        assert await ws.recv() == "x" * 100_000


@pytest.mark.parametrize("secret", ["wrong", None])
async def test_a_websocket_with_no_or_a_wrong_signature_is_refused(
    start: Start, secret: str | None
) -> None:
    running = await start(routes={"/ws": echo})
    sent = headers(running, "/ws", secret) if secret is not None else {}
    url = f"ws://127.0.0.1:{running.installation.port}/ws"
    async with asyncio.timeout(10):
        with pytest.raises(InvalidStatus) as caught:
            await connect(url, additional_headers=sent)
    assert caught.value.response.status_code == 403


async def test_a_websocket_signed_for_another_service_is_refused(start: Start) -> None:
    running = await start(routes={"/ws": echo})
    url = f"ws://127.0.0.1:{running.installation.port}/ws"
    async with asyncio.timeout(10):
        with pytest.raises(InvalidStatus):
            await connect(url, additional_headers=headers(running, "/ws", service="s3"))


async def test_a_websocket_of_another_sites_page_is_refused_though_auth_is_open(
    start: Start,
) -> None:
    running = await start(auth="open", routes={"/ws": echo})
    url = f"ws://127.0.0.1:{running.installation.port}/ws"
    async with asyncio.timeout(10):
        with pytest.raises(InvalidStatus):
            await connect(url, origin=Origin("https://example.com"))
        async with connect(url) as websocket:
            assert await websocket.recv()


async def test_a_websocket_to_no_route_is_refused(start: Start) -> None:
    running = await start(routes={"/ws": echo})
    url = f"ws://127.0.0.1:{running.installation.port}/other"
    async with asyncio.timeout(10):
        with pytest.raises(InvalidStatus):
            await connect(url, additional_headers=headers(running, "/other"))


async def test_the_gateway_stops_while_a_websocket_is_open(start: Start) -> None:
    running = await start(routes={"/ws": echo})
    url = f"ws://127.0.0.1:{running.installation.port}/ws"
    async with asyncio.timeout(10):
        ws = await connect(url, additional_headers=headers(running, "/ws"))
        await ws.recv()
        await running.gateway.stop()
        await ws.wait_closed()
