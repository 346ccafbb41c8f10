"""Whatever bytes come: an answer in the protocol's form, and never a 500."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from integration.gateway.test_websocket_routes import echo, headers
from websockets.asyncio.client import connect

from longshore.awsapi.http import HttpRequest, HttpResponse
from longshore.awsapi.model import load_model
from longshore.awsapi.signing import Keys, sign
from longshore.base import admission
from longshore.base.clock import SystemClock
from longshore.base.ids import RandomIds
from longshore.base.installation import Installation
from longshore.gateway import http_protocol, server
from longshore.gateway.gateway import Gateway
from longshore.services.interface import Service
from longshore.testing.gateway import Running, Start
from longshore.testing.identity import KEY_ID, SECRET, KnownKeys
from longshore.testing.memory_store import MemoryStore
from longshore.testing.wait import eventually

OPERATIONS = {
    "ecs": ["RegisterTaskDefinition", "CreateService", "DescribeTasks"],
    "logs": ["PutLogEvents", "FilterLogEvents"],
    "ec2": ["RunInstances", "DescribeVpcs", "AuthorizeSecurityGroupIngress"],
    "iam": ["CreateRole", "GetUser"],
    "lambda": ["Invoke", "CreateFunction", "ListFunctions"],
    "s3": ["PutObject", "DeleteObjects", "PutBucketLifecycleConfiguration"],
    "cloudwatch": ["PutMetricData", "ListMetrics"],
}
SEGMENTS = ["2015-03-31", "functions", "b", "k%2F", "%ff", "..", ""]
QUERIES = ["", "delete", "lifecycle", "Marker=1&MaxItems=x", "a=%ff&a=b", "&&=", "x=%zz"]
DOCUMENTS = [b"<a/>", b"<!DOCTYPE x>", b"<Delete><Object/></Delete>"]
UNSIGNED_HEADERS = ["authorization", "x-amz-target", "x-amz-date"]
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
TEXT = st.text(st.characters(min_codepoint=33, max_codepoint=255), max_size=30)
FUZZ = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def answer(context: Any, request: Any) -> dict[str, Any]:
    return {}


class Endpoint:
    """A gateway without sockets."""

    def __init__(self) -> None:
        services = [
            Service(name=name, iam_prefix=name, operations=dict.fromkeys(operations, answer))
            for name, operations in OPERATIONS.items()
        ]
        self._gateway = Gateway(
            services=services,
            store=MemoryStore(),
            clock=SystemClock(),
            ids=RandomIds(),
            installation=Installation(data_dir=Path("/nowhere")),
            identity=KnownKeys(),
        )
        self._loop = asyncio.new_event_loop()

    def ask(
        self,
        service: str,
        headers: dict[str, str],
        body: bytes,
        target: str = "/",
        how: str = "POST",
    ) -> HttpResponse:
        """A well-signed request of whatever."""
        signed = sign(
            Keys(KEY_ID, SECRET),
            method=how,
            url=f"http://localhost{target}",
            headers=headers,
            body=body,
            region="us-east-1",
            service=service,
            now=time.time(),
        )
        path, _, query = target.partition("?")
        response = self.send(HttpRequest(how, path, query, signed, body))
        assert b"calculated does not match" not in response.body
        return response

    def send(self, request: HttpRequest) -> HttpResponse:
        return self._loop.run_until_complete(self._gateway.app.answer(request))

    def close(self) -> None:
        self._loop.close()


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Endpoint]:
    made = Endpoint()
    yield made
    made.close()


def json_target(service: str, operation: str) -> dict[str, str]:
    prefix = {"ecs": "AmazonEC2ContainerServiceV20141113", "logs": "Logs_20140328"}[service]
    return {"x-amz-target": f"{prefix}.{operation}"}


def sane(response: HttpResponse) -> None:
    assert response.status in {200, 202, 204, 400, 403, 404, 413, 501}, response.body
    assert dict(response.headers)["x-amzn-requestid"]


@FUZZ
@given(st.sampled_from(["ecs", "logs"]), st.integers(0, 1), st.binary(max_size=60))
def test_json_bodies_of_any_bytes(endpoint: Endpoint, name: str, pick: int, body: bytes) -> None:
    sane(endpoint.ask(name, json_target(name, OPERATIONS[name][pick]), body))


@FUZZ
@given(st.data())
def test_json_bodies_with_the_models_names_and_any_values(
    endpoint: Endpoint, data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(["ecs", "logs"]))
    operation = data.draw(st.sampled_from(OPERATIONS[name]))
    model = load_model(name)
    reference = model.operations[operation].input
    assert reference is not None
    members = sorted(model.shapes[reference.shape].members)
    values = data.draw(st.dictionaries(st.sampled_from(members), JSON_VALUES))
    sane(endpoint.ask(name, json_target(name, operation), msgspec.json.encode(values)))


@FUZZ
@given(
    st.sampled_from([("ec2", "2016-11-15"), ("iam", "2010-05-08")]),
    st.data(),
    st.dictionaries(TEXT, TEXT, max_size=6),
    st.binary(max_size=20),
)
def test_forms_of_any_parameters(
    endpoint: Endpoint,
    service: tuple[str, str],
    data: st.DataObject,
    fields: dict[str, str],
    tail: bytes,
) -> None:
    action = data.draw(st.sampled_from([*OPERATIONS[service[0]], "Nothing"]))
    names = st.sampled_from(["MaxCount", "VpcId.1", "IpPermissions.1.IpRanges.x", "Tags.member.1"])
    known = data.draw(st.dictionaries(names, TEXT))
    form = urlencode({**fields, **known, "Action": action, "Version": service[1]}).encode()
    sane(endpoint.ask(service[0], {}, form + b"&" + tail))


@FUZZ
@given(
    st.sampled_from(["lambda", "s3", "eks", "ecs", "nobody"]),
    st.sampled_from(["GET", "PUT", "POST", "DELETE", "HEAD"]),
    st.lists(
        st.sampled_from(["2015-03-31", "functions", "b", "k%2F", "%ff", "..", ""]), max_size=5
    ),
    st.sampled_from(
        ["", "delete", "lifecycle", "Marker=1&MaxItems=x", "a=%ff&a=b", "&&=", "x=%zz"]
    ),
    st.binary(max_size=40)
    | st.sampled_from([b"<a/>", b"<!DOCTYPE x>", b"<Delete><Object/></Delete>"]),
)
def test_rest_requests_of_any_path_query_and_body(
    endpoint: Endpoint, service: str, how: str, path: list[str], query: str, body: bytes
) -> None:
    target = "/" + "/".join(path) + (f"?{query}" if query else "")
    sane(endpoint.ask(service, {}, body, target, how))


@FUZZ
@given(st.binary(max_size=60))
def test_cbor_bodies_of_any_bytes(endpoint: Endpoint, body: bytes) -> None:
    headers = {"smithy-protocol": "rpc-v2-cbor", "content-type": "application/cbor"}
    target = "/service/GraniteServiceVersion20100801/operation/PutMetricData"
    sane(endpoint.ask("cloudwatch", headers, body, target))


@FUZZ
@given(
    st.dictionaries(st.sampled_from(["authorization", "x-amz-target", "x-amz-date"]), TEXT), TEXT
)
def test_unsigned_requests_of_any_headers(
    endpoint: Endpoint, headers: dict[str, str], query: str
) -> None:
    sane(endpoint.send(HttpRequest("POST", "/", query, headers, b"")))


@pytest.mark.parametrize(
    "body", [b"[" * 100_000, b'{"a":' * 100_000, b'{"clusters": [' + b'"x",' * 200_000 + b'"x"]}']
)
def test_deep_and_long_json_is_refused_in_reasonable_time(endpoint: Endpoint, body: bytes) -> None:
    started = time.monotonic()
    sane(endpoint.ask("ecs", json_target("ecs", "DescribeTasks"), body))
    assert time.monotonic() - started < 5


HEALTH = b"GET /_longshore/health HTTP/1.1\r\nHost: x\r\n\r\n"
BODY = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"


class Caller:
    """One connection of raw bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def send(self, data: bytes) -> None:
        self._writer.write(data)

    async def answer(self, data: bytes = b"") -> bytes:
        """What comes back; nothing where the connection is ended instead."""
        with contextlib.suppress(ConnectionError):
            self._writer.write(data)
            async with asyncio.timeout(10):
                return await self._reader.read(65536)
        return b""

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()


