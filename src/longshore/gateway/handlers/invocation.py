"""Calls the service's function inside a transaction."""

from collections.abc import Awaitable, Mapping
from typing import Any

from longshore.gateway.exchange import Exchange
from longshore.store.interface import Store, Transaction


class Invoke:
    """The transaction may run again after a conflict; what the function returned last counts."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __call__(self, exchange: Exchange) -> Awaitable[None] | None:
        call = exchange.call
        context, values = call.context, exchange.values
        waiting = call.service.waiting.get(exchange.operation_name)
        if waiting is not None:
            return self._wait(exchange, waiting(context, values))
        function = call.service.operations[exchange.operation_name]

        def run(transaction: Transaction) -> Mapping[str, Any]:
            context.tx = transaction
            return function(context, values)

        answer = self._store.submit(run)
        if not answer.done():
            return self._wait(exchange, answer)
        exchange.output = answer.result()
        return None

    async def _wait(self, exchange: Exchange, answer: Awaitable[Mapping[str, Any]]) -> None:
        exchange.output = await answer
