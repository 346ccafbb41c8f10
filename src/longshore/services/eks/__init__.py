"""Amazon EKS's API (botocore's `eks`): clusters, access entries, their access policies and tags.

Enters: requests as `services/interface.py` has them.
Leaves: clusters and access entries of `model/eks.py`, as they are asked for. What becomes of a
cluster is its controller's to do and to write; descriptions show both.
"""

from longshore.services.eks import associations, clusters, entries, tags, versions
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
            **versions.OPERATIONS,
        },
        resources=RESOURCES,
    )
