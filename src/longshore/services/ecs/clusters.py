"""Clusters."""

from typing import Any

import msgspec

from longshore.model.ecs import (
    CLUSTER,
    CONTAINER_INSTANCE,
    SERVICE,
    TASK,
    Cluster,
)
from longshore.model.errors import AwsError
from longshore.model.kind import Kind
from longshore.services.ecs.naming import (
    DEFAULT_CLUSTER,
    NAME,
    arn_of,
    cluster_name,
    invalid,
    missing,
    require_cluster,
)
from longshore.services.ecs.pages import page
from longshore.services.ecs.tags import read_tags, show_tags
from longshore.services.interface import Context, Response

INSIGHTS = frozenset({"enabled", "disabled", "enhanced"})
FARGATE_PROVIDERS = frozenset({"FARGATE", "FARGATE_SPOT"})


def create_cluster(context: Context, request: Any) -> Response:
    name = request.get("clusterName") or DEFAULT_CLUSTER
    if not NAME.fullmatch(name):
        raise invalid("Invalid cluster name.")
    record = context.tx.get(CLUSTER, context.account, context.region, name)
    if record is not None and record.value.status == "ACTIVE":
        return {"cluster": show_cluster(context, record.value)}
    cluster = Cluster(
        name=name,
        arn=arn_of(context, f"cluster/{name}"),
        settings=read_settings(request.get("settings")),
        configuration=request.get("configuration") or {},
        service_connect_defaults=request.get("serviceConnectDefaults") or {},
        tags=read_tags(request.get("tags")),
        **read_providers(request),
    )
    context.tx.put(CLUSTER, context.account, context.region, name, cluster)
    return {"cluster": show_cluster(context, cluster, settings=True)}


def read_settings(settings: Any) -> tuple[dict[str, str], ...]:
    for setting in settings or ():
        if setting.get("value") not in INSIGHTS:
            raise invalid("Invalid setting value. Valid values: enabled, disabled, enhanced")
    return tuple(settings or ({"name": "containerInsights", "value": "disabled"},))


def read_providers(request: Any) -> dict[str, Any]:
    """The members of a cluster that say which capacity providers it has."""
    providers = tuple(request.get("capacityProviders") or ())
    for provider in providers:
        if provider not in FARGATE_PROVIDERS:
            raise invalid(
                f"The specified capacity provider '{provider}' was not found. "
                "Specify a valid name or ARN and try again."
            )
    strategy = tuple(request.get("defaultCapacityProviderStrategy") or ())
    for item in strategy:
        if item.get("capacityProvider") not in providers:
            raise invalid(
                "The specified capacity provider strategy cannot contain a capacity provider that "
                "is not associated with the cluster. Associate the capacity provider with the "
                "cluster and try again."
            )
    return {"capacity_providers": providers, "default_strategy": strategy}


def describe_clusters(context: Context, request: Any) -> Response:
    include = set(request.get("include") or ())
    clusters, failures = [], []
    for reference in request.get("clusters") or [DEFAULT_CLUSTER]:
        name = cluster_name(context, reference)
        record = context.tx.get(CLUSTER, context.account, context.region, name)
        if record is None:
            failures.append(missing(arn_of(context, f"cluster/{name}")))
            continue
        clusters.append(
            show_cluster(
                context,
                record.value,
                settings="SETTINGS" in include,
                tags="TAGS" in include,
                statistics="STATISTICS" in include,
                configuration="CONFIGURATIONS" in include,
            )
        )
    return {"clusters": clusters, "failures": failures}


def show_cluster(
    context: Context,
    cluster: Cluster,
    *,
    settings: bool = False,
    tags: bool = True,
    statistics: bool = False,
    configuration: bool = False,
) -> dict[str, Any]:
    name = cluster.name
    shown: dict[str, Any] = {
        "clusterArn": cluster.arn,
        "clusterName": cluster.name,
        "status": cluster.status,
        "registeredContainerInstancesCount": _count(context, CONTAINER_INSTANCE, name, "cluster"),
        "runningTasksCount": _count(context, TASK, f"{name}/RUNNING"),
        "pendingTasksCount": _count(context, TASK, f"{name}/PENDING"),
        "activeServicesCount": _count(context, SERVICE, f"{name}/ACTIVE"),
        "statistics": _statistics(context, name) if statistics else [],
        "tags": show_tags(cluster.tags) if tags else [],
        "settings": list(cluster.settings) if settings else [],
        "capacityProviders": list(cluster.capacity_providers),
        "defaultCapacityProviderStrategy": list(cluster.default_strategy),
    }
    if configuration and cluster.configuration:
        shown["configuration"] = cluster.configuration
    if cluster.service_connect_defaults:
        shown["serviceConnectDefaults"] = cluster.service_connect_defaults
    return shown


