"""Runs controllers: watch, queue, reconcile, try again; each loop has a parent and an end."""

import asyncio
from collections.abc import Sequence

from longshore.base.clock import Clock
from longshore.base.logs import logger
from longshore.controllers.interface import Controller, Listener, Surroundings
from longshore.controllers.queue import WorkQueue
from longshore.store.interface import Compacted, Key, Lease, Store

WORKERS = 16
"""Keys of one controller that are reconciled at the same time."""
LEASE_SECONDS = 15.0


async def run_controllers(
    controllers: Sequence[Controller], surroundings: Surroundings, holder: str, *, shared: bool
) -> None:
    """Run every controller until cancelled.

    `shared` says that other control planes use the same store: then each controller runs only
    where `holder` has its lease, and moves when the holder dies.
    """
    async with asyncio.TaskGroup() as group:
        group.create_task(asyncio.Event().wait(), name="until cancelled")
        for controller in controllers:
            run = _run_leased if shared else _run_alone
            group.create_task(run(controller, surroundings, holder), name=controller.name)


async def _run_alone(controller: Controller, surroundings: Surroundings, holder: str) -> None:
    del holder
    await run_controller(controller, surroundings)


async def _run_leased(controller: Controller, surroundings: Surroundings, holder: str) -> None:
    """Hold the controller's lease, and run it for as long as that lasts."""
    store, clock = surroundings.store, surroundings.clock
    name = f"controller/{controller.name}"
    while True:
        lease = await store.acquire(name, holder, LEASE_SECONDS, clock.now())
        if lease is None:
            await clock.sleep(LEASE_SECONDS / 3)
            continue
        loop = asyncio.ensure_future(run_controller(controller, surroundings))
        try:
            await _renew(store, clock, lease, loop)
        finally:
            loop.cancel()
            await asyncio.gather(loop, return_exceptions=True)
            await store.release(lease)


async def _renew(store: Store, clock: Clock, lease: Lease, loop: asyncio.Future[None]) -> None:
    """Renew `lease` until it is lost or `loop` has ended (with whatever it raised)."""
    while not loop.done():
        await clock.sleep(LEASE_SECONDS / 3)
        held = await store.acquire(lease.name, lease.holder, LEASE_SECONDS, clock.now())
        if held is None or held.token != lease.token:
            return
    loop.result()


async def run_controller(
    controller: Controller, surroundings: Surroundings, workers: int = WORKERS
) -> None:
    """Run one controller until cancelled."""
    queue = WorkQueue(surroundings.clock)
    async with asyncio.TaskGroup() as group:
        group.create_task(queue.move_due_keys())
        group.create_task(_feed(controller, surroundings.store, queue))
        if isinstance(controller, Listener):
            group.create_task(controller.listen(queue.add))
        for _ in range(workers):
            group.create_task(_work(controller, queue))


async def _feed(controller: Controller, store: Store, queue: WorkQueue) -> None:
    """Turn changes into keys; after missed changes, look at everything."""
    while True:
        changes = store.watch(list(controller.watched))
        for key in controller.every_key(store.reader):
            queue.add(key)
        try:
            async for change in changes:
                for key in controller.keys(change, store.reader):
                    queue.add(key)
        except Compacted:
            continue


async def _work(controller: Controller, queue: WorkQueue) -> None:
    log = logger(controller.name)
    while True:
        key = await queue.take()
        try:
            again = await controller.reconcile(key)
        except asyncio.CancelledError:
            raise
        except Exception:
            delay = queue.failed(key)
            log.exception("reconcile failed", key=_text(key), retry_seconds=delay)
            continue
        queue.done(key)
        if again is not None:
            queue.add_after(key, again)


def _text(key: Key) -> str:
    return f"{key.kind}:{key.account}:{key.region}:{key.name}"
