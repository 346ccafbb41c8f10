"""Brings this host's volumes to what the control plane told last, and reports what there is."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from typing import Any

import msgspec

from longshore.agent.engine import Engine
from longshore.agent.host import Host
from longshore.agent.volumes import work
from longshore.agent.volumes.copying import Cancelled
from longshore.agent.volumes.inspection import Seen, found, is_in, look, look_at
from longshore.agent.volumes.loops import Loop
from longshore.agent.volumes.nodes import node_name
from longshore.agent.volumes.places import Places
from longshore.agent.volumes.plan import GIB, Action, next_action
from longshore.base.logs import logger
from longshore.base.waiting import first_of
from longshore.nodeapi import acs
from longshore.nodeapi.own import (
    HostSnapshot,
    HostVolume,
    ReportedSnapshot,
    ReportedVolume,
    VolumesMessage,
    VolumesReport,
)
from longshore.runtime.interface import Device

SOON_SECONDS, LATER_SECONDS = 1.0, 30.0
"""When to look again where something waits, and where nothing does."""
BOUND_SECONDS = 10.0
"""For so long an instance waits for its volumes before it boots without them."""
STEPS = 16
"""More than any volume needs in one turn."""

log = logger(__name__)


class Failure(msgspec.Struct, frozen=True):
    """Why something that was wanted so cannot be; it is not tried again."""

    wanted: HostVolume | HostSnapshot
    reason: str


def _comes_early(action: Action, wanted: HostVolume, running: Mapping[str, int]) -> bool:
    """Whether the instance that it is to be in has no process yet."""
    return action is Action.ENTER and not running[wanted.instance_id]


def _asked(message: VolumesMessage) -> dict[str, HostVolume | HostSnapshot]:
    volumes = {each.id: each for each in message.volumes}
    return {**volumes, **{each.id: each for each in message.snapshots}}


class VolumeKeeper:
    """Takes `VolumesMessage`s as they come; before the first one it does nothing at all."""

    def __init__(self, host: Host, engine: Engine) -> None:
        self._host = host
        self._engine = engine
        self._places = Places(host.installation.data_dir)
        self._wanted: VolumesMessage | None = None
        self._news = asyncio.Event()
        self._jobs: dict[str, asyncio.Task[None]] = {}
        """What takes long, by the id of what it makes."""
        self._errors: dict[str, Failure] = {}
        self._report: VolumesReport | None = None
        self._reported = asyncio.Event()
        self._ending = False
        self._idle: VolumesMessage | None = None
        """A message that asks for nothing, whatever tasks do."""
        self._bound: dict[str, Loop] = {}
        """The loop devices that the last turn left, by volume."""
        self._turned = asyncio.Condition()

    def offer(self, message: VolumesMessage) -> None:
        """These are all volumes and snapshots that there are to be."""
        self._wanted = message
        self._news.set()

    async def reports(self) -> AsyncIterator[VolumesReport]:
        """What there is, then what there is after each change, until cancelled."""
        told: VolumesReport | None = None
        while True:
            self._reported.clear()
            if self._report is not None and self._report != told:
                told = self._report
                yield told
            else:
                await self._reported.wait()

    async def run(self) -> None:
        """Keep the volumes until cancelled; what is attached stays so."""
        await asyncio.to_thread(work.begin, self._places)
        try:
            while True:
                await self._news.wait()
                self._news.clear()
                await self._pause(await self._try_turn())
        finally:
            self._ending = True
            await asyncio.gather(*self._jobs.values(), return_exceptions=True)

    async def devices(self, task: acs.Task) -> tuple[Device, ...]:
        """The devices of the volumes of the instance that this task is, which are bound when this
        returns; without those that it would have to wait for longer than some seconds.

        They are the container's from its first process on; what else there is to it (links) and
        what comes later is put in from outside.
        """
        instance = self._instance(task)
        asked = self._wanted.volumes if self._wanted is not None else ()
        wanted = [each for each in asked if instance is not None and each.instance_id == instance]
        if not wanted:
            return ()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(BOUND_SECONDS), self._turned:
                self._news.set()
                await self._turned.wait_for(lambda: all(map(self._is_bound, wanted)))
        return tuple(
            Device(
                host_path=self._bound[each.id].path,
                container_path=f"/dev/{node_name(each.device)}",
            )
            for each in wanted
            if each.id in self._bound
        )

    def _is_bound(self, wanted: HostVolume) -> bool:
        """Whether there is a device of it, or why there will never be one."""
        return wanted.id in self._bound or wanted.id in self._errors

    def _instance(self, task: acs.Task) -> str | None:
        """The instance that a task is; None where it is none."""
        interfaces = task.elastic_network_interfaces
        found = self._host.instances.of(interfaces[0].ec2_id) if interfaces else None
        return found.instance_id if found is not None else None

    async def _try_turn(self) -> float:
        """A turn; where containerd is away, say, the next one comes soon."""
        try:
            return await self._turn()
        except Exception as error:
            log.warning("volumes could not be looked after", error=str(error))
            return SOON_SECONDS
        finally:
            async with self._turned:
                self._turned.notify_all()

    async def _pause(self, seconds: float) -> None:
        """Until there is news, any container of the host has changed, or so long."""
        calls = iter((False, True))
        await first_of(
            self._news.wait(),
            self._engine.changes.until(lambda: next(calls, True)),
            self._host.clock.sleep(seconds),
        )
        self._news.set()

    async def _turn(self) -> float:
        """Do all that can be done now; seconds after which to look again."""
        message = self._wanted
        if message is None or message is self._idle:
            return LATER_SECONDS
        running = await self._running()
        volumes = {each.id: each for each in message.volumes}
        await self._make_snapshots(message)
        seen = await asyncio.to_thread(look, self._places, running)
        waits = False
        for volume_id in sorted(volumes.keys() - self._jobs.keys()):
            first = seen.get(volume_id, Seen())
            waits |= await self._bring(volumes[volume_id], running, first)
        await self._tell(message, running)
        self._idle = message if not volumes and not message.snapshots else None
        return SOON_SECONDS if waits or self._jobs else LATER_SECONDS

    async def _running(self) -> dict[str, int]:
        """The instances that are here: their ids, and a process of each; 0 of one that has none
        yet, which has its devices when it begins."""
        states = {each.id: each for each in await self._host.runtime.containers()}
        running = {}
        for record in self._engine.running():
            instance = self._instance(record.task)
            found = [states.get(each.id) for each in record.containers.values()]
            pids = [each.pid for each in found if each is not None and each.status == "running"]
            if instance is not None and (pids or record.desired != "STOPPED"):
                running[instance] = max(pids, default=0)
        return running

    async def _bring(self, wanted: HostVolume, running: Mapping[str, int], seen: Seen) -> bool:
        """One volume to what it is to be, as far as it goes; whether something is left to do."""
        failure = self._errors.get(wanted.id)
        if failure is not None and failure.wanted == wanted:
            return False
        for _ in range(STEPS):
            state = found(seen, wanted, running, copied=self._is_copied(wanted.id))
            action = next_action(wanted, state, frozenset(running))
            if action is Action.NOTHING:
                return False
            if action is Action.WAIT or _comes_early(action, wanted, running):
                return True
            if action is Action.MAKE:
                self._start(wanted.id, self._make(wanted))
                return True
            if not await self._act(action, wanted, seen, running):
                return True
            seen = await asyncio.to_thread(look_at, self._places, wanted.id, running)
        return True

    async def _act(
        self,
        action: Action,
        wanted: HostVolume,
        seen: Seen,
        running: Mapping[str, int],
    ) -> bool:
        try:
            await asyncio.to_thread(work.act, self._places, action, wanted, seen, running)
        except work.Refused as refusal:
            self._errors[wanted.id] = Failure(wanted, str(refusal))
        except OSError as error:
            log.warning(
                "a volume's step failed", volume=wanted.id, action=action.name, error=str(error)
            )
        else:
            return True
        return False

    def _is_copied(self, volume_id: str) -> bool:
        """Whether a snapshot is still to be made of it."""
        snapshots = self._wanted.snapshots if self._wanted is not None else ()
        return any(
            each.volume_id == volume_id
            and not each.made
            and not each.deleted
            and each.id not in self._errors
            and not self._places.snapshot(each.id).exists()
            for each in snapshots
        )

    def _start(self, name: str, job: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(job)
        self._jobs[name] = task

        def ended(_: asyncio.Task[None]) -> None:
            del self._jobs[name]
            self._news.set()

        task.add_done_callback(ended)

    async def _make(self, wanted: HostVolume) -> None:
        await self._long(
            wanted,
            lambda: work.make_volume(self._places, wanted, lambda: self._is_unwanted(wanted.id)),
        )

    async def _make_snapshots(self, message: VolumesMessage) -> None:
        """Begin those that are not there, take away those that are deleted."""
        for snapshot in message.snapshots:
            file = self._places.snapshot(snapshot.id)
            if snapshot.deleted:
                await asyncio.to_thread(file.unlink, missing_ok=True)
            elif not (snapshot.made or file.exists() or self._is_tried(snapshot.id)):
                self._start(snapshot.id, self._take(snapshot))

    def _is_tried(self, name: str) -> bool:
        return name in self._jobs or name in self._errors

    async def _take(self, snapshot: HostSnapshot) -> None:
        await self._long(
            snapshot,
            lambda: work.take_snapshot(
                self._places, snapshot, lambda: self._is_unwanted(snapshot.id)
            ),
        )

    async def _long(self, wanted: HostVolume | HostSnapshot, make: Callable[[], None]) -> None:
        try:
            await asyncio.to_thread(make)
        except Cancelled:
            return
        except (OSError, work.Refused) as error:
            log.warning("a volume or snapshot was not made", id=wanted.id, error=str(error))
            self._errors[wanted.id] = Failure(wanted, str(error))

    def _is_unwanted(self, name: str) -> bool:
        message = self._wanted
        if self._ending or message is None:
            return True
        asked = _asked(message).get(name)
        return asked is None or asked.deleted

    async def _tell(self, message: VolumesMessage, running: Mapping[str, int]) -> None:
        seen = await asyncio.to_thread(look, self._places, running)
        self._forget_failures(message)
        self._bound = {name: each.loop for name, each in seen.items() if each.loop is not None}
        volumes = [
            self._volume(each, seen.get(each.id, Seen()))
            for each in message.volumes
            if each.id not in self._jobs
        ]
        report = VolumesReport(
            volumes=tuple(each for each in volumes if each is not None),
            snapshots=tuple(await asyncio.to_thread(self._snapshots, message)),
        )
        if report != self._report:
            self._report = report
            self._reported.set()

    def _forget_failures(self, message: VolumesMessage) -> None:
        """Those of what is wanted no more, or wanted otherwise."""
        asked = _asked(message)
        self._errors = {
            name: failure
            for name, failure in self._errors.items()
            if asked.get(name) == failure.wanted
        }

    def _error(self, name: str) -> str:
        failure = self._errors.get(name)
        return failure.reason if failure is not None else ""

    def _volume(self, wanted: HostVolume, seen: Seen) -> ReportedVolume | None:
        error = self._error(wanted.id)
        gone = wanted.deleted and not seen.size and seen.loop is None
        if not seen.size and not error and not gone:
            return None
        device_size = seen.loop.size if seen.loop is not None else seen.size
        said = ReportedVolume(
            id=wanted.id,
            size=min(seen.size, device_size) // GIB,
            error=error,
            gone=gone,
            revision=wanted.revision,
        )
        if not seen.inside:
            return said
        place = seen.inside[0]
        asked = is_in(seen, wanted)
        return msgspec.structs.replace(
            said,
            instance_id=place.instance_id,
            device=wanted.device if asked else f"/dev/{place.name}",
            busy=not asked,
        )

    def _snapshots(self, message: VolumesMessage) -> list[ReportedSnapshot]:
        found = []
        for each in message.snapshots:
            error = self._error(each.id)
            stored = work.stored(self._places.snapshot(each.id))
            gone = each.deleted and stored is None and each.id not in self._jobs
            if error or gone or stored is not None:
                said = ReportedSnapshot(id=each.id, stored=stored or 0, error=error, gone=gone)
                found.append(said)
        return found
