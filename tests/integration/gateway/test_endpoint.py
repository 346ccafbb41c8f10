"""What clients get from the endpoint: boto3 over HTTP and HTTPS, errors, limits, routes."""

import asyncio
import ssl
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from longshore.awsapi.client import Client
from longshore.awsapi.connection import Connection
from longshore.awsapi.http import HttpResponse
from longshore.awsapi.signing import Keys, sign
from longshore.base.clock import SystemClock
from longshore.model.errors import AwsError
from longshore.model.principal import Credential, root
from longshore.testing.gateway import Running, Start
from longshore.testing.identity import ACCOUNT, KEY_ID, SECRET, KnownKeys


async def refusal(running: Running, service: str, operation: str, **request: Any) -> ClientError:
    with pytest.raises(ClientError) as caught:
        await running.call(service, operation, **request)
    return caught.value


def code(error: ClientError) -> str:
    return error.response["Error"]["Code"]


def status(error: ClientError) -> int:
    return error.response["ResponseMetadata"]["HTTPStatusCode"]


async def raw(running: Running, head: str, body: bytes = b"") -> bytes:
    """Bytes sent as they are; what comes back until the server hangs up or answers."""
    reader, writer = await asyncio.open_connection("127.0.0.1", running.installation.port)
    writer.write(head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body)
    async with asyncio.timeout(10):
        answer = await reader.read(65536)
    writer.close()
    await writer.wait_closed()
    return answer


async def signed(
    running: Running, service: str, body: bytes, headers: dict[str, str], keys: Keys | None = None
) -> HttpResponse:
    client = Client(
        running.url, lambda: keys or Keys(KEY_ID, SECRET), "us-east-1", SystemClock(), seconds=20
    )
    try:
        return await client.request("POST", "/", service=service, headers=headers, body=body)
    finally:
        client.close()


ECS = "AmazonEC2ContainerServiceV20141113."


