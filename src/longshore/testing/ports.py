"""Ports that are free now, for servers that tests start."""

import socket


def free_ports(count: int) -> int:
    """The first of `count` neighbouring TCP ports of the loopback address that are free now."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            first = int(probe.getsockname()[1])
        if first + count < 65536 and all(_free(first + step) for step in range(count)):
            return first


def _free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
