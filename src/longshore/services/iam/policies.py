"""Managed policies: AWS's own and the account's."""

import base64
import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from longshore.model import iam
from longshore.model.arn import make_arn, parse_arn
from longshore.model.kind import Kind
from longshore.policy.key_ids import unique_id
from longshore.policy.managed import is_managed, managed_arns, managed_document
from longshore.services.iam.documents import check_managed
from longshore.services.iam.failures import (
    already_exists,
    delete_conflict,
    invalid_input,
    no_such_entity,
    over_quota,
)
from longshore.services.iam.pages import page
from longshore.services.iam.tagging import checked_tags
from longshore.services.iam.views import Shape, tag_list
from longshore.services.interface import Context, Operation, Response
from longshore.store.interface import Reader

if TYPE_CHECKING:
    from types_boto3_iam import type_defs as t

POLICIES_PER_ACCOUNT = 1500
ATTACHED: tuple[Kind[Any], ...] = (iam.USER, iam.GROUP, iam.ROLE)
BOUNDED: tuple[Kind[Any], ...] = (iam.USER, iam.ROLE)
AWS_VERSION = "v1"
"""Of AWS's own policies one version is known here."""


def policy_arn(account: str, path: str, name: str) -> str:
    return make_arn("iam", "", account, f"policy{path}{name}")


def find_own(reader: Reader, account: str, arn: str) -> iam.Policy | None:
    record = reader.get(iam.POLICY, account, "", arn)
    return record.value if record is not None else None


def check_arn(arn: str) -> None:
    """Raises InvalidInput for what is not the ARN of a policy."""
    parsed = parse_arn(arn)
    if parsed is None or parsed.service != "iam" or parsed.resource_type != "policy":
        raise invalid_input(f"ARN {arn} is not valid.")


def require_own(context: Context, arn: str) -> iam.Policy:
    """The account's own policy; raises NoSuchEntity, and InvalidInput for one of AWS's."""
    check_arn(arn)
    if is_managed(arn):
        raise invalid_input(f"{arn} is an AWS managed policy, which only AWS may change.")
    found = find_own(context.tx, context.account, arn)
    if found is None:
        raise no_such_entity(f"Policy {arn} was not found.")
    return found


def check_attachable(context: Context, arn: str) -> None:
    """Raises NoSuchEntity unless there is such a policy, AWS's or the account's."""
    check_arn(arn)
    if not exists(context.tx, context.account, arn):
        raise no_such_entity(f"Policy {arn} does not exist or is not attachable.")


def check_boundary(context: Context, arn: str) -> str:
    """The ARN, if it is of a policy that there is."""
    check_arn(arn)
    if not exists(context.tx, context.account, arn):
        raise no_such_entity(f"Scope ARN: {arn} does not exist or is not attachable.")
    return arn


def exists(reader: Reader, account: str, arn: str) -> bool:
    if is_managed(arn):
        return managed_document(arn) is not None
    return find_own(reader, account, arn) is not None


def keep_policy(context: Context, policy: iam.Policy) -> None:
    context.tx.put(iam.POLICY, context.account, "", policy.arn, policy)


def attachments(reader: Reader, account: str, arn: str) -> int:
    """How many users, groups and roles it is attached to."""
    return sum(len(reader.find(kind, account, "", "policy", arn)) for kind in ATTACHED)


def bounded(reader: Reader, account: str, arn: str) -> int:
    """How many users and roles it is the permissions boundary of."""
    return sum(len(reader.find(kind, account, "", "boundary", arn)) for kind in BOUNDED)


def policy_shape(context: Context, policy: iam.Policy) -> Shape:
    return {
        "PolicyName": policy.name,
        "PolicyId": policy.id,
        "Arn": policy.arn,
        "Path": policy.path,
        "DefaultVersionId": policy.default_version,
        **_usage(context, policy.arn),
        "IsAttachable": True,
        "CreateDate": policy.created_at,
        "UpdateDate": policy.updated_at,
    }


def aws_shape(context: Context, arn: str) -> Shape:
    """One of AWS's own; when AWS made it is not known here, so the dates are left out."""
    path, name = path_and_name(arn)
    return {
        "PolicyName": name,
        "PolicyId": _aws_id(arn),
        "Arn": arn,
        "Path": path,
        "DefaultVersionId": AWS_VERSION,
        **_usage(context, arn),
        "IsAttachable": True,
    }


def _usage(context: Context, arn: str) -> Shape:
    return {
        "AttachmentCount": attachments(context.tx, context.account, arn),
        "PermissionsBoundaryUsageCount": bounded(context.tx, context.account, arn),
    }


