"""Launch templates found, and their parameters merged with a request's; the merging is pure."""

from collections.abc import Iterable, Mapping
from typing import Any

from longshore.model.errors import AwsError
from longshore.model.instances import LAUNCH_TEMPLATE, LaunchTemplate, LaunchTemplateVersion
from longshore.store.interface import Reader

Request = Mapping[str, Any]
TEMPLATE_TAGS = ("aws:ec2launchtemplate:id", "aws:ec2launchtemplate:version")
"""What an instance says of the template that it was launched from."""


def template_of(reader: Reader, account: str, region: str, named: Request) -> LaunchTemplate:
    """The template that `LaunchTemplateId` or `LaunchTemplateName` names.

    AwsError MissingParameter, InvalidParameterCombination, InvalidLaunchTemplateId.NotFound,
    InvalidLaunchTemplateName.NotFoundException.
    """
    template_id = named.get("LaunchTemplateId", "")
    name = named.get("LaunchTemplateName", "")
    if template_id and name:
        raise AwsError(
            "InvalidParameterCombination",
            "Either a launch template ID or a launch template name can be specified, not both.",
        )
    if template_id:
        return _by_id(reader, account, region, template_id)
    if not name:
        raise AwsError(
            "MissingParameter",
            "Either a launch template ID or a launch template name must be specified in the "
            "request.",
        )
    for record in reader.find(LAUNCH_TEMPLATE, account, region, "name", name):
        return record.value
    raise AwsError(
        "InvalidLaunchTemplateName.NotFoundException",
        f"The specified launch template, with template name {name}, does not exist.",
    )


def _by_id(reader: Reader, account: str, region: str, template_id: str) -> LaunchTemplate:
    if not template_id.startswith("lt-"):
        raise AwsError(
            "InvalidLaunchTemplateId.Malformed",
            f'Invalid id: "{template_id}" (expecting "lt-...")',
        )
    record = reader.get(LAUNCH_TEMPLATE, account, region, template_id)
    if record is None:
        raise AwsError(
            "InvalidLaunchTemplateId.NotFound",
            f"The specified launch template, with template ID {template_id}, does not exist.",
        )
    return record.value


def version_of(template: LaunchTemplate, wanted: str) -> LaunchTemplateVersion:
    """The version `$Latest`, `$Default` (also of nothing) or of this number.

    AwsError InvalidLaunchTemplateId.VersionNotFound, InvalidParameterValue.
    """
    number = {"$Latest": template.latest, "$Default": template.default, "": template.default}.get(
        wanted
    )
    if number is None:
        if not (wanted.isascii() and wanted.isdecimal() and len(wanted) < 12):
            raise AwsError(
                "InvalidParameterValue",
                f"Invalid launch template version: either '$Default', '$Latest', or a numeric "
                f"version are allowed, not '{wanted}'.",
            )
        number = int(wanted)
    for version in template.versions:
        if version.number == number:
            return version
    raise AwsError(
        "InvalidLaunchTemplateId.VersionNotFound",
        f"Could not find the specified version {wanted} for the launch template with ID "
        f"{template.id}.",
    )


def launch_request(reader: Reader, account: str, region: str, request: Request) -> dict[str, Any]:
    """The request with its template's parameters; `LaunchTemplate` has id and number then."""
    named = request.get("LaunchTemplate")
    if not named:
        return dict(request)
    template = template_of(reader, account, region, named)
    version = version_of(template, str(named.get("Version", "")))
    merged = merge(version.data, request)
    merged["LaunchTemplate"] = {
        "LaunchTemplateId": template.id,
        "Version": str(version.number),
    }
    return merged


def merge(data: Request, request: Request) -> dict[str, Any]:
    """Launch parameters with a request's in their place ("Launch instances from a template").

    A member of the request replaces the template's; tags are joined by resource type and key,
    block devices by device name.
    """
    merged = {**data, **request}
    for name, join in (
        ("TagSpecifications", _merged_tags),
        ("BlockDeviceMappings", _merged_devices),
    ):
        both = (data.get(name), request.get(name))
        if all(both):
            merged[name] = join([*data[name], *request[name]])
        elif any(both):
            merged[name] = both[0] or both[1]
    return merged


def _merged_devices(mappings: Iterable[Request]) -> list[Request]:
    return list({each.get("DeviceName", ""): each for each in mappings}.values())


def _merged_tags(specifications: Iterable[Request]) -> list[dict[str, Any]]:
    joined: dict[str, dict[str, str]] = {}
    for each in specifications:
        tags = joined.setdefault(each.get("ResourceType", ""), {})
        tags.update(_pairs(each))
    return [
        {"ResourceType": kind, "Tags": [{"Key": k, "Value": v} for k, v in tags.items()]}
        for kind, tags in joined.items()
    ]


def _pairs(specification: Request) -> Iterable[tuple[str, str]]:
    return ((tag.get("Key", ""), tag.get("Value", "")) for tag in specification.get("Tags") or ())


def tags_of(request: Request, resource_type: str) -> dict[str, str]:
    """The tags that a launch gives resources of this type."""
    return {
        key: value
        for each in request.get("TagSpecifications") or ()
        if each.get("ResourceType") == resource_type
        for key, value in _pairs(each)
    }
