"""The bridge of an installation, for tasks of network mode `bridge` (and `none`).

Each container has a network namespace `ls-<installation>-t-<container>`; a veth joins it to
the bridge `ls<installation>br`, and ports of the host lead to it by nftables' destination NAT. All
of it is named by the installation's id, and found again by those names after a crash.
"""

import asyncio
import hashlib
import ipaddress
import json
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from longshore.base.files import replace_file
from longshore.base.installation import Installation
from longshore.model.link_local import API_ADDRESS, CREDENTIALS_ADDRESS
from longshore.runtime import docker
from longshore.runtime.interface import RuntimeFailure

NETNS_DIR = Path("/run/netns")
RANGE = ipaddress.IPv4Network("172.28.0.0/14")


class PortForward(msgspec.Struct, frozen=True):
    """A port of the host that leads to a port of a container; `protocol` is tcp or udp."""

    protocol: str
    host_port: int
    port: int


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """One container on the bridge, as the table below keeps it."""

    address: str
    forwards: tuple[PortForward, ...] = ()


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What lasts: the bridge's network, and the places of containers by their ids."""

    network: str
    places: dict[str, Place] = {}


class Bridge:
    """Made when the first task wants it; `local_port` is where the agent's endpoints listen."""

    def __init__(self, installation: Installation, local_port: int = 0) -> None:
        self._installation = installation
        self._local_port = local_port
        self._lock = asyncio.Lock()
        self._file = installation.data_dir / "agent" / "bridge.json"
        self.name = f"ls{installation.id}br"
        self._table = f"longshore-{installation.id}-bridge"

    async def empty(self, container_id: str) -> Path:
        """A namespace with nothing but loopback."""
        async with self._lock:
            return await asyncio.to_thread(self._namespace, container_id)

    async def attach(self, container_id: str, forwards: Sequence[PortForward]) -> Path:
        """The container's namespace, on the bridge; attaching twice gives the same."""
        async with self._lock:
            return await asyncio.to_thread(self._attach, container_id, tuple(forwards))

    async def detach(self, container_id: str) -> None:
        """Remove the container's namespace and forwards; safe to repeat, and without `attach`."""
        async with self._lock:
            await asyncio.to_thread(self._detach, container_id)

    def addresses(self) -> dict[str, str]:
        """Where each container on the bridge is, by its id."""
        kept = self._load()
        places = kept.places if kept is not None else {}
        return {container_id: place.address for container_id, place in places.items()}

    def destroy(self) -> None:
        """Remove the bridge, every namespace and the rules of this installation."""
        for path in NETNS_DIR.glob(f"ls-{self._installation.id}-t-*"):
            _try(["ip", "netns", "delete", path.name])
        _try(["ip", "link", "delete", self.name])
        _try(["nft", "delete", "table", "inet", self._table])
        docker.remove_rules(self._table)
        self._file.unlink(missing_ok=True)

    def _path(self, container_id: str) -> Path:
        return NETNS_DIR / f"ls-{self._installation.id}-t-{container_id}"

    def _namespace(self, container_id: str) -> Path:
        path = self._path(container_id)
        if not _is_namespace(path):
            # A bare file is what a kill between its making and its mounting left.
            path.unlink(missing_ok=True)
            _run(["ip", "netns", "add", path.name])
        _batch(["link set lo up"], path)
        return path

    def _attach(self, container_id: str, forwards: tuple[PortForward, ...]) -> Path:
        kept = self._load() or Kept(network=str(self._chosen_network()))
        network = ipaddress.IPv4Network(kept.network)
        path = self._namespace(container_id)
        place = kept.places.get(container_id)
        place = place or Place(address=_free(network, kept.places), forwards=forwards)
        kept.places[container_id] = place
        self._save(kept)
        outer = _outer(path)
        commands = self._bridge_commands(network)
        if not _is_device(outer):
            commands.append(f"link add {outer} type veth peer eth0 netns {path.name}")
        commands.append(f"link set {outer} master {self.name} up")
        # So that a task reaches itself by its published port, also where br_netfilter is loaded.
        _batch([*commands, f"link set {outer} type bridge_slave hairpin on"])
        self._let_in()
        _batch(
            [
                f"addr replace {place.address}/{network.prefixlen} dev eth0",
                "link set eth0 up",
                f"route replace default via {network[1]}",
            ],
            path,
        )
        self._apply(kept)
        return path

    def _detach(self, container_id: str) -> None:
        kept = self._load()
        if kept is not None and kept.places.pop(container_id, None) is not None:
            self._save(kept)
            self._apply(kept)
        path = self._path(container_id)
        if _is_device(_outer(path)):
            _run(["ip", "link", "delete", _outer(path)])
        if path.exists():
            _try(["ip", "netns", "delete", path.name])
            path.unlink(missing_ok=True)

    def _bridge_commands(self, network: ipaddress.IPv4Network) -> list[str]:
        return [
            *([] if _is_device(self.name) else [f"link add {self.name} type bridge"]),
            f"addr replace {network[1]}/{network.prefixlen} dev {self.name}",
            f"link set {self.name} up",
        ]

    def _let_in(self) -> None:
        """Have the kernel forward for the bridge, also beside a Docker, which forbids it."""
        for setting in (f"conf/{self.name}/route_localnet", "ip_forward"):
            path = Path("/proc/sys/net/ipv4", setting)
            if path.read_text().strip() != "1":
                path.write_text("1")
                docker.let_through(self.name, self._table)

    def _chosen_network(self) -> ipaddress.IPv4Network:
        """A /22 that the machine has no route to; installations begin to look at different ones."""
        subnets = list(RANGE.subnets(new_prefix=22))
        digest = hashlib.sha256(str(self._installation.data_dir).encode()).digest()
        first = int.from_bytes(digest[:4], "big") % len(subnets)
        routed = _routed_networks()
        for subnet in (*subnets[first:], *subnets[:first]):
            if not any(subnet.overlaps(each) for each in routed):
                return subnet
        raise RuntimeFailure("ResourceInitializationError", f"no network of {RANGE} is free")

    def _apply(self, kept: Kept) -> None:
        ports = (
            self._installation.port,
            self._installation.tls_port,
            self._installation.registry_port,
        )
        network = ipaddress.IPv4Network(kept.network)
        text = ruleset(self._table, self.name, network, kept.places, self._local_port, ports)
        _run(["nft", "-f", "-"], text)

    def _load(self) -> Kept | None:
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=Kept)
        except (FileNotFoundError, msgspec.DecodeError):
            return None

    def _save(self, kept: Kept) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        replace_file(self._file, msgspec.json.encode(kept), 0o644, synced=False)


