"""Secrets lie in etcd encrypted with a key of KMS, and are of no use without it."""

import contextlib
import os
from pathlib import Path

import pytest
from integration.kubernetes.key_beside import KeyBeside

from longshore.components.pins import KUBERNETES_RELEASES
from longshore.testing.kubernetes import running_control_plane
from longshore.testing.wait import wait_until

MARK = "a-text-that-nobody-else-writes"
PROVIDER = "/readyz/kms-providers"
BACK_SECONDS = 90


@pytest.fixture(scope="module")
def plane(tmp_path_factory):
    """A control plane whose `key` its secrets are encrypted with."""
    directory = tmp_path_factory.mktemp("kubernetes")

    @contextlib.contextmanager
    def beside(running):
        running.key = KeyBeside(running, tmp_path_factory.mktemp("kms"))
        gateway = running.inside(running.key.serve)
        with running.key.provider():
            yield
        running.inside(gateway.stop)

    minor, name = max(KUBERNETES_RELEASES), f"ls-test-e-{os.getpid()}"
    with running_control_plane(minor, directory, name, beside, encrypted=True) as running:
        yield running


def kept(plane, text):
    """Whether etcd has the text anywhere in its files."""
    files = [path for path in Path(plane.plane.data).rglob("*") if path.is_file()]
    return any(text.encode() in path.read_bytes() for path in files)


def test_nobody_finds_a_secret_in_etcds_files(plane):
    plane.run("create", "secret", "generic", "hidden", f"--from-literal=text={MARK}")
    plane.run("create", "configmap", "shown", f"--from-literal=text={MARK[::-1]}")
    assert kept(plane, MARK[::-1])
    assert not kept(plane, MARK)
    assert kept(plane, "k8s:enc:kms:v2:kms:")
    assert plane.kubectl("get", "secret", "hidden")["data"]["text"]


def test_without_its_key_an_api_server_that_starts_reads_no_secret_until_it_is_enabled(plane):
    plane.run("create", "secret", "generic", "waiting", f"--from-literal=text={MARK}")
    plane.key.enable(False)
    plane.restart("kube-apiserver")

    def told():
        found = plane.run("get", "--raw", PROVIDER, check=False)
        return "DisabledException" in found.stderr

    wait_until(told, BACK_SECONDS, "the API server misses its key")
    assert plane.run("get", "secret", "waiting", check=False).returncode != 0
    plane.run("get", "configmap", "shown")
    plane.key.enable(True)
    wait_until(
        lambda: plane.run("get", "secret", "waiting", check=False).returncode == 0,
        BACK_SECONDS,
        "the secret is read again",
    )
    wait_until(plane.is_ready, BACK_SECONDS, "the API server is ready")
