"""Instances as the API shows them: found, described, and their status."""

import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from longshore.instances import Around, instance_type
from longshore.instances.images import ARCHITECTURE, ROOT_DEVICE
from longshore.model.ec2 import NETWORK_INTERFACE, NetworkInterface
from longshore.model.errors import AwsError
from longshore.model.instances import (
    ENDED,
    INSTANCE,
    INSTANCE_STATUS,
    STATE_CODES,
    Instance,
    InstanceStatus,
    MetadataOptions,
    Reason,
    state_of,
)
from longshore.model.volumes import VOLUME, VOLUME_STATUS, attachment_state
from longshore.services.ec2.describing import Item, Listing, describe
from longshore.services.ec2.network_interfaces import interface_item
from longshore.services.ec2.tagging import tag_list
from longshore.services.interface import Context, Response
from longshore.vpc.zones import zone_id

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import (
        DescribeInstancesRequestTypeDef,
        DescribeInstanceStatusRequestTypeDef,
    )

_ID = re.compile(r"i-([0-9a-f]{8}|[0-9a-f]{17})")
_INTERFACE = "NetworkInterfaces[]"
LISTING = Listing(
    member="Instances",
    ids="InstanceIds",
    id="InstanceId",
    absent=("InvalidInstanceID.NotFound", "The instance ID '{}' does not exist"),
    filters={
        "architecture": "Architecture",
        "availability-zone": "Placement.AvailabilityZone",
        "block-device-mapping.delete-on-termination": (
            "BlockDeviceMappings[].Ebs.DeleteOnTermination"
        ),
        "block-device-mapping.device-name": "BlockDeviceMappings[].DeviceName",
        "block-device-mapping.status": "BlockDeviceMappings[].Ebs.Status",
        "block-device-mapping.volume-id": "BlockDeviceMappings[].Ebs.VolumeId",
        "client-token": "ClientToken",
        "dns-name": "PublicDnsName",
        "hypervisor": "Hypervisor",
        "iam-instance-profile.arn": "IamInstanceProfile.Arn",
        "iam-instance-profile.id": "IamInstanceProfile.Id",
        "image-id": "ImageId",
        "instance-id": "InstanceId",
        "instance-lifecycle": "InstanceLifecycle",
        "instance-state-code": "State.Code",
        "instance-state-name": "State.Name",
        "instance-type": "InstanceType",
        "instance.group-id": "SecurityGroups[].GroupId",
        "instance.group-name": "SecurityGroups[].GroupName",
        "ip-address": "PublicIpAddress",
        "key-name": "KeyName",
        "launch-index": "AmiLaunchIndex",
        "metadata-options.http-endpoint": "MetadataOptions.HttpEndpoint",
        "metadata-options.http-put-response-hop-limit": "MetadataOptions.HttpPutResponseHopLimit",
        "metadata-options.http-tokens": "MetadataOptions.HttpTokens",
        "metadata-options.instance-metadata-tags": "MetadataOptions.InstanceMetadataTags",
        "monitoring-state": "Monitoring.State",
        "network-interface.addresses.association.public-ip": (
            f"{_INTERFACE}.PrivateIpAddresses[].Association.PublicIp"
        ),
        "network-interface.addresses.primary": f"{_INTERFACE}.PrivateIpAddresses[].Primary",
        "network-interface.addresses.private-ip-address": (
            f"{_INTERFACE}.PrivateIpAddresses[].PrivateIpAddress"
        ),
        "network-interface.association.public-ip": f"{_INTERFACE}.Association.PublicIp",
        "network-interface.attachment.attachment-id": f"{_INTERFACE}.Attachment.AttachmentId",
        "network-interface.attachment.status": f"{_INTERFACE}.Attachment.Status",
        "network-interface.description": f"{_INTERFACE}.Description",
        "network-interface.group-id": f"{_INTERFACE}.Groups[].GroupId",
        "network-interface.group-name": f"{_INTERFACE}.Groups[].GroupName",
        "network-interface.mac-address": f"{_INTERFACE}.MacAddress",
        "network-interface.network-interface-id": f"{_INTERFACE}.NetworkInterfaceId",
        "network-interface.owner-id": f"{_INTERFACE}.OwnerId",
        "network-interface.private-dns-name": f"{_INTERFACE}.PrivateDnsName",
        "network-interface.source-dest-check": f"{_INTERFACE}.SourceDestCheck",
        "network-interface.status": f"{_INTERFACE}.Status",
        "network-interface.subnet-id": f"{_INTERFACE}.SubnetId",
        "network-interface.vpc-id": f"{_INTERFACE}.VpcId",
        "owner-id": "OwnerId",
        "placement-group-name": "Placement.GroupName",
        "private-dns-name": "PrivateDnsName",
        "private-ip-address": "PrivateIpAddress",
        "reason": "StateTransitionReason",
        "reservation-id": "ReservationId",
        "root-device-name": "RootDeviceName",
        "root-device-type": "RootDeviceType",
        "source-dest-check": "SourceDestCheck",
        "state-reason-code": "StateReason.Code",
        "state-reason-message": "StateReason.Message",
        "subnet-id": "SubnetId",
        "tenancy": "Placement.Tenancy",
        "virtualization-type": "VirtualizationType",
        "vpc-id": "VpcId",
    },
)
OF_RESERVATION = ("ReservationId", "OwnerId")
"""Members of an instance's item that are its reservation's: filters look at them too."""
STATUS_LISTING = Listing(
    member="InstanceStatuses",
    ids="InstanceIds",
    id="InstanceId",
    absent=LISTING.absent,
    tags="",
    filters={
        "availability-zone": "AvailabilityZone",
        "instance-state-code": "InstanceState.Code",
        "instance-state-name": "InstanceState.Name",
        "instance-status.reachability": "InstanceStatus.Details[].Status",
        "instance-status.status": "InstanceStatus.Status",
        "system-status.reachability": "SystemStatus.Details[].Status",
        "system-status.status": "SystemStatus.Status",
    },
)


