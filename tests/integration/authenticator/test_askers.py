"""Who may ask, and what is no question."""

import hashlib
import json
from typing import Any

import pytest
from integration.authenticator.api_server import (
    ACCOUNT,
    NAME,
    REGION,
    SECRET,
    ApiServer,
    token_review,
)

from longshore.model import eks

OPERATIONS = ["authenticate", "authorize"]
ACCESS_REVIEW = {
    "kind": "SubjectAccessReview",
    "apiVersion": "authorization.k8s.io/v1",
    "spec": {"user": "ann"},
}


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(
    "authorization",
    [None, "", "Bearer", "Bearer ", "Bearer wrong", f"Basic {SECRET}", f"Bearer  {SECRET}", SECRET],
)
async def test_who_does_not_show_the_clusters_secret_is_told_nothing(
    server: ApiServer, operation: str, authorization: str | None
) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    assert await server.post(operation, b"?", headers=headers) == (401, b"Unauthorized")


async def test_a_cluster_that_is_not_there_answers_as_to_a_wrong_secret(server: ApiServer) -> None:
    for cluster in ("prod", "Demo", "demo%00"):
        status, body = await server.post("authenticate", token_review(""), cluster)
        assert (status, body) == (401, b"Unauthorized")


async def test_a_clusters_secret_is_no_other_clusters(server: ApiServer) -> None:
    await server.cluster("prod", secret="another")
    status, _ = await server.post("authenticate", token_review(""), "prod")
    assert status == 401
    shown = {"Authorization": "bearer another"}
    status, _ = await server.post("authenticate", token_review(""), "prod", shown)
    assert status == 200


async def test_the_secret_of_an_earlier_cluster_of_the_same_name_is_worth_nothing(
    server: ApiServer,
) -> None:
    assert (await server.post("authenticate", token_review("")))[0] == 200
    digest = hashlib.sha256(SECRET.encode()).hexdigest()
    await server.status(id="EARLIER", webhook_digest=digest)
    assert (await server.post("authenticate", token_review("")))[0] == 401


async def test_a_cluster_that_has_no_secret_yet_answers_nobody(server: ApiServer) -> None:
    cluster = server.store.reader.get(eks.CLUSTER, ACCOUNT, REGION, NAME)
    assert cluster is not None
    await server.status(id=cluster.value.id)
    for secret in ("", SECRET):
        headers = {"Authorization": f"Bearer {secret}"}
        assert (await server.post("authenticate", token_review(""), headers=headers))[0] == 401


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b'{"spec":' + b"[" * 100_000,
        {},
        {**token_review("x"), "kind": "SubjectAccessReview"},
        {**token_review("x"), "apiVersion": "authentication.k8s.io/v1beta1"},
        {**token_review("x"), "spec": {}},
        {**token_review("x"), "spec": {"token": 1}},
        {**token_review("x"), "spec": None},
        token_review("\ud800"),
        ACCESS_REVIEW,
    ],
)
async def test_what_is_no_token_review_is_a_bad_request(server: ApiServer, body: Any) -> None:
    assert await server.post("authenticate", body) == (400, b"Bad Request")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        token_review("x"),
        {**ACCESS_REVIEW, "apiVersion": "authorization.k8s.io/v1beta1"},
        {**ACCESS_REVIEW, "spec": {"extra": {"canonicalArn": "arn"}}},
        {**ACCESS_REVIEW, "spec": {"uid": 1}},
        {**ACCESS_REVIEW, "spec": {"resourceAttributes": "pods"}},
        {**ACCESS_REVIEW, "spec": {"resourceAttributes": {"verb": ["get"]}}},
    ],
)
async def test_what_is_no_access_review_is_a_bad_request(server: ApiServer, body: Any) -> None:
    assert await server.post("authorize", body) == (400, b"Bad Request")


async def test_a_review_of_a_mebibyte_is_read_and_a_larger_one_is_not(server: ApiServer) -> None:
    body = json.dumps(token_review("x")).encode()
    assert (await server.post("authenticate", body.ljust(1024 * 1024)))[0] == 200
    assert (await server.post("authenticate", body.ljust(1024 * 1024 + 1)))[0] == 413


async def test_nothing_else_is_served_there(server: ApiServer) -> None:
    assert (await server.post("", {}))[0] == 404
    assert (await server.post("exec", {}))[0] == 404
    assert (await server.post("authenticate", {}, method="GET"))[0] == 405
