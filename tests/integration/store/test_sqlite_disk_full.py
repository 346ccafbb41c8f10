"""A file system without room: nothing of the group is kept, and the store goes on afterwards."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from conformance.store.kinds import ACCOUNT, OTHER, REGION, THING, Thing

from longshore.base.clock import SystemClock
from longshore.store import open_store
from longshore.store.interface import StoreUnavailable, Transaction
from longshore.testing import disks


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with disks.small_disk(tmp_path / "disk") as disk:
        yield disk


async def test_full_disk_fails_the_whole_group_and_keeps_nothing_of_it(small_disk: Path):
    url = f"sqlite://{small_disk}/state.db"
    store = await open_store(url, (THING, OTHER), SystemClock())

    def put(name: str, size: int):
        return lambda tx: tx.put(THING, ACCOUNT, REGION, name, Thing(1, text="x" * size))

    await store.transact(put("kept", 10))
    revision = store.revision
    changes = store.watch([THING])
    results = await asyncio.gather(
        store.transact(put("small", 10)), store.transact(put("big", 2**21)), return_exceptions=True
    )
    assert all(isinstance(result, StoreUnavailable) for result in results)
    assert [record.key.name for record in store.reader.scan(THING)] == ["kept"]
    assert store.revision == revision

    await store.transact(put("after", 10))
    assert (await anext(changes)).key.name == "after"
    await store.close()
    again = await open_store(url, (THING, OTHER), SystemClock())
    assert [record.key.name for record in again.reader.scan(THING)] == ["after", "kept"]
    await again.close()


async def test_read_beside_a_write_that_found_no_room_is_answered_from_what_is_durable(
    small_disk: Path,
):
    store = await open_store(f"sqlite://{small_disk}/state.db", (THING, OTHER), SystemClock())

    def put(number: int, size: int):
        return lambda tx: tx.put(THING, ACCOUNT, REGION, "a", Thing(number, text="x" * size))

    def number(tx: Transaction) -> int:
        record = tx.get(THING, ACCOUNT, REGION, "a")
        return 0 if record is None else record.value.number

    await store.transact(put(1, 10))
    written, read = await asyncio.gather(
        store.transact(put(2, 2**21)), store.transact(number), return_exceptions=True
    )
    assert isinstance(written, StoreUnavailable)
    assert read == 1
    await store.close()
