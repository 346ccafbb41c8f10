"""Nodes of EKS clusters, as far as the cloud knows better than the cluster what becomes of them.

Enters: instances, and clusters whose API servers answer. Leaves: approvals of kubelets' requests
for serving certificates (which the cluster's own controller manager then signs), and no Node whose
instance is gone, nor its pods; volumes are told to leave it first.
"""

from longshore.controllers.eks_nodes.controller import EksNodes

__all__ = ["EksNodes"]
