"""What IAM is asked of RunInstances: every resource that a launch makes or uses (SAR)."""

from collections.abc import Iterator, Mapping
from typing import Any

from longshore.instances import Around, launch_request
from longshore.instances.images import require_image
from longshore.instances.networking import Wiring, wiring
from longshore.instances.parameters import checked_type, metadata_options
from longshore.instances.profiles import find_profile, profile_named
from longshore.model.arn import make_arn
from longshore.model.eks import IMAGES_ACCOUNT
from longshore.model.errors import AwsError
from longshore.model.instances import MetadataOptions
from longshore.services.ec2.instances import around, place
from longshore.services.interface import Context, Resource

Conditions = dict[str, str | list[str]]
NEW = ("instance", "volume", "network-interface")
"""What a launch makes."""


def launch_resources(context: Context, request: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(type, id) of the resources that are there already; what cannot be found is left out: the
    launch will say so."""
    merged = _merged(context, request)
    template = merged.get("LaunchTemplate") or {}
    if template.get("LaunchTemplateId"):
        yield "launch-template", template["LaunchTemplateId"]
    for mapping in merged.get("BlockDeviceMappings") or ():
        snapshot_id = (mapping.get("Ebs") or {}).get("SnapshotId")
        if snapshot_id:
            yield "snapshot", snapshot_id
    wanted = _wiring(context, merged)
    if wanted is None:
        return
    yield "subnet", wanted.subnet.id
    groups = wanted.existing.security_groups if wanted.existing is not None else wanted.groups
    for group_id in groups:
        yield "security-group", group_id
    if wanted.existing is not None:
        yield "network-interface", wanted.existing.id


def _merged(context: Context, request: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return launch_request(context.tx, *place(context), request)
    except AwsError:
        return dict(request)


def _wiring(context: Context, merged: Mapping[str, Any]) -> Wiring | None:
    here: Around = around(context)
    try:
        kind = checked_type(merged.get("InstanceType", ""))
        return wiring(context.tx, here, merged, kind)
    except AwsError:
        return None


def new_resources(context: Context, request: Mapping[str, Any]) -> Iterator[Resource]:
    """What is made, and image and key: their ARNs say no more than the request."""
    merged = _merged(context, request)
    common = launch_conditions(context, request, merged)
    wanted = _wiring(context, merged)
    for kind in NEW:
        if kind == "network-interface" and wanted is not None and wanted.existing is not None:
            continue
        arn = make_arn("ec2", context.region, context.account, f"{kind}/*")
        own = _instance_conditions(context, merged) if kind == "instance" else {}
        yield Resource(arn=arn, conditions={**common, **own, **_requested_tags(merged, kind)})
    yield from _image(context, merged, common)
    if merged.get("KeyName"):
        arn = make_arn("ec2", context.region, context.account, f"key-pair/{merged['KeyName']}")
        yield Resource(arn=arn, conditions=common)


def _image(context: Context, merged: Mapping[str, Any], common: Conditions) -> Iterator[Resource]:
    try:
        image = require_image(context.tx, *place(context), merged.get("ImageId", ""))
    except AwsError:
        return
    conditions: Conditions = {
        "ec2:ImageID": image.id,
        "ec2:ImageType": "machine",
        "ec2:Owner": ["amazon", IMAGES_ACCOUNT],
        "ec2:Public": "true",
        "ec2:RootDeviceType": "ebs",
    }
    arn = make_arn("ec2", context.region, "", f"image/{image.id}")
    yield Resource(arn=arn, conditions={**common, **conditions})


def launch_conditions(
    context: Context, request: Mapping[str, Any], merged: Mapping[str, Any]
) -> Conditions:
    """Keys that every resource of a launch has: whether it, or its template, named them."""
    conditions: Conditions = {"ec2:Region": context.region}
    template = merged.get("LaunchTemplate") or {}
    if template.get("LaunchTemplateId"):
        path = f"launch-template/{template['LaunchTemplateId']}"
        conditions["ec2:LaunchTemplate"] = make_arn("ec2", context.region, context.account, path)
        named = {"ImageId", "InstanceType", "KeyName", "NetworkInterfaces", "SubnetId"}
        conditions["ec2:IsLaunchTemplateResource"] = str(not named & request.keys()).lower()
    return conditions


def _instance_conditions(context: Context, merged: Mapping[str, Any]) -> Conditions:
    wanted = _wiring(context, merged)
    conditions: Conditions = {
        "ec2:InstanceType": merged.get("InstanceType", ""),
        "ec2:EbsOptimized": str(bool(merged.get("EbsOptimized"))).lower(),
        "ec2:InstanceMarketType": "spot" if merged.get("InstanceMarketOptions") else "on-demand",
        "ec2:RootDeviceType": "ebs",
        "ec2:Tenancy": "default",
    }
    if wanted is not None:
        conditions["ec2:AvailabilityZone"] = wanted.subnet.zone
    profile = merged.get("IamInstanceProfile") or {}
    found = (
        find_profile(context.tx, context.account, profile["Arn"])
        if profile.get("Arn")
        else profile_named(context.tx, context.account, profile.get("Name", ""))
    )
    if found is not None:
        conditions["ec2:InstanceProfile"] = found.arn
    return conditions | _metadata_conditions(merged)


def _metadata_conditions(merged: Mapping[str, Any]) -> Conditions:
    try:
        options = metadata_options(merged.get("MetadataOptions") or {}, MetadataOptions())
    except AwsError:
        return {}
    return {
        "ec2:MetadataHttpEndpoint": options.endpoint,
        "ec2:MetadataHttpPutResponseHopLimit": str(options.hop_limit),
        "ec2:MetadataHttpTokens": options.tokens,
    }


def _requested_tags(merged: Mapping[str, Any], kind: str) -> Conditions:
    tags = [
        tag
        for given in merged.get("TagSpecifications") or ()
        if given.get("ResourceType") == kind
        for tag in given.get("Tags") or ()
    ]
    conditions: Conditions = {
        f"aws:RequestTag/{tag.get('Key', '')}": tag.get("Value", "") for tag in tags
    }
    return conditions | ({"aws:TagKeys": [tag.get("Key", "") for tag in tags]} if tags else {})
