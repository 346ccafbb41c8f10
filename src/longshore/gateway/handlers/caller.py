"""Says for which account and region a request is, and hands the operation its context."""

from typing import cast

from longshore.base.clock import Clock
from longshore.base.ids import Ids
from longshore.base.installation import Installation
from longshore.gateway.exchange import Exchange
from longshore.gateway.handlers.authorisation import Authorise
from longshore.services.interface import Context
from longshore.store.interface import Store, Transaction


class Locate:
    """The account is the caller's, the region the signature's (the installation's, unsigned)."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        ids: Ids,
        installation: Installation,
        authorise: Authorise,
    ) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids
        self._installation = installation
        self._authorise = authorise

    def __call__(self, exchange: Exchange) -> None:
        principal, service = exchange.principal, exchange.service
        assert principal is not None
        assert service is not None
        signed = exchange.signed
        exchange.region = signed.region if signed is not None else self._installation.region
        exchange.context = Context(
            service=service.name,
            operation=exchange.operation_name,
            account=principal.account or self._installation.account,
            region=exchange.region,
            principal=principal,
            request_id=exchange.request_id,
            source_ip=exchange.request.source_ip,
            now=exchange.now,
            ids=self._ids,
            clock=self._clock,
            installation=self._installation,
            store=self._store,
            # Until the operation's own transaction begins, reads go to the store's reader.
            tx=cast(Transaction, self._store.reader),
            authorize=self._authorise.asker(exchange),
        )
