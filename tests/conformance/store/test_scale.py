"""100,000 records: opened in a moment, listed in pages, changed one by one."""

import time

from conformance.store.conftest import Place
from conformance.store.kinds import ACCOUNT, REGION, THING, Thing

from longshore.store.interface import Store, Transaction

RECORDS = 100_000
OPEN_SECONDS = 5.0


async def fill(store: Store) -> None:
    for start in range(0, RECORDS, 10_000):

        def write(tx: Transaction, start: int = start) -> None:
            for number in range(start, start + 10_000):
                colors = (f"c{number % 1000}",)
                tx.put(THING, ACCOUNT, REGION, f"n{number:06d}", Thing(number, colors, "x" * 100))

        await store.transact(write)


async def test_a_hundred_thousand_records_open_fast_and_are_all_found(lasting: Place):
    store = await lasting.open()
    await fill(store)
    await store.close()
    began = time.monotonic()
    again = await lasting.open()
    assert time.monotonic() - began < OPEN_SECONDS
    page = again.reader.scan(THING, ACCOUNT, REGION, after="n099989", limit=100)
    assert [record.value.number for record in page] == list(range(99_990, 100_000))
    red = again.reader.find(THING, ACCOUNT, REGION, "color", "c7")
    assert len(red) == 100
    await again.transact(lambda tx: tx.delete(THING, ACCOUNT, REGION, "n000007"))
    assert len(again.reader.find(THING, ACCOUNT, REGION, "color", "c7")) == 99
