from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from integration.services.autoscaling.scaling_plane import Scaling, running


@pytest.fixture
async def scaling(tmp_path: Path) -> AsyncIterator[Scaling]:
    async with running(tmp_path) as found:
        yield found
