"""Deletes client tokens a day after their call."""

from collections.abc import Collection, Iterable
from typing import Any

from longshore.controllers.interface import Surroundings
from longshore.model.ecs import CLIENT_TOKEN, CLIENT_TOKEN_SECONDS
from longshore.model.kind import Kind
from longshore.store.interface import Change, Key, Reader, Transaction


class TokenExpiry:
    """`longshore.controllers.interface.Controller` of every client token."""

    name = "controllers/client_token/expiry"
    watched: Collection[Kind[Any]] = (CLIENT_TOKEN,)

    def __init__(self, surroundings: Surroundings) -> None:
        self._store = surroundings.store
        self._clock = surroundings.clock

    def keys(self, change: Change, reader: Reader) -> Iterable[Key]:
        if change.after is not None:
            yield change.key

    def every_key(self, reader: Reader) -> Iterable[Key]:
        return [record.key for record in reader.scan(CLIENT_TOKEN)]

    async def reconcile(self, key: Key) -> float | None:
        return await self._store.transact(lambda tx: self._expire(tx, key))

    def _expire(self, tx: Transaction, key: Key) -> float | None:
        record = tx.get(CLIENT_TOKEN, key.account, key.region, key.name)
        if record is None:
            return None
        left = record.value.at + CLIENT_TOKEN_SECONDS - self._clock.now()
        if left > 0:
            return left
        tx.delete(CLIENT_TOKEN, key.account, key.region, key.name)
        return None
