"""Signatures on the wire: presigned URLs, repeated headers, scopes of elsewhere, chunked bodies."""

import asyncio
import hashlib
import hmac
import time
import urllib.error
import urllib.request
from typing import Any

import pytest

from longshore.awsapi.canonical import EMPTY_SHA256, signing_key
from longshore.awsapi.chunked import SIGNED
from longshore.awsapi.signing import Keys, presign, sign
from longshore.testing.gateway import Running, Start
from longshore.testing.identity import ACCOUNT, KEY_ID, SECRET

WHOAMI = "/?Action=GetCallerIdentity&Version=2011-06-15"
CREATE = {"x-amz-target": "AmazonEC2ContainerServiceV20141113.CreateCluster"}
KEYS = Keys(KEY_ID, SECRET)


async def send(running: Running, head: str, body: bytes = b"") -> str:
    """The answer to one request, given as it goes over the wire but for its length."""
    reader, writer = await asyncio.open_connection("127.0.0.1", running.installation.port)
    lines = f"{head}\nContent-Length: {len(body)}\nConnection: close\n\n"
    writer.write(lines.replace("\n", "\r\n").encode() + body)
    async with asyncio.timeout(10):
        answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer.decode()


def signed(running: Running, body: bytes = b"{}", **changes: Any) -> dict[str, str]:
    call: dict[str, Any] = {
        "method": "POST",
        "url": running.url + "/",
        "headers": CREATE,
        "body": body,
        "region": "us-east-1",
        "service": "ecs",
        "now": time.time(),
    }
    return sign(KEYS, **{**call, **changes})


def lines(headers: dict[str, str]) -> str:
    return "\n".join(f"{name}: {value}" for name, value in headers.items())


def url(running: Running, **changes: Any) -> str:
    call: dict[str, Any] = {
        "method": "GET",
        "url": running.url + WHOAMI,
        "region": "us-east-1",
        "service": "sts",
        "now": time.time(),
        "seconds": 60,
    }
    return presign(KEYS, **{**call, **changes})


async def fetch(address: str) -> tuple[int, str]:
    def get() -> tuple[int, str]:
        try:
            with urllib.request.urlopen(address, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    return await asyncio.to_thread(get)


async def test_a_presigned_url_is_good_in_anyones_hands_until_it_ends(start: Start) -> None:
    running = await start()
    status, body = await fetch(url(running))
    assert (status, f"<Account>{ACCOUNT}</Account>" in body) == (200, True)
    status, body = await fetch(url(running, now=time.time() - 61))
    assert (status, "<Code>SignatureDoesNotMatch</Code>" in body) == (403, True)
    assert "Signature expired: " in body


async def test_a_presigned_url_is_good_for_what_was_signed_alone(start: Start) -> None:
    running = await start()
    changed = url(running).replace("X-Amz-Expires=60", "X-Amz-Expires=600")
    status, body = await fetch(changed)
    assert (status, "<Code>SignatureDoesNotMatch</Code>" in body) == (403, True)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"region": "nowhere"}, "Credential should be scoped to a valid region. "),
        ({"region": "zz-central-1"}, "Credential should be scoped to a valid region. "),
        ({"region": f"zz-{'a' * 300}-1"}, "Credential should be scoped to a valid region. "),
        ({"service": "iam"}, "Credential should be scoped to correct service: 'ecs'. "),
    ],
)
async def test_a_signature_scoped_to_elsewhere_is_refused(
    start: Start, changes: dict[str, str], said: str
) -> None:
    running = await start()
    answer = await send(running, f"POST / HTTP/1.1\n{lines(signed(running, **changes))}", b"{}")
    assert "InvalidSignatureException" in answer
    assert said in answer


@pytest.mark.parametrize("header", ["X-Amz-Target: Other.Op", "X-Amz-Date: 20200101T000000Z"])
@pytest.mark.parametrize("first", [True, False])
async def test_a_signed_header_sent_twice_is_refused(
    start: Start, header: str, first: bool
) -> None:
    running = await start()
    own = lines(signed(running))
    both = f"{header}\n{own}" if first else f"{own}\n{header}"
    answer = await send(running, f"POST / HTTP/1.1\n{both}", b"{}")
    assert answer.split()[1] in {"400", "403", "404"}
    assert "clusterArn" not in answer


async def test_a_body_of_another_than_the_signed_digest_is_refused(start: Start) -> None:
    running = await start()
    good = await send(running, f"POST / HTTP/1.1\n{lines(signed(running))}", b"{}")
    assert "clusterArn" in good
    bad = await send(running, f"POST / HTTP/1.1\n{lines(signed(running))}", b'{"clusterName":"x"}')
    assert bad.split()[1] in {"400", "403"}
    assert "clusterArn" not in bad


def chunked(body: bytes, headers: dict[str, str]) -> bytes:
    """One signed chunk and the empty last one."""
    seed = headers["authorization"].rpartition("Signature=")[2]
    timestamp = headers["x-amz-date"]
    scope = f"{timestamp[:8]}/us-east-1/s3/aws4_request"
    key = signing_key(SECRET, timestamp[:8], "us-east-1", "s3")
    out, previous = b"", seed
    for part in (body, b""):
        digest = hashlib.sha256(part).hexdigest()
        text = "\n".join(
            ("AWS4-HMAC-SHA256-PAYLOAD", timestamp, scope, previous, EMPTY_SHA256, digest)
        )
        previous = hmac.new(key, text.encode(), "sha256").hexdigest()
        out += f"{len(part):x};chunk-signature={previous}\r\n".encode() + part + b"\r\n"
    return out


@pytest.mark.parametrize("changed", [False, True])
async def test_a_chunked_body_is_put_as_it_was_signed_chunk_by_chunk(
    start: Start, changed: bool
) -> None:
    running = await start()
    headers = signed(
        running,
        method="PUT",
        url=running.url + "/bucket/key",
        headers={
            "x-amz-content-sha256": SIGNED,
            "x-amz-decoded-content-length": "5",
            "content-encoding": "aws-chunked",
        },
        service="s3",
    )
    assert headers["x-amz-content-sha256"] == SIGNED
    sent = chunked(b"hello", headers)
    sent = sent.replace(b"hello", b"jello") if changed else sent
    answer = await send(running, f"PUT /bucket/key HTTP/1.1\n{lines(headers)}", sent)
    assert ("key:hello" in answer) is not changed
    assert ("SignatureDoesNotMatch" in answer) is changed
