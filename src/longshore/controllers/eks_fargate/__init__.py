"""Pods of EKS clusters on Fargate, each on a machine and a node of its own (docs/decisions/0111).

Enters: `FargateProfile` (what is asked for), pods that name Fargate's scheduler. Leaves:
`FargateProfileStatus`; for each pod an `Instance` of Longshore's own account with an interface in
the profile's subnets, and the pod bound to the node that it becomes; nothing of both once the pod
is gone.
"""

from longshore.controllers.eks_fargate.controller import EksFargate

__all__ = ["EksFargate"]
