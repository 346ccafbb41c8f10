"""Directories of containers' bundles that a killed containerd left, or could not take away."""

import asyncio
import re
import shutil
import subprocess
from pathlib import Path

IN_THE_WAY = re.compile(
    r"mkdir (?P<directory>/.+/io\.containerd\.runtime\.v2\.task/[^/]+/[^/]+): file exists"
)
LOOK_SECONDS = 0.05
SETTLE_SECONDS = 2.0
"""How long a creation that was given up may take to undo what it made."""


def in_the_way(reason: str) -> Path | None:
    """The directory that containerd names where it cannot make a bundle for one that is there."""
    found = IN_THE_WAY.search(reason)
    return Path(found["directory"]) if found else None


async def clear(bundle: Path) -> None:
    """Have the directory of a container that containerd knows no process of be gone."""
    for _ in range(round(SETTLE_SECONDS / LOOK_SECONDS)):
        if not bundle.exists():
            return
        await asyncio.sleep(LOOK_SECONDS)
    await asyncio.to_thread(_remove, bundle)


def _remove(bundle: Path) -> None:
    unmount_below(bundle)
    if _mounts_below(bundle):
        return
    # containerd deletes a bundle under this name; one whose deletion was cut short keeps every
    # later bundle of the container from being deleted.
    half_deleted = bundle.with_name(f".{bundle.name}")
    for directory in (half_deleted, bundle):
        shutil.rmtree(directory, ignore_errors=True)


def unmount_below(path: Path) -> None:
    """Let go of every mount on a path and below it, innermost first, also where it is in use."""
    for target in sorted(_mounts_below(path), key=len, reverse=True):
        subprocess.run(["umount", "--lazy", target], check=False, capture_output=True)


def _mounts_below(path: Path) -> list[str]:
    mounts = [
        line.split()[4].replace("\\040", " ")
        for line in Path("/proc/self/mountinfo").read_text().splitlines()
    ]
    return [target for target in mounts if Path(target).is_relative_to(path)]
