"""An API server that asks."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from integration.authenticator.api_server import ApiServer, running


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ApiServer]:
    async with running(tmp_path) as server:
        await server.cluster()
        yield server
