"""RunInstances' work: a launch checked whole, then written whole."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from longshore.instances.around import Around
from longshore.instances.capacity import no_room, room_for
from longshore.instances.data_volumes import DataVolume, data_volumes, write_data_volumes
from longshore.instances.images import MachineImage, require_image
from longshore.instances.networking import (
    Wiring,
    alone,
    chosen_addresses,
    is_public,
    wire,
    wiring,
)
from longshore.instances.parameters import (
    check_key,
    check_user_data,
    checked_type,
    counts,
    credits_of,
    metadata_options,
    public_key_of,
    refuse_unbuilt,
    root_volume,
    shutdown_behavior,
    wanted_profile,
)
from longshore.instances.templates import TEMPLATE_TAGS, launch_request, tags_of
from longshore.instances.types import InstanceType
from longshore.model.errors import AwsError
from longshore.model.instances import INSTANCE, Instance, MetadataOptions, Tags
from longshore.store.interface import Reader, Transaction
from longshore.vpc.addresses import (
    check_chosen,
    free_addresses,
    free_public_addresses,
    no_public_address,
)

Request = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """A launch that has passed every check: `count` instances with these `fields` in common."""

    count: int
    fields: Mapping[str, Any]
    wiring: Wiring
    interface_tags: Tags
    volumes: tuple[DataVolume, ...]


def run_instances(tx: Transaction, around: Around, request: Request) -> tuple[Instance, ...]:
    """Write instances and their interfaces as a request in RunInstances' shape asks for them.

    Where the request names a launch template, that one's parameters are joined with its own
    (`templates.merge`). As many are made as `MaxCount` says, or as there is room for, provided
    that `MinCount` of them find it; else none. All are of one reservation, in one AZ. Raises
    AwsError with RunInstances' codes ("Error codes for the Amazon EC2 API"), 501 NotImplemented
    for what is not built. Tag keys are the caller's to check.
    """
    launch = _checked(tx, around, launch_request(tx, *around.place, request))
    reservation = f"r-{around.ids.hex(17)}"
    return tuple(_write(tx, around, launch, reservation, index) for index in range(launch.count))


def _checked(reader: Reader, around: Around, request: Request) -> Launch:
    refuse_unbuilt(request)
    if not request.get("ImageId"):
        raise AwsError("MissingParameter", "The request must contain the parameter ImageId")
    image = require_image(reader, *around.place, request["ImageId"])
    kind = checked_type(request.get("InstanceType", ""))
    wanted = wiring(reader, around, request, kind)
    fields = _fields(reader, around, request, image, kind)
    return Launch(
        count=_count(reader, around, request, kind, wanted),
        fields=fields,
        wiring=wanted,
        interface_tags=tuple(tags_of(request, "network-interface").items()),
        volumes=data_volumes(reader, *around.place, request, kind),
    )


def _fields(
    reader: Reader, around: Around, request: Request, image: MachineImage, kind: InstanceType
) -> dict[str, Any]:
    profile = wanted_profile(reader, around.account, request.get("IamInstanceProfile"))
    size, volume = root_volume(request)
    monitoring = request.get("Monitoring") or {}
    return {
        "image_id": image.id,
        "instance_type": kind.name,
        "vcpus": kind.vcpus,
        "memory": kind.memory,
        "launched_at": around.now,
        "key_name": check_key(reader, *around.place, request.get("KeyName", "")),
        "public_key": public_key_of(reader, *around.place, request.get("KeyName", "")),
        "user_data": check_user_data(request.get("UserData") or ""),
        "profile_arn": profile.arn if profile is not None else "",
        "profile_id": profile.id if profile is not None else "",
        "metadata": metadata_options(request.get("MetadataOptions") or {}, MetadataOptions()),
        "shutdown_behavior": shutdown_behavior(
            request.get("InstanceInitiatedShutdownBehavior") or "stop"
        ),
        "termination_protection": bool(request.get("DisableApiTermination")),
        "stop_protection": bool(request.get("DisableApiStop")),
        "detailed_monitoring": bool(monitoring.get("Enabled")),
        "ebs_optimized": bool(request.get("EbsOptimized")),
        "credits": credits_of(kind, request.get("CreditSpecification")),
        "spot": bool(request.get("InstanceMarketOptions")),
        "root_volume_gib": size,
        "root_volume": volume,
        "volume_tags": tuple(tags_of(request, "volume").items()),
        "client_token": request.get("ClientToken", ""),
        "tags": _instance_tags(request),
        "wanted_at": around.now,
    }


def _instance_tags(request: Request) -> Tags:
    """Its own tags, and those that name the template that it was launched from."""
    tags = tags_of(request, "instance")
    template = request.get("LaunchTemplate")
    if template:
        given = (template["LaunchTemplateId"], template["Version"])
        tags |= dict(zip(TEMPLATE_TAGS, given, strict=True))
    return tuple(tags.items())


def _count(
    reader: Reader, around: Around, request: Request, kind: InstanceType, wanted: Wiring
) -> int:
    """How many instances there are to be; AwsError where fewer than MinCount find room."""
    least, most = counts(request)
    if alone(wanted) and most > 1:
        raise AwsError(
            "InvalidParameterCombination",
            "Network interfaces and private IP addresses can be specified for one instance only.",
        )
    room = room_for(reader, kind)
    if room < least:
        raise no_room(kind.name, wanted.subnet.zone)
    if wanted.existing is not None:
        return 1
    # All of it before anything is claimed: who catches the error may keep what was written.
    for address in chosen_addresses(wanted):
        check_chosen(reader, *around.place, wanted.subnet, address)
    each = 1 + wanted.further_count + len(wanted.further_addresses)
    addresses = free_addresses(reader, *around.place, wanted.subnet) // each
    if addresses < least:
        raise AwsError(
            "InsufficientFreeAddressesInSubnet",
            f"There are not enough free addresses in subnet '{wanted.subnet.id}' to satisfy the "
            "requested number of instances.",
        )
    public = most
    if is_public(wanted):
        public = free_public_addresses(reader, around.installation.public_pool)
    if public < least:
        raise no_public_address()
    return min(most, room, addresses, public)


def _write(
    tx: Transaction, around: Around, launch: Launch, reservation: str, index: int
) -> Instance:
    instance_id = f"i-{around.ids.hex(17)}"
    eni = wire(tx, around, launch.wiring, instance_id, launch.interface_tags)
    association = f"iip-assoc-{around.ids.hex(17)}" if launch.fields["profile_arn"] else ""
    instance = Instance(
        id=instance_id,
        reservation_id=reservation,
        launch_index=index,
        vpc_id=eni.vpc_id,
        subnet_id=eni.subnet_id,
        zone=eni.zone,
        interface_id=eni.id,
        private_address=eni.private_address,
        public_address=bool(eni.public_address),
        profile_association_id=association,
        root_volume_id=f"vol-{around.ids.hex(17)}",
        **launch.fields,
    )
    tx.create(INSTANCE, *around.place, instance.id, instance)
    write_data_volumes(tx, around, instance, launch.volumes, instance.volume_tags)
    return instance
