"""Encryption of a cluster's secrets with a KMS key ("Encrypt Kubernetes secrets with KMS on
existing clusters", Amazon EKS User Guide)."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from longshore.model import eks
from longshore.model.errors import AwsError
from longshore.model.kms import GRANT, Grant, Key, grant_name
from longshore.model.principal import root
from longshore.services.eks.changes import Change
from longshore.services.eks.failures import invalid_parameter, invalid_request
from longshore.services.eks.updates import change_cluster
from longshore.services.interface import Context, Operation, Response
from longshore.services.keys import Found, check_usable, key_resource, new_token, require_key

if TYPE_CHECKING:
    from types_boto3_eks.type_defs import AssociateEncryptionConfigRequestTypeDef

OPERATIONS_GRANTED = ("Decrypt", "DescribeKey", "Encrypt")
CONTEXT_KEY = "aws:eks:cluster-arn"
"""The encryption context is the cluster's ARN: what one cluster wrote opens for no other."""


def given_key(context: Context, configuration: Any, cluster: str) -> str:
    """ARN of the key that an `encryptionConfig` names; empty where it is absent or empty.

    InvalidParameterException unless it is for secrets, and a key that is of use here; what KMS says
    where the caller may not use it so.
    """
    if not configuration:
        return ""
    if len(configuration) > 1:
        raise invalid_parameter("A cluster has one encryptionConfig at most", cluster)
    resources = configuration[0].get("resources") or []
    if resources != ["secrets"]:
        raise invalid_parameter(
            f"Invalid resources {list(resources)}: secrets alone can be encrypted", cluster
        )
    name = (configuration[0].get("provider") or {}).get("keyArn", "")
    if not name.startswith("arn:"):
        raise invalid_parameter(f"Invalid keyArn: {name}", cluster)
    found = _key(context, name, cluster)
    _authorize(context, found)
    return found.key.arn


def _key(context: Context, name: str, cluster: str) -> Found:
    """Of the cluster's region; of any account."""
    try:
        found = require_key(context.tx, context.account, context.region, name, context.now)
        check_usable(found.key)
    except AwsError as error:
        raise invalid_parameter(f"The KMS key cannot be used: {error.message}", cluster) from None
    return found


def _authorize(context: Context, found: Found) -> None:
    """The caller must be allowed to describe the key and to make a grant of it, through EKS."""
    more: dict[str, str | list[str]] = {
        "ViaService": f"eks.{context.region}.amazonaws.com",
        "GrantIsForAWSResource": "true",
        "GrantOperations": list(OPERATIONS_GRANTED),
        "GrantConstraintType": "EncryptionContextEquals",
    }
    resource = key_resource(context.tx, context.principal.account, found, **more)
    for action in ("kms:DescribeKey", "kms:CreateGrant"):
        context.authorize(action, resource.arn, resource.conditions)


def grant_to_cluster(context: Context, cluster: eks.Cluster) -> None:
    """Let the cluster's role encrypt and decrypt with its key, in the cluster's own context."""
    if not cluster.encryption_key:
        return
    found = require_key(
        context.tx, context.account, context.region, cluster.encryption_key, context.now
    )
    grant = _grant(context, cluster, found.key)
    name = grant_name(grant.key_id, grant.id)
    context.tx.put(GRANT, found.account, found.region, name, grant)


def _grant(context: Context, cluster: eks.Cluster, key: Key) -> Grant:
    grant_id = eks.encryption_grant(cluster)
    return Grant(
        id=grant_id,
        key_id=key.id,
        token=new_token(key.arn, grant_id, context.ids.hex(32)),
        grantee=cluster.role_arn,
        operations=OPERATIONS_GRANTED,
        created_at=context.now,
        issuer=root(context.account).arn,
        retiring=cluster.role_arn,
        name=f"eks-{cluster.name}",
        equals=((CONTEXT_KEY, cluster.arn),),
    )


def associate(context: Context, request: "AssociateEncryptionConfigRequestTypeDef") -> Response:
    """Once and for all: no key is taken away, and none comes in its place."""

    def change(cluster: eks.Cluster) -> Change:
        if cluster.encryption_key:
            raise invalid_request(
                f"Cluster {cluster.name} has an encryption configuration already", cluster.name
            )
        configuration = request["encryptionConfig"]
        key = given_key(context, configuration, cluster.name)
        if not key:
            raise invalid_parameter("encryptionConfig must have a key", cluster.name)
        changed = msgspec.structs.replace(cluster, encryption_key=key)
        grant_to_cluster(context, changed)
        shown = msgspec.json.encode(configuration).decode()
        return Change(changed, (("EncryptionConfig", shown),))

    named = {**request, "name": request["clusterName"]}
    return change_cluster(context, named, eks.ASSOCIATE_ENCRYPTION, change)


OPERATIONS: Mapping[str, Operation] = {"AssociateEncryptionConfig": associate}
