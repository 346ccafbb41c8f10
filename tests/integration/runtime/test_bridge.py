"""The bridge of an installation, with real namespaces, veths and packet filters."""

import asyncio
import contextlib
import ipaddress
import os
import re
import socket
import subprocess
import threading
from pathlib import Path

import pytest

from longshore.base.installation import Installation
from longshore.runtime.bridge import Bridge, PortForward
from longshore.testing.ports import free_ports

TIMEOUT = 1.0


def command(*arguments):
    """What a program prints; it must succeed."""
    return subprocess.run(arguments, capture_output=True, text=True, check=True).stdout


def addresses_of_host():
    """IPv4 addresses of this machine that are not loopback's."""
    return re.findall(
        r"inet ([\d.]+)/", command("ip", "-4", "-o", "addr", "show", "up", "scope", "global")
    )[:2]


@contextlib.contextmanager
def inside(namespace):
    """This thread in a namespace; only for threads of their own."""
    libc = __import__("ctypes").CDLL(None, use_errno=True)
    with namespace.open() as file:
        assert libc.setns(file.fileno(), 0x40000000) == 0
        yield


def in_namespace(namespace, work):
    """What `work` gives, run in a namespace by a thread of its own."""
    given = []

    def run():
        with inside(namespace):
            given.append(work())

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return given[0]


class Server:
    """Answers every connection with who asked, from a namespace (or the host)."""

    def __init__(self, port, namespace=None, address="0.0.0.0", kind=socket.SOCK_STREAM):
        def listen():
            made = socket.socket(socket.AF_INET, kind)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind((address, port))
            return made

        self.socket = in_namespace(namespace, listen) if namespace else listen()
        self.kind = kind
        if kind == socket.SOCK_STREAM:
            self.socket.listen()
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                if self.kind == socket.SOCK_DGRAM:
                    asked, peer = self.socket.recvfrom(100)
                    if not asked:
                        return
                    self.socket.sendto(peer[0].encode(), peer)
                    continue
                connection, peer = self.socket.accept()
                connection.recv(100)
                connection.sendall(peer[0].encode())
                connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


def ask(address, port, kind=socket.SOCK_STREAM):
    """What is answered; None where nothing is."""
    with socket.socket(socket.AF_INET, kind) as client:
        client.settimeout(TIMEOUT)
        try:
            client.connect((address, port))
            client.sendall(b"?")
            return client.recv(100).decode() or None
        except OSError:
            return None


def traces(installation):
    """Devices, namespaces and tables that carry the installation's id."""
    listed = [command("ip", "link"), command("nft", "list", "tables")]
    names = [path.name for path in Path("/run/netns").glob("*")]
    lines = [line for text in listed for line in text.splitlines()]
    return [found for found in lines + names if installation.id in found]


@pytest.fixture
def installation(tmp_path):
    return Installation(data_dir=tmp_path / "one", port=free_ports(4))


@pytest.fixture
def local_port():
    return free_ports(1)


@pytest.fixture
def bridge(installation, local_port):
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    made = Bridge(installation, local_port)
    yield made
    made.destroy()
    assert traces(installation) == []


async def test_published_port_is_reached_on_the_hosts_addresses_and_on_loopback(bridge):
    port = free_ports(1)
    namespace = await bridge.attach("one", [PortForward("tcp", port, 80)])
    with Server(80, namespace):
        for address in ("127.0.0.1", *addresses_of_host()):
            assert await asyncio.to_thread(ask, address, port), address


async def test_published_udp_port_answers(bridge):
    port = free_ports(1)
    namespace = await bridge.attach("one", [PortForward("udp", port, 53)])
    with Server(53, namespace, kind=socket.SOCK_DGRAM):
        for address in ("127.0.0.1", *addresses_of_host()):
            assert await asyncio.to_thread(ask, address, port, socket.SOCK_DGRAM), address


async def test_task_reaches_another_tasks_published_port_and_its_own(bridge):
    port = free_ports(1)
    first = await bridge.attach("one", [PortForward("tcp", port, 80)])
    second = await bridge.attach("two", [])
    with Server(80, first):
        for address in addresses_of_host():
            for asking in (first, second):
                assert in_namespace(asking, lambda address=address: ask(address, port))


async def test_endpoints_address_leads_to_the_local_port(bridge, local_port):
    namespace = await bridge.attach("one", [])
    with Server(local_port, address="127.0.0.1"):
        asked = in_namespace(namespace, lambda: ask("169.254.170.2", 80))
    assert asked == bridge.addresses()["one"]


async def test_api_address_leads_to_longshores_ports(bridge, installation):
    namespace = await bridge.attach("one", [])
    with Server(installation.port, address="127.0.0.1"):
        assert in_namespace(namespace, lambda: ask("169.254.170.100", installation.port))


