"""What add-ons have in the store, staged in transactions."""

import msgspec

from longshore.controllers.eks_addons.steps import Outcome
from longshore.model.eks import CLUSTER_STATUS, UPDATE, update_name
from longshore.model.eks_parts import (
    ADDON,
    ADDON_STATUS,
    POD_IDENTITY,
    Addon,
    AddonStatus,
    PodIdentity,
    part_name,
)
from longshore.store.interface import Key, Reader, Record, Transaction


def status_of(reader: Reader, key: Key, addon: Addon) -> AddonStatus:
    """That of this very add-on; a new one where there is none."""
    record = reader.get(ADDON_STATUS, key.account, key.region, key.name)
    if record is None or record.value.id != addon.id:
        return AddonStatus(id=addon.id)
    return record.value


def put(tx: Transaction, key: Key, addon: Addon, outcome: Outcome) -> None:
    """The outcome, unless the add-on was changed meanwhile: then another one is due."""
    record = tx.get(ADDON, key.account, key.region, key.name)
    if record is None or record.value.id != addon.id:
        return
    before = tx.get(ADDON_STATUS, key.account, key.region, key.name)
    if before is None or before.value != outcome.status:
        tx.put(ADDON_STATUS, key.account, key.region, key.name, outcome.status)
    if outcome.update and record.value.modified_at == addon.modified_at:
        _end_update(tx, key, addon, outcome)


def _end_update(tx: Transaction, key: Key, addon: Addon, outcome: Outcome) -> None:
    place = (key.account, key.region)
    for update in tx.scan(UPDATE, *place, prefix=update_name(addon.cluster, "")):
        if update.value.addon != addon.name or update.value.status != "InProgress":
            continue
        errors = outcome.errors if outcome.update == "Failed" else ()
        ended = msgspec.structs.replace(update.value, status=outcome.update, errors=errors)
        tx.put(UPDATE, *place, update.key.name, ended)


def forget(tx: Transaction, key: Key, addon: Addon) -> None:
    """Remove every record of the add-on; its updates go with it."""
    place = (key.account, key.region)
    record = tx.get(ADDON, *place, key.name)
    if record is None or record.value.id != addon.id:
        return
    for update in tx.scan(UPDATE, *place, prefix=update_name(addon.cluster, "")):
        if update.value.addon == addon.name:
            tx.delete(UPDATE, *place, update.key.name)
    for association in tx.scan(POD_IDENTITY, *place, prefix=part_name(addon.cluster, "")):
        if association.value.owner_arn == addon.arn:
            _part_with(tx, association, preserve=addon.preserve)
    tx.delete(ADDON_STATUS, *place, key.name)
    tx.delete(ADDON, *place, key.name)


def _part_with(tx: Transaction, association: Record[PodIdentity], *, preserve: bool) -> None:
    """What goes on to run without its add-on keeps its role."""
    key = association.key
    if preserve:
        free = msgspec.structs.replace(association.value, owner_arn="")
        tx.put(POD_IDENTITY, key.account, key.region, key.name, free)
    else:
        tx.delete(POD_IDENTITY, key.account, key.region, key.name)


def mark_bootstrapped(tx: Transaction, key: Key, cluster_id: str) -> None:
    record = tx.get(CLUSTER_STATUS, key.account, key.region, key.name)
    if record is not None and record.value.id == cluster_id and not record.value.bootstrapped:
        marked = msgspec.structs.replace(record.value, bootstrapped=True)
        tx.put(CLUSTER_STATUS, key.account, key.region, key.name, marked)
