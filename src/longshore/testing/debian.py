"""Root file systems from what Debian's packages put on this machine: real software for images."""

import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

BASE = (
    "/etc/nsswitch.conf",
    "/etc/services",
    "/lib64/ld-linux-x86-64.so.2",
    "/lib/ld-linux-aarch64.so.1",
)
LEFT_OUT = ("/usr/share/doc/", "/usr/share/man/", "/usr/share/locale/", "/usr/share/lintian/")


def files_of(
    packages: Iterable[str], further: Iterable[str] = (), without: Iterable[str] = ()
) -> dict[str, Path]:
    """Files of these installed packages, and every shared library that they need.

    Target in the image → file on this machine. `further` names files to add, with their libraries;
    of the packages' files, those with a part of `without` in their path are left out.
    """
    listed = [path for package in packages for path in _listed(package)]
    wanted = [*further, *(path for path in listed if not any(part in path for part in without))]
    found = {path: Path(path).resolve() for path in (*BASE, *wanted) if Path(path).is_file()}
    for target in list(found):
        for library in _libraries(found[target]):
            found.setdefault(library, Path(library).resolve())
    return found


def _listed(package: str) -> Iterator[str]:
    listing = subprocess.run(
        ["dpkg", "-L", package], check=True, capture_output=True, text=True
    ).stdout
    for line in listing.splitlines():
        if not line.startswith(LEFT_OUT):
            yield line


def _libraries(path: Path) -> Iterator[str]:
    """The shared libraries that an ELF file needs, as ldd resolves them."""
    with path.open("rb") as file:
        if file.read(4) != b"\x7fELF":
            return
    told = subprocess.run(["ldd", path], check=False, capture_output=True, text=True).stdout
    for line in told.splitlines():
        resolved = line.partition("=>")[2].split(" (")[0].strip()
        if resolved.startswith("/"):
            yield resolved