async def test_boto3_speaks_every_protocol_to_the_one_endpoint(start: Start) -> None:
    running = await start()
    await running.call("ecs", "create_cluster", clusterName="one")
    assert await running.call("ecs", "describe_clusters", clusters=["one", "two"]) == {
        "clusters": [{"clusterName": "one"}],
        "failures": [],
    }
    vpcs = await running.call("ec2", "describe_vpcs")
    assert vpcs["Vpcs"] == [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16", "IsDefault": True}]
    assert (await running.call("iam", "get_user", UserName="ann"))["User"]["UserId"] == "AIDA1"
    assert (await running.call("sts", "get_caller_identity"))["Account"] == ACCOUNT
    invoked = await running.call("lambda", "invoke", FunctionName="f", Payload=b'{"a": 1}')
    assert invoked["ExecutedVersion"] == "$LATEST"
    stored = await running.call("s3", "put_object", Bucket="b", Key="a key/ü", Body=b"bytes")
    assert stored["ETag"] == '"a key/ü:bytes"'
    metrics = await running.call("cloudwatch", "list_metrics", Namespace="AWS/ECS")
    assert metrics["Metrics"] == [{"Namespace": "AWS/ECS", "MetricName": "CPU"}]


async def test_boto3_speaks_https_to_the_neighbouring_port(start: Start) -> None:
    running = await start()
    client = running.client("ecs", endpoint_url=running.tls_url, verify=str(running.ca))
    answer = await asyncio.to_thread(client.describe_clusters)
    client.close()
    assert answer["clusters"] == []
    assert running.identity.asked[-1][2]["aws:SecureTransport"] == "true"


async def test_our_own_client_calls_over_http_and_https_and_reuses_connections(
    start: Start,
) -> None:
    running = await start()
    trust = ssl.create_default_context(cafile=str(running.ca))
    for url in (running.url, running.tls_url):
        async with Client(
            url, lambda: Keys(KEY_ID, SECRET), "us-east-1", SystemClock(), tls=trust
        ) as client:
            for _ in range(3):
                assert await client.call("ecs", "DescribeClusters") == {
                    "clusters": [],
                    "failures": [],
                }
            with pytest.raises(AwsError) as caught:
                await client.call("ecs", "DeleteCluster", {"cluster": "x"})
            assert (caught.value.code, caught.value.message) == (
                "ClusterNotFoundException",
                "Cluster not found.",
            )


async def test_an_operation_that_waits_transacts_by_itself(start: Start) -> None:
    running = await start()
    await running.call("ecs", "run_task", taskDefinition="t")
    assert (await running.call("ecs", "describe_clusters"))["clusters"] != []


@pytest.mark.parametrize(
    ("service", "operation", "request_", "code_", "status_"),
    [
        ("ecs", "delete_cluster", {"cluster": "x"}, "ClusterNotFoundException", 400),
        ("ec2", "describe_vpcs", {"VpcIds": ["vpc-x"]}, "InvalidVpcID.NotFound", 400),
        ("iam", "get_user", {"UserName": "bob"}, "NoSuchEntity", 404),
        ("lambda", "get_function", {"FunctionName": "f"}, "ResourceNotFoundException", 404),
        ("ecs", "list_clusters", {}, "ServiceUnavailableException", 503),
        ("ecs", "list_services", {}, "InternalFailure", 500),
        ("ecs", "list_tasks", {}, "InternalFailure", 500),
        ("ecs", "list_container_instances", {}, "NotImplemented", 501),
        ("ec2", "describe_subnets", {}, "NotImplemented", 501),
        ("iam", "list_users", {}, "NotImplemented", 501),
        ("eks", "list_clusters", {}, "NotImplemented", 501),
        ("sqs", "list_queues", {}, "NotImplemented", 501),
        ("s3", "list_buckets", {}, "NotImplemented", 501),
    ],
)
async def test_errors_have_the_codes_and_statuses_of_their_models(
    start: Start, service: str, operation: str, request_: dict[str, Any], code_: str, status_: int
) -> None:
    error = await refusal(await start(), service, operation, **request_)
    assert (code(error), status(error)) == (code_, status_)
    assert error.response["ResponseMetadata"]["RequestId"]


async def test_an_unknown_key_is_refused_as_each_protocol_does(start: Start) -> None:
    running = await start()
    unknown = {"aws_access_key_id": "AKIAUNKNOWN"}
    for service, call, code_, status_ in (
        ("ecs", "describe_clusters", "UnrecognizedClientException", 400),
        ("sts", "get_caller_identity", "InvalidClientTokenId", 403),
        ("ec2", "describe_vpcs", "AuthFailure", 401),
        ("lambda", "get_function", "UnrecognizedClientException", 403),
    ):
        client = running.client(service, **unknown)
        request = {"FunctionName": "f"} if service == "lambda" else {}
        with pytest.raises(ClientError) as caught:
            await asyncio.to_thread(getattr(client, call), **request)
        client.close()
        assert (code(caught.value), status(caught.value)) == (code_, status_)


async def test_a_wrong_secret_is_refused_as_each_protocol_does(start: Start) -> None:
    running = await start()
    for service, call, code_ in (
        ("ecs", "describe_clusters", "InvalidSignatureException"),
        ("sts", "get_caller_identity", "SignatureDoesNotMatch"),
        ("ec2", "describe_vpcs", "AuthFailure"),
    ):
        client = running.client(service, aws_secret_access_key="wrong")
        with pytest.raises(ClientError) as caught:
            await asyncio.to_thread(getattr(client, call))
        client.close()
        assert code(caught.value) == code_


async def test_a_session_that_has_expired_says_so(start: Start) -> None:
    session = Credential(
        access_key_id="ASIA1",
        secret_access_key="secret",
        session_token="token",
        principal=root(ACCOUNT),
        expires=time.time() - 1,
    )
    running = await start(KnownKeys(session))
    keys = Keys("ASIA1", "secret", "token")
    answer = await signed(running, "ecs", b"{}", {"x-amz-target": ECS + "ListClusters"}, keys)
    assert b"ExpiredTokenException" in answer.body


async def test_a_request_signed_an_hour_ago_is_refused(start: Start) -> None:
    running = await start()
    target = {"x-amz-target": ECS + "ListClusters"}
    headers = sign(
        Keys(KEY_ID, SECRET),
        method="POST",
        url=running.url + "/",
        headers=target,
        body=b"{}",
        region="us-east-1",
        service="ecs",
        now=time.time() - 3600,
    )
    lines = "\n".join(f"{name}: {value}" for name, value in headers.items())
    answer = await raw(running, f"POST / HTTP/1.1\n{lines}\nContent-Length: 2", b"{}")
    assert b"InvalidSignatureException" in answer
    assert b"Signature expired: " in answer


async def test_unsigned_requests_are_refused_but_where_none_need_be_signed(start: Start) -> None:
    running = await start()
    head = f"POST / HTTP/1.1\nHost: x\nX-Amz-Target: {ECS}ListClusters\nContent-Length: 2"
    assert b"MissingAuthenticationTokenException" in await raw(running, head, b"{}")
    form = b"Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn:aws:iam::123456789012"
    form += b":role/r&RoleSessionName=session&WebIdentityToken=abcd"
    head = f"POST / HTTP/1.1\nHost: x\nContent-Length: {len(form)}"
    assert b"AssumeRoleWithWebIdentityResult" in await raw(running, head, form)
    form = form.replace(b"AssumeRoleWithWebIdentity", b"GetCallerIdentity")
    head = f"POST / HTTP/1.1\nHost: x\nContent-Length: {len(form)}"
    assert b"<Code>MissingAuthenticationToken</Code>" in await raw(running, head, form)


async def test_unknown_operations_are_refused_as_each_protocol_does(start: Start) -> None:
    running = await start()
    answer = await signed(running, "ecs", b"{}", {"x-amz-target": ECS + "Nothing"})
    assert (answer.status, b"UnknownOperationException" in answer.body) == (400, True)
    answer = await signed(running, "ecs", b"{}", {"x-amz-target": "Nobody.Nothing"})
    assert (answer.status, b"UnknownOperationException" in answer.body) == (400, True)
    answer = await signed(running, "ec2", b"Action=Nothing&Version=2016-11-15", {})
    assert b"<Code>InvalidAction</Code>" in answer.body
    assert b"The action Nothing is not valid for this web service." in answer.body
    answer = await signed(running, "iam", b"Action=Nothing&Version=2010-05-08", {})
    assert b"<Code>InvalidAction</Code>" in answer.body
    answer = await signed(running, "nobody", b"", {})
    assert answer.status == 400


async def test_malformed_bodies_are_refused_as_each_protocol_does(start: Start) -> None:
    running = await start()
    for body in (b"{", b"[]", b'{"clusters": "x"}', b"\xff", b'{"clusters": [1]}'):
        answer = await signed(running, "ecs", body, {"x-amz-target": ECS + "DescribeClusters"})
        assert (answer.status, b"SerializationException" in answer.body) == (400, True)
    answer = await signed(running, "sts", b"Action=GetCallerIdentity&x=\xff", {})
    assert answer.status == 400


async def test_who_may_not_is_told_so_in_each_protocols_words(start: Start) -> None:
    running = await start(KnownKeys(allows=lambda principal, action, resource: False))
    error = await refusal(running, "ecs", "describe_clusters", clusters=["one"])
    assert code(error) == "AccessDeniedException"
    assert error.response["Error"]["Message"] == (
        f"User: arn:aws:iam::{ACCOUNT}:root is not authorized to perform: ecs:DescribeClusters on "
        f"resource: arn:aws:ecs:us-east-1:{ACCOUNT}:cluster/one because no identity-based policy "
        "allows the ecs:DescribeClusters action"
    )
    error = await refusal(running, "iam", "get_user", UserName="ann")
    assert (code(error), status(error)) == ("AccessDenied", 403)
    error = await refusal(running, "ec2", "describe_vpcs")
    assert (code(error), status(error)) == ("UnauthorizedOperation", 403)
    assert error.response["Error"]["Message"].startswith(
        "You are not authorized to perform this operation."
    )
    assert (await running.call("sts", "get_caller_identity"))["Account"] == ACCOUNT


async def test_iam_is_asked_about_each_resource_with_the_requests_conditions(start: Start) -> None:
    running = await start()
    await running.call("ecs", "describe_clusters", clusters=["one", "two"])
    asked = running.identity.asked
    assert [entry[1].rpartition("/")[2] for entry in asked] == ["one", "two"]
    assert asked[0][2]["ecs:cluster"] == "one"
    assert asked[0][2]["aws:RequestedRegion"] == "us-east-1"
    assert asked[0][2]["aws:SourceIp"] == "127.0.0.1"
    assert "Boto3" in asked[0][2]["aws:UserAgent"]
    await running.call("ecs", "create_cluster", tags=[{"key": "stage", "value": "dev"}])
    assert asked[-1][2]["aws:RequestTag/stage"] == "dev"
    assert asked[-1][2]["aws:TagKeys"] == ["stage"]


async def test_a_role_that_may_not_be_passed_stops_the_call(start: Start) -> None:
    running = await start(KnownKeys(allows=lambda who, action, resource: action[:4] == "ecs:"))
    error = await refusal(
        running,
        "ecs",
        "register_task_definition",
        family="f",
        taskRoleArn="arn:aws:iam::123456789012:role/r",
        containerDefinitions=[],
    )
    assert code(error) == "AccessDeniedException"
    assert "iam:PassRole on resource: arn:aws:iam::123456789012:role/r" in str(error)


async def test_with_auth_open_any_key_is_the_installations_account(start: Start) -> None:
    running = await start(KnownKeys(allows=lambda *_: False), auth="open")
    client = running.client("sts", aws_access_key_id="test", aws_secret_access_key="test")
    identity = await asyncio.to_thread(client.get_caller_identity)
    client.close()
    assert identity["Account"] == ACCOUNT
    assert (await running.call("ecs", "describe_clusters", clusters=["x"]))["clusters"] == []


async def test_with_auth_open_a_signature_of_any_form_will_do(start: Start) -> None:
    running = await start(auth="open")
    for line in ("", "\nAuthorization: Bearer x", "\nAuthorization: AWS4-HMAC-SHA256 nonsense"):
        head = f"POST / HTTP/1.1\nHost: x\nX-Amz-Target: {ECS}DescribeClusters{line}"
        assert b" 200 " in await raw(running, head + "\nContent-Length: 2", b"{}")


async def test_a_body_that_an_sdk_compressed_is_read(start: Start) -> None:
    running = await start()
    data = [{"MetricName": f"m{number}", "Value": 1.0} for number in range(1000)]
    await running.call("cloudwatch", "put_metric_data", Namespace="n", MetricData=data)


async def test_throttling_answers_rate_exceeded_once_the_bucket_is_empty(start: Start) -> None:
    running = await start(throttling=True)
    target = {"x-amz-target": ECS + "CreateCluster"}
    answers = [await signed(running, "ecs", b"{}", target) for _ in range(22)]
    assert [answer.status for answer in answers[:20]] == [200] * 20
    assert b"ThrottlingException" in answers[-1].body
    assert b"Rate exceeded" in answers[-1].body


async def test_with_auth_open_a_region_still_has_to_be_one(start: Start) -> None:
    running = await start(auth="open")
    for region, status in (("eu-west-1", 200), ("zz-central-1", 400)):
        keys = Keys("test", "test")
        client = Client(running.url, lambda keys=keys: keys, region, SystemClock(), seconds=20)
        target = {"x-amz-target": ECS + "DescribeClusters"}
        answer = await client.request("POST", "/", service="ecs", headers=target, body=b"{}")
        client.close()
        assert answer.status == status, answer.body


async def test_reset_is_offered_with_auth_open_alone(start: Start) -> None:
    calls: list[str] = []

    async def reset() -> None:
        calls.append("reset")

    head = "POST /_longshore/reset HTTP/1.1\nHost: x\nContent-Length: 0"
    assert b" 404 " in await raw(await start(reset=reset), head)
    assert b" 200 " in await raw(await start(auth="open", reset=reset), head)
    assert calls == ["reset"]


@pytest.mark.parametrize(
    "line",
    [
        "Sec-Fetch-Site: cross-site",
        "Sec-Fetch-Site: same-site",
        "Origin: https://example.com",
        "Origin: http://localhost:3000",
        "Origin: http://[",
        "Origin: null",
    ],
)
async def test_another_sites_page_can_neither_reset_nor_call_though_auth_is_open(
    start: Start, line: str
) -> None:
    calls: list[str] = []

    async def reset() -> None:
        calls.append("reset")

    running = await start(auth="open", reset=reset)
    form = b"Action=GetCallerIdentity&Version=2011-06-15"
    for path, body in (("/_longshore/reset", b""), ("/", form)):
        head = (
            f"POST {path} HTTP/1.1\nHost: localhost:4566\n{line}\nContent-Length: {len(body)}\n"
            "Content-Type: application/x-www-form-urlencoded"
        )
        assert b" 403 " in await raw(running, head, body)
        own = head.replace(line, "Origin: http://localhost:4566\nSec-Fetch-Site: same-origin")
        assert b" 200 " in await raw(running, own, body)
    assert calls == ["reset"]


async def test_page_of_a_name_that_only_resolves_to_this_machine_is_another_sites(
    start: Start,
) -> None:
    head = "GET /_longshore/health HTTP/1.1\nHost: evil.test:4566\nOrigin: http://evil.test:4566"
    assert b" 403 " in await raw(await start(auth="open"), head)


async def test_health_and_metrics_answer_without_a_signature(start: Start) -> None:
    running = await start()
    assert b" 200 " in await raw(running, "GET /_longshore/health HTTP/1.1\nHost: x")
    await running.call("ecs", "describe_clusters")
    await refusal(running, "ecs", "delete_cluster", cluster="x")
    metrics = await raw(running, "GET /_longshore/metrics HTTP/1.1\nHost: x")
    assert (
        b'longshore_requests_total{code="",operation="DescribeClusters",service="ecs",status="200"}'
        b" 1.0" in metrics
    )
    assert b'code="ClusterNotFoundException"' in metrics


@pytest.mark.parametrize(
    "head",
    [
        "POST / HTTP/1.1\nHost: x\nContent-Length: 2\nTransfer-Encoding: chunked",
        "POST / HTTP/1.1\nHost: x\nContent-Length: 2\nContent-Length: 3",
        "POST / HTTP/1.1\nHost: x\nX-Long: " + "a" * 70_000,
        "POST /" + "a" * 70_000 + " HTTP/1.1\nHost: x",
        "POST / HTTP/1.1\nHost: x\n" + "\n".join(f"X-{n}: 1" for n in range(300)),
        "nonsense",
    ],
)
async def test_heads_over_the_limits_or_of_two_lengths_are_refused(start: Start, head: str) -> None:
    answer = await raw(await start(), head)
    assert answer.startswith(b"HTTP/1.1 400 ")


async def test_a_body_over_the_limit_is_refused_before_it_is_read(start: Start) -> None:
    running = await start()
    head = f"POST / HTTP/1.1\nHost: x\nContent-Length: {17 * 1024 * 1024}"
    assert b" 413 " in await raw(running, head, b"a" * 1024)


async def test_a_handed_in_route_gets_what_is_under_its_path(start: Start) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": scope["path"].encode()})

    running = await start(routes={"/oauth": app})
    assert b"/oauth/token" in await raw(running, "GET /oauth/token HTTP/1.1\nHost: x")
    assert b" 200 " not in await raw(running, "GET /oauthx HTTP/1.1\nHost: x")


async def test_requests_on_one_connection_are_answered_in_order(start: Start) -> None:
    running = await start()
    reader, writer = await asyncio.open_connection("127.0.0.1", running.installation.port)
    writer.write(b"GET /_longshore/health HTTP/1.1\r\nHost: x\r\n\r\n" * 3)
    text = b""
    async with asyncio.timeout(10):
        while text.count(b'"ready"') < 3:
            text += await reader.read(65536)
    writer.close()
    await writer.wait_closed()


async def test_an_answer_at_once_does_not_overtake_one_that_is_waited_for(
    start: Start,
) -> None:
    running = await start()
    reader, writer = await asyncio.open_connection("127.0.0.1", running.installation.port)
    health = b"GET /_longshore/health HTTP/1.1\r\nHost: x\r\n\r\n"
    unsigned = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
    writer.write((unsigned + health + unsigned) * 3)
    text = b""
    async with asyncio.timeout(10):
        while text.count(b"HTTP/1.1 ") < 9 or not text.endswith(b"</ErrorResponse>"):
            text += await reader.read(65536)
    statuses = [int(part[:3]) for part in text.split(b"HTTP/1.1 ")[1:]]
    assert [each == 200 for each in statuses] == [False, True, False] * 3
    writer.close()
    await writer.wait_closed()


async def test_what_follows_a_connections_last_request_is_not_answered(start: Start) -> None:
    running = await start()
    last = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", running.installation.port)
    writer.write(last + last)
    async with asyncio.timeout(10):
        text = await reader.read()
    assert text.count(b"HTTP/1.1 ") == 1
    writer.close()
    await writer.wait_closed()


UNSIGNED = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
EXPECTING = b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n{}"
ROUTED = b"GET /route HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize(
    ("sent", "statuses"),
    [
        (UNSIGNED + EXPECTING + UNSIGNED + b"nonsense\r\n\r\n", [400, 100, 400, 400, 400]),
        (UNSIGNED + UNSIGNED + ROUTED, [400, 400, 203]),
    ],
    ids=["100 and 400", "route"],
)
async def test_whatever_else_a_connection_is_told_comes_after_the_answers_before_it(
    start: Start, sent: bytes, statuses: list[int]
) -> None:
    async def route(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 203, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    running = await start(routes={"/route": route})
    reader, writer = await asyncio.open_connection("127.0.0.1", running.installation.port)
    writer.write(sent)
    async with asyncio.timeout(10):
        text = await reader.read()
    answers = text.split(b"HTTP/1.1 ")[1:]
    assert [int(part[:3]) for part in answers] == statuses
    assert not any(part.endswith(b"Bad Request") for part in answers[:-1])
    writer.close()
    await writer.wait_closed()


async def test_metrics_say_how_long_requests_took(start: Start) -> None:
    running = await start()
    await running.call("ecs", "describe_clusters")
    metrics = await raw(running, "GET /_longshore/metrics HTTP/1.1\nHost: x")
    assert b'longshore_request_seconds_bucket{le="+Inf",service="ecs"} 1.0' in metrics
    assert b'longshore_request_seconds_count{service="ecs"} 1.0' in metrics


async def test_a_port_in_use_stops_the_start_and_opens_nothing(start: Start) -> None:
    running = await start()
    with pytest.raises(OSError, match="in use"):
        await running.gateway.start()


async def test_a_client_that_meets_a_closed_connection_opens_another(start: Start) -> None:
    running = await start()
    async with Client(
        running.url, lambda: Keys(KEY_ID, SECRET), "us-east-1", SystemClock()
    ) as client:
        await client.call("ecs", "DescribeClusters")
        kept: Connection = client._connections._idle[0]
        kept._writer.close()
        await kept._writer.wait_closed()
        await client.call("ecs", "DescribeClusters")
