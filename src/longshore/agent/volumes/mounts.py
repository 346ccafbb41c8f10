"""File systems on a volume's device, wherever on this host they are mounted."""

import contextlib
import fcntl
import os
import struct
from collections.abc import Iterator
from pathlib import Path

FREEZE, THAW, SHUT_DOWN = 0xC0045877, 0xC0045878, 0x8004587D
"""FIFREEZE and FITHAW of include/uapi/linux/fs.h; what ext4, XFS and F2FS call GOINGDOWN."""
WITHOUT_LOG = struct.pack("=I", 2)
"""Nothing is written any more, not even the journal."""


@contextlib.contextmanager
def mount_of(rdev: int) -> Iterator[int | None]:
    """The descriptor of a directory of the file system on this device; None where none is."""
    found = next(_mounts(rdev), None)
    try:
        yield found
    finally:
        if found is not None:
            os.close(found)


def _mounts(rdev: int) -> Iterator[int]:
    numbers = f"{os.major(rdev)}:{os.minor(rdev)}"
    seen: set[str] = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            namespace = str((process / "ns" / "mnt").readlink())
            if namespace in seen:
                continue
            lines = (process / "mountinfo").read_text().splitlines()
        except OSError:
            continue
        seen.add(namespace)
        for line in lines:
            fields = line.split(" ")
            if fields[2] == numbers:
                opened = _open(process / "root", fields[4], rdev)
                if opened is not None:
                    yield opened


def _open(root: Path, place: str, rdev: int) -> int | None:
    """The directory at this place; None where something else is there than the device's."""
    path = place.encode().decode("unicode_escape").encode("latin-1")
    try:
        opened = os.open(os.fsencode(root) + path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    if os.fstat(opened).st_dev == rdev:
        return opened
    os.close(opened)
    return None


def shut_down(rdev: int) -> None:
    """Have the file system on this device write nothing any more: who uses it gets errors."""
    with mount_of(rdev) as mount, contextlib.suppress(OSError):
        if mount is not None:
            fcntl.ioctl(mount, SHUT_DOWN, WITHOUT_LOG)


@contextlib.contextmanager
def frozen(rdev: int) -> Iterator[None]:
    """While this lasts the file system on this device is whole on it, and its writers wait.

    Nothing happens where none is mounted there, or somebody has frozen it already. It is thawed by
    the same descriptor: then its mounts may have gone meanwhile.
    """
    with mount_of(rdev) as mount:
        held = mount is not None and _freeze(mount)
        try:
            yield
        finally:
            if held and mount is not None:
                fcntl.ioctl(mount, THAW, 0)


def _freeze(mount: int) -> bool:
    try:
        fcntl.ioctl(mount, FREEZE, 0)
    except OSError:
        return False
    return True


def thaw(rdev: int) -> None:
    """Have the file system on this device go on, which a killed agent froze; safe to repeat."""
    with mount_of(rdev) as mount, contextlib.suppress(OSError):
        if mount is not None:
            fcntl.ioctl(mount, THAW, 0)
