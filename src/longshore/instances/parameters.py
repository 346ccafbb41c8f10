"""The parameters of a launch that concern the machine itself, checked ("RunInstances")."""

import base64
import binascii
from collections.abc import Collection, Mapping
from typing import Any

from longshore.instances.images import ARCHITECTURE, ROOT_DEVICE, ROOT_GIB
from longshore.instances.profiles import find_profile, profile_named
from longshore.instances.types import InstanceType, instance_type
from longshore.model.ec2 import KEY_PAIR
from longshore.model.errors import AwsError, not_built
from longshore.model.iam import InstanceProfile
from longshore.model.instances import MetadataOptions
from longshore.store.interface import Reader

Request = Mapping[str, Any]
USER_DATA_BYTES = 16_384
LARGEST_VOLUME = 16_384
"""GiB."""
DEFAULT_TYPE = "m1.small"
"""What AWS takes where none is named; it is not among the types that there are."""
ANY: Collection[Any] = ()
TAKEN = frozenset(
    {
        *("BlockDeviceMappings", "ClientToken", "CreditSpecification", "DisableApiStop"),
        *("DisableApiTermination", "DryRun", "EbsOptimized", "IamInstanceProfile", "ImageId"),
        *("InstanceInitiatedShutdownBehavior", "InstanceMarketOptions", "InstanceType"),
        *("KeyName", "LaunchTemplate", "MaxCount", "MetadataOptions", "MinCount", "Monitoring"),
        *("NetworkInterfaces", "PrivateIpAddress", "SecurityGroupIds", "SecurityGroups"),
        *("SubnetId", "TagSpecifications", "UserData"),
    }
)
"""Members of RunInstances that are heeded."""
HARMLESS: Mapping[str, Mapping[str, Collection[Any]]] = {
    "CapacityReservationSpecification": {"CapacityReservationPreference": ("open", "none")},
    "EnclaveOptions": {"Enabled": (False,)},
    "HibernationOptions": {"Configured": (False,)},
    "MaintenanceOptions": {
        "AutoRecovery": ("default", "disabled"),
        "RebootMigration": ("default", "disabled"),
    },
    "Placement": {"AvailabilityZone": ANY, "AvailabilityZoneId": ANY, "Tenancy": ("default",)},
    "PrivateDnsNameOptions": {
        "HostnameType": ("ip-name",),
        "EnableResourceNameDnsARecord": (False,),
        "EnableResourceNameDnsAAAARecord": (False,),
    },
}
"""Members that are taken with these values alone."""
VOLUME_MEMBERS = frozenset(
    {"DeleteOnTermination", "Encrypted", "Iops", "Throughput", "VolumeSize", "VolumeType"}
)
VOLUME_TYPES = ("gp3", "gp2", "io1", "io2", "standard")


def invalid(message: str) -> AwsError:
    return AwsError("InvalidParameterValue", message)


def refuse_unbuilt(request: Request) -> None:
    """501 for members that ask for what there is not."""
    for name, value in request.items():
        if name in TAKEN or not value:
            continue
        allowed = HARMLESS.get(name)
        if allowed is None:
            raise not_built(f"ec2:RunInstances with {name}")
        for member, given in value.items():
            known = allowed.get(member)
            if given and (known is None or (known and given not in known)):
                raise not_built(f"ec2:RunInstances with {name}.{member}")
    _refuse_market(request.get("InstanceMarketOptions") or {})


def _refuse_market(market: Request) -> None:
    if market and market.get("MarketType") != "spot":
        raise not_built(f"ec2:RunInstances with MarketType {market.get('MarketType')}")
    options = market.get("SpotOptions") or {}
    if options.get("SpotInstanceType", "one-time") != "one-time":
        raise not_built("ec2:RunInstances with persistent Spot Instance requests")
    if options.get("BlockDurationMinutes") or options.get("ValidUntil"):
        raise not_built("ec2:RunInstances with Spot Instances of a limited duration")


def counts(request: Request) -> tuple[int, int]:
    """The fewest and the most instances wanted."""
    least, most = int(request.get("MinCount", 1)), int(request.get("MaxCount", 1))
    for name, value in (("minCount", least), ("maxCount", most)):
        if value < 1:
            raise invalid(f"Value ({value}) for parameter {name} is invalid. Minimum is 1.")
    if least > most:
        raise invalid(
            f"Value ({least}) for parameter minCount is invalid. It must not be greater than "
            f"maxCount."
        )
    return least, most


def checked_type(name: str) -> InstanceType:
    """The type of this name, which has the images' architecture."""
    found = instance_type(name or DEFAULT_TYPE)
    if found is None:
        raise invalid(f"Invalid value '{name or DEFAULT_TYPE}' for InstanceType.")
    if found.architecture != ARCHITECTURE:
        raise invalid(
            f"The architecture '{found.architecture}' of the specified instance type does not "
            f"match the architecture '{ARCHITECTURE}' of the specified AMI. Specify an instance "
            "type and an AMI that have matching architectures, and try again. You can use "
            "'describe-instance-types' or 'describe-images' to discover the architecture of the "
            "instance type or AMI."
        )
    return found


