"""Policies of repositories."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from longshore.images import catalog
from longshore.images.catalog import Home
from longshore.images.failures import invalid_parameter
from longshore.model.errors import AwsError
from longshore.policy.document import Kind, read_document
from longshore.services.ecr.repositories import change, identity
from longshore.services.ecr.resources import home_of
from longshore.services.interface import Context, Operation, Response

if TYPE_CHECKING:
    from types_boto3_ecr.type_defs import (
        DeleteRepositoryPolicyRequestTypeDef,
        GetRepositoryPolicyRequestTypeDef,
        SetRepositoryPolicyRequestTypeDef,
    )


def set_repository_policy(
    context: Context, request: "SetRepositoryPolicyRequestTypeDef"
) -> Response:
    home = home_of(context, request)
    text = request["policyText"]
    _check(text)
    change(context, home, policy=text)
    return {**identity(home), "policyText": text}


def get_repository_policy(
    context: Context, request: "GetRepositoryPolicyRequestTypeDef"
) -> Response:
    home = home_of(context, request)
    return {**identity(home), "policyText": _policy(context, home)}


def delete_repository_policy(
    context: Context, request: "DeleteRepositoryPolicyRequestTypeDef"
) -> Response:
    home = home_of(context, request)
    text = _policy(context, home)
    change(context, home, policy="")
    return {**identity(home), "policyText": text}


def _policy(context: Context, home: Home) -> str:
    text = catalog.repository(context.tx, home).value.policy
    if not text:
        raise AwsError(
            "RepositoryPolicyNotFoundException",
            f"Repository policy does not exist for the repository with name '{home.name}' in the"
            f" registry with id '{home.account}'",
        )
    return text


def _check(text: str) -> None:
    try:
        read_document(text, Kind.RESOURCE)
    except AwsError:
        raise invalid_parameter("PolicyText", "Invalid repository policy provided") from None


OPERATIONS: Mapping[str, Operation] = {
    "DeleteRepositoryPolicy": delete_repository_policy,
    "GetRepositoryPolicy": get_repository_policy,
    "SetRepositoryPolicy": set_repository_policy,
}
