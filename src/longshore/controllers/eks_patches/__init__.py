"""Patches of EKS clusters: control planes come to new platform versions by themselves, node groups
to new releases where their owner wants that.

Enters: `Platform` (what control planes are made of now), clusters, their statuses and updates, node
groups with the tag `longshore:auto-update`. Leaves: `Patch`, by which the clusters' controller lets
a control plane go on, keeps it or takes it back (docs/decisions/0121); updates of node groups. The
order is a pure function (`plan.py`): the smallest cluster first and alone, then a few at a time,
each once those before are well; a failure stops the rest.
"""

from longshore.controllers.eks_patches.controller import EksPatches

__all__ = ["EksPatches"]