def place(context: Context) -> tuple[str, str]:
    return context.account, context.region


def around(context: Context) -> Around:
    """What launching and ending need of a call."""
    return Around(
        account=context.account,
        region=context.region,
        now=context.now,
        ids=context.ids,
        installation=context.installation,
        principal_arn=context.principal.arn,
    )


def check_ids(ids: Iterable[str]) -> None:
    """AwsError InvalidInstanceID.Malformed."""
    for each in ids:
        if not _ID.fullmatch(each):
            more = "" if each.startswith("i-") else ' (expecting "i-...")'
            raise AwsError("InvalidInstanceID.Malformed", f'Invalid id: "{each}"{more}')


def find_instances(context: Context, ids: Sequence[str]) -> list[Instance]:
    """The instances of these ids, each once; AwsError InvalidInstanceID.NotFound, .Malformed."""
    wanted = list(dict.fromkeys(ids))
    check_ids(wanted)
    records = {each: context.tx.get(INSTANCE, *place(context), each) for each in wanted}
    missing = [each for each, record in records.items() if record is None]
    if missing:
        several = "s" if len(missing) > 1 else ""
        verb = "do" if several else "does"
        raise AwsError(
            "InvalidInstanceID.NotFound",
            f"The instance ID{several} '{', '.join(missing)}' {verb} not exist",
        )
    return [record.value for record in records.values() if record is not None]


def find_instance(context: Context, instance_id: str) -> Instance:
    return find_instances(context, [instance_id])[0]


def all_instances(context: Context) -> list[Instance]:
    return [record.value for record in context.tx.scan(INSTANCE, *place(context))]


def status_of(context: Context, instance_id: str) -> InstanceStatus | None:
    record = context.tx.get(INSTANCE_STATUS, *place(context), instance_id)
    return record.value if record is not None else None


def shown_state(context: Context, instance: Instance) -> str:
    return state_of(instance, status_of(context, instance.id))


def state_item(state: str) -> Item:
    return {"Code": STATE_CODES[state], "Name": state}


def interface_of(context: Context, instance: Instance) -> NetworkInterface | None:
    """Its primary interface, while it has it."""
    record = context.tx.get(NETWORK_INTERFACE, *place(context), instance.interface_id)
    found = record.value if record is not None else None
    return found if found is not None and found.instance_id == instance.id else None


def instance_item(context: Context, instance: Instance) -> Item:
    """An instance with what is its reservation's (`OF_RESERVATION`)."""
    state = shown_state(context, instance)
    item: dict[str, Any] = {
        "ReservationId": instance.reservation_id,
        "OwnerId": context.account,
        "InstanceId": instance.id,
        "State": state_item(state),
        "StateTransitionReason": _transition(instance, state),
        "PrivateDnsName": "",
        "PublicDnsName": "",
        **_machine(instance),
        **_options(instance),
    }
    reason = _reason(instance, status_of(context, instance.id), state)
    if reason is not None:
        item["StateReason"] = {"Code": reason.code, "Message": reason.message}
    if instance.key_name:
        item["KeyName"] = instance.key_name
    if instance.spot:
        item["InstanceLifecycle"] = "spot"
    if state != "terminated":
        item |= _attached(context, instance)
    return item


