"""Who may push and pull: ECR's tokens, IAM, and ECR's wording of what is refused."""

import base64
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from longshore.base import admission
from longshore.base.ids import RandomIds
from longshore.images import tokens
from longshore.model.principal import root
from longshore.testing.clock import FakeClock
from longshore.testing.registry import RunningRegistry
from longshore.testing.registry_client import Client, error, manifest, sha256
from longshore.testing.wait import wait_until

ACCOUNT = "123456789012"


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


@pytest.fixture
def clocked(tmp_path: Path) -> Iterator[RunningRegistry]:
    running = RunningRegistry(tmp_path, clock=FakeClock())
    yield running
    running.close()


@pytest.mark.parametrize(
    "headers",
    [
        {},
        basic("AWS", "guess"),
        basic("AWS", base64.b64encode(b"x" * 200).decode()),
        basic("AWS", "é" * 10),
        {"Authorization": "Basic !!!"},
        {"Authorization": "Bearer abc"},
        {"Authorization": "Basic"},
    ],
)
def test_who_is_not_known_is_told_how_to_become_known(
    registry: RunningRegistry, headers: dict[str, str]
) -> None:
    with Client(registry, headers) as client:
        for path in ("/v2/", "/v2/some/name/manifests/latest", "/anything"):
            answer = client("GET", path)
            assert answer.status == 401
            assert answer.headers["Www-Authenticate"] == (
                f'Basic realm="https://{registry.host}/",service="ecr.amazonaws.com"'
            )


def test_another_user_name_does_not_do(registry: RunningRegistry) -> None:
    with Client(registry, basic("admin", registry.password())) as client:
        assert client("GET", "/v2/").status == 401


def test_a_token_ends_after_twelve_hours(clocked: RunningRegistry) -> None:
    headers = clocked.authorization()
    clock = clocked.clock
    assert isinstance(clock, FakeClock)
    with Client(clocked, headers) as client:
        clock.advance(12 * 3600 - 1)
        assert client("GET", "/v2/").status == 200
        clock.advance(1)
        answer = client("GET", "/v2/")
        assert error(answer) == (403, "DENIED")
        assert "Your authorization token has expired" in answer.data.decode()


def test_tokens_of_another_installation_do_not_do(registry: RunningRegistry) -> None:
    password = tokens.seal(bytes(32), root(ACCOUNT), registry.clock.now() + 60, RandomIds())
    with Client(registry, basic("AWS", password)) as client:
        assert client("GET", "/v2/").status == 401


@pytest.mark.parametrize(
    ("action", "method", "path"),
    [
        ("BatchCheckLayerAvailability", "HEAD", "blobs/sha256:" + "a" * 64),
        ("BatchDeleteImage", "DELETE", "manifests/v1"),
        ("BatchGetImage", "GET", "manifests/v1"),
        ("BatchGetImage", "GET", "referrers/sha256:" + "a" * 64),
        ("CompleteLayerUpload", "PUT", "blobs/uploads/x"),
        ("GetDownloadUrlForLayer", "GET", "blobs/sha256:" + "a" * 64),
        ("InitiateLayerUpload", "POST", "blobs/uploads/"),
        ("ListImages", "GET", "tags/list"),
        ("PutImage", "PUT", "manifests/v1"),
        ("UploadLayerPart", "PATCH", "blobs/uploads/x"),
    ],
)
def test_each_request_needs_its_permission(
    registry: RunningRegistry, repository: str, action: str, method: str, path: str
) -> None:
    registry.everybody.denied.add(f"ecr:{action}")
    with Client(registry) as client:
        answer = client(method, f"/v2/{repository}/{path}")
        assert answer.status == 403
        if method != "HEAD":
            assert error(answer) == (403, "DENIED")
            assert answer.json()["errors"][0]["message"].startswith(
                f"User: arn:aws:iam::{ACCOUNT}:root is not authorized to perform: ecr:{action} on"
                f" resource: arn:aws:ecr:us-east-1:{ACCOUNT}:repository/{repository}"
            )


def test_a_missing_repository_is_told_in_ecrs_words(registry: RunningRegistry) -> None:
    with Client(registry) as client:
        answer = client("POST", "/v2/no/such/blobs/uploads/")
        assert error(answer) == (404, "NAME_UNKNOWN")
        assert answer.json()["errors"][0]["message"] == (
            f"The repository with name 'no/such' does not exist in the registry with id '{ACCOUNT}'"
        )


def test_an_immutable_tag_is_not_moved(registry: RunningRegistry) -> None:
    registry.create_repository("fixed", tag_mutability="IMMUTABLE")
    with Client(registry) as client:
        client.push_parts("fixed")
        client.push_manifest("fixed", manifest(), "v1")
        client.push_manifest("fixed", manifest(), "v1")
        other = manifest(annotations={"a": "b"})
        refused = client("PUT", "/v2/fixed/manifests/v1", other)
        assert error(refused) == (400, "TAG_INVALID")
        assert "The image tag 'v1' already exists in the 'fixed' repository" in str(refused.json())
        assert client("GET", "/v2/fixed/manifests/v1").data == manifest()
        assert client("GET", f"/v2/fixed/manifests/{sha256(other)}").status == 404


