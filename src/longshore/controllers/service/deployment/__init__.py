"""Keeps each service's tasks as its deployments want them.

Enters: `Service` (desired count, deployments), its tasks, the instances. Leaves: new tasks, stops
of old ones, `ServiceStatus` (progress, events). `rollout` and `progress` decide; this acts.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import msgspec

from longshore.controllers.interface import Surroundings
from longshore.controllers.service.deployment import events
from longshore.controllers.service.deployment.placing import Placing
from longshore.controllers.service.deployment.progress import count_failures, judge
from longshore.controllers.service.deployment.rollout import Member, rollout
from longshore.model.ecs import (
    CONNECTION,
    CONTAINER_INSTANCE,
    SERVICE,
    SERVICE_STATUS,
    TASK,
    Deployment,
    Progress,
    Service,
    ServiceStatus,
    Stop,
    Task,
)
from longshore.model.kind import Kind
from longshore.scheduler.view import instance_of
from longshore.store.interface import Change, Key, Reader, Transaction

LIVE = frozenset({"PROVISIONING", "PENDING", "ACTIVATING", "RUNNING"})
UNPLACED_SECONDS = 10.0
AT_ONCE = 20
"""Tasks started in one transaction."""


class ServiceDeployment:
    """`longshore.controllers.interface.Controller` of every service."""

    name = "controllers/service/deployment"
    watched: Collection[Kind[Any]] = (SERVICE, TASK, CONNECTION, CONTAINER_INSTANCE)

    def __init__(self, surroundings: Surroundings) -> None:
        self._store = surroundings.store
        self._clock = surroundings.clock
        self._ids = surroundings.ids
        self._placing = Placing(surroundings.ids)

    def keys(self, change: Change, reader: Reader) -> Iterable[Key]:
        if change.key.kind == SERVICE.name:
            yield change.key
        elif change.key.kind in {CONNECTION.name, CONTAINER_INSTANCE.name}:
            yield from self.every_key(reader)
        else:
            record: Any = change.after or change.before
            if record is not None and record.value.service:
                name = f"{record.value.cluster}/{record.value.service}"
                yield Key(SERVICE.name, change.key.account, change.key.region, name)

    def every_key(self, reader: Reader) -> Iterable[Key]:
        return [r.key for r in reader.scan(SERVICE) if r.value.status != "INACTIVE"]

    async def reconcile(self, key: Key) -> float | None:
        return await self._store.transact(lambda tx: self._step(tx, key))

    def _step(self, tx: Transaction, key: Key) -> float | None:
        record = tx.get(SERVICE, key.account, key.region, key.name)
        if record is None or record.value.status == "INACTIVE":
            return None
        turn = _Turn(self, tx, key, record.value)
        again = turn.run()
        turn.save()
        return again

    def event_id(self) -> str:
        return self._ids.uuid()

    def now(self) -> float:
        return self._clock.now()

    @property
    def placing(self) -> Placing:
        return self._placing


def is_draining(reader: Reader, task: Task) -> bool:
    """Its instance is to be emptied: the task is replaced, within the deployment's percents."""
    record = instance_of(reader, task.instance_arn) if task.instance_arn else None
    return record is not None and record.value.status == "DRAINING"


