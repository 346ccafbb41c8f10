"""Secrets Manager: secrets, their versions and stages, their resource policies.

Enters: calls of the Secrets Manager API. Leaves: records of secrets, sealed with a key that is not
in the store. What is past its recovery window is removed by `controllers/secret_deletion`.
"""

from functools import partial

from longshore.base.sealing import Sealer
from longshore.services.interface import Service
from longshore.services.secretsmanager import (
    deletion,
    listing,
    passwords,
    policies,
    resources,
    secrets,
    stages,
    tags,
    values,
)

ON_ONE_SECRET = (
    "DeleteResourcePolicy",
    "DeleteSecret",
    "DescribeSecret",
    "GetResourcePolicy",
    "GetSecretValue",
    "ListSecretVersionIds",
    "PutResourcePolicy",
    "PutSecretValue",
    "RestoreSecret",
    "TagResource",
    "UntagResource",
    "UpdateSecret",
    "UpdateSecretVersionStage",
    "ValidateResourcePolicy",
)


def service(sealer: Sealer) -> Service:
    """The service, with what seals its values."""
    return Service(
        name="secretsmanager",
        iam_prefix="secretsmanager",
        operations={
            "BatchGetSecretValue": partial(listing.get_batch, sealer),
            "CreateSecret": partial(secrets.create, sealer),
            "DeleteResourcePolicy": policies.delete,
            "DeleteSecret": deletion.delete,
            "DescribeSecret": secrets.describe,
            "GetRandomPassword": passwords.get_random_password,
            "GetResourcePolicy": policies.get,
            "GetSecretValue": partial(values.get, sealer),
            "ListSecretVersionIds": stages.list_versions,
            "ListSecrets": listing.list_secrets,
            "PutResourcePolicy": policies.put,
            "PutSecretValue": partial(values.put, sealer),
            "RestoreSecret": deletion.restore,
            "TagResource": tags.add,
            "UntagResource": tags.remove,
            "UpdateSecret": partial(secrets.update, sealer),
            "UpdateSecretVersionStage": stages.update,
            "ValidateResourcePolicy": policies.validate,
        },
        resources={
            **dict.fromkeys(ON_ONE_SECRET, resources.one_secret),
            "CreateSecret": resources.new_secret,
        },
        resource_policy=resources.resource_policy,
    )
