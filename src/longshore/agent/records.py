"""What the agent keeps of each task on its own disk, to go on after its death."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from longshore.nodeapi import acs


class ContainerRecord(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One container; times in epoch seconds. `status` is PENDING, RUNNING or STOPPED."""

    name: str
    id: str
    status: str = "PENDING"
    exit_code: int | None = None
    reason: str = ""
    image_digest: str = ""
    created_at: float = 0.0
    started_at: float = 0.0
    finished_at: float = 0.0
    restarts: int = 0
    health: str = "UNKNOWN"
    health_since: float = 0.0
    bindings: list[dict[str, Any]] = []


class TaskRecord(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One task; `status` is PENDING, RUNNING or STOPPED, as the agent knows it."""

    task: acs.Task
    containers: dict[str, ContainerRecord]
    desired: str = "RUNNING"
    status: str = "PENDING"
    reason: str = ""
    pull_started_at: float = 0.0
    pull_stopped_at: float = 0.0
    execution_stopped_at: float = 0.0
    stopped_at: float = 0.0
    """When nothing was left of it."""

    @property
    def id(self) -> str:
        return task_id(self.task.arn)

    @property
    def sandbox_id(self) -> str:
        """In the runtime; no beginning of a container's id (`plan.container_id`)."""
        return f"{self.id}-sandbox"


def task_id(arn: str) -> str:
    """The last part of a task's ARN."""
    return arn.rpartition("/")[2]


class Records:
    """Task records in a folder, one file each; written whole and synced."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)

    def save(self, record: TaskRecord) -> None:
        write_synced(self._path(record.id), msgspec.json.encode(record))

    def forget(self, identifier: str) -> None:
        self._path(identifier).unlink(missing_ok=True)

    def load(self) -> Iterator[TaskRecord]:
        """Every record; files that a crash cut short are none."""
        for path in sorted(self._directory.glob("*.json")):
            with contextlib.suppress(msgspec.DecodeError):
                yield msgspec.json.decode(path.read_bytes(), type=TaskRecord)

    def _path(self, identifier: str) -> Path:
        return self._directory / f"{identifier}.json"


def write_synced(path: Path, content: bytes) -> None:
    """Replace a file (0600) in one step that survives a crash of the machine."""
    draft = path.with_suffix(".new")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
