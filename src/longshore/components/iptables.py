"""The machine's iptables, for an image: the program, its libraries, and its match and target
modules, which its package has beside it."""

import shutil
from pathlib import Path
from typing import NamedTuple

from longshore.components.libraries import with_libraries

PROGRAM = "xtables-legacy-multi"
"""What speaks the kernel's older interface, which wants nothing of nftables."""
NAMES = (
    "iptables",
    "iptables-save",
    "iptables-restore",
    "ip6tables",
    "ip6tables-save",
    "ip6tables-restore",
)
"""What it is called by."""
MODULES = "xtables"
"""The directory of the modules."""
MISSING = "iptables is missing: apt-get install iptables"


class Iptables(NamedTuple):
    """Files of this machine and links, as `images.Contents` has them."""

    files: dict[str, str]
    links: dict[str, str]


def iptables(folder: str) -> Iptables:
    """iptables under its names in this folder of an image, as `usr/sbin`.

    Raises LookupError where the machine has none.
    """
    found = shutil.which(PROGRAM, path="/usr/sbin:/usr/bin:/sbin:/bin")
    if found is None:
        raise LookupError(MISSING)
    program = Path(found).resolve()
    up = "../" * len(Path(folder).parts)
    links = {f"{folder}/{name}": f"{up}{str(program).lstrip('/')}" for name in NAMES}
    return Iptables(with_libraries(program, *_modules()), links)


def _modules() -> list[Path]:
    """In the machine's own directory of libraries."""
    roots = (Path("/usr/lib"), Path("/lib"), Path("/usr/lib64"))
    places = [each for root in roots for each in (root / MODULES, *root.glob(f"*/{MODULES}"))]
    place = next((each for each in places if each.is_dir()), None)
    if place is None:
        raise LookupError(MISSING)
    return sorted(path for path in place.glob("lib*.so") if path.is_file())
