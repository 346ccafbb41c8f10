"""Transactions: whole or not at all, in order, seen by everyone only when they last."""

import asyncio

import msgspec
import pytest
from conformance.store.conftest import Place
from conformance.store.kinds import ACCOUNT, OTHER, REGION, THING, Other, Thing

from longshore.store.interface import Conflict, Store, Transaction


def put(name: str, number: int):
    return lambda tx: tx.put(THING, ACCOUNT, REGION, name, Thing(number))


async def test_what_was_put_is_read_back_with_its_revision(store: Store):
    await store.transact(put("a", 1))
    record = store.reader.get(THING, ACCOUNT, REGION, "a")
    assert record is not None
    assert (record.value, record.revision) == (Thing(1), store.revision)


async def test_each_transaction_has_a_greater_revision(store: Store):
    revisions = []
    for number in range(3):
        await store.transact(put("a", number))
        revisions.append(store.revision)
    assert revisions == sorted(set(revisions))


async def test_records_of_one_transaction_share_a_revision(store: Store):
    def both(tx: Transaction) -> None:
        tx.put(THING, ACCOUNT, REGION, "a", Thing(1))
        tx.put(OTHER, "", "", "b", Other(1))

    await store.transact(both)
    thing, other = (
        store.reader.get(THING, ACCOUNT, REGION, "a"),
        store.reader.get(OTHER, "", "", "b"),
    )
    assert thing is not None and other is not None
    assert thing.revision == other.revision


async def test_function_that_raises_leaves_nothing_behind(store: Store):
    def fail(tx: Transaction) -> None:
        tx.put(THING, ACCOUNT, REGION, "a", Thing(1))
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await store.transact(fail)
    assert store.reader.get(THING, ACCOUNT, REGION, "a") is None


async def test_result_of_the_function_is_returned(store: Store):
    assert await store.transact(lambda tx: 42) == 42
    assert await store.transact(lambda tx: (tx.put(OTHER, "", "", "x", Other()), 43)[1]) == 43


async def test_transaction_sees_its_own_writes(store: Store):
    def write(tx: Transaction) -> list[object]:
        tx.put(THING, ACCOUNT, REGION, "b", Thing(2, ("red",)))
        tx.put(THING, ACCOUNT, REGION, "a", Thing(1, ("red",)))
        tx.delete(THING, ACCOUNT, REGION, "gone")
        got = tx.get(THING, ACCOUNT, REGION, "a")
        assert got is not None
        return [
            got.value.number,
            [record.key.name for record in tx.scan(THING, ACCOUNT, REGION)],
            [record.key.name for record in tx.scan(THING)],
            [record.key.name for record in tx.find(THING, ACCOUNT, REGION, "color", "red")],
            tx.count(THING, ACCOUNT, REGION, "color", "red"),
            tx.get(THING, ACCOUNT, REGION, "gone"),
        ]

    await store.transact(put("gone", 0))
    assert await store.transact(write) == [1, ["a", "b"], ["a", "b"], ["a", "b"], 2, None]


async def test_create_of_what_exists_raises_conflict(store: Store):
    def create(tx: Transaction) -> None:
        tx.create(THING, ACCOUNT, REGION, "a", Thing(9))

    await store.transact(create)
    with pytest.raises(Conflict):
        await store.transact(create)


async def test_changed_precondition_raises_conflict_and_keeps_nothing(store: Store):
    await store.transact(put("a", 1))
    old = store.reader.get(THING, ACCOUNT, REGION, "a")
    assert old is not None
    await store.transact(put("a", 2))

    def write(tx: Transaction) -> None:
        tx.require(old)
        tx.put(THING, ACCOUNT, REGION, "b", Thing(1))

    with pytest.raises(Conflict):
        await store.transact(write)
    assert store.reader.get(THING, ACCOUNT, REGION, "b") is None


async def test_unchanged_precondition_lets_the_transaction_through(store: Store):
    await store.transact(put("a", 1))
    record = store.reader.get(THING, ACCOUNT, REGION, "a")
    assert record is not None

    def write(tx: Transaction) -> None:
        tx.require(record)
        tx.put(THING, ACCOUNT, REGION, "b", Thing(1))

    await store.transact(write)
    assert store.reader.get(THING, ACCOUNT, REGION, "b") is not None


