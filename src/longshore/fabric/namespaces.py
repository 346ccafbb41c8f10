"""Network namespaces: made, entered, listed and removed as iproute2 does it.

A namespace is entered by the calling thread alone (setns), so everything here runs in threads that
the fabric owns, never in the event loop's.
"""

import contextlib
import ctypes
import fcntl
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from longshore.base.locks import held_machine_wide
from longshore.fabric.interface import FabricError
from longshore.fabric.names import NETNS_DIR

CLONE_NEWNET = 0x40000000
MS_BIND = 4096
MS_REC = 16384
MS_SHARED = 1 << 20
MNT_DETACH = 2
IPROUTE_SECONDS = 1.0
"""iproute2 holds its lock for two calls of mount(2)."""

_libc = ctypes.CDLL(None, use_errno=True)


def _call(name: str, *arguments: object) -> None:
    if getattr(_libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


@contextlib.contextmanager
def locked_directory() -> Iterator[None]:
    """Hold /run/netns against other Longshores; it is made where it is missing."""
    NETNS_DIR.mkdir(parents=True, exist_ok=True)
    with held_machine_wide("netns"):
        yield


@contextlib.contextmanager
def _iproutes_lock() -> Iterator[bool]:
    """Hold /run/netns as iproute2 does; false where another has it for longer than iproute2 would.

    Any user can take this lock: nothing may depend on getting it.
    """
    descriptor = os.open(NETNS_DIR, os.O_RDONLY | os.O_CLOEXEC)
    deadline = time.monotonic() + IPROUTE_SECONDS
    try:
        while not (got := _try_lock(descriptor)) and time.monotonic() < deadline:
            time.sleep(0.01)
        yield got
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _share_directory() -> None:
    """Make /run/netns a shared mount: what is mounted in it shows in other mount namespaces."""
    path = os.fsencode(NETNS_DIR)
    try:
        _call("mount", b"", path, b"none", MS_SHARED | MS_REC, None)
    except OSError:
        with _iproutes_lock():
            _call("mount", path, path, b"none", MS_BIND | MS_REC, None)
            _call("mount", b"", path, b"none", MS_SHARED | MS_REC, None)


def leave_directory() -> None:
    """Unmount /run/netns where nobody has a namespace in it any more."""
    with locked_directory(), _iproutes_lock() as alone:
        if not alone or any(NETNS_DIR.iterdir()):
            return
        # Tried, as a bind mount within one file system cannot be told by its device.
        with contextlib.suppress(OSError):
            _call("umount2", os.fsencode(NETNS_DIR), MNT_DETACH)


def exists(path: Path) -> bool:
    """Whether a namespace is mounted on `path`; a bare file is what a killed `create` left."""
    try:
        return path.stat().st_dev != path.parent.stat().st_dev
    except FileNotFoundError:
        return False


def create(path: Path) -> None:
    """Make a namespace at `path`; nothing happens where there is one."""
    if exists(path):
        return
    with locked_directory():
        _share_directory()
        path.unlink(missing_ok=True)
        path.touch(mode=0o600)
        _mount_new(path)


def _mount_new(path: Path) -> None:
    failures: list[OSError] = []

    def mount_new_namespace() -> None:
        try:
            _call("unshare", CLONE_NEWNET)
            source = f"/proc/self/task/{threading.get_native_id()}/ns/net".encode()
            _call("mount", source, os.fsencode(path), b"none", MS_BIND, None)
        except OSError as error:
            failures.append(error)

    # A thread of its own: it ends in the new namespace, so no other work may ever run in it.
    thread = threading.Thread(target=mount_new_namespace, name="new-netns")
    thread.start()
    thread.join()
    if failures:
        path.unlink(missing_ok=True)
        raise FabricError(f"network namespace {path}: {failures[0]}")


def remove(path: Path) -> None:
    """Unmount and unlink `path`; what runs inside keeps the namespace until it ends."""
    while exists(path):
        _call("umount2", os.fsencode(path), MNT_DETACH)
    path.unlink(missing_ok=True)


def listed(prefix: str) -> list[str]:
    """Names in /run/netns that begin with `prefix`, the prefix cut off; sorted."""
    if not NETNS_DIR.exists():
        return []
    names = (entry.name for entry in NETNS_DIR.iterdir())
    return sorted(name.removeprefix(prefix) for name in names if name.startswith(prefix))


@contextlib.contextmanager
def within(path: Path) -> Iterator[None]:
    """Run the block in the namespace at `path`; for this thread alone, which starts none."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        inside = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            _call("setns", inside, CLONE_NEWNET)
        finally:
            os.close(inside)
        try:
            yield
        finally:
            _call("setns", home, CLONE_NEWNET)
    finally:
        os.close(home)
