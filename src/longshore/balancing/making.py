"""Load balancers, target groups and listeners, made."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from longshore.base.ids import Ids
from longshore.base.installation import Installation
from longshore.model.ec2 import SUBNET, Subnet
from longshore.model.elbv2 import (
    LISTENER,
    LOAD_BALANCER,
    TARGET_GROUP,
    Attributes,
    HealthCheck,
    Listener,
    LoadBalancer,
    Tags,
    TargetGroup,
    elb_arn,
    load_balancer_name,
    target_group_name,
)
from longshore.store.interface import Transaction
from longshore.vpc.lookup import hold

ID_DIGITS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where and when something is made; `now` in epoch seconds."""

    account: str
    region: str
    now: float
    ids: Ids
    installation: Installation

    @property
    def here(self) -> tuple[str, str]:
        """As the store's keys have it."""
        return self.account, self.region


def new_load_balancer(
    tx: Transaction,
    place: Place,
    *,
    name: str,
    scheme: str,
    subnets: Sequence[Subnet],
    addresses: tuple[tuple[str, str], ...] = (),
    security_groups: Sequence[str] = (),
    attributes: Attributes | None = None,
    tags: Tags = (),
) -> LoadBalancer:
    """A Network Load Balancer in these subnets of one VPC, each in another AZ.

    Raises AwsError of EC2's where a subnet is gone. Whoever names security groups that others may
    delete holds them.
    """
    for subnet in subnets:
        hold(tx, SUBNET, *place.here, subnet.id)
    made_id = place.ids.hex(ID_DIGITS)
    kept = load_balancer_name(name, made_id)
    domain = place.installation.domain
    made = LoadBalancer(
        arn=elb_arn(place.region, place.account, "loadbalancer", kept),
        name=name,
        id=made_id,
        dns_name=f"{name}-{made_id}.elb.{place.region}.{domain}",
        scheme=scheme,
        vpc_id=subnets[0].vpc_id,
        subnets=tuple(subnet.id for subnet in subnets),
        addresses=addresses,
        security_groups=tuple(security_groups),
        attributes=attributes or {},
        created_at=place.now,
        tags=tags,
    )
    tx.create(LOAD_BALANCER, *place.here, kept, made)
    return made


def new_target_group(
    tx: Transaction,
    place: Place,
    *,
    name: str,
    port: int,
    vpc_id: str,
    target_type: str,
    health_check: HealthCheck,
    **further: Any,
) -> TargetGroup:
    """A target group without targets; `further` are fields of `TargetGroup`."""
    made_id = place.ids.hex(ID_DIGITS)
    kept = target_group_name(name, made_id)
    made = TargetGroup(
        arn=elb_arn(place.region, place.account, "targetgroup", kept),
        name=name,
        id=made_id,
        port=port,
        vpc_id=vpc_id,
        target_type=target_type,
        health_check=health_check,
        **further,
    )
    tx.create(TARGET_GROUP, *place.here, kept, made)
    return made


def new_listener(
    tx: Transaction,
    place: Place,
    load_balancer: LoadBalancer,
    port: int,
    group: TargetGroup,
    tags: Tags = (),
) -> Listener:
    """A TCP listener that forwards to this group; nobody else has the port there."""
    owner = load_balancer_name(load_balancer.name, load_balancer.id)
    made_id = place.ids.hex(ID_DIGITS)
    kept = f"{owner}/{made_id}"
    made = Listener(
        arn=elb_arn(place.region, place.account, "listener", kept),
        id=made_id,
        load_balancer=owner,
        port=port,
        target_group=target_group_name(group.name, group.id),
        tags=tags,
    )
    tx.create(LISTENER, *place.here, kept, made)
    return made
