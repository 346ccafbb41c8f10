"""Locks between processes of one machine, in files that no other user can open.

flock(2) asks only that a file can be opened for reading: whoever may list a directory may hold it,
and let everybody who waits for it wait for good.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DIRECTORY = Path("/run/longshore")
"""Mode 0700; shared by all installations of a machine, and empty but for locks."""


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold the lock of this file (0600, made where it is missing); waits for who has it.

    To be called in a thread, not in an event loop's.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


@contextmanager
def held_machine_wide(name: str) -> Iterator[None]:
    """Hold a lock that all Longshores of this machine share."""
    DIRECTORY.mkdir(mode=0o700, parents=True, exist_ok=True)
    with held(DIRECTORY / f"{name}.lock"):
        yield
