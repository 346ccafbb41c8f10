"""What the agent keeps of each task on its own disk, to go on after its death."""

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from longshore.base.clock import Clock
from longshore.base.files import replace_file
from longshore.base.logs import logger
from longshore.nodeapi import acs

RETRY_SECONDS = 1.0
"""Between looks for room on a full disk."""

log = logger(__name__)


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
        self._unsaved: dict[str, TaskRecord] = {}

    def save(self, record: TaskRecord) -> None:
        """Keep the record as it is now; where the disk is full, `save_late` does.

        An agent that is killed before finds an older one, and what the runtime knows.
        """
        try:
            replace_file(self._path(record.id), msgspec.json.encode(record))
        except OSError as error:
            if not is_full(error):
                raise
            if record.id not in self._unsaved:
                log.error("the disk is full, a task's record waits", task_arn=record.task.arn)
            self._unsaved[record.id] = record
        else:
            self._unsaved.pop(record.id, None)

    async def save_late(self, clock: Clock) -> None:
        """Save what there was no room for, until cancelled."""
        while True:
            await clock.sleep(RETRY_SECONDS)
            for record in list(self._unsaved.values()):
                self.save(record)

    def forget(self, identifier: str) -> None:
        self._unsaved.pop(identifier, None)
        self._path(identifier).unlink(missing_ok=True)

    def load(self) -> Iterator[TaskRecord]:
        """Every record; files that a crash cut short are none."""
        for path in sorted(self._directory.glob("*.json")):
            with contextlib.suppress(msgspec.DecodeError):
                yield msgspec.json.decode(path.read_bytes(), type=TaskRecord)

    def _path(self, identifier: str) -> Path:
        return self._directory / f"{identifier}.json"


def is_full(error: OSError) -> bool:
    """Whether there was no room on the disk."""
    return error.errno in {errno.ENOSPC, errno.EDQUOT}
