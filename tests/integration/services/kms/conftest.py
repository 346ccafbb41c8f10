"""KMS for every test of this folder."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from integration.services.kms.kms_plane import Keys, running


@pytest.fixture
async def keys(tmp_path: Path) -> AsyncIterator[Keys]:
    async with running(tmp_path) as found:
        yield found
