from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from integration.services.eks.eks_plane import Clusters, running


@pytest.fixture
async def clusters(tmp_path: Path) -> AsyncIterator[Clusters]:
    async with running(tmp_path) as found:
        yield found
