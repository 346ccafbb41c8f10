"""Amazon EKS's API (botocore's `eks`): clusters, their node groups, Fargate profiles and add-ons,
updates, access entries, access policies, identity providers, associations of EKS Pod Identity,
tags.

Enters: requests as `services/interface.py` has them.
Leaves: clusters and access entries of `model/eks.py`, node groups, Fargate profiles and add-ons of
`model/eks_parts.py`, as they are asked for, and updates that have begun. What becomes of them is
their controllers' to do and to write; descriptions show both.
"""

from longshore.services.eks import (
    addon_updates,
    addon_versions,
    addons,
    associations,
    clusters,
    connected,
    encryption,
    entries,
    fargate_profiles,
    identity_providers,
    insights,
    nodegroup_updates,
    nodegroups,
    pod_identities,
    tags,
    updates,
    versions,
)
from longshore.services.eks.resources import RESOURCES
from longshore.services.interface import Service
from longshore.services.keys import key_policy

__all__ = ["service"]


def service() -> Service:
    return Service(
        name="eks",
        iam_prefix="eks",
        operations={
            **addon_updates.OPERATIONS,
            **addon_versions.OPERATIONS,
            **addons.OPERATIONS,
            **associations.OPERATIONS,
            **clusters.OPERATIONS,
            **connected.OPERATIONS,
            **encryption.OPERATIONS,
            **entries.OPERATIONS,
            **fargate_profiles.OPERATIONS,
            **identity_providers.OPERATIONS,
            **insights.OPERATIONS,
            **nodegroup_updates.OPERATIONS,
            **nodegroups.OPERATIONS,
            **pod_identities.OPERATIONS,
            **tags.OPERATIONS,
            **updates.OPERATIONS,
            **versions.OPERATIONS,
        },
        resources=RESOURCES,
        # Of the keys that clusters are given.
        resource_policy=key_policy,
    )
