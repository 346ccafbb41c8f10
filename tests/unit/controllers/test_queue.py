import asyncio

import pytest

from longshore.base.clock import SystemClock
from longshore.controllers.queue import LAST_RETRY_SECONDS, WorkQueue, retry_delay
from longshore.store.interface import Key
from longshore.testing.clock import FakeClock

KEY = Key("kind", "123456789012", "us-east-1", "one")
OTHER = Key("kind", "123456789012", "us-east-1", "two")


async def test_key_added_twice_before_it_runs_runs_once():
    queue = WorkQueue(SystemClock())
    queue.add(KEY)
    queue.add(KEY)
    assert await queue.take() == KEY
    queue.done(KEY)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(queue.take(), 0.01)


async def test_key_added_while_it_runs_runs_again_only_afterwards():
    queue = WorkQueue(SystemClock())
    queue.add(KEY)
    await queue.take()
    queue.add(KEY)
    queue.add(OTHER)
    assert await queue.take() == OTHER
    queue.done(KEY)
    assert await queue.take() == KEY


async def test_failed_key_waits_longer_each_time_and_no_longer_than_the_ceiling():
    assert [retry_delay(n) for n in (1, 2, 3, 4)] == [0.1, 0.2, 0.4, 0.8]
    assert retry_delay(10_000) == LAST_RETRY_SECONDS


async def test_success_forgets_earlier_failures():
    queue = WorkQueue(FakeClock())
    for _ in range(3):
        queue.add(KEY)
        await queue.take()
        delay = queue.failed(KEY)
    assert delay == 0.4
    queue.add(KEY)
    await queue.take()
    queue.done(KEY)
    queue.add(KEY)
    await queue.take()
    assert queue.failed(KEY) == 0.1


async def test_key_added_for_later_runs_when_its_time_has_come():
    clock = FakeClock()
    queue = WorkQueue(clock)
    mover = asyncio.ensure_future(queue.move_due_keys())
    queue.add_after(KEY, 60)
    queue.add_after(OTHER, 5)
    await _settle()
    clock.advance(5)
    assert await asyncio.wait_for(queue.take(), 1) == OTHER
    await _settle()
    clock.advance(55)
    assert await asyncio.wait_for(queue.take(), 1) == KEY
    mover.cancel()
    await asyncio.gather(mover, return_exceptions=True)


async def test_key_asked_for_again_and_again_runs_once_at_the_soonest_time():
    clock = FakeClock()
    queue = WorkQueue(clock)
    mover = asyncio.ensure_future(queue.move_due_keys())
    for seconds in (60, 50, 5, 7, 5):
        queue.add_after(KEY, seconds)
    await _settle()
    clock.advance(5)
    assert await asyncio.wait_for(queue.take(), 1) == KEY
    queue.add_after(KEY, 5)
    queue.done(KEY)
    await _settle()
    clock.advance(4)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(queue.take(), 0.01)
    clock.advance(1)
    assert await asyncio.wait_for(queue.take(), 1) == KEY
    mover.cancel()
    await asyncio.gather(mover, return_exceptions=True)


async def _settle() -> None:
    """Let every task that can run do so."""
    for _ in range(10):
        await asyncio.sleep(0)
