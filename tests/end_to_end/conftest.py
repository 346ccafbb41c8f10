"""One Longshore for all end-to-end tests: starting it is the expensive part."""

import tempfile
from pathlib import Path

import pytest

from longshore.testing.longshore import RunningLongshore


@pytest.fixture(scope="session")
def longshore():
    with tempfile.TemporaryDirectory(prefix="longshore-e2e-") as directory:
        running = RunningLongshore(Path(directory) / "data")
        yield running
        running.end()