async def test_hosts_loopback_is_not_reached_even_by_a_task_that_routes_it_to_the_bridge(bridge):
    namespace = await bridge.attach("one", [])
    port = free_ports(1)
    gateway = re.sub(r"\d+$", "1", bridge.addresses()["one"])
    for words in (
        ["sysctl", "-qw", "net.ipv4.conf.all.route_localnet=1"],
        ["ip", "address", "delete", "127.0.0.1/8", "dev", "lo"],
        ["ip", "route", "add", "127.0.0.1", "via", gateway],
    ):
        command("ip", "netns", "exec", namespace.name, *words)
    with Server(port, address="127.0.0.1"):
        assert ask("127.0.0.1", port)
        assert in_namespace(namespace, lambda: ask("127.0.0.1", port)) is None


async def test_task_cannot_speak_with_an_address_that_is_not_its_bridges(bridge):
    port = free_ports(1)
    namespace = await bridge.attach("one", [])
    command("ip", "-n", namespace.name, "addr", "add", "203.0.113.7/32", "dev", "eth0")
    gateway = re.sub(r"\d+$", "1", bridge.addresses()["one"])

    def spoofed():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.bind(("203.0.113.7", 0))
            client.sendto(b"?", (gateway, port))

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("", port))
        server.settimeout(0.3)
        in_namespace(namespace, spoofed)
        with pytest.raises(TimeoutError):
            server.recv(10)


async def test_detached_task_leaves_nothing_and_its_port_is_closed(bridge, installation):
    port = free_ports(1)
    before = traces(installation)
    namespace = await bridge.attach("one", [PortForward("tcp", port, 80)])
    await bridge.detach("one")
    await bridge.detach("one")
    left = [line for line in traces(installation) if line not in before]
    assert not namespace.exists()
    assert not [line for line in left if "-t-" in line or "lsv" in line]
    assert ask("127.0.0.1", port) is None


async def test_attaching_again_after_death_gives_the_same_place(bridge, installation, local_port):
    port = free_ports(1)
    namespace = await bridge.attach("one", [PortForward("tcp", port, 80)])
    address = bridge.addresses()["one"]
    with Server(80, namespace):
        other = Bridge(installation, local_port)
        assert await other.attach("one", [PortForward("tcp", port, 80)]) == namespace
        assert other.addresses()["one"] == address
        assert ask("127.0.0.1", port)


async def test_file_that_a_kill_left_in_place_of_a_namespace_is_no_obstacle(bridge, installation):
    await bridge.attach("zero", [])
    Path(f"/run/netns/ls-{installation.id}-t-one").touch()
    namespace = await bridge.attach("one", [])
    assert "eth0" in command("ip", "-n", namespace.name, "link")


async def test_many_attached_at_once_have_addresses_of_their_own(bridge):
    names = [f"task-{number}" for number in range(12)]
    await asyncio.gather(*(bridge.attach(name, []) for name in names))
    assert len(set(bridge.addresses().values())) == len(names)
    await asyncio.gather(*(bridge.detach(name) for name in names))
    assert bridge.addresses() == {}


async def test_task_without_network_has_loopback_alone(bridge):
    namespace = await bridge.empty("one")
    listed = command("ip", "-n", namespace.name, "-o", "link")
    assert [line.split(": ")[1] for line in listed.splitlines()] == ["lo"]
    await bridge.detach("one")
    assert not namespace.exists()


async def test_network_that_the_machine_has_a_route_to_is_not_taken(bridge):
    await bridge.attach("one", [])
    first = ipaddress.ip_interface(bridge.addresses()["one"] + "/22").network
    bridge.destroy()
    command("ip", "link", "add", "lsother", "type", "bridge")
    try:
        command("ip", "address", "add", f"{first[9]}/24", "dev", "lsother")
        command("ip", "link", "set", "lsother", "up")
        await bridge.attach("one", [])
        assert ipaddress.ip_address(bridge.addresses()["one"]) not in first
    finally:
        command("ip", "link", "delete", "lsother")
    address = bridge.addresses()["one"]
    await bridge.attach("two", [])
    network = ipaddress.ip_interface(address + "/22").network
    assert ipaddress.ip_address(bridge.addresses()["two"]) in network


async def test_two_installations_have_bridges_of_their_own(bridge, tmp_path):
    second = Installation(data_dir=tmp_path / "two", port=free_ports(4))
    other = Bridge(second)
    ports = free_ports(2)
    first = await bridge.attach("one", [PortForward("tcp", ports, 80)])
    inside_second = await other.attach("one", [PortForward("tcp", ports + 1, 80)])
    with Server(80, first), Server(80, inside_second):
        assert ask("127.0.0.1", ports)
        assert ask("127.0.0.1", ports + 1)
        other.destroy()
        assert traces(second) == []
        assert ask("127.0.0.1", ports)
        assert ask("127.0.0.1", ports + 1) is None
