"""Gives each request its id and its moment."""

from longshore.base.clock import Clock
from longshore.base.ids import Ids
from longshore.gateway.exchange import Exchange


class AssignRequestId:
    def __init__(self, clock: Clock, ids: Ids) -> None:
        self._clock = clock
        self._ids = ids

    def __call__(self, exchange: Exchange) -> None:
        exchange.now = self._clock.now()
        exchange.request_id = self._ids.uuid()
