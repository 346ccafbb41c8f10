"""What the kernel does for us with growing files: telling of growth, taking back what was read."""

import asyncio
import contextlib
import ctypes
import errno
import os
import struct
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

IN_MODIFY = 0x2
IN_Q_OVERFLOW = 0x4000
IN_ONESHOT = 0x80000000
"""Bits of inotify(7)."""
EVENT = struct.Struct("iIII")
FALLOC_FL_KEEP_SIZE = 0x1
FALLOC_FL_PUNCH_HOLE = 0x2
"""Flags of fallocate(2)."""
BLOCK = 4096

_libc = ctypes.CDLL(None, use_errno=True)
_libc.fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)


class Growth:
    """Tells when files are written to, by inotify; files that rest cost nothing.

    A watch tells once and is gone: a container that floods its output wakes nobody until somebody
    waits again.
    """

    def __init__(self) -> None:
        self._fd = _checked(_libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
        self._waiting: dict[int, asyncio.Event] = {}

    def __enter__(self) -> Self:
        asyncio.get_running_loop().add_reader(self._fd, self._read)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        asyncio.get_running_loop().remove_reader(self._fd)
        os.close(self._fd)

    async def wait(self, path: Path, size: int) -> None:
        """Return once the file has another size than this one. Raises OSError."""
        while path.stat().st_size == size:
            grown = asyncio.Event()
            watch = self._watch(path, grown)
            try:
                # It may have grown before the watch was there.
                if path.stat().st_size != size:
                    return
                await grown.wait()
            finally:
                self._waiting.pop(watch, None)

    def _watch(self, path: Path, grown: asyncio.Event) -> int:
        name = os.fsencode(path)
        watch = _checked(_libc.inotify_add_watch(self._fd, name, IN_MODIFY | IN_ONESHOT))
        self._waiting[watch] = grown
        return watch

    def _read(self) -> None:
        with contextlib.suppress(BlockingIOError):
            events = os.read(self._fd, 65_536)
            start = 0
            while start < len(events):
                watch, mask, _, length = EVENT.unpack_from(events, start)
                start += EVENT.size + length
                self._tell(self._waiting if mask & IN_Q_OVERFLOW else {watch})

    def _tell(self, watches: Iterable[int]) -> None:
        for watch in watches:
            if watch in self._waiting:
                self._waiting[watch].set()


def punch(path: Path, start: int, end: int) -> None:
    """Give the blocks between two offsets back to the disk; the file keeps its size.

    File systems that cannot are left as they are. The file is opened here: in a thread, another's
    descriptor may be closed meanwhile and stand for another file.
    """
    start, end = -(-start // BLOCK) * BLOCK, end // BLOCK * BLOCK
    if end <= start:
        return
    fd = os.open(path, os.O_RDWR)
    try:
        flags = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE
        _checked(_libc.fallocate(fd, flags, start, end - start))
    except OSError as error:
        if error.errno not in {errno.EOPNOTSUPP, errno.ENOSYS}:
            raise
    finally:
        os.close(fd)


def line_end_before(fd: int, offset: int, floor: int, reach: int = 65_536) -> int:
    """Behind the last line end in the `reach` bytes before `offset`; `offset` if there is none."""
    start = max(floor, offset - reach)
    found = os.pread(fd, max(offset - start, 0), start).rfind(b"\n")
    return start + found + 1 if found >= 0 else max(offset, floor)


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
