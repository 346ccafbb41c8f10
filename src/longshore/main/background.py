"""What the control plane runs behind its API: the registry and the controllers, and certificates.

Imported once the API answers, since no first answer needs what it brings (X.509, numpy…).
"""

import asyncio
import os
from collections.abc import Iterator, Mapping
from socket import socket

from longshore.authenticator import authenticator, issuers
from longshore.awsapi.regions import regions_of_aws
from longshore.base.authority import Authority
from longshore.base.installation import Installation
from longshore.controllers.cluster_clients import ClusterClients, ClusterObjects
from longshore.controllers.eks_addons import AddonImages, EksAddons, EksBootstrap
from longshore.controllers.eks_admission import EksAdmission
from longshore.controllers.eks_cluster import AdminAccess, EksCluster, Keeping
from longshore.controllers.eks_cluster.plane import issuer_name
from longshore.controllers.eks_encryption import EksEncryption
from longshore.controllers.eks_fargate import EksFargate
from longshore.controllers.eks_insights import EksInsights
from longshore.controllers.eks_load_balancers import EksLoadBalancers
from longshore.controllers.eks_nodegroup import EksNodegroup
from longshore.controllers.eks_nodes import EksNodes
from longshore.controllers.eks_patches import EksPatches
from longshore.controllers.eks_pod_groups import EksPodGroups
from longshore.controllers.instance import InstanceController, Machines
from longshore.controllers.interface import Controller, Surroundings
from longshore.controllers.key_rotation import KeyRotation
from longshore.controllers.load_balancer import LoadBalancerController
from longshore.controllers.loop import run_controllers
from longshore.controllers.own_images import OwnImages
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
    installation = surroundings.installation
    authority = _authority(installation)
    keeping = Keeping(installation, offer.sealer, authority.certificate_pem, surroundings.clock)
    clients = ClusterClients(AdminAccess(surroundings, keeping).of)
    asked = authenticator(
        surroundings.store,
        identity,
        surroundings.clock,
        installation,
        ClusterObjects(clients),
        offer.log_store,
    )
    apps = (sessions.acs, sessions.tcs, asked, issuers(surroundings.store))
    for route, app in zip(routes.values(), apps, strict=True):
        route.become(app)
    parts = Parts(
        installation=installation,
        store=surroundings.store,
        blobs=offer.blobs,
        identity=identity,
        clock=surroundings.clock,
        ids=surroundings.ids,
    )
    async with running_registry(parts, authority, listening=registry), asyncio.TaskGroup() as group:
        group.create_task(sessions.run())
        group.create_task(
            run_controllers(
                [
                    *controllers(surroundings, offer.log_store),
                    KeyRotation(surroundings, offer.sealer),
                    *_with_own_images(surroundings, offer, authority, keeping, clients),
                ],
                surroundings,
                holder=f"{os.uname().nodename}/{os.getpid()}",
                shared=bool(installation.store),
            )
        )


def _with_own_images(
    surroundings: Surroundings,
    offer: Offer,
    authority: Authority,
    keeping: Keeping,
    clients: ClusterClients,
) -> Iterator[Controller]:
    """The controllers of what runs images of Longshore's own making."""
    installation = surroundings.installation
    images = OwnImages(surroundings, offer.blobs)
    machines = Machines(installation, images, authority.certificate_pem.decode())
    yield EksCluster(surroundings, keeping, images)
    yield EksEncryption(surroundings, clients)
    yield EksAdmission(surroundings, clients, authority.certificate_pem)
    yield EksNodes(surroundings, clients)
    yield EksNodegroup(surroundings, clients)
    yield EksPatches(surroundings)
    yield EksInsights(surroundings, clients)
    yield EksLoadBalancers(surroundings, clients)
    yield EksFargate(surroundings, clients, machines.have_image)
    yield EksPodGroups(surroundings, clients)
    addon_images = AddonImages(images)
    yield EksBootstrap(surroundings, clients, addon_images)
    yield EksAddons(surroundings, clients, addon_images)
    yield InstanceController(surroundings, machines)
    yield LoadBalancerController(surroundings, images)


def _authority(installation: Installation) -> Authority:
    return Authority.load_or_create(installation.data_dir / "ca", "Longshore CA")
