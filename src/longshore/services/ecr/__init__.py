"""Amazon ECR's API (botocore's `ecr`): repositories, images, layers, authorization tokens.

Enters: requests as `services/interface.py` has them, and the blob store, which is handed in.
Leaves: records of `model/ecr.py`. Pushes and pulls of ordinary clients go to `registry/`, which
shares `images/` with this room.
"""

from longshore.blobs import BlobStore
from longshore.services.ecr import images, lifecycle, policies, repositories, tags, tokens
from longshore.services.ecr.layers import layer_operations
from longshore.services.ecr.manifests import manifest_operations
from longshore.services.ecr.resources import RESOURCES, repository_policy
from longshore.services.interface import Service

__all__ = ["service"]


def service(blobs: BlobStore) -> Service:
    """ECR over this blob store, the same that the registry uses."""
    return Service(
        name="ecr",
        iam_prefix="ecr",
        operations={
            **images.OPERATIONS,
            **lifecycle.OPERATIONS,
            **policies.OPERATIONS,
            **repositories.OPERATIONS,
            **tags.OPERATIONS,
            **tokens.OPERATIONS,
        },
        waiting={**layer_operations(blobs), **manifest_operations(blobs)},
        resources=RESOURCES,
        resource_policy=repository_policy,
    )
