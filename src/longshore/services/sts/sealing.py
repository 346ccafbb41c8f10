"""Makes the credentials of sessions."""

import zlib
from collections.abc import Mapping, Sequence
from typing import Any

from longshore.model import iam
from longshore.model.errors import AwsError
from longshore.model.principal import Credential, Principal
from longshore.policy.document import read_document
from longshore.policy.managed import is_managed, managed_document
from longshore.policy.session import LONGEST_POLICY, seal
from longshore.services.interface import Context

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
    """The document of `Policy` and the ARNs of `PolicyArns`, which are looked up at each use.

    Raises MalformedPolicyDocument and its kin.
    """
    arns: Sequence[Mapping[str, str]] = request.get("PolicyArns") or ()
    if len(arns) > SESSION_POLICY_ARNS:
        raise too_large(f"at most {SESSION_POLICY_ARNS} managed session policies may be given")
    given = [each.get("arn", "") for each in arns]
    for arn in given:
        _check_managed(context, account, arn)
    text = request.get("Policy")
    if text:
        if len(text) > LONGEST_POLICY:
            raise too_large(f"the session policy is longer than {LONGEST_POLICY} characters")
        read_document(text)
        given.append(text)
    return tuple(given)


def _check_managed(context: Context, account: str, arn: str) -> None:
    known = (
        managed_document(arn) is not None
        if is_managed(arn)
        else context.tx.get(iam.POLICY, account, "", arn) is not None
    )
    if not known:
        raise AwsError("ValidationError", f"PolicyArn {arn} does not exist")


def too_large(reason: str) -> AwsError:
    return AwsError("PackedPolicyTooLarge", f"Packed policy is too large: {reason}")


def packed_size(request: Mapping[str, Any]) -> int:
    """How much of the room for session policies and tags is used, in percent.

    AWS packs them in a form that it does not publish; this counts what deflate makes of them.
    Raises PackedPolicyTooLarge.
    """
    parts = [request.get("Policy") or ""]
    parts += [each.get("arn", "") for each in request.get("PolicyArns") or ()]
    parts += [tag[half] for tag in request.get("Tags") or () for half in ("Key", "Value")]
    used = len(zlib.compress("\n".join(parts).encode()))
    percent = -(-used * 100 // LONGEST_POLICY)
    if percent > 100:
        raise AwsError(
            "PackedPolicyTooLarge",
            f"Packed size of session policies and tags consumes {percent}% of allotted space.",
        )
    return percent
