"""What access policies allow, asked where RBAC does not allow it."""

from longshore.authenticator.policies import granting
from longshore.authenticator.reviews import SubjectAccessReviewSpec, SubjectAccessReviewStatus
from longshore.authenticator.users import CANONICAL_ARN, access_entry, entry_account, uid
from longshore.model import eks
from longshore.store.interface import Reader, Record

NO_OPINION = SubjectAccessReviewStatus(allowed=False)


def decision(
    reader: Reader, cluster: Record[eks.Cluster], spec: SubjectAccessReviewSpec
) -> SubjectAccessReviewStatus:
    """Allowed, with the policy that does so as the reason, or no opinion."""
    entry = _entry(reader, cluster, spec)
    if entry is None or spec.attributes is None:
        return NO_OPINION
    policy = granting(entry.policies, spec.attributes)
    if policy is None:
        return NO_OPINION
    asked = spec.resource_attributes
    namespace = asked.namespace if asked is not None else ""
    return SubjectAccessReviewStatus(allowed=True, reason=_reason(entry, policy, namespace))


def _entry(
    reader: Reader, cluster: Record[eks.Cluster], spec: SubjectAccessReviewSpec
) -> eks.AccessEntry | None:
    """The access entry of who asks.

    Who impersonates another has no access policies ("Associate access policies with access
    entries"), and cannot pretend to have: the extras of an impersonated user are in lower case.
    """
    match spec.extra.get(CANONICAL_ARN):
        case (str(arn),):
            entry = access_entry(reader, cluster, arn)
        case _:
            return None
    if entry is None or spec.uid != uid(entry_account(entry), entry.principal_id):
        return None
    return entry


def _reason(entry: eks.AccessEntry, policy: eks.AssociatedPolicy, namespace: str) -> str:
    """As EKS's audit logs have it, which is RBAC's wording."""
    binding = f"{entry.principal_arn}+{policy.arn}"
    where = (
        f'RoleBinding "{binding}/{namespace}"'
        if policy.namespaces
        else f'ClusterRoleBinding "{binding}"'
    )
    return (
        f'EKS Access Policy: allowed by {where} of ClusterRole "{policy.arn}" '
        f'to User "{entry.principal_id}"'
    )
