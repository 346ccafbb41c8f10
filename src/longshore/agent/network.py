"""Puts the network that the control plane sends into the kernel, the newest one only."""

import asyncio
from collections.abc import AsyncIterator

from longshore.base.logs import logger
from longshore.fabric.interface import Fabric, FabricError
from longshore.nodeapi.own import NetworkAckRequest, NetworkMessage

log = logger(__name__)


class NetworkApplier:
    """Takes `NetworkMessage`s as they come; while one is applied, only the last one waits.

    `fabric` is None where the runtime is simulated: then there is nothing to apply.
    """

    def __init__(self, fabric: Fabric | None) -> None:
        self._fabric = fabric
        self._waiting: NetworkMessage | None = None
        self._offered = asyncio.Event()
        self._results: asyncio.Queue[NetworkAckRequest] = asyncio.Queue(maxsize=1)
        self._offers = self._done = 0
        """How many were offered, and the number of the last one that was applied or failed."""
        self._progress = asyncio.Condition()

    def offer(self, message: NetworkMessage) -> None:
        """The network is to be this one; what was offered before and not begun is forgotten."""
        self._waiting = message
        self._offers += 1
        self._offered.set()

    async def caught_up(self) -> None:
        """Return when what has been offered until now, or something newer, has been applied.

        An interface may have left this host and come back: a network before the last one has it,
        one that is being applied has not.
        """
        wanted = self._offers
        async with self._progress:
            await self._progress.wait_for(lambda: self._done >= wanted)

    async def run(self) -> None:
        """Apply what is offered, until cancelled."""
        while True:
            await self._offered.wait()
            self._offered.clear()
            message, self._waiting = self._waiting, None
            number = self._offers
            if message is not None:
                self._tell(await self._apply(message))
            async with self._progress:
                self._done = number
                self._progress.notify_all()

    async def _apply(self, message: NetworkMessage) -> NetworkAckRequest:
        error = ""
        if self._fabric is not None:
            try:
                await self._fabric.apply(message.network)
            except FabricError as failure:
                log.error("the network could not be applied", error=str(failure))
                error = str(failure)
        return NetworkAckRequest(
            message_id=message.message_id, revision=message.network.revision, error=error
        )

    def _tell(self, result: NetworkAckRequest) -> None:
        """The last result is what counts; nobody may be there to hear of it."""
        while not self._results.empty():
            self._results.get_nowait()
        self._results.put_nowait(result)

    async def results(self) -> AsyncIterator[NetworkAckRequest]:
        """What came of applying, until cancelled."""
        while True:
            yield await self._results.get()
