"""The path of a request, as one list."""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence

from longshore.awsapi.catalogue import Catalogue
from longshore.awsapi.http import HttpRequest, HttpResponse
from longshore.base.clock import Clock
from longshore.base.ids import Ids
from longshore.base.installation import Installation
from longshore.base.logs import logger
from longshore.gateway.exchange import Exchange, Steps
from longshore.gateway.handlers.access import RecordAccess
from longshore.gateway.handlers.authentication import Authenticate
from longshore.gateway.handlers.authorisation import Authorise
from longshore.gateway.handlers.caller import Locate
from longshore.gateway.handlers.invocation import Invoke
from longshore.gateway.handlers.metrics import Measure
from longshore.gateway.handlers.operation import FindOperation
from longshore.gateway.handlers.parsing import parse
from longshore.gateway.handlers.request_id import AssignRequestId
from longshore.gateway.handlers.serialisation import serialise, serialise_error
from longshore.gateway.handlers.throttle import Throttle
from longshore.model.errors import AwsError
from longshore.model.principal import Principal
from longshore.services.interface import Identity, Service
from longshore.store.interface import Conflict, Store, StoreUnavailable

Offered = Sequence[Service] | Mapping[str, Service]
"""Services; by their names where each is made when it is first called."""
log = logger(__name__)


class ApiPath:
    """Answers API requests, each on the same path."""

    def __init__(
        self,
        *,
        services: Offered,
        store: Store,
        clock: Clock,
        ids: Ids,
        installation: Installation,
        identity: Identity,
        throttling: bool = False,
    ) -> None:
        offered = services if isinstance(services, Mapping) else {it.name: it for it in services}
        authorise = Authorise(identity, installation)
        self._clock = clock
        self.authenticate = Authenticate(store, identity, installation)
        self.steps: Steps = (
            AssignRequestId(clock, ids),
            FindOperation(Catalogue(offered), offered, installation),
            self.authenticate,
            Locate(store, clock, ids, installation, authorise),
            parse,
            authorise,
            Throttle(clock, throttling),
            Invoke(store),
            serialise,
        )
        self.measure = Measure(clock)
        self.ending: Steps = (
            RecordAccess(clock),
            self.measure,
        )

    async def answer(self, request: HttpRequest) -> HttpResponse:
        """The response to a request; never raises but when it is cancelled."""
        response = self.begin(request)
        return response if isinstance(response, HttpResponse) else await response

    def begin(self, request: HttpRequest) -> HttpResponse | Awaitable[HttpResponse]:
        """The response at once where no step has to wait, else what will give it."""
        exchange = Exchange(request, self._clock.monotonic())
        try:
            for number, step in enumerate(self.steps, 1):
                pending = step(exchange)
                if pending is not None:
                    return self._go_on(exchange, pending, self.steps[number:])
        except Exception as error:
            self._fail(exchange, error)
        return self._end(exchange)

    async def _go_on(
        self, exchange: Exchange, pending: Awaitable[None], steps: Steps
    ) -> HttpResponse:
        try:
            await pending
            for step in steps:
                waited_for = step(exchange)
                if waited_for is not None:
                    await waited_for
        except Exception as error:
            self._fail(exchange, error)
        return self._end(exchange)

    def _fail(self, exchange: Exchange, error: Exception) -> None:
        exchange.error = self._as_aws_error(error, exchange)
        exchange.response = serialise_error(exchange, exchange.error)

    def _end(self, exchange: Exchange) -> HttpResponse:
        for step in self.ending:
            step(exchange)
        # The context leads back here (`authorize`): all of it is free at once, not when the
        # collector comes.
        exchange.context = None
        assert exchange.response is not None
        return exchange.response

    def who(self, request: HttpRequest, service: str) -> tuple[Principal, str]:
        """Who signed a request that is not on the path (a websocket's), and for which region."""
        return self.authenticate.anyone(request, service, self._clock.now())

    def _as_aws_error(self, error: Exception, exchange: Exchange) -> AwsError:
        if isinstance(error, AwsError):
            return error
        if isinstance(error, StoreUnavailable | Conflict | asyncio.TimeoutError):
            log.warning("store could not serve", request_id=exchange.request_id, reason=str(error))
            return AwsError("ServiceUnavailable", "The service is unavailable. Try again.", 503)
        log.error(
            "request failed",
            request_id=exchange.request_id,
            service=exchange.api.name if exchange.api is not None else "",
            operation=exchange.operation_name,
            exc_info=error,
        )
        return AwsError(
            "InternalFailure",
            "The request processing has failed because of an unknown error, exception or failure.",
            500,
        )
