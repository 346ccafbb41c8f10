"""What the nodes of a group run and on what: machine image, instance types, the user's template.

("Customize managed nodes with launch templates", EKS User Guide. What of a template can only be
seen when nodes are launched, the node group's controller says in its health.)
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from longshore.instances import (
    MachineImage,
    instance_type,
    machine_images,
    template_of,
    version_of,
)
from longshore.model.errors import AwsError, not_built
from longshore.services.eks.failures import invalid_parameter, invalid_request
from longshore.services.interface import Context

AMI_TYPE, CUSTOM = "AL2023_x86_64_STANDARD", "CUSTOM"
ARCHITECTURES = {AMI_TYPE: "x86_64"}
DEFAULT_TYPES = ("t3.medium",)
MOST_TYPES = 20
DISK_GIB, LEAST_DISK_GIB = 20, 1
CAPACITY_TYPES = ("ON_DEMAND", "SPOT")
PROHIBITED = {
    "IamInstanceProfile": "an IAM instance profile",
    "InstanceInitiatedShutdownBehavior": "a shutdown behavior",
    "HibernationOptions": "hibernation options",
    "InstanceMarketOptions": "Spot options",
}
"""What a template must leave to the node group."""


class Template(NamedTuple):
    """A version of the user's launch template: `named` as the node group keeps it."""

    named: dict[str, str]
    data: Mapping[str, Any]

    @property
    def image(self) -> str:
        return str(self.data.get("ImageId", ""))


def user_template(context: Context, asked: Mapping[str, str], cluster: str) -> Template:
    """The version that is asked for, as a number; InvalidParameterException."""
    if bool(asked.get("id")) == bool(asked.get("name")):
        raise invalid_parameter(
            "Either the launch template's ID or its name must be specified, not both", cluster
        )
    wanted = {
        "LaunchTemplateId": asked.get("id", ""),
        "LaunchTemplateName": asked.get("name", ""),
    }
    try:
        template = template_of(context.tx, context.account, context.region, wanted)
        version = version_of(template, asked.get("version", ""))
    except AwsError as error:
        raise invalid_parameter(error.message, cluster) from None
    named = {"id": template.id, "name": template.name, "version": str(version.number)}
    _check_data(version.data, cluster)
    return Template(named, version.data)


def _check_data(data: Mapping[str, Any], cluster: str) -> None:
    for member, what in PROHIBITED.items():
        if data.get(member):
            raise invalid_request(f"Launch template should not specify {what}", cluster)
    interfaces = data.get("NetworkInterfaces") or ()
    if any(interface.get("SubnetId") for interface in interfaces):
        raise invalid_request("Launch template should not specify a subnet", cluster)
    if interfaces and (data.get("SecurityGroupIds") or data.get("SecurityGroups")):
        raise invalid_request(
            "Launch template should not specify security groups for the instance and for its"
            " network interfaces",
            cluster,
        )


def check_beside_template(request: Mapping[str, Any], template: Template, cluster: str) -> None:
    """What a node group with a template must not have itself."""
    if request.get("diskSize"):
        raise invalid_parameter("Disk size must be specified within the launch template.", cluster)
    if request.get("remoteAccess"):
        raise invalid_parameter(
            "Remote access configuration cannot be specified with a launch template.", cluster
        )
    if request.get("instanceTypes") and template.data.get("InstanceType"):
        raise invalid_request(
            "Cannot specify instance types in launch template and API request", cluster
        )


def check_without_versions(request: Mapping[str, Any], cluster: str) -> None:
    """Of a custom AMI EKS knows no versions."""
    for member, field in (
        ("version", "kubernetesVersion"),
        ("releaseVersion", "releaseVersion"),
        ("amiType", "amiType"),
    ):
        if request.get(member):
            raise invalid_parameter(
                f"You cannot specify the field {field} when using custom AMIs.", cluster
            )


def checked_ami_type(asked: str, cluster: str) -> str:
    if asked == CUSTOM:
        raise invalid_parameter(
            "The amiType CUSTOM needs a launch template with the ID of an image", cluster
        )
    if asked != AMI_TYPE:
        raise not_built(f"node groups of the AMI type {asked}")
    return asked


def checked_capacity(asked: str) -> str:
    if asked not in CAPACITY_TYPES:
        raise not_built(f"node groups of the capacity type {asked}")
    return asked


def node_image(region: str, version: str) -> MachineImage:
    """The machine image of this minor version, of which there is one."""
    return next(image for image in machine_images(region) if image.kubernetes == version)


def checked_release(context: Context, asked: str | None, version: str, cluster: str) -> str:
    """The release version of the only image that there is."""
    release = node_image(context.region, version).release_version
    if asked and asked != release:
        raise invalid_parameter(
            f"Requested release version {asked} is not valid for kubernetes version {version}.",
            cluster,
        )
    return release


def checked_types(
    asked: Sequence[str], template: Template | None, ami_type: str, cluster: str
) -> tuple[str, ...]:
    """The instance types that the node group itself says; none where its template does."""
    own = template.data.get("InstanceType") if template is not None else None
    types = tuple(dict.fromkeys(asked)) or (() if own else DEFAULT_TYPES)
    if len(types) > MOST_TYPES:
        raise invalid_parameter(
            f"A node group can have at most {MOST_TYPES} instance types, not {len(types)}", cluster
        )
    _check_types(types or (str(own),), ami_type, cluster)
    return types


def _check_types(types: Sequence[str], ami_type: str, cluster: str) -> None:
    unknown = [name for name in types if instance_type(name) is None]
    if unknown:
        raise invalid_parameter(
            f"The following supplied instance types do not exist: [{', '.join(unknown)}]", cluster
        )
    architecture = ARCHITECTURES.get(ami_type, "x86_64")
    unfit = [
        name
        for name in types
        if (found := instance_type(name)) is not None and found.architecture != architecture
    ]
    if unfit:
        raise invalid_parameter(
            f"[{', '.join(unfit)}] is not a valid instance type for requested amiType {ami_type}",
            cluster,
        )


def checked_disk(asked: int | None, template: Template | None, cluster: str) -> int:
    """GiB; 0 where the template says."""
    if template is not None:
        return 0
    size = DISK_GIB if asked is None else asked
    if size < LEAST_DISK_GIB:
        raise invalid_parameter(f"diskSize {size} must be at least {LEAST_DISK_GIB}", cluster)
    return size
