"""What becomes of an instance: stopped, started, rebooted, terminated; and its interface's end.

Each is safe to repeat, and says what is wanted alone: the instance's controller does it. What the
API refuses (protection, states) is the API's to check.
"""

import msgspec

from longshore.instances.around import Around
from longshore.model.ec2 import NETWORK_INTERFACE
from longshore.model.instances import INSTANCE, Instance, Reason
from longshore.store.interface import Transaction
from longshore.vpc.addresses import claim_public, release_public
from longshore.vpc.elastic import elastic_of
from longshore.vpc.interfaces import delete_network_interface

BY_USER = Reason(
    code="Client.UserInitiatedShutdown", message="Client.UserInitiatedShutdown: User initiated "
    "shutdown"
)  # fmt: skip
"""The reason where none is given ("DescribeInstances": StateReason)."""


def stop_instance(
    tx: Transaction, around: Around, instance_id: str, reason: Reason | None = None
) -> Instance | None:
    """Have the instance stopped; None where there is none, or it is to be terminated."""
    return _want(tx, around, instance_id, "stopped", reason or BY_USER)


def start_instance(tx: Transaction, around: Around, instance_id: str) -> Instance | None:
    """Have the instance run; it gets a public address again where it was launched with one.

    None where there is no such instance, or it is to be terminated. AwsError
    InsufficientAddressCapacity.
    """
    instance = _want(tx, around, instance_id, "running", None)
    if instance is not None and instance.public_address:
        _claim_public_address(tx, around, instance)
    return instance


def terminate_instance(
    tx: Transaction, around: Around, instance_id: str, reason: Reason | None = None
) -> Instance | None:
    """Have the instance terminated; None where there is none."""
    return _want(tx, around, instance_id, "terminated", reason or BY_USER)


def reboot_instance(tx: Transaction, around: Around, instance_id: str) -> Instance | None:
    """Have the instance rebooted, if it is to run; None where it is not."""
    record = tx.get(INSTANCE, *around.place, instance_id)
    if record is None or record.value.wanted != "running":
        return None
    changed = msgspec.structs.replace(record.value, reboots=record.value.reboots + 1)
    tx.put(INSTANCE, *around.place, instance_id, changed)
    return changed


def _want(
    tx: Transaction, around: Around, instance_id: str, wanted: str, reason: Reason | None
) -> Instance | None:
    record = tx.get(INSTANCE, *around.place, instance_id)
    if record is None:
        return None
    instance = record.value
    if instance.wanted == wanted:
        return instance
    if instance.wanted == "terminated":
        return None
    begun = around.now if wanted == "running" else instance.launched_at
    changed = msgspec.structs.replace(
        instance, wanted=wanted, wanted_at=around.now, reason=reason, launched_at=begun
    )
    tx.put(INSTANCE, *around.place, instance_id, changed)
    return changed


def _claim_public_address(tx: Transaction, around: Around, instance: Instance) -> None:
    record = tx.get(NETWORK_INTERFACE, *around.place, instance.interface_id)
    if record is None or record.value.public_address:
        return
    if record.value.private_address in elastic_of(tx, *around.place, record.value):
        return
    address = claim_public(tx, around.ids, around.installation.public_pool, record.value.id)
    changed = msgspec.structs.replace(record.value, public_address=address)
    tx.put(NETWORK_INTERFACE, *around.place, changed.id, changed)


def give_up_public_address(tx: Transaction, account: str, region: str, instance: Instance) -> None:
    """Free the public address of an instance that has stopped ("Stop and start your instance");
    elastic ones stay. Safe to repeat."""
    record = tx.get(NETWORK_INTERFACE, account, region, instance.interface_id)
    if record is None or not record.value.public_address:
        return
    release_public(tx, record.value.public_address)
    changed = msgspec.structs.replace(record.value, public_address="")
    tx.put(NETWORK_INTERFACE, account, region, changed.id, changed)


def give_up_interface(tx: Transaction, account: str, region: str, instance: Instance) -> None:
    """Remove the interface of an instance that has ended, or set it free where it is to outlive
    its instance. Safe to repeat."""
    record = tx.get(NETWORK_INTERFACE, account, region, instance.interface_id)
    if record is None or record.value.instance_id != instance.id:
        return
    if record.value.delete_on_termination:
        delete_network_interface(tx, account, region, record.value.id)
        return
    freed = msgspec.structs.replace(
        record.value,
        status="available",
        attachment_id="",
        attached_at=0.0,
        instance_id="",
        host="",
    )
    tx.put(NETWORK_INTERFACE, account, region, freed.id, freed)
