"""Resource policies of secrets."""

from typing import TYPE_CHECKING, Any

import msgspec

from longshore.model.errors import AwsError
from longshore.policy.document import Kind, read_document
from longshore.services.interface import Context, Response
from longshore.services.secretsmanager.resources import keep, named, require_active

if TYPE_CHECKING:
    from types_boto3_secretsmanager import type_defs as t


def put(context: Context, request: "t.PutResourcePolicyRequestTypeDef") -> Response:
    secret = require_active(context, request["SecretId"])
    _check(request["ResourcePolicy"])
    if request.get("BlockPublicPolicy") and _is_public(request["ResourcePolicy"]):
        raise AwsError(
            "PublicPolicyException",
            "The BlockPublicPolicy parameter is set to true, and the resource policy did not"
            " prevent broad access to the secret.",
        )
    keep(context, msgspec.structs.replace(secret, policy=request["ResourcePolicy"]))
    return named(context, secret)


def _check(text: str) -> None:
    try:
        read_document(text, Kind.RESOURCE)
    except AwsError as error:
        raise AwsError("MalformedPolicyDocumentException", error.message) from None


def _is_public(text: str) -> bool:
    """Whether anyone at all is allowed something, without a condition."""
    statements = msgspec.json.decode(text)["Statement"]
    listed: list[dict[str, Any]] = statements if isinstance(statements, list) else [statements]
    return any(
        each.get("Effect") == "Allow"
        and not each.get("Condition")
        and each.get("Principal") in ("*", {"AWS": "*"}, {"AWS": ["*"]})
        for each in listed
    )


def get(context: Context, request: "t.GetResourcePolicyRequestTypeDef") -> Response:
    secret = require_active(context, request["SecretId"])
    told = named(context, secret)
    return {**told, "ResourcePolicy": secret.policy} if secret.policy else told


def delete(context: Context, request: "t.DeleteResourcePolicyRequestTypeDef") -> Response:
    secret = require_active(context, request["SecretId"])
    keep(context, msgspec.structs.replace(secret, policy=""))
    return named(context, secret)


def validate(context: Context, request: "t.ValidateResourcePolicyRequestTypeDef") -> Response:
    if request.get("SecretId"):
        require_active(context, request["SecretId"])
    text = request["ResourcePolicy"]
    _check(text)
    if _is_public(text):
        problem = {
            "CheckName": "PUBLIC_ACCESS",
            "ErrorMessage": "The resource policy grants access to the secret to anyone.",
        }
        return {"PolicyValidationPassed": False, "ValidationErrors": [problem]}
    return {"PolicyValidationPassed": True, "ValidationErrors": []}
