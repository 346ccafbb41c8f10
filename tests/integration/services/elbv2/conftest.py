from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from integration.services.elbv2.balancing_plane import Balancing, running


@pytest.fixture
async def balancing(tmp_path: Path) -> AsyncIterator[Balancing]:
    async with running(tmp_path) as found:
        yield found
