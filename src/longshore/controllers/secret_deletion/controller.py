"""The loop: one key for each secret that is marked for deletion."""

from collections.abc import Collection, Iterable
from typing import Any

from longshore.controllers.interface import Surroundings
from longshore.model.kind import Kind
from longshore.model.secretsmanager import SECRET, Secret
from longshore.store.interface import Change, Key, Reader, Transaction


class SecretDeletion:
    """Controller of `secret_deletion`."""

    name = "controllers/secret_deletion"

    def __init__(self, surroundings: Surroundings) -> None:
        self._store = surroundings.store
        self._clock = surroundings.clock

    @property
    def watched(self) -> Collection[Kind[Any]]:
        return (SECRET,)

    def keys(self, change: Change, reader: Reader) -> Iterable[Key]:
        after = change.after
        if after is not None and isinstance(after.value, Secret) and after.value.deletes_at:
            yield change.key

    def every_key(self, reader: Reader) -> Iterable[Key]:
        return [record.key for record in reader.scan(SECRET) if record.value.deletes_at]

    async def reconcile(self, key: Key) -> float | None:
        now = self._clock.now()

        def delete(tx: Transaction) -> float | None:
            record = tx.get(SECRET, key.account, key.region, key.name)
            if record is None or not record.value.deletes_at:
                return None
            if record.value.deletes_at > now:
                return record.value.deletes_at - now
            tx.delete(SECRET, key.account, key.region, key.name)
            return None

        return await self._store.transact(delete)
