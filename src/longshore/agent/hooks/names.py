"""/etc/hosts, /etc/hostname and /etc/resolv.conf of the task."""

import ipaddress
from pathlib import Path

from longshore.agent.docker import HostConfig, config_of, host_config_of
from longshore.agent.hooks.interface import Work
from longshore.agent.hooks.network import interface_of
from longshore.nodeapi import acs
from longshore.runtime.interface import Mount

RESOLV_CONF = Path("/etc/resolv.conf")
LOCAL = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"


class Names:
    """Files in the task's folder, which the volumes hook removes, bound into each container."""

    async def set_up(self, work: Work) -> None:
        """See `interface.Hook`."""
        if work.network_mode == "host":
            return
        for container in work.task.containers:
            folder = work.directory / "etc" / work.record.containers[container.name].id
            folder.mkdir(parents=True, exist_ok=True)
            host_config = host_config_of(container)
            own_name = config_of(container).hostname or hostname(work)
            files = {
                "hostname": own_name + "\n",
                "hosts": _hosts(work, container, own_name),
                "resolv.conf": _resolv_conf(work, host_config),
            }
            for name, content in files.items():
                path = folder / name
                if not path.exists():
                    path.write_text(content)
                work.add_mount(container.name, Mount(target=f"/etc/{name}", source=str(path)))

    async def tear_down(self, work: Work) -> None:
        """See `interface.Hook`."""


def hostname(work: Work) -> str:
    """As AWS calls it: `ip-10-0-1-17.ec2.internal` with an ENI, else the task's id."""
    interface = interface_of(work)
    if interface is None:
        return work.record.id[:12]
    if interface.private_dns_name:
        return interface.private_dns_name
    address = interface.ipv4_addresses[0].private_address if interface.ipv4_addresses else ""
    region = work.host.installation.region
    domain = "ec2.internal" if region == "us-east-1" else f"{region}.compute.internal"
    return f"ip-{address.replace('.', '-')}.{domain}"


def _hosts(work: Work, container: acs.Container, own_name: str) -> str:
    lines = [LOCAL]
    interface = interface_of(work)
    if interface is not None and interface.ipv4_addresses:
        lines.append(f"{interface.ipv4_addresses[0].private_address}\t{own_name}\n")
    else:
        lines += _hosts_on_bridge(work, container, own_name)
    for entry in host_config_of(container).extra_hosts or ():
        name, _, address = entry.partition(":")
        lines.append(f"{address}\t{name}\n")
    return "".join(lines)


def _hosts_on_bridge(work: Work, container: acs.Container, own_name: str) -> list[str]:
    """Its own line, and one for each linked container ("links", ECS API reference)."""
    addresses = work.host.bridge.addresses()
    containers = work.record.containers
    lines = [f"{addresses.get(containers[container.name].id, '127.0.1.1')}\t{own_name}\n"]
    for link in container.links:
        name, _, alias = link.partition(":")
        other = containers.get(name)
        if other is not None and other.id in addresses:
            lines.append(f"{addresses[other.id]}\t{alias or name} {name}\n")
    return lines


def _resolv_conf(work: Work, host_config: HostConfig) -> str:
    interface = interface_of(work)
    servers = tuple(host_config.dns or ())
    search = tuple(host_config.dns_search or ())
    if interface is not None:
        servers = servers or interface.domain_name_servers or _vpc_resolver(work, interface.ec2_id)
        search = search or interface.domain_name
    servers = servers or _servers_of_host()
    text = "".join(f"nameserver {server}\n" for server in servers)
    return text + (f"search {' '.join(search)}\n" if search else "")


def _vpc_resolver(work: Work, interface_id: str) -> tuple[str, ...]:
    if work.host.fabric is None:
        return ()
    network = work.host.fabric.network
    vpc_ids = {found.vpc_id for found in network.interfaces if found.id == interface_id}
    return tuple(vpc.resolver for vpc in network.vpcs if vpc.id in vpc_ids and vpc.resolver)


def _servers_of_host() -> tuple[str, ...]:
    """The host's resolvers, those left out that answer on its loopback only."""
    if not RESOLV_CONF.exists():
        return ()
    words = [line.split() for line in RESOLV_CONF.read_text().splitlines()]
    servers = [found[1] for found in words if len(found) > 1 and found[0] == "nameserver"]
    return tuple(server for server in servers if not _is_loopback(server))


def _is_loopback(server: str) -> bool:
    try:
        return ipaddress.ip_address(server.partition("%")[0]).is_loopback
    except ValueError:
        return True
