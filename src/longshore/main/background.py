"""What the control plane runs behind its API: the registry and the controllers, and certificates.

Imported once the API answers, since no first answer needs what it brings (X.509, numpy…).
"""

import asyncio
import os
from collections.abc import Mapping
from socket import socket

from longshore.authenticator import authenticator, issuers
from longshore.awsapi.regions import regions_of_aws
from longshore.base.authority import Authority
from longshore.base.installation import Installation
from longshore.controllers.eks_cluster import EksCluster, ImagePusher, Keeping
from longshore.controllers.eks_cluster.plane import issuer_name
from longshore.controllers.interface import Surroundings
from longshore.controllers.loop import run_controllers
from longshore.controllers.registry import controllers
from longshore.controllers.session import AgentSessions
from longshore.gateway.asgi import Later
from longshore.gateway.server import Certificate
from longshore.main.services import Offer
from longshore.model.link_local import API_ADDRESS
from longshore.registry import Parts, running_registry
from longshore.services.interface import Identity


def endpoint_certificate(installation: Installation) -> Certificate:
    """The certificate of the endpoint's HTTPS, made where there is none that lasts."""
    issuers_of = sorted(regions_of_aws() | {installation.region})
    names = [
        "localhost",
        f"*.{installation.region}.{installation.domain}",
        *(issuer_name(installation, region) for region in issuers_of),
    ]
    addresses = ["127.0.0.1", API_ADDRESS]
    certificate, key = _authority(installation).certificate(names, addresses)
    return Certificate(certificate, key)


async def run(
    surroundings: Surroundings,
    identity: Identity,
    offer: Offer,
    registry: socket,
    routes: Mapping[str, Later],
) -> None:
    """Run everything until cancelled.

    `registry` is the socket to serve the registry on, `routes` are those that the gateway left to
    be made here: agents' for ACS and for TCS, API servers' for what they ask of EKS, and clusters'
    OIDC issuers.
    """
    sessions = AgentSessions(surroundings, identity)
    asked = authenticator(
        surroundings.store, identity, surroundings.clock, surroundings.installation
    )
    apps = (sessions.acs, sessions.tcs, asked, issuers(surroundings.store))
    for route, app in zip(routes.values(), apps, strict=True):
        route.become(app)
    parts = Parts(
        installation=surroundings.installation,
        store=surroundings.store,
        blobs=offer.blobs,
        identity=identity,
        clock=surroundings.clock,
        ids=surroundings.ids,
    )
    authority = _authority(surroundings.installation)
    async with running_registry(parts, authority, listening=registry), asyncio.TaskGroup() as group:
        group.create_task(sessions.run())
        group.create_task(
            run_controllers(
                [*controllers(surroundings, offer.log_store), _eks(surroundings, offer, authority)],
                surroundings,
                holder=f"{os.uname().nodename}/{os.getpid()}",
                shared=bool(surroundings.installation.store),
            )
        )


def _eks(surroundings: Surroundings, offer: Offer, authority: Authority) -> EksCluster:
    keeping = Keeping(
        surroundings.installation, offer.sealer, authority.certificate_pem, surroundings.clock
    )
    return EksCluster(surroundings, keeping, ImagePusher(surroundings, offer.blobs))


def _authority(installation: Installation) -> Authority:
    return Authority.load_or_create(installation.data_dir / "ca", "Longshore CA")
