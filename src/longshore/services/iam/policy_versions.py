"""Versions of managed policies: five at most, one of them the default, which is in force."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from longshore.model import iam
from longshore.policy.managed import is_managed, managed_document
from longshore.services.iam.documents import check_managed, encoded
from longshore.services.iam.failures import delete_conflict, limit_exceeded, no_such_entity
from longshore.services.iam.pages import page
from longshore.services.iam.policies import (
    AWS_VERSION,
    check_arn,
    find_own,
    keep_versions,
    require_own,
)
from longshore.services.iam.views import Shape, version_shape
from longshore.services.interface import Context, Operation, Response

if TYPE_CHECKING:
    from types_boto3_iam import type_defs as t

MOST_VERSIONS = 5


def create_policy_version(
    context: Context, request: "t.CreatePolicyVersionRequestTypeDef"
) -> Response:
    policy = require_own(context, request["PolicyArn"])
    document = request["PolicyDocument"]
    check_managed(document)
    if len(policy.versions) >= MOST_VERSIONS:
        raise limit_exceeded(
            f"A managed policy can have up to {MOST_VERSIONS} versions. Before you create a new "
            "version, you must delete an existing version."
        )
    version = iam.PolicyVersion(
        id=f"v{policy.next_version}", document=document, created_at=context.now
    )
    default = request.get("SetAsDefault", False)
    keep_versions(
        context,
        policy,
        versions=(*policy.versions, version),
        next_version=policy.next_version + 1,
        default_version=version.id if default else policy.default_version,
    )
    shape = version_shape(policy, version) | {"IsDefaultVersion": default}
    return {"PolicyVersion": shape}


def get_policy_version(context: Context, request: "t.GetPolicyVersionRequestTypeDef") -> Response:
    arn, version_id = request["PolicyArn"], request["VersionId"]
    check_arn(arn)
    document = managed_document(arn) if is_managed(arn) else None
    if document is not None and version_id == AWS_VERSION:
        return {"PolicyVersion": _aws_version() | {"Document": encoded(document)}}
    policy = find_own(context.tx, context.account, arn)
    if policy is None and document is None:
        raise no_such_entity(f"Policy {arn} was not found.")
    if policy is None:
        raise _no_version(arn, version_id)
    return {"PolicyVersion": version_shape(policy, _version(policy, version_id), document=True)}


def list_policy_versions(
    context: Context, request: "t.ListPolicyVersionsRequestTypeDef"
) -> Response:
    """The newest first, as AWS lists them."""
    arn = request["PolicyArn"]
    check_arn(arn)
    if is_managed(arn) and managed_document(arn) is not None:
        return {"Versions": [_aws_version()], "IsTruncated": False}
    policy = require_own(context, arn)
    given, more = page(policy.versions, _newest_first, request)
    return {"Versions": [version_shape(policy, version) for version in given], **more}


def delete_policy_version(
    context: Context, request: "t.DeletePolicyVersionRequestTypeDef"
) -> Response:
    policy = require_own(context, request["PolicyArn"])
    version = _version(policy, request["VersionId"])
    if version.id == policy.default_version:
        raise delete_conflict("Cannot delete the default version of a policy.")
    left = tuple(each for each in policy.versions if each.id != version.id)
    keep_versions(context, policy, versions=left)
    return {}


def set_default_policy_version(
    context: Context, request: "t.SetDefaultPolicyVersionRequestTypeDef"
) -> Response:
    policy = require_own(context, request["PolicyArn"])
    keep_versions(context, policy, default_version=_version(policy, request["VersionId"]).id)
    return {}


def _version(policy: iam.Policy, version_id: str) -> iam.PolicyVersion:
    for version in policy.versions:
        if version.id == version_id:
            return version
    raise _no_version(policy.arn, version_id)


def _no_version(arn: str, version_id: str) -> Exception:
    return no_such_entity(f"Policy {arn} version {version_id} does not exist or is not attachable.")


def _aws_version() -> Shape:
    return {"VersionId": AWS_VERSION, "IsDefaultVersion": True}


def _newest_first(version: iam.PolicyVersion) -> str:
    """A key that orders versions by their number, the highest first."""
    return f"{10**9 - int(version.id[1:]):010}"


OPERATIONS: Mapping[str, Operation] = {
    "CreatePolicyVersion": create_policy_version,
    "GetPolicyVersion": get_policy_version,
    "ListPolicyVersions": list_policy_versions,
    "DeletePolicyVersion": delete_policy_version,
    "SetDefaultPolicyVersion": set_default_policy_version,
}
