"""Launches: where, of what type, from which template; tried until one comes about."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from longshore.controllers.auto_scaling.mix import Mix, mix_of
from longshore.instances import Around, run_instances, template_of, version_of
from longshore.model.auto_scaling import AutoScalingGroup, Member
from longshore.model.ec2 import SUBNET, Subnet
from longshore.model.errors import AwsError
from longshore.model.instances import Instance
from longshore.store.interface import Reader, Transaction

Document = Mapping[str, Any]

GROUP_TAG = "aws:autoscaling:groupName"
NO_ROOM = frozenset(
    {
        "InsufficientFreeAddressesInSubnet",
        "InsufficientHostCapacity",
        "InsufficientInstanceCapacity",
        "Unsupported",
    }
)
"""Errors after which another type or another Availability Zone is tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What instances are made of: a template, and overrides in their order."""

    template: Document
    overrides: tuple[Document, ...] = ()
    mix: Mix = field(default_factory=Mix)
    mixed: bool = False


def source_of(template: Document | None, mixed: Document | None) -> Source | None:
    """Of a group or of a refresh; None where it has neither."""
    if mixed is not None:
        parts = mixed.get("LaunchTemplate") or {}
        specification = parts.get("LaunchTemplateSpecification") or {}
        overrides = tuple(parts.get("Overrides") or ())
        return Source(template=specification, overrides=overrides, mix=mix_of(mixed), mixed=True)
    return Source(template=template) if template is not None else None


def version_now(reader: Reader, around: Around, specification: Document) -> Document:
    """The `LaunchTemplateSpecification` with name and number; AwsError where there is none."""
    named = {key: specification[key] for key in ("LaunchTemplateId",) if specification.get(key)}
    template = template_of(reader, *around.place, named or specification)
    version = version_of(template, str(specification.get("Version", "")))
    return {
        "LaunchTemplateId": template.id,
        "LaunchTemplateName": template.name,
        "Version": str(version.number),
    }


def is_of(reader: Reader, around: Around, source: Source, member: Member) -> bool:
    """Whether the member is as it would be made now."""
    kept = member.launch_template or {}
    template, types = source.template, source.mix.types
    for override in source.overrides:
        if override.get("InstanceType") == member.instance_type:
            template = override.get("LaunchTemplateSpecification") or template
    try:
        now = version_now(reader, around, template)
    except AwsError:
        return False
    same = all(kept.get(key) == now[key] for key in ("LaunchTemplateId", "Version"))
    return same and (not types or member.instance_type in types)


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """The group's subnets by Availability Zone, in the group's order."""

    subnets: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def zones(self) -> list[str]:
        return list(self.subnets)


def places_of(reader: Reader, around: Around, group: AutoScalingGroup) -> Places:
    """Subnets that are gone are left out; without subnets the zones' default ones are used."""
    found: dict[str, list[str]] = {}
    for subnet in _subnets(reader, around, group):
        found.setdefault(subnet.zone, []).append(subnet.id)
    return Places(subnets=found)


def _subnets(reader: Reader, around: Around, group: AutoScalingGroup) -> list[Subnet]:
    if group.subnets:
        named = (reader.get(SUBNET, *around.place, each) for each in group.subnets)
        return [record.value for record in named if record is not None]
    default = {
        record.value.zone: record.value
        for record in reader.scan(SUBNET, *around.place)
        if record.value.default_for_az
    }
    return [default[zone] for zone in group.zones if zone in default]


@dataclass(frozen=True, slots=True)
class Launched:
    """An instance, and what the group notes of it."""

    instance: Instance
    template: Document


class Failure(Exception):
    """No instance could be made; `reason` is AWS's sentence, `details` where it was tried last."""

    def __init__(self, reason: str, details: Mapping[str, str]) -> None:
        super().__init__(reason)
        self.reason = reason
        self.details = details


def launch(
    tx: Transaction,
    around: Around,
    group: AutoScalingGroup,
    source: Source,
    places: Places,
    zones: Sequence[str],
    taken: Counter[str],
    *,
    spot: bool,
) -> Launched:
    """One instance, in the first of these zones that has room for one; or `Failure`.

    `taken` has how many members each subnet has.
    """
    reason, details = "The subnets of the AutoScalingGroup do not exist", {}
    for zone in zones:
        subnet = min(places.subnets[zone], key=lambda each: taken[each])
        details = {"Subnet ID": subnet, "Availability Zone": zone}
        for override in source.overrides or ({},):
            try:
                return _launch_one(tx, around, group, source, override, subnet, spot=spot)
            except AwsError as error:
                reason = error.message
                if error.code not in NO_ROOM:
                    raise Failure(reason, details) from error
    raise Failure(reason, details)


def _launch_one(
    tx: Transaction,
    around: Around,
    group: AutoScalingGroup,
    source: Source,
    override: Document,
    subnet: str,
    *,
    spot: bool,
) -> Launched:
    specification = override.get("LaunchTemplateSpecification") or source.template
    named = version_now(tx, around, specification)
    asked = request(group, override, named, subnet, spot=spot)
    (instance,) = run_instances(tx, around, asked)
    return Launched(instance, named)


def request(
    group: AutoScalingGroup, override: Document, named: Document, subnet: str, *, spot: bool
) -> dict[str, Any]:
    """What RunInstances is asked for one instance of the group; tags of the group win."""
    tags = [{"Key": GROUP_TAG, "Value": group.name}]
    tags += [{"Key": tag.key, "Value": tag.value} for tag in group.tags if tag.propagate]
    asked: dict[str, Any] = {
        "LaunchTemplate": {key: named[key] for key in ("LaunchTemplateId", "Version")},
        "SubnetId": subnet,
        "MinCount": 1,
        "MaxCount": 1,
        "TagSpecifications": [{"ResourceType": "instance", "Tags": tags}],
    }
    asked |= {key: override[key] for key in ("InstanceType", "ImageId") if override.get(key)}
    if spot:
        asked["InstanceMarketOptions"] = {"MarketType": "spot"}
    return asked
