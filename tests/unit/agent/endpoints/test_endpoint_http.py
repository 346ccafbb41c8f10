"""The endpoints' HTTP: small requests, and no patience with slow or greedy peers."""

import asyncio
from collections.abc import AsyncIterator

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.agent.endpoints import http
from longshore.agent.endpoints.http import (
    LONGEST_BODY,
    LONGEST_HEAD,
    Door,
    Request,
    Response,
    json_response,
    parse,
)
from longshore.testing.wait import eventually


async def echo(peer: str, request: Request) -> Response | None:
    if request.path == "/broken":
        raise RuntimeError("broken")
    if request.path == "/nobody":
        return None
    if request.path == "/text":
        return Response(200, b"x", content_type="text/plain", headers=(("server", "y"),), hops=7)
    if request.path == "/headers":
        return json_response(dict(request.headers))
    return json_response({"peer": peer, "path": request.path, "body": request.body.decode()})


@pytest.fixture
async def port() -> AsyncIterator[int]:
    async with asyncio.TaskGroup() as group:
        door = Door(echo)
        server = await asyncio.start_server(
            lambda reader, writer: group.create_task(door.serve(reader, writer)) and None,
            "127.0.0.1",
            0,
            limit=LONGEST_HEAD,
        )
        yield server.sockets[0].getsockname()[1]
        server.close()


async def ask(port: int, head: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head)
    try:
        return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


async def test_a_get_is_answered_in_json_with_the_peer_known(port: int) -> None:
    answer = await ask(port, b"GET /v4/x?q=1 HTTP/1.1\r\nHost: a\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"content-type: application/json" in head
    assert body == b'{"peer":"127.0.0.1","path":"/v4/x","body":""}'


@pytest.mark.parametrize("method", ["POST", "DELETE", "HEAD", "OPTIONS"])
async def test_other_methods_are_refused(port: int, method: str) -> None:
    answer = await ask(port, f"{method} /v4/x HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 405 Method Not Allowed\r\n")
    assert b"allow: GET\r\n" in answer


async def test_a_put_is_answered_with_its_body_known(port: int) -> None:
    answer = await ask(port, b"PUT /x HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello rest")
    assert answer.endswith(b'{"peer":"127.0.0.1","path":"/x","body":"hello"}')


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (f"Content-Length: {LONGEST_BODY + 1}", 413),
        ("Transfer-Encoding: chunked", 411),
        ("Content-Length: -1", 400),
        ("Content-Length: five", 400),
    ],
)
async def test_a_body_that_is_too_long_or_of_unknown_length_is_refused(
    port: int, header: str, status: int
) -> None:
    answer = await ask(port, f"PUT /x HTTP/1.1\r\n{header}\r\n\r\n".encode())
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())


async def test_a_head_that_is_too_long_is_refused(port: int) -> None:
    answer = await ask(port, b"GET / HTTP/1.1\r\nX: " + b"a" * (LONGEST_HEAD + 1))
    assert answer.startswith(b"HTTP/1.1 431 ")


@pytest.mark.parametrize(
    "head",
    [b"nonsense\r\n\r\n", b"GET\r\n\r\n", b"\x00\x01\r\n\r\n", b"GET / HTTP/1.1\r\n: x\r\n\r\n"],
)
async def test_what_is_no_http_is_refused(port: int, head: bytes) -> None:
    assert (await ask(port, head)).startswith(b"HTTP/1.1 400 ")


async def test_headers_are_known_in_lower_case_and_twice_given_ones_joined(port: int) -> None:
    answer = await ask(port, b"GET /headers HTTP/1.1\r\nA-b: 1\r\na-B:  2 \r\nC:\r\n\r\n")
    assert answer.endswith(b'{"a-b":"1,2","c":""}')


async def test_an_answer_has_the_type_and_the_headers_that_it_says(port: int) -> None:
    answer = await ask(port, b"GET /text HTTP/1.1\r\n\r\n")
    assert b"\r\ncontent-type: text/plain\r\n" in answer
    assert b"\r\nserver: y\r\n" in answer


async def test_who_is_to_be_told_nothing_is_let_go_without_an_answer(port: int) -> None:
    assert await ask(port, b"GET /nobody HTTP/1.1\r\n\r\n") == b""


async def test_an_answer_that_fails_is_told_as_such_and_the_next_one_comes(port: int) -> None:
    assert (await ask(port, b"GET /broken HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 500 ")
    assert (await ask(port, b"GET / HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 200 ")


async def test_a_peer_that_sends_nothing_is_let_go(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "SECONDS", 0.05)
    assert await asyncio.wait_for(ask(port, b"GET / HT"), 5) == b""


async def test_one_peer_cannot_hold_all_connections(port: int) -> None:
    held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(http.MOST_OF_ONE_PEER)]

    async def refused() -> bool:
        return await ask(port, b"GET / HTTP/1.1\r\n\r\n") == b""

    try:
        assert await eventually(refused)
    finally:
        for _, writer in held:
            writer.close()

    async def answered() -> bool:
        return (await ask(port, b"GET / HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 200 ")

    assert await eventually(answered)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_request_or_refused(head: bytes) -> None:
    try:
        request = parse(head + b"\r\n\r\n")
    except httptools.HttpParserError:
        return
    assert request.method.isascii()
    assert request.path
    assert request.length is None or request.length >= 0
