"""Counts requests and measures how long they take."""

from functools import lru_cache

from prometheus_client import CollectorRegistry, Counter, Histogram

from longshore.base.clock import Clock
from longshore.gateway.exchange import Exchange

BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Measure:
    """Prometheus metrics by service, operation and error code (empty for successes).

    Only names that a model has become labels, so that callers cannot make new series at will.
    """

    def __init__(self, registry: CollectorRegistry, clock: Clock) -> None:
        self._clock = clock
        requests = Counter(
            "longshore_requests",
            "API requests answered.",
            ("service", "operation", "status", "code"),
            registry=registry,
        )
        seconds = Histogram(
            "longshore_request_seconds",
            "Time from the end of the request's body to its response.",
            ("service",),
            buckets=BUCKETS,
            registry=registry,
        )
        self._count = lru_cache(4096)(lambda *labels: requests.labels(*labels).inc)
        self._observe = lru_cache(512)(lambda service: seconds.labels(service).observe)

    def __call__(self, exchange: Exchange) -> None:
        service = exchange.api.name if exchange.api is not None else ""
        operation = exchange.operation_name if exchange.operation is not None else ""
        code = exchange.error.code if exchange.error is not None else ""
        status = exchange.response.status if exchange.response is not None else 0
        self._count(service, operation, status, code)()
        self._observe(service)(self._clock.monotonic() - exchange.started)
