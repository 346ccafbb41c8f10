"""Directories of the host behind the task's volumes."""

import asyncio
import re
import shutil
from pathlib import Path

from longshore.agent.hooks.interface import HookFailure, Work
from longshore.nodeapi import acs
from longshore.runtime.interface import Mount

SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,254}")


class Volumes:
    """Task-scoped volumes live in the task's folder; shared Docker volumes outlive it."""

    async def set_up(self, work: Work) -> None:
        """See `interface.Hook`."""
        places = {volume.name: _place(work, volume) for volume in work.task.volumes}
        by_name = {container.name: container for container in work.task.containers}
        for container in work.task.containers:
            for mount in _mounts(container, by_name, places, frozenset()):
                work.add_mount(container.name, mount)

    async def tear_down(self, work: Work) -> None:
        """See `interface.Hook`."""
        await asyncio.to_thread(shutil.rmtree, work.directory, ignore_errors=True)


def volumes_of(work: Work) -> tuple[Path, ...]:
    """Directories of the volumes that live as long as the task."""
    return tuple(_in_task(work, volume) for volume in work.task.volumes if _is_tasks(volume))


def _in_task(work: Work, volume: acs.Volume) -> Path:
    return work.directory / "volumes" / volume.name


def _source(volume: acs.Volume) -> str:
    return volume.host.source_path if volume.type == "host" and volume.host else ""


def _is_tasks(volume: acs.Volume) -> bool:
    docker = volume.docker_volume_configuration
    shared = volume.type == "docker" and docker is not None and docker.scope == "shared"
    return not shared and not _source(volume)


def _place(work: Work, volume: acs.Volume) -> Path:
    """The volume's directory; it exists when this returns."""
    if not SAFE.fullmatch(volume.name):
        raise HookFailure(f"ResourceInitializationError: invalid volume name {volume.name!r}")
    source = _source(volume)
    docker = volume.docker_volume_configuration
    if source:
        place = Path(source)
    elif _is_tasks(volume):
        place = _in_task(work, volume)
    else:
        place = work.host.home / "volumes" / volume.name
        if not place.exists() and docker is not None and not docker.autoprovision:
            raise HookFailure(
                "CannotCreateContainerError: Error response from daemon: get "
                f"{volume.name}: no such volume"
            )
    try:
        place.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        # A file of the host may be mounted too.
        return place
    except OSError as error:
        raise HookFailure(f"CannotCreateContainerError: {volume.name}: {error}") from error
    return place


def _mounts(
    container: acs.Container,
    by_name: dict[str, acs.Container],
    places: dict[str, Path],
    seen: frozenset[str],
) -> list[Mount]:
    """The container's own mounts, and before them those that it takes from others."""
    if container.name in seen:
        return []
    mounts: list[Mount] = []
    for borrowed in container.volumes_from:
        other = by_name.get(borrowed.source_container)
        if other is not None:
            found = _mounts(other, by_name, places, seen | {container.name})
            mounts += [_read_only(mount) for mount in found] if borrowed.read_only else found
    own = [
        Mount(
            target=point.container_path,
            source=str(places[point.source_volume]),
            read_only=point.read_only,
        )
        for point in container.mount_points
        if point.source_volume in places
    ]
    return mounts + own


def _read_only(mount: Mount) -> Mount:
    return Mount(target=mount.target, source=mount.source, read_only=True)
