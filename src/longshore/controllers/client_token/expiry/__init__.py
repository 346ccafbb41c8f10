"""Deletes client tokens a day after their call."""

from longshore.controllers.one_kind import OneKind
from longshore.model.ecs import CLIENT_TOKEN, CLIENT_TOKEN_SECONDS, ClientToken
from longshore.store.interface import Record, Transaction


class TokenExpiry(OneKind[ClientToken]):
    """`longshore.controllers.interface.Controller` of every client token."""

    name = "controllers/client_token/expiry"
    kind = CLIENT_TOKEN

    def _advance(self, tx: Transaction, record: Record[ClientToken]) -> float | None:
        left = record.value.at + CLIENT_TOKEN_SECONDS - self._clock.now()
        if left > 0:
            return left
        key = record.key
        tx.delete(CLIENT_TOKEN, key.account, key.region, key.name)
        return None
