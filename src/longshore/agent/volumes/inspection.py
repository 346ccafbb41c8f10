"""What there is of this host's volumes: files, loop devices, nodes in instances."""

import contextlib
from collections.abc import Iterator, Mapping

import msgspec

from longshore.agent.volumes import loops, nodes
from longshore.agent.volumes.loops import Loop
from longshore.agent.volumes.places import Places
from longshore.agent.volumes.plan import Found
from longshore.nodeapi.own import HostVolume


class Inside(msgspec.Struct, frozen=True):
    """A node of a volume's device in an instance."""

    instance_id: str
    name: str
    linked: bool


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One volume: bytes of its file (0 without one), its loop device, where nodes of that are."""

    size: int = 0
    loop: Loop | None = None
    inside: tuple[Inside, ...] = ()


def look(places: Places, running: Mapping[str, int]) -> dict[str, Seen]:
    """Every volume of which there is anything; `running` has the instances' processes."""
    bound = {loop.file.name: loop for loop in loops.loops_below(places.volumes) if not loop.dying}
    files = places.volume_ids()
    inside = dict(_inside(running, bound)) if bound else {}
    return {
        each: Seen(
            size=_size(places, each), loop=bound.get(each), inside=tuple(inside.get(each, ()))
        )
        for each in {*files, *bound}
    }


def look_at(places: Places, volume_id: str, running: Mapping[str, int]) -> Seen:
    """The same of one volume."""
    return look(places, running).get(volume_id, Seen())


def _size(places: Places, volume_id: str) -> int:
    try:
        return places.volume(volume_id).stat().st_size
    except FileNotFoundError:
        return 0


def _inside(
    running: Mapping[str, int], bound: Mapping[str, Loop]
) -> Iterator[tuple[str, list[Inside]]]:
    for volume_id, loop in bound.items():
        found = []
        for instance_id, pid in running.items():
            # An instance may end at any time.
            with contextlib.suppress(OSError), nodes.devices_of(pid) as devices:
                names = nodes.names_of(devices, loop.rdev)
                linked = bool(names) and nodes.is_linked(devices, volume_id)
                found += [Inside(instance_id, name, linked) for name in names]
        yield volume_id, found


def is_in(seen: Seen, wanted: HostVolume) -> bool:
    """Whether it is in the instance that it is to be in, if in any."""
    name = nodes.node_name(wanted.device) if wanted.device else ""
    return all((each.instance_id, each.name) == (wanted.instance_id, name) for each in seen.inside)


def found(seen: Seen, wanted: HostVolume, running: Mapping[str, int], *, copied: bool) -> Found:
    """What `plan.next_action` decides by."""
    loop = seen.loop
    stays = wanted.instance_id in running and is_in(seen, wanted)
    return Found(
        size=seen.size,
        device_size=loop.size if loop is not None else 0,
        inside=tuple((each.instance_id, each.name) for each in seen.inside),
        linked=all(each.linked for each in seen.inside),
        # Asked only of what is to leave: for a moment nobody else could mount it.
        held=loop is not None and not stays and loops.is_held(loop),
        copied=copied,
    )
