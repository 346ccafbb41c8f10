from collections.abc import Iterator
from pathlib import Path

import pytest

from longshore.testing.registry import RunningRegistry


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRegistry]:
    """One registry for all tests of a module: each uses repositories of its own."""
    running = RunningRegistry(tmp_path_factory.mktemp("registry"))
    yield running
    running.close()


@pytest.fixture
def repository(registry: RunningRegistry, request: pytest.FixtureRequest) -> Iterator[str]:
    """A fresh repository's name; nothing is denied afterwards."""
    name = f"tests/{abs(hash(request.node.name)):x}"
    registry.create_repository(name)
    yield name
    registry.everybody.denied.clear()


@pytest.fixture(scope="session")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("work")
