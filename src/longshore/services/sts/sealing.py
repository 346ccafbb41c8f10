"""Makes the credentials of sessions."""

from collections.abc import Mapping, Sequence
from typing import Any

from longshore.model import iam
from longshore.model.errors import AwsError
from longshore.model.principal import Credential, Principal
from longshore.policy.document import read_document
from longshore.policy.managed import is_managed, managed_document
from longshore.policy.session import seal
from longshore.services.interface import Context

SESSION_POLICY_BYTES = 2048
SESSION_POLICY_ARNS = 10


def credentials(context: Context, principal: Principal, seconds: float) -> dict[str, Any]:
    """The `Credentials` shape of a new session of `principal`."""
    record = context.tx.get(iam.SEALING_KEY, "", "", "session")
    if record is None:
        raise RuntimeError("the sealing key is made at first start")
    return shape(seal(record.value.key, principal, context.now + seconds, context.ids))


def shape(credential: Credential) -> dict[str, Any]:
    return {
        "AccessKeyId": credential.access_key_id,
        "SecretAccessKey": credential.secret_access_key,
        "SessionToken": credential.session_token,
        "Expiration": credential.expires,
    }


def session_policies(context: Context, account: str, request: Mapping[str, Any]) -> tuple[str, ...]:
    """The documents of `Policy` and `PolicyArns`; raises MalformedPolicyDocument and its kin."""
    arns: Sequence[Mapping[str, str]] = request.get("PolicyArns") or ()
    if len(arns) > SESSION_POLICY_ARNS:
        raise too_large(f"at most {SESSION_POLICY_ARNS} managed session policies may be given")
    documents = [_managed(context, account, each.get("arn", "")) for each in arns]
    text = request.get("Policy")
    if text:
        if len(text) > SESSION_POLICY_BYTES:
            raise too_large(f"the session policy is longer than {SESSION_POLICY_BYTES} characters")
        documents.append(text)
        read_document(text)
    return tuple(documents)


def _managed(context: Context, account: str, arn: str) -> str:
    if is_managed(arn):
        document = managed_document(arn)
    else:
        record = context.tx.get(iam.POLICY, account, "", arn)
        document = record.value.document if record is not None else None
    if document is None:
        raise AwsError("ValidationError", f"PolicyArn {arn} does not exist")
    return document


def too_large(reason: str) -> AwsError:
    return AwsError("PackedPolicyTooLarge", f"Packed policy is too large: {reason}")


def packed_size(request: Mapping[str, Any]) -> int:
    """How much of the room for session policies and tags is used, in percent.

    AWS packs them in a form that it does not publish; this counts their characters.
    """
    used = len(request.get("Policy") or "")
    used += sum(len(each.get("arn", "")) for each in request.get("PolicyArns") or ())
    used += sum(len(tag["Key"]) + len(tag["Value"]) for tag in request.get("Tags") or ())
    return min(100, -(-used * 100 // SESSION_POLICY_BYTES))


def tags_of(request: Mapping[str, Any]) -> dict[str, str]:
    """Session tags; keys differ by more than case, and there are 50 at most."""
    tags = {tag["Key"]: tag["Value"] for tag in request.get("Tags") or ()}
    if len({key.lower() for key in tags}) != len(request.get("Tags") or ()):
        raise AwsError(
            "InvalidParameterValue",
            "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
        )
    return tags
