"""A control plane for tests that leave it as they found it."""

import os

import pytest

from longshore.components.pins import KUBERNETES_RELEASES
from longshore.testing.kubernetes import running_control_plane


@pytest.fixture(scope="package")
def shared_plane(tmp_path_factory):
    minor = max(KUBERNETES_RELEASES)
    directory = tmp_path_factory.mktemp("kubernetes")
    with running_control_plane(minor, directory, f"ls-test-s-{os.getpid()}") as running:
        running.minor = minor
        yield running
