"""The page of metrics, in Prometheus's format: the gateway's own, and whatever other parts of this
process count in prometheus_client's registry (the image registry's bytes, the process itself).

Imported when it is first asked for: prometheus_client brings an HTTP server and more, a tenth of
what the control plane would import before its first answer.
"""

from collections.abc import Iterable, Iterator
from itertools import accumulate

from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from longshore.gateway.handlers.metrics import BUCKETS, Durations, Measure

BOUNDS = (*map(str, BUCKETS), "+Inf")


def metrics_page(measure: Measure) -> bytes:
    """All that was measured so far."""
    registry = CollectorRegistry()
    registry.register(_Requests(measure))
    return generate_latest(registry) + generate_latest(REGISTRY)


class _Requests(Collector):
    def __init__(self, measure: Measure) -> None:
        self._measure = measure

    def collect(self) -> Iterator[Metric]:
        requests = CounterMetricFamily(
            "longshore_requests",
            "API requests answered.",
            labels=("service", "operation", "status", "code"),
        )
        for labels, count in self._measure.requests.items():
            requests.add_metric([str(label) for label in labels], count)
        yield requests
        seconds = HistogramMetricFamily(
            "longshore_request_seconds",
            "Time from the end of the request's body to its response.",
            labels=("service",),
        )
        for service, durations in self._measure.durations.items():
            seconds.add_metric([service], _cumulative(durations), durations.seconds)
        yield seconds


def _cumulative(durations: Durations) -> list[tuple[str, float]]:
    """Each bucket's bound, and how many took no longer."""
    counts: Iterable[int] = accumulate(durations.buckets)
    return [(bound, float(count)) for bound, count in zip(BOUNDS, counts, strict=True)]
