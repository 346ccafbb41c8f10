"""From a path to its answer: the routes of the endpoints."""

import asyncio
from typing import Any
from urllib.parse import unquote

from longshore.agent.endpoints.callers import (
    Caller,
    Places,
    container_by_id,
    task_by_credentials,
    tasks_of,
)
from longshore.agent.endpoints.clock_drift import clock_drift
from longshore.agent.endpoints.docker_stats import docker_stats
from longshore.agent.endpoints.documents import (
    Document,
    Surroundings,
    association_names,
    association_value,
    container_document,
    docker_name,
    task_document,
    version_3,
)
from longshore.agent.endpoints.http import Request, Response, json_response, not_allowed
from longshore.agent.endpoints.protection import (
    PROTECTION_PATH,
    parse_wanted,
    protect,
    show_protection,
)
from longshore.agent.engine import Engine
from longshore.agent.host import Host
from longshore.agent.records import ContainerRecord, TaskRecord
from longshore.agent.sampling import Sampler
from longshore.model.errors import AwsError
from longshore.model.network import Network

NOT_FOUND = {"v3": 400, "v4": 404}
"""Amazon's agent refuses by different codes."""
NO_CONTAINER = (
    "unable to get container ID from request: unable to get docker ID from v3 endpoint ID: "
)
NO_TASK = "unable to get task arn from request: unable to get task Arn from v3 endpoint ID: "
TASK_PATHS = {
    "task": "task metadata",
    "taskWithTags": "task metadata",
    "task/stats": "task stats",
}
CONTAINER_PATHS = {"": "container metadata", "stats": "container stats"}
NOT_BUILT = {
    "Code": "NotImplemented",
    "Message": "Longshore does not implement this part of the agent's API (ECS_AGENT_URI) yet.",
}
CREDENTIALS_ERROR = "CredentialsV2Request: "


