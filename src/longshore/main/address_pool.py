"""Which addresses stand for public ones on this machine."""

import hashlib
import ipaddress
from pathlib import Path

RANGE = ipaddress.IPv4Network("198.18.0.0/15")
"""For tests between networks (RFC 2544): nobody's addresses, never routed on the internet."""


def choose_public_pool(data_dir: Path, routes: Path = Path("/proc/net/route")) -> str:
    """A /24 that this machine does not route yet, in CIDR form; the same for the same directory."""
    pools = list(RANGE.subnets(new_prefix=24))
    first = int.from_bytes(hashlib.sha256(str(data_dir).encode()).digest()[:4], "big")
    taken = _routed(routes.read_text() if routes.exists() else "")
    for step in range(len(pools)):
        pool = pools[(first + step) % len(pools)]
        if not any(pool.overlaps(other) for other in taken):
            return str(pool)
    raise RuntimeError(f"every /24 of {RANGE} is routed on this machine already")


def _routed(table: str) -> list[ipaddress.IPv4Network]:
    """The destinations of /proc/net/route (little-endian), the default route left out."""
    networks = []
    for line in table.splitlines()[1:]:
        fields = line.split()
        destination, mask = (
            int.from_bytes(bytes.fromhex(fields[column]), "little") for column in (1, 7)
        )
        if mask:
            networks.append(ipaddress.IPv4Network((destination, mask.bit_count())))
    return networks
