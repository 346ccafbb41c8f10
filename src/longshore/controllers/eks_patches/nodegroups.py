"""Which node groups come to a new release by themselves; pure.

EKS updates the nodes of node groups only when it is asked to. Here their owner may ask for it once,
with a tag.
"""

from collections.abc import Iterable
from typing import NamedTuple

from longshore.components.versions import compare, parse
from longshore.store.interface import Key

TAG, RELEASES = "longshore:auto-update", "release"
"""The tag, and its only value that means something."""
AT_ONCE = 2
"""So many node groups are updated at the same time; of a cluster one."""


class Group(NamedTuple):
    """A node group: `release` (as `1.35.4-20261120`) is what its nodes run, `newest` what there is.

    It is free where it and its cluster are active and nothing of them is being updated, and where
    the cluster's control plane is of the newest platform version; `refused` are releases that it
    could not be brought to.
    """

    key: Key
    cluster: Key
    release: str
    newest: str
    wants: bool
    free: bool
    updating: bool
    refused: frozenset[str] = frozenset()


def following(groups: Iterable[Group]) -> list[Group]:
    """Those whose update begins now."""
    known = list(groups)
    busy = {each.cluster for each in known if each.updating}
    chosen: list[Group] = []
    for group in sorted(known, key=lambda each: _place(each.key)):
        if not _is_due(group) or group.cluster in busy:
            continue
        if sum(each.updating for each in known) + len(chosen) < AT_ONCE:
            busy.add(group.cluster)
            chosen.append(group)
    return chosen


def _is_due(group: Group) -> bool:
    return (
        group.wants
        and group.free
        and group.newest not in group.refused
        and is_newer(group.newest, group.release)
    )


def is_newer(release: str, other: str) -> bool:
    """Whether a release is a later one: of a later patch of Kubernetes, or of a later day."""
    try:
        mine, theirs = (tuple(map(parse, each.split("-", 1))) for each in (release, other))
    except ValueError:
        return False
    versions = compare(mine[0], theirs[0])
    return versions > 0 or (versions == 0 and compare(mine[-1], theirs[-1]) > 0)


def _place(key: Key) -> tuple[str, str, str]:
    return key.account, key.region, key.name
