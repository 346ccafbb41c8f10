"""The resources of each operation, as IAM is asked ("Actions … for Amazon EC2", SAR)."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from longshore.base.clock import rfc_3339
from longshore.instances import template_of
from longshore.instances.volume_types import DEFAULT_TYPE
from longshore.model.arn import make_arn
from longshore.model.errors import AwsError
from longshore.model.instances import INSTANCE, Instance
from longshore.model.volumes import Snapshot, Volume
from longshore.services.ec2.launch_authorization import launch_resources, new_resources
from longshore.services.ec2.tagging import KINDS, resource_arn
from longshore.services.interface import Context, Resource, ResourcesOf

NEW = "*"
"""In the place of a request's member: a resource that the call makes."""

RESOURCES: Mapping[str, Sequence[tuple[str, str]]] = {
    "AllocateAddress": (("elastic-ip", NEW),),
    "AssignPrivateIpAddresses": (("network-interface", "NetworkInterfaceId"),),
    "AssociateAddress": (
        ("elastic-ip", "AllocationId"),
        ("network-interface", "NetworkInterfaceId"),
        ("instance", "InstanceId"),
    ),
    "AssociateIamInstanceProfile": (("instance", "InstanceId"),),
    "AssociateRouteTable": (("route-table", "RouteTableId"), ("subnet", "SubnetId")),
    "AssociateVpcCidrBlock": (("vpc", "VpcId"),),
    "AttachInternetGateway": (("internet-gateway", "InternetGatewayId"), ("vpc", "VpcId")),
    "AttachVolume": (("instance", "InstanceId"), ("volume", "VolumeId")),
    "AuthorizeSecurityGroupEgress": (("security-group", "GroupId"),),
    "AuthorizeSecurityGroupIngress": (("security-group", "GroupId"),),
    "CreateInternetGateway": (("internet-gateway", NEW),),
    "CreateKeyPair": (("key-pair", NEW),),
    "CreateLaunchTemplate": (("launch-template", NEW),),
    "CreateNetworkInterface": (
        ("network-interface", NEW),
        ("subnet", "SubnetId"),
        ("security-group", "Groups"),
    ),
    "CreateRoute": (("route-table", "RouteTableId"),),
    "CreateRouteTable": (("route-table", NEW), ("vpc", "VpcId")),
    "CreateSecurityGroup": (("security-group", NEW), ("vpc", "VpcId")),
    "CreateSnapshot": (("snapshot", NEW), ("volume", "VolumeId")),
    "CreateSubnet": (("subnet", NEW), ("vpc", "VpcId")),
    "CreateVolume": (("volume", NEW), ("snapshot", "SnapshotId")),
    "CreateVpc": (("vpc", NEW),),
    "DeleteInternetGateway": (("internet-gateway", "InternetGatewayId"),),
    "DeleteKeyPair": (("key-pair", "KeyPairId"),),
    "DeleteNetworkInterface": (("network-interface", "NetworkInterfaceId"),),
    "DeleteRoute": (("route-table", "RouteTableId"),),
    "DeleteRouteTable": (("route-table", "RouteTableId"),),
    "DeleteSecurityGroup": (("security-group", "GroupId"),),
    "DeleteSnapshot": (("snapshot", "SnapshotId"),),
    "DeleteSubnet": (("subnet", "SubnetId"),),
    "DeleteVolume": (("volume", "VolumeId"),),
    "DeleteVpc": (("vpc", "VpcId"),),
    "DescribeInstanceAttribute": (("instance", "InstanceId"),),
    "DescribeVolumeAttribute": (("volume", "VolumeId"),),
    "DetachInternetGateway": (("internet-gateway", "InternetGatewayId"), ("vpc", "VpcId")),
    "DetachVolume": (("instance", "InstanceId"), ("volume", "VolumeId")),
    "EnableVolumeIO": (("volume", "VolumeId"),),
    "GetLaunchTemplateData": (("instance", "InstanceId"),),
    "ImportKeyPair": (("key-pair", NEW),),
    "ModifyInstanceAttribute": (("instance", "InstanceId"), ("security-group", "Groups")),
    "ModifyInstanceMetadataOptions": (("instance", "InstanceId"),),
    "ModifyNetworkInterfaceAttribute": (("network-interface", "NetworkInterfaceId"),),
    "ModifySecurityGroupRules": (("security-group", "GroupId"),),
    "ModifySubnetAttribute": (("subnet", "SubnetId"),),
    "ModifyVolume": (("volume", "VolumeId"),),
    "ModifyVolumeAttribute": (("volume", "VolumeId"),),
    "ModifyVpcAttribute": (("vpc", "VpcId"),),
    "MonitorInstances": (("instance", "InstanceIds"),),
    "RebootInstances": (("instance", "InstanceIds"),),
    "ReleaseAddress": (("elastic-ip", "AllocationId"),),
    "ReplaceRoute": (("route-table", "RouteTableId"),),
    "ReplaceRouteTableAssociation": (("route-table", "RouteTableId"),),
    "ResetInstanceAttribute": (("instance", "InstanceId"),),
    "RevokeSecurityGroupEgress": (("security-group", "GroupId"),),
    "RevokeSecurityGroupIngress": (("security-group", "GroupId"),),
    "StartInstances": (("instance", "InstanceIds"),),
    "StopInstances": (("instance", "InstanceIds"),),
    "TerminateInstances": (("instance", "InstanceIds"),),
    "UnassignPrivateIpAddresses": (("network-interface", "NetworkInterfaceId"),),
    "UnmonitorInstances": (("instance", "InstanceIds"),),
    "UpdateSecurityGroupRuleDescriptionsEgress": (("security-group", "GroupId"),),
    "UpdateSecurityGroupRuleDescriptionsIngress": (("security-group", "GroupId"),),
}
"""By operation: resource types, and the request's member that holds the id (or ids)."""

