"""Host ports that tasks of this host have: no two the same, and none that another program has.

A published port leads to its container by the packet filter, which no other program sees. So a
socket of the agent listens on it meanwhile, as Docker's proxy does: whoever asks for the port, be
it another installation of Longshore, is told by the kernel that it is taken.
"""

import errno
import socket
from collections.abc import Iterable

from longshore.base.logs import logger

EPHEMERAL = range(32768, 61000)
"""Docker's ephemeral range on Linux ("PortMapping", ECS API reference)."""

Port = tuple[int, str]
"""Number and protocol, tcp or udp."""
log = logger(__name__)


class HostPorts:
    """`publish` and `publish_any` hold a port; `note` is for one that a container binds itself."""

    def __init__(self) -> None:
        self._taken: dict[Port, socket.socket | None] = {}

    def publish(self, number: int, protocol: str) -> bool:
        """Hold this port; False where a task or another program has it."""
        if (number, protocol) in self._taken:
            return False
        held = _bound(number, protocol)
        if held is None:
            return False
        self._taken[number, protocol] = held
        return True

    def publish_any(self, protocol: str) -> int | None:
        """Hold the first ephemeral port that is free; None where none is."""
        return next((number for number in EPHEMERAL if self.publish(number, protocol)), None)

    def note(self, number: int, protocol: str) -> None:
        """A task has this port, and listens on it by itself."""
        self._taken.setdefault((number, protocol), None)

    def adopt(self, ports: Iterable[Port]) -> None:
        """Hold what an earlier agent held; the tasks' rules are still there, so they keep theirs
        also where another program was quicker."""
        for number, protocol in ports:
            if not self.publish(number, protocol):
                log.warning("another program has a task's port", port=number, protocol=protocol)
                self.note(number, protocol)

    def release(self, number: int, protocol: str) -> None:
        """Let go; safe to repeat."""
        held = self._taken.pop((number, protocol), None)
        if held is not None:
            held.close()


def _bound(number: int, protocol: str) -> socket.socket | None:
    kind = socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_STREAM
    held = socket.socket(socket.AF_INET, kind)
    try:
        if protocol != "udp":
            # Connections that a server before this one has closed are no obstacle.
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("", number))
        if protocol != "udp":
            held.listen(1)
    except OSError as error:
        held.close()
        if error.errno in {errno.EADDRINUSE, errno.EACCES}:
            return None
        raise
    return held
