"""The bridge of an installation, for tasks of network mode `bridge` (and `none`).

Each task has a network namespace `ls-<installation>-t-<task>`; with `bridge` a veth joins it to
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

from longshore.base.installation import Installation
from longshore.runtime.interface import RuntimeFailure

NETNS_DIR = Path("/run/netns")
RANGE = ipaddress.IPv4Network("172.28.0.0/14")
CREDENTIALS_ADDRESS = "169.254.170.2"
API_ADDRESS = "169.254.170.100"


class PortForward(msgspec.Struct, frozen=True):
    """A port of the host that leads to a port of a task; `protocol` is tcp or udp."""

    protocol: str
    host_port: int
    port: int


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """One task on the bridge, as the table below keeps it."""

    address: str
    forwards: tuple[PortForward, ...] = ()


class Bridge:
    """Made when the first task wants it; `local_port` is where the agent's endpoints listen."""

    def __init__(self, installation: Installation, local_port: int = 0) -> None:
        self._installation = installation
        self._local_port = local_port
        self._lock = asyncio.Lock()
        self._file = installation.data_dir / "agent" / "bridge.json"
        self.name = f"ls{installation.id}br"
        self._table = f"longshore-{installation.id}-bridge"

    async def empty(self, task_id: str) -> Path:
        """A namespace with nothing but loopback."""
        async with self._lock:
            return await asyncio.to_thread(self._namespace, task_id)

    async def attach(self, task_id: str, forwards: Sequence[PortForward]) -> Path:
        """The task's namespace, on the bridge; attaching twice gives the same."""
        async with self._lock:
            return await asyncio.to_thread(self._attach, task_id, tuple(forwards))

    async def detach(self, task_id: str) -> None:
        """Remove the task's namespace and forwards; safe to repeat, safe without `attach`."""
        async with self._lock:
            await asyncio.to_thread(self._detach, task_id)

    def addresses(self) -> dict[str, str]:
        """Where each task on the bridge is, by task id."""
        return {task_id: place.address for task_id, place in self._load().items()}

    def destroy(self) -> None:
        """Remove the bridge, every namespace and the rules of this installation."""
        for path in NETNS_DIR.glob(f"ls-{self._installation.id}-t-*"):
            _try(["ip", "netns", "delete", path.name])
        _try(["ip", "link", "delete", self.name])
        _try(["nft", "delete", "table", "inet", self._table])
        self._file.unlink(missing_ok=True)

    def _path(self, task_id: str) -> Path:
        return NETNS_DIR / f"ls-{self._installation.id}-t-{task_id}"

    def _namespace(self, task_id: str) -> Path:
        path = self._path(task_id)
        if not path.exists():
            _run(["ip", "netns", "add", path.name])
        _run(["ip", "-n", path.name, "link", "set", "lo", "up"])
        return path

    def _attach(self, task_id: str, forwards: tuple[PortForward, ...]) -> Path:
        places = self._load()
        network = self._ensure_bridge()
        path = self._namespace(task_id)
        place = places.get(task_id) or Place(address=_free(network, places), forwards=forwards)
        places[task_id] = place
        self._save(places)
        outer = "lsv" + hashlib.sha256(path.name.encode()).hexdigest()[:12]
        if not _succeeds(["ip", "-n", path.name, "link", "show", "eth0"]):
            _run(["ip", "link", "add", outer, "type", "veth", "peer", "eth0", "netns", path.name])
        _run(["ip", "link", "set", outer, "master", self.name, "up"])
        inside = ["ip", "-n", path.name]
        _run([*inside, "addr", "replace", f"{place.address}/{network.prefixlen}", "dev", "eth0"])
        _run([*inside, "link", "set", "eth0", "up"])
        _run([*inside, "route", "replace", "default", "via", str(network[1])])
        self._apply(network, places)
        return path

    def _detach(self, task_id: str) -> None:
        places = self._load()
        if places.pop(task_id, None) is not None:
            self._save(places)
            self._apply(self._network(), places)
        if self._path(task_id).exists():
            _run(["ip", "netns", "delete", self._path(task_id).name])

    def _ensure_bridge(self) -> ipaddress.IPv4Network:
        network = self._network()
        if not _succeeds(["ip", "link", "show", self.name]):
            _run(["ip", "link", "add", self.name, "type", "bridge"])
        gateway = f"{network[1]}/{network.prefixlen}"
        _run(["ip", "addr", "replace", gateway, "dev", self.name])
        _run(["ip", "link", "set", self.name, "up"])
        for setting in (f"conf/{self.name}/route_localnet", "ip_forward"):
            Path("/proc/sys/net/ipv4", setting).write_text("1")
        return network

    def _network(self) -> ipaddress.IPv4Network:
        """The same /22 for the same installation."""
        digest = hashlib.sha256(str(self._installation.data_dir).encode()).digest()
        subnets = list(RANGE.subnets(new_prefix=22))
        return subnets[int.from_bytes(digest[:4], "big") % len(subnets)]

    def _apply(self, network: ipaddress.IPv4Network, places: Mapping[str, Place]) -> None:
        ports = (
            self._installation.port,
            self._installation.tls_port,
            self._installation.registry_port,
        )
        text = ruleset(self._table, self.name, network, places, self._local_port, ports)
        _run(["nft", "-f", "-"], text)

    def _load(self) -> dict[str, Place]:
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=dict[str, Place])
        except (FileNotFoundError, msgspec.DecodeError):
            return {}

    def _save(self, places: Mapping[str, Place]) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        draft = self._file.with_suffix(".new")
        draft.write_bytes(msgspec.json.encode(places))
        draft.replace(self._file)


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
            # The bridge routes 127.0.0.0/8 for the rules above; nothing else may come that way.
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


def _run(command: Sequence[str], text: str = "") -> None:
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeFailure(
            "ResourceInitializationError", f"{json.dumps(command)}: {done.stderr.strip()}"
        )


def _succeeds(command: Sequence[str]) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _try(command: Sequence[str]) -> None:
    subprocess.run(command, capture_output=True, check=False)
