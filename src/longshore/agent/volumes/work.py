"""The steps of `plan`, done: each may be repeated, and the next look tells what came of it."""

import contextlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from longshore.agent.volumes import loops, mounts, nodes
from longshore.agent.volumes.copying import copy_file, make_empty
from longshore.agent.volumes.inspection import Seen
from longshore.agent.volumes.places import Places
from longshore.agent.volumes.plan import GIB, Action
from longshore.base.logs import logger
from longshore.nodeapi.own import HostSnapshot, HostVolume

FROZEN = ".frozen"
"""The suffix of the file that says whose file system is held still for a snapshot."""

log = logger(__name__)


class Refused(Exception):
    """It can never be done here; the message says why."""


def begin(places: Places) -> None:
    """Have the directories, and nothing held still that an agent left so when it was killed."""
    places.have()
    for mark in places.snapshots.glob(f"*{FROZEN}"):
        volume_id = mark.read_text()
        for loop in loops.loops_below(places.volumes):
            if loop.file.name == volume_id:
                mounts.thaw(loop.rdev)
        mark.unlink()


def act(
    places: Places,
    action: Action,
    wanted: HostVolume,
    seen: Seen,
    running: Mapping[str, int],
) -> None:
    """Do one step with a volume. Raises OSError, `Refused`."""
    file = places.volume(wanted.id)
    if action is Action.REMOVE:
        file.unlink(missing_ok=True)
    elif action is Action.MISS:
        raise Refused("the volume's file is gone")
    elif action is Action.BIND:
        loops.bind(file)
    elif action is Action.GROW:
        _grow(file, wanted.size * GIB)
    elif seen.loop is not None:
        _with_loop(action, wanted, seen, seen.loop, running)


def _with_loop(
    action: Action,
    wanted: HostVolume,
    seen: Seen,
    loop: loops.Loop,
    running: Mapping[str, int],
) -> None:
    if action is Action.SEE_GROWTH:
        loops.see_growth(loop)
    elif action is Action.ENTER:
        with nodes.devices_of(running[wanted.instance_id]) as devices:
            nodes.make_nodes(devices, wanted.device, wanted.id, loop.rdev)
        log.info("a volume is attached", volume=wanted.id, instance_id=wanted.instance_id)
    elif action is Action.LEAVE:
        _leave(seen, loop, running)
    elif action is Action.UNBIND:
        loops.unbind(loop)


def _leave(seen: Seen, loop: loops.Loop, running: Mapping[str, int]) -> None:
    """Take it out of every instance. Where it is mounted still, it was to be forced: what is
    mounted is cut off, and keeps a device of its own until it is unmounted."""
    held = loops.is_held(loop)
    if held:
        mounts.shut_down(loop.rdev)
    for instance_id in {each.instance_id for each in seen.inside}:
        # The instance may have ended meanwhile.
        with (
            contextlib.suppress(FileNotFoundError, ProcessLookupError),
            nodes.devices_of(running[instance_id]) as devices,
        ):
            nodes.remove_nodes(devices, loop.file.name, loop.rdev)
    if held:
        loops.unbind(loop)
    log.info("a volume is detached", volume=loop.file.name, forced=held)


def _grow(file: Path, size: int) -> None:
    _check_room(file.parent, size)
    opened = os.open(file, os.O_RDWR | os.O_CLOEXEC)
    try:
        os.ftruncate(opened, size)
        os.fsync(opened)
    finally:
        os.close(opened)


def _check_room(directory: Path, size: int) -> None:
    """Files are sparse: what they may grow to is not taken, but must be possible."""
    held = os.statvfs(directory)
    most = held.f_blocks * held.f_frsize
    if size > most:
        raise Refused(
            f"a volume of {size // GIB} GiB is larger than the host's disk, which has "
            f"{most // GIB} GiB"
        )


def make_volume(places: Places, wanted: HostVolume, given_up: Callable[[], bool]) -> None:
    """Have the volume's file. Raises OSError, `Refused`, `copying.Cancelled`."""
    size = wanted.size * GIB
    _check_room(places.volumes, size)
    target = places.volume(wanted.id)
    if not wanted.snapshot_id:
        make_empty(target, size)
        return
    source = places.snapshot(wanted.snapshot_id)
    if not source.exists():
        raise Refused(f"the snapshot {wanted.snapshot_id} is not on this host")
    copy_file(source, target, size, given_up)


def take_snapshot(places: Places, snapshot: HostSnapshot, given_up: Callable[[], bool]) -> None:
    """Have the snapshot's file, as the volume's is at one moment.

    A file system that is mounted from it is held still while it is copied. Raises OSError,
    `Refused`, `copying.Cancelled`.
    """
    source = places.volume(snapshot.volume_id)
    if not source.exists():
        raise Refused(f"the volume {snapshot.volume_id} is not on this host")
    target = places.snapshot(snapshot.id)
    mark = target.with_name(target.name + FROZEN)
    bound = loops.loops_below(places.volumes)
    loop = next((each for each in bound if each.file.name == source.name), None)
    if loop is None:
        copy_file(source, target, 0, given_up)
        return
    mark.write_text(snapshot.volume_id)
    try:
        with mounts.frozen(loop.rdev):
            copy_file(source, target, 0, given_up)
    finally:
        mark.unlink(missing_ok=True)


def stored(file: Path) -> int | None:
    """The bytes that a file takes on the disk; None where there is none."""
    try:
        return file.stat().st_blocks * 512
    except FileNotFoundError:
        return None
