"""Networks are applied one after the other, and who waits for one waits for no more than that."""

import asyncio

import pytest

from longshore.agent.network import NetworkApplier
from longshore.fabric.interface import FabricError
from longshore.model.network import Network
from longshore.nodeapi.own import NetworkMessage


class SlowFabric:
    """In the place of a fabric: applies when it is let."""

    def __init__(self):
        self.applied = []
        self.begun = asyncio.Event()
        self.let = asyncio.Semaphore(0)
        self.failure = None

    async def apply(self, network):
        self.begun.set()
        await self.let.acquire()
        if self.failure is not None:
            raise self.failure
        self.applied.append(network.revision)


def message(revision):
    return NetworkMessage(message_id=str(revision), network=Network(revision=revision))


@pytest.fixture
def fabric():
    return SlowFabric()


@pytest.fixture
async def applier(fabric):
    made = NetworkApplier(fabric)
    running = asyncio.create_task(made.run())
    yield made
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_who_was_told_nothing_waits_for_nothing(applier):
    await applier.caught_up()


async def test_a_network_that_is_being_applied_is_not_taken_for_the_one_after_it(applier, fabric):
    applier.offer(message(1))
    await fabric.begun.wait()
    applier.offer(message(2))
    waiting = asyncio.create_task(applier.caught_up())
    fabric.let.release()
    fabric.begun.clear()
    await fabric.begun.wait()
    assert not waiting.done()
    fabric.let.release()
    await waiting
    assert fabric.applied == [1, 2]


async def test_a_newer_network_stands_for_those_that_it_came_over(applier, fabric):
    applier.offer(message(1))
    await fabric.begun.wait()
    applier.offer(message(2))
    waiting = asyncio.create_task(applier.caught_up())
    applier.offer(message(3))
    fabric.let.release()
    fabric.let.release()
    await waiting
    assert fabric.applied == [1, 3]


async def test_a_network_that_cannot_be_applied_keeps_nobody(applier, fabric):
    fabric.failure = FabricError("no")
    applier.offer(message(1))
    fabric.let.release()
    await applier.caught_up()
