"""Streams that keep nothing: what is put into them arrives elsewhere, or nowhere."""

import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from integration.services.served import ACCOUNT, REGION, Served, serving

from longshore.model.logs import LOG_GROUP, LOG_STREAM, Delivery, LogGroup, LogStream, stream_key
from longshore.services.logs import service
from longshore.telemetry.interface import LogStore, Query
from longshore.telemetry.logs import open_log_store

OTHER = "999999999999"
GROUP, STREAM = LogGroup(name="/theirs", id="g-theirs", created_at=0), "api-1"


class Deliveries:
    """The group `/own`, whose stream `api` is to deliver into `/theirs` of another account."""

    def __init__(self, served: Served, kept: LogStore) -> None:
        self.served = served
        self._kept = kept

    async def deliver(self, delivery: Delivery) -> None:
        key = stream_key("/own", "api")

        def write(tx: Any) -> None:
            stream = tx.get(LOG_STREAM, ACCOUNT, REGION, key).value
            changed = msgspec.structs.replace(stream, delivery=delivery)
            tx.put(LOG_STREAM, ACCOUNT, REGION, key, changed)

        await self.served.store.transact(write)

    async def theirs(self) -> None:
        stream = LogStream(group=GROUP.name, name=STREAM, id="s-theirs", created_at=0)

        def write(tx: Any) -> None:
            tx.put(LOG_GROUP, OTHER, REGION, GROUP.name, GROUP)
            tx.put(LOG_STREAM, OTHER, REGION, stream_key(GROUP.name, STREAM), stream)

        await self.served.store.transact(write)

    async def put(self, number: int, *messages: str) -> Any:
        events = [{"timestamp": int(time.time() * 1000), "message": each} for each in messages]
        return await self.served.call(
            "put_log_events",
            logGroupName="/own",
            logStreamName="api",
            logEvents=events,
            sequenceToken=f"longshore:c1.stderr:{number}",
        )

    async def delivered(self) -> list[str]:
        found = await self._kept.read(GROUP.id, Query(streams=("s-theirs",), limit=100))
        return [event.message for event in found]

    async def kept(self) -> Any:
        """What the stream itself has, as its account sees it."""
        named = {"logGroupName": "/own", "logStreamName": "api"}
        return (await self.served.call("get_log_events", **named))["events"]


@pytest.fixture
async def deliveries(tmp_path: Path) -> AsyncIterator[Deliveries]:
    async with contextlib.AsyncExitStack() as stack:
        kept = open_log_store(tmp_path / "telemetry")
        stack.push_async_callback(kept.close)
        served = await stack.enter_async_context(serving(tmp_path, [service(kept)]))
        await served.call("create_log_group", logGroupName="/own")
        await served.call("create_log_stream", logGroupName="/own", logStreamName="api")
        yield Deliveries(served, kept)


async def test_events_arrive_in_the_other_accounts_stream_once(deliveries: Deliveries) -> None:
    await deliveries.theirs()
    await deliveries.deliver(Delivery(OTHER, GROUP.name, STREAM))
    for _ in range(2):  # an agent that was killed before it heard sends again
        await deliveries.put(0, "one", "two")
    await deliveries.put(2, "three")
    assert await deliveries.delivered() == ["one", "two", "three"]
    assert await deliveries.kept() == []


async def test_without_a_destination_events_are_taken_and_kept_nowhere(
    deliveries: Deliveries,
) -> None:
    await deliveries.theirs()
    await deliveries.deliver(Delivery(OTHER))
    answer = await deliveries.put(0, "one", "two")
    assert answer["nextSequenceToken"] == "longshore:c1.stderr:2"
    assert (await deliveries.delivered(), await deliveries.kept()) == ([], [])


async def test_a_delivery_begins_with_what_comes_after_it_was_turned_on(
    deliveries: Deliveries,
) -> None:
    await deliveries.theirs()
    await deliveries.deliver(Delivery(OTHER))
    await deliveries.put(0, "before")
    await deliveries.deliver(Delivery(OTHER, GROUP.name, STREAM))
    await deliveries.put(1, "after")
    assert await deliveries.delivered() == ["after"]


async def test_what_was_written_before_it_was_turned_on_does_not_arrive_later(
    deliveries: Deliveries,
) -> None:
    await deliveries.theirs()
    await deliveries.deliver(Delivery(OTHER, GROUP.name, STREAM, int(time.time() * 1000) + 60_000))
    await deliveries.put(0, "on its way")
    await deliveries.deliver(Delivery(OTHER, GROUP.name, STREAM))
    await deliveries.put(1, "after")
    assert await deliveries.delivered() == ["after"]


async def test_events_for_a_stream_that_is_no_more_are_dropped(deliveries: Deliveries) -> None:
    await deliveries.deliver(Delivery(OTHER, GROUP.name, STREAM))
    await deliveries.put(0, "lost")
    await deliveries.theirs()
    assert await deliveries.delivered() == []