def _routed_networks() -> list[ipaddress.IPv4Network]:
    """Where the machine's routes lead, but for the default one."""
    told = subprocess.run(["ip", "-4", "-json", "route"], check=True, capture_output=True).stdout
    found = (str(route["dst"]) for route in json.loads(told) if "dst" in route)
    return [ipaddress.IPv4Network(each, strict=False) for each in found if each != "default"]


def ruleset(
    table: str,
    bridge: str,
    network: ipaddress.IPv4Network,
    places: Mapping[str, Place],
    local_port: int,
    api_ports: Iterable[int],
) -> str:
    """The whole table, for `nft -f`: replaces what was there in one transaction."""
    forwards = [
        f"fib daddr type local {forward.protocol} dport {forward.host_port} "
        f"dnat ip to {place.address}:{forward.port}"
        for place in places.values()
        for forward in place.forwards
    ]
    inside = [
        f'iifname "{bridge}" ip daddr {API_ADDRESS} tcp dport {port} dnat ip to 127.0.0.1:{port}'
        for port in api_ports
    ]
    if local_port:
        inside.append(
            f'iifname "{bridge}" ip daddr {CREDENTIALS_ADDRESS} tcp dport 80 '
            f"dnat ip to 127.0.0.1:{local_port}"
        )
    return "\n".join(
        (
            f"table inet {table} {{}}",
            f"delete table inet {table}",
            f"table inet {table} {{",
            "chain before { type nat hook prerouting priority dstnat;",
            *inside,
            *forwards,
            "}",
            "chain local { type nat hook output priority -100;",
            *forwards,
            "}",
            "chain after { type nat hook postrouting priority srcnat;",
            f'ip saddr {network} oifname != "{bridge}" masquerade',
            f'oifname "{bridge}" ip saddr 127.0.0.0/8 masquerade',
            f'oifname "{bridge}" ip saddr {network} ct status dnat masquerade',
            "}",
            # Whatever comes out of a namespace comes from its address, and goes to no loopback
            # but through the rules above: route_localnet would let it.
            "chain sources { type filter hook prerouting priority raw;",
            f'iifname "{bridge}" meta nfproto ipv6 drop',
            f'iifname "{bridge}" ip saddr != {network} drop',
            f'iifname "{bridge}" ip daddr 127.0.0.0/8 drop',
            "}",
            "chain guard { type filter hook input priority filter;",
            f'iifname "{bridge}" ip daddr 127.0.0.0/8 ct status dnat accept',
            f'iifname "{bridge}" ip daddr 127.0.0.0/8 drop',
            "}",
            "}",
        )
    )


def _free(network: ipaddress.IPv4Network, places: Mapping[str, Place]) -> str:
    taken = {place.address for place in places.values()}
    for address in list(network.hosts())[1:]:
        if str(address) not in taken:
            return str(address)
    raise RuntimeFailure("ResourceInitializationError", f"no address of {network} is free")


def _outer(namespace: Path) -> str:
    """The host's end of a namespace's veth."""
    return "lsv" + hashlib.sha256(namespace.name.encode()).hexdigest()[:12]


def _is_device(name: str) -> bool:
    return Path("/sys/class/net", name).exists()


def _is_namespace(path: Path) -> bool:
    try:
        return path.stat().st_dev != path.parent.stat().st_dev
    except FileNotFoundError:
        return False


def _batch(commands: Sequence[str], namespace: Path | None = None) -> None:
    """Run `ip` once, inside a namespace or on the host."""
    inside = ["-n", namespace.name] if namespace is not None else []
    _run(["ip", *inside, "-batch", "-"], "\n".join(commands) + "\n")


def _run(command: Sequence[str], text: str = "") -> None:
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeFailure(
            "ResourceInitializationError", f"{json.dumps(command)}: {done.stderr.strip()}"
        )


def _try(command: Sequence[str]) -> None:
    subprocess.run(command, capture_output=True, check=False)