def _machine(instance: Instance) -> Item:
    return {
        "AmiLaunchIndex": instance.launch_index,
        "Architecture": ARCHITECTURE,
        "BlockDeviceMappings": [],
        "ClientToken": instance.client_token,
        "CpuOptions": cpu_options(instance.vcpus),
        "EbsOptimized": instance.ebs_optimized,
        "EnaSupport": True,
        "Hypervisor": "xen",
        "ImageId": instance.image_id,
        "InstanceType": instance.instance_type,
        "LaunchTime": instance.launched_at,
        "Monitoring": {"State": "enabled" if instance.detailed_monitoring else "disabled"},
        "NetworkInterfaces": [],
        "Placement": {
            "AvailabilityZone": instance.zone,
            "AvailabilityZoneId": zone_id(instance.zone),
            "GroupName": "",
            "Tenancy": "default",
        },
        "PlatformDetails": "Linux/UNIX",
        "ProductCodes": [],
        "RootDeviceName": ROOT_DEVICE,
        "RootDeviceType": "ebs",
        "SecurityGroups": [],
        "Tags": tag_list(instance.tags),
        "UsageOperation": "RunInstances",
        "VirtualizationType": "hvm",
    }


def cpu_options(vcpus: int) -> Item:
    """Two threads a core, as AWS's x86 types have them."""
    threads = 2 if vcpus > 1 else 1
    return {"CoreCount": vcpus // threads, "ThreadsPerCore": threads}


def _options(instance: Instance) -> Item:
    return {
        "CapacityReservationSpecification": {"CapacityReservationPreference": "open"},
        "EnclaveOptions": {"Enabled": False},
        "HibernationOptions": {"Configured": False},
        "MaintenanceOptions": {"AutoRecovery": "default"},
        "MetadataOptions": metadata_item(instance.metadata),
    }


def metadata_item(options: MetadataOptions) -> Item:
    return {
        "State": "applied",
        "HttpEndpoint": options.endpoint,
        "HttpProtocolIpv6": "disabled",
        "HttpPutResponseHopLimit": options.hop_limit,
        "HttpTokens": options.tokens,
        "InstanceMetadataTags": options.instance_tags,
    }


def _transition(instance: Instance, state: str) -> str:
    """Why and when it was stopped or terminated; empty of one that runs."""
    if state in {"pending", "running"} or instance.reason is None:
        return ""
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(instance.wanted_at))
    by_user = instance.reason.code.startswith("Client.User")
    return f"{'User' if by_user else 'Server'} initiated ({at} GMT)"


def _reason(instance: Instance, status: InstanceStatus | None, state: str) -> Reason | None:
    if state == "pending":
        return Reason(code="pending", message="pending")
    if state == "running":
        return None
    return instance.reason or (status.reason if status is not None else None)


def _attached(context: Context, instance: Instance) -> Item:
    """What it has until it is terminated: interface, volume, profile."""
    item: dict[str, Any] = {
        "SubnetId": instance.subnet_id,
        "VpcId": instance.vpc_id,
        "PrivateIpAddress": instance.private_address,
        "BlockDeviceMappings": [root_mapping(instance), *data_mappings(context, instance)],
        "PrivateDnsNameOptions": {
            "HostnameType": "ip-name",
            "EnableResourceNameDnsARecord": False,
            "EnableResourceNameDnsAAAARecord": False,
        },
    }
    if instance.profile_arn:
        item["IamInstanceProfile"] = {"Arn": instance.profile_arn, "Id": instance.profile_id}
    eni = interface_of(context, instance)
    return item | _network(interface_item(context, eni)) if eni is not None else item


def root_mapping(instance: Instance) -> Item:
    return {
        "DeviceName": ROOT_DEVICE,
        "Ebs": {
            "AttachTime": instance.launched_at,
            "DeleteOnTermination": True,
            "Status": "attached",
            "VolumeId": instance.root_volume_id,
        },
    }


def data_mappings(context: Context, instance: Instance) -> Iterator[Item]:
    """The data volumes that are in it, or are to be."""
    runs = shown_state(context, instance) == "running"
    for record in context.tx.find(VOLUME, *place(context), "instance", instance.id):
        attachment = record.value.attachment
        if attachment is None:
            continue
        status = context.tx.get(VOLUME_STATUS, *place(context), record.value.id)
        known = status.value if status is not None else None
        state = attachment_state(record.value, attachment, known, instance_runs=runs)
        yield {
            "DeviceName": attachment.device,
            "Ebs": {
                "AttachTime": attachment.at,
                "DeleteOnTermination": attachment.delete_on_termination,
                # An instance knows no `busy` ("EbsInstanceBlockDevice": Status).
                "Status": "detaching" if state == "busy" else state,
                "VolumeId": record.value.id,
            },
        }


