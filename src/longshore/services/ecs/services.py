"""Services: create, update, delete, describe, list."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from longshore.model.ecs import (
    SERVICE,
    SERVICE_STATUS,
    Cluster,
    Deployment,
    Service,
    ServiceStatus,
    TaskDefinition,
)
from longshore.model.errors import AwsError, not_implemented
from longshore.services.ecs.definitions import require_active
from longshore.services.ecs.launching import (
    check_compatible,
    check_placement,
    check_platform,
    check_roles,
    launch_type_of,
    network_of,
)
from longshore.services.ecs.naming import (
    NAME,
    arn_of,
    find_service,
    invalid,
    member_name,
    missing,
    require_cluster,
)
from longshore.services.ecs.pages import page
from longshore.services.ecs.service_view import show_service
from longshore.services.ecs.tags import read_tags
from longshore.services.ecs.tokens import once
from longshore.services.interface import Context, Response

LATER = (
    "loadBalancers",
    "serviceRegistries",
    "serviceConnectConfiguration",
    "volumeConfigurations",
    "vpcLatticeConfigurations",
    "gatewayConnectors",
    "monitoring",
)
"""Members that ask for what is not built."""
MOST_TASKS = 5000
MOST_DESCRIBED = 10


def create_service(context: Context, request: Any) -> Response:
    cluster = require_cluster(context, request.get("cluster"))
    _refuse_later(context, request)
    return once(
        context,
        request,
        lambda: _create(context, cluster, request),
        lambda arns: {"service": _shown(context, cluster, arns[0])},
    )


def _refuse_later(context: Context, request: Mapping[str, Any]) -> None:
    if any(_asks(request.get(member)) for member in LATER):
        raise not_implemented("ecs", context.operation)
    controller = (request.get("deploymentController") or {}).get("type") or "ECS"
    strategy = (request.get("deploymentConfiguration") or {}).get("strategy") or "ROLLING"
    if controller != "ECS" or strategy != "ROLLING":
        raise not_implemented("ecs", context.operation)


def _asks(value: Any) -> bool:
    """Service Connect may be said to be off."""
    return bool(value) and not (isinstance(value, dict) and value.get("enabled") is False)


def _shown(context: Context, cluster: Cluster, reference: str) -> dict[str, Any]:
    record = find_service(context, cluster.name, reference)
    if record is None:
        raise AwsError("ServiceNotFoundException", "Service not found.")
    return show_service(context, record.value, tags=True)


def _create(
    context: Context, cluster: Cluster, request: Mapping[str, Any]
) -> tuple[Response, Sequence[str]]:
    name = request["serviceName"]
    if not NAME.fullmatch(name):
        raise invalid("Invalid service name.")
    place = (context.account, context.region)
    key = f"{cluster.name}/{name}"
    former = context.tx.get(SERVICE, *place, key)
    if former is not None and former.value.status == "ACTIVE":
        raise invalid("Creation of service was not idempotent.")
    if former is not None and former.value.status == "DRAINING":
        raise invalid("Unable to Start a service that is still Draining.")
    if not request.get("taskDefinition"):
        raise invalid("TaskDefinition can not be blank.")
    definition = require_active(context, request["taskDefinition"])
    scheduling = request.get("schedulingStrategy") or "REPLICA"
    service = Service(
        name=name,
        arn=arn_of(context, f"service/{key}"),
        cluster=cluster.name,
        cluster_arn=cluster.arn,
        desired_count=_count(request, scheduling),
        created_at=context.now,
        created_by=context.principal.arn,
        deployments=(_deployment(context, cluster, request, definition),),
        scheduling=scheduling,
        constraints=tuple(request.get("placementConstraints") or ()),
        placement_strategy=tuple(request.get("placementStrategy") or ()),
        propagate_tags=request.get("propagateTags") or "NONE",
        managed_tags=bool(request.get("enableECSManagedTags")),
        execute_command=bool(request.get("enableExecuteCommand")),
        rebalancing=request.get("availabilityZoneRebalancing") or "ENABLED",
        grace_seconds=request.get("healthCheckGracePeriodSeconds") or 0,
        tags=read_tags(request.get("tags")),
        **_rollout(request, scheduling),
    )
    context.tx.put(SERVICE, *place, key, service)
    context.tx.put(SERVICE_STATUS, *place, key, ServiceStatus())
    return {"service": show_service(context, service, tags=True)}, [service.arn]


def _count(request: Mapping[str, Any], scheduling: str) -> int:
    count = request.get("desiredCount")
    if scheduling == "DAEMON":
        if count is not None:
            raise invalid(
                "The daemon scheduling strategy does not support a desired count for services. "
                "Remove the desired count value and try again"
            )
        return 0
    if count is None or not 0 <= count <= MOST_TASKS:
        raise invalid("Desired count must be specified, and be between 0 and 5000.")
    return int(count)


def _rollout(request: Mapping[str, Any], scheduling: str) -> dict[str, Any]:
    """The deployment configuration with its defaults ("DeploymentConfiguration")."""
    given = request.get("deploymentConfiguration") or {}
    daemon = scheduling == "DAEMON"
    minimum = given.get("minimumHealthyPercent")
    maximum = given.get("maximumPercent")
    minimum = (0 if daemon else 100) if minimum is None else minimum
    maximum = (100 if daemon else 200) if maximum is None else maximum
    if not 0 <= minimum <= 100 or maximum < 100:
        raise invalid("Invalid deployment configuration percentages.")
    if daemon and maximum != 100:
        raise invalid("The daemon scheduling strategy supports a maximumPercent of 100 only.")
    if not daemon and maximum == minimum:
        raise invalid("maximumPercent must be greater than minimumHealthyPercent.")
    breaker = given.get("deploymentCircuitBreaker") or {}
    return {
        "minimum_percent": minimum,
        "maximum_percent": maximum,
        "circuit_breaker": bool(breaker.get("enable")),
        "rollback": bool(breaker.get("rollback")),
    }


def _deployment(
    context: Context,
    cluster: Cluster,
    request: Mapping[str, Any],
    definition: TaskDefinition,
) -> Deployment:
    launch_type, _ = launch_type_of(request, cluster)
    check_compatible(definition, launch_type)
    check_placement(request, launch_type)
    check_roles(context, definition, {})
    strategy = () if request.get("launchType") else request.get("capacityProviderStrategy")
    if not request.get("launchType") and not strategy:
        strategy = cluster.default_strategy
    return Deployment(
        id=f"ecs-svc/{int(context.ids.hex(16), 16):019d}"[:27],
        definition_arn=definition.arn,
        created_at=context.now,
        launch_type=launch_type,
        strategy=tuple(strategy or ()),
        platform_version=check_platform(request, launch_type),
        network=network_of(context, request, definition, launch_type),
    )


def update_service(context: Context, request: Any) -> Response:
    cluster = require_cluster(context, request.get("cluster"))
    _refuse_later(context, request)
    record = find_service(context, cluster.name, request["service"])
    if record is None:
        raise AwsError("ServiceNotFoundException", "Service not found.")
    service = record.value
    if service.status != "ACTIVE":
        raise AwsError("ServiceNotActiveException", "Service was not ACTIVE.")
    changes = _changes(request, service)
    deployment = _redeploy(context, cluster, request, service)
    if deployment is not None:
        changes["deployments"] = (*service.deployments, deployment)
    changed = msgspec.structs.replace(service, **changes)
    context.tx.put(SERVICE, context.account, context.region, record.key.name, changed)
    return {"service": show_service(context, changed)}


def _changes(request: Mapping[str, Any], service: Service) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    if request.get("desiredCount") is not None:
        changes["desired_count"] = _count(request, service.scheduling)
    if request.get("deploymentConfiguration"):
        given = request["deploymentConfiguration"]
        known = {
            "minimumHealthyPercent": service.minimum_percent,
            "maximumPercent": service.maximum_percent,
            "deploymentCircuitBreaker": {
                "enable": service.circuit_breaker,
                "rollback": service.rollback,
            },
        }
        changes |= _rollout({"deploymentConfiguration": known | given}, service.scheduling)
    members = {
        "placementConstraints": ("constraints", tuple),
        "placementStrategy": ("placement_strategy", tuple),
        "propagateTags": ("propagate_tags", str),
        "enableECSManagedTags": ("managed_tags", bool),
        "enableExecuteCommand": ("execute_command", bool),
        "availabilityZoneRebalancing": ("rebalancing", str),
        "healthCheckGracePeriodSeconds": ("grace_seconds", int),
    }
    for member, (name, convert) in members.items():
        if request.get(member) is not None:
            changes[name] = convert(request[member])
    return changes


def _redeploy(
    context: Context, cluster: Cluster, request: Mapping[str, Any], service: Service
) -> Deployment | None:
    """A new deployment, where the update asks for one or changes what tasks are made of."""
    primary = service.deployments[-1]
    wanted = ("taskDefinition", "networkConfiguration", "platformVersion")
    asked = any(request.get(member) for member in (*wanted, "capacityProviderStrategy"))
    if not asked and not request.get("forceNewDeployment"):
        return None
    definition = require_active(context, request.get("taskDefinition") or primary.definition_arn)
    complete = {
        **request,
        "launchType": None if request.get("capacityProviderStrategy") else primary.launch_type,
        "platformVersion": request.get("platformVersion") or primary.platform_version,
        "networkConfiguration": request.get("networkConfiguration") or _shown_network(primary),
    }
    deployment = _deployment(context, cluster, complete, definition)
    if not request.get("capacityProviderStrategy"):
        deployment = msgspec.structs.replace(deployment, strategy=primary.strategy)
    same = (
        msgspec.structs.replace(deployment, id=primary.id, created_at=primary.created_at) == primary
    )
    return None if same and not request.get("forceNewDeployment") else deployment


def _shown_network(deployment: Deployment) -> dict[str, Any] | None:
    network = deployment.network
    if network is None:
        return None
    return {
        "awsvpcConfiguration": {
            "subnets": list(network.subnets),
            "securityGroups": list(network.security_groups),
            "assignPublicIp": "ENABLED" if network.public else "DISABLED",
        }
    }


def delete_service(context: Context, request: Any) -> Response:
    cluster = require_cluster(context, request.get("cluster"))
    record = find_service(context, cluster.name, request["service"])
    if record is None or record.value.status == "INACTIVE":
        raise AwsError("ServiceNotFoundException", "Service not found.")
    service = record.value
    if service.desired_count and service.scheduling == "REPLICA" and not request.get("force"):
        raise invalid("The service cannot be stopped while it is scaled above 0.")
    gone = msgspec.structs.replace(service, status="DRAINING", desired_count=0)
    context.tx.put(SERVICE, context.account, context.region, record.key.name, gone)
    return {"service": show_service(context, gone)}


def describe_services(context: Context, request: Any) -> Response:
    cluster = require_cluster(context, request.get("cluster"))
    if not request["services"]:
        raise invalid("Services cannot be empty.")
    if len(request["services"]) > MOST_DESCRIBED:
        raise invalid("Services can have at most 10 items.")
    tags = "TAGS" in (request.get("include") or ())
    services, failures = [], []
    for reference in request["services"]:
        record = find_service(context, cluster.name, reference)
        if record is None:
            name = member_name(context, cluster.name, reference, "service")
            failures.append(missing(arn_of(context, f"service/{name}")))
        else:
            services.append(show_service(context, record.value, tags=tags))
    return {"services": services, "failures": failures}


def list_services(context: Context, request: Any) -> Response:
    cluster = require_cluster(context, request.get("cluster"))
    kind, scheduling = request.get("launchType"), request.get("schedulingStrategy")
    found = context.tx.scan(SERVICE, context.account, context.region, prefix=f"{cluster.name}/")
    arns = [
        record.value.arn
        for record in found
        if record.value.status != "INACTIVE"
        and kind in {None, record.value.deployments[-1].launch_type}
        and scheduling in {None, record.value.scheduling}
    ]
    return page(arns, {"maxResults": 10, **request}, "serviceArns")