class _Turn:
    """One look at one service, inside a transaction."""

    def __init__(
        self, controller: ServiceDeployment, tx: Transaction, key: Key, service: Service
    ) -> None:
        self._controller = controller
        self._tx = tx
        self._key = key
        self._was = self.service = service
        self._now = controller.now()
        record = tx.get(SERVICE_STATUS, key.account, key.region, key.name)
        self._status_was = record.value if record is not None else ServiceStatus()
        self._status = self._status_was
        found = tx.find(TASK, key.account, key.region, "service", key.name)
        self._tasks = [record.value for record in found]

    def run(self) -> float | None:
        self._count()
        live = [t for t in self._tasks if t.last_status in LIVE and t.desired_status == "RUNNING"]
        if self.service.status == "DRAINING":
            self._drain(live)
            return None
        self._break_circuit()
        live = self._end_unhealthy(live)
        desired = self._desired(live)
        members = [self._member(task, live) for task in live]
        plan = rollout(members, desired, self.service.minimum_percent, self.service.maximum_percent)
        self._stop(plan.stop)
        wait = self._primary().retry_at - self._now
        again = self._start(plan.start, live) if plan.start and wait <= 0 else None
        if plan.start and wait > 0:
            again = wait
        self._settle(members, desired)
        return again

    def _end_unhealthy(self, live: Sequence[Task]) -> list[Task]:
        """Tasks whose health checks fail are replaced; those that are left."""
        sick = [task for task in live if task.health == "UNHEALTHY"]
        for task in sick:
            self._end(task)
        return [task for task in live if task not in sick]

    def _desired(self, live: Sequence[Task]) -> int:
        """A daemon wants one task on each instance that could take it."""
        if self.service.scheduling != "DAEMON":
            return self.service.desired_count
        count = self._controller.placing.daemon_count(self._tx, self._key, self.service, live)
        if count != self.service.desired_count:
            self.service = msgspec.structs.replace(self.service, desired_count=count)
        return count

    def _primary(self) -> Progress:
        return self._progress(self.service.deployments[-1].id)

    def _progress(self, deployment_id: str) -> Progress:
        known = (p for p in self._status.progress if p.deployment_id == deployment_id)
        return next(known, None) or Progress(deployment_id=deployment_id)

    def _set_progress(self, progress: Progress) -> None:
        others = [p for p in self._status.progress if p.deployment_id != progress.deployment_id]
        kept = {each.id for each in self.service.deployments}
        everything = (*(p for p in others if p.deployment_id in kept), progress)
        self._status = msgspec.structs.replace(self._status, progress=everything)

    def _say(self, message: str) -> None:
        self._status = events.add(self._status, self._controller.event_id(), self._now, message)

    def _count(self) -> None:
        primary = self._primary()
        own = [t for t in self._tasks if t.deployment_id == primary.deployment_id]
        counted = count_failures(primary, own, self._now)
        if counted != primary and counted.consecutive_failures == 3:
            self._say(events.throttled(self.service))
        self._set_progress(counted)

    def _break_circuit(self) -> None:
        """A deployment that keeps failing ends; with rollback, the one before comes again."""
        before = self._primary()
        after = judge(before, self.service, done=False, now=self._now)
        if after.rollout_state == before.rollout_state:
            return
        self._set_progress(after)
        self._say(events.failed(self.service, before.deployment_id))
        good = self._last_completed()
        if not self.service.rollback or good is None:
            return
        self._say(events.rolling_back(self.service, good.id))
        others = tuple(each for each in self.service.deployments if each is not good)
        self.service = msgspec.structs.replace(self.service, deployments=(*others, good))
        reason = f"ECS deployment circuit breaker: rolling back to deploymentId {good.id}."
        self._set_progress(Progress(deployment_id=good.id, reason=reason, updated_at=self._now))

    def _last_completed(self) -> Deployment | None:
        done = {p.deployment_id for p in self._status.progress if p.rollout_state == "COMPLETED"}
        found = [each for each in self.service.deployments if each.id in done]
        return found[-1] if found else None

    def _member(self, task: Task, live: Sequence[Task]) -> Member:
        zone = task.placement.zone if task.placement is not None else ""
        crowd = sum(t.placement is not None and t.placement.zone == zone for t in live)
        return Member(
            id=task.id,
            current=task.deployment_id == self.service.deployments[-1].id
            and not is_draining(self._tx, task),
            healthy=task.last_status == "RUNNING" and task.health != "UNHEALTHY",
            protected=task.protected_until > self._now,
            rank=-crowd,
        )

    def _stop(self, ids: Sequence[str]) -> None:
        if not ids:
            return
        for task in self._tasks:
            if task.id in ids:
                self._end(task)
        self._say(events.stopped(self.service, ids))

    def _end(self, task: Task) -> None:
        reason = f"Scaling activity initiated by (deployment {self.service.deployments[-1].id})"
        if task.health == "UNHEALTHY":
            reason = "Task failed container health checks"
        stop = Stop(code="ServiceSchedulerInitiated", reason=reason, at=self._now)
        ended = msgspec.structs.replace(task, desired_status="STOPPED", stop=stop)
        self._tx.put(TASK, self._key.account, self._key.region, task.name, ended)

    def _start(self, count: int, live: Sequence[Task]) -> float | None:
        if self._primary().rollout_state == "FAILED":
            return None
        made, reason = self._controller.placing.start(
            self._tx, self._key, self.service, min(count, AT_ONCE), self._now, live
        )
        if made:
            self._say(events.started(self.service, made))
        if reason:
            self._say(events.unplaced(self.service, reason))
            return UNPLACED_SECONDS
        return 0.0 if count > AT_ONCE else None

    def _settle(self, members: Sequence[Member], desired: int) -> None:
        """Steady: as many healthy tasks as wanted, of the primary deployment, and no other."""
        current = [each for each in members if each.current]
        steady = len(current) == len(members) == desired and all(m.healthy for m in current)
        before = self._primary()
        if steady and not (self._status.steady and before.rollout_state == "COMPLETED"):
            after = judge(before, self.service, done=True, now=self._now)
            if after.rollout_state != before.rollout_state:
                self._say(events.completed(self.service, before.deployment_id))
            self._set_progress(after)
            self._say(events.steady(self.service))
        self._status = msgspec.structs.replace(self._status, steady=steady)
        if steady and len(self.service.deployments) > 1:
            last = self.service.deployments[-1:]
            self.service = msgspec.structs.replace(self.service, deployments=last)

    def _drain(self, live: Sequence[Task]) -> None:
        for task in live:
            self._end(task)
        if live:
            self._say(events.stopped(self.service, [task.id for task in live]))
        elif all(task.last_status == "STOPPED" for task in self._tasks):
            self.service = msgspec.structs.replace(self.service, status="INACTIVE")

    def save(self) -> None:
        place = (self._key.account, self._key.region, self._key.name)
        if self.service != self._was:
            self._tx.put(SERVICE, *place, self.service)
        if self._status != self._status_was:
            self._tx.put(SERVICE_STATUS, *place, self._status)
