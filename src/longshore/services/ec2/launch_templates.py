"""Launch templates, and their versions."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from longshore.instances import template_of, version_of
from longshore.instances.images import BY_PARAMETER, ROOT_DEVICE, require_image
from longshore.instances.parameters import check_user_data
from longshore.instances.volume_types import TYPES
from longshore.model.errors import AwsError
from longshore.model.instances import (
    LAUNCH_TEMPLATE,
    Instance,
    LaunchTemplate,
    LaunchTemplateVersion,
)
from longshore.model.volumes import VOLUME
from longshore.services.ec2.describing import Item, Listing, describe
from longshore.services.ec2.idempotency import mismatch, once
from longshore.services.ec2.instances import find_instance, interface_of, metadata_item, place
from longshore.services.ec2.tagging import tag_list, tags_at_creation
from longshore.services.interface import Context, Response

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import (
        CreateLaunchTemplateRequestTypeDef,
        CreateLaunchTemplateVersionRequestTypeDef,
        DeleteLaunchTemplateRequestTypeDef,
        DeleteLaunchTemplateVersionsRequestTypeDef,
        DescribeLaunchTemplatesRequestTypeDef,
        DescribeLaunchTemplateVersionsRequestTypeDef,
        GetLaunchTemplateDataRequestTypeDef,
        ModifyLaunchTemplateRequestTypeDef,
    )

_NAME = re.compile(r"[a-zA-Z0-9().\-/_]{3,128}")
LISTING = Listing(
    member="LaunchTemplates",
    ids="LaunchTemplateIds",
    id="LaunchTemplateId",
    absent=(
        "InvalidLaunchTemplateId.NotFound",
        "The specified launch template, with template ID {}, does not exist.",
    ),
    smallest_page=1,
    filters={"launch-template-name": "LaunchTemplateName"},
)
_DATA = "LaunchTemplateData"
VERSION_LISTING = Listing(
    member="LaunchTemplateVersions",
    id="Order",
    absent=("", ""),
    tags="",
    smallest_page=1,
    filters={
        "ebs-optimized": f"{_DATA}.EbsOptimized",
        "http-endpoint": f"{_DATA}.MetadataOptions.HttpEndpoint",
        "http-tokens": f"{_DATA}.MetadataOptions.HttpTokens",
        "iam-instance-profile": (f"{_DATA}.IamInstanceProfile.Arn|{_DATA}.IamInstanceProfile.Name"),
        "image-id": f"{_DATA}.ImageId",
        "instance-type": f"{_DATA}.InstanceType",
        "is-default-version": "DefaultVersion",
        "network-card-index": f"{_DATA}.NetworkInterfaces[].NetworkCardIndex",
    },
)


def template_item(template: LaunchTemplate) -> Item:
    return {
        "LaunchTemplateId": template.id,
        "LaunchTemplateName": template.name,
        "CreateTime": template.created_at,
        "CreatedBy": template.created_by,
        "DefaultVersionNumber": template.default,
        "LatestVersionNumber": template.latest,
        "Tags": tag_list(template.tags),
    }


def version_item(template: LaunchTemplate, version: LaunchTemplateVersion) -> Item:
    item = {
        "LaunchTemplateId": template.id,
        "LaunchTemplateName": template.name,
        "VersionNumber": version.number,
        "CreateTime": version.created_at,
        "CreatedBy": version.created_by,
        "DefaultVersion": version.number == template.default,
        _DATA: version.data,
    }
    return {**item, "VersionDescription": version.description} if version.description else item


def _checked_data(data: Mapping[str, Any]) -> dict[str, Any]:
    """Launch parameters that may be kept; most are checked at the launch, as on AWS."""
    if not data:
        raise AwsError(
            "MissingParameter",
            "You must specify at least one launch parameter in the launch template data.",
        )
    check_user_data(data.get("UserData") or "")
    for given in data.get("TagSpecifications") or ():
        for tag in given.get("Tags") or ():
            if tag.get("Key", "").lower().startswith("aws:"):
                raise AwsError(
                    "InvalidParameterValue",
                    "Tag keys starting with 'aws:' are reserved for internal use",
                )
    return dict(data)


def _version(
    context: Context, number: int, data: Mapping[str, Any], description: str
) -> LaunchTemplateVersion:
    return LaunchTemplateVersion(
        number=number,
        data=_checked_data(data),
        created_at=context.now,
        created_by=context.principal.arn,
        description=description,
    )


def create_launch_template(
    context: Context, request: "CreateLaunchTemplateRequestTypeDef"
) -> Response:
    made = once(context, request, LAUNCH_TEMPLATE, lambda: _make(context, request))
    return {"LaunchTemplate": template_item(made)}


def _make(context: Context, request: "CreateLaunchTemplateRequestTypeDef") -> LaunchTemplate:
    name = request["LaunchTemplateName"]
    if not _NAME.fullmatch(name):
        raise AwsError(
            "InvalidLaunchTemplateName.MalformedException",
            "A launch template name must be between 3 and 128 characters, and may contain letters, "
            "numbers, and the following characters: - ( ) . / _.",
        )
    if context.tx.find(LAUNCH_TEMPLATE, *place(context), "name", name):
        raise AwsError(
            "InvalidLaunchTemplateName.AlreadyExistsException",
            "Launch template name already in use.",
        )
    description = request.get("VersionDescription", "")
    template = LaunchTemplate(
        id=f"lt-{context.ids.hex(17)}",
        name=name,
        created_at=context.now,
        created_by=context.principal.arn,
        versions=(_version(context, 1, request["LaunchTemplateData"], description),),
        client_token=request.get("ClientToken", ""),
        tags=tags_at_creation(context, request, "launch-template"),
    )
    context.tx.create(LAUNCH_TEMPLATE, *place(context), template.id, template)
    return template


def create_launch_template_version(
    context: Context, request: "CreateLaunchTemplateVersionRequestTypeDef"
) -> Response:
    """Make the next version, from nothing or from another one with changes."""
    template = template_of(context.tx, *place(context), request)
    data: dict[str, Any] = dict(request["LaunchTemplateData"])
    if request.get("SourceVersion"):
        data = {**version_of(template, request["SourceVersion"]).data, **data}
    token = request.get("ClientToken", "")
    known = _made_before(template, token, data)
    if known is not None:
        return {"LaunchTemplateVersion": _resolved(context, template, known, request)}
    number = template.counted + 1
    made = _version(context, number, data, request.get("VersionDescription", ""))
    made = msgspec.structs.replace(made, client_token=token)
    versions = (*template.versions, made)
    changed = msgspec.structs.replace(template, versions=versions, latest=number, counted=number)
    context.tx.put(LAUNCH_TEMPLATE, *place(context), template.id, changed)
    return {"LaunchTemplateVersion": _resolved(context, changed, made, request)}


def _made_before(
    template: LaunchTemplate, token: str, data: Mapping[str, Any]
) -> LaunchTemplateVersion | None:
    """What an earlier call with this token made; AwsError where that asked for something else."""
    for version in template.versions if token else ():
        if version.client_token == token:
            if version.data != data:
                raise mismatch()
            return version
    return None


def _resolved(
    context: Context,
    template: LaunchTemplate,
    version: LaunchTemplateVersion,
    request: Mapping[str, Any],
) -> Item:
    """A version; with `ResolveAlias` the image's id is in the place of its parameter."""
    item = version_item(template, version)
    image = version.data.get("ImageId", "")
    if not request.get("ResolveAlias") or not image.startswith(BY_PARAMETER):
        return item
    found = require_image(context.tx, *place(context), image)
    return {**item, _DATA: {**version.data, "ImageId": found.id}}


