"""Device nodes in an instance, made from outside through `/proc/<pid>/root`.

Every step is by descriptor and follows no link: what lies in an instance is its own root's.
"""

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import PurePosixPath

BY_ID = "nvme-Amazon_Elastic_Block_Store_"
"""What the links in /dev/disk/by-id begin with ("Map Amazon EBS volumes to NVMe device names")."""
NODE_MODE = 0o660
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def node_name(device: str) -> str:
    """The node below /dev of a device: `/dev/sdf` is xvdf to the kernel ("Device names for volumes
    on Amazon EC2 instances")."""
    name = PurePosixPath(device).name
    return f"xvd{name[2:]}" if name.startswith("sd") else name


def by_id(volume_id: str) -> str:
    """The name of a volume's link in /dev/disk/by-id."""
    return BY_ID + volume_id.replace("-", "")


@contextlib.contextmanager
def devices_of(pid: int) -> Iterator[int]:
    """The descriptor of /dev in the mount namespace of a process. OSError where it is gone."""
    root = os.open(f"/proc/{pid}/root", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        found = os.open("dev", _DIRECTORY, dir_fd=root)
    finally:
        os.close(root)
    try:
        yield found
    finally:
        os.close(found)


def names_of(devices: int, rdev: int) -> list[str]:
    """The nodes of the device numbers `rdev`, but for the kernel's own `loopN`."""
    own = f"loop{os.minor(rdev)}"
    return [name for name in os.listdir(devices) if name != own and _rdev(devices, name) == rdev]


def _rdev(devices: int, name: str) -> int:
    try:
        found = os.stat(name, dir_fd=devices, follow_symlinks=False)
    except FileNotFoundError:
        return 0
    return found.st_rdev if stat.S_ISBLK(found.st_mode) else 0


def make_nodes(devices: int, device: str, volume_id: str, rdev: int) -> None:
    """Have the node, and the links that lead to it; what has their names otherwise goes."""
    name = node_name(device)
    if _rdev(devices, name) != rdev:
        _remove(devices, name)
        os.mknod(name, NODE_MODE | stat.S_IFBLK, rdev, dir_fd=devices)
        os.chmod(name, NODE_MODE, dir_fd=devices)  # mknod heeds the umask
    asked = PurePosixPath(device).name
    if asked != name:
        _link(devices, asked, name)
    with _links(devices) as links:
        _link(links, by_id(volume_id), f"../../{name}")


def is_linked(devices: int, volume_id: str) -> bool:
    """Whether the volume has its link in /dev/disk/by-id: the last thing that `make_nodes` does."""
    try:
        with _links(devices) as links:
            os.readlink(by_id(volume_id), dir_fd=links)
    except OSError:
        return False
    return True


def remove_nodes(devices: int, volume_id: str, rdev: int) -> None:
    """Take away what `make_nodes` made, under whatever name."""
    gone = names_of(devices, rdev)
    for name in gone:
        _remove(devices, name)
    for link in os.listdir(devices):
        with contextlib.suppress(OSError):
            if os.readlink(link, dir_fd=devices) in gone:
                _remove(devices, link)
    with _links(devices) as links:
        _remove(links, by_id(volume_id))


@contextlib.contextmanager
def _links(devices: int) -> Iterator[int]:
    """/dev/disk/by-id."""
    opened = [devices]
    try:
        for name in ("disk", "by-id"):
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, 0o755, dir_fd=opened[-1])
            opened.append(os.open(name, _DIRECTORY, dir_fd=opened[-1]))
        yield opened[-1]
    finally:
        for each in opened[1:]:
            os.close(each)


def _link(directory: int, name: str, target: str) -> None:
    try:
        if os.readlink(name, dir_fd=directory) == target:
            return
    except OSError:
        pass
    _remove(directory, name)
    os.symlink(target, name, dir_fd=directory)


def _remove(directory: int, name: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=directory)
