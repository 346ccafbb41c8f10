"""Every implementation of the store, opened in places of their own."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from conformance.store.kinds import OTHER, THING

from longshore.base.clock import SystemClock
from longshore.store import open_store
from longshore.store.interface import Store
from longshore.testing.memory_store import MemoryStore
from longshore.testing.postgres import PostgresServer, running_postgres

KINDS = (THING, OTHER)


class Place:
    """Where a store is kept: opens it, again and again if it lasts."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._opened: list[Store] = []

    @property
    def lasts(self) -> bool:
        return bool(self.url)

    async def open(self) -> Store:
        store = await open_store(self.url, KINDS, SystemClock()) if self.url else MemoryStore()
        self._opened.append(store)
        return store

    async def close(self) -> None:
        for store in self._opened:
            await store.close()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    with running_postgres() as server:
        yield server


def _url(name: str, tmp_path: Path, server: Callable[[], PostgresServer]) -> str:
    if name == "memory":
        return ""
    return server().database() if name == "postgres" else f"sqlite://{tmp_path}/state.db"


@pytest.fixture(params=["sqlite", "postgres", "memory"])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    url = _url(request.param, tmp_path, lambda: request.getfixturevalue("postgres_server"))
    made = Place(url)
    yield made
    await made.close()


@pytest.fixture(params=["sqlite", "postgres"])
async def lasting(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    """The implementations that keep their records."""
    url = _url(request.param, tmp_path, lambda: request.getfixturevalue("postgres_server"))
    made = Place(url)
    yield made
    await made.close()


@pytest.fixture
async def shared(postgres_server: PostgresServer) -> AsyncIterator[Place]:
    """The implementation that several control planes may have open at once."""
    made = Place(postgres_server.database())
    yield made
    await made.close()


@pytest.fixture
async def store(place: Place) -> Store:
    return await place.open()
