"""One Longshore for all end-to-end tests: starting it is the expensive part."""

import tempfile
from pathlib import Path

import pytest
from end_to_end.checks import LAUNCH_TYPES, start_restarting
from end_to_end.cloud import Cloud
from end_to_end.farm import Farm
from end_to_end.patched import Patched
from end_to_end.patients import Patients
from end_to_end.sdk import python_image as make_python_image

from longshore.testing.images import busybox_files
from longshore.testing.longshore import RunningLongshore


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """A test that fails shows what its Longshore complained of."""
    report = (yield).get_result()
    if report.failed:
        for running in item.funcargs.values():
            if isinstance(running, RunningLongshore):
                for process in ("agent", "control-plane"):
                    report.sections.append((f"log of the {process}", running.complaints(process)))


@pytest.fixture(scope="session")
def longshore():
    with tempfile.TemporaryDirectory(prefix="longshore-e2e-") as directory:
        running = RunningLongshore(Path(directory) / "data")
        yield running
        running.end()


@pytest.fixture(scope="session")
def cloud(longshore, tmp_path_factory):
    return Cloud(longshore, tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="session")
def farm(cloud):
    """An EKS cluster with a managed node group of two; `test_eks_vanished` ends it."""
    return Farm(cloud)


@pytest.fixture(scope="session")
def patients(farm):
    """Nodes of the cluster that have fallen ill. To find and to replace them takes minutes, while
    which other tests run."""
    return Patients(farm)


@pytest.fixture(scope="session")
def patched():
    """Another Longshore's cluster, which is patched while other tests run."""
    with tempfile.TemporaryDirectory(prefix="longshore-patched-") as directory:
        begun = Patched(Path(directory))
        yield begun
        begun.join()


@pytest.fixture(scope="session")
def busybox_image(cloud):
    """An image with busybox's applets under /bin."""
    applets = ("sh", "httpd", "nc", "wget", "cat", "sleep", "ip", "nslookup", "env", "tr", "uname")
    return cloud.image("busybox", busybox_files(*applets), {"Cmd": ["/bin/sh"]})


@pytest.fixture(scope="session")
def python_image(cloud):
    """An image with boto3."""
    return make_python_image(cloud)


@pytest.fixture(scope="session")
def restarting(cloud):
    """Tasks whose containers are started again, by launch type. A restart takes a minute at least:
    who comes before the test of it asks for them too, so that they run meanwhile."""
    return {launch_type: start_restarting(cloud, launch_type) for launch_type in LAUNCH_TYPES}
