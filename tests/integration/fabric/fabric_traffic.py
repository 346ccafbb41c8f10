"""Sockets in namespaces: an echo server and its clients."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

from longshore.fabric import namespaces
from longshore.fabric.sockets import listen_in

REFUSED_SECONDS = 0.4
"""Long enough for a packet to arrive, if it may; what is dropped gives no sign."""


@contextlib.contextmanager
def echo_server(namespace: Path | None, address: str, port: int) -> Iterator[list[str]]:
    """Echoes TCP in a namespace (None: here); gives the list of peers' addresses."""
    if namespace is None:
        listener = socket.create_server((address, port))
    else:
        listener = listen_in(namespace, address, port)
        listener.setblocking(True)
    peers: list[str] = []
    open_sockets = [listener]

    def echo(connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := connection.recv(4096):
                connection.sendall(data)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, peer = listener.accept()
                peers.append(peer[0])
                open_sockets.append(connection)
                threading.Thread(target=echo, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield peers
    finally:
        for opened in open_sockets:
            with contextlib.suppress(OSError):
                opened.shutdown(socket.SHUT_RDWR)
            opened.close()
        thread.join(5)


def open_socket(
    namespace: Path | None, kind: socket.SocketKind = socket.SOCK_STREAM
) -> socket.socket:
    if namespace is None:
        return socket.socket(socket.AF_INET, kind)
    with namespaces.within(namespace):
        return socket.socket(socket.AF_INET, kind)


def connect(namespace: Path | None, address: str, port: int, seconds: float) -> socket.socket:
    client = open_socket(namespace)
    client.settimeout(seconds)
    try:
        client.connect((address, port))
    except OSError:
        client.close()
        raise
    return client


def echoes(client: socket.socket, seconds: float = 3.0) -> bool:
    """Whether one more message goes there and back."""
    client.settimeout(seconds)
    try:
        client.sendall(b"ping")
        return client.recv(16) == b"ping"
    except OSError:
        return False


def reaches(namespace: Path | None, address: str, port: int, seconds: float = 3.0) -> bool:
    """Whether a new TCP connection is answered."""
    try:
        with connect(namespace, address, port, seconds) as client:
            return echoes(client)
    except OSError:
        return False


def is_refused(namespace: Path | None, address: str, port: int) -> bool:
    return not reaches(namespace, address, port, REFUSED_SECONDS)
