"""Load balancers, listeners and target groups by ARN, or the errors that there are none."""

from longshore.balancing import Place
from longshore.model.elbv2 import (
    LISTENER,
    LOAD_BALANCER,
    TARGET_GROUP,
    Listener,
    LoadBalancer,
    TargetGroup,
    load_balancer_name,
    record_of,
    target_group_name,
)
from longshore.services.elbv2.failures import no_listener, no_load_balancer, no_target_group
from longshore.services.interface import Context


def place_of(context: Context) -> Place:
    return Place(
        account=context.account,
        region=context.region,
        now=context.now,
        ids=context.ids,
        installation=context.installation,
    )


def find_load_balancer(context: Context, arn: str) -> LoadBalancer | None:
    kind, name = record_of(arn)
    if kind != "loadbalancer":
        return None
    record = context.tx.get(LOAD_BALANCER, context.account, context.region, name)
    alive = record is not None and not record.value.deleted_at and record.value.arn == arn
    return record.value if record is not None and alive else None


def load_balancer_of(context: Context, arn: str) -> LoadBalancer:
    found = find_load_balancer(context, arn)
    if found is None:
        raise no_load_balancer(arn)
    return found


def load_balancers(context: Context) -> list[LoadBalancer]:
    found = context.tx.scan(LOAD_BALANCER, context.account, context.region)
    return [record.value for record in found if not record.value.deleted_at]


def find_target_group(context: Context, arn: str) -> TargetGroup | None:
    kind, name = record_of(arn)
    if kind != "targetgroup":
        return None
    record = context.tx.get(TARGET_GROUP, context.account, context.region, name)
    return record.value if record is not None and record.value.arn == arn else None


def target_group_of(context: Context, arn: str) -> TargetGroup:
    found = find_target_group(context, arn)
    if found is None:
        raise no_target_group()
    return found


def target_groups(context: Context) -> list[TargetGroup]:
    found = context.tx.scan(TARGET_GROUP, context.account, context.region)
    return [record.value for record in found]


def find_listener(context: Context, arn: str) -> Listener | None:
    kind, name = record_of(arn)
    if kind != "listener":
        return None
    record = context.tx.get(LISTENER, context.account, context.region, name)
    return record.value if record is not None and record.value.arn == arn else None


def listener_of(context: Context, arn: str) -> Listener:
    found = find_listener(context, arn)
    if found is None:
        raise no_listener()
    return found


def put_load_balancer(context: Context, value: LoadBalancer) -> None:
    name = load_balancer_name(value.name, value.id)
    context.tx.put(LOAD_BALANCER, context.account, context.region, name, value)


def put_target_group(context: Context, value: TargetGroup) -> None:
    name = target_group_name(value.name, value.id)
    context.tx.put(TARGET_GROUP, context.account, context.region, name, value)


def put_listener(context: Context, value: Listener) -> None:
    name = f"{value.load_balancer}/{value.id}"
    context.tx.put(LISTENER, context.account, context.region, name, value)
