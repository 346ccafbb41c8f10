"""Whatever bytes come: an answer in the protocol's form, and never a 500."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from longshore.awsapi.http import HttpRequest, HttpResponse
from longshore.awsapi.model import load_model
from longshore.awsapi.signing import Keys, sign
from longshore.base.clock import SystemClock
from longshore.base.ids import RandomIds
from longshore.base.installation import Installation
from longshore.gateway.gateway import Gateway
from longshore.services.interface import Service
from longshore.testing.identity import KEY_ID, SECRET, KnownKeys
from longshore.testing.memory_store import MemoryStore

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
