"""Identity and Access Management (botocore's `iam`): users, groups, roles, policies, keys,
identity providers.

Enters: calls of the IAM API. Leaves: records of `model/iam.py`, which `identity.py` reads to know
callers and what they may do, from the next request on. IAM is global: one copy for all regions.
What an entity is called in authorisation is in `resources.py`.
"""

from longshore.services.interface import Service


def service() -> Service:
    """IAM as the gateway offers it."""
    # Imported here: the first start and every request need only `identity.py` of this room.
    from longshore.services.iam.operations import service as whole

    return whole()
