"""Attributes of instances: one told or changed at a time, and metadata and credit options."""

import base64
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from longshore.instances.images import ROOT_DEVICE
from longshore.instances.parameters import (
    check_user_data,
    checked_type,
    metadata_options,
    shutdown_behavior,
)
from longshore.model.ec2 import NETWORK_INTERFACE
from longshore.model.errors import AwsError, not_built
from longshore.model.instances import INSTANCE, Instance
from longshore.model.volumes import VOLUME, Attachment, Volume
from longshore.services.ec2.describing import Item, Listing, describe
from longshore.services.ec2.instances import (
    all_instances,
    data_mappings,
    find_instance,
    find_instances,
    interface_of,
    is_burstable,
    is_gone,
    metadata_item,
    place,
    root_mapping,
    shown_state,
)
from longshore.services.ec2.network_interfaces import interface_item
from longshore.services.interface import Context, Response
from longshore.vpc.interfaces import check_groups

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import (
        DescribeInstanceAttributeRequestTypeDef,
        DescribeInstanceCreditSpecificationsRequestTypeDef,
        ModifyInstanceAttributeRequestTypeDef,
        ModifyInstanceMetadataOptionsRequestTypeDef,
        ResetInstanceAttributeRequestTypeDef,
    )

CREDIT_LISTING = Listing(
    member="InstanceCreditSpecifications",
    ids="InstanceIds",
    id="InstanceId",
    absent=("InvalidInstanceID.NotFound", "The instance ID '{}' does not exist"),
    tags="",
    filters={"instance-id": "InstanceId"},
)


def describe_instance_attribute(
    context: Context, request: "DescribeInstanceAttributeRequestTypeDef"
) -> Response:
    instance = find_instance(context, request["InstanceId"])
    attribute = request["Attribute"]
    tell = _TOLD.get(attribute)
    if tell is None:
        raise AwsError(
            "InvalidParameterValue", f"Value ({attribute}) for parameter attribute is invalid."
        )
    return {"InstanceId": instance.id, **tell(context, instance)}


def _value(member: str, value: object) -> Item:
    return {member: {"Value": value}}


def _told_user_data(context: Context, instance: Instance) -> Item:
    return {"UserData": {"Value": instance.user_data} if instance.user_data else {}}


def _told_interface(member: str) -> Callable[[Context, Instance], Item]:
    def tell(context: Context, instance: Instance) -> Item:
        eni = interface_of(context, instance)
        if eni is None:
            return {}
        shown = interface_item(context, eni)
        return {"Groups": shown["Groups"]} if member == "Groups" else _value(member, shown[member])

    return tell


_TOLD: Mapping[str, Callable[[Context, Instance], Item]] = {
    "blockDeviceMapping": lambda context, each: {
        "BlockDeviceMappings": [root_mapping(each), *data_mappings(context, each)]
    },
    "disableApiStop": lambda _, each: _value("DisableApiStop", each.stop_protection),
    "disableApiTermination": lambda _, each: _value(
        "DisableApiTermination", each.termination_protection
    ),
    "ebsOptimized": lambda _, each: _value("EbsOptimized", each.ebs_optimized),
    "enaSupport": lambda _, each: _value("EnaSupport", True),
    "enclaveOptions": lambda _, each: {"EnclaveOptions": {"Enabled": False}},
    "groupSet": _told_interface("Groups"),
    "instanceInitiatedShutdownBehavior": lambda _, each: _value(
        "InstanceInitiatedShutdownBehavior", each.shutdown_behavior
    ),
    "instanceType": lambda _, each: _value("InstanceType", each.instance_type),
    "kernel": lambda _, each: {"KernelId": {}},
    "productCodes": lambda _, each: {"ProductCodes": []},
    "ramdisk": lambda _, each: {"RamdiskId": {}},
    "rootDeviceName": lambda _, each: _value("RootDeviceName", ROOT_DEVICE),
    "sourceDestCheck": _told_interface("SourceDestCheck"),
    "sriovNetSupport": lambda _, each: {"SriovNetSupport": {}},
    "userData": _told_user_data,
}

FIELDS: Mapping[str, str] = {
    "DisableApiStop": "stop_protection",
    "DisableApiTermination": "termination_protection",
    "EbsOptimized": "ebs_optimized",
}
WHILE_STOPPED = frozenset({"EbsOptimized", "InstanceType", "UserData"})
"""What can be changed of a stopped instance alone."""


def modify_instance_attribute(
    context: Context, request: "ModifyInstanceAttributeRequestTypeDef"
) -> Response:
    """Change one attribute, given by a member of its own or by `Attribute` and `Value`."""
    instance = find_instance(context, request["InstanceId"])
    name, value = _asked(request)
    if name in WHILE_STOPPED and shown_state(context, instance) != "stopped":
        raise AwsError(
            "IncorrectInstanceState",
            f"The instance '{instance.id}' is not in the 'stopped' state.",
        )
    if name == "BlockDeviceMappings":
        _change_mappings(context, instance, value)
    elif name in {"SourceDestCheck", "Groups"}:
        _change_interface(context, instance, name, value)
    else:
        _change(context, instance, name, value)
    return {}


