"""Sockets inside a network namespace, for the agent's listeners."""

import socket
from pathlib import Path

from longshore.fabric import namespaces


def listen_in(
    namespace: Path, address: str, port: int, kind: socket.SocketKind = socket.SOCK_STREAM
) -> socket.socket:
    """A bound (and, for streams, listening) non-blocking IPv4 socket inside `namespace`.

    It stays in that namespace wherever it is used. Blocks for well under a millisecond. Raises
    OSError (address in use, no such address).
    """
    with namespaces.within(namespace):
        opened = socket.socket(socket.AF_INET, kind)
    try:
        opened.setblocking(False)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind((address, port))
        if kind == socket.SOCK_STREAM:
            opened.listen(socket.SOMAXCONN)
    except OSError:
        opened.close()
        raise
    return opened
