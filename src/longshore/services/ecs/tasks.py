"""Tasks: run, start, stop, describe, list."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from longshore.model.ecs import TASK, Cluster, Stop, Task, TaskDefinition
from longshore.model.errors import AwsError
from longshore.scheduler.demand import Demand, demand_of
from longshore.scheduler.launch import Launch, new_task
from longshore.scheduler.plan import Plan, plan
from longshore.scheduler.reservation import claim
from longshore.scheduler.view import cluster_columns, fargate_columns
from longshore.services.ecs.definitions import require_active
from longshore.services.ecs.launching import (
    check_compatible,
    check_overrides,
    check_placement,
    check_platform,
    check_roles,
    launch_type_of,
    network_of,
    task_tags,
)
from longshore.services.ecs.naming import (
    arn_of,
    client_error,
    find_instance,
    find_service,
    find_task,
    invalid,
    member_name,
    missing,
    require_cluster,
)
from longshore.services.ecs.pages import page
from longshore.services.ecs.tags import read_tags
from longshore.services.ecs.task_view import show_task
from longshore.services.ecs.tokens import once
from longshore.services.interface import Context, Response

MOST_TASKS = 10
MOST_INSTANCES = 10
NO_CAPACITY = (
    "Capacity is unavailable at this time. Please try again later or in a different availability "
    "zone"
)


def run_task(context: Context, request: Any) -> Response:
    cluster = require_cluster(context, request.get("cluster"))
    count = request.get("count", 1)
    if not 1 <= count <= MOST_TASKS:
        raise invalid(f"count must be between 1 and {MOST_TASKS}")
    return once(
        context,
        request,
        lambda: _run(context, cluster, request, count),
        lambda arns: _again(context, cluster, arns),
    )


def _run(
    context: Context, cluster: Cluster, request: Mapping[str, Any], count: int
) -> tuple[Response, Sequence[str]]:
    definition = require_active(context, request["taskDefinition"])
    launch_type, provider = launch_type_of(request, cluster)
    check_compatible(definition, launch_type)
    check_placement(request, launch_type)
    launch = _launch(context, cluster, request, definition, launch_type, provider)
    draft = new_task(launch, definition, context.ids, context.now)
    demand = demand_of(draft, definition.requires_attributes if launch_type != "FARGATE" else ())
    strategies = request.get("placementStrategy") or ()
    chosen = _place(context, cluster, launch_type, demand, count, strategies)
    tasks = [
        new_task(
            launch,
            definition,
            context.ids,
            context.now,
            instance_arn="" if launch_type == "FARGATE" else instance,
        )
        for instance in chosen.instances
    ]
    for task in tasks:
        write_task(context, task)
    return _answer(context, tasks, chosen, launch_type), [task.arn for task in tasks]


def _launch(
    context: Context,
    cluster: Cluster,
    request: Mapping[str, Any],
    definition: TaskDefinition,
    launch_type: str,
    provider: str = "",
) -> Launch:
    overrides = request.get("overrides") or {}
    check_overrides(overrides, definition, launch_type)
    check_roles(context, definition, overrides)
    group = request.get("group") or f"family:{definition.family}"
    if group.startswith("service:"):
        raise client_error("Invalid namespace for group: service")
    return Launch(
        cluster=cluster.name,
        cluster_arn=cluster.arn,
        launch_type=launch_type,
        capacity_provider=provider,
        group=group,
        started_by=request.get("startedBy") or "",
        platform_version=check_platform(request, launch_type),
        overrides=overrides,
        network=network_of(context, request, definition, launch_type),
        constraints=tuple(request.get("placementConstraints") or ()),
        execute_command=bool(request.get("enableExecuteCommand")),
        tags=task_tags(
            read_tags(request.get("tags")),
            request,
            definition,
            (("aws:ecs:clusterName", cluster.name),),
        ),
    )


def _place(
    context: Context,
    cluster: Cluster,
    launch_type: str,
    demand: Demand,
    count: int,
    strategies: Sequence[Mapping[str, Any]],
) -> Plan:
    """Where there is room now: on the cluster's instances, or for Fargate on any host."""

    def draw(below: int) -> int:
        return int(context.ids.hex(8), 16) % below

    if launch_type == "FARGATE":
        hosts = fargate_columns(context.tx)
        if not len(hosts):
            # The first host is starting up; the tasks wait for it.
            return Plan(("",) * count, ())
        return plan(hosts, demand, count, (), draw)
    columns = cluster_columns(context.tx, context.account, context.region, cluster.name)
    if not len(columns):
        raise invalid("No Container Instances were found in your cluster.")
    return plan(columns, demand, count, strategies or ({"type": "random"},), draw)


def write_task(context: Context, task: Task) -> None:
    """Store a new task; one whose instance is chosen takes its place there at once."""
    context.tx.create(TASK, context.account, context.region, task.name, task)
    if task.instance_arn:
        claim(context.tx, task.instance_arn, task, context.account, context.region)


