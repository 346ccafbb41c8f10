"""AssumeRole, as far as the role's trust policy lets the caller."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec

from longshore.model import iam
from longshore.model.arn import parse_arn
from longshore.model.errors import AwsError
from longshore.model.principal import Principal
from longshore.policy.session import role_session
from longshore.services.interface import Context, Resource, Response
from longshore.services.roles import role_of_arn
from longshore.services.sts.sealing import credentials, packed_size, session_policies
from longshore.services.sts.session_tags import merged, tags_of, transitive_keys
from longshore.store.interface import Reader

if TYPE_CHECKING:
    from types_boto3_sts.type_defs import AssumeRoleRequestTypeDef

DEFAULT_SECONDS = 3600
CHAINED_SECONDS = 3600
"""Longest session of a role assumed by another role's session."""


def assume_role(context: Context, request: "AssumeRoleRequestTypeDef") -> Response:
    role = role_of_arn(context.tx, request["RoleArn"])
    if role is None:
        raise _denied(context, request["RoleArn"])
    _check_caller(context)
    seconds = request.get("DurationSeconds", min(DEFAULT_SECONDS, role.max_session))
    _check_duration(context.principal, role, seconds)
    _authorize_extras(context, request)
    principal = _session(context, role, request)
    response: dict[str, Any] = {
        "Credentials": credentials(context, principal, seconds),
        "AssumedRoleUser": {"AssumedRoleId": principal.user_id, "Arn": principal.arn},
    }
    if principal.source_identity:
        response["SourceIdentity"] = principal.source_identity
    if request.get("Policy") or request.get("PolicyArns") or request.get("Tags"):
        response["PackedPolicySize"] = packed_size(request)
    return response


def _session(context: Context, role: iam.Role, request: "AssumeRoleRequestTypeDef") -> Principal:
    """The new session: the role's tags, over them the caller's transitive ones and its own."""
    caller = context.principal
    inherited = {k: v for k, v in caller.session_tags if k in caller.transitive_tags}
    given = tags_of(request)
    chosen = transitive_keys(inherited, given, request.get("TransitiveTagKeys", ()))
    session = role_session(role, request["RoleSessionName"], context.now)
    return msgspec.structs.replace(
        session,
        session_tags=merged(dict(session.session_tags), inherited, given),
        transitive_tags=chosen,
        session_policies=session_policies(context, session.account, request),
        source_identity=source_identity(context, request),
    )


def source_identity(context: Context, request: "AssumeRoleRequestTypeDef") -> str:
    """Once set it stays with every session chained from the first."""
    return context.principal.source_identity or request.get("SourceIdentity", "")


def _check_caller(context: Context) -> None:
    if context.principal.kind == "root" and context.installation.auth != "open":
        raise AwsError("AccessDenied", "Roles may not be assumed by root accounts.", 403)


def _check_duration(caller: Principal, role: iam.Role, seconds: int) -> None:
    if caller.kind == "assumed-role" and seconds > CHAINED_SECONDS:
        raise AwsError(
            "ValidationError",
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by "
            "role chaining",
        )
    if seconds > role.max_session:
        raise AwsError(
            "ValidationError",
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        )


def _authorize_extras(context: Context, request: "AssumeRoleRequestTypeDef") -> None:
    """Tags and a source identity, also an inherited one, are allowed or not by themselves."""
    (resource,) = role_to_assume(context, request)
    if request.get("Tags"):
        context.authorize("sts:TagSession", resource.arn, resource.conditions)
    identity = source_identity(context, request)
    if request.get("SourceIdentity", identity) != identity:
        raise _denied(context, resource.arn)
    if identity:
        context.authorize("sts:SetSourceIdentity", resource.arn, resource.conditions)


def _denied(context: Context, role_arn: str) -> AwsError:
    """The same whether there is the role or not, so that nobody finds out by trying."""
    return AwsError(
        "AccessDenied",
        f"User: {context.principal.arn} is not authorized to perform: sts:AssumeRole on resource: "
        f"{role_arn}",
        403,
    )


def role_to_assume(context: Context, request: "AssumeRoleRequestTypeDef") -> Iterable[Resource]:
    """The role, with what its trust policy may ask about."""
    arn = parse_arn(request["RoleArn"])
    if arn is None or arn.service != "iam" or arn.resource_type != "role":
        raise AwsError("ValidationError", "Request ARN is invalid")
    conditions: dict[str, str | list[str]] = {"sts:RoleSessionName": request["RoleSessionName"]}
    if "ExternalId" in request:
        conditions["sts:ExternalId"] = request["ExternalId"]
    identity = source_identity(context, request)
    if identity:
        conditions["sts:SourceIdentity"] = identity
    if request.get("TransitiveTagKeys"):
        conditions["sts:TransitiveTagKeys"] = list(request["TransitiveTagKeys"])
    role = role_of_arn(context.tx, request["RoleArn"])
    for key, value in role.tags if role is not None else ():
        conditions[f"iam:ResourceTag/{key}"] = conditions[f"aws:ResourceTag/{key}"] = value
    return [Resource(arn=request["RoleArn"], conditions=conditions)]


def trust_policy(reader: Reader, arn: str) -> str | None:
    """The trust policy of the role of this ARN."""
    role = role_of_arn(reader, arn)
    return role.trust if role is not None else None
