"""EKS's managed node groups: each is an Auto Scaling group of instances that join its cluster.

Enters: `Nodegroup` (what is asked for) and updates that have begun, the members and activities of
its Auto Scaling group, the nodes of its cluster. Leaves: `NodegroupStatus` and what becomes of
updates; an instance profile, a launch template, an access entry and an Auto Scaling group
(docs/decisions/0108); nodes' labels and taints, and their pods evicted before an instance ends,
whoever ends it (docs/decisions/0122). Nothing of all that is left when the node group is deleted.
"""

from longshore.controllers.eks_nodegroup.controller import EksNodegroup

__all__ = ["EksNodegroup"]
