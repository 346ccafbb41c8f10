"""Task definitions: register, read, deregister, delete."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from longshore.model.arn import parse_arn
from longshore.model.ecs import (
    FAMILY,
    TASK_DEFINITION,
    Document,
    Family,
    TaskDefinition,
    definition_name,
)
from longshore.services.ecs.capabilities import required_attributes
from longshore.services.ecs.definition_checks import check_definition, compatibilities
from longshore.services.ecs.naming import arn_of, client_error, invalid
from longshore.services.ecs.pages import page
from longshore.services.ecs.roles import pass_role
from longshore.services.ecs.tags import read_tags, show_tags
from longshore.services.interface import Context, Response
from longshore.store.interface import Record

KEPT = (
    "taskRoleArn",
    "executionRoleArn",
    "networkMode",
    "containerDefinitions",
    "volumes",
    "placementConstraints",
    "requiresCompatibilities",
    "cpu",
    "memory",
    "pidMode",
    "ipcMode",
    "proxyConfiguration",
    "inferenceAccelerators",
    "ephemeralStorage",
    "runtimePlatform",
    "enableFaultInjection",
    "trustedExecutionConfiguration",
)
"""Members of the request that become part of the definition."""
CONTAINER_DEFAULTS: Mapping[str, Any] = {
    "cpu": 0,
    "portMappings": [],
    "essential": True,
    "environment": [],
    "mountPoints": [],
    "volumesFrom": [],
    "systemControls": [],
}


def register_task_definition(context: Context, request: Any) -> Response:
    check_definition(request)
    for member in ("taskRoleArn", "executionRoleArn"):
        if request.get(member):
            pass_role(context, request[member])
    tags = read_tags(request.get("tags"))
    family = request["family"]
    place = (context.account, context.region)
    counter = context.tx.get(FAMILY, *place, family)
    revision = counter.value.last_revision + 1 if counter is not None else 1
    document = complete(request)
    definition = TaskDefinition(
        arn=arn_of(context, f"task-definition/{family}:{revision}"),
        family=family,
        revision=revision,
        document=document,
        compatibilities=compatibilities(document),
        requires_attributes=required_attributes(document),
        registered_at=context.now,
        registered_by=context.principal.arn,
        tags=tags,
    )
    context.tx.put(FAMILY, *place, family, Family(name=family, last_revision=revision))
    context.tx.create(TASK_DEFINITION, *place, definition_name(family, revision), definition)
    return {"taskDefinition": show_definition(definition), "tags": show_tags(tags)}


def complete(request: Mapping[str, Any]) -> Document:
    """The definition with the defaults that AWS writes into it."""
    document = {name: request[name] for name in KEPT if request.get(name) is not None}
    document.setdefault("volumes", [])
    document.setdefault("placementConstraints", [])
    mode = document.get("networkMode")
    document["containerDefinitions"] = [
        {
            **CONTAINER_DEFAULTS,
            **container,
            "portMappings": [_mapping(each, mode) for each in container.get("portMappings") or ()],
        }
        for container in request["containerDefinitions"]
    ]
    return document


def _mapping(mapping: Mapping[str, Any], mode: str | None) -> dict[str, Any]:
    completed = {"protocol": "tcp", **mapping}
    if "containerPort" in mapping:
        same = mode in {"awsvpc", "host"}
        completed.setdefault("hostPort", mapping["containerPort"] if same else 0)
    return completed


def show_definition(definition: TaskDefinition) -> dict[str, Any]:
    shown: dict[str, Any] = {
        **definition.document,
        "taskDefinitionArn": definition.arn,
        "family": definition.family,
        "revision": definition.revision,
        "status": definition.status,
        "compatibilities": list(definition.compatibilities),
        "registeredAt": definition.registered_at,
        "registeredBy": definition.registered_by,
    }
    if definition.requires_attributes:
        shown["requiresAttributes"] = [{"name": name} for name in definition.requires_attributes]
    if definition.deregistered_at:
        shown["deregisteredAt"] = definition.deregistered_at
    if definition.delete_requested_at:
        shown["deleteRequestedAt"] = definition.delete_requested_at
    return shown


def find_definition(context: Context, reference: str) -> Record[TaskDefinition] | None:
    """By ARN, `family:revision`, or family (its latest active revision)."""
    name = reference
    if reference.startswith("arn:"):
        arn = parse_arn(reference)
        if arn is None or arn.resource_type != "task-definition":
            raise client_error("The specified task definition ARN is invalid.")
        if (arn.account, arn.region) != (context.account, context.region):
            return None
        name = arn.resource.partition("/")[2]
    family, _, revision = name.partition(":")
    if revision:
        if not revision.isdecimal() or len(revision) > 9:
            raise client_error(f"Invalid revision number. Number: {revision}")
        key = definition_name(family, int(revision))
        return context.tx.get(TASK_DEFINITION, context.account, context.region, key)
    return _latest(context, family)


def _latest(context: Context, family: str) -> Record[TaskDefinition] | None:
    counter = context.tx.get(FAMILY, context.account, context.region, family)
    revision = counter.value.last_revision if counter is not None else 0
    while revision:
        key = definition_name(family, revision)
        record = context.tx.get(TASK_DEFINITION, context.account, context.region, key)
        if record is not None and record.value.status == "ACTIVE":
            return record
        revision -= 1
    return None


def require_active(context: Context, reference: str) -> TaskDefinition:
    """The definition to run; ClientException where there is none or it may not be used."""
    record = find_definition(context, reference)
    if record is None:
        raise client_error("TaskDefinition not found.")
    if record.value.status != "ACTIVE":
        raise client_error("TaskDefinition is inactive")
    return record.value


def describe_task_definition(context: Context, request: Any) -> Response:
    record = find_definition(context, request["taskDefinition"])
    if record is None:
        raise client_error("Unable to describe task definition.")
    response: dict[str, Any] = {"taskDefinition": show_definition(record.value)}
    if "TAGS" in (request.get("include") or ()):
        response["tags"] = show_tags(record.value.tags)
    return response


def deregister_task_definition(context: Context, request: Any) -> Response:
    record = find_definition(context, _with_revision(request["taskDefinition"]))
    if record is None:
        raise client_error(
            "The specified task definition does not exist. Specify a valid account, family, "
            "revision and try again."
        )
    changed = record.value
    if changed.status == "ACTIVE":
        changed = msgspec.structs.replace(changed, status="INACTIVE", deregistered_at=context.now)
        context.tx.put(TASK_DEFINITION, context.account, context.region, record.key.name, changed)
    return {"taskDefinition": show_definition(changed)}


def _with_revision(reference: str) -> str:
    name = reference.rpartition("/")[2]
    if ":" not in name:
        raise client_error(f"Missing revision number in task definition: {reference}")
    return reference


def delete_task_definitions(context: Context, request: Any) -> Response:
    deleted, failures = [], []
    if len(request["taskDefinitions"]) > 10:
        raise invalid("The number of task definitions to delete cannot be more than 10.")
    for reference in request["taskDefinitions"]:
        record = find_definition(context, _with_revision(reference))
        if record is None or record.value.status == "ACTIVE":
            reason = (
                "The specified task definition does not exist."
                if record is None
                else "The specified task definition is still in ACTIVE status. Please deregister "
                "the target and try again."
            )
            failures.append({"arn": reference, "reason": reason})
            continue
        changed = msgspec.structs.replace(
            record.value, status="DELETE_IN_PROGRESS", delete_requested_at=context.now
        )
        context.tx.put(TASK_DEFINITION, context.account, context.region, record.key.name, changed)
        deleted.append(show_definition(changed))
    return {"taskDefinitions": deleted, "failures": failures}


def list_task_definitions(context: Context, request: Any) -> Response:
    prefix, status = request.get("familyPrefix") or "", request.get("status") or "ACTIVE"
    found = [
        record.value
        for record in context.tx.scan(TASK_DEFINITION, context.account, context.region)
        if record.value.status == status and (not prefix or record.value.family == prefix)
    ]
    found.sort(key=lambda d: (d.family, d.revision), reverse=request.get("sort") == "DESC")
    return page([each.arn for each in found], request, "taskDefinitionArns")


def list_task_definition_families(context: Context, request: Any) -> Response:
    prefix, wanted = request.get("familyPrefix") or "", request.get("status") or "ACTIVE"
    families: dict[str, bool] = {}
    for record in context.tx.scan(TASK_DEFINITION, context.account, context.region, prefix=prefix):
        active = record.value.status == "ACTIVE"
        families[record.value.family] = families.get(record.value.family, False) or active
    return page(_chosen(families, wanted), request, "families")


def _chosen(families: Mapping[str, bool], wanted: str) -> list[str]:
    items: Iterable[tuple[str, bool]] = families.items()
    if wanted != "ALL":
        items = [(name, active) for name, active in items if active == (wanted == "ACTIVE")]
    return sorted(name for name, _ in items)