def test_the_hosts_name_tells_account_and_region(registry: RunningRegistry) -> None:
    with Client(registry) as client:
        host = registry.installation.registry_host("222222222222", "eu-west-1")
        answer = client("GET", "/v2/no/such/tags/list", host=host)
        assert "registry with id '222222222222'" in str(answer.json())
        asked = registry.everybody.asked[-1]
        assert asked[1] == "arn:aws:ecr:eu-west-1:222222222222:repository/no/such"


def test_a_blob_of_another_repository_is_not_shown(registry: RunningRegistry) -> None:
    registry.create_repository("mine")
    registry.create_repository("theirs")
    with Client(registry) as client:
        digest = client.push_blob("theirs", b"theirs alone")
        assert error(client("GET", f"/v2/mine/blobs/{digest}")) == (404, "BLOB_UNKNOWN")
        started = client("POST", "/v2/theirs/blobs/uploads/").headers["Location"]
        elsewhere = started.replace("/theirs/", "/mine/")
        assert error(client("PATCH", elsewhere, b"x")) == (404, "BLOB_UPLOAD_UNKNOWN")


def test_open_installations_take_anybody(tmp_path: Path) -> None:
    running = RunningRegistry(tmp_path, auth="open")
    running.create_repository("web")
    try:
        with Client(running, {}) as client:
            client.push_parts("web")
            client.push_manifest("web", manifest(), "v1")
    finally:
        running.close()


def raw(registry: RunningRegistry, request: bytes) -> bytes:
    """The answer to bytes that no client library would send."""
    context = ssl.create_default_context(cafile=str(registry.authority.certificate_path))
    port = registry.installation.registry_port
    with (
        socket.create_connection(("127.0.0.1", port), 10) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as secure,
    ):
        secure.sendall(request)
        got = b""
        try:
            while piece := secure.recv(65536):
                got += piece
        except OSError:
            pass
        return got


def test_two_lengths_in_one_request_are_refused(registry: RunningRegistry) -> None:
    answer = raw(
        registry,
        b"POST /v2/a/blobs/uploads/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    )
    assert answer.startswith(b"HTTP/1.1 400 ")


def test_a_head_without_end_is_cut_off(registry: RunningRegistry) -> None:
    answer = raw(registry, b"GET /v2/ HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 500_000)
    assert answer.startswith(b"HTTP/1.1 400 ") or answer == b""


def test_a_truncated_upload_is_kept_to_be_resumed(
    registry: RunningRegistry, repository: str
) -> None:
    content = bytes(range(256)) * 16384
    with Client(registry) as client:
        location = client("POST", f"/v2/{repository}/blobs/uploads/").headers["Location"]

        def received() -> int:
            return int(client("GET", location).headers["Range"].partition("-")[2])

        with start_patch(registry, location, len(content)) as connection:
            connection.sendall(content[:3_000_000])
            wait_until(lambda: received() > 1_000_000)
        wait_until(lambda: not registry.blobs.is_busy(location.rpartition("/")[2]))
        size = received() + 1
        assert 1_000_000 < size <= 3_000_000
        done = client(
            "PUT",
            f"{location}?digest={sha256(content)}",
            content[size:],
            content_range=f"{size}-{len(content) - 1}",
        )
        assert done.status == 201


@contextmanager
def start_patch(registry: RunningRegistry, location: str, length: int) -> Iterator[ssl.SSLSocket]:
    """A PATCH that promises `length` bytes; the connection is closed when left."""
    context = ssl.create_default_context(cafile=str(registry.authority.certificate_path))
    port = registry.installation.registry_port
    with (
        socket.create_connection(("127.0.0.1", port), 10) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as secure,
    ):
        authorization = registry.authorization()["Authorization"]
        head = (
            f"PATCH {location} HTTP/1.1\r\nHost: {registry.host}\r\n"
            f"Authorization: {authorization}\r\nContent-Length: {length}\r\n\r\n"
        )
        secure.sendall(head.encode())
        yield secure


def test_client_that_never_ends_its_head_is_cut(
    registry: RunningRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "PATIENCE_SECONDS", 0.3)
    trust = ssl.create_default_context(cafile=str(registry.authority.certificate_path))
    trust.check_hostname = False
    port = registry.installation.registry_port
    with (
        socket.create_connection(("127.0.0.1", port), timeout=30) as plain,
        trust.wrap_socket(plain) as client,
    ):
        client.sendall(b"GET /v2/ HTTP/1.1\r\nHost:")
        assert client.recv(1) == b""