def _count(context: Context, kind: Kind[Any], state: str, index: str = "state") -> int:
    return context.tx.count(kind, context.account, context.region, index, state)


def _statistics(context: Context, name: str) -> list[dict[str, str]]:
    return [
        {"name": statistic, "value": str(_count(context, kind, f"{name}/{state}"))}
        for statistic, kind, state in STATISTICS
    ]


STATISTICS = (
    ("runningEC2TasksCount", TASK, "RUNNING/EC2"),
    ("runningFargateTasksCount", TASK, "RUNNING/FARGATE"),
    ("pendingEC2TasksCount", TASK, "PENDING/EC2"),
    ("pendingFargateTasksCount", TASK, "PENDING/FARGATE"),
    ("runningExternalTasksCount", TASK, "RUNNING/EXTERNAL"),
    ("pendingExternalTasksCount", TASK, "PENDING/EXTERNAL"),
    ("activeEC2ServiceCount", SERVICE, "ACTIVE/EC2"),
    ("activeFargateServiceCount", SERVICE, "ACTIVE/FARGATE"),
    ("drainingEC2ServiceCount", SERVICE, "DRAINING/EC2"),
    ("drainingFargateServiceCount", SERVICE, "DRAINING/FARGATE"),
)


def list_clusters(context: Context, request: Any) -> Response:
    found = context.tx.scan(CLUSTER, context.account, context.region)
    return page([r.value.arn for r in found if r.value.status == "ACTIVE"], request, "clusterArns")


def delete_cluster(context: Context, request: Any) -> Response:
    cluster = require_cluster(context, request["cluster"])
    if _count(context, CONTAINER_INSTANCE, cluster.name, "cluster"):
        raise AwsError(
            "ClusterContainsContainerInstancesException",
            "The Cluster cannot be deleted while Container Instances are active or draining.",
        )
    if _count(context, SERVICE, f"{cluster.name}/ACTIVE"):
        raise AwsError(
            "ClusterContainsServicesException",
            "The Cluster cannot be deleted while Services are active.",
        )
    if any(_count(context, TASK, f"{cluster.name}/{state}") for state in UNFINISHED):
        raise AwsError(
            "ClusterContainsTasksException",
            "The Cluster cannot be deleted while Tasks are active.",
        )
    gone = msgspec.structs.replace(cluster, status="INACTIVE")
    context.tx.put(CLUSTER, context.account, context.region, cluster.name, gone)
    return {"cluster": show_cluster(context, gone)}


UNFINISHED = frozenset({"PENDING", "RUNNING", "DEACTIVATING", "STOPPING", "DEPROVISIONING"})


def update_cluster(context: Context, request: Any) -> Response:
    cluster = require_cluster(context, request["cluster"])
    changed = msgspec.structs.replace(
        cluster,
        settings=(
            read_settings(request["settings"]) if request.get("settings") else cluster.settings
        ),
        configuration=request.get("configuration") or cluster.configuration,
        service_connect_defaults=request.get("serviceConnectDefaults")
        or cluster.service_connect_defaults,
    )
    return _save(context, changed)


def update_cluster_settings(context: Context, request: Any) -> Response:
    cluster = require_cluster(context, request["cluster"])
    settings = read_settings(request["settings"])
    return _save(context, msgspec.structs.replace(cluster, settings=settings))


def put_cluster_capacity_providers(context: Context, request: Any) -> Response:
    cluster = require_cluster(context, request["cluster"])
    return _save(context, msgspec.structs.replace(cluster, **read_providers(request)))


def describe_capacity_providers(context: Context, request: Any) -> Response:
    """Fargate's two; others cannot be made yet."""
    shown, failures = [], []
    for name in request.get("capacityProviders") or sorted(FARGATE_PROVIDERS):
        short = name.rpartition("/")[2]
        arn = arn_of(context, f"capacity-provider/{short}")
        if short in FARGATE_PROVIDERS:
            shown.append({"capacityProviderArn": arn, "name": short, "status": "ACTIVE"})
        else:
            failures.append(missing(arn))
    return {"capacityProviders": shown, "failures": failures}


def _save(context: Context, cluster: Cluster) -> Response:
    context.tx.put(CLUSTER, context.account, context.region, cluster.name, cluster)
    return {"cluster": show_cluster(context, cluster, settings=True, configuration=True)}


def ensure_default_cluster(context: Context) -> Cluster:
    """The cluster `default`, made where there is none."""
    record = context.tx.get(CLUSTER, context.account, context.region, DEFAULT_CLUSTER)
    if record is not None and record.value.status == "ACTIVE":
        return record.value
    create_cluster(context, {})
    return require_cluster(context, None)
