"""Sessions of IAM users: GetSessionToken and GetFederationToken."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec

from longshore.model.arn import make_arn
from longshore.model.errors import AwsError
from longshore.model.principal import Principal
from longshore.services.interface import Context, Resource, Response
from longshore.services.sts.sealing import credentials, packed_size, session_policies
from longshore.services.sts.session_tags import merged, tags_of

if TYPE_CHECKING:
    from types_boto3_sts.type_defs import (
        GetFederationTokenRequestTypeDef,
        GetSessionTokenRequestTypeDef,
    )

DEFAULT_SECONDS = 43_200
ROOT_SECONDS = 3600


def get_session_token(context: Context, request: "GetSessionTokenRequestTypeDef") -> Response:
    """MFA is not offered: a SerialNumber names no device that there is."""
    _check_caller(context, "GetSessionToken")
    if request.get("SerialNumber") or request.get("TokenCode"):
        raise AwsError(
            "AccessDenied", "MultiFactorAuthentication failed, unable to validate MFA code.", 403
        )
    principal = msgspec.structs.replace(context.principal, issued_at=context.now)
    return {"Credentials": credentials(context, principal, _seconds(context, request))}


def get_federation_token(context: Context, request: "GetFederationTokenRequestTypeDef") -> Response:
    _check_caller(context, "GetFederationToken")
    name, caller = request["Name"], context.principal
    if request.get("Tags"):
        (resource,) = federated_user(context, request)
        context.authorize("sts:TagSession", resource.arn)
    principal = Principal(
        account=caller.account,
        arn=make_arn("sts", "", caller.account, f"federated-user/{name}"),
        user_id=f"{caller.account}:{name}",
        kind="federated-user",
        user_name=caller.user_name,
        user_arn=caller.arn,
        issuer_id=caller.user_id,
        session_name=name,
        session_policies=session_policies(context, caller.account, request),
        session_tags=merged(dict(caller.session_tags), tags_of(request)),
        transitive_tags=tuple(tags_of(request)),
        issued_at=context.now,
    )
    return {
        "Credentials": credentials(context, principal, _seconds(context, request)),
        "FederatedUser": {"FederatedUserId": principal.user_id, "Arn": principal.arn},
        "PackedPolicySize": packed_size(request),
    }


def federated_user(
    context: Context, request: "GetFederationTokenRequestTypeDef"
) -> Iterable[Resource]:
    return [Resource(arn=make_arn("sts", "", context.account, f"federated-user/{request['Name']}"))]


def _check_caller(context: Context, operation: str) -> None:
    if context.principal.issued_at is not None:
        raise AwsError("AccessDenied", f"Cannot call {operation} with session credentials", 403)


def _seconds(
    context: Context,
    request: "GetSessionTokenRequestTypeDef | GetFederationTokenRequestTypeDef",
) -> float:
    """Root's sessions last an hour at most."""
    seconds = request.get("DurationSeconds", DEFAULT_SECONDS)
    return min(seconds, ROOT_SECONDS) if context.principal.kind == "root" else seconds
