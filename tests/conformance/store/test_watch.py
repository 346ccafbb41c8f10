"""Watches: every change, in order, also those that were missed."""

import asyncio

import pytest
from conformance.store.conftest import Place
from conformance.store.kinds import ACCOUNT, OTHER, REGION, THING, Other, Thing

from longshore.store import commit, postgres, sqlite
from longshore.store.interface import Change, Compacted, Store


def put(name: str, number: int):
    return lambda tx: tx.put(THING, ACCOUNT, REGION, name, Thing(number))


async def take(changes, count: int) -> list[Change]:
    async with asyncio.timeout(10):
        return [await anext(changes) for _ in range(count)]


def told(changes: list[Change]) -> list[tuple]:
    return [
        (
            change.key.name,
            change.before and change.before.value.number,
            change.after and change.after.value.number,
        )
        for change in changes
    ]


async def test_watch_tells_what_was_before_and_after(store: Store):
    changes = store.watch([THING])
    await store.transact(put("a", 1))
    await store.transact(put("a", 2))
    await store.transact(lambda tx: tx.delete(THING, ACCOUNT, REGION, "a"))
    assert told(await take(changes, 3)) == [("a", None, 1), ("a", 1, 2), ("a", 2, None)]


async def test_watch_leaves_out_other_kinds(store: Store):
    changes = store.watch([OTHER])
    await store.transact(put("a", 1))
    await store.transact(lambda tx: tx.put(OTHER, "", "", "b", Other(5)))
    assert told(await take(changes, 1)) == [("b", None, 5)]


async def test_watch_is_registered_when_called(store: Store):
    changes = store.watch([THING])
    await asyncio.gather(*(store.transact(put(f"n{number}", number)) for number in range(20)))
    found = await take(changes, 20)
    assert [change.revision for change in found] == sorted({change.revision for change in found})


async def test_watch_resumes_after_a_revision(store: Store):
    for number in range(5):
        await store.transact(put("a", number))
    after = store.revision - 2
    changes = store.watch([THING], after=after)
    await store.transact(put("a", 5))
    assert told(await take(changes, 3)) == [("a", 2, 3), ("a", 3, 4), ("a", 4, 5)]


async def test_watch_resumes_after_reopening(lasting: Place):
    store = await lasting.open()
    await store.transact(put("a", 1))
    after = store.revision
    await store.transact(put("a", 2))
    await store.close()
    again = await lasting.open()
    changes = again.watch([THING], after=after)
    await again.transact(put("a", 3))
    assert told(await take(changes, 2)) == [("a", 1, 2), ("a", 2, 3)]


async def test_watch_from_before_the_kept_history_says_that_it_is_compacted(
    lasting: Place, monkeypatch: pytest.MonkeyPatch
):
    for module in (sqlite, postgres):
        monkeypatch.setattr(module, "HISTORY", 10)
        monkeypatch.setattr(module, "TRIM_EVERY", 5)
    assert commit.HISTORY > 10
    store = await lasting.open()
    for number in range(40):
        await store.transact(put("a", number))
    with pytest.raises(Compacted):
        await anext(store.watch([THING], after=1))
    recent = store.watch([THING], after=store.revision - 3)
    assert len(await take(recent, 3)) == 3


async def test_two_control_planes_see_each_others_changes_in_one_order(shared: Place):
    stores = [await shared.open(), await shared.open()]
    watches = [store.watch([THING], after=0) for store in stores]
    await asyncio.gather(
        *(stores[number % 2].transact(put(f"n{number % 7}", number)) for number in range(100))
    )
    first, second = [await take(watch, 100) for watch in watches]
    assert told(first) == told(second)
    assert [change.revision for change in first] == list(range(1, 101))


async def test_increments_through_two_control_planes_are_all_counted(shared: Place):
    stores = [await shared.open(), await shared.open()]

    def increment(tx) -> None:
        record = tx.get(THING, ACCOUNT, REGION, "counter")
        tx.put(THING, ACCOUNT, REGION, "counter", Thing(record.value.number + 1 if record else 1))

    await asyncio.gather(*(stores[number % 2].transact(increment) for number in range(100)))
    for store in stores:
        # A transaction that writes brings its store up to what the other has written.
        await store.transact(lambda tx: tx.put(OTHER, "", "", "x", Other()))
        record = store.reader.get(THING, ACCOUNT, REGION, "counter")
        assert record is not None and record.value.number == 100