def _asked(request: Mapping[str, Any]) -> tuple[str, Any]:
    """The attribute's member and its new value."""
    given = [name for name in request if name not in {"InstanceId", "DryRun", "Value"}]
    if len(given) > 1:
        raise AwsError(
            "InvalidParameterCombination",
            f"Fields for multiple attribute types specified: {', '.join(sorted(given))}",
        )
    if not given:
        raise AwsError("InvalidParameterCombination", "No attributes specified.")
    name = given[0]
    if name == "Attribute":
        attribute, value = str(request["Attribute"]), str(request.get("Value", ""))
        member = attribute[:1].upper() + attribute[1:]
        boolean = member in FIELDS or member == "SourceDestCheck"
        return member, value.lower() == "true" if boolean else value
    value = request[name]
    return name, value.get("Value") if isinstance(value, Mapping) and "Value" in value else value


def _change(context: Context, instance: Instance, name: str, value: Any) -> None:
    changes: dict[str, Any]
    if name in FIELDS:
        changes = {FIELDS[name]: bool(value)}
    elif name == "InstanceInitiatedShutdownBehavior":
        changes = {"shutdown_behavior": shutdown_behavior(value)}
    elif name == "UserData":
        text = value if isinstance(value, str) else base64.b64encode(value or b"").decode()
        changes = {"user_data": check_user_data(text)}
    elif name == "InstanceType":
        kind = checked_type(value)
        changes = {"instance_type": kind.name, "vcpus": kind.vcpus, "memory": kind.memory}
        changes["credits"] = instance.credits or kind.credits if kind.burstable else ""
    else:
        raise not_built(f"ec2:ModifyInstanceAttribute of {name}")
    changed = msgspec.structs.replace(instance, **changes)
    context.tx.put(INSTANCE, *place(context), instance.id, changed)


def _change_mappings(context: Context, instance: Instance, mappings: Any) -> None:
    """Whether data volumes go with the instance; its root volume always does."""
    for mapping in mappings:
        device, asked = mapping.get("DeviceName", ""), mapping.get("Ebs") or {}
        if device == ROOT_DEVICE:
            if not asked.get("DeleteOnTermination", True):
                raise not_built("ec2: root volumes that outlive their instance")
            continue
        volume, attachment = _mapped(context, instance, device)
        if asked.get("VolumeId", volume.id) != volume.id:
            raise _unmapped(device)
        goes = bool(asked.get("DeleteOnTermination", True))
        kept = msgspec.structs.replace(attachment, delete_on_termination=goes)
        changed = msgspec.structs.replace(volume, attachment=kept)
        context.tx.put(VOLUME, *place(context), changed.id, changed)


def _mapped(context: Context, instance: Instance, device: str) -> tuple[Volume, Attachment]:
    for record in context.tx.find(VOLUME, *place(context), "instance", instance.id):
        attachment = record.value.attachment
        if attachment is not None and attachment.device == device:
            return record.value, attachment
    raise _unmapped(device)


def _unmapped(device: str) -> AwsError:
    return AwsError("InvalidInstanceAttributeValue", f"No device is currently mapped at {device}")


def _change_interface(context: Context, instance: Instance, name: str, value: Any) -> None:
    eni = interface_of(context, instance)
    if eni is None:
        raise AwsError(
            "IncorrectInstanceState", f"The instance '{instance.id}' has no network interface."
        )
    if name == "Groups":
        groups = check_groups(context.tx, *place(context), eni.vpc_id, list(value))
        changed = msgspec.structs.replace(eni, security_groups=groups)
    else:
        changed = msgspec.structs.replace(eni, source_dest_check=bool(value))
    context.tx.put(NETWORK_INTERFACE, *place(context), eni.id, changed)


def reset_instance_attribute(
    context: Context, request: "ResetInstanceAttributeRequestTypeDef"
) -> Response:
    """Give the source/destination check its default again; kernels cannot be chosen."""
    instance = find_instance(context, request["InstanceId"])
    if request["Attribute"] != "sourceDestCheck":
        raise not_built(f"ec2:ResetInstanceAttribute of {request['Attribute']}")
    _change_interface(context, instance, "SourceDestCheck", True)
    return {}


def modify_instance_metadata_options(
    context: Context, request: "ModifyInstanceMetadataOptionsRequestTypeDef"
) -> Response:
    instance = find_instance(context, request["InstanceId"])
    if is_gone(context, instance):
        raise AwsError(
            "IncorrectInstanceState",
            f"The instance '{instance.id}' is not in a state in which its metadata options can be "
            "modified.",
        )
    changed = msgspec.structs.replace(
        instance, metadata=metadata_options(request, instance.metadata)
    )
    context.tx.put(INSTANCE, *place(context), instance.id, changed)
    shown = {**metadata_item(changed.metadata), "State": "pending"}
    return {"InstanceId": instance.id, "InstanceMetadataOptions": shown}


def describe_instance_credit_specifications(
    context: Context, request: "DescribeInstanceCreditSpecificationsRequestTypeDef"
) -> Response:
    """CPU credit options of burstable instances."""
    ids = request.get("InstanceIds") or ()
    instances = find_instances(context, ids) if ids else all_instances(context)
    for instance in instances if ids else ():
        if not is_burstable(instance):
            raise AwsError(
                "InvalidInstanceID.NotBurstablePerformance"
                if is_gone(context, instance)
                else "InvalidParameterValue",
                f"The instance '{instance.id}' is not burstable.",
            )
    items = [
        {"InstanceId": each.id, "CpuCredits": each.credits}
        for each in instances
        if is_burstable(each) and not is_gone(context, each)
    ]
    kept = [item["InstanceId"] for item in items]
    if ids and not kept:
        return {CREDIT_LISTING.member: []}
    return describe(CREDIT_LISTING, items, {**request, "InstanceIds": kept} if ids else request)