def _answer(context: Context, tasks: Sequence[Task], chosen: Plan, launch_type: str) -> Response:
    """Fargate has no instances to name: the reason stands alone."""
    failures: list[dict[str, str]] = []
    if launch_type == "FARGATE":
        reasons = {f.reason for f in chosen.failures}
        size = reasons & {"RESOURCE:MEMORY", "RESOURCE:CPU"}
        if chosen.failures:
            failures = [{"reason": min(size) if size else NO_CAPACITY}]
        elif not tasks:
            failures = [{"reason": NO_CAPACITY}]
    else:
        failures = [{"arn": f.arn, "reason": f.reason} for f in chosen.failures]
    return {
        "tasks": [show_task(context.tx, task, tags=True) for task in tasks],
        "failures": failures,
    }


def _again(context: Context, cluster: Cluster, arns: Sequence[str]) -> Response:
    """The answer to a call that was made before with the same client token."""
    found = [find_task(context, cluster.name, arn) for arn in arns]
    tasks = [show_task(context.tx, record.value, tags=True) for record in found if record]
    return {"tasks": tasks, "failures": []}


def start_task(context: Context, request: Any) -> Response:
    cluster = require_cluster(context, request.get("cluster"))
    references = request["containerInstances"]
    if not 1 <= len(references) <= MOST_INSTANCES:
        raise invalid("Container instances can have at most 10 items and at least 1.")
    definition = require_active(context, request["taskDefinition"])
    check_compatible(definition, "EC2")
    launch = _launch(context, cluster, request, definition, "EC2")
    tasks: list[Task] = []
    failures: list[dict[str, str]] = []
    for reference in references:
        record = find_instance(context, cluster.name, reference)
        if record is None or record.value.status == "INACTIVE":
            name = member_name(context, cluster.name, reference, "container-instance")
            failures.append(missing(arn_of(context, f"container-instance/{name}")))
            continue
        task = new_task(launch, definition, context.ids, context.now, record.value.arn)
        reason = _unfit(context, cluster, record.value.arn, task, definition)
        if reason:
            failures.append({"arn": record.value.arn, "reason": reason})
            continue
        write_task(context, task)
        tasks.append(task)
    return {
        "tasks": [show_task(context.tx, task, tags=True) for task in tasks],
        "failures": failures,
    }


def _unfit(
    context: Context, cluster: Cluster, arn: str, task: Task, definition: TaskDefinition
) -> str:
    """Why the instance cannot take the task; empty where it can."""
    columns = cluster_columns(context.tx, context.account, context.region, cluster.name)
    demand = demand_of(task, definition.requires_attributes)
    result = plan(columns.only(arn), demand, 1, (), lambda below: 0)
    return result.failures[0].reason if result.failures else ""


def stop_task(context: Context, request: Any) -> Response:
    cluster = require_cluster(context, request.get("cluster"))
    record = find_task(context, cluster.name, request["task"])
    if record is None:
        raise invalid("The referenced task was not found.")
    task = record.value
    if task.desired_status != "STOPPED":
        reason = request.get("reason") or "Task stopped by user"
        stop = Stop(code="UserInitiated", reason=reason, at=context.now)
        task = msgspec.structs.replace(task, desired_status="STOPPED", stop=stop)
        context.tx.put(TASK, context.account, context.region, task.name, task)
    return {"task": show_task(context.tx, task)}


def describe_tasks(context: Context, request: Any) -> Response:
    cluster = require_cluster(context, request.get("cluster"))
    if not 1 <= len(request["tasks"]) <= 100:
        raise invalid("Tasks cannot be empty and can have at most 100 items.")
    tags = "TAGS" in (request.get("include") or ())
    tasks, failures = [], []
    for reference in request["tasks"]:
        record = find_task(context, cluster.name, reference)
        if record is None:
            name = member_name(context, cluster.name, reference, "task")
            failures.append(missing(arn_of(context, f"task/{name}")))
        else:
            tasks.append(show_task(context.tx, record.value, tags=tags))
    return {"tasks": tasks, "failures": failures}


def list_tasks(context: Context, request: Any) -> Response:
    cluster = require_cluster(context, request.get("cluster"))
    if request.get("serviceName") and request.get("startedBy"):
        raise invalid("startedBy and serviceName cannot be specified together.")
    desired = request.get("desiredStatus") or "RUNNING"
    instance = request.get("containerInstance")
    if instance is not None:
        record = find_instance(context, cluster.name, instance)
        if record is None:
            raise invalid("The specified container instance was not found.")
        instance = record.value.arn
    if request.get("serviceName"):
        _require_service(context, cluster, request["serviceName"])
    found = context.tx.scan(TASK, context.account, context.region, prefix=f"{cluster.name}/")
    arns = [
        record.value.arn
        for record in found
        if record.value.desired_status == desired and _matches(record.value, request, instance)
    ]
    return page(arns, request, "taskArns")


def _require_service(context: Context, cluster: Cluster, reference: str) -> None:
    if find_service(context, cluster.name, reference) is None:
        raise AwsError("ServiceNotFoundException", "Service not found.")


def _matches(task: Task, request: Mapping[str, Any], instance: str | None) -> bool:
    service = (request.get("serviceName") or "").rpartition("/")[2]
    family = task.definition_arn.rpartition("/")[2].partition(":")[0]
    place = task.placement.instance_arn if task.placement is not None else task.instance_arn
    wanted = (
        (instance, place),
        (request.get("family"), family),
        (request.get("startedBy"), task.started_by),
        (service, task.service),
        (request.get("launchType"), task.launch_type),
    )
    return all(not value or value == own for value, own in wanted)
