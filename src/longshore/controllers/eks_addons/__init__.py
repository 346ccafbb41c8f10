"""Add-ons of EKS clusters: managed ones as asked for, and those that a new cluster begins with.

Enters: `Addon` (what is asked for), clusters whose API servers answer. Leaves: the objects of the
add-ons in their clusters, by server-side apply; the images that they need, in EKS's registry;
`AddonStatus` and what becomes of their updates.
"""

from longshore.controllers.eks_addons.bootstrap import EksBootstrap
from longshore.controllers.eks_addons.controller import EksAddons
from longshore.controllers.eks_addons.images import AddonImages

__all__ = ["AddonImages", "EksAddons", "EksBootstrap"]
