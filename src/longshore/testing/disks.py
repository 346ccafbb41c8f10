"""File systems of a few bytes, to be filled."""

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def small_disk(path: Path, size: str = "1m") -> Iterator[Path]:
    """`path`, made where it is not there, as a file system in memory; `size` as in tmpfs(5)."""
    path.mkdir(exist_ok=True)
    mount_tmpfs(path, f"size={size}")
    try:
        yield path
    finally:
        subprocess.run(["umount", "--lazy", path], check=True)


def mount_tmpfs(path: Path, options: str) -> None:
    """Mount one, or change it with the option `remount`."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", path], check=True)