def check_user_data(text: str) -> str:
    """User data in base64, at most 16 KB of it ("Run commands at launch")."""
    try:
        data = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise AwsError(
            "InvalidUserData.Malformed", "Invalid BASE64 encoding of user data."
        ) from error
    if len(data) > USER_DATA_BYTES:
        raise invalid(f"User data is limited to {USER_DATA_BYTES} bytes")
    return text


def check_key(reader: Reader, account: str, region: str, name: str) -> str:
    if name and not reader.find(KEY_PAIR, account, region, "name", name):
        raise AwsError("InvalidKeyPair.NotFound", f"The key pair '{name}' does not exist")
    return name


def public_key_of(reader: Reader, account: str, region: str, name: str) -> str:
    """The key pair's public key, which an instance's metadata show; empty where there is none."""
    found = reader.find(KEY_PAIR, account, region, "name", name) if name else ()
    return found[0].value.public_key if found else ""


def wanted_profile(reader: Reader, account: str, given: Request | None) -> InstanceProfile | None:
    """The instance profile that `Arn` or `Name` names, with a role in it; None of nothing."""
    arn, name = (given or {}).get("Arn", ""), (given or {}).get("Name", "")
    if arn and name:
        raise AwsError(
            "InvalidParameterCombination",
            "The parameter 'iamInstanceProfile.name' may not be used in combination with "
            "'iamInstanceProfile.arn'",
        )
    if not arn and not name:
        return None
    found = find_profile(reader, account, arn) if arn else profile_named(reader, account, name)
    if found is None:
        kind = "arn" if arn else "name"
        word = "ARN" if arn else "name"
        raise invalid(
            f"Value ({arn or name}) for parameter iamInstanceProfile.{kind} is invalid. Invalid "
            f"IAM Instance Profile {word}"
        )
    if not found.roles:
        raise invalid(f'IAM Instance Profile "{found.arn}" has no associated IAM Roles')
    return found


def metadata_options(given: Request, before: MetadataOptions) -> MetadataOptions:
    """The options after a change; what is not given stays."""
    choices = {
        "HttpEndpoint": ("enabled", "disabled"),
        "HttpTokens": ("required", "optional"),
        "InstanceMetadataTags": ("enabled", "disabled"),
        "HttpProtocolIpv6": ("enabled", "disabled"),
    }
    for name, allowed in choices.items():
        if given.get(name, allowed[0]) not in allowed:
            raise invalid(f"Value ({given[name]}) for parameter {name} is invalid.")
    if given.get("HttpProtocolIpv6") == "enabled":
        raise not_built("ec2: the metadata service's IPv6 endpoint")
    hops = int(given.get("HttpPutResponseHopLimit") or before.hop_limit)
    if not 1 <= hops <= 64:
        raise invalid(
            f"Value ({hops}) for parameter HttpPutResponseHopLimit is invalid. It must be between "
            "1 and 64."
        )
    return MetadataOptions(
        endpoint=given.get("HttpEndpoint", before.endpoint),
        tokens=given.get("HttpTokens", before.tokens),
        hop_limit=hops,
        instance_tags=given.get("InstanceMetadataTags", before.instance_tags),
    )


def shutdown_behavior(given: str) -> str:
    if given not in {"stop", "terminate"}:
        raise invalid(
            f"Value ({given}) for parameter instanceInitiatedShutdownBehavior is invalid. Unknown "
            "instance-initiated shutdown behavior"
        )
    return given


def credits_of(found: InstanceType, given: Request | None) -> str:
    """The credit option that is asked for, or the type's own."""
    wanted = (given or {}).get("CpuCredits", "")
    if not wanted or not found.burstable:
        return found.credits
    if wanted not in {"standard", "unlimited"}:
        raise invalid(f"Value ({wanted}) for parameter CpuCredits is invalid.")
    return str(wanted)


def root_volume(request: Request) -> tuple[int, dict[str, Any]]:
    """Size in GiB of the root volume, and what else is asked of it."""
    asked: dict[str, Any] = {}
    for mapping in request.get("BlockDeviceMappings") or ():
        if mapping.get("DeviceName") != ROOT_DEVICE:
            continue
        if mapping.get("VirtualName") or "NoDevice" in mapping:
            raise not_built("ec2:RunInstances without a root volume of EBS")
        asked = dict(mapping.get("Ebs") or {})
    _refuse_volume(asked)
    size = int(asked.get("VolumeSize") or ROOT_GIB)
    if size < ROOT_GIB:
        raise AwsError(
            "InvalidBlockDeviceMapping",
            f"Volume of size {size}GB is smaller than the image's, expect size >= {ROOT_GIB}GB",
        )
    if size > LARGEST_VOLUME:
        raise invalid(f"Volume size must be between 1 and {LARGEST_VOLUME} GiB.")
    kept = ("VolumeType", "Iops", "Throughput")
    return size, {name: asked[name] for name in kept if asked.get(name)}


def _refuse_volume(asked: Request) -> None:
    for name, value in asked.items():
        if value and name not in VOLUME_MEMBERS:
            raise not_built(f"ec2:RunInstances with Ebs.{name}")
    if asked.get("Encrypted"):
        raise not_built("ec2: encrypted volumes")
    if not asked.get("DeleteOnTermination", True):
        raise not_built("ec2: volumes that outlive their instance")
    kind = asked.get("VolumeType", VOLUME_TYPES[0])
    if kind not in VOLUME_TYPES:
        raise invalid(f"Invalid value '{kind}' for VolumeType.")
