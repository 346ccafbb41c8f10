"""Counts requests and measures how long they take."""

from bisect import bisect_left
from typing import NamedTuple

from longshore.base.clock import Clock
from longshore.gateway.exchange import Exchange

BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Seconds: the upper bounds of the histograms' buckets; above the last one is one more."""


class Labels(NamedTuple):
    """What requests are told apart by; `code` is the error's, empty for successes."""

    service: str
    operation: str
    status: int
    code: str


class Durations:
    """How long the requests of one service took: how many in each bucket, and seconds in all."""

    __slots__ = ("buckets", "seconds")

    def __init__(self) -> None:
        self.buckets = [0] * (len(BUCKETS) + 1)
        self.seconds = 0.0

    def add(self, seconds: float) -> None:
        self.buckets[bisect_left(BUCKETS, seconds)] += 1
        self.seconds += seconds


class Measure:
    """Metrics by service, operation and error code; `gateway.metrics_page` shows them.

    Only names that a model has become labels, so that callers cannot make new series at will.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.requests: dict[Labels, int] = {}
        self.durations: dict[str, Durations] = {}

    def __call__(self, exchange: Exchange) -> None:
        service = exchange.api.name if exchange.api is not None else ""
        operation = exchange.operation_name if exchange.operation is not None else ""
        code = exchange.error.code if exchange.error is not None else ""
        status = exchange.response.status if exchange.response is not None else 0
        labels = Labels(service, operation, status, code)
        self.requests[labels] = self.requests.get(labels, 0) + 1
        durations = self.durations.get(service)
        if durations is None:
            durations = self.durations[service] = Durations()
        durations.add(self._clock.monotonic() - exchange.started)
