"""CreateListener, DescribeListeners, ModifyListener, DeleteListener."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from longshore.balancing import listeners_of, new_listener, remove_listener, users_of
from longshore.model.elbv2 import (
    LoadBalancer,
    TargetGroup,
    elb_arn,
    load_balancer_name,
    target_group_name,
)
from longshore.model.errors import AwsError, not_built
from longshore.services.elbv2.checks import tag_pairs
from longshore.services.elbv2.failures import invalid, misconfigured, no_listener, too_many
from longshore.services.elbv2.limits import LIMITS
from longshore.services.elbv2.pages import page
from longshore.services.elbv2.records import (
    find_listener,
    listener_of,
    load_balancer_of,
    place_of,
    put_listener,
    target_group_of,
)
from longshore.services.elbv2.tags import authorize_tags
from longshore.services.elbv2.view import listener_shape
from longshore.services.interface import Context, Operation, Response

Request = Mapping[str, Any]


def create_listener(context: Context, request: Request) -> Response:
    balancer = load_balancer_of(context, request["LoadBalancerArn"])
    _check_built(request)
    if not request.get("Port"):
        raise invalid("A listener port must be specified")
    if not request.get("Protocol"):
        raise invalid("A listener protocol must be specified")
    tags = tag_pairs(request.get("Tags") or ())
    owner = load_balancer_name(balancer.name, balancer.id)
    pattern = elb_arn(context.region, context.account, "listener", f"{owner}/*")
    authorize_tags(context, pattern, tags)
    group = _group(context, balancer, request["DefaultActions"])
    _check_free(context, balancer, request["Port"], "")
    existing = listeners_of(context.tx, context.account, context.region, owner)
    if len(existing) >= LIMITS["listeners-per-network-load-balancer"]:
        raise too_many("TooManyListeners", "The limit on listeners has been reached")
    made = new_listener(context.tx, place_of(context), balancer, request["Port"], group, tags)
    return {"Listeners": [listener_shape(context, made)]}


def _check_built(request: Request) -> None:
    protocol = request.get("Protocol", "TCP")
    if protocol in {"HTTP", "HTTPS"}:
        raise AwsError(
            "UnsupportedProtocol",
            f"Protocol '{protocol}' is not supported for Network Load Balancers",
        )
    if protocol != "TCP":
        raise not_built(f"listeners of protocol {protocol}")
    for member in ("Certificates", "SslPolicy", "AlpnPolicy", "MutualAuthentication"):
        if request.get(member):
            raise misconfigured(f"{member} cannot be specified for TCP listeners")


def _check_free(context: Context, balancer: LoadBalancer, port: int, but: str) -> None:
    """DuplicateListener where another listener than the one with the id `but` has the port."""
    owner = load_balancer_name(balancer.name, balancer.id)
    for each in listeners_of(context.tx, context.account, context.region, owner):
        if each.port == port and each.id != but:
            raise AwsError(
                "DuplicateListener",
                f"A listener already exists on this port for this load balancer '{balancer.arn}'",
            )


def _group(
    context: Context, balancer: LoadBalancer, actions: Sequence[Mapping[str, Any]]
) -> TargetGroup:
    """The target group that the actions forward to, which no other load balancer has."""
    if len(actions) != 1:
        raise AwsError("TooManyActions", "A TCP listener has exactly one default action")
    (action,) = actions
    if action["Type"] != "forward":
        raise AwsError(
            "InvalidLoadBalancerAction",
            "The only default action of a Network Load Balancer's listener is forward",
        )
    group = target_group_of(context, _forwarded(action))
    if group.vpc_id != balancer.vpc_id:
        raise misconfigured("The target group and the load balancer are not in the same VPC")
    owner = load_balancer_name(balancer.name, balancer.id)
    place = (context.account, context.region)
    users = users_of(context.tx, *place, target_group_name(group.name, group.id))
    if set(users) - {owner}:
        raise AwsError(
            "TargetGroupAssociationLimit",
            "The following target groups cannot be associated with more than one load balancer: "
            f"{group.arn}",
        )
    return group


def _forwarded(action: Mapping[str, Any]) -> str:
    """The ARN of the one target group."""
    config = action.get("ForwardConfig") or {}
    arns = [each.get("TargetGroupArn", "") for each in config.get("TargetGroups") or ()]
    alone = action.get("TargetGroupArn")
    if len(arns) > 1:
        raise not_built("several target groups of a listener")
    if (config.get("TargetGroupStickinessConfig") or {}).get("Enabled"):
        raise misconfigured("Target group stickiness is not supported by Network Load Balancers")
    if alone and arns and arns != [alone]:
        raise invalid("The target group ARN must be the same as in the forward configuration")
    if not alone and not arns:
        raise invalid("A target group ARN must be specified")
    return str(alone or arns[0])


def describe_listeners(context: Context, request: Request) -> Response:
    arns, balancer_arn = request.get("ListenerArns") or (), request.get("LoadBalancerArn")
    if bool(arns) == bool(balancer_arn):
        raise invalid("You must specify either listener ARNs or a load balancer ARN")
    if balancer_arn:
        balancer = load_balancer_of(context, balancer_arn)
        owner = load_balancer_name(balancer.name, balancer.id)
        found = listeners_of(context.tx, context.account, context.region, owner)
    else:
        known = [find_listener(context, arn) for arn in dict.fromkeys(arns)]
        found = [each for each in known if each is not None]
        if len(found) < len(known):
            raise no_listener()
    some, marker = page(found, request, lambda each: each.arn)
    return {"Listeners": [listener_shape(context, each) for each in some], **marker}


def modify_listener(context: Context, request: Request) -> Response:
    listener = listener_of(context, request["ListenerArn"])
    _check_built(request)
    arn = elb_arn(context.region, context.account, "loadbalancer", listener.load_balancer)
    balancer = load_balancer_of(context, arn)
    fields: dict[str, Any] = {}
    if request.get("Port"):
        _check_free(context, balancer, request["Port"], listener.id)
        fields["port"] = request["Port"]
    if request.get("DefaultActions"):
        group = _group(context, balancer, request["DefaultActions"])
        fields["target_group"] = target_group_name(group.name, group.id)
    changed = msgspec.structs.replace(listener, **fields)
    put_listener(context, changed)
    return {"Listeners": [listener_shape(context, changed)]}


def delete_listener(context: Context, request: Request) -> Response:
    listener = listener_of(context, request["ListenerArn"])
    name = f"{listener.load_balancer}/{listener.id}"
    remove_listener(context.tx, place_of(context), name)
    return {}


OPERATIONS: Mapping[str, Operation] = {
    "CreateListener": create_listener,
    "DeleteListener": delete_listener,
    "DescribeListeners": describe_listeners,
    "ModifyListener": modify_listener,
}
