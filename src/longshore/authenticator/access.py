"""What access policies allow, asked where RBAC does not allow it."""

import msgspec

from longshore.authenticator import proofs
from longshore.authenticator.policies import granting
from longshore.authenticator.reviews import (
    SubjectAccessReviewSpec,
    SubjectAccessReviewStatus,
    UserInfo,
)
from longshore.authenticator.users import CANONICAL_ARN, access_entry, entry_account, uid
from longshore.model import eks
from longshore.store.interface import Reader, Record

NO_OPINION = SubjectAccessReviewStatus(allowed=False)


def decision(
    reader: Reader,
    cluster: Record[eks.Cluster],
    spec: SubjectAccessReviewSpec,
    secret: str,
    now: float,
) -> SubjectAccessReviewStatus:
    """Allowed, with the policy that does so as the reason, or no opinion.

    `secret` is what the cluster's API server shows.
    """
    entry = _entry(reader, cluster, spec, secret, now)
    if entry is None or spec.attributes is None:
        return NO_OPINION
    policy = granting(entry.policies, spec.attributes)
    if policy is None:
        return NO_OPINION
    asked = spec.resource_attributes
    namespace = asked.namespace if asked is not None else ""
    return SubjectAccessReviewStatus(allowed=True, reason=_reason(entry, policy, namespace))


def proven(
    user: UserInfo, cluster: eks.Cluster, entry: eks.AccessEntry, secret: str, now: float
) -> UserInfo:
    """The user with a proof of its entry, for requests through aggregated API servers."""
    made = proofs.proof(secret, _said(cluster, entry, user.username), now)
    return msgspec.structs.replace(user, extra={**user.extra, proofs.EXTRA: (made,)})


def _entry(
    reader: Reader,
    cluster: Record[eks.Cluster],
    spec: SubjectAccessReviewSpec,
    secret: str,
    now: float,
) -> eks.AccessEntry | None:
    """The access entry of who asks.

    Who impersonates another has no access policies ("Associate access policies with access
    entries"), and cannot pretend to have: the extras of an impersonated user are in lower case. So
    are those of a user whose request an aggregated API server asks about, who has a proof.
    """
    arn = _only(spec, CANONICAL_ARN) or _only(spec, CANONICAL_ARN.lower())
    entry = access_entry(reader, cluster, arn) if arn else None
    if entry is None:
        return None
    if _only(spec, CANONICAL_ARN):
        same = spec.uid == uid(entry_account(entry), entry.principal_id)
    else:
        said = _said(cluster.value, entry, spec.user)
        same = proofs.proves(_only(spec, proofs.EXTRA), secret, said, now)
    return entry if same else None


def _only(spec: SubjectAccessReviewSpec, extra: str) -> str:
    """The extra's value; empty where it has not exactly one."""
    match spec.extra.get(extra):
        case (str(value),):
            return value
        case _:
            return ""


def _said(cluster: eks.Cluster, entry: eks.AccessEntry, username: str) -> tuple[str, ...]:
    return (cluster.id, username, entry.principal_arn, entry.principal_id)


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
