"""What is built of IAM."""

from longshore.services.iam import (
    access_keys,
    account,
    attachments,
    authorization_details,
    boundaries,
    groups,
    inline,
    instance_profiles,
    oidc_providers,
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
            **oidc_providers.OPERATIONS,
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