def describe_launch_templates(
    context: Context, request: "DescribeLaunchTemplatesRequestTypeDef"
) -> Response:
    templates = [r.value for r in context.tx.scan(LAUNCH_TEMPLATE, *place(context))]
    names = request.get("LaunchTemplateNames") or ()
    for name in names:
        if all(template.name != name for template in templates):
            raise AwsError(
                "InvalidLaunchTemplateName.NotFoundException",
                "At least one of the launch templates specified in the request does not exist.",
            )
    shown = [each for each in templates if not names or each.name in names]
    return describe(LISTING, (template_item(each) for each in shown), request)


def describe_launch_template_versions(
    context: Context, request: "DescribeLaunchTemplateVersionsRequestTypeDef"
) -> Response:
    """Versions of one template, or the newest or default ones of all; the newest first."""
    wanted = list(request.get("Versions") or ())
    if request.get("LaunchTemplateId") or request.get("LaunchTemplateName"):
        chosen = list(_of_template(context, request, wanted))
    else:
        chosen = list(_of_every_template(context, wanted))
    items = [
        {**_resolved(context, template, version, request), "Order": _order(template, version)}
        for template, version in chosen
    ]
    found = describe(VERSION_LISTING, items, request)
    shown = [
        {name: value for name, value in item.items() if name != "Order"}
        for item in found[VERSION_LISTING.member]
    ]
    return {**found, VERSION_LISTING.member: shown}


