"""Amazon EKS's API (botocore's `eks`): clusters, updates, access entries, access policies, tags.

Enters: requests as `services/interface.py` has them.
Leaves: clusters and access entries of `model/eks.py`, as they are asked for, and updates that have
begun. What becomes of a cluster and its updates is its controller's to do and to write;
descriptions show both.
"""

from longshore.services.eks import associations, clusters, entries, tags, updates, versions
from longshore.services.eks.resources import RESOURCES
from longshore.services.interface import Service

__all__ = ["service"]


def service() -> Service:
    return Service(
        name="eks",
        iam_prefix="eks",
        operations={
            **associations.OPERATIONS,
            **clusters.OPERATIONS,
            **entries.OPERATIONS,
            **tags.OPERATIONS,
            **updates.OPERATIONS,
            **versions.OPERATIONS,
        },
        resources=RESOURCES,
    )
