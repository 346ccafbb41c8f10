"""The EC2 instances of one host as its agent is told of them: what their metadata say.

Level-triggered as the rest of the session: `message` compares what is with what was sent last.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from longshore.base.clock import Clock, rfc_3339
from longshore.base.logs import logger
from longshore.controllers.session.identity import Credentials
from longshore.instances.profiles import find_profile
from longshore.model.ec2 import (
    ADDRESS,
    NETWORK_INTERFACE,
    SECURITY_GROUP,
    SUBNET,
    VPC,
    NetworkInterface,
    Subnet,
    Vpc,
)
from longshore.model.errors import AwsError
from longshore.model.iam import INSTANCE_PROFILE, ROLE, Role
from longshore.model.instances import INSTANCE, FargateNode, Instance
from longshore.nodeapi.own import HostInstance, InstanceProfile, InstanceRole
from longshore.policy.trust import trusts_service
from longshore.store.interface import Change, Reader, Record
from longshore.vpc.elastic import public_address_of
from longshore.vpc.zones import private_dns_name, public_dns_name, zone_id

RENEWED_SECONDS = 2 * 3600.0
OWN_KINDS = (INSTANCE, INSTANCE_PROFILE, ROLE)
"""A change of one of these may change what metadata say, and no host's network."""
SERVICE, FARGATE_SERVICE = "ec2.amazonaws.com", "eks-fargate-pods.amazonaws.com"
TROUBLESHOOTING = (
    "Please see documentation at https://docs.aws.amazon.com/IAM/latest/UserGuide/"
    "troubleshoot_iam-ec2.html#troubleshoot_iam-ec2_errors-info-doc."
)
_OWN = frozenset(kind.name for kind in OWN_KINDS)
_AROUND = frozenset(kind.name for kind in (ADDRESS, SECURITY_GROUP, SUBNET, VPC))

log = logger("controllers/session")


def concerns_instances(change: Change) -> bool:
    """Whether a change may alter what metadata say; the interface of a task never does."""
    if change.key.kind == NETWORK_INTERFACE.name:
        return any(_is_of_instance(record) for record in (change.before, change.after))
    return change.key.kind in _OWN or change.key.kind in _AROUND


def _is_of_instance(record: Record[Any] | None) -> bool:
    return record is not None and bool(record.value.instance_id)


@dataclass(frozen=True, slots=True)
class _Found:
    """An instance's profile as IAM has it now; empty where it is gone or has no role."""

    profile_id: str = ""
    role_name: str = ""
    role: Role | None = None

    @property
    def basis(self) -> tuple[str, ...]:
        """What credentials depend on: they are not another's, nor from another trust."""
        role = (self.role.id, self.role.trust) if self.role is not None else ()
        return (self.profile_id, self.role_name, *role)


@dataclass(frozen=True, slots=True)
class _Profile:
    """What was said of an instance's profile, on what basis, and when (epoch seconds)."""

    basis: tuple[str, ...]
    at: float
    said: InstanceProfile


class HostInstances:
    """Of one session: what its agent has been told, and the credentials that its instances have."""

    def __init__(self, host: str, credentials: Credentials, clock: Clock) -> None:
        self._host = host
        self._credentials = credentials
        self._clock = clock
        self._profiles: dict[str, _Profile] = {}
        self._told: tuple[HostInstance, ...] | None = None

    def news(self, reader: Reader) -> tuple[HostInstance, ...] | None:
        """Every instance of the host, where that differs from what this gave last; else None.

        Credentials are renewed where they are two hours old, or their role is another now.
        """
        found = list(_on_host(reader, self._host))
        self._profiles = {
            record.key.name: self._profile(reader, record)
            for record, _ in found
            if record.value.profile_arn or record.value.fargate is not None
        }
        instances = tuple(
            _instance(reader, record, eni, self._said(record)) for record, eni in found
        )
        if instances == self._told:
            return None
        self._told = instances
        return instances

    def knows(self, interface_id: str) -> bool:
        """Whether the agent was told of the instance with this interface."""
        return any(each.interface_id == interface_id for each in self._told or ())

    def _said(self, record: Record[Instance]) -> InstanceProfile | None:
        known = self._profiles.get(record.key.name)
        return known.said if known is not None else None

    def _profile(self, reader: Reader, record: Record[Instance]) -> _Profile:
        now = self._clock.now()
        found = _of_fargate(reader, record.value.fargate) or _look_up(reader, record)
        basis = (record.value.profile_arn, *found.basis)
        known = self._profiles.get(record.key.name)
        if known is not None and known.basis == basis and now < known.at + RENEWED_SECONDS:
            return known
        return _Profile(basis, now, self._say(reader, record, found, rfc_3339(now)))

    def _say(
        self, reader: Reader, record: Record[Instance], found: _Found, updated: str
    ) -> InstanceProfile:
        instance = record.value
        said = InstanceProfile(arn=instance.profile_arn, id=instance.profile_id, updated=updated)
        if not found.profile_id:
            return _without_profile(said)
        if not found.role_name:
            return _without_role(said)
        role = self._role(reader, record, found.role_name, found.role)
        return msgspec.structs.replace(said, role=role)

    def _role(
        self, reader: Reader, record: Record[Instance], name: str, role: Role | None
    ) -> InstanceRole:
        key, fargate = record.key, record.value.fargate
        arn = f"arn:aws:ec2:{key.region}:{key.account}:instance/{key.name}"
        service, session = SERVICE, key.name
        if fargate is not None:
            arn, service, session = fargate.profile_arn, FARGATE_SERVICE, fargate.name
        if role is not None and trusts_service(role.trust, service, role.arn, arn):
            try:
                return self._credentials.of_session(reader, session, role)
            except AwsError as error:
                log.warning("credentials not issued", instance_id=key.name, code=error.code)
        return InstanceRole(
            name=name,
            code="AssumeRoleUnauthorizedAccess",
            message=f"EC2 cannot assume the role {name}. {TROUBLESHOOTING}",
        )


