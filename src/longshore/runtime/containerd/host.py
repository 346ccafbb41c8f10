"""What the host has and a container may be given: device nodes and capabilities."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from longshore.runtime.containerd.spec import ALL_CAPABILITIES
from longshore.runtime.interface import ContainerSpec, RuntimeFailure

DEVICES = Path("/dev")
OWN = frozenset({"console", "fd", "mqueue", "ptmx", "pts", "shm"})
"""What every container has of its own under /dev."""


def device_nodes(spec: ContainerSpec) -> list[dict[str, Any]]:
    """The devices that a container asks for, and all of the host's for a privileged one.

    Each as in `linux.devices` of an OCI spec, with `access` beside. Raises `RuntimeFailure` where
    there is no such device.
    """
    asked = [
        _node(Path(device.host_path), device.container_path, device.permissions)
        for device in spec.devices
    ]
    if not spec.privileged:
        return asked
    taken = {node["path"] for node in asked}
    others = [path for path in _all_devices() if str(path) not in taken]
    return [*asked, *(_node(path, str(path), "rwm") for path in others)]


def held_capabilities() -> frozenset[str]:
    """The bounding set of this process, without `CAP_`; less than all where root is not all."""
    lines = Path("/proc/self/status").read_text().splitlines()
    mask = next(int(line.split()[1], 16) for line in lines if line.startswith("CapBnd"))
    return frozenset(name for bit, name in enumerate(ALL_CAPABILITIES) if mask >> bit & 1)


def _all_devices() -> Iterator[Path]:
    # Not `Path.rglob`: it fails where a directory goes meanwhile.
    for directory, _, names in os.walk(DEVICES):
        for path in (Path(directory, name) for name in names):
            own = path.relative_to(DEVICES).parts[0] in OWN
            device = path.is_char_device() or path.is_block_device()
            if device and not own and not path.is_symlink():
                yield path


def _node(host: Path, inside: str, permissions: str) -> dict[str, Any]:
    try:
        found = host.stat()
    except OSError as error:
        raise RuntimeFailure(
            "CannotCreateContainerError",
            f"error gathering device information while adding custom device {str(host)!r}: {error}",
        ) from error
    return {
        "path": inside,
        "type": "b" if stat.S_ISBLK(found.st_mode) else "c",
        "major": os.major(found.st_rdev),
        "minor": os.minor(found.st_rdev),
        "fileMode": stat.S_IMODE(found.st_mode),
        "uid": found.st_uid,
        "gid": found.st_gid,
        "access": permissions,
    }
