"""Gives the task its network: an ENI, a place on the bridge, loopback only, or the host's own."""

import asyncio
import errno
import socket
from pathlib import Path
from typing import Any

from longshore.agent.docker import config_of
from longshore.agent.hooks.interface import HookFailure, Work
from longshore.agent.records import ContainerRecord
from longshore.model.network import Interface
from longshore.nodeapi import acs
from longshore.runtime.bridge import PortForward

ENI_SECONDS = 120.0
"""How long the control plane may take to tell of an ENI that a task names."""
DYNAMIC_PORTS = range(32768, 61000)
"""Docker's ephemeral range on Linux ("PortMapping", ECS API reference)."""


class NetworkPlace:
    """Fills in `Work.namespace`, or on the bridge `Work.namespaces`, and the network bindings."""

    async def set_up(self, work: Work) -> None:
        """See `interface.Hook`."""
        if work.host.fabric is None:
            return
        if work.network_mode == "awsvpc":
            work.namespace = await _attach(work)
        elif work.network_mode == "host":
            _bind(work, same_ports=True)
        else:
            if work.network_mode != "none":
                _bind(work, same_ports=False)
            for container in work.task.containers:
                work.namespaces[container.name] = await _namespace(work, container)

    async def tear_down(self, work: Work) -> None:
        """See `interface.Hook`."""
        if work.host.fabric is None:
            return
        if work.network_mode == "awsvpc":
            for interface in work.task.elastic_network_interfaces:
                await work.host.fabric.detach(interface.ec2_id)
        elif work.network_mode != "host":
            for record in work.record.containers.values():
                await work.host.bridge.detach(record.id)


def interface_of(work: Work) -> acs.ElasticNetworkInterface | None:
    """The ENI that the task's payload names."""
    found = work.task.elastic_network_interfaces
    return found[0] if found and work.network_mode == "awsvpc" else None


async def _namespace(work: Work, container: acs.Container) -> Path:
    """A container's own namespace, on the bridge unless it is to have no network."""
    record = work.record.containers[container.name]
    if work.network_mode == "none" or config_of(container).network_disabled:
        return await work.host.bridge.empty(record.id)
    return await work.host.bridge.attach(record.id, _forwards(record))


async def _attach(work: Work) -> Path:
    fabric = work.host.fabric
    named = interface_of(work)
    if fabric is None or named is None:
        raise HookFailure("ResourceInitializationError: the task has no elastic network interface")
    try:
        async with asyncio.timeout(ENI_SECONDS):
            return await fabric.attach(await _announced(work, named.ec2_id))
    except TimeoutError:
        raise HookFailure(
            f"ResourceInitializationError: {named.ec2_id} was not attached in time"
        ) from None


async def _announced(work: Work, interface_id: str) -> Interface:
    """The interface, as soon as the host's network has it."""
    fabric = work.host.fabric
    while fabric is not None:
        for interface in fabric.network.interfaces:
            if interface.id == interface_id:
                return interface
        await fabric.changed()
    raise HookFailure("ResourceInitializationError: this host has no VPCs")


def _bind(work: Work, *, same_ports: bool) -> None:
    """Choose host ports once; they stay the task's until it ends."""
    for container in work.task.containers:
        record = work.record.containers[container.name]
        if not record.bindings:
            # One by one: what a conflict comes after is given back with the task.
            for mapping in container.port_mappings:
                record.bindings += _bindings(work, mapping, same_ports=same_ports)
    work.save()


def _bindings(work: Work, mapping: acs.PortMapping, *, same_ports: bool) -> list[dict[str, Any]]:
    ports = [mapping.container_port]
    if mapping.container_port_range:
        first, _, last = mapping.container_port_range.partition("-")
        ports = list(range(int(first), int(last or first) + 1))
    bindings = []
    for port in ports:
        host_port = port if same_ports else mapping.host_port or _free_port(work, mapping.protocol)
        if not same_ports and mapping.host_port:
            _require_free(work, mapping.host_port, mapping.protocol)
        work.host.ports_taken.add((host_port, mapping.protocol))
        bindings.append(
            {
                "bindIP": "0.0.0.0",  # noqa: S104 - as Docker shows it
                "containerPort": port,
                "hostPort": host_port,
                "protocol": mapping.protocol,
            }
        )
    return bindings


def _forwards(record: ContainerRecord) -> list[PortForward]:
    return [
        PortForward(binding["protocol"], binding["hostPort"], binding["containerPort"])
        for binding in record.bindings
    ]


def _free_port(work: Work, protocol: str) -> int:
    for port in DYNAMIC_PORTS:
        if (port, protocol) not in work.host.ports_taken and _is_free(port, protocol):
            return port
    raise HookFailure("CannotStartContainerError: no ephemeral host port is free")


def _require_free(work: Work, port: int, protocol: str) -> None:
    if (port, protocol) in work.host.ports_taken or not _is_free(port, protocol):
        raise HookFailure(
            "CannotStartContainerError: Error response from daemon: driver failed programming "
            f"external connectivity: Bind for 0.0.0.0:{port} failed: port is already allocated"
        )


def _is_free(port: int, protocol: str) -> bool:
    kind = socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError as error:
            if error.errno in {errno.EADDRINUSE, errno.EACCES}:
                return False
            raise
    return True
