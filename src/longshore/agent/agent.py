"""The agent as a whole: its parts, run side by side until it is told to end."""

import asyncio

from longshore.agent.endpoints import run_endpoints
from longshore.agent.engine import Engine
from longshore.agent.host import Host
from longshore.agent.imds import run_imds
from longshore.agent.logs.shipping import Shipping
from longshore.agent.network import NetworkApplier
from longshore.agent.outbox import Outbox
from longshore.agent.records import Records
from longshore.agent.registration import load_identity, register
from longshore.agent.reports import Reports
from longshore.agent.session import Session
from longshore.agent.telemetry import publish_telemetry
from longshore.agent.volumes.keeper import VolumeKeeper
from longshore.fabric.resolver import Resolver, names_of, run_resolvers


async def run_agent(host: Host) -> None:
    """Run this host's tasks until cancelled; they run on when this returns.

    What ran already is adopted before the control plane is heard, so that it needs no control
    plane; reports and logs wait on the disk until there is one.
    """
    outbox = Outbox(host.home / "outbox")
    shipping = Shipping(host)
    records = Records(host.home / "tasks")
    engine = Engine(host, records, Reports(host, outbox), shipping)
    async with asyncio.TaskGroup() as group:
        group.create_task(records.save_late(host.clock), name="records")
        group.create_task(engine.run(), name="engine")
        group.create_task(shipping.run(), name="log shipping")
        group.create_task(run_endpoints(host, engine), name="endpoints")
        group.create_task(run_imds(host), name="IMDS")
        if host.fabric is not None:
            resolver = Resolver(host.installation, names_of(host.fabric))
            group.create_task(run_resolvers(host.fabric, resolver), name="resolvers")
        group.create_task(_send_reports(host, outbox), name="reports")
        group.create_task(_speak(host, engine), name="session")


async def _send_reports(host: Host, outbox: Outbox) -> None:
    async with host.client() as client:
        await outbox.send_all(
            lambda operation, request: client.call("ecs", operation, request), host.clock
        )


async def _speak(host: Host, engine: Engine) -> None:
    """Register, and hold the sessions with the control plane."""
    ready_file = host.installation.ready_file
    ready_file.unlink(missing_ok=True)
    await engine.adopted.wait()
    network, volumes = NetworkApplier(host.fabric), VolumeKeeper(host, engine)
    host.networks_applied, host.volume_devices = network.caught_up, volumes.devices

    # Until the registration: tasks that run already may ask for it.
    host.zone = load_identity(host).zone

    async def registered() -> None:
        identity = await register(host, load_identity(host))
        host.instance_arn, host.zone = identity.instance_arn, identity.zone

    await registered()
    async with asyncio.TaskGroup() as group:
        group.create_task(network.run(), name="network")
        group.create_task(volumes.run(), name="volumes")
        group.create_task(publish_telemetry(host, engine), name="telemetry")
        group.create_task(Session(host, engine, network, volumes).run(registered), name="ACS")
