"""Where the files of volumes and snapshots lie, and the end of all that was made of them."""

import re
from pathlib import Path

import msgspec

from longshore.agent.volumes import loops
from longshore.base.installation import Installation

_VOLUME, _SNAPSHOT = re.compile(r"vol-[0-9a-f]{17}"), re.compile(r"snap-[0-9a-f]{17}")
DRAFT = ".new"
"""The suffix of a file that is not whole yet."""


class Places(msgspec.Struct, frozen=True):
    """Below the installation's data directory; root alone may look into them."""

    data_dir: Path

    @property
    def volumes(self) -> Path:
        return self.data_dir / "volumes"

    @property
    def snapshots(self) -> Path:
        return self.data_dir / "snapshots"

    def volume(self, volume_id: str) -> Path:
        """Raises ValueError where this is no id."""
        return self.volumes / _checked(_VOLUME, volume_id)

    def snapshot(self, snapshot_id: str) -> Path:
        """Raises ValueError where this is no id."""
        return self.snapshots / _checked(_SNAPSHOT, snapshot_id)

    def have(self) -> None:
        """Both directories, without what an earlier agent left half-made."""
        for directory in (self.volumes, self.snapshots):
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            for draft in directory.glob(f"*{DRAFT}"):
                draft.unlink(missing_ok=True)

    def volume_ids(self) -> list[str]:
        """The volumes that have a whole file."""
        return [each.name for each in self.volumes.iterdir() if _VOLUME.fullmatch(each.name)]

    def snapshot_ids(self) -> list[str]:
        """The snapshots that have a whole file."""
        return [each.name for each in self.snapshots.iterdir() if _SNAPSHOT.fullmatch(each.name)]


def _checked(shape: re.Pattern[str], name: str) -> str:
    if not shape.fullmatch(name):
        raise ValueError(f"{name!r} is no id")
    return name


def release_all(installation: Installation) -> None:
    """Let every loop device of the installation's go; nothing uses them any more."""
    for loop in loops.loops_below(Places(installation.data_dir).volumes):
        loops.unbind(loop)
