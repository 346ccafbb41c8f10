"""What the control plane is told of tasks: SubmitTaskStateChange requests, into the outbox."""

from typing import Any

from longshore.agent.containers import Changes
from longshore.agent.host import Host
from longshore.agent.outbox import Outbox
from longshore.agent.records import ContainerRecord, TaskRecord

OPERATION = "SubmitTaskStateChange"


class Reports:
    """Each container's state goes out when it differs from what was said last."""

    def __init__(self, host: Host, outbox: Outbox) -> None:
        self._host = host
        self._outbox = outbox
        self._said: dict[str, tuple[str, ...]] = {}
        self.changes = Changes()
        """Told after each change of any container, also of its health."""

    def attached(self, record: TaskRecord) -> None:
        """The task's ENIs are this host's now."""
        interfaces = record.task.elastic_network_interfaces
        attachments = [
            {"attachmentArn": interface.attachment_arn, "status": "ATTACHED"}
            for interface in interfaces
            if interface.attachment_arn
        ]
        if attachments and record.status == "PENDING":
            self._add(record, {"attachments": attachments})

    def containers(self, record: TaskRecord) -> None:
        """What changed of the containers, with the task's own state."""
        self.changes.tell()
        changed = [each for each in record.containers.values() if self._is_news(each)]
        if changed:
            containers = [_container(each) for each in changed if each.status != "PENDING"]
            self._add(record, {**_task(record), "containers": containers})

    def task(self, record: TaskRecord) -> None:
        """The whole task."""
        self.changes.tell()
        containers = [_container(each) for each in record.containers.values()]
        self._add(record, {**_task(record), "containers": containers})
        for each in record.containers.values():
            self._said.pop(each.id, None)

    def _is_news(self, record: ContainerRecord) -> bool:
        state = (record.status, str(record.exit_code), record.reason, str(record.restarts))
        if self._said.get(record.id, ("PENDING",))[0] == record.status == "PENDING":
            return False
        if self._said.get(record.id) == state:
            return False
        self._said[record.id] = state
        return True

    def _add(self, record: TaskRecord, request: dict[str, Any]) -> None:
        task = record.task
        cluster = task.task_cluster_arn or self._host.cluster
        self._outbox.add(OPERATION, {"cluster": cluster, "task": task.arn, **request})


def _task(record: TaskRecord) -> dict[str, Any]:
    times = {
        "pullStartedAt": record.pull_started_at,
        "pullStoppedAt": record.pull_stopped_at,
        "executionStoppedAt": record.execution_stopped_at,
    }
    return {
        "status": record.status,
        "reason": record.reason,
        **{name: value for name, value in times.items() if value},
    }


def _container(record: ContainerRecord) -> dict[str, Any]:
    found: dict[str, Any] = {
        "containerName": record.name,
        "runtimeId": record.id,
        "status": record.status,
    }
    if record.exit_code is not None:
        found["exitCode"] = record.exit_code
    if record.image_digest:
        found["imageDigest"] = record.image_digest
    if record.reason:
        found["reason"] = record.reason[:255]
    if record.bindings:
        found["networkBindings"] = record.bindings
    return found