def _network(shown: Item) -> dict[str, Any]:
    """The instance's members that are its interface's."""
    item: dict[str, Any] = {
        "NetworkInterfaces": [_instance_interface(shown)],
        "PrivateDnsName": shown["PrivateDnsName"],
        "SecurityGroups": shown["Groups"],
        "SourceDestCheck": shown["SourceDestCheck"],
    }
    association = shown.get("Association")
    if association:
        item["PublicIpAddress"] = association["PublicIp"]
        item["PublicDnsName"] = association["PublicDnsName"]
    return item


def _instance_interface(shown: Item) -> Item:
    """An interface as its instance lists it: with less than DescribeNetworkInterfaces says."""
    kept = (
        *("Description", "Groups", "InterfaceType", "Ipv6Addresses", "MacAddress"),
        *("NetworkInterfaceId", "OwnerId", "PrivateDnsName", "PrivateIpAddress"),
        *("SourceDestCheck", "Status", "SubnetId", "VpcId"),
    )
    attachment = {
        name: value
        for name, value in shown["Attachment"].items()
        if name not in {"InstanceId", "InstanceOwnerId"}
    }
    return {
        **{name: shown[name] for name in kept},
        **_association(shown),
        "Attachment": {**attachment, "NetworkCardIndex": 0},
        "PrivateIpAddresses": [
            {**each, **_association(each)} for each in shown["PrivateIpAddresses"]
        ],
    }


def _association(shown: Item) -> Item:
    kept = ("IpOwnerId", "PublicDnsName", "PublicIp")
    given = shown.get("Association")
    return {"Association": {name: given[name] for name in kept}} if given else {}


def reservations(items: Iterable[Item]) -> list[Item]:
    """Instances gathered by the call that launched them."""
    gathered: dict[str, dict[str, Any]] = {}
    for item in items:
        head = {name: item[name] for name in OF_RESERVATION}
        found = gathered.setdefault(item["ReservationId"], {**head, "Groups": [], "Instances": []})
        instance = {name: value for name, value in item.items() if name not in OF_RESERVATION}
        found["Instances"].append(instance)
    for found in gathered.values():
        found["Instances"].sort(key=lambda instance: instance["AmiLaunchIndex"])
    return list(gathered.values())


def describe_instances(context: Context, request: "DescribeInstancesRequestTypeDef") -> Response:
    ids = request.get("InstanceIds") or ()
    instances = find_instances(context, ids) if ids else all_instances(context)
    found = describe(LISTING, (instance_item(context, each) for each in instances), request)
    answer = {name: value for name, value in found.items() if name != LISTING.member}
    return {**answer, "Reservations": reservations(found[LISTING.member])}


def describe_instance_status(
    context: Context, request: "DescribeInstanceStatusRequestTypeDef"
) -> Response:
    """Status checks; of running instances alone, unless all are asked for."""
    ids = request.get("InstanceIds") or ()
    instances = find_instances(context, ids) if ids else all_instances(context)
    everything = request.get("IncludeAllInstances", False)
    items = list(_statuses(context, instances, everything=everything))
    shown = {item["InstanceId"] for item in items}
    kept = [each for each in ids if each in shown]
    if ids and not kept:
        return {STATUS_LISTING.member: []}
    asked = {**request, "InstanceIds": kept} if ids else request
    return describe(STATUS_LISTING, items, asked)


def _statuses(
    context: Context, instances: Iterable[Instance], *, everything: bool
) -> Iterator[Item]:
    for instance in instances:
        status = status_of(context, instance.id)
        state = state_of(instance, status)
        if everything or state == "running":
            impaired = status.impaired_since if status is not None else 0.0
            yield {
                "InstanceId": instance.id,
                "AvailabilityZone": instance.zone,
                "AvailabilityZoneId": zone_id(instance.zone),
                "Events": [],
                "InstanceState": state_item(state),
                "InstanceStatus": _summary(state, impaired),
                "SystemStatus": _summary(state, 0.0),
            }


def _summary(state: str, impaired_since: float) -> Mapping[str, Any]:
    if state != "running":
        return {"Status": "initializing" if state == "pending" else "not-applicable"}
    detail: dict[str, Any] = {"Name": "reachability", "Status": "passed"}
    if impaired_since:
        detail |= {"Status": "failed", "ImpairedSince": impaired_since}
    return {"Status": "impaired" if impaired_since else "ok", "Details": [detail]}


def is_gone(context: Context, instance: Instance) -> bool:
    """Whether it ends or has ended."""
    return shown_state(context, instance) in ENDED


def is_burstable(instance: Instance) -> bool:
    found = instance_type(instance.instance_type)
    return found is not None and found.burstable