def _order(template: LaunchTemplate, version: LaunchTemplateVersion) -> str:
    return f"{template.id}/{10**11 - version.number:011}"


def _of_template(
    context: Context, request: Mapping[str, Any], wanted: Sequence[str]
) -> Iterator[tuple[LaunchTemplate, LaunchTemplateVersion]]:
    template = template_of(context.tx, *place(context), request)
    if wanted:
        numbers = {version_of(template, each).number for each in wanted}
    else:
        low = _bound(request.get("MinVersion"), 1)
        numbers = set(range(low, _bound(request.get("MaxVersion"), template.latest) + 1))
    for version in template.versions:
        if version.number in numbers:
            yield template, version


def _bound(given: str | None, otherwise: int) -> int:
    if given is None:
        return otherwise
    if not (given.isascii() and given.isdecimal() and len(given) < 8):
        raise AwsError("InvalidParameterValue", f"Invalid launch template version: '{given}'.")
    return int(given)


def _of_every_template(
    context: Context, wanted: Iterable[str]
) -> Iterator[tuple[LaunchTemplate, LaunchTemplateVersion]]:
    names = set(wanted)
    if not names or names - {"$Latest", "$Default"}:
        raise AwsError(
            "MissingParameter",
            "Either a launch template ID or a launch template name must be specified in the "
            "request.",
        )
    for record in context.tx.scan(LAUNCH_TEMPLATE, *place(context)):
        numbers = {version_of(record.value, name).number for name in names}
        for version in record.value.versions:
            if version.number in numbers:
                yield record.value, version


def modify_launch_template(
    context: Context, request: "ModifyLaunchTemplateRequestTypeDef"
) -> Response:
    """Have another version be the default."""
    template = template_of(context.tx, *place(context), request)
    wanted = request.get("DefaultVersion", "")
    if not wanted:
        raise AwsError(
            "MissingParameter", "The request must contain the parameter SetDefaultVersion"
        )
    number = version_of(template, wanted).number
    changed = msgspec.structs.replace(template, default=number)
    context.tx.put(LAUNCH_TEMPLATE, *place(context), template.id, changed)
    return {"LaunchTemplate": template_item(changed)}


def delete_launch_template(
    context: Context, request: "DeleteLaunchTemplateRequestTypeDef"
) -> Response:
    template = template_of(context.tx, *place(context), request)
    context.tx.delete(LAUNCH_TEMPLATE, *place(context), template.id)
    return {"LaunchTemplate": template_item(template)}


def delete_launch_template_versions(
    context: Context, request: "DeleteLaunchTemplateVersionsRequestTypeDef"
) -> Response:
    """Delete versions by number; the default one stays."""
    template = template_of(context.tx, *place(context), request)
    deleted: list[Item] = []
    failed: list[Item] = []
    gone: set[int] = set()
    for wanted in request["Versions"]:
        number = int(wanted) if wanted.isascii() and wanted.isdecimal() else 0
        item: dict[str, Any] = {
            "LaunchTemplateId": template.id,
            "LaunchTemplateName": template.name,
            "VersionNumber": number,
        }
        problem = _undeletable(template, number, wanted)
        if problem:
            failed.append({**item, "ResponseError": problem})
        else:
            deleted.append(item)
            gone.add(number)
    kept = tuple(each for each in template.versions if each.number not in gone)
    if gone:
        changed = msgspec.structs.replace(template, versions=kept, latest=_latest(kept))
        context.tx.put(LAUNCH_TEMPLATE, *place(context), template.id, changed)
    return {
        "SuccessfullyDeletedLaunchTemplateVersions": deleted,
        "UnsuccessfullyDeletedLaunchTemplateVersions": failed,
    }