ALONE: Mapping[str, str] = {"sgr": "security-group-rule"}
"""Resource types, by their ids' prefix, of what lies in another's record."""
_KINDS = {resource_type: kind for kind, resource_type in KINDS.values()}


def _resource(context: Context, resource_type: str, resource_id: str) -> Resource:
    """A resource with the condition keys that its record gives."""
    arn = resource_arn(context, resource_type, resource_id)
    record = context.tx.get(_KINDS[resource_type], context.account, context.region, resource_id)
    conditions: dict[str, str | list[str]] = {"ec2:Region": context.region}
    if record is not None:
        conditions |= {f"aws:ResourceTag/{key}": value for key, value in record.value.tags}
        conditions |= {f"ec2:ResourceTag/{key}": value for key, value in record.value.tags}
        if isinstance(record.value, Instance):
            conditions |= _instance_conditions(record.value)
        if isinstance(record.value, Volume):
            conditions |= _volume_conditions(context, record.value)
        if isinstance(record.value, Snapshot):
            conditions |= _snapshot_conditions(context, record.value)
        vpc_id = getattr(record.value, "vpc_id", "")
        if vpc_id:
            vpc = make_arn("ec2", context.region, context.account, f"vpc/{vpc_id}")
            conditions["ec2:Vpc"] = vpc
    return Resource(arn=arn, conditions=conditions)


def _instance_conditions(instance: Instance) -> dict[str, str | list[str]]:
    conditions: dict[str, str | list[str]] = {
        "ec2:AvailabilityZone": instance.zone,
        "ec2:EbsOptimized": str(instance.ebs_optimized).lower(),
        "ec2:InstanceID": instance.id,
        "ec2:InstanceMarketType": "spot" if instance.spot else "on-demand",
        "ec2:InstanceType": instance.instance_type,
        "ec2:MetadataHttpEndpoint": instance.metadata.endpoint,
        "ec2:MetadataHttpPutResponseHopLimit": str(instance.metadata.hop_limit),
        "ec2:MetadataHttpTokens": instance.metadata.tokens,
        "ec2:RootDeviceType": "ebs",
        "ec2:Tenancy": "default",
    }
    if instance.profile_arn:
        conditions["ec2:InstanceProfile"] = instance.profile_arn
    return conditions


def _volume_conditions(context: Context, volume: Volume) -> dict[str, str | list[str]]:
    shape = volume.performance
    conditions: dict[str, str | list[str]] = {
        "ec2:AvailabilityZone": volume.zone,
        "ec2:Encrypted": "false",
        "ec2:VolumeID": volume.id,
        "ec2:VolumeIops": str(shape.iops),
        "ec2:VolumeSize": str(shape.size),
        "ec2:VolumeThroughput": str(shape.throughput),
        "ec2:VolumeType": shape.type,
    }
    if volume.snapshot_id:
        conditions["ec2:ParentSnapshot"] = resource_arn(context, "snapshot", volume.snapshot_id)
    return conditions


def _snapshot_conditions(context: Context, snapshot: Snapshot) -> dict[str, str | list[str]]:
    return {
        "ec2:Encrypted": "false",
        "ec2:Owner": context.account,
        "ec2:ParentVolume": resource_arn(context, "volume", snapshot.volume_id),
        "ec2:SnapshotID": snapshot.id,
        "ec2:SnapshotTime": rfc_3339(snapshot.started_at),
        "ec2:VolumeSize": str(snapshot.volume_size),
    }


