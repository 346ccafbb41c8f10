"""Loop devices, as loop(4) and the kernel's include/uapi/linux/loop.h have them."""

import errno
import fcntl
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from longshore.base.logs import logger

CONTROL = "/dev/loop-control"
BLOCKS = Path("/sys/block")
CLEAR, SET_CAPACITY, CONFIGURE, GET_FREE = 0x4C01, 0x4C07, 0x4C0A, 0x4C82
DIRECT_IO = 16
MAJOR = 7
SECTOR = 512
NAME_BYTES = 64
TRIES = 64
"""How often somebody else may be faster with a free device."""
_INFO = struct.Struct("=QQQQQIIII64s64s32sQQ")
_CONFIG = struct.Struct(f"=II{_INFO.size}s64x")

log = logger("agent/volumes")


class Loop(msgspec.Struct, frozen=True):
    """A loop device that is bound to a file. `dying` is one that goes with its last user."""

    number: int
    file: Path
    size: int
    """Bytes."""
    dying: bool = False

    @property
    def rdev(self) -> int:
        return os.makedev(MAJOR, self.number)

    @property
    def path(self) -> str:
        return f"/dev/loop{self.number}"


def loops_below(directory: Path) -> Iterator[Loop]:
    """Every loop device whose file is below the directory; the kernel knows its real path."""
    prefix = f"{directory.resolve()}/"
    for block in BLOCKS.glob("loop*"):
        try:
            file = (block / "loop" / "backing_file").read_text().rstrip("\n")
            dying = (block / "loop" / "autoclear").read_text().strip() == "1"
            size = int((block / "size").read_text()) * SECTOR
        except (OSError, ValueError):
            # Not bound, or no longer.
            continue
        if file.startswith(prefix):
            path = Path(file.removesuffix(" (deleted)"))
            yield Loop(int(block.name.removeprefix("loop")), path, size, dying)


def bind(file: Path) -> None:
    """Have a loop device of the file, past the host's page cache where that works. OSError."""
    source = os.open(file, os.O_RDWR | os.O_CLOEXEC)
    try:
        for _ in range(TRIES):
            number = _free()
            try:
                with _opened(number, os.O_RDWR) as device:
                    _configure(device, source, file)
            except OSError as error:
                if error.errno in {errno.EBUSY, errno.ENXIO}:
                    continue
                raise
            else:
                return
        raise OSError(errno.EBUSY, "no loop device stays free")
    finally:
        os.close(source)


def _free() -> int:
    control = os.open(CONTROL, os.O_RDWR | os.O_CLOEXEC)
    try:
        return fcntl.ioctl(control, GET_FREE)
    finally:
        os.close(control)


def _configure(device: int, source: int, file: Path) -> None:
    name = os.fsencode(file.name)[: NAME_BYTES - 1]
    for flags in (DIRECT_IO, 0):
        info = _INFO.pack(0, 0, 0, 0, 0, 0, 0, 0, flags, name, b"", b"", 0, 0)
        try:
            fcntl.ioctl(device, CONFIGURE, _CONFIG.pack(source, 0, info))
        except OSError as error:
            if error.errno != errno.EINVAL or not flags:
                raise
        else:
            return


@contextmanager
def _opened(number: int, flags: int) -> Iterator[int]:
    """The device's descriptor; its node is made where the host's /dev does not make it itself."""
    path = Path(f"/dev/loop{number}")
    if not path.exists():
        os.mknod(path, 0o600 | 0o060000, os.makedev(MAJOR, number))
    descriptor = os.open(path, flags | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def is_held(loop: Loop) -> bool:
    """Whether it is mounted, or is another device's part."""
    try:
        with _opened(loop.number, os.O_RDONLY | os.O_EXCL):
            return False
    except OSError as error:
        return error.errno == errno.EBUSY


def unbind(loop: Loop) -> None:
    """Let the device go: at once, or with its last user. Safe to repeat."""
    try:
        with _opened(loop.number, os.O_RDWR) as device:
            fcntl.ioctl(device, CLEAR)
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise


def see_growth(loop: Loop) -> None:
    """The device is as large as its file now."""
    with _opened(loop.number, os.O_RDWR) as device:
        fcntl.ioctl(device, SET_CAPACITY)