def _aws_id(arn: str) -> str:
    """An id of the right shape that is always the same."""
    return "ANPA" + base64.b32encode(hashlib.sha256(arn.encode()).digest()).decode()[:17]


def path_and_name(arn: str) -> tuple[str, str]:
    """Of a policy's ARN: `/service-role/` and the name."""
    path, _, name = arn.partition(":policy")[2].rpartition("/")
    return f"{path}/", name


def create_policy(context: Context, request: "t.CreatePolicyRequestTypeDef") -> Response:
    name, path = request["PolicyName"], request.get("Path", "/")
    check_managed(request["PolicyDocument"])
    if context.tx.find(iam.POLICY, context.account, "", "name", name.lower()):
        raise already_exists(
            f"A policy called {name} already exists. Duplicate names are not allowed."
        )
    if len(context.tx.scan(iam.POLICY, context.account, "")) >= POLICIES_PER_ACCOUNT:
        raise over_quota("PoliciesPerAccount", POLICIES_PER_ACCOUNT)
    version = iam.PolicyVersion(id="v1", document=request["PolicyDocument"], created_at=context.now)
    policy = iam.Policy(
        name=name,
        path=path,
        id=unique_id("policy", context.ids),
        arn=policy_arn(context.account, path, name),
        created_at=context.now,
        updated_at=context.now,
        versions=(version,),
        default_version=version.id,
        description=request.get("Description", ""),
        tags=checked_tags(request.get("Tags", ())),
    )
    context.tx.create(iam.POLICY, context.account, "", policy.arn, policy)
    shape = policy_shape(context, policy)
    return {"Policy": shape | ({"Tags": tag_list(policy.tags)} if policy.tags else {})}


def get_policy(context: Context, request: "t.GetPolicyRequestTypeDef") -> Response:
    arn = request["PolicyArn"]
    check_arn(arn)
    if is_managed(arn) and managed_document(arn) is not None:
        return {"Policy": aws_shape(context, arn) | {"Tags": []}}
    policy = find_own(context.tx, context.account, arn)
    if policy is None:
        raise no_such_entity(f"Policy {arn} was not found.")
    shape = policy_shape(context, policy) | {"Tags": tag_list(policy.tags)}
    if policy.description:
        shape["Description"] = policy.description
    return {"Policy": shape}


def delete_policy(context: Context, request: "t.DeletePolicyRequestTypeDef") -> Response:
    policy = require_own(context, request["PolicyArn"])
    reader, account = context.tx, context.account
    if attachments(reader, account, policy.arn) or bounded(reader, account, policy.arn):
        raise delete_conflict("Cannot delete a policy attached to entities.")
    if len(policy.versions) > 1:
        raise delete_conflict(
            "This policy has more than one version. Before you delete a policy, you must delete "
            "the policy's versions. The default version is deleted with the policy."
        )
    context.tx.delete(iam.POLICY, account, "", policy.arn)
    return {}


def list_policies(context: Context, request: "t.ListPoliciesRequestTypeDef") -> Response:
    prefix = request.get("PathPrefix", "/")
    arns = [
        arn
        for arn in _all_arns(context, request.get("Scope", "All"))
        if path_and_name(arn)[0].startswith(prefix) and _is_used(context, arn, request)
    ]
    given, more = page(arns, str, request)
    return {"Policies": [_shape_of(context, arn) for arn in given], **more}


def _all_arns(context: Context, scope: str) -> list[str]:
    aws = managed_arns() if scope != "Local" else []
    if scope == "AWS":
        return aws
    return aws + [record.key.name for record in context.tx.scan(iam.POLICY, context.account, "")]


def _is_used(context: Context, arn: str, request: Any) -> bool:
    """Whether `OnlyAttached` and `PolicyUsageFilter` let the policy through."""
    usage = request.get("PolicyUsageFilter", "")
    if usage == "PermissionsBoundary":
        return bounded(context.tx, context.account, arn) > 0
    if usage == "PermissionsPolicy" or request.get("OnlyAttached"):
        return attachments(context.tx, context.account, arn) > 0
    return True


def _shape_of(context: Context, arn: str) -> Shape:
    own = find_own(context.tx, context.account, arn)
    return policy_shape(context, own) if own is not None else aws_shape(context, arn)


def keep_versions(context: Context, policy: iam.Policy, **changes: Any) -> None:
    """Keep the policy with its versions changed, which changes when it was updated."""
    keep_policy(context, msgspec.structs.replace(policy, updated_at=context.now, **changes))


OPERATIONS: Mapping[str, Operation] = {
    "CreatePolicy": create_policy,
    "GetPolicy": get_policy,
    "DeletePolicy": delete_policy,
    "ListPolicies": list_policies,
}
