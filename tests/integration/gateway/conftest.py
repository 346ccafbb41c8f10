"""Gateways that end with their test."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from longshore.testing.gateway import Running, Start, start_gateway


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    """Starts gateways; see `start_gateway`."""
    running: list[Running] = []

    async def start_one(*arguments: Any, **changes: Any) -> Running:
        running.append(await start_gateway(tmp_path, *arguments, **changes))
        return running[-1]

    yield start_one
    for one in running:
        await one.gateway.stop()
