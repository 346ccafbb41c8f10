"""Services as DescribeServices shows them."""

from collections.abc import Mapping, Sequence
from typing import Any

from longshore.model.ecs import (
    SERVICE_STATUS,
    TASK,
    Deployment,
    Progress,
    Service,
    ServiceStatus,
    Task,
    TaskNetwork,
)
from longshore.services.ecs.tags import show_tags
from longshore.services.interface import Context

PENDING = frozenset({"PROVISIONING", "PENDING", "ACTIVATING"})


def show_service(context: Context, service: Service, *, tags: bool = False) -> dict[str, Any]:
    name = f"{service.cluster}/{service.name}"
    place = (context.account, context.region)
    record = context.tx.get(SERVICE_STATUS, *place, name)
    status = record.value if record is not None else ServiceStatus()
    tasks = [r.value for r in context.tx.find(TASK, *place, "service", name)]
    primary = service.deployments[-1]
    shown: dict[str, Any] = {
        "serviceArn": service.arn,
        "serviceName": service.name,
        "clusterArn": service.cluster_arn,
        "loadBalancers": [],
        "serviceRegistries": [],
        "status": service.status,
        "desiredCount": service.desired_count,
        "runningCount": _running(tasks),
        "pendingCount": _pending(tasks),
        "taskDefinition": primary.definition_arn,
        "deploymentConfiguration": {
            "deploymentCircuitBreaker": {
                "enable": service.circuit_breaker,
                "rollback": service.rollback,
            },
            "maximumPercent": service.maximum_percent,
            "minimumHealthyPercent": service.minimum_percent,
            "strategy": "ROLLING",
            "bakeTimeInMinutes": 0,
        },
        "deployments": _deployments(service, status, tasks),
        "events": [
            {"id": event.id, "createdAt": event.at, "message": event.message}
            for event in status.events
        ],
        "createdAt": service.created_at,
        "createdBy": service.created_by,
        "placementConstraints": list(service.constraints),
        "placementStrategy": list(service.placement_strategy),
        "healthCheckGracePeriodSeconds": service.grace_seconds,
        "schedulingStrategy": service.scheduling,
        "deploymentController": {"type": "ECS"},
        "enableECSManagedTags": service.managed_tags,
        "propagateTags": service.propagate_tags,
        "enableExecuteCommand": service.execute_command,
        "availabilityZoneRebalancing": service.rebalancing,
        **_launch(primary),
    }
    return shown | ({"tags": show_tags(service.tags)} if tags else {})


def _launch(deployment: Deployment) -> dict[str, Any]:
    """What a service and its deployments both say of how tasks are launched."""
    shown: dict[str, Any] = {}
    if deployment.strategy:
        shown["capacityProviderStrategy"] = list(deployment.strategy)
    else:
        shown["launchType"] = deployment.launch_type
    if deployment.launch_type == "FARGATE":
        shown["platformVersion"] = deployment.platform_version or "LATEST"
        shown["platformFamily"] = "Linux"
    if deployment.network is not None:
        shown["networkConfiguration"] = show_network(deployment.network)
    return shown


def show_network(network: TaskNetwork) -> dict[str, Any]:
    return {
        "awsvpcConfiguration": {
            "subnets": list(network.subnets),
            "securityGroups": list(network.security_groups),
            "assignPublicIp": "ENABLED" if network.public else "DISABLED",
        }
    }


def _deployments(
    service: Service, status: ServiceStatus, tasks: Sequence[Task]
) -> list[dict[str, Any]]:
    """Newest first; an older one as long as it has tasks."""
    progress = {each.deployment_id: each for each in status.progress}
    primary = service.deployments[-1]
    shown = []
    for deployment in reversed(service.deployments):
        own = [task for task in tasks if task.deployment_id == deployment.id]
        live = [task for task in own if task.last_status != "STOPPED"]
        if deployment is primary or live:
            shown.append(_deployment(service, deployment, progress, own))
    return shown


def _deployment(
    service: Service,
    deployment: Deployment,
    progress: Mapping[str, Progress],
    tasks: Sequence[Task],
) -> dict[str, Any]:
    known = progress.get(deployment.id) or Progress(deployment_id=deployment.id)
    primary = deployment is service.deployments[-1]
    running, pending = _running(tasks), _pending(tasks)
    state = known.rollout_state
    return {
        "id": deployment.id,
        "status": "PRIMARY" if primary else "ACTIVE",
        "taskDefinition": deployment.definition_arn,
        "desiredCount": service.desired_count if primary else running + pending,
        "pendingCount": pending,
        "runningCount": running,
        "failedTasks": known.failed_tasks,
        "createdAt": deployment.created_at,
        "updatedAt": known.updated_at or deployment.created_at,
        "rolloutState": state,
        "rolloutStateReason": known.reason or f"ECS deployment {deployment.id} {_words(state)}.",
        **_launch(deployment),
    }


def _words(state: str) -> str:
    return {"COMPLETED": "completed", "FAILED": "failed"}.get(state, "in progress")


def _running(tasks: Sequence[Task]) -> int:
    return sum(task.last_status == "RUNNING" for task in tasks)


def _pending(tasks: Sequence[Task]) -> int:
    return sum(task.last_status in PENDING for task in tasks)
