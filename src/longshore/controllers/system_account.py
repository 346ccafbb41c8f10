"""What Longshore's own account has for the tasks that it runs for others (docs/decisions/0103)."""

from longshore.base.ids import Ids
from longshore.model import ecs, iam
from longshore.model.arn import make_arn
from longshore.model.eks import SYSTEM_ACCOUNT
from longshore.policy.key_ids import unique_id
from longshore.policy.trust import service_trust
from longshore.store.interface import Transaction

EXECUTION_ROLE = "longshore-execution"
EXECUTION_ROLE_ARN = make_arn("iam", "", SYSTEM_ACCOUNT, f"role/{EXECUTION_ROLE}")
TASKS_SERVICE = "ecs-tasks.amazonaws.com"
EXECUTION_POLICY = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"


def have_execution_role(tx: Transaction, ids: Ids, now: float) -> None:
    """The role by which agents pull the images of such tasks."""
    if tx.get(iam.ROLE, SYSTEM_ACCOUNT, "", EXECUTION_ROLE.lower()) is not None:
        return
    role = iam.Role(
        name=EXECUTION_ROLE,
        path="/",
        id=unique_id("role", ids),
        arn=EXECUTION_ROLE_ARN,
        created_at=now,
        trust=service_trust(TASKS_SERVICE),
        attached=(EXECUTION_POLICY,),
    )
    tx.create(iam.ROLE, SYSTEM_ACCOUNT, "", EXECUTION_ROLE.lower(), role)


def have_ecs_cluster(tx: Transaction, region: str, name: str) -> str:
    """The ECS cluster of this name; its ARN."""
    arn = make_arn("ecs", region, SYSTEM_ACCOUNT, f"cluster/{name}")
    if tx.get(ecs.CLUSTER, SYSTEM_ACCOUNT, region, name) is None:
        tx.create(ecs.CLUSTER, SYSTEM_ACCOUNT, region, name, ecs.Cluster(name=name, arn=arn))
    return arn
