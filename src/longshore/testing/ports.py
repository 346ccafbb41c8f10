"""Ports that are free now, for servers that tests start."""

import random
import socket

RANGE = range(20000, 32768)
"""Below the ports that Linux gives to clients (`ip_local_port_range`): there any connection that
somebody opens may take a port between its choice and its use."""
_random = random.SystemRandom()


def free_ports(count: int) -> int:
    """The first of `count` neighbouring TCP ports of the loopback address that are free now."""
    while True:
        first = _random.choice(RANGE[:-count])
        if all(_free(first + step) for step in range(count)):
            return first


def _free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
