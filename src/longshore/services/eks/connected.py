"""Clusters of elsewhere: to register them, and to forget them.

("Connect a Kubernetes cluster to an Amazon EKS Management Console with Amazon EKS Connector",
Amazon EKS User Guide.) No connector speaks to Longshore, so that they stay PENDING.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from longshore.model import eks
from longshore.model.eks_connected import CONNECTED_CLUSTER, ConnectedCluster
from longshore.policy.trust import trusts_service
from longshore.services.eks.failures import (
    in_use,
    invalid_parameter,
    limit_exceeded,
    not_found,
)
from longshore.services.eks.records import connected_cluster, digest
from longshore.services.eks.requests import made_by
from longshore.services.eks.roles import pass_role
from longshore.services.eks.tags import authorize_tags, checked_tags
from longshore.services.interface import Context, Operation, Response
from longshore.services.roles import role_of_arn

if TYPE_CHECKING:
    from types_boto3_eks.type_defs import (
        DeregisterClusterRequestTypeDef,
        RegisterClusterRequestTypeDef,
    )

MOST_CONNECTED = 10
"""In a region ("Amazon EKS Connector considerations")."""
SSM_SERVICE = "ssm.amazonaws.com"
"""Who a connector's role is for: its agent is Systems Manager's."""
CODE_LENGTH = 20
"""Of an activation's code (CreateActivation, AWS Systems Manager API Reference)."""


def register_cluster(context: Context, request: "RegisterClusterRequestTypeDef") -> Response:
    made = _made_before(context, request)
    if made is None:
        made = _connected(context, request)
        context.tx.create(CONNECTED_CLUSTER, context.account, context.region, made.name, made)
    shape = connected_shape(made)
    shape["connectorConfig"]["activationCode"] = made.activation_code
    return {"cluster": {**shape, "clientRequestToken": made.client_token}}


def _made_before(
    context: Context, request: "RegisterClusterRequestTypeDef"
) -> ConnectedCluster | None:
    """What the same call registered; InvalidParameterException where another one did."""
    name, place = request["name"], (context.account, context.region)
    known = [record.value for record in context.tx.scan(CONNECTED_CLUSTER, *place)]
    made = made_by(known, request, name)
    if made is not None:
        return made
    taken = context.tx.get(eks.CLUSTER, *place, name) is not None
    if taken or any(cluster.name == name for cluster in known):
        raise in_use(f"Cluster already exists with name: {name}", name)
    if len(known) >= MOST_CONNECTED:
        raise limit_exceeded(
            f"The limit of {MOST_CONNECTED} connected clusters in a region is reached", name
        )
    return None


def _connected(context: Context, request: "RegisterClusterRequestTypeDef") -> ConnectedCluster:
    name, config = request["name"], request["connectorConfig"]
    arn = eks.cluster_arn(context.region, context.account, name)
    authorize_tags(context, arn, request)
    context.authorize("ssm:CreateActivation", "*")
    return ConnectedCluster(
        name=name,
        arn=arn,
        created_at=context.now,
        provider=config["provider"],
        role_arn=_checked_role(context, config["roleArn"], name),
        activation_id=context.ids.uuid(),
        activation_code=context.ids.hex(CODE_LENGTH),
        client_token=request.get("clientRequestToken", ""),
        request=digest(request),
        tags=checked_tags((), request.get("tags", {}), "InvalidParameterException"),
    )


def _checked_role(context: Context, role_arn: str, cluster: str) -> str:
    """A role that the caller may pass, and that trusts Systems Manager."""
    pass_role(context, role_arn, SSM_SERVICE)
    role = role_of_arn(context.tx, role_arn)
    if role is None or not trusts_service(role.trust, SSM_SERVICE, role_arn, ""):
        raise invalid_parameter(
            f"Role with arn: {role_arn}, could not be assumed because it does not exist or the"
            " trusted entity is not correct",
            cluster,
        )
    return role_arn


def deregister_cluster(context: Context, request: "DeregisterClusterRequestTypeDef") -> Response:
    name = request["name"]
    cluster = connected_cluster(context, name)
    if cluster is None:
        raise not_found(f"No cluster found for name: {name}.", name)
    context.authorize("ssm:DeleteActivation", "*")
    context.tx.delete(CONNECTED_CLUSTER, context.account, context.region, name)
    return {"cluster": {**connected_shape(cluster), "status": "DELETING"}}


def connected_shape(cluster: ConnectedCluster) -> dict[str, Any]:
    """A `Cluster`; without the activation's code, which is told once."""
    return {
        "name": cluster.name,
        "arn": cluster.arn,
        "createdAt": cluster.created_at,
        "status": "PENDING",
        "connectorConfig": {
            "activationId": cluster.activation_id,
            "activationExpiry": cluster.activation_expiry,
            "provider": cluster.provider,
            "roleArn": cluster.role_arn,
        },
        "tags": dict(cluster.tags),
    }


OPERATIONS: Mapping[str, Operation] = {
    "DeregisterCluster": deregister_cluster,
    "RegisterCluster": register_cluster,
}
