"""Netlink sockets of the namespaces that the fabric works in, kept open between changes."""

import errno
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from longshore.fabric import namespaces

HOST = Path("/proc/self/ns/net")
ADDRESS_FAMILY = 2
GONE = frozenset({errno.ENODEV, errno.ENOENT, errno.ESRCH, errno.EADDRNOTAVAIL})


class Links:
    """One rtnetlink socket a namespace; only for the fabric's own thread."""

    def __init__(self) -> None:
        self._sockets: dict[Path, IPRoute] = {}

    def open(self, namespace: Path = HOST) -> Any:
        """The namespace's rtnetlink socket (pyroute2's IPRoute)."""
        found = self._sockets.get(namespace)
        if found is None:
            if namespace == HOST:
                found = IPRoute()
            else:
                with namespaces.within(namespace):
                    found = IPRoute()
            self._sockets[namespace] = found
        return found

    def forget(self, namespace: Path) -> None:
        """Close the namespace's socket, which would keep the namespace alive."""
        found = self._sockets.pop(namespace, None)
        if found is not None:
            found.close()

    def close(self) -> None:
        for namespace in list(self._sockets):
            self.forget(namespace)


def find_device(link: Any, name: str) -> int | None:
    """The index of a device, or None."""
    found = link.link_lookup(ifname=name)
    return found[0] if found else None


def device_index(link: Any, name: str) -> int:
    """The index of a device that is there."""
    index: int = link.link_lookup(ifname=name)[0]
    return index


def ensure(link: Any, what: str, **settings: Any) -> None:
    """Add an address, route, rule or neighbour; nothing happens where it is there already."""
    try:
        getattr(link, what)("add", **settings)
    except NetlinkError as error:
        if error.code != errno.EEXIST:
            raise


def discard(link: Any, what: str, **settings: Any) -> None:
    """Delete what may be gone already."""
    try:
        getattr(link, what)("del", **settings)
    except NetlinkError as error:
        if error.code not in GONE:
            raise


def addresses(link: Any, index: int) -> set[str]:
    """IPv4 addresses of a device, without their prefix lengths."""
    messages = link.get_addr(family=ADDRESS_FAMILY, index=index)
    return {message.get_attr("IFA_LOCAL") for message in messages if message["index"] == index}


def write_sysctls(values: Mapping[str, str | int]) -> None:
    """Set `net.*` settings in this thread's namespace, by their paths under /proc/sys/net."""
    for path, value in values.items():
        (Path("/proc/sys/net") / path).write_text(str(value))
