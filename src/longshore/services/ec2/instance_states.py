"""Starting, stopping, rebooting, terminating and monitoring instances."""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import msgspec

from longshore.instances import (
    instance_type,
    reboot_instance,
    start_instance,
    stop_instance,
    terminate_instance,
)
from longshore.instances.capacity import no_room, room_for
from longshore.model.errors import AwsError, not_built
from longshore.model.instances import INSTANCE, Instance
from longshore.services.ec2.describing import Item
from longshore.services.ec2.instances import (
    around,
    find_instances,
    is_gone,
    place,
    shown_state,
    state_item,
)
from longshore.services.interface import Context, Response

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import (
        MonitorInstancesRequestTypeDef,
        RebootInstancesRequestTypeDef,
        StartInstancesRequestTypeDef,
        StopInstancesRequestTypeDef,
        TerminateInstancesRequestTypeDef,
        UnmonitorInstancesRequestTypeDef,
    )

FROM: dict[str, frozenset[str]] = {
    "started": frozenset({"pending", "running", "stopped"}),
    "stopped": frozenset({"running", "stopping", "stopped"}),
    "rebooted": frozenset({"running"}),
}
"""What can be done in which states ("Instance lifecycle")."""


def _check_states(context: Context, instances: Iterable[Instance], done: str) -> None:
    for instance in instances:
        if shown_state(context, instance) not in FROM[done]:
            raise AwsError(
                "IncorrectInstanceState",
                f"The instance '{instance.id}' is not in a state from which it can be {done}.",
            )


def _protected(instance: Instance, done: str, attribute: str) -> AwsError:
    return AwsError(
        "OperationNotPermitted",
        f"The instance '{instance.id}' may not be {done}. Modify its '{attribute}' instance "
        "attribute and try again.",
    )


def _changed(
    context: Context, instances: Sequence[Instance], change: Callable[[Instance], object]
) -> list[Item]:
    """Do it to each, and say what its state was and is."""
    items: list[Item] = []
    for instance in instances:
        before = shown_state(context, instance)
        change(instance)
        record = context.tx.get(INSTANCE, *place(context), instance.id)
        after = shown_state(context, record.value if record is not None else instance)
        items.append(
            {
                "InstanceId": instance.id,
                "CurrentState": state_item(after),
                "PreviousState": state_item(before),
            }
        )
    return items


def start_instances(context: Context, request: "StartInstancesRequestTypeDef") -> Response:
    instances = find_instances(context, request["InstanceIds"])
    _check_states(context, instances, "started")

    def start(instance: Instance) -> None:
        kind = instance_type(instance.instance_type)
        if instance.wanted != "running" and kind is not None and not room_for(context.tx, kind):
            raise no_room(kind.name, instance.zone)
        start_instance(context.tx, around(context), instance.id)

    return {"StartingInstances": _changed(context, instances, start)}


def stop_instances(context: Context, request: "StopInstancesRequestTypeDef") -> Response:
    if request.get("Hibernate"):
        raise not_built("ec2:StopInstances with Hibernate")
    instances = find_instances(context, request["InstanceIds"])
    _check_states(context, instances, "stopped")
    for instance in instances:
        if instance.spot:
            raise AwsError(
                "UnsupportedOperation",
                f"You can't stop the Spot Instance '{instance.id}' because it is associated with "
                "a one-time Spot Instance request. You can only stop Spot Instances associated "
                "with persistent Spot Instance requests.",
            )
        if instance.stop_protection:
            raise _protected(instance, "stopped", "disableApiStop")
    items = _changed(
        context, instances, lambda each: stop_instance(context.tx, around(context), each.id)
    )
    return {"StoppingInstances": items}


def reboot_instances(context: Context, request: "RebootInstancesRequestTypeDef") -> Response:
    instances = find_instances(context, request["InstanceIds"])
    _check_states(context, instances, "rebooted")
    for instance in instances:
        reboot_instance(context.tx, around(context), instance.id)
    return {}


def terminate_instances(context: Context, request: "TerminateInstancesRequestTypeDef") -> Response:
    instances = find_instances(context, request["InstanceIds"])
    for instance in instances:
        if instance.termination_protection and not is_gone(context, instance):
            raise _protected(instance, "terminated", "disableApiTermination")
    items = _changed(
        context, instances, lambda each: terminate_instance(context.tx, around(context), each.id)
    )
    return {"TerminatingInstances": items}


def monitor_instances(context: Context, request: "MonitorInstancesRequestTypeDef") -> Response:
    return _monitor(context, request["InstanceIds"], "pending", wanted=True)


def unmonitor_instances(context: Context, request: "UnmonitorInstancesRequestTypeDef") -> Response:
    return _monitor(context, request["InstanceIds"], "disabling", wanted=False)


def _monitor(context: Context, ids: Sequence[str], state: str, *, wanted: bool) -> Response:
    """What is asked for is in force at once; AWS says that it is under way."""
    items = []
    for instance in find_instances(context, ids):
        changed = msgspec.structs.replace(instance, detailed_monitoring=wanted)
        context.tx.put(INSTANCE, *place(context), instance.id, changed)
        items.append({"InstanceId": instance.id, "Monitoring": {"State": state}})
    return {"InstanceMonitorings": items}
