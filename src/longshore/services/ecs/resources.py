"""The resources of each action ("Actions, resources, and condition keys for Amazon ECS")."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from longshore.model.ecs import CLUSTER, TASK, TASK_DEFINITION, definition_name
from longshore.services.ecs.naming import arn_of, cluster_of_task
from longshore.services.interface import Context, Resource, ResourcesOf

Request = Mapping[str, Any]


def _cluster_arn(context: Context, request: Request) -> str:
    reference = request.get("cluster") or "default"
    return reference if reference.startswith("arn:") else arn_of(context, f"cluster/{reference}")


def _cluster_name(context: Context, request: Request) -> str:
    return _cluster_arn(context, request).rpartition("/")[2]


def _cluster_condition(context: Context, request: Request) -> dict[str, str | list[str]]:
    return {"ecs:cluster": _cluster_arn(context, request)}


def _member_arn(context: Context, request: Request, kind: str, reference: str) -> str:
    if reference.startswith("arn:"):
        return reference
    name = reference if "/" in reference else f"{_cluster_name(context, request)}/{reference}"
    return arn_of(context, f"{kind}/{name}")


def _resource_tags(context: Context, kind: Any, name: str) -> dict[str, str | list[str]]:
    record = context.tx.get(kind, context.account, context.region, name)
    tags = record.value.tags if record is not None else ()
    return {f"aws:ResourceTag/{key}": value for key, value in tags}


def _clusters(member: str) -> ResourcesOf:
    """Clusters that the member names: one, or a list of them."""

    def resources(context: Context, request: Request) -> Iterator[Resource]:
        given = request.get(member) or "default"
        for reference in [given] if isinstance(given, str) else given:
            arn = _cluster_arn(context, {"cluster": reference})
            tags = _resource_tags(context, CLUSTER, arn.rpartition("/")[2])
            yield Resource(arn=arn, conditions=tags)

    return resources


def _members(kind: str, member: str) -> ResourcesOf:
    """What lies in the request's cluster: tasks, services, container instances."""

    def resources(context: Context, request: Request) -> Iterator[Resource]:
        given = request.get(member)
        references: Sequence[str] = [given] if isinstance(given, str) else given or ()
        for reference in references:
            arn = _member_arn(context, request, kind, reference)
            conditions = _cluster_condition(context, request)
            if kind == "task":
                conditions |= _resource_tags(context, TASK, arn.partition(":task/")[2])
            yield Resource(arn=arn, conditions=conditions)

    return resources


def _definition(context: Context, request: Request) -> Iterator[Resource]:
    reference = request.get("taskDefinition") or "*"
    arn = reference
    if not reference.startswith("arn:"):
        name = reference if ":" in reference else f"{reference}:*"
        arn = arn_of(context, f"task-definition/{name}")
    family, _, revision = arn.rpartition("/")[2].partition(":")
    conditions = _cluster_condition(context, request)
    if revision.isdecimal():
        key = definition_name(family, int(revision))
        conditions |= _resource_tags(context, TASK_DEFINITION, key)
    yield Resource(arn=arn, conditions=conditions)


def _family(context: Context, request: Request) -> Iterable[Resource]:
    return [Resource(arn=arn_of(context, f"task-definition/{request.get('family') or ''}:*"))]


def _listed_definitions(context: Context, request: Request) -> Iterator[Resource]:
    for reference in request.get("taskDefinitions") or ():
        yield from _definition(context, {"taskDefinition": reference})


def _new(kind: str, member: str) -> ResourcesOf:
    def resources(context: Context, request: Request) -> list[Resource]:
        name = request.get(member) or "default"
        return [Resource(arn=arn_of(context, f"{kind}/{name}"))]

    return resources


def _in_cluster(kind: str) -> Callable[[Context, Request], list[Resource]]:
    """For lists: anything of this kind in the cluster."""

    def resources(context: Context, request: Request) -> list[Resource]:
        arn = arn_of(context, f"{kind}/{_cluster_name(context, request)}/*")
        return [Resource(arn=arn, conditions=_cluster_condition(context, request))]

    return resources


def _any_in_cluster(context: Context, request: Request) -> list[Resource]:
    return [Resource(arn="*", conditions=_cluster_condition(context, request))]


def _named(context: Context, request: Request) -> list[Resource]:
    return [Resource(arn=request.get("resourceArn") or "*")]


def _service_created(context: Context, request: Request) -> list[Resource]:
    arn = _member_arn(context, request, "service", request.get("serviceName") or "")
    return [Resource(arn=arn, conditions=_cluster_condition(context, request))]


def _reported(context: Context, request: Request) -> Iterator[Resource]:
    """The cluster that an agent names, and that of the task whose state it changes.

    A task or cluster of another account is beyond IAM here: only a host's user is heard about one.
    """
    named = _cluster_arn(context, request)
    clusters = {named} if f":{context.account}:" in named else set()
    cluster = cluster_of_task(context, request.get("task") or "")
    if cluster:
        clusters.add(arn_of(context, f"cluster/{cluster}"))
    yield from _clusters("clusters")(context, {"clusters": sorted(clusters)})


INSTANCE = "container-instance"
RESOURCES: Mapping[str, ResourcesOf] = {
    "CreateCluster": _new("cluster", "clusterName"),
    "CreateService": _service_created,
    "DeleteAttributes": _any_in_cluster,
    "DeleteCluster": _clusters("cluster"),
    "DeleteService": _members("service", "service"),
    "DeleteTaskDefinitions": _listed_definitions,
    "DeregisterContainerInstance": _clusters("cluster"),
    "DescribeClusters": _clusters("clusters"),
    "DescribeContainerInstances": _members(INSTANCE, "containerInstances"),
    "DescribeServices": _members("service", "services"),
    "DescribeTasks": _members("task", "tasks"),
    "GetTaskProtection": _members("task", "tasks"),
    "ListContainerInstances": _clusters("cluster"),
    "ListServices": _any_in_cluster,
    "ListTagsForResource": _named,
    "ListTasks": _in_cluster(INSTANCE),
    "PutClusterCapacityProviders": _clusters("cluster"),
    "RegisterContainerInstance": _clusters("cluster"),
    "RegisterTaskDefinition": _family,
    "RunTask": _definition,
    "StartTask": _definition,
    "StopTask": _members("task", "task"),
    "SubmitAttachmentStateChanges": _clusters("cluster"),
    "SubmitContainerStateChange": _reported,
    "SubmitTaskStateChange": _reported,
    "TagResource": _named,
    "UntagResource": _named,
    "UpdateCluster": _clusters("cluster"),
    "UpdateClusterSettings": _clusters("cluster"),
    "UpdateContainerInstancesState": _members(INSTANCE, "containerInstances"),
    "UpdateService": _members("service", "service"),
    "UpdateTaskProtection": _members("task", "tasks"),
}
