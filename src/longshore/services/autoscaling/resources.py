"""What each call is about, for IAM.

("Actions, resources, and condition keys for Amazon EC2 Auto Scaling", Service Authorization
Reference). The gateway adds the tags of requests.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from longshore.model.auto_scaling import AutoScalingGroup, group_arn
from longshore.services.autoscaling.records import find_group, find_member
from longshore.services.autoscaling.refreshes import MOVING
from longshore.services.autoscaling.sources import specifications
from longshore.services.interface import Context, Resource, ResourcesOf

Request = Mapping[str, Any]
Conditions = dict[str, str | list[str]]


def _of_name(context: Context, name: str, conditions: Conditions) -> Resource:
    """A group by name; one that is not there by the pattern that its ARN would have."""
    group = find_group(context, name)
    if group is None:
        arn = group_arn(context.region, context.account, "*", name)
        return Resource(arn=arn, conditions=conditions)
    return Resource(arn=group.arn, conditions={**_tags(group), **conditions})


def _tags(group: AutoScalingGroup) -> Conditions:
    return {
        f"{prefix}:ResourceTag/{tag.key}": tag.value
        for tag in group.tags
        for prefix in ("autoscaling", "aws")
    }


def _named(context: Context, request: Request) -> Iterable[Resource]:
    return [_of_name(context, request["AutoScalingGroupName"], {})]


def _configured(context: Context, request: Request) -> Iterable[Resource]:
    return [_of_name(context, request["AutoScalingGroupName"], _asked(request))]


def _asked(request: Request) -> Conditions:
    """Condition keys that show what the group is to be."""
    found: Conditions = {
        f"autoscaling:{member}": str(request[member])
        for member in ("LaunchConfigurationName", "MaxSize", "MinSize")
        if request.get(member) is not None
    }
    templates = list(specifications(request))
    if templates:
        fixed = all(each.get("Version", "$Default") not in MOVING for each in templates)
        found["autoscaling:LaunchTemplateVersionSpecified"] = str(fixed).lower()
    subnets = [each.strip() for each in request.get("VPCZoneIdentifier", "").split(",")]
    if any(subnets):
        found["autoscaling:VPCZoneIdentifiers"] = [each for each in subnets if each]
    types = _types(request)
    if types:
        found["autoscaling:InstanceTypes"] = types
    return found


def _types(request: Request) -> list[str]:
    parts = (request.get("MixedInstancesPolicy") or {}).get("LaunchTemplate") or {}
    overrides = parts.get("Overrides") or ()
    return [each["InstanceType"] for each in overrides if each.get("InstanceType")]


def _refreshed(context: Context, request: Request) -> Iterable[Resource]:
    desired = request.get("DesiredConfiguration") or {}
    return [_of_name(context, request["AutoScalingGroupName"], _asked(desired))]


def _of_instances(context: Context, request: Request) -> Iterable[Resource]:
    """The groups that the instances are members of."""
    ids = [*(request.get("InstanceIds") or ()), request.get("InstanceId") or ""]
    members = [find_member(context, each) for each in ids if each]
    names = {member.group for member in members if member is not None}
    if request.get("AutoScalingGroupName"):
        names.add(request["AutoScalingGroupName"])
    return [_of_name(context, name, {}) for name in sorted(names or {"*"})]


def _tagged(context: Context, request: Request) -> Iterable[Resource]:
    names = {tag.get("ResourceId") or "*" for tag in request["Tags"]}
    keys: Conditions = {"aws:TagKeys": [tag["Key"] for tag in request["Tags"]]}
    return [_of_name(context, name, keys) for name in sorted(names)]


RESOURCES: Mapping[str, ResourcesOf] = {
    **dict.fromkeys(
        (
            "AttachInstances",
            "CancelInstanceRefresh",
            "CompleteLifecycleAction",
            "DeleteAutoScalingGroup",
            "DeleteLifecycleHook",
            "DetachInstances",
            "EnterStandby",
            "ExitStandby",
            "PutLifecycleHook",
            "RecordLifecycleActionHeartbeat",
            "ResumeProcesses",
            "RollbackInstanceRefresh",
            "SetDesiredCapacity",
            "SetInstanceProtection",
            "SuspendProcesses",
        ),
        _named,
    ),
    **dict.fromkeys(("CreateAutoScalingGroup", "UpdateAutoScalingGroup"), _configured),
    **dict.fromkeys(("CreateOrUpdateTags", "DeleteTags"), _tagged),
    **dict.fromkeys(("SetInstanceHealth", "TerminateInstanceInAutoScalingGroup"), _of_instances),
    "StartInstanceRefresh": _refreshed,
}
