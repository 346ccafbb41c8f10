"""Amazon EKS Auth (botocore's `eks-auth`): credentials for pods, which agents on nodes ask for.

Enters: the token of a pod's service account. Leaves: credentials of the role of its association
(`model.eks_parts.PodIdentity`); nothing is written.
"""

from longshore.services.eks_auth.assume_role import OPERATIONS, RESOURCES
from longshore.services.interface import Service

__all__ = ["service"]


def service() -> Service:
    return Service(
        name="eks-auth", iam_prefix="eks-auth", operations=OPERATIONS, resources=RESOURCES
    )
