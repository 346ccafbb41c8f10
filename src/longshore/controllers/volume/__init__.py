"""EBS volumes and snapshots: what follows from what their host reports.

Enters: `Volume` and `Snapshot` (what is wanted), `VolumeStatus` and `SnapshotStatus` (what there
is), instances that end. Leaves: the end of attachments that are over, modifications taken back that
failed; and no record of what is deleted once its file is gone. Files and devices are the agent's
(`agent/volumes`).
"""

from collections.abc import Sequence

from longshore.controllers.interface import Controller, Surroundings
from longshore.controllers.volume.controller import SnapshotController, VolumeController


def volume_controllers(surroundings: Surroundings) -> Sequence[Controller]:
    """The controllers of this folder."""
    return [VolumeController(surroundings), SnapshotController(surroundings)]
