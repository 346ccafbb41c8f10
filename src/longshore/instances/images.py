"""Machine images: one without anything, and one for the nodes of each version of Kubernetes.

Their ids follow from region and name, so that nothing is kept; what lies in them is made on the
spot (docs/decisions/0106). Systems Manager's public parameters name them, as on AWS.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from functools import cache

import msgspec

from longshore.components.pins import KUBERNETES_RELEASES
from longshore.model.errors import AwsError
from longshore.model.ssm import PARAMETER, Parameter, parameter_key
from longshore.store.interface import Reader

RELEASE = "20261201"
"""The date in the names of the images, which is theirs all. Whatever changes in them, also the
patch of a version of Kubernetes, is another date; the one before is one of the `EARLIER` then."""
EARLIER: tuple[str, ...] = ("20261120",)
"""Instances of these releases are started with what the newest has; the images are not listed."""
CREATED_AT = datetime.fromisoformat(f"{RELEASE}T00Z").timestamp()
ARCHITECTURE = "x86_64"
ROOT_DEVICE = "/dev/xvda"
ROOT_GIB = 8
"""Size of the root volume where none is asked for."""
BY_PARAMETER = "resolve:ssm:"
_BASE_PARAMETERS = (
    "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64",
    "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-6.1-x86_64",
)
_EKS_PARAMETERS = "/aws/service/eks/optimized-ami/{}/amazon-linux-2023/x86_64/standard/recommended"


class MachineImage(msgspec.Struct, frozen=True, kw_only=True):
    """`kubernetes` is a minor version, as `1.35`; empty of the base image. `sandboxed` is one whose
    pods have kernels of their own."""

    id: str
    name: str
    description: str
    kubernetes: str = ""
    sandboxed: bool = False
    created_at: float = CREATED_AT

    @property
    def release_version(self) -> str:
        """As node groups and the public parameters say it: `1.35.4-20261120`; else empty."""
        return f"{KUBERNETES_RELEASES[self.kubernetes]}-{RELEASE}" if self.kubernetes else ""


def image_id(region: str, name: str) -> str:
    """`ami-` and the first 17 hexadecimal digits of a SHA-256 of region and name."""
    return "ami-" + hashlib.sha256(f"{region}/{name}".encode()).hexdigest()[:17]


def machine_images(region: str) -> tuple[MachineImage, ...]:
    """Every image of the region: the base one first, then Kubernetes' versions in order."""
    return _images(region, RELEASE)


@cache
def _images(region: str, release: str) -> tuple[MachineImage, ...]:
    base = f"al2023-ami-longshore-{release}-{ARCHITECTURE}"
    images = [
        MachineImage(
            id=image_id(region, base),
            name=base,
            description="Longshore's machine in the place of Amazon Linux 2023",
        )
    ]
    for minor, patch in KUBERNETES_RELEASES.items():
        name = f"amazon-eks-node-al2023-{ARCHITECTURE}-standard-{minor}-v{release}"
        description = f"Longshore's machine for EKS nodes, (k8s: {patch}, containerd: 2.*)"
        images.append(
            MachineImage(
                id=image_id(region, name), name=name, description=description, kubernetes=minor
            )
        )
    return tuple(images)


def machine_image(region: str, wanted: str) -> MachineImage | None:
    """The image of this id, of whatever release; or None."""
    known = (image for release in (RELEASE, *EARLIER) for image in _images(region, release))
    return next((image for image in known if image.id == wanted), None)


def fargate_image(region: str, kubernetes: str, release: str = RELEASE) -> MachineImage:
    """What the machines of Fargate's pods are of: the image is Longshore's alone, so that no launch
    finds it."""
    name = f"fargate-{ARCHITECTURE}-{kubernetes}-v{release}"
    description = "Longshore's machine for EKS pods on Fargate"
    return MachineImage(
        id=image_id(region, name),
        name=name,
        description=description,
        kubernetes=kubernetes,
        sandboxed=True,
    )


def fargate_images(region: str) -> tuple[MachineImage, ...]:
    """One for each version of Kubernetes, and those of earlier releases."""
    return tuple(
        fargate_image(region, minor, release)
        for release in (RELEASE, *EARLIER)
        for minor in KUBERNETES_RELEASES
    )


@cache
def public_parameters(region: str) -> Mapping[str, str]:
    """Names and values of the public parameters of Systems Manager that name the images
    ("Retrieve recommended Amazon Linux AMI IDs", EKS User Guide)."""
    base, *nodes = machine_images(region)
    found = dict.fromkeys(_BASE_PARAMETERS, base.id)
    for image in nodes:
        prefix = _EKS_PARAMETERS.format(image.kubernetes)
        told = {
            "image_id": image.id,
            "image_name": image.name,
            "release_version": image.release_version,
        }
        found |= {f"{prefix}/{name}": value for name, value in told.items()}
        found[prefix] = json.dumps({"schema_version": "2", **told})
    return found


def require_image(reader: Reader, account: str, region: str, wanted: str) -> MachineImage:
    """The image that a launch names by id or by a parameter (`resolve:ssm:…`).

    AwsError InvalidAMIID.Malformed, InvalidAMIID.NotFound, SsmInvalidParameter.
    """
    found = wanted
    if wanted.startswith(BY_PARAMETER):
        found = _of_parameter(reader, account, region, wanted.removeprefix(BY_PARAMETER))
    if not found.startswith("ami-"):
        raise AwsError("InvalidAMIID.Malformed", f'Invalid id: "{found}" (expecting "ami-...")')
    image = machine_image(region, found)
    if image is None:
        raise AwsError("InvalidAMIID.NotFound", f"The image id '[{found}]' does not exist")
    return image


def _of_parameter(reader: Reader, account: str, region: str, text: str) -> str:
    """What the parameter says (`name`, `name:version` or `name:label`)."""
    name, _, selector = text.partition(":")
    public = public_parameters(region).get(name)
    if public is not None and not selector:
        return public
    record = reader.get(PARAMETER, account, region, parameter_key(name))
    value = _selected(record.value, selector) if record is not None else ""
    if not value:
        raise AwsError(
            "SsmInvalidParameter", f"Parameter {text} was not found, or is none for an AMI."
        )
    return value


def _selected(parameter: Parameter, selector: str) -> str:
    """The value of the version selected, where it is plain text; else empty."""
    for version in reversed(parameter.versions):
        if not selector or selector == str(version.number) or selector in version.labels:
            return "" if version.type == "SecureString" else version.value
    return ""
