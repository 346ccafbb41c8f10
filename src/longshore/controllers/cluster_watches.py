"""Watches of clusters' objects, which are no records: a loop is woken as soon as some change."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field

from longshore.base.clock import Clock
from longshore.base.logs import logger
from longshore.kubernetes.client import Client, Event, Refused
from longshore.store.interface import Key

WATCH_SECONDS = 60
"""For so long an API server is asked to go on; then it is asked again."""
SILENCE_SECONDS = 15.0
"""A server that has not ended a watch by so much later does not answer any more."""
AGAIN_SECONDS = 1.0
"""After a watch that failed the cluster is looked at in so long, which begins another; one that
ends at once is not begun again sooner, either."""
log = logger(__name__)


def _always(_: Event) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Watched:
    """A collection by its path, with the `query` that narrows it; `matters` says of an event
    whether the loop is to look."""

    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    matters: Callable[[Event], bool] = _always


class ClusterWatches:
    """Wakes whoever runs it with the keys of clusters that `follow` was called for."""

    def __init__(self, clock: Clock, *collections: Watched) -> None:
        self._clock = clock
        self._collections = collections
        self._asked: asyncio.Queue[tuple[Key, Watched, Client]] = asyncio.Queue()
        self._followed: dict[tuple[Key, str], Client] = {}

    def follow(self, key: Key, client: Client) -> bool:
        """Have changes in the cluster of this key wake; whether they did so already.

        To be called with each look: it begins anew what has ended.
        """
        missing = [
            each for each in self._collections if self._followed.get((key, each.path)) is not client
        ]
        for each in missing:
            self._followed[key, each.path] = client
            self._asked.put_nowait((key, each, client))
        return not missing

    async def run(self, wake: Callable[[Key], None]) -> None:
        """Until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                while True:
                    key, watched, client = await self._asked.get()
                    group.create_task(self._follow(key, watched, client, wake))
        finally:
            self._followed.clear()

    async def _follow(
        self, key: Key, watched: Watched, client: Client, wake: Callable[[Key], None]
    ) -> None:
        """Watch, one time after the other, for as long as the client is the cluster's and heard."""
        mine = key, watched.path
        try:
            while self._followed.get(mine) is client:
                began = self._clock.monotonic()
                await self._watch(key, watched, client, wake)
                if self._clock.monotonic() < began + AGAIN_SECONDS:
                    await self._clock.sleep(AGAIN_SECONDS)
            return
        except (OSError, Refused) as failure:
            # What is wrong with the cluster is told by the loop's next look.
            log.info("a watch ended", cluster=key.name, path=watched.path, reason=str(failure))
        except Exception:
            log.exception("a watch failed", cluster=key.name, path=watched.path)
        await self._clock.sleep(AGAIN_SECONDS)
        if self._followed.get(mine) is client:
            del self._followed[mine]
            wake(key)

    async def _watch(
        self, key: Key, watched: Watched, client: Client, wake: Callable[[Key], None]
    ) -> None:
        query = {"timeoutSeconds": str(WATCH_SECONDS), **watched.query}
        async with (
            asyncio.timeout(WATCH_SECONDS + SILENCE_SECONDS),
            aclosing(client.watch(watched.path, **query)) as events,
        ):
            async for event in events:
                if watched.matters(event):
                    wake(key)
