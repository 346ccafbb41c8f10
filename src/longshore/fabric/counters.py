"""What the interfaces of a network namespace have carried."""

from pathlib import Path

import msgspec

from longshore.fabric import namespaces

LOOPBACK = "lo"
COLUMNS = 16


class Counters(msgspec.Struct, frozen=True, kw_only=True):
    """One interface, since it was made; received and sent as the namespace sees it."""

    rx_bytes: int = 0
    rx_packets: int = 0
    rx_errors: int = 0
    rx_dropped: int = 0
    tx_bytes: int = 0
    tx_packets: int = 0
    tx_errors: int = 0
    tx_dropped: int = 0


def interface_counters(namespace: Path) -> dict[str, Counters]:
    """Each interface but loopback, by name; empty where the namespace is gone. Blocks, briefly."""
    try:
        with namespaces.within(namespace):
            text = Path("/proc/thread-self/net/dev").read_text()
    except OSError:
        return {}
    return parse_counters(text)


def parse_counters(text: str) -> dict[str, Counters]:
    """`/proc/net/dev` ("The /proc Filesystem", Linux kernel documentation)."""
    found = {}
    for line in text.splitlines():
        name, _, rest = line.partition(":")
        fields = rest.split()
        if len(fields) != COLUMNS or name.strip() == LOOPBACK:
            continue
        values = [int(field) for field in fields]
        received, sent = values[:4], values[8:12]
        found[name.strip()] = Counters(
            rx_bytes=received[0],
            rx_packets=received[1],
            rx_errors=received[2],
            rx_dropped=received[3],
            tx_bytes=sent[0],
            tx_packets=sent[1],
            tx_errors=sent[2],
            tx_dropped=sent[3],
        )
    return found
