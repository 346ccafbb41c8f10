"""Whole files made of others: in one step where the file system shares blocks, else by parts."""

import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from longshore.agent.volumes.places import DRAFT

FICLONE = 0x40049409
"""ioctl_ficlone(2)."""
PART = 16 * 2**20
"""Bytes of one copy, between which it may be given up."""
_CANNOT_SHARE = frozenset({errno.EOPNOTSUPP, errno.ENOTTY, errno.EXDEV, errno.EINVAL})


class Cancelled(Exception):
    """The copy was given up."""


def make_empty(target: Path, size: int) -> None:
    """A file of zeros of so many bytes, which takes no room yet. OSError."""
    _finish(target, lambda draft: None, size)


def copy_file(source: Path, target: Path, size: int, given_up: Callable[[], bool]) -> None:
    """Have `target` begin as `source` is now, in `size` bytes; holes stay holes.

    `target` is there when it is whole, and on the disk then. Raises OSError, `Cancelled`.
    """
    opened = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _finish(target, lambda draft: _fill(opened, draft, given_up), size)
    finally:
        os.close(opened)


def _finish(target: Path, fill: Callable[[int], None], size: int) -> None:
    draft = target.with_name(target.name + DRAFT)
    opened = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        fill(opened)
        os.ftruncate(opened, max(size, os.fstat(opened).st_size))
        os.fsync(opened)
        draft.replace(target)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    finally:
        os.close(opened)
    _sync_directory(target.parent)


def _sync_directory(directory: Path) -> None:
    opened = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def shares_blocks(source: int, target: int) -> bool:
    """Make `target` share all of `source`'s blocks; whether the file system can."""
    try:
        fcntl.ioctl(target, FICLONE, source)
    except OSError as error:
        if error.errno in _CANNOT_SHARE:
            return False
        raise
    return True


def _fill(source: int, target: int, given_up: Callable[[], bool]) -> None:
    if shares_blocks(source, target):
        return
    for start, end in _data(source):
        position = start
        while position < end:
            if given_up():
                raise Cancelled
            length = min(PART, end - position)
            done = os.copy_file_range(source, target, length, position, position)
            if not done:
                break
            position += done
    os.ftruncate(target, os.fstat(source).st_size)


def _data(file: int) -> Iterator[tuple[int, int]]:
    """Where there is anything in a sparse file: begins and ends, in bytes."""
    end = 0
    while True:
        try:
            start = os.lseek(file, end, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return
            raise
        end = os.lseek(file, start, os.SEEK_HOLE)
        yield start, end
