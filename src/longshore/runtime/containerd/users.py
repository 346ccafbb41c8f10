"""Who a container's process runs as: names are looked up in the image's own files."""

import contextlib
import ctypes
import os
import re
import stat
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from longshore.runtime.interface import RuntimeFailure

MNT_DETACH = 2
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
FLAGS = {"ro": MS_RDONLY, "rw": 0, "bind": 4096, "rbind": 4096 | 16384}
"""Mount options that are flags of mount(2)."""
LARGEST_FILE = 2**20
"""Bytes of an image's /etc/passwd or /etc/group: they are read by this process."""
NUMBER = re.compile(r"[0-9]{1,10}")
LARGEST_ID = 2**31 - 1
"""As Docker has it."""

_libc = ctypes.CDLL(None, use_errno=True)

Ids = tuple[int, int, tuple[int, ...]]
"""User id, group id, further group ids."""


def ids_of(user: str, root: Path | None) -> Ids:
    """The ids of `user` (`name`, `uid`, `user:group`), with the image mounted at `root`.

    Numbers need no image. Raises `RuntimeFailure` where a name is not known.
    """
    name, _, group = user.partition(":")
    name = name or "0"
    passwd = _lines(root, "etc/passwd")
    entry = _entry(passwd, name)
    if entry is None and not _is_id(name):
        raise RuntimeFailure(
            "CannotStartContainerError", f"unable to find user {name}: no matching entries"
        )
    uid = int(entry[2]) if entry else int(name)
    gid = int(entry[3]) if entry and _is_id(entry[3]) else 0
    groups = _lines(root, "etc/group")
    if group:
        gid = _group(groups, group)
    member = entry[0] if entry else name
    further = tuple(
        int(line[2]) for line in groups if len(line) > 3 and member in line[3].split(",")
    )
    # The first group is among the further ones, as Docker has it (CVE-2022-36109).
    return uid, gid, (gid,) if group else (gid, *(g for g in further if g != gid))


def ids_in_image(user: str, mounts: Sequence[Any]) -> Ids:
    """The ids of `user` in the image that containerd's `mounts` make up, mounted for a moment.

    Also for numbers: the image says which groups a number belongs to.
    """
    with _mounted(mounts) as root:
        return ids_of(user, root)


@contextlib.contextmanager
def _mounted(mounts: Sequence[Any]) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="longshore-image-") as directory:
        stacked = 0
        try:
            for mount in mounts:
                _mount(mount, directory)
                stacked += 1
            yield Path(directory)
        finally:
            for _ in range(stacked):
                _libc.umount2(os.fsencode(directory), MNT_DETACH)


def _mount(mount: Any, directory: str) -> None:
    options = [option for option in mount.options if option not in FLAGS]
    flags = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC
    for option in mount.options:
        flags |= FLAGS.get(option, 0)
    arguments = (mount.source, directory, mount.type)
    failed = _libc.mount(*map(os.fsencode, arguments), flags, os.fsencode(",".join(options)))
    if failed:
        number = ctypes.get_errno()
        raise OSError(number, f"mount {mount.source}: {os.strerror(number)}")


def _group(groups: list[list[str]], name: str) -> int:
    for line in groups:
        if line[0] == name:
            return int(line[2])
    if _is_id(name):
        return int(name)
    raise RuntimeFailure(
        "CannotStartContainerError", f"unable to find group {name}: no matching entries"
    )


def _entry(passwd: list[list[str]], name: str) -> list[str] | None:
    for line in passwd:
        if len(line) > 3 and name in {line[0], line[2]}:
            return line
    return None


def _is_id(text: str) -> bool:
    return NUMBER.fullmatch(text) is not None and int(text) <= LARGEST_ID


def _lines(root: Path | None, name: str) -> list[list[str]]:
    """Fields of a colon-separated file; a link that leads out of the image is not followed."""
    if root is None:
        return []
    path = root / name
    try:
        if not path.resolve().is_relative_to(root.resolve()):
            return []
        text = _content(path.resolve(), name)
    except (OSError, RuntimeError):  # the latter: a link that leads to itself
        return []
    lines = [line.split(":") for line in text.splitlines()]
    return [line for line in lines if len(line) > 2 and _is_id(line[2])]


def _content(path: Path, name: str) -> str:
    """Of a regular file: an image may have a pipe there that nobody writes to, or a device."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            return ""
        if found.st_size > LARGEST_FILE:
            raise RuntimeFailure(
                "CannotStartContainerError",
                f"unable to look the user up: /{name} is larger than {LARGEST_FILE} bytes",
            )
        return file.read(LARGEST_FILE).decode(errors="replace")
