"""EKS clusters: each has its control plane, as two tasks of an account of EKS's own.

Enters: `Cluster` (what is asked for), the tasks and services of the system account. Leaves:
`ClusterStatus`, the cluster's security group, its interfaces in the user's subnets (0107), the
services that keep etcd and one API server running (docs/decisions/0103, 0119), their files below
the data directory, its endpoint's name in /etc/hosts and in VPCs; and nothing of all that when the
cluster is deleted. `AdminAccess` is for other loops that speak to clusters' API servers.
"""

from longshore.controllers.eks_cluster.access import AdminAccess
from longshore.controllers.eks_cluster.controller import EksCluster
from longshore.controllers.eks_cluster.keeping import Keeping

__all__ = ["AdminAccess", "EksCluster", "Keeping"]
