"""The webhook of pods, asked as an API server asks it."""

import base64
import json
from typing import Any

import pytest
from integration.authenticator.api_server import ACCOUNT, NAME, REGION, ApiServer

from longshore.kubernetes.admission import configuration, proof
from longshore.model import eks

ROLE = f"arn:aws:iam::{ACCOUNT}:role/shop"
ACCOUNT_PATH = "/api/v1/namespaces/default/serviceaccounts/till"
POD = {
    "metadata": {"name": "till", "namespace": "default"},
    "spec": {"serviceAccountName": "till", "containers": [{"name": "web", "image": "web"}]},
}


def review(pod: Any = POD) -> dict[str, Any]:
    return {
        "kind": "AdmissionReview",
        "apiVersion": "admission.k8s.io/v1",
        "request": {
            "uid": "u-1",
            "operation": "CREATE",
            "namespace": "default",
            "object": pod,
            "userInfo": {"username": "ann"},
            "dryRun": False,
        },
    }


def digest(server: ApiServer) -> str:
    status = server.store.reader.get(eks.CLUSTER_STATUS, ACCOUNT, REGION, NAME)
    assert status is not None
    return status.value.webhook_digest


def annotate(server: ApiServer, **annotations: str) -> None:
    server.objects[ACCOUNT_PATH] = {"metadata": {"name": "till", "annotations": annotations}}


async def ask(server: ApiServer, body: Any, shown: str = "") -> tuple[int, Any]:
    """The API server shows nothing but the path."""
    path = f"mutate-pods/{shown or proof(digest(server))}"
    status, answer = await server.post(path, body, headers={})
    return status, json.loads(answer) if status == 200 else None


async def test_a_pod_gets_what_its_service_account_is_annotated_with(server: ApiServer) -> None:
    annotate(server, **{"eks.amazonaws.com/role-arn": ROLE})
    status, answer = await ask(server, review())
    assert status == 200
    assert answer["apiVersion"] == "admission.k8s.io/v1"
    response = answer["response"]
    assert (response["uid"], response["allowed"]) == ("u-1", True)
    patch = {
        each["path"]: each["value"] for each in json.loads(base64.b64decode(response["patch"]))
    }
    (container,) = patch["/spec/containers"]
    assert {"name": "AWS_ROLE_ARN", "value": ROLE} in container["env"]
    assert container["image"] == "web"


async def test_a_pod_without_a_role_is_let_in_as_it_is(server: ApiServer) -> None:
    plain = {"uid": "u-1", "allowed": True}
    for annotations in ({}, {"eks.amazonaws.com/audience": "x"}):
        annotate(server, **annotations)
        assert (await ask(server, review()))[1]["response"] == plain
    server.objects.clear()
    assert (await ask(server, review()))[1]["response"] == plain


@pytest.mark.parametrize("shown", ["0", "%00", proof(""), "0" * 64])
async def test_nobody_else_is_answered(server: ApiServer, shown: str) -> None:
    annotate(server, **{"eks.amazonaws.com/role-arn": ROLE})
    assert (await ask(server, review(), shown))[0] == 401


async def test_another_clusters_proof_is_none(server: ApiServer) -> None:
    own = proof(digest(server))
    await server.cluster("other", secret="another")
    status, _ = await server.post(f"mutate-pods/{own}", review(), cluster="other", headers={})
    assert status == 401
    await server.status(id="0" * 32)
    assert (await ask(server, review(), own))[0] == 401


async def test_what_is_no_review_is_refused(server: ApiServer) -> None:
    for body in (b"", b"{", b"[]", b'{"request": {}}', b'{"request": {"uid": "u"}}'):
        assert (await ask(server, body))[0] == 400
    assert (await ask(server, b"x" * (1024 * 1024 + 1)))[0] == 413


def test_the_api_server_lets_pods_in_where_nobody_answers() -> None:
    (webhook,) = configuration("https://example.com/x", b"PEM")["webhooks"]
    assert webhook["failurePolicy"] == "Ignore"
    assert webhook["timeoutSeconds"] <= 10
    assert base64.b64decode(webhook["clientConfig"]["caBundle"]) == b"PEM"