def _new_volume(context: Context, request: Mapping[str, Any]) -> Iterator[Resource]:
    """CreateVolume: the volume with what is asked of it, and the snapshot that it begins as."""
    asked: dict[str, str | list[str]] = {
        "ec2:Encrypted": str(bool(request.get("Encrypted"))).lower(),
        "ec2:VolumeType": request.get("VolumeType", DEFAULT_TYPE),
    }
    if request.get("AvailabilityZone"):
        asked["ec2:AvailabilityZone"] = request["AvailabilityZone"]
    for member in ("Iops", "Size", "Throughput"):
        if member in request:
            asked[f"ec2:Volume{member}"] = str(request[member])
    if request.get("SnapshotId"):
        asked["ec2:ParentSnapshot"] = resource_arn(context, "snapshot", request["SnapshotId"])
    for found in _resources_of(RESOURCES["CreateVolume"])(context, request):
        own = asked if found.arn.endswith(f":volume/{NEW}") else {}
        yield Resource(arn=found.arn, conditions={**found.conditions, **own})


def _requested_tags(request: Mapping[str, Any]) -> dict[str, str | list[str]]:
    """`aws:RequestTag` and `aws:TagKeys` of a call that tags."""
    tags = [
        tag for given in request.get("TagSpecifications") or () for tag in given.get("Tags") or ()
    ] + list(request.get("Tags") or ())
    conditions: dict[str, str | list[str]] = {
        f"aws:RequestTag/{tag.get('Key', '')}": tag.get("Value", "") for tag in tags
    }
    if tags:
        conditions["aws:TagKeys"] = [tag.get("Key", "") for tag in tags]
    return conditions


def _resources_of(members: Sequence[tuple[str, str]]) -> ResourcesOf:
    def resources(context: Context, request: Mapping[str, Any]) -> Iterator[Resource]:
        requested = _requested_tags(request)
        for resource_type, member in members:
            given = NEW if member == NEW else request.get(member)
            for resource_id in [given] if isinstance(given, str) else given or ():
                found = _resource(context, resource_type, resource_id)
                yield Resource(arn=found.arn, conditions={**found.conditions, **requested})

    return resources


def _launch(context: Context, request: Mapping[str, Any]) -> Iterator[Resource]:
    """RunInstances: what it makes, and what it uses."""
    yield from new_resources(context, request)
    for resource_type, resource_id in launch_resources(context, request):
        yield _resource(context, resource_type, resource_id)


def _template(context: Context, request: Mapping[str, Any]) -> Iterator[Resource]:
    """The launch template that a request names by id or name."""
    try:
        template = template_of(context.tx, context.account, context.region, request)
    except AwsError:
        return
    yield _resource(context, "launch-template", template.id)


def _associated(context: Context, request: Mapping[str, Any]) -> Iterator[Resource]:
    """The instance that an association of an instance profile is of."""
    for record in context.tx.scan(INSTANCE, context.account, context.region):
        if record.value.profile_association_id == request["AssociationId"]:
            yield _resource(context, "instance", record.value.id)


def _tagged_resources(context: Context, request: Mapping[str, Any]) -> Iterator[Resource]:
    """CreateTags and DeleteTags: each resource by its id's prefix."""
    requested = _requested_tags(request)
    for resource_id in request.get("Resources") or ():
        prefix = resource_id.split("-", 1)[0]
        if prefix in ALONE:
            path = f"{ALONE[prefix]}/{resource_id}"
            arn = make_arn("ec2", context.region, context.account, path)
            yield Resource(arn=arn, conditions=requested)
        elif prefix in KINDS:
            found = _resource(context, KINDS[prefix][1], resource_id)
            yield Resource(arn=found.arn, conditions={**found.conditions, **requested})


def resources() -> Mapping[str, ResourcesOf]:
    """For `Service.resources`."""
    table: dict[str, ResourcesOf] = {
        operation: _resources_of(members) for operation, members in RESOURCES.items()
    }
    return table | {
        "CreateLaunchTemplateVersion": _template,
        "CreateTags": _tagged_resources,
        "CreateVolume": _new_volume,
        "DeleteLaunchTemplate": _template,
        "DeleteLaunchTemplateVersions": _template,
        "DeleteTags": _tagged_resources,
        "DisassociateIamInstanceProfile": _associated,
        "ModifyLaunchTemplate": _template,
        "ReplaceIamInstanceProfileAssociation": _associated,
        "RunInstances": _launch,
    }
