"""What the control plane offers: every service with what it stands on."""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from longshore.base.sealing import Sealer
from longshore.blobs import FileBlobs
from longshore.controllers.interface import Surroundings
from longshore.controllers.session import AgentSessions
from longshore.gateway.asgi import AsgiApp
from longshore.services import ec2, ecr, ecs, iam, logs, secretsmanager, ssm, sts
from longshore.services.interface import Identity, Service
from longshore.telemetry.interface import LogStore
from longshore.telemetry.logs import open_log_store


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """Services for the gateway, and further routes of its port.

    `sessions` are the agents' (to be run beside the controllers).
    """

    services: Sequence[Service]
    routes: Mapping[str, AsgiApp]
    sessions: AgentSessions
    log_store: LogStore
    blobs: FileBlobs


def open_offer(
    surroundings: Surroundings, identity: Identity, stack: contextlib.AsyncExitStack
) -> Offer:
    """Open everything that the services stand on; `stack` closes it again."""
    data_dir = surroundings.installation.data_dir
    log_store = open_log_store(data_dir / "telemetry")
    stack.push_async_callback(log_store.close)
    blobs = FileBlobs(data_dir / "registry", surroundings.clock.now)
    sealer = Sealer.load_or_create(data_dir / "sealing.key")
    sessions = AgentSessions(surroundings, identity)
    return Offer(
        services=[
            ec2.service(),
            ecr.service(blobs),
            ecs.service(),
            iam.service(),
            logs.service(log_store),
            secretsmanager.service(sealer),
            ssm.service(sealer),
            sts.service(),
        ],
        routes={"/ws": sessions.acs, "/tcs": sessions.tcs},
        sessions=sessions,
        log_store=log_store,
        blobs=blobs,
    )
