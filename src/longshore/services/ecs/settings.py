"""Account settings ("Access Amazon ECS features with account settings")."""

from typing import Any

from longshore.model.ecs import SETTING, Setting
from longshore.services.ecs.naming import invalid
from longshore.services.interface import Context, Response

DEFAULTS = {
    "awsvpcTrunking": "disabled",
    "containerInsights": "disabled",
    "containerInstanceLongArnFormat": "enabled",
    "defaultLogDriverMode": "non-blocking",
    "dualStackIPv6": "enabled",
    "fargateFIPSMode": "disabled",
    "fargateTaskRetirementWaitPeriod": "7",
    "guardDutyActivate": "off",
    "serviceLongArnFormat": "enabled",
    "tagResourceAuthorization": "off",
    "taskLongArnFormat": "enabled",
}
VALUES = {
    "containerInsights": {"enabled", "disabled", "enhanced"},
    "defaultLogDriverMode": {"blocking", "non-blocking"},
    "fargateTaskRetirementWaitPeriod": {"0", "7", "14"},
    "guardDutyActivate": {"on", "off"},
    "tagResourceAuthorization": {"on", "off"},
}
DEFAULT = "default"


def put_account_setting(context: Context, request: Any) -> Response:
    principal = request.get("principalArn") or context.principal.arn
    return {"setting": _put(context, request, principal)}


def put_account_setting_default(context: Context, request: Any) -> Response:
    return {"setting": _put(context, request, DEFAULT)}


def _put(context: Context, request: Any, principal: str) -> dict[str, str]:
    name, value = request["name"], request["value"]
    if name not in DEFAULTS or value not in VALUES.get(name, {"enabled", "disabled"}):
        raise invalid("Invalid setting value.")
    setting = Setting(name=name, value=value, principal_arn=principal)
    context.tx.put(SETTING, context.account, context.region, f"{principal}/{name}", setting)
    return _show(context, setting)


def delete_account_setting(context: Context, request: Any) -> Response:
    name = request["name"]
    principal = request.get("principalArn") or context.principal.arn
    context.tx.delete(SETTING, context.account, context.region, f"{principal}/{name}")
    return {"setting": {"name": name, "value": "", "principalArn": principal, "type": "user"}}


def list_account_settings(context: Context, request: Any) -> Response:
    principal = request.get("principalArn") or context.principal.arn
    wanted, value = request.get("name"), request.get("value")
    shown = []
    for name in [wanted] if wanted else DEFAULTS:
        own = _find(context, principal, name)
        found = own or (_find(context, DEFAULT, name) if request.get("effectiveSettings") else None)
        if found is None and request.get("effectiveSettings") and name in DEFAULTS:
            found = Setting(name=name, value=DEFAULTS[name], principal_arn=principal)
        if found is not None and value in {None, found.value}:
            shown.append(_show(context, found))
    return {"settings": shown}


def _find(context: Context, principal: str, name: str) -> Setting | None:
    record = context.tx.get(SETTING, context.account, context.region, f"{principal}/{name}")
    return record.value if record is not None else None


def _show(context: Context, setting: Setting) -> dict[str, str]:
    principal = setting.principal_arn
    if principal == DEFAULT:
        principal = f"arn:aws:iam::{context.account}:root"
    return {
        "name": setting.name,
        "value": setting.value,
        "principalArn": principal,
        "type": "aws_managed" if setting.name == "guardDutyActivate" else "user",
    }
