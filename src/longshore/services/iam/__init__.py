"""Identity and Access Management (botocore's `iam`): users, groups, roles, policies, keys.

Enters: calls of the IAM API. Leaves: records of `model/iam.py`, which `identity.py` reads to know
callers and what they may do, from the next request on. IAM is global: one copy for all regions.
What an entity is called in authorisation is in `resources.py`.
"""

from longshore.services.iam import (
    access_keys,
    account,
    attachments,
    authorization_details,
    boundaries,
    groups,
    inline,
    instance_profiles,
    policies,
    policy_versions,
    roles,
    service_linked_roles,
    simulation,
    tags,
    users,
)
from longshore.services.iam.resources import RESOURCES
from longshore.services.interface import Service

__all__ = ["service"]


def service() -> Service:
    """IAM as the gateway offers it."""
    return Service(
        name="iam",
        iam_prefix="iam",
        operations={
            **access_keys.OPERATIONS,
            **account.OPERATIONS,
            **attachments.OPERATIONS,
            **authorization_details.OPERATIONS,
            **boundaries.OPERATIONS,
            **groups.OPERATIONS,
            **inline.OPERATIONS,
            **instance_profiles.OPERATIONS,
            **policies.OPERATIONS,
            **policy_versions.OPERATIONS,
            **roles.OPERATIONS,
            **service_linked_roles.OPERATIONS,
            **simulation.OPERATIONS,
            **tags.OPERATIONS,
            **users.OPERATIONS,
        },
        resources=RESOURCES,
    )
