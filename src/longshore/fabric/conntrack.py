"""Flows that the kernel tracks: listed and deleted through ctnetlink.

Spoken directly: pyroute2 takes 0.23 ms to decode an entry, this 0.02 ms, and a rule change looks
at all of them (decision 0051). Layout: linux/netfilter/nfnetlink_conntrack.h.
"""

import os
import socket
import struct
from collections.abc import Callable, Iterator

from longshore.fabric.admission import Flow
from longshore.fabric.interface import FabricError

NETLINK_NETFILTER = 12
CT_GET, CT_DELETE = 0x101, 0x102
NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP = 1, 4, 0x300
NLMSG_ERROR, NLMSG_DONE = 2, 3
TUPLE_ORIG, TUPLE_REPLY = 1, 2
TUPLE_IP, TUPLE_PROTO = 1, 2
IP_SOURCE, IP_DESTINATION = 1, 2
NUMBER, SOURCE_PORT, DESTINATION_PORT, ICMP_TYPE, ICMP_CODE = 1, 2, 3, 5, 6
TYPE_MASK = 0x3FFF
ENOENT = 2
BUFFER = 1 << 17

_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")


def _request(message_type: int, flags: int, attributes: bytes = b"") -> bytes:
    body = struct.pack("=BBH", socket.AF_INET, 0, 0) + attributes
    return _HEADER.pack(_HEADER.size + len(body), message_type, flags, 1, 0) + body


def _messages(netlink: socket.socket) -> Iterator[tuple[int, bytes]]:
    while True:
        data = netlink.recv(BUFFER)
        offset = 0
        while offset + _HEADER.size <= len(data):
            length, message_type, _, _, _ = _HEADER.unpack_from(data, offset)
            yield message_type, data[offset + _HEADER.size : offset + length]
            offset += (length + 3) & ~3


def _attributes(data: bytes, start: int = 0) -> dict[int, bytes]:
    found = {}
    while start + 4 <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, start)
        if length < 4:
            break
        found[kind & TYPE_MASK] = data[start + 4 : start + length]
        start += (length + 3) & ~3
    return found


def _flow(entry: dict[int, bytes]) -> Flow:
    original, reply = _attributes(entry[TUPLE_ORIG]), _attributes(entry[TUPLE_REPLY])
    addresses, answers = _attributes(original[TUPLE_IP]), _attributes(reply[TUPLE_IP])
    protocol, expected = _attributes(original[TUPLE_PROTO]), _attributes(reply[TUPLE_PROTO])
    is_icmp = ICMP_TYPE in protocol
    return Flow(
        protocol=protocol[NUMBER][0],
        source=socket.inet_ntoa(addresses[IP_SOURCE]),
        destination=socket.inet_ntoa(addresses[IP_DESTINATION]),
        reply_source=socket.inet_ntoa(answers[IP_SOURCE]),
        reply_destination=socket.inet_ntoa(answers[IP_DESTINATION]),
        source_port=_number(protocol.get(SOURCE_PORT)),
        destination_port=_number(protocol.get(DESTINATION_PORT)),
        port=protocol[ICMP_TYPE][0] if is_icmp else _number(expected.get(SOURCE_PORT)),
        code=protocol[ICMP_CODE][0] if is_icmp else 0,
    )


def _number(data: bytes | None) -> int:
    return int.from_bytes(data, "big") if data else 0


def _open() -> socket.socket:
    return socket.socket(
        socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_NETFILTER
    )


def _dump(netlink: socket.socket) -> Iterator[dict[int, bytes]]:
    netlink.send(_request(CT_GET, NLM_F_REQUEST | NLM_F_DUMP))
    for message_type, payload in _messages(netlink):
        if message_type == NLMSG_DONE:
            return
        if message_type == NLMSG_ERROR:
            raise FabricError(f"conntrack refused to list: {os.strerror(_error(payload))}")
        yield _attributes(payload, 4)


def _error(payload: bytes) -> int:
    return -int(struct.unpack_from("=i", payload)[0])


def list_flows() -> list[Flow]:
    """The IPv4 flows in this thread's namespace."""
    with _open() as netlink:
        return [_flow(entry) for entry in _dump(netlink)]


def cut_flows(condition: Callable[[Flow], bool]) -> list[Flow]:
    """Forget the flows for which `condition` holds; which they were.

    Their next packet is judged as a first one (and, with tcp_loose off, dropped in mid-stream).
    """
    cut = []
    with _open() as listing:
        doomed = [entry for entry in _dump(listing) if condition(_flow(entry))]
    with _open() as netlink:
        for entry in doomed:
            original = entry[TUPLE_ORIG]
            attribute = _ATTRIBUTE.pack(4 + len(original), TUPLE_ORIG | 0x8000) + original
            netlink.send(_request(CT_DELETE, NLM_F_REQUEST | NLM_F_ACK, attribute))
            _, payload = next(_messages(netlink))
            if _error(payload) not in {0, ENOENT}:
                raise FabricError(f"conntrack refused to cut: {os.strerror(_error(payload))}")
            cut.append(_flow(entry))
    return cut
