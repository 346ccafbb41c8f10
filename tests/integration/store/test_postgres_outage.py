"""A PostgreSQL that crashes and comes back: writes wait, and none is lost or done twice."""

import asyncio
from collections.abc import Iterator

import pytest
from conformance.store.kinds import ACCOUNT, OTHER, REGION, THING, Other, Thing

from longshore.base.clock import SystemClock
from longshore.store import open_store, postgres
from longshore.store.interface import StoreUnavailable, Transaction
from longshore.testing.postgres import PostgresServer, running_postgres
from longshore.testing.wait import eventually

KINDS = (THING, OTHER)


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with running_postgres() as server:
        yield server


def increment(tx: Transaction) -> None:
    record = tx.get(THING, ACCOUNT, REGION, "counter")
    tx.put(THING, ACCOUNT, REGION, "counter", Thing(record.value.number + 1 if record else 1))


async def test_writes_during_a_crash_of_the_database_happen_exactly_once(server: PostgresServer):
    url = server.database()
    store, other = [await open_store(url, KINDS, SystemClock()) for _ in range(2)]
    changes = other.watch([THING])
    done = 0

    async def write() -> None:
        nonlocal done
        for _ in range(150):
            await store.transact(increment)
            done += 1

    async def crash() -> None:
        for _ in range(2):
            before = done
            await eventually(
                lambda before=before: asyncio.sleep(0, done > before + 20 or done == 600)
            )
            await asyncio.to_thread(server.stop, "immediate")
            await asyncio.to_thread(server.start)

    await asyncio.gather(crash(), *(write() for _ in range(4)))
    record = store.reader.get(THING, ACCOUNT, REGION, "counter")
    assert record is not None and record.value.number == 600
    seen = [await anext(changes) for _ in range(600)]
    assert [change.after.value.number for change in seen if change.after] == list(range(1, 601))
    await store.close()
    await other.close()


async def test_unreachable_database_is_told_as_unavailable(
    server: PostgresServer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(postgres, "PATIENCE", 0.3)
    store = await open_store(server.database(), KINDS, SystemClock())
    await asyncio.to_thread(server.stop, "immediate")
    with pytest.raises(StoreUnavailable):
        await store.transact(increment)
    with pytest.raises(StoreUnavailable):
        await store.acquire("leader", "one", 10, 0)
    assert store.reader.get(THING, ACCOUNT, REGION, "counter") is None
    await asyncio.to_thread(server.start)
    await store.transact(increment)
    await store.transact(lambda tx: tx.put(OTHER, "", "", "x", Other()))
    assert await store.acquire("leader", "one", 10, 0) is not None
    await store.close()
