"""Policies of repositories."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from longshore.images import catalog
from longshore.images.catalog import Home
from longshore.images.failures import invalid_parameter
from longshore.model.errors import AwsError
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
    if not _is_policy(text):
        raise invalid_parameter("PolicyText", "Invalid repository policy provided")
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


def _is_policy(text: str) -> bool:
    """Whether `text` is a policy document whose statements say who may do what."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return False
    if not isinstance(document, dict):
        return False
    statements = document.get("Statement")
    if isinstance(statements, dict):
        statements = [statements]
    if not isinstance(statements, list) or not statements:
        return False
    return all(_is_statement(statement) for statement in statements)


def _is_statement(statement: object) -> bool:
    if not isinstance(statement, dict) or statement.get("Effect") not in {"Allow", "Deny"}:
        return False
    who = "Principal" in statement or "NotPrincipal" in statement
    return who and ("Action" in statement or "NotAction" in statement)


OPERATIONS: Mapping[str, Operation] = {
    "DeleteRepositoryPolicy": delete_repository_policy,
    "GetRepositoryPolicy": get_repository_policy,
    "SetRepositoryPolicy": set_repository_policy,
}
