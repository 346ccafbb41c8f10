"""A fabric with an installation of its own for each test."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from integration.fabric.fabric_builder import Builder, make_installation, traces

from longshore.base.installation import Installation
from longshore.fabric import open_fabric
from longshore.fabric.kernel import KernelFabric


@pytest.fixture(autouse=True)
def _root() -> None:
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return make_installation(tmp_path)


@pytest.fixture
def builder(installation: Installation) -> Builder:
    return Builder(installation)


@pytest.fixture
async def fabric(installation: Installation) -> AsyncIterator[KernelFabric]:
    opened = await open_fabric(installation)
    yield opened
    await opened.destroy()
    await opened.close()
    assert traces(installation) == []
