"""Key policies ("Key policies in AWS KMS", AWS KMS Developer Guide)."""

from typing import Any

import msgspec

from longshore.model.errors import AwsError
from longshore.policy.document import Kind, read_document
from longshore.policy.evaluation import Request, names_in
from longshore.services.interface import Context, Response
from longshore.services.kms.resources import find_own, keep

ONLY = "default"
"""The one name that a key's policy has."""
LONGEST = 32_768
"""Bytes ("Quotas", AWS KMS Developer Guide)."""


def default_policy(account: str) -> str:
    """What a key has that is made without one: policies of IAM decide."""
    statement = {
        "Sid": "Enable IAM User Permissions",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
        "Action": "kms:*",
        "Resource": "*",
    }
    document = {"Version": "2012-10-17", "Id": "key-default-1", "Statement": [statement]}
    return msgspec.json.encode(document).decode()


def checked_policy(context: Context, arn: str, text: str, *, bypass: bool) -> str:
    """The policy as it is given; MalformedPolicyDocumentException where it is none, or where the
    caller could not change it again (unless `bypass`)."""
    if len(text.encode()) > LONGEST:
        raise AwsError("LimitExceededException", f"Policies can have no more than {LONGEST} bytes")
    try:
        document = read_document(text, Kind.RESOURCE)
    except AwsError as error:
        raise AwsError("MalformedPolicyDocumentException", error.message) from None
    request = Request(principal=context.principal, action="kms:PutKeyPolicy", resource=arn)
    if not bypass and not names_in(document, request):
        raise AwsError(
            "MalformedPolicyDocumentException",
            "The new key policy will not allow you to update the key policy in the future.",
        )
    return text


def get(context: Context, request: Any) -> Response:
    key = find_own(context, request["KeyId"])
    _check_name(request)
    return {"Policy": key.policy, "PolicyName": ONLY}


def put(context: Context, request: Any) -> Response:
    key = find_own(context, request["KeyId"])
    _check_name(request)
    bypass = request.get("BypassPolicyLockoutSafetyCheck", False)
    policy = checked_policy(context, key.arn, request["Policy"], bypass=bypass)
    keep(context, msgspec.structs.replace(key, policy=policy))
    return {}


def _check_name(request: Any) -> None:
    if request.get("PolicyName", ONLY) != ONLY:
        raise AwsError("NotFoundException", "No such policy exists")


def list_names(context: Context, request: Any) -> Response:
    find_own(context, request["KeyId"])
    return {"PolicyNames": [ONLY], "Truncated": False}
