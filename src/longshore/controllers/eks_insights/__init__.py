"""Insights of EKS clusters: what stands in the way of the next version, or of the one before.

Enters: clusters, their health, updates and add-ons; nodes, kube-proxy and metrics, as the clusters'
API servers tell them; requests for a refresh (`InsightsRequest`). Leaves: `InsightsReport`, once a
day, whenever it is asked for, and after each change of version. What is found is told by pure
functions (`checks.py`); nothing in the cluster is changed.
"""

from longshore.controllers.eks_insights.controller import EksInsights

__all__ = ["EksInsights"]
