"""Holds callers to AWS's documented rates; off unless asked for."""

from longshore.base.clock import Clock
from longshore.gateway.exchange import Exchange
from longshore.gateway.limits import Limit, limit_of
from longshore.model.errors import AwsError

MOST_BUCKETS = 100_000


class Bucket:
    """Tokens that come back at a constant rate, up to the bucket's size."""

    __slots__ = ("_at", "_limit", "_tokens")

    def __init__(self, limit: Limit, now: float) -> None:
        self._limit = limit
        self._tokens = float(limit.burst)
        self._at = now

    def take(self, now: float) -> bool:
        """Whether a token could be taken at `now` (monotonic seconds)."""
        regained = (now - self._at) * self._limit.rate
        self._tokens = min(float(self._limit.burst), self._tokens + max(0.0, regained))
        self._at = now
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True


class Throttle:
    """One bucket for each account, region and category of operations."""

    def __init__(self, clock: Clock, enabled: bool) -> None:
        self._clock = clock
        self._enabled = enabled
        self._buckets: dict[tuple[str, str, str], Bucket] = {}

    def __call__(self, exchange: Exchange) -> None:
        if not self._enabled:
            return
        call = exchange.call
        limit = limit_of(call.service.name, exchange.operation_name)
        if limit is None:
            return
        now = self._clock.monotonic()
        key = (call.context.account, exchange.region, limit.category)
        if key not in self._buckets:
            if len(self._buckets) >= MOST_BUCKETS:
                self._buckets.clear()
            self._buckets[key] = Bucket(limit, now)
        if not self._buckets[key].take(now):
            raise AwsError("Throttling", "Rate exceeded")
