"""Gives the task its network: ENIs, a place on the bridge, loopback only, or the host's own."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from longshore.agent.docker import config_of
from longshore.agent.hooks.interface import HookFailure, Work
from longshore.agent.host import Host
from longshore.agent.ports import Port
from longshore.agent.records import ContainerRecord, TaskRecord
from longshore.model.network import Interface
from longshore.nodeapi import acs
from longshore.runtime.bridge import PortForward

ENI_SECONDS = 120.0
"""How long the control plane may take to tell of an ENI that a task names."""


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
            # Further ENIs end with the namespace, or are in another one: of the task's successor.
            for interface in work.task.elastic_network_interfaces[:1]:
                await work.host.fabric.detach(interface.ec2_id)
        elif work.network_mode != "host":
            for record in work.record.containers.values():
                await work.host.bridge.detach(record.id)


def interface_of(work: Work) -> acs.ElasticNetworkInterface | None:
    """The ENI that is the task's own: the first that its payload names."""
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
            await work.host.networks_applied()
            first = await _announced(work, named.ec2_id)
            path = await fabric.attach(first)
            for number, other in enumerate(work.task.elastic_network_interfaces[1:], 1):
                named = other
                await fabric.attach_further(await _announced(work, other.ec2_id), first, number)
            return path
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
                for binding in _bindings(work, mapping, same_ports=same_ports):
                    record.bindings.append(binding)
    work.save()


def _bindings(
    work: Work, mapping: acs.PortMapping, *, same_ports: bool
) -> Iterator[dict[str, Any]]:
    ports = range(mapping.container_port, mapping.container_port + 1)
    if mapping.container_port_range:
        first, _, last = mapping.container_port_range.partition("-")
        ports = range(int(first), int(last or first) + 1)
    for port in ports:
        if same_ports:
            work.host.ports.note(port, mapping.protocol)
        yield {
            "bindIP": "0.0.0.0",  # noqa: S104 - as Docker shows it
            "containerPort": port,
            "hostPort": port if same_ports else _published(work, mapping),
            "protocol": mapping.protocol,
        }


def _ports(record: TaskRecord) -> list[Port]:
    return [
        (binding["hostPort"], binding["protocol"])
        for container in record.containers.values()
        for binding in container.bindings
    ]


def adopt_ports(host: Host, record: TaskRecord) -> None:
    """Take the ports of a task that an earlier agent started."""
    if record.task.network_mode == "host":
        for port in _ports(record):
            host.ports.note(*port)
    else:
        host.ports.adopt(_ports(record))


def release_ports(host: Host, record: TaskRecord) -> None:
    """Give back the ports of a task that has ended."""
    for port in _ports(record):
        host.ports.release(*port)


def _forwards(record: ContainerRecord) -> list[PortForward]:
    return [
        PortForward(binding["protocol"], binding["hostPort"], binding["containerPort"])
        for binding in record.bindings
    ]


def _published(work: Work, mapping: acs.PortMapping) -> int:
    if not mapping.host_port:
        found = work.host.ports.publish_any(mapping.protocol)
        if found is None:
            raise HookFailure("CannotStartContainerError: no ephemeral host port is free")
        return found
    if not work.host.ports.publish(mapping.host_port, mapping.protocol):
        raise HookFailure(
            "CannotStartContainerError: Error response from daemon: driver failed programming "
            f"external connectivity: Bind for 0.0.0.0:{mapping.host_port} failed: "
            "port is already allocated"
        )
    return mapping.host_port