@contextlib.asynccontextmanager
async def calling(port: int) -> AsyncIterator[Caller]:
    caller = Caller(*await asyncio.open_connection("127.0.0.1", port))
    try:
        yield caller
    finally:
        await caller.close()


@pytest.fixture
def strangers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who calls from this machine is held to be another; three connections are too many."""
    monkeypatch.setattr(admission, "is_loopback", lambda peer: False)
    monkeypatch.setattr(http_protocol, "is_loopback", lambda peer: False)
    monkeypatch.setattr(admission, "MOST_OF_ONE_PEER", 2)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "SWEEP_SECONDS", 0.05)
    monkeypatch.setattr(admission, "PATIENCE_SECONDS", 0.3)
    monkeypatch.setattr(admission, "HANDSHAKE_SECONDS", 0.3)


async def is_served(running: Running) -> bool:
    async with calling(running.installation.port) as caller:
        return b" 200 " in await caller.answer(HEALTH)


async def test_an_idle_connection_is_closed_its_time_after_its_last_answer(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "IDLE_SECONDS", 0.4)
    running = await start()
    loop = asyncio.get_running_loop()
    async with calling(running.installation.port) as caller:
        assert b" 200 " in await caller.answer(HEALTH)
        until = loop.time() + 0.6
        while loop.time() < until:
            assert b" 200 " in await caller.answer(HEALTH)
        assert await caller.answer() == b""
        assert loop.time() - until >= 0.3


@pytest.mark.usefixtures("strangers")
@pytest.mark.parametrize("step", [0, 1], ids=["HTTP", "before a TLS handshake"])
async def test_a_peer_with_too_many_connections_gets_no_more_until_it_closes_one(
    start: Start, step: int
) -> None:
    running = await start()
    async with (
        calling(running.installation.port + step) as first,
        calling(running.installation.port + step),
        calling(running.installation.port) as third,
    ):
        assert await third.answer(HEALTH) == b""
        await first.close()
        await eventually(lambda: is_served(running))


@pytest.mark.usefixtures("strangers")
async def test_a_websocket_counts_until_it_is_closed(start: Start) -> None:
    running = await start(routes={"/ws": echo})
    url = f"ws://127.0.0.1:{running.installation.port}/ws"
    for _ in range(3):
        async with connect(url, additional_headers=headers(running, "/ws")) as websocket:
            await websocket.recv()
            async with (
                calling(running.installation.port),
                calling(running.installation.port) as third,
            ):
                assert await third.answer(HEALTH) == b""
        await eventually(lambda: is_served(running))


async def test_many_connections_of_this_machine_are_served(start: Start) -> None:
    running = await start()
    async with contextlib.AsyncExitStack() as stack:
        port = running.installation.port
        callers = [
            await stack.enter_async_context(calling(port))
            for _ in range(admission.MOST_OF_ONE_PEER + 1)
        ]
        assert b" 200 " in await callers[-1].answer(HEALTH)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("before", "part"),
    [(b"", b""), (b"", b"G"), (HEALTH, b"G"), (b"", BODY + b"half"), (HEALTH, BODY + b"half")],
    ids=["nothing", "a head", "a later head", "a body", "a later body"],
)
async def test_an_unfinished_request_is_given_up_while_others_stay_connected(
    start: Start, before: bytes, part: bytes
) -> None:
    running = await start(routes={"/ws": echo})
    url = f"ws://127.0.0.1:{running.installation.port}/ws"
    async with (
        connect(url, additional_headers=headers(running, "/ws")) as websocket,
        calling(running.installation.port) as kept,
        calling(running.installation.port) as slow,
    ):
        await websocket.recv()
        assert b" 200 " in await kept.answer(HEALTH)
        if before:
            assert b" 200 " in await slow.answer(before)
        assert await slow.answer(part) == b""
        assert b" 200 " in await kept.answer(HEALTH)
        await websocket.send("still here")
        assert await websocket.recv() == "still here"


@pytest.mark.usefixtures("impatient")
async def test_a_handshake_that_never_comes_is_given_up(start: Start) -> None:
    running = await start()
    async with calling(running.installation.tls_port) as silent:
        assert await silent.answer() == b""


@pytest.mark.usefixtures("strangers")
async def test_large_bodies_of_strangers_are_refused_where_memory_is_taken(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_protocol, "LARGE_BODIES_OF_ONE_PEER", 1_500_000)
    running = await start()
    part = BODY + b" " * 300_000
    async with calling(running.installation.port) as first:
        first.send(part)

        async def refused() -> bool:
            async with calling(running.installation.port) as second:
                second.send(part)
                return b" 503 " in await second.answer(b" " * 700_000)

        async def read_to_its_end() -> bool:
            async with calling(running.installation.port) as second:
                second.send(part)
                return (await second.answer(b" " * 700_000)).startswith(b"HTTP/1.1 4")

        await eventually(refused)
        await first.close()
        await eventually(read_to_its_end)
