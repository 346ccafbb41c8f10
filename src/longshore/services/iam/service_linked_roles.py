"""Roles that belong to a service: made for it, and gone only when it no longer uses them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from longshore.model import ecs, iam
from longshore.policy.managed import managed_document
from longshore.policy.trust import service_trust
from longshore.services.iam.entities import ROLE, arn_of, check_room, find, new_id, remove, require
from longshore.services.iam.failures import invalid_input, no_such_entity
from longshore.services.iam.roles import SERVICE_LINKED, is_service_linked
from longshore.services.iam.views import Shape, role_shape
from longshore.services.interface import Context, Operation, Response

if TYPE_CHECKING:
    from types_boto3_iam import type_defs as t


@dataclass(frozen=True, slots=True)
class Linked:
    """A service's role: what follows `AWSServiceRoleFor`, and the policy that AWS attaches."""

    suffix: str
    policy: str
    many: bool = False
    """Whether an account may have several, told apart by CustomSuffix."""

    @property
    def name(self) -> str:
        return f"AWSServiceRoleFor{self.suffix}"


LINKED: Mapping[str, Linked] = {
    "autoscaling.amazonaws.com": Linked("AutoScaling", "AutoScalingServiceRolePolicy", many=True),
    "ecs.amazonaws.com": Linked("ECS", "AmazonECSServiceRolePolicy"),
    "ecs.application-autoscaling.amazonaws.com": Linked(
        "ApplicationAutoScaling_ECSService", "AWSApplicationAutoscalingECSServicePolicy"
    ),
    "eks.amazonaws.com": Linked("AmazonEKS", "AmazonEKSServiceRolePolicy"),
    "eks-fargate.amazonaws.com": Linked(
        "AmazonEKSForFargate", "AmazonEKSForFargateServiceRolePolicy"
    ),
    "eks-nodegroup.amazonaws.com": Linked(
        "AmazonEKSNodegroup", "AWSServiceRoleForAmazonEKSNodegroup"
    ),
    "elasticloadbalancing.amazonaws.com": Linked(
        "ElasticLoadBalancing", "AWSElasticLoadBalancingServiceRolePolicy"
    ),
    "pullthroughcache.ecr.amazonaws.com": Linked(
        "ECRPullThroughCache", "AWSECRPullThroughCache_ServiceRolePolicy"
    ),
    "replication.ecr.amazonaws.com": Linked("ECRReplication", "ECRReplicationServiceRolePolicy"),
    "spot.amazonaws.com": Linked("EC2Spot", "AWSEC2SpotServiceRolePolicy"),
}
"""By service principal ("Using service-linked roles" in each service's guide)."""


def linked_name(service: str, suffix: str = "") -> str:
    """The name that the role of a service has, known or not."""
    known = LINKED.get(service)
    name = known.name if known is not None else f"AWSServiceRoleFor{service.partition('.')[0]}"
    return f"{name}_{suffix}" if suffix else name


def create_service_linked_role(
    context: Context, request: "t.CreateServiceLinkedRoleRequestTypeDef"
) -> Response:
    service, suffix = request["AWSServiceName"], request.get("CustomSuffix", "")
    known = LINKED.get(service)
    if known is None:
        raise invalid_input(
            f"Service role template for {service} does not exist or is not available."
        )
    if suffix and not known.many:
        raise invalid_input(f"Custom suffix is not allowed for {service}")
    name = linked_name(service, suffix)
    if find(context.tx, context.account, ROLE, name) is not None:
        raise invalid_input(
            f"Service role name {name} has been taken in this account, please try a different "
            "suffix."
        )
    check_room(context, ROLE)
    role = _role(context, service, name, known, request.get("Description", ""))
    context.tx.create(iam.ROLE, context.account, "", name.lower(), role)
    return {"Role": role_shape(context, role, whole=True)}


def _role(context: Context, service: str, name: str, linked: Linked, description: str) -> iam.Role:
    """With AWS's policy of this role, where its document is known here."""
    path = f"{SERVICE_LINKED}{service}/"
    policy = f"arn:aws:iam::aws:policy{SERVICE_LINKED}{linked.policy}"
    return iam.Role(
        name=name,
        path=path,
        id=new_id(ROLE, context.ids),
        arn=arn_of(context.account, ROLE, path, name),
        created_at=context.now,
        trust=service_trust(service),
        description=description,
        attached=(policy,) if managed_document(policy) is not None else (),
    )


def delete_service_linked_role(
    context: Context, request: "t.DeleteServiceLinkedRoleRequestTypeDef"
) -> Response:
    """The role goes at once, unless its service still uses it; the task's status tells."""
    role = require(context, ROLE, request["RoleName"])
    if not is_service_linked(role):
        raise invalid_input(f"The role {role.name} is not a service-linked role.")
    service = role.path.removeprefix(SERVICE_LINKED).rstrip("/")
    used = _ecs_usage(context) if service == "ecs.amazonaws.com" else {}
    task_id = f"task{SERVICE_LINKED}{service}/{role.name}/{context.ids.uuid()}"
    task = iam.ServiceLinkedRoleDeletion(
        task_id=task_id,
        role_arn=role.arn,
        used_in=tuple((region, tuple(arns)) for region, arns in used.items()),
    )
    context.tx.create(iam.SERVICE_LINKED_ROLE_DELETION, context.account, "", task_id, task)
    if not used:
        remove(context, ROLE, role)
    return {"DeletionTaskId": task_id}


def _ecs_usage(context: Context) -> dict[str, list[str]]:
    """The clusters by region: ECS needs its role while there is one."""
    used: dict[str, list[str]] = {}
    for record in context.tx.scan(ecs.CLUSTER, context.account):
        if record.value.status != "INACTIVE":
            used.setdefault(record.key.region, []).append(record.value.arn)
    return used


def get_service_linked_role_deletion_status(
    context: Context, request: "t.GetServiceLinkedRoleDeletionStatusRequestTypeDef"
) -> Response:
    task_id = request["DeletionTaskId"]
    record = context.tx.get(iam.SERVICE_LINKED_ROLE_DELETION, context.account, "", task_id)
    if record is None:
        raise no_such_entity(f"The deletion task with id {task_id} cannot be found.")
    used = record.value.used_in
    if not used:
        return {"Status": "SUCCEEDED"}
    usage: list[Shape] = [{"Region": region, "Resources": list(arns)} for region, arns in used]
    return {
        "Status": "FAILED",
        "Reason": {
            "Reason": "Failed to delete the service-linked role because resources still use it.",
            "RoleUsageList": usage,
        },
    }


OPERATIONS: Mapping[str, Operation] = {
    "CreateServiceLinkedRole": create_service_linked_role,
    "DeleteServiceLinkedRole": delete_service_linked_role,
    "GetServiceLinkedRoleDeletionStatus": get_service_linked_role_deletion_status,
}
