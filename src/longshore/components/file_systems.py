"""The machine's programs that make, check, mount and grow file systems, for an image."""

import shutil
from pathlib import Path
from typing import NamedTuple

from longshore.components.libraries import with_libraries

SEARCHED = "/usr/sbin:/usr/bin:/sbin:/bin"
PROGRAMS = {
    "blkid": "util-linux",
    "blockdev": "util-linux",
    "dumpe2fs": "e2fsprogs",
    "e2fsck": "e2fsprogs",
    "fsck": "util-linux",
    "mke2fs": "e2fsprogs",
    "mount": "mount",
    "resize2fs": "e2fsprogs",
    "umount": "mount",
}
"""And the packages that they are in."""
NAMES = {"mke2fs": "mkfs", "e2fsck": "fsck"}
"""What is called by the name of the file system too, as `mkfs.ext4`."""
KINDS = ("ext3", "ext4")
CONFIGURATION = Path("/etc/mke2fs.conf")


class Tools(NamedTuple):
    """Files of this machine and links, as `images.Contents` has them."""

    files: dict[str, str]
    links: dict[str, str]


def file_system_tools() -> Tools:
    """All of them, where this machine has them. Raises LookupError where one is missing."""
    programs = {name: _program(name, package) for name, package in PROGRAMS.items()}
    files = with_libraries(*programs.values())
    if CONFIGURATION.is_file():
        files[str(CONFIGURATION).lstrip("/")] = str(CONFIGURATION)
    links = {
        str(programs[name].with_name(f"{prefix}.{kind}")).lstrip("/"): name
        for name, prefix in NAMES.items()
        for kind in KINDS
    }
    return Tools(files, links)


def _program(name: str, package: str) -> Path:
    found = shutil.which(name, path=SEARCHED)
    if found is None:
        raise LookupError(f"{name} is missing: apt-get install {package}")
    return Path(found)