async def test_increments_at_once_are_all_counted(store: Store):
    def increment(tx: Transaction) -> None:
        record = tx.get(THING, ACCOUNT, REGION, "counter")
        tx.put(THING, ACCOUNT, REGION, "counter", Thing(record.value.number + 1 if record else 1))

    await asyncio.gather(*(store.transact(increment) for _ in range(200)))
    record = store.reader.get(THING, ACCOUNT, REGION, "counter")
    assert record is not None
    assert record.value.number == 200


async def test_two_who_list_and_then_write_do_not_miss_each_other(store: Store):
    def take_next(tx: Transaction) -> int:
        taken = {record.value.number for record in tx.scan(THING, ACCOUNT, REGION)}
        number = next(each for each in range(100) if each not in taken)
        tx.create(THING, ACCOUNT, REGION, f"taken-{number}", Thing(number))
        return number

    numbers = await asyncio.gather(*(store.transact(take_next, 100) for _ in range(30)))
    assert sorted(numbers) == list(range(30))


async def test_failing_transaction_does_not_spoil_its_neighbours(store: Store):
    def fail(tx: Transaction) -> None:
        tx.put(THING, ACCOUNT, REGION, "bad", Thing(1))
        raise ValueError("no")

    results = await asyncio.gather(
        store.transact(put("a", 1)),
        store.transact(fail),
        store.transact(put("b", 1)),
        return_exceptions=True,
    )
    assert isinstance(results[1], ValueError)
    names = [record.key.name for record in store.reader.scan(THING)]
    assert names == ["a", "b"]


async def test_deleted_record_is_gone_and_deleting_nothing_is_no_error(store: Store):
    await store.transact(put("a", 1))
    for _ in range(2):
        await store.transact(lambda tx: tx.delete(THING, ACCOUNT, REGION, "a"))
    assert store.reader.get(THING, ACCOUNT, REGION, "a") is None


async def test_put_delete_and_put_in_one_group_leave_the_last(store: Store):
    await asyncio.gather(
        store.transact(put("a", 1)),
        store.transact(lambda tx: tx.delete(THING, ACCOUNT, REGION, "a")),
        store.transact(put("a", 3)),
        store.transact(put("b", 1)),
        store.transact(lambda tx: tx.delete(THING, ACCOUNT, REGION, "b")),
    )
    assert [record.value.number for record in store.reader.scan(THING)] == [3]


async def test_reset_forgets_all_but_the_kinds_to_keep(store: Store):
    await store.transact(put("a", 1))
    await store.transact(lambda tx: tx.put(OTHER, "", "", "b", Other(1)))
    await store.reset(keep=[OTHER])
    assert store.reader.scan(THING) == []
    assert [record.key.name for record in store.reader.scan(OTHER)] == ["b"]


async def test_value_that_would_not_decode_is_refused(lasting: Place):
    store = await lasting.open()
    wrong = Thing(number="many")  # type: ignore[arg-type]
    with pytest.raises(msgspec.ValidationError):
        await store.transact(lambda tx: tx.put(THING, ACCOUNT, REGION, "a", wrong))


async def test_everything_is_there_after_reopening(lasting: Place):
    store = await lasting.open()
    await asyncio.gather(*(store.transact(put(f"n{number}", number)) for number in range(50)))
    await store.transact(lambda tx: tx.delete(THING, ACCOUNT, REGION, "n7"))
    revision = store.revision
    await store.close()
    again = await lasting.open()
    assert again.revision == revision
    assert {record.value.number for record in again.reader.scan(THING)} == set(range(50)) - {7}


async def test_what_a_read_beside_a_write_tells_is_durable_when_it_is_told(store: Store):
    def number(tx: Transaction) -> int:
        record = tx.get(THING, ACCOUNT, REGION, "a")
        return 0 if record is None else record.value.number

    await store.transact(put("a", 1))
    writing = store.submit(put("a", 2))
    told = await store.submit(number)
    durable = store.reader.get(THING, ACCOUNT, REGION, "a")
    await writing
    assert durable is not None
    assert told == durable.value.number


async def test_read_alone_is_answered_without_waiting(store: Store):
    await store.transact(put("a", 1))
    assert store.submit(lambda tx: tx.get(THING, ACCOUNT, REGION, "a") is not None).done()
