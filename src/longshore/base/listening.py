"""Ports that are taken before the program behind them is ready."""

import socket

BACKLOG = 2048


def listening_socket(host: str, port: int) -> socket.socket:
    """A TCP socket that listens; raises OSError where the port is taken.

    Who connects waits until the socket is served, and is not refused meanwhile.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named as TCP, so that event loops turn Nagle's algorithm off on what it accepts.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(BACKLOG)
    except OSError:
        listening.close()
        raise
    return listening
