"""Lifecycle policies of repositories; the registry's own loop carries them out."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from longshore.images import catalog
from longshore.images.catalog import Home
from longshore.images.failures import invalid_parameter
from longshore.images.lifecycle import LifecycleInvalid, parse_policy
from longshore.model import ecr
from longshore.model.errors import AwsError
from longshore.services.ecr.repositories import change, identity
from longshore.services.ecr.resources import home_of
from longshore.services.interface import Context, Operation, Response

if TYPE_CHECKING:
    from types_boto3_ecr.type_defs import (
        DeleteLifecyclePolicyRequestTypeDef,
        GetLifecyclePolicyRequestTypeDef,
        PutLifecyclePolicyRequestTypeDef,
    )


def put_lifecycle_policy(context: Context, request: "PutLifecyclePolicyRequestTypeDef") -> Response:
    home = home_of(context, request)
    text = request["lifecyclePolicyText"]
    try:
        parse_policy(text)
    except LifecycleInvalid as error:
        raise invalid_parameter(
            "LifecyclePolicyText", f"Lifecycle policy validation failure: {error}"
        ) from error
    change(context, home, lifecycle_policy=text, lifecycle_evaluated_at=0.0)
    return {**identity(home), "lifecyclePolicyText": text}


def get_lifecycle_policy(context: Context, request: "GetLifecyclePolicyRequestTypeDef") -> Response:
    home = home_of(context, request)
    return _shape(home, _found(context, home))


def delete_lifecycle_policy(
    context: Context, request: "DeleteLifecyclePolicyRequestTypeDef"
) -> Response:
    home = home_of(context, request)
    found = _found(context, home)
    change(context, home, lifecycle_policy="", lifecycle_evaluated_at=0.0)
    return _shape(home, found)


def _found(context: Context, home: Home) -> ecr.Repository:
    found = catalog.repository(context.tx, home).value
    if not found.lifecycle_policy:
        raise AwsError(
            "LifecyclePolicyNotFoundException",
            f"Lifecycle policy does not exist for the repository with name '{home.name}' in the"
            f" registry with id '{home.account}'",
        )
    return found


def _shape(home: Home, found: ecr.Repository) -> dict[str, Any]:
    told = {**identity(home), "lifecyclePolicyText": found.lifecycle_policy}
    if found.lifecycle_evaluated_at:
        told["lastEvaluatedAt"] = found.lifecycle_evaluated_at
    return told


OPERATIONS: Mapping[str, Operation] = {
    "DeleteLifecyclePolicy": delete_lifecycle_policy,
    "GetLifecyclePolicy": get_lifecycle_policy,
    "PutLifecyclePolicy": put_lifecycle_policy,
}
