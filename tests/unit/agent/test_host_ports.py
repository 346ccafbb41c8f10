"""Which host ports tasks are given, and that nobody else gets them."""

import errno
import socket

import pytest

from longshore.agent.ports import EPHEMERAL, HostPorts
from longshore.testing.ports import free_ports

PROTOCOLS = ("tcp", "udp")


def bound(number, protocol):
    kind = socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_STREAM
    other = socket.socket(socket.AF_INET, kind)
    if protocol == "tcp":
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        other.bind(("127.0.0.1", number))
    except OSError:
        other.close()
        raise
    return other


@pytest.fixture
def ports():
    return HostPorts()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_published_port_is_nobody_elses_until_it_is_given_back(ports, protocol):
    number = free_ports(1)
    assert ports.publish(number, protocol)
    assert not ports.publish(number, protocol)
    assert not HostPorts().publish(number, protocol)
    with pytest.raises(OSError, match="in use") as refused:
        bound(number, protocol)
    assert refused.value.errno == errno.EADDRINUSE
    ports.release(number, protocol)
    bound(number, protocol).close()
    assert ports.publish(number, protocol)
    ports.release(number, protocol)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_port_that_another_program_has_is_not_published(ports, protocol):
    number = free_ports(1)
    with bound(number, protocol) as other:
        if protocol == "tcp":
            other.listen()
        assert not ports.publish(number, protocol)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_two_installations_choose_different_ephemeral_ports(ports, protocol):
    other = HostPorts()
    chosen = [each.publish_any(protocol) for each in (ports, other, ports)]
    assert len(set(chosen)) == 3
    assert all(number in EPHEMERAL for number in chosen)
    for each, number in zip((ports, other, ports), chosen, strict=True):
        each.release(number, protocol)


def test_port_of_a_server_that_has_just_ended_can_be_published(ports):
    with socket.create_server(("127.0.0.1", 0)) as server:
        number = server.getsockname()[1]
        client = socket.create_connection(("127.0.0.1", number))
        answering, _ = server.accept()
        # Whoever closes first keeps the port for a minute (TIME_WAIT).
        answering.close()
        client.close()
    assert ports.publish(number, "tcp")
    ports.release(number, "tcp")


def test_noted_port_is_for_the_container_itself_to_bind(ports):
    number = free_ports(1)
    ports.note(number, "tcp")
    assert not ports.publish(number, "tcp")
    bound(number, "tcp").close()
    ports.release(number, "tcp")
    assert ports.publish(number, "tcp")
    ports.release(number, "tcp")


def test_adopted_ports_are_held_again_also_where_one_was_lost_meanwhile(ports):
    first = free_ports(2)
    with bound(first, "tcp") as other:
        other.listen()
        ports.adopt([(first, "tcp"), (first + 1, "tcp")])
    assert not ports.publish(first, "tcp")
    with pytest.raises(OSError, match="in use"):
        bound(first + 1, "tcp")
    for number in (first, first + 1):
        ports.release(number, "tcp")
