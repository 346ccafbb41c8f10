"""A control plane made of our keys and command lines is an upstream one, and loses nothing."""

import base64
import json
import os

import pytest

from longshore.base.certificates import Subject, issue, new_authority
from longshore.base.clock import SystemClock
from longshore.components.pins import KUBERNETES_RELEASES
from longshore.testing.kubernetes import running_control_plane
from longshore.testing.wait import wait_until


@pytest.fixture(scope="module", params=KUBERNETES_RELEASES)
def plane(request, tmp_path_factory):
    directory = tmp_path_factory.mktemp("kubernetes")
    with running_control_plane(request.param, directory, f"ls-test-k-{os.getpid()}") as running:
        running.minor = request.param
        yield running


def test_it_is_the_pinned_patch_of_its_minor_version(plane):
    version = plane.kubectl("version")["serverVersion"]
    assert version["gitVersion"] == f"v{KUBERNETES_RELEASES[plane.minor]}"
    assert f"{version['major']}.{version['minor']}" == plane.minor


def test_its_controllers_make_pods_and_its_scheduler_looks_for_a_node(plane):
    plane.run("create", "deployment", "web", "--image=web:1", "--replicas=2")

    def unschedulable():
        pods = plane.kubectl("get", "pods", "--selector=app=web")["items"]
        conditions = [each for pod in pods for each in pod["status"].get("conditions", ())]
        reasons = [each["reason"] for each in conditions if each["type"] == "PodScheduled"]
        return reasons == ["Unschedulable", "Unschedulable"]

    wait_until(unschedulable, 60, "the scheduler has found no node")


def test_its_service_accounts_tokens_name_its_issuer(plane):
    token = plane.run("create", "token", "default").stdout
    payload = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert claims["iss"] == plane.plane.issuer
    assert claims["sub"] == "system:serviceaccount:default:default"


@pytest.mark.parametrize("authority", ["another's", "etcd", "front_proxy"])
def test_client_of_another_authority_is_refused(plane, authority):
    now = SystemClock().now()
    signer = getattr(plane.keys, authority, None) or new_authority("kubernetes", now)
    subject = Subject(common_name="eve", organizations=("system:masters",), client=True)
    config = plane.config("eve", issue(signer, subject, now))
    refused = plane.run("get", "namespaces", check=False, config=config)
    assert refused.returncode != 0
    assert "Unauthorized" in refused.stderr or "provide credentials" in refused.stderr


def test_client_without_groups_may_do_nothing(plane):
    subject = Subject(common_name="ann", client=True)
    config = plane.config("ann", issue(plane.keys.cluster, subject, SystemClock().now()))
    refused = plane.run("get", "secrets", check=False, config=config)
    assert 'User "ann" cannot list resource "secrets"' in refused.stderr


def test_what_was_acknowledged_is_there_after_kill_of_everything(plane):
    for number in range(20):
        plane.run("create", "configmap", f"kept-{number}", f"--from-literal=number={number}")
    plane.kill()
    assert not plane.is_ready()
    plane.start()
    for number in range(20):
        kept = plane.kubectl("get", "configmap", f"kept-{number}")
        assert kept["data"] == {"number": str(number)}
