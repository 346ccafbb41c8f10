"""What comes next for one volume of this host; pure."""

from enum import Enum

import msgspec

from longshore.agent.volumes.nodes import node_name
from longshore.nodeapi.own import HostVolume


class Action(Enum):
    """One thing to do; after it, or where there is `WAIT`, one looks again."""

    MAKE = "make the file"
    MISS = "say that the file is gone"
    GROW = "make the file larger"
    SEE_GROWTH = "have the device as large as its file"
    BIND = "bind a loop device to the file"
    ENTER = "make device nodes in the instance that it is to be in"
    LEAVE = "take device nodes out of an instance"
    UNBIND = "let the loop device go"
    REMOVE = "remove the file"
    WAIT = "wait until it is in use no more"
    NOTHING = "nothing"


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What there is of a volume: sizes in bytes, 0 where there is no file or no device.

    `inside` are the instances that have nodes of its device, and the nodes' names; `linked` says
    whether they have the links to them too; `held` whether the device is mounted; `copied` whether
    a snapshot is still to be made of the file.
    """

    size: int = 0
    device_size: int = 0
    inside: tuple[tuple[str, str], ...] = ()
    linked: bool = True
    held: bool = False
    copied: bool = False


GIB = 2**30


def next_action(wanted: HostVolume, found: Found, running: frozenset[str]) -> Action:
    """`running` are the instances that a device could be in now.

    A device leaves one instance before it enters another; a file goes when nothing uses it.
    """
    here = wanted.instance_id if wanted.instance_id in running and not wanted.deleted else ""
    if _is_elsewhere(wanted, found, here):
        return Action.WAIT if found.held and not _may_force(wanted) else Action.LEAVE
    if wanted.deleted:
        return _removal(found)
    if not found.size:
        return Action.MISS if wanted.made else Action.MAKE
    if found.size < wanted.size * GIB:
        return Action.GROW
    if not here:
        return _release(found)
    return _presence(wanted, found, here)


def _is_elsewhere(wanted: HostVolume, found: Found, here: str) -> bool:
    """Whether it is in an instance, or under a name, that it is not to be in."""
    place = (here, node_name(wanted.device)) if here else None
    return any(each != place for each in found.inside)


def _may_force(wanted: HostVolume) -> bool:
    return wanted.deleted or wanted.forced


def _removal(found: Found) -> Action:
    if found.device_size:
        return Action.UNBIND
    if found.copied:
        return Action.WAIT
    return Action.REMOVE if found.size else Action.NOTHING


def _release(found: Found) -> Action:
    if not found.device_size:
        return Action.NOTHING
    return Action.WAIT if found.held else Action.UNBIND


def _presence(wanted: HostVolume, found: Found, here: str) -> Action:
    if not found.device_size:
        return Action.BIND
    if found.device_size < found.size:
        return Action.SEE_GROWTH
    there = (here, node_name(wanted.device)) in found.inside
    return Action.NOTHING if there and found.linked else Action.ENTER
