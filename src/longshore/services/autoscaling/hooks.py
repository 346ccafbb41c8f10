"""Lifecycle hooks, and what becomes of the actions that instances wait for.

("Amazon EC2 Auto Scaling lifecycle hooks"; "PutLifecycleHook", "CompleteLifecycleAction",
"RecordLifecycleActionHeartbeat", Amazon EC2 Auto Scaling API Reference)
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from longshore.model.auto_scaling import (
    LIFECYCLE_HOOK,
    ON_LAUNCH,
    ON_TERMINATION,
    AutoScalingGroup,
    LifecycleAction,
    LifecycleHook,
    Member,
    hook_name,
)
from longshore.model.errors import AwsError, not_built
from longshore.services.autoscaling.failures import invalid, limit_exceeded
from longshore.services.autoscaling.records import (
    changeable_group,
    group_named,
    members_of,
    put_member,
    some,
)
from longshore.services.interface import Context, Operation, Response

Document = Mapping[str, Any]

RESULTS = ("CONTINUE", "ABANDON")
TRANSITIONS = (ON_LAUNCH, ON_TERMINATION)
LEAST_HEARTBEAT, MOST_HEARTBEAT = 30, 7200
MOST_HOOKS = 50
"""Of one group ("Quotas for Auto Scaling resources and groups")."""
_NAME = re.compile(r"[A-Za-z0-9\-_/]{1,255}")


def put_lifecycle_hook(context: Context, request: Document) -> Response:
    group = changeable_group(context, request["AutoScalingGroupName"])
    put_hook(context, group, request)
    return {}


def put_hook(context: Context, group: AutoScalingGroup, given: Document) -> None:
    """Have the hook that a request or a `LifecycleHookSpecification` asks for; what it does not say
    of one that there is stays."""
    if given.get("NotificationTargetARN") or given.get("RoleARN"):
        raise not_built("notifications of lifecycle hooks")
    name = given["LifecycleHookName"]
    if not _NAME.fullmatch(name):
        raise invalid(f"The name {name} of a lifecycle hook may have letters, digits, -, _ and /.")
    before = _find(context, group, name)
    if before is None and len(_hooks_of(context, group)) >= MOST_HOOKS:
        raise limit_exceeded(f"The limit of {MOST_HOOKS} lifecycle hooks of a group is reached.")
    if before is None and not given.get("LifecycleTransition"):
        raise invalid("A lifecycle transition must be specified for a new lifecycle hook.")
    made = before or LifecycleHook(group=group.name, name=name, transition="")
    hook = msgspec.structs.replace(made, **_asked(given))
    key = hook_name(group.name, name)
    context.tx.put(LIFECYCLE_HOOK, context.account, context.region, key, hook)


def _asked(given: Document) -> dict[str, Any]:
    """The fields of a hook that are given."""
    names = {
        "DefaultResult": "default_result",
        "HeartbeatTimeout": "heartbeat_seconds",
        "LifecycleTransition": "transition",
        "NotificationMetadata": "metadata",
    }
    found = {field: given[member] for member, field in names.items() if member in given}
    _check(found.get("default_result", "CONTINUE"), RESULTS, "DefaultResult")
    _check(found.get("transition", ON_LAUNCH), TRANSITIONS, "LifecycleTransition")
    seconds = found.get("heartbeat_seconds", LEAST_HEARTBEAT)
    if not LEAST_HEARTBEAT <= seconds <= MOST_HEARTBEAT:
        raise invalid(
            f"HeartbeatTimeout must be between {LEAST_HEARTBEAT} and {MOST_HEARTBEAT} seconds, "
            f"not {seconds}"
        )
    return found


def _check(value: str, known: tuple[str, ...], member: str) -> None:
    if value not in known:
        raise invalid(f"{member} must be one of {', '.join(known)}, not {value}")


def _find(context: Context, group: AutoScalingGroup, name: str) -> LifecycleHook | None:
    place = (context.account, context.region, hook_name(group.name, name))
    record = context.tx.get(LIFECYCLE_HOOK, *place)
    return record.value if record is not None else None


def _hook(context: Context, group: AutoScalingGroup, name: str) -> LifecycleHook:
    hook = _find(context, group, name)
    if hook is None:
        raise invalid(f"No Lifecycle Hook found for Auto Scaling group {group.name}: {name}")
    return hook


def _hooks_of(context: Context, group: AutoScalingGroup) -> list[LifecycleHook]:
    found = context.tx.find(LIFECYCLE_HOOK, context.account, context.region, "group", group.name)
    return sorted((record.value for record in found), key=lambda hook: hook.name)


def describe_hooks(context: Context, request: Document) -> Response:
    """Hooks that are asked for and are not there are left out."""
    group = group_named(context, request["AutoScalingGroupName"])
    names = some(request.get("LifecycleHookNames"))
    hooks = [hook for hook in _hooks_of(context, group) if not names or hook.name in names]
    return {"LifecycleHooks": [_shape(hook) for hook in hooks]}


def _shape(hook: LifecycleHook) -> dict[str, Any]:
    metadata = {"NotificationMetadata": hook.metadata} if hook.metadata else {}
    return {
        "LifecycleHookName": hook.name,
        "AutoScalingGroupName": hook.group,
        "LifecycleTransition": hook.transition,
        "HeartbeatTimeout": hook.heartbeat_seconds,
        "GlobalTimeout": hook.global_seconds,
        "DefaultResult": hook.default_result,
        **metadata,
    }


def describe_types(context: Context, request: Document) -> Response:
    return {"LifecycleHookTypes": list(TRANSITIONS)}


def delete_hook(context: Context, request: Document) -> Response:
    """What instances wait for of it is completed first: launches are abandoned, terminations go on
    ("DeleteLifecycleHook", Amazon EC2 Auto Scaling API Reference)."""
    group = changeable_group(context, request["AutoScalingGroupName"])
    hook = _hook(context, group, request["LifecycleHookName"])
    for member in members_of(context, group):
        result = "ABANDON" if member.lifecycle == "Pending:Wait" else "CONTINUE"
        actions = [_completed(each, hook, result) for each in member.actions]
        if tuple(actions) != member.actions:
            put_member(context, member, actions=tuple(actions))
    key = hook_name(group.name, hook.name)
    context.tx.delete(LIFECYCLE_HOOK, context.account, context.region, key)
    return {}


def _completed(action: LifecycleAction, hook: LifecycleHook, result: str) -> LifecycleAction:
    if action.hook != hook.name or action.result:
        return action
    return msgspec.structs.replace(action, result=result)


def complete_action(context: Context, request: Document) -> Response:
    result = request["LifecycleActionResult"]
    _check(result, RESULTS, "LifecycleActionResult")
    _change(context, request, lambda each: msgspec.structs.replace(each, result=result))
    return {}


def record_heartbeat(context: Context, request: Document) -> Response:
    now = context.now
    _change(context, request, lambda each: msgspec.structs.replace(each, heartbeat_at=now))
    return {}


def _change(
    context: Context, request: Document, change: Callable[[LifecycleAction], LifecycleAction]
) -> None:
    """Change the action that the request is about."""
    group = changeable_group(context, request["AutoScalingGroupName"])
    hook = _hook(context, group, request["LifecycleHookName"])
    token, instance_id = request.get("LifecycleActionToken"), request.get("InstanceId")
    if not token and not instance_id:
        raise invalid("Either InstanceId or LifecycleActionToken must be specified.")
    for member in members_of(context, group):
        meant = [
            each
            for each in member.actions
            if _is_active(each, hook, context.now)
            and (not token or each.token == token)
            and (not instance_id or member.instance_id == instance_id)
        ]
        if meant:
            _write(context, member, meant[0], change(meant[0]))
            return
    raise _no_action(token, instance_id)


def _is_active(action: LifecycleAction, hook: LifecycleHook, now: float) -> bool:
    return action.hook == hook.name and not action.result and now < hook.deadline(action)


def _write(
    context: Context, member: Member, before: LifecycleAction, after: LifecycleAction
) -> None:
    actions = tuple(after if each is before else each for each in member.actions)
    put_member(context, member, actions=actions)


def _no_action(token: str | None, instance_id: str | None) -> AwsError:
    named = f"token {token}" if token else f"instance ID {instance_id}"
    return invalid(f"No active Lifecycle Action found with {named}")


OPERATIONS: Mapping[str, Operation] = {
    "CompleteLifecycleAction": complete_action,
    "DeleteLifecycleHook": delete_hook,
    "DescribeLifecycleHookTypes": describe_types,
    "DescribeLifecycleHooks": describe_hooks,
    "PutLifecycleHook": put_lifecycle_hook,
    "RecordLifecycleActionHeartbeat": record_heartbeat,
}
