"""Security groups for pods: what AWS's VPC resource controller does (docs/decisions/0116).

Enters: clusters whose API servers answer, their SecurityGroupPolicies, and pods that ask for an
interface of their own. Leaves: the custom resource's definition in every cluster; how many such
interfaces a node may have; for each such pod that is bound to a node a branch `NetworkInterface`
with the policies' groups, and an annotation that names it; none of them once the pod is gone.
"""

from longshore.controllers.eks_pod_groups.controller import EksPodGroups

__all__ = ["EksPodGroups"]
