"""The host makes itself known to a real ECS, and learns of itself from the answer."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

from integration.controllers.ecs_plane import HOST_CREDENTIAL
from integration.services.served import serving
from unit.agent.endpoints.agent_host import make_host

from longshore.agent.agent import run_agent
from longshore.agent.host import Host
from longshore.awsapi.signing import Keys
from longshore.base.clock import SystemClock
from longshore.base.installation import Installation
from longshore.services.ecs import service
from longshore.testing.wait import eventually


@contextlib.asynccontextmanager
async def running_agent(installation: Installation) -> AsyncIterator[Host]:
    """An agent that has just begun: it knows what is on its disk."""
    key = HOST_CREDENTIAL
    host = replace(
        make_host(installation.data_dir, SystemClock()),
        installation=installation,
        keys=lambda: Keys(key.access_key_id, key.secret_access_key),
        zone="",
    )
    running = asyncio.create_task(run_agent(host))
    try:
        yield host
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def knows_its_zone(host: Host) -> None:
    async def known() -> bool:
        return host.zone == "us-east-1a"

    await eventually(known)


async def test_host_learns_its_zone_and_knows_it_after_a_restart_without_control_plane(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path, [service()]) as served:
        served.identity._known[HOST_CREDENTIAL.access_key_id] = HOST_CREDENTIAL
        async with running_agent(served.installation) as host:
            await knows_its_zone(host)
    async with running_agent(served.installation) as host:
        await knows_its_zone(host)
        assert not host.instance_arn
