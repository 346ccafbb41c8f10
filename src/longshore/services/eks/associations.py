"""Access policies, and which access entries have them.

("Associate access policies with access entries", Amazon EKS User Guide. What a policy allows is
not told here.)
"""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from longshore.model import eks
from longshore.services.eks.entry_checks import check_standard
from longshore.services.eks.failures import invalid_parameter, not_found
from longshore.services.eks.pages import page
from longshore.services.eks.records import (
    changeable_cluster,
    cluster_with_entries,
    entry_of,
    put_entry,
)
from longshore.services.interface import Context, Operation, Response

if TYPE_CHECKING:
    from types_boto3_eks.type_defs import (
        AccessScopeUnionTypeDef,
        AssociateAccessPolicyRequestTypeDef,
        DisassociateAccessPolicyRequestTypeDef,
        ListAccessPoliciesRequestTypeDef,
        ListAssociatedAccessPoliciesRequestTypeDef,
    )

ARNS = frozenset(eks.POLICIES + name for name in eks.ACCESS_POLICIES)
NAMESPACE = re.compile(r"[a-z0-9*]([-a-z0-9*]{0,61}[a-z0-9*])?")
"""A label of RFC 1123 that may have `*` in it."""


def list_access_policies(context: Context, request: "ListAccessPoliciesRequestTypeDef") -> Response:
    given, following = page(eks.ACCESS_POLICIES, request, lambda name: name)
    policies = [{"name": name, "arn": eks.POLICIES + name} for name in given]
    return {"accessPolicies": policies, **following}


def associate_access_policy(
    context: Context, request: "AssociateAccessPolicyRequestTypeDef"
) -> Response:
    """One that is associated already gets the new scope."""
    cluster, policy_arn = request["clusterName"], request["policyArn"]
    changeable_cluster(context, cluster)
    entry = entry_of(context, cluster, request["principalArn"])
    check_standard(entry)
    if policy_arn not in ARNS:
        raise not_found("The specified policyArn could not be found.", cluster)
    before = [policy for policy in entry.policies if policy.arn == policy_arn]
    policy = eks.AssociatedPolicy(
        arn=policy_arn,
        namespaces=_namespaces(request["accessScope"], cluster),
        associated_at=before[0].associated_at if before else context.now,
        modified_at=context.now,
    )
    _put(context, entry, [*_without(entry, policy_arn), policy])
    return {**_entry_named(entry), "associatedAccessPolicy": _shape(policy)}


def _namespaces(scope: "AccessScopeUnionTypeDef", cluster: str) -> tuple[str, ...]:
    """Those of the scope; none for the whole cluster."""
    kind, namespaces = scope.get("type"), tuple(dict.fromkeys(scope.get("namespaces", ())))
    if kind is None:
        raise invalid_parameter("The accessScope must have a type", cluster)
    if kind == "cluster" and namespaces:
        raise invalid_parameter(
            "Namespaces cannot be given with an accessScope of type cluster", cluster
        )
    if kind == "namespace" and not namespaces:
        raise invalid_parameter(
            "Namespaces must be given with an accessScope of type namespace", cluster
        )
    for namespace in namespaces:
        if not NAMESPACE.fullmatch(namespace):
            raise invalid_parameter(f"The namespace {namespace} is invalid", cluster)
    return namespaces


def disassociate_access_policy(
    context: Context, request: "DisassociateAccessPolicyRequestTypeDef"
) -> Response:
    cluster = request["clusterName"]
    changeable_cluster(context, cluster)
    entry = entry_of(context, cluster, request["principalArn"])
    left = _without(entry, request["policyArn"])
    if len(left) == len(entry.policies):
        raise not_found("The specified policyArn is not associated with the access entry.", cluster)
    _put(context, entry, left)
    return {}


def list_associated_access_policies(
    context: Context, request: "ListAssociatedAccessPoliciesRequestTypeDef"
) -> Response:
    cluster_with_entries(context, request["clusterName"])
    entry = entry_of(context, request["clusterName"], request["principalArn"])
    given, following = page(entry.policies, request, lambda policy: policy.arn)
    policies = [_shape(policy) for policy in given]
    return {**_entry_named(entry), "associatedAccessPolicies": policies, **following}


def _without(entry: eks.AccessEntry, policy_arn: str) -> list[eks.AssociatedPolicy]:
    return [policy for policy in entry.policies if policy.arn != policy_arn]


def _put(
    context: Context, entry: eks.AccessEntry, policies: Sequence[eks.AssociatedPolicy]
) -> None:
    ordered = tuple(sorted(policies, key=lambda policy: policy.arn))
    put_entry(context, msgspec.structs.replace(entry, policies=ordered))


def _entry_named(entry: eks.AccessEntry) -> dict[str, Any]:
    return {"clusterName": entry.cluster, "principalArn": entry.principal_arn}


def _shape(policy: eks.AssociatedPolicy) -> dict[str, Any]:
    kind = "namespace" if policy.namespaces else "cluster"
    return {
        "policyArn": policy.arn,
        "accessScope": {"type": kind, "namespaces": list(policy.namespaces)},
        "associatedAt": policy.associated_at,
        "modifiedAt": policy.modified_at,
    }


OPERATIONS: Mapping[str, Operation] = {
    "AssociateAccessPolicy": associate_access_policy,
    "DisassociateAccessPolicy": disassociate_access_policy,
    "ListAccessPolicies": list_access_policies,
    "ListAssociatedAccessPolicies": list_associated_access_policies,
}
