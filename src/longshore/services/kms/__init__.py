"""KMS: symmetric keys, what is encrypted with them, and who may.

Enters: calls of the KMS API. Leaves: records of keys, aliases and grants; key material is sealed
with a key that is not in the store. A key's policy, its grants and IAM decide together
(`services.keys`). What is past its waiting period is removed by `controllers/key_rotation`.
"""

from functools import partial

from longshore.base.sealing import Sealer
from longshore.services.interface import Service
from longshore.services.keys import key_policy
from longshore.services.kms import (
    aliases,
    cryptography,
    deletion,
    grants,
    keys,
    policies,
    resources,
    rotation,
    tags,
)

ON_ONE_KEY = (
    "CancelKeyDeletion",
    "DisableKey",
    "DisableKeyRotation",
    "EnableKey",
    "EnableKeyRotation",
    "GetKeyPolicy",
    "GetKeyRotationStatus",
    "ListGrants",
    "ListKeyPolicies",
    "ListKeyRotations",
    "ListResourceTags",
    "PutKeyPolicy",
    "RevokeGrant",
    "RotateKeyOnDemand",
    "ScheduleKeyDeletion",
    "TagResource",
    "UntagResource",
    "UpdateKeyDescription",
)


def service(sealer: Sealer) -> Service:
    """The service, with what seals its keys' material."""
    return Service(
        name="kms",
        iam_prefix="kms",
        operations={
            "CancelKeyDeletion": deletion.cancel,
            "CreateAlias": aliases.create,
            "CreateGrant": grants.create,
            "CreateKey": partial(keys.create, sealer),
            "Decrypt": partial(cryptography.decrypt, sealer),
            "DeleteAlias": aliases.delete,
            "DescribeKey": keys.describe,
            "DisableKey": keys.disable,
            "DisableKeyRotation": rotation.disable,
            "EnableKey": keys.enable,
            "EnableKeyRotation": rotation.enable,
            "Encrypt": partial(cryptography.encrypt, sealer),
            "GenerateDataKey": partial(cryptography.generate_data_key, sealer),
            "GenerateDataKeyWithoutPlaintext": partial(
                cryptography.generate_data_key_without_plaintext, sealer
            ),
            "GenerateRandom": cryptography.generate_random,
            "GetKeyPolicy": policies.get,
            "GetKeyRotationStatus": rotation.status,
            "ListAliases": aliases.list_aliases,
            "ListGrants": grants.list_grants,
            "ListKeyPolicies": policies.list_names,
            "ListKeyRotations": rotation.list_rotations,
            "ListKeys": keys.list_keys,
            "ListResourceTags": tags.list_tags,
            "ListRetirableGrants": grants.list_retirable,
            "PutKeyPolicy": policies.put,
            "ReEncrypt": partial(cryptography.re_encrypt, sealer),
            "RetireGrant": grants.retire,
            "RevokeGrant": grants.revoke,
            "RotateKeyOnDemand": partial(rotation.rotate, sealer),
            "ScheduleKeyDeletion": deletion.schedule,
            "TagResource": tags.add,
            "UntagResource": tags.remove,
            "UpdateAlias": aliases.update,
            "UpdateKeyDescription": keys.update_description,
        },
        resources={
            **dict.fromkeys(ON_ONE_KEY, resources.own_key),
            "CreateAlias": resources.new_alias,
            "CreateGrant": resources.granted_key,
            "DeleteAlias": resources.alias,
            "DescribeKey": resources.any_key,
            "Encrypt": resources.used_key,
            "GenerateDataKey": resources.used_key,
            "GenerateDataKeyWithoutPlaintext": resources.used_key,
            "UpdateAlias": resources.moved_alias,
        },
        # They are asked for once it is known which keys are meant.
        unauthorized=frozenset({"Decrypt", "ReEncrypt", "RetireGrant"}),
        resource_policy=key_policy,
    )
