"""Claims on container instances, staged in the transaction that places or ends a task."""

from longshore.model.ecs import RESERVATION, Claim, Reservation, Task
from longshore.scheduler.demand import weighed_cpu
from longshore.scheduler.view import reservation_of
from longshore.store.interface import Transaction


def claim(tx: Transaction, instance_arn: str, task: Task, account: str, region: str) -> None:
    """Take what the task needs; nothing changes where it has it already."""
    held = reservation_of(tx, instance_arn)
    taken = Claim(
        account=account,
        region=region,
        name=task.name,
        cpu=weighed_cpu(task),
        memory=task.memory,
        tcp_ports=task.tcp_ports,
        udp_ports=task.udp_ports,
        group=task.group,
    )
    if held.claims.get(task.arn) != taken:
        changed = Reservation(claims={**held.claims, task.arn: taken})
        tx.put(RESERVATION, "", "", instance_arn, changed)


def release(tx: Transaction, instance_arn: str, task_arn: str) -> None:
    """Give back what the task held; safe to repeat."""
    held = reservation_of(tx, instance_arn)
    if task_arn in held.claims:
        left = {arn: claim for arn, claim in held.claims.items() if arn != task_arn}
        tx.put(RESERVATION, "", "", instance_arn, Reservation(claims=left))
