"""Keeps a record of each request."""

import logging

from longshore.base.clock import Clock
from longshore.base.logs import logger
from longshore.gateway.exchange import Exchange

log = logger("longshore.gateway.access")


class RecordAccess:
    """Failures at level info, successes at debug; the caller, never a secret or a body."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def __call__(self, exchange: Exchange) -> None:
        if exchange.error is None and not log.is_enabled_for(logging.DEBUG):
            return
        write = log.info if exchange.error is not None else log.debug
        write(
            "request answered",
            request_id=exchange.request_id,
            service=exchange.api.name if exchange.api is not None else "",
            operation=exchange.operation_name,
            caller=exchange.principal.arn if exchange.principal is not None else "",
            source_ip=exchange.request.source_ip,
            status=exchange.response.status if exchange.response is not None else 0,
            code=exchange.error.code if exchange.error is not None else "",
            seconds=round(self._clock.monotonic() - exchange.started, 6),
        )
