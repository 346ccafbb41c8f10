"""A process that the crash test kills: writes pairs for ever, and tells which are acknowledged."""

import asyncio
import sys

from conformance.store.kinds import ACCOUNT, OTHER, REGION, THING, Other, Thing

from longshore.base.clock import SystemClock
from longshore.store import open_store
from longshore.store.interface import Transaction


async def main(url: str, start: int) -> None:
    store = await open_store(url, (THING, OTHER), SystemClock())
    counter = iter(range(start, 10**9))

    async def write() -> None:
        for number in counter:

            def pair(tx: Transaction, number: int = number) -> None:
                tx.put(THING, ACCOUNT, REGION, f"{number:09d}", Thing(number, text="x" * 300))
                tx.put(OTHER, ACCOUNT, REGION, f"{number:09d}", Other(number))

            await store.transact(pair)
            sys.stdout.write(f"{number}\n")
            sys.stdout.flush()

    await asyncio.gather(*(write() for _ in range(8)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
