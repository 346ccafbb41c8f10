"""What a service says of itself, in AWS's words ("Amazon ECS service event messages")."""

from collections.abc import Sequence

import msgspec

from longshore.model.ecs import Service, ServiceEvent, ServiceStatus

KEPT = 100


def started(service: Service, tasks: Sequence[str]) -> str:
    named = " ".join(f"(task {task})" for task in tasks)
    return f"(service {service.name}) has started {len(tasks)} tasks: {named}."


def stopped(service: Service, tasks: Sequence[str]) -> str:
    named = " ".join(f"(task {task})" for task in tasks)
    return f"(service {service.name}) has stopped {len(tasks)} running tasks: {named}."


def steady(service: Service) -> str:
    return f"(service {service.name}) has reached a steady state."


def completed(service: Service, deployment_id: str) -> str:
    return f"(service {service.name}) (deployment {deployment_id}) deployment completed."


def failed(service: Service, deployment_id: str) -> str:
    return (
        f"(service {service.name}) (deployment {deployment_id}) deployment failed: "
        "tasks failed to start."
    )


def rolling_back(service: Service, deployment_id: str) -> str:
    return f"(service {service.name}) rolling back to deployment {deployment_id}."


def throttled(service: Service) -> str:
    return f"(service {service.name}) is unable to consistently start tasks successfully."


def unplaced(service: Service, reason: str) -> str:
    if service.deployments[-1].launch_type == "FARGATE":
        return f"(service {service.name}) was unable to place a task. Reason: {reason}."
    return (
        f"(service {service.name}) was unable to place a task because no container instance met "
        f"all of its requirements. Reason: {reason}."
    )


def add(status: ServiceStatus, event_id: str, now: float, message: str) -> ServiceStatus:
    """With one more event; the same words twice in a row are said once."""
    if status.events and status.events[0].message == message:
        return status
    events = (ServiceEvent(event_id, now, message), *status.events)[:KEPT]
    return msgspec.structs.replace(status, events=events)
