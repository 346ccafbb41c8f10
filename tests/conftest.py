"""How tests share two workers: those that share something costly stay together."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

TESTS = Path(__file__).parent

# No test asserts a time: a busy machine is not a failure. Random input is new in each run of a
# developer; CI asks of each change what it asked of the last.
settings.register_profile("developer", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("developer"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "developer")


@pytest.hookimpl(tryfirst=True)  # xdist's own hook reads these marks
def pytest_collection_modifyitems(items):
    """End-to-end tests of EKS on one worker and all others on one (they share a Longshore each),
    an integration module on one."""
    for item in items:
        place = item.path.relative_to(TESTS)
        if place.parts[0] == "end_to_end":
            clusters = place.name.startswith("test_eks")
            item.add_marker(pytest.mark.xdist_group("clusters" if clusters else "end_to_end"))
        elif place.parts[0] in {"integration", "conformance"}:
            item.add_marker(pytest.mark.xdist_group(str(place)))


@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session):
    """A worker that takes no notice of groups would start everything costly a second time."""
    grouped = [item for item in session.items if item.get_closest_marker("xdist_group")]
    if getattr(session.config.option, "loadgroup", False):
        assert all("@" in item.nodeid for item in grouped), "pytest-xdist takes no notice of groups"
