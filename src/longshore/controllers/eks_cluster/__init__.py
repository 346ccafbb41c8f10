"""EKS clusters: each has its control plane, as one task of an account of EKS's own.

Enters: `Cluster` (what is asked for), the tasks and services of the system account. Leaves:
`ClusterStatus`, the cluster's security group, the service that keeps one control plane running
(docs/decisions/0103), its files below the data directory, its endpoint's name in /etc/hosts; and
nothing of all that when the cluster is deleted.
"""

from longshore.controllers.eks_cluster.controller import EksCluster
from longshore.controllers.eks_cluster.image import ImagePusher
from longshore.controllers.eks_cluster.keeping import Keeping

__all__ = ["EksCluster", "ImagePusher", "Keeping"]
