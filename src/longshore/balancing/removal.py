"""Load balancers, target groups and listeners, removed; each is safe to repeat."""

import msgspec

from longshore.balancing.making import Place
from longshore.model.elbv2 import LISTENER, LOAD_BALANCER, TARGET_GROUP, TARGET_HEALTH
from longshore.store.interface import Transaction


def remove_load_balancer(tx: Transaction, place: Place, name: str) -> None:
    """Its listeners go at once, the rest once its controller has taken it down."""
    record = tx.get(LOAD_BALANCER, *place.here, name)
    if record is None or record.value.deleted_at:
        return
    for listener in tx.find(LISTENER, *place.here, "load-balancer", name):
        remove_listener(tx, place, listener.key.name)
    deleted = msgspec.structs.replace(record.value, deleted_at=place.now)
    tx.put(LOAD_BALANCER, *place.here, name, deleted)


def remove_listener(tx: Transaction, place: Place, name: str) -> None:
    tx.delete(LISTENER, *place.here, name)


def remove_target_group(tx: Transaction, place: Place, name: str) -> None:
    """No listener forwards to it."""
    tx.delete(TARGET_GROUP, *place.here, name)
    tx.delete(TARGET_HEALTH, *place.here, name)
