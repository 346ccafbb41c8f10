"""What each call is about, for IAM.

("Actions, resources, and condition keys for Elastic Load Balancing V2", Service Authorization
Reference). The gateway adds the tags of requests.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from longshore.model.elbv2 import (
    elb_arn,
    load_balancer_name,
    record_of,
    target_group_name,
)
from longshore.services.elbv2.records import (
    find_listener,
    find_load_balancer,
    find_target_group,
)
from longshore.services.interface import Context, Resource, ResourcesOf

Request = Mapping[str, Any]
Conditions = dict[str, str | list[str]]


def _of_arn(context: Context, arn: str, conditions: Conditions | None = None) -> Resource:
    """The resource with its tags; what is not there by its ARN alone."""
    find: Mapping[str, Callable[[Context, str], Any]] = {
        "listener": find_listener,
        "loadbalancer": find_load_balancer,
        "targetgroup": find_target_group,
    }
    kind, _ = record_of(arn)
    found = find[kind](context, arn) if kind else None
    tags: Conditions = {
        f"{prefix}:ResourceTag/{key}": value
        for key, value in (found.tags if found is not None else ())
        for prefix in ("aws", "elasticloadbalancing")
    }
    return Resource(arn=arn, conditions={**tags, **(conditions or {})})


def _by(member: str) -> ResourcesOf:
    return lambda context, request: [_of_arn(context, request[member])]


def _placed(request: Request) -> Conditions:
    """Where a load balancer is to be, and behind what."""
    mappings = request.get("SubnetMappings") or ()
    subnets = request.get("Subnets") or [each.get("SubnetId", "") for each in mappings]
    found: Conditions = {}
    if subnets:
        found["elasticloadbalancing:Subnet"] = list(subnets)
    if request.get("SecurityGroups"):
        found["elasticloadbalancing:SecurityGroup"] = list(request["SecurityGroups"])
    return found


def _created_balancer(context: Context, request: Request) -> Iterable[Resource]:
    kept = load_balancer_name(request["Name"], "*")
    arn = elb_arn(context.region, context.account, "loadbalancer", kept)
    scheme = request.get("Scheme") or "internet-facing"
    yield Resource(arn=arn, conditions={"elasticloadbalancing:Scheme": scheme, **_placed(request)})


def _placed_balancer(context: Context, request: Request) -> Iterable[Resource]:
    return [_of_arn(context, request["LoadBalancerArn"], _placed(request))]


def _created_group(context: Context, request: Request) -> Iterable[Resource]:
    kept = target_group_name(request["Name"], "*")
    yield Resource(arn=elb_arn(context.region, context.account, "targetgroup", kept))


def _created_listener(context: Context, request: Request) -> Iterable[Resource]:
    return [_of_arn(context, request["LoadBalancerArn"], _protocol(request))]


def _modified_listener(context: Context, request: Request) -> Iterable[Resource]:
    return [_of_arn(context, request["ListenerArn"], _protocol(request))]


def _protocol(request: Request) -> Conditions:
    protocol = request.get("Protocol")
    return {"elasticloadbalancing:ListenerProtocol": protocol} if protocol else {}


def _tagged(context: Context, request: Request) -> Iterable[Resource]:
    keys = [tag["Key"] for tag in request.get("Tags") or ()] or list(request.get("TagKeys") or ())
    return [_of_arn(context, arn, {"aws:TagKeys": keys}) for arn in request["ResourceArns"]]


RESOURCES: Mapping[str, ResourcesOf] = {
    **dict.fromkeys(("DeleteLoadBalancer", "ModifyLoadBalancerAttributes"), _by("LoadBalancerArn")),
    **dict.fromkeys(
        (
            "DeleteTargetGroup",
            "DeregisterTargets",
            "ModifyTargetGroup",
            "ModifyTargetGroupAttributes",
            "RegisterTargets",
        ),
        _by("TargetGroupArn"),
    ),
    **dict.fromkeys(("DeleteListener", "ModifyListenerAttributes"), _by("ListenerArn")),
    **dict.fromkeys(("SetSecurityGroups", "SetSubnets"), _placed_balancer),
    **dict.fromkeys(("AddTags", "RemoveTags"), _tagged),
    "CreateListener": _created_listener,
    "CreateLoadBalancer": _created_balancer,
    "CreateTargetGroup": _created_group,
    "ModifyListener": _modified_listener,
}
"""Those that describe have no resources: they are allowed on all or on none."""
