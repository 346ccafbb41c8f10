from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from integration.controllers.ecs_plane import BATCH, WEB, Plane, PlayedAgent, running_plane


@pytest.fixture
async def plane(tmp_path: Path) -> AsyncIterator[Plane]:
    async with running_plane(tmp_path) as plane:
        await plane.call("RegisterTaskDefinition", **WEB)
        await plane.call("RegisterTaskDefinition", **BATCH)
        yield plane


@pytest.fixture
async def host(plane: Plane) -> AsyncIterator[PlayedAgent]:
    agent = PlayedAgent(plane, host="host-1")
    await agent.register()
    await agent.connect()
    await agent.told(lambda agent: agent.messages)
    yield agent
    await agent.close()