def _of_fargate(reader: Reader, node: FargateNode | None) -> _Found | None:
    """Of a machine of Fargate's: there is no profile, the role is the pod execution role."""
    if node is None:
        return None
    name = node.role_arn.rpartition("/")[2]
    role = reader.get(ROLE, node.account, "", name.lower())
    exists = role is not None and role.value.arn == node.role_arn
    return _Found("fargate", name, role.value if role is not None and exists else None)


def _look_up(reader: Reader, record: Record[Instance]) -> _Found:
    instance, account = record.value, record.key.account
    profile = find_profile(reader, account, instance.profile_arn)
    # Another one of the same name and path is not the instance's.
    if profile is None or profile.id != instance.profile_id:
        return _Found()
    if not profile.roles:
        return _Found(profile.id)
    role = reader.get(ROLE, account, "", profile.roles[0].lower())
    return _Found(profile.id, profile.roles[0], role.value if role is not None else None)


def _without_profile(said: InstanceProfile) -> InstanceProfile:
    name = said.arn.rpartition("/")[2]
    return msgspec.structs.replace(
        said,
        code="InstanceProfileNotFound",
        message=f"Instance Profile {name} cannot be found. {TROUBLESHOOTING}",
    )


def _without_role(said: InstanceProfile) -> InstanceProfile:
    message = f"Instance Profile does not contain a role. {TROUBLESHOOTING}"
    return msgspec.structs.replace(said, message=message)


def _on_host(reader: Reader, host: str) -> Iterator[tuple[Record[Instance], NetworkInterface]]:
    for record in reader.scan(INSTANCE):
        key = record.key
        owner = record.value.interface_account(key.account)
        eni = reader.get(NETWORK_INTERFACE, owner, key.region, record.value.interface_id)
        if eni is not None and eni.value.host == host:
            yield record, eni.value


def _instance(
    reader: Reader,
    record: Record[Instance],
    eni: NetworkInterface,
    profile: InstanceProfile | None,
) -> HostInstance:
    instance, region = record.value, record.key.region
    account = instance.interface_account(record.key.account)
    subnet = reader.get(SUBNET, account, region, eni.subnet_id)
    vpc = reader.get(VPC, account, region, eni.vpc_id)
    groups = [reader.get(SECURITY_GROUP, account, region, each) for each in eni.security_groups]
    options = instance.metadata
    return HostInstance(
        interface_id=eni.id,
        instance_id=instance.id,
        image_id=instance.image_id,
        instance_type=instance.instance_type,
        account=account,
        region=region,
        zone=instance.zone,
        zone_id=_zone_id(subnet, instance.zone),
        reservation_id=instance.reservation_id,
        launch_index=instance.launch_index,
        launched_at=rfc_3339(instance.launched_at),
        spot=instance.spot,
        private_dns_name=_private_name(instance, eni, region),
        public_dns_name=_public_name(reader, account, region, eni, vpc),
        subnet_cidr=subnet.value.cidr if subnet is not None else "",
        vpc_cidrs=vpc.value.cidrs if vpc is not None else (),
        security_groups=tuple(each.value.name for each in groups if each is not None),
        key_name=instance.key_name,
        public_key=instance.public_key,
        user_data=instance.user_data,
        endpoint=options.endpoint == "enabled",
        tokens_required=options.tokens != "optional",
        hop_limit=options.hop_limit,
        tags=instance.tags if options.instance_tags == "enabled" else None,
        profile=profile,
    )


def _private_name(instance: Instance, eni: NetworkInterface, region: str) -> str:
    if instance.fargate is not None:
        return instance.fargate.name
    return private_dns_name(eni.private_address, region)


def _zone_id(subnet: Record[Subnet] | None, zone: str) -> str:
    return subnet.value.zone_id if subnet is not None else zone_id(zone)


def _public_name(
    reader: Reader, account: str, region: str, eni: NetworkInterface, vpc: Record[Vpc] | None
) -> str:
    if vpc is None or not vpc.value.dns_hostnames:
        return ""
    address = public_address_of(reader, account, region, eni)
    return public_dns_name(address, region) if address else ""
