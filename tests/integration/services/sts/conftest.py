"""Somebody to ask STS as."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from integration.services.sts.sts_plane import Plane, running


@pytest.fixture
async def plane(tmp_path: Path) -> AsyncIterator[Plane]:
    async with running(tmp_path) as plane:
        yield plane