def _latest(versions: Iterable[LaunchTemplateVersion]) -> int:
    return max(version.number for version in versions)


def _undeletable(template: LaunchTemplate, number: int, wanted: str) -> Item | None:
    """Why this version cannot be deleted, or None."""
    if number == template.default:
        return {
            "Code": "unexpectedError",
            "Message": "The default version of a launch template cannot be deleted.",
        }
    if all(version.number != number for version in template.versions):
        return {
            "Code": "launchTemplateVersionDoesNotExist",
            "Message": f"Could not find launch template version {wanted}.",
        }
    return None


def get_launch_template_data(
    context: Context, request: "GetLaunchTemplateDataRequestTypeDef"
) -> Response:
    """Parameters with which another instance like this one could be launched."""
    instance = find_instance(context, request["InstanceId"])
    data = _data_of(instance)
    data["BlockDeviceMappings"] += _data_of_volumes(context, instance)
    return {_DATA: {**data, **_data_of_interface(context, instance)}}


def _data_of(instance: Instance) -> dict[str, Any]:
    options = metadata_item(instance.metadata)
    volume = {
        **instance.root_volume,
        "VolumeSize": instance.root_volume_gib,
        "DeleteOnTermination": True,
        "Encrypted": False,
    }
    data: dict[str, Any] = {
        "ImageId": instance.image_id,
        "InstanceType": instance.instance_type,
        "EbsOptimized": instance.ebs_optimized,
        "Monitoring": {"Enabled": instance.detailed_monitoring},
        "DisableApiTermination": instance.termination_protection,
        "DisableApiStop": instance.stop_protection,
        "InstanceInitiatedShutdownBehavior": instance.shutdown_behavior,
        "MetadataOptions": {k: v for k, v in options.items() if k != "State"},
        "BlockDeviceMappings": [{"DeviceName": ROOT_DEVICE, "Ebs": volume}],
        "Placement": {"AvailabilityZone": instance.zone, "GroupName": "", "Tenancy": "default"},
    }
    tags = [(key, value) for key, value in instance.tags if not key.startswith("aws:")]
    further = {
        "KeyName": instance.key_name,
        "UserData": instance.user_data,
        "IamInstanceProfile": {"Arn": instance.profile_arn} if instance.profile_arn else None,
        "CreditSpecification": {"CpuCredits": instance.credits} if instance.credits else None,
        "TagSpecifications": [
            {"ResourceType": "instance", "Tags": tag_list(tuple(tags))},
        ]
        if tags
        else None,
    }
    return data | {name: value for name, value in further.items() if value}


def _data_of_volumes(context: Context, instance: Instance) -> Iterator[Item]:
    """Volumes as large and fast as its data volumes, without what is on them."""
    for record in context.tx.find(VOLUME, *place(context), "instance", instance.id):
        shape, attachment = record.value.performance, record.value.attachment
        if attachment is None:
            continue
        asked = {"Iops": shape.iops, "Throughput": shape.throughput}
        known = TYPES[shape.type]
        speed = {"Iops": known.iops[1], "Throughput": known.throughput[1]}
        ebs = {
            "DeleteOnTermination": attachment.delete_on_termination,
            "Encrypted": False,
            "VolumeSize": shape.size,
            "VolumeType": shape.type,
            **{name: value for name, value in asked.items() if speed[name]},
        }
        yield {"DeviceName": attachment.device, "Ebs": ebs}


def _data_of_interface(context: Context, instance: Instance) -> Item:
    eni = interface_of(context, instance)
    if eni is None:
        return {}
    return {
        "NetworkInterfaces": [
            {
                "DeviceIndex": 0,
                "AssociatePublicIpAddress": instance.public_address,
                "DeleteOnTermination": eni.delete_on_termination,
                "Description": eni.description,
                "Groups": list(eni.security_groups),
                "SubnetId": eni.subnet_id,
            }
        ]
    }
