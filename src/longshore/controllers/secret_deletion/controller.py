"""The loop: one key for each secret that is marked for deletion."""

from longshore.controllers.one_kind import OneKind
from longshore.model.secretsmanager import SECRET, Secret
from longshore.store.interface import Record, Transaction


class SecretDeletion(OneKind[Secret]):
    """Controller of `secret_deletion`."""

    name = "controllers/secret_deletion"
    kind = SECRET

    def _concerns(self, value: Secret) -> bool:
        return bool(value.deletes_at)

    def _advance(self, tx: Transaction, record: Record[Secret]) -> float | None:
        left = (record.value.deletes_at or 0.0) - self._clock.now()
        if left > 0:
            return left
        key = record.key
        tx.delete(SECRET, key.account, key.region, key.name)
        return None
