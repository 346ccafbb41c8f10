"""Container instances: registration by agents, and what users ask of them."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from longshore.model.ecs import (
    CONTAINER_INSTANCE,
    TASK,
    ZONE_ATTRIBUTE,
    ZONES_ATTRIBUTE,
    ContainerInstance,
    Stop,
    Task,
)
from longshore.model.errors import AwsError
from longshore.model.host import HOST, Host, speaks_for_hosts
from longshore.nodeapi.own import HOST_ATTRIBUTE
from longshore.scheduler.view import is_connected, reservation_of
from longshore.services.ecs.clusters import ensure_default_cluster
from longshore.services.ecs.naming import (
    DEFAULT_CLUSTER,
    arn_of,
    client_error,
    cluster_name,
    find_instance,
    invalid,
    member_name,
    missing,
    require_cluster,
)
from longshore.services.ecs.pages import page
from longshore.services.ecs.selection import matching
from longshore.services.ecs.tags import read_tags, show_tags
from longshore.services.interface import Context, Response
from longshore.store.interface import Reader
from longshore.vpc.zones import zone_names

CURRENT = frozenset({"ACTIVE", "DRAINING"})


def register_container_instance(context: Context, request: Any) -> Response:
    """A new instance, or a known one again (by its ARN; for a host also by its host id)."""
    attributes = tuple((a["name"], a.get("value")) for a in request.get("attributes") or ())
    host = dict(attributes).get(HOST_ATTRIBUTE) or ""
    if host:
        _require_host_user(context)
    if cluster_name(context, request.get("cluster")) == DEFAULT_CLUSTER:
        cluster = ensure_default_cluster(context)
    else:
        cluster = require_cluster(context, request.get("cluster"))
    known = _known(context, cluster.name, request, host)
    if known is not None and known.host:
        _require_host_user(context)
    instance_id = known.id if known is not None else context.ids.hex(32)
    zones = _zones(context, dict(attributes), host)
    instance = ContainerInstance(
        id=instance_id,
        arn=arn_of(context, f"container-instance/{cluster.name}/{instance_id}"),
        cluster=cluster.name,
        attributes=_with_zone(attributes, zones),
        custom_attributes=known.custom_attributes if known is not None else (),
        version_info=request.get("versionInfo") or {},
        status=known.status if known is not None else "ACTIVE",
        ec2_instance_id=_ec2_instance_id(request, instance_id),
        host=host,
        zones=zones,
        registered_at=known.registered_at if known is not None else context.now,
        tags=known.tags if known is not None else read_tags(request.get("tags")),
        **_sizes(request.get("totalResources") or ()),
    )
    name = f"{cluster.name}/{instance_id}"
    context.tx.put(CONTAINER_INSTANCE, context.account, context.region, name, instance)
    if host:
        _put_host(context, instance)
    return {"containerInstance": show_instance(context.tx, instance, tags=True)}


def _require_host_user(context: Context) -> None:
    """Only the installation's own user enrols hosts: they carry every account's tasks."""
    own = context.region == context.installation.region
    if not own or not speaks_for_hosts(context.principal, context.installation):
        raise client_error(f"The attribute {HOST_ATTRIBUTE} is reserved.")


def _known(
    context: Context, cluster: str, request: Mapping[str, Any], host: str
) -> ContainerInstance | None:
    reference = request.get("containerInstanceArn") or ""
    if not reference and host:
        record = context.tx.get(HOST, "", "", host)
        reference = record.value.container_instance_arn if record is not None else ""
    if not reference:
        return None
    found = find_instance(context, cluster, reference)
    if found is None or found.value.status == "INACTIVE":
        if host:
            return None
        raise client_error("The specified container instance does not exist.")
    return found.value


def _zones(context: Context, attributes: Mapping[str, str | None], host: str) -> tuple[str, ...]:
    stated = attributes.get(ZONES_ATTRIBUTE) or attributes.get(ZONE_ATTRIBUTE)
    if stated:
        return tuple(stated.split(","))
    zones = tuple(zone_names(context.region))
    return zones if host else zones[:1]


def _with_zone(
    attributes: tuple[tuple[str, str | None], ...], zones: tuple[str, ...]
) -> tuple[tuple[str, str | None], ...]:
    if any(name == ZONE_ATTRIBUTE for name, _ in attributes):
        return attributes
    return (*attributes, (ZONE_ATTRIBUTE, zones[0]))


def _ec2_instance_id(request: Mapping[str, Any], instance_id: str) -> str:
    """From the identity document; `mi-…` for an external instance."""
    try:
        document = msgspec.json.decode(request.get("instanceIdentityDocument") or "{}")
    except msgspec.DecodeError as error:
        raise client_error("The instance identity document is malformed.") from error
    found = document.get("instanceId") if isinstance(document, dict) else None
    return str(found or f"mi-{instance_id[:17]}")


def _sizes(resources: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    found = {resource.get("name"): resource for resource in resources}

    def ports(name: str) -> tuple[int, ...]:
        given = found.get(name, {}).get("stringSetValue") or ()
        try:
            return tuple(int(port) for port in given)
        except ValueError as error:
            raise client_error(f"The resource {name} is not a set of ports.") from error

    return {
        "cpu": int(found.get("CPU", {}).get("integerValue") or 0),
        "memory": int(found.get("MEMORY", {}).get("integerValue") or 0),
        "tcp_ports": ports("PORTS"),
        "udp_ports": ports("PORTS_UDP"),
    }


def _put_host(context: Context, instance: ContainerInstance) -> None:
    record = context.tx.get(HOST, "", "", instance.host)
    host = Host(
        id=instance.host,
        container_instance_arn=instance.arn,
        zones=instance.zones,
        cpu=instance.cpu,
        memory=instance.memory,
        connected=record is not None and record.value.connected,
        last_seen=context.now,
    )
    context.tx.put(HOST, "", "", instance.host, host)


def deregister_container_instance(context: Context, request: Any) -> Response:
    cluster = require_cluster(context, request.get("cluster"))
    record = find_instance(context, cluster.name, request["containerInstance"])
    if record is None or record.value.status == "INACTIVE":
        raise invalid("The referenced container instance was not found.")
    instance = record.value
    claims = reservation_of(context.tx, instance.arn).claims
    if claims and not request.get("force"):
        raise invalid(
            "Found running tasks on the instance. Use force to deregister the instance anyway."
        )
    for claim in claims.values():
        task = context.tx.get(TASK, claim.account, claim.region, claim.name)
        if task is not None:
            lost = _lost(task.value, context.now)
            context.tx.put(TASK, claim.account, claim.region, claim.name, lost)
    gone = msgspec.structs.replace(instance, status="INACTIVE")
    context.tx.put(CONTAINER_INSTANCE, context.account, context.region, record.key.name, gone)
    if instance.host:
        context.tx.delete(HOST, "", "", instance.host)
    return {"containerInstance": show_instance(context.tx, gone)}


def _lost(task: Task, now: float) -> Task:
    """A task whose instance is gone: nobody will report its end, so it is taken as ended."""
    stop = task.stop or Stop(
        code="TerminationNotice", reason="Container instance was deregistered.", at=now
    )
    reported = msgspec.structs.replace(task.reported, status="STOPPED", at=now)
    return msgspec.structs.replace(task, desired_status="STOPPED", stop=stop, reported=reported)


def describe_container_instances(context: Context, request: Any) -> Response:
    cluster = require_cluster(context, request.get("cluster"))
    tags = "TAGS" in (request.get("include") or ())
    found, failures = [], []
    if not request["containerInstances"]:
        raise invalid("Container instance cannot be empty.")
    for reference in request["containerInstances"]:
        record = find_instance(context, cluster.name, reference)
        if record is None:
            name = member_name(context, cluster.name, reference, "container-instance")
            failures.append(missing(arn_of(context, f"container-instance/{name}")))
        else:
            found.append(show_instance(context.tx, record.value, tags=tags))
    return {"containerInstances": found, "failures": failures}


def list_container_instances(context: Context, request: Any) -> Response:
    cluster = require_cluster(context, request.get("cluster"))
    place = (context.account, context.region)
    wanted = request.get("status")
    found = [
        record.value
        for record in context.tx.scan(CONTAINER_INSTANCE, *place, prefix=f"{cluster.name}/")
        if record.value.status == wanted or (not wanted and record.value.status in CURRENT)
    ]
    chosen = matching(context.tx, found, request.get("filter") or "")
    return page([each.arn for each in chosen], request, "containerInstanceArns")


def update_container_instances_state(context: Context, request: Any) -> Response:
    cluster = require_cluster(context, request.get("cluster"))
    status = request["status"]
    if status not in CURRENT:
        raise invalid("Container instance status must be ACTIVE or DRAINING.")
    found, failures = [], []
    for reference in request["containerInstances"]:
        record = find_instance(context, cluster.name, reference)
        if record is None or record.value.status == "INACTIVE":
            name = member_name(context, cluster.name, reference, "container-instance")
            failures.append(missing(arn_of(context, f"container-instance/{name}")))
            continue
        changed = msgspec.structs.replace(record.value, status=status)
        context.tx.put(
            CONTAINER_INSTANCE, context.account, context.region, record.key.name, changed
        )
        found.append(show_instance(context.tx, changed))
    return {"containerInstances": found, "failures": failures}


def show_instance(
    reader: Reader, instance: ContainerInstance, *, tags: bool = False
) -> dict[str, Any]:
    claims = reservation_of(reader, instance.arn).claims
    states = [
        record.value.last_status
        for claim in claims.values()
        if (record := reader.get(TASK, claim.account, claim.region, claim.name)) is not None
    ]
    taken = {
        "cpu": sum(claim.cpu for claim in claims.values()),
        "memory": sum(claim.memory for claim in claims.values()),
    }
    tcp = set(instance.tcp_ports).union(*(claim.tcp_ports for claim in claims.values()))
    udp = set(instance.udp_ports).union(*(claim.udp_ports for claim in claims.values()))
    return {
        "containerInstanceArn": instance.arn,
        "ec2InstanceId": instance.ec2_instance_id,
        "version": 1,
        "versionInfo": instance.version_info,
        "remainingResources": _resources(
            instance.cpu - taken["cpu"], instance.memory - taken["memory"], tcp, udp
        ),
        "registeredResources": _resources(
            instance.cpu, instance.memory, instance.tcp_ports, instance.udp_ports
        ),
        "status": instance.status,
        "agentConnected": is_connected(reader, instance.arn),
        "runningTasksCount": states.count("RUNNING"),
        "pendingTasksCount": states.count("PENDING") + states.count("PROVISIONING"),
        "attributes": [
            {"name": name} | ({"value": value} if value is not None else {})
            for name, value in (*instance.attributes, *instance.custom_attributes)
        ],
        "registeredAt": instance.registered_at,
        "attachments": [],
        "tags": show_tags(instance.tags) if tags else [],
    }


def _resources(
    cpu: int, memory: int, tcp: Iterable[int], udp: Iterable[int]
) -> list[dict[str, Any]]:
    numbers = {"doubleValue": 0.0, "longValue": 0}

    def number(name: str, value: int) -> dict[str, Any]:
        return {"name": name, "type": "INTEGER", **numbers, "integerValue": value}

    def ports(name: str, values: Iterable[int]) -> dict[str, Any]:
        texts = [str(port) for port in sorted(values)]
        return {"name": name, "type": "STRINGSET", **numbers, "stringSetValue": texts}

    return [
        number("CPU", cpu),
        number("MEMORY", memory),
        ports("PORTS", tcp),
        ports("PORTS_UDP", udp),
    ]


def put_attributes(context: Context, request: Any) -> Response:
    return _change_attributes(context, request, removing=False)


def delete_attributes(context: Context, request: Any) -> Response:
    return _change_attributes(context, request, removing=True)


def _change_attributes(context: Context, request: Any, *, removing: bool) -> Response:
    cluster = require_cluster(context, request.get("cluster"))
    changed = []
    for attribute in request["attributes"]:
        reference = attribute.get("targetId") or ""
        record = find_instance(context, cluster.name, reference) if reference else None
        if record is None or record.value.status == "INACTIVE":
            raise AwsError(
                "TargetNotFoundException", f"The specified target was not found: {reference}"
            )
        own = dict(record.value.custom_attributes)
        own.pop(attribute["name"], None)
        if not removing:
            own[attribute["name"]] = attribute.get("value")
        context.tx.put(
            CONTAINER_INSTANCE,
            context.account,
            context.region,
            record.key.name,
            msgspec.structs.replace(record.value, custom_attributes=tuple(own.items())),
        )
        changed.append(_attribute(record.value, attribute["name"], attribute.get("value")))
    return {"attributes": changed}


def _attribute(instance: ContainerInstance, name: str, value: str | None) -> dict[str, str]:
    shown = {"name": name, "targetType": "container-instance", "targetId": instance.arn}
    return shown | ({"value": value} if value is not None else {})


def list_attributes(context: Context, request: Any) -> Response:
    cluster = require_cluster(context, request.get("cluster"))
    wanted, value = request.get("attributeName"), request.get("attributeValue")
    found = [
        _attribute(record.value, name, own)
        for record in context.tx.scan(
            CONTAINER_INSTANCE, context.account, context.region, prefix=f"{cluster.name}/"
        )
        if record.value.status in CURRENT
        for name, own in (*record.value.attributes, *record.value.custom_attributes)
        if wanted in {None, "", name} and value in {None, "", own}
    ]
    keys = [f"{each['targetId']} {each['name']}" for each in found]
    response = page(keys, request, "attributes")
    by_key = dict(zip(keys, found, strict=True))
    return {**response, "attributes": [by_key[key] for key in response["attributes"]]}
