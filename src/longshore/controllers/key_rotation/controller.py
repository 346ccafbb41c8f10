"""The loop: one key for each KMS key that is to be deleted or rotated."""

import msgspec

from longshore.base.key_material import new_material
from longshore.base.sealing import Sealer
from longshore.controllers.interface import Surroundings
from longshore.controllers.one_kind import OneKind
from longshore.model.kms import ALIAS, GRANT, KEY, Key, Material, grant_name
from longshore.store.interface import Record, Transaction

DAY = 86_400.0
AUTOMATIC = "AUTOMATIC"


class KeyRotation(OneKind[Key]):
    """Controller of `key_rotation`."""

    name = "controllers/key_rotation"
    kind = KEY

    def __init__(self, surroundings: Surroundings, sealer: Sealer) -> None:
        super().__init__(surroundings)
        self._sealer = sealer

    def _concerns(self, value: Key) -> bool:
        return bool(value.deletes_at or value.rotates_at)

    def _advance(self, tx: Transaction, record: Record[Key]) -> float | None:
        key, now = record.value, self._clock.now()
        left = (key.deletes_at or key.rotates_at) - now
        if left > 0:
            return left
        if key.deletes_at:
            _delete(tx, record)
            return None
        # A disabled key is not rotated; it is once it is enabled.
        if not key.enabled:
            return None
        material, sealed = new_material(self._sealer, key.arn)
        made = Material(id=material, sealed=sealed, created_at=now, rotation=AUTOMATIC)
        rotates_at = now + key.rotation_days * DAY
        changed = msgspec.structs.replace(
            key, materials=(*key.materials, made), rotates_at=rotates_at
        )
        tx.put(KEY, record.key.account, record.key.region, key.id, changed)
        return rotates_at - now


def _delete(tx: Transaction, record: Record[Key]) -> None:
    """The key, and what is nothing without it."""
    here, key = (record.key.account, record.key.region), record.value
    for alias in tx.find(ALIAS, *here, "key", key.id):
        tx.delete(ALIAS, *here, alias.key.name)
    for grant in tx.scan(GRANT, *here, prefix=grant_name(key.id, "")):
        tx.delete(GRANT, *here, grant.key.name)
    tx.delete(KEY, *here, key.id)