class Answers:
    """Knows every task of the host, and tells each caller of its own only."""

    def __init__(self, host: Host, engine: Engine) -> None:
        self._host = host
        self._engine = engine
        self._sampler = Sampler(host)

    async def answer(self, caller: Caller, request: Request) -> Response:
        """The response to what a caller asks."""
        # Else the first to ask after a restart would be told that its task does not exist.
        await self._engine.adopted.wait()
        version, _, rest = request.path.strip("/").partition("/")
        if version == "api":
            return await self._api(caller, request, rest)
        if request.method != "GET":
            return not_allowed("GET")
        if version in NOT_FOUND:
            identifier, _, what = rest.partition("/")
            return await self._metadata(caller, version, unquote(identifier), what)
        head, _, identifier = rest.partition("/")
        if version == "v2" and head == "credentials":
            return self._credentials(caller, unquote(identifier))
        return json_response("404 page not found", 404)

    async def _api(self, caller: Caller, request: Request, rest: str) -> Response:
        """The container agent's API."""
        identifier, _, what = rest.partition("/")
        if what != PROTECTION_PATH:
            return json_response({"error": NOT_BUILT}, 501)
        found = container_by_id(self._tasks(caller), unquote(identifier))
        record = found[0] if found is not None else None
        if request.method == "PUT":
            return await protect(self._host, record, parse_wanted(request.body))
        return await show_protection(self._host, record)

    def _tasks(self, caller: Caller) -> list[TaskRecord]:
        network = self._host.fabric.network if self._host.fabric is not None else Network()
        bridge = {} if caller.vpc_id else self._host.bridge.addresses()
        return tasks_of(caller, self._engine.running(), Places(network, bridge))

    def _credentials(self, caller: Caller, identifier: str) -> Response:
        if not identifier:
            return _credentials_error("NoIdInRequest", "No Credential ID in the request", 400)
        record = task_by_credentials(self._tasks(caller), identifier)
        role = record.task.role_credentials if record is not None else None
        if role is None:
            return _credentials_error("InvalidIdInRequest", "Credentials not found", 400)
        if not role.access_key_id:
            message = "Credentials uninitialized for ID"
            return _credentials_error("CredentialsUninitialized", message, 503)
        return json_response(
            {
                "RoleArn": role.role_arn,
                "AccessKeyId": role.access_key_id,
                "SecretAccessKey": role.secret_access_key,
                "Token": role.session_token,
                "Expiration": role.expiration,
            }
        )

    async def _metadata(self, caller: Caller, version: str, identifier: str, what: str) -> Response:
        found = container_by_id(self._tasks(caller), identifier)
        if found is None:
            return _refusal(version, identifier, what)
        record, container = found
        if what.startswith("associations/"):
            return _associations(record, container, what.split("/")[1:])
        document = await self._document(record, container, version, what)
        if document is None:
            return json_response("404 page not found", 404)
        return json_response(document)

    async def _document(
        self, record: TaskRecord, container: ContainerRecord, version: str, what: str
    ) -> Document | None:
        around = self._surroundings(record)
        match what:
            case "":
                document = container_document(record, container, around)
            case "task":
                document = self._task(record, around)
            case "taskWithTags":
                document = self._task(record, around) | await self._tags(record)
            case "stats":
                return await self._statistics(record, container)
            case "task/stats":
                return await self._task_statistics(record)
            case _:
                return None
        return version_3(document) if version == "v3" else document

    def _surroundings(self, record: TaskRecord) -> Surroundings:
        fabric = self._host.fabric
        named = {each.ec2_id for each in record.task.elastic_network_interfaces[:1]}
        interfaces = fabric.network.interfaces if fabric is not None else ()
        own = next((each for each in interfaces if each.id in named), None)
        on_bridge = record.task.network_mode in {"", "bridge"}
        return Surroundings(
            zone=own.zone if own is not None and own.zone else self._host.zone,
            vpc_id=own.vpc_id if own is not None else "",
            bridge_addresses=self._host.bridge.addresses() if on_bridge else {},
        )

    def _task(self, record: TaskRecord, around: Surroundings) -> Document:
        document = task_document(record, around)
        if record.task.launch_type == "FARGATE":
            document["ClockDrift"] = clock_drift()
        return document

    async def _tags(self, record: TaskRecord) -> Document:
        """What the control plane knows now; where it does not answer, the errors say so."""
        wanted = {"TaskTags": record.task.arn}
        if record.task.launch_type != "FARGATE":
            wanted["ContainerInstanceTags"] = self._host.instance_arn
        found: Document = {}
        errors = []
        async with self._host.client() as client:
            for name, arn in wanted.items():
                try:
                    reply = await client.call("ecs", "ListTagsForResource", {"resourceArn": arn})
                except (AwsError, OSError) as error:
                    errors.append(_tags_error(name, arn, error))
                else:
                    found[name] = {each["key"]: each["value"] for each in reply.get("tags") or ()}
        return {name: tags for name, tags in found.items() if tags} | (
            {"Errors": errors} if errors else {}
        )

    async def _task_statistics(self, record: TaskRecord) -> Document:
        containers = list(record.containers.values())
        found = await asyncio.gather(*(self._statistics(record, each) for each in containers))
        return {each.id: value for each, value in zip(containers, found, strict=True)}

    async def _statistics(self, record: TaskRecord, container: ContainerRecord) -> Document | None:
        self._sampler.keep_only(
            {each.id for task in self._engine.running() for each in task.containers.values()}
        )
        pair = await self._sampler.pair(record, container)
        if pair is None:
            return None
        return docker_stats(container.id, docker_name(record.task, container), *pair)


def _credentials_error(code: str, message: str, status: int) -> Response:
    body = {"code": code, "message": CREDENTIALS_ERROR + message, "HTTPErrorCode": status}
    return json_response(body, status)


def _refusal(version: str, identifier: str, what: str) -> Response:
    prefix = version.upper()
    if what in TASK_PATHS:
        text = f"{prefix} {TASK_PATHS[what]} handler: {NO_TASK}{identifier}"
    else:
        subject = CONTAINER_PATHS.get(what, "container metadata")
        text = f"{prefix} {subject} handler: {NO_CONTAINER}{identifier}"
    return json_response(text, NOT_FOUND[version])


def _associations(record: TaskRecord, container: ContainerRecord, parts: list[str]) -> Response:
    """`<type>` lists names, `<type>/<name>` gives what one says."""
    kind, name = (*map(unquote, parts), "")[:2]
    if not name:
        names = association_names(record.task, container.name, kind)
        return json_response({"Associations": names})
    value = association_value(record.task, container.name, kind, name)
    if value is None:
        return json_response("404 page not found", 404)
    return Response(200, value.encode())


def _tags_error(name: str, arn: str, error: AwsError | OSError) -> dict[str, Any]:
    if not isinstance(error, AwsError):
        error = AwsError("RequestError", f"send request failed: {error}", 503)
    return {
        "ErrorField": name,
        "ErrorCode": error.code,
        "ErrorMessage": error.message,
        "StatusCode": error.status,
        "ResourceARN": arn,
    }
