"""Somebody to ask IAM as."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from integration.services.iam.iam_plane import Caller, Plane, running


@pytest.fixture
async def plane(tmp_path: Path) -> AsyncIterator[Plane]:
    async with running(tmp_path) as plane:
        yield plane


@pytest.fixture
def admin(plane: Plane) -> Caller:
    return plane.admin
