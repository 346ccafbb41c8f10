"""Loops are woken by what happens in clusters, for as long as these can be watched."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from longshore.controllers.cluster_watches import (
    AGAIN_SECONDS,
    WATCH_SECONDS,
    ClusterWatches,
    Watched,
)
from longshore.kubernetes.client import Event, Refused
from longshore.model.eks import CLUSTER
from longshore.store.interface import Key
from longshore.testing.clock import FakeClock
from longshore.testing.wait import eventually

KEY = Key(CLUSTER.name, "123456789012", "us-east-1", "shop")
PODS = "/api/v1/pods"


class PlayedWatch:
    """A client whose watches tell what is put into `events`: an exception is raised, None ends."""

    def __init__(self):
        self.events = asyncio.Queue()
        self.asked = []

    async def watch(self, path, **query):
        self.asked.append((path, query))
        while (event := await self.events.get()) is not None:
            if isinstance(event, Exception):
                raise event
            yield event


class Loop:
    def __init__(self, *collections):
        self.clock = FakeClock()
        self.watches = ClusterWatches(self.clock, *collections)
        self.woken = []

    async def wakes(self, count):
        async def woken():
            return len(self.woken) >= count

        await eventually(woken)
        assert self.woken == [KEY] * count


@asynccontextmanager
async def running(*collections):
    loop = Loop(*collections)
    task = asyncio.create_task(loop.watches.run(loop.woken.append))
    try:
        yield loop
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def asked(client, count):
    async def enough():
        return len(client.asked) >= count

    await eventually(enough)


async def wait_for_sleeper(clock):
    async def sleeps():
        return clock._sleepers

    await eventually(sleeps)


async def test_an_event_that_matters_wakes_for_its_cluster():
    matters = Watched(PODS, {"labelSelector": "a=b"}, lambda event: event.type == "ADDED")
    async with running(matters) as loop:
        client = PlayedWatch()
        assert not loop.watches.follow(KEY, client)
        assert loop.watches.follow(KEY, client)
        for kind in ("MODIFIED", "ADDED"):
            client.events.put_nowait(Event(kind, {}))
        await loop.wakes(1)
        ((path, query),) = client.asked
        assert (path, query["labelSelector"]) == (PODS, "a=b")


async def test_a_watch_that_the_server_ends_goes_on():
    async with running(Watched(PODS)) as loop:
        client = PlayedWatch()
        loop.watches.follow(KEY, client)
        await asked(client, 1)
        loop.clock.advance(WATCH_SECONDS)
        client.events.put_nowait(None)
        await asked(client, 2)
        client.events.put_nowait(Event("ADDED", {}))
        await loop.wakes(1)
        assert loop.watches.follow(KEY, client)


async def test_a_watch_that_ends_at_once_is_not_begun_all_the_time():
    async with running(Watched(PODS)) as loop:
        client = PlayedWatch()
        loop.watches.follow(KEY, client)
        for count in (1, 2, 3):
            await asked(client, count)
            client.events.put_nowait(None)
            await wait_for_sleeper(loop.clock)
            assert len(client.asked) == count
            loop.clock.advance(AGAIN_SECONDS)


@pytest.mark.parametrize(
    "failure",
    [OSError("away"), Refused(403, "Forbidden", "no", {}), KeyError("what nobody thought of")],
)
async def test_after_a_watch_that_failed_the_loop_looks_and_another_one_begins(failure):
    async with running(Watched(PODS), Watched("/api/v1/nodes")) as loop:
        client = PlayedWatch()
        loop.watches.follow(KEY, client)
        await asked(client, 2)
        client.events.put_nowait(failure)

        async def slept():
            loop.clock.advance(AGAIN_SECONDS)
            return loop.woken

        await eventually(slept)
        assert loop.woken == [KEY]
        assert not loop.watches.follow(KEY, client)
        await asked(client, 3)
        assert loop.watches.follow(KEY, client)


async def test_another_client_of_the_cluster_is_the_one_that_is_heard():
    async with running(Watched(PODS)) as loop:
        first, second = PlayedWatch(), PlayedWatch()
        loop.watches.follow(KEY, first)
        await asked(first, 1)
        assert not loop.watches.follow(KEY, second)
        second.events.put_nowait(Event("ADDED", {}))
        await loop.wakes(1)
        first.events.put_nowait(OSError("closed"))
        loop.clock.advance(AGAIN_SECONDS)
        assert loop.watches.follow(KEY, second)
