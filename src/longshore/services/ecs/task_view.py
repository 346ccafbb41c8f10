"""Tasks as DescribeTasks shows them."""

from typing import Any

from longshore.model.ecs import ContainerStatus, Task
from longshore.scheduler.view import is_connected
from longshore.services.ecs.tags import show_tags
from longshore.store.interface import Reader
from longshore.vpc.zones import private_dns_name

PROVIDER_STATES = {"PROVISIONING": "PRECREATED", "PENDING": "ATTACHING"}


def show_task(reader: Reader, task: Task, *, tags: bool = False) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "attachments": _attachments(task),
        "attributes": [{"name": "ecs.cpu-architecture", "value": "x86_64"}],
        "clusterArn": task.cluster_arn,
        "containers": [_container(task, each) for each in task.containers],
        "cpu": task.cpu_text,
        "memory": task.memory_text,
        "createdAt": task.created_at,
        "desiredStatus": task.desired_status,
        "enableExecuteCommand": task.execute_command,
        "group": task.group,
        "healthStatus": task.health,
        "lastStatus": task.last_status,
        "launchType": task.launch_type,
        "overrides": _overrides(task),
        "tags": show_tags(task.tags) if tags else [],
        "taskArn": task.arn,
        "taskDefinitionArn": task.definition_arn,
        "version": task.version,
    }
    shown |= {name: value for name, value in _optional(task).items() if value}
    instance = task.placement.instance_arn if task.placement is not None else task.instance_arn
    if task.launch_type != "FARGATE" and instance:
        shown["containerInstanceArn"] = instance
    if task.last_status in {"RUNNING", "DEACTIVATING", "STOPPING"} and instance:
        connected = is_connected(reader, instance)
        shown["connectivity"] = "CONNECTED" if connected else "DISCONNECTED"
        shown["connectivityAt"] = task.reported.at or task.started_at
    if task.ephemeral_storage:
        shown["ephemeralStorage"] = {"sizeInGiB": task.ephemeral_storage}
        shown["fargateEphemeralStorage"] = {"sizeInGiB": task.ephemeral_storage}
    return shown


def _optional(task: Task) -> dict[str, Any]:
    stop, reported = task.stop, task.reported
    return {
        "availabilityZone": task.placement.zone if task.placement is not None else "",
        "capacityProviderName": task.capacity_provider,
        "executionStoppedAt": reported.execution_stopped_at,
        "platformVersion": task.platform_version,
        "platformFamily": task.platform_family,
        "pullStartedAt": reported.pull_started_at,
        "pullStoppedAt": reported.pull_stopped_at,
        "startedAt": task.started_at,
        "startedBy": task.started_by,
        "stopCode": stop.code if stop is not None else "",
        "stoppedReason": stop.reason if stop is not None else "",
        "stoppingAt": task.stopping_at,
        "stoppedAt": task.stopped_at,
    }


def _overrides(task: Task) -> dict[str, Any]:
    containers = {o["name"]: o for o in task.overrides.get("containerOverrides") or ()}
    return {
        **task.overrides,
        "containerOverrides": [
            containers.get(each.name, {"name": each.name}) for each in task.containers
        ],
        "inferenceAcceleratorOverrides": [],
    }


def _attachments(task: Task) -> list[dict[str, Any]]:
    """The task's ENI ("Task networking": attachment type ElasticNetworkInterface)."""
    if task.network is None:
        return []
    place = task.placement
    if place is None or not place.eni_id:
        return []
    region = task.arn.split(":")[3]
    details = {
        "subnetId": place.subnet_id,
        "networkInterfaceId": place.eni_id,
        "macAddress": place.mac,
        "privateDnsName": private_dns_name(place.private_address, region),
        "privateIPv4Address": place.private_address,
    }
    return [
        {
            "id": place.attachment_id,
            "type": "ElasticNetworkInterface",
            "status": _attachment_status(task),
            "details": [{"name": name, "value": value} for name, value in details.items()],
        }
    ]


def _attachment_status(task: Task) -> str:
    if task.last_status == "STOPPED":
        return "DELETED"
    if task.last_status == "DEPROVISIONING":
        return "DETACHING"
    return PROVIDER_STATES.get(task.last_status, "ATTACHED")


def _container(task: Task, container: ContainerStatus) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "containerArn": container.id,
        "taskArn": task.arn,
        "name": container.name,
        "image": container.image,
        "lastStatus": container.last_status,
        "networkInterfaces": _interfaces(task),
        "healthStatus": container.health,
        "cpu": container.cpu,
    }
    optional = {
        "imageDigest": container.image_digest,
        "runtimeId": container.runtime_id,
        "reason": container.reason,
        "memory": container.memory,
        "memoryReservation": container.memory_reservation,
    }
    shown |= {name: value for name, value in optional.items() if value}
    if container.exit_code is not None:
        shown["exitCode"] = container.exit_code
    if task.network is None:
        shown["networkBindings"] = list(container.bindings)
    return shown


def _interfaces(task: Task) -> list[dict[str, str]]:
    place = task.placement
    if place is None or not place.eni_id:
        return []
    return [{"attachmentId": place.attachment_id, "privateIpv4Address": place.private_address}]
