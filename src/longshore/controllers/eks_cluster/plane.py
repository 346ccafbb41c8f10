"""What a cluster's control plane is: names, processes, and its task; pure."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from longshore.base.installation import Installation
from longshore.controllers.system_account import EXECUTION_ROLE_ARN
from longshore.kubernetes import ControlPlane, Webhook, commands
from longshore.model.arn import make_arn
from longshore.model.ecs import Deployment, Service, TaskDefinition, TaskNetwork
from longshore.model.eks import IMAGES_ACCOUNT, SYSTEM_ACCOUNT, Cluster
from longshore.model.link_local import API_ADDRESS
from longshore.model.principal import root
from longshore.store.interface import Key

ECS_CLUSTER = "eks"
"""The ECS cluster, of the system account, that all control planes are in."""
REPOSITORY = "eks/kubernetes"
FILES, DATA = "/etc/kubernetes", "/var/lib/etcd"
API_SERVER = "kube-apiserver"
PROBE_SECONDS = 5
START_SECONDS = 120
"""For so long an API server may be unhealthy before it counts."""
RESTART_SECONDS = 60
"""The least that ECS takes: who ends sooner than that ends the task, and another one comes."""
STOP_SECONDS = 10
"""For so long a process may take leave: an API server waits for its watchers as long as it may."""
RESERVED = {"etcd": 64, API_SERVER: 256, "kube-controller-manager": 64, "kube-scheduler": 32}
"""MiB that each process is reckoned with; none is held to it."""
SHARES = {"etcd": 512, API_SERVER: 1024, "kube-controller-manager": 256, "kube-scheduler": 256}
"""CPU units: where processors are scarce, nodes and tasks wait rather than control planes."""


def endpoint_name(installation: Installation, cluster: Cluster, region: str) -> str:
    """The name of the cluster's endpoint, whose port is HTTPS's own."""
    return f"{cluster.id}.gr7.{region}.eks.{installation.domain}"


def issuer_name(installation: Installation, region: str) -> str:
    """The name of every issuer of the region, which Longshore's own endpoint answers under."""
    return f"oidc.eks.{region}.{installation.domain}"


def issuer_addresses(installation: Installation, region: str) -> Mapping[str, str]:
    """Where the name of the region's issuers leads; other clusters have it too."""
    return {issuer_name(installation, region): installation.local_address}


def issuer(installation: Installation, cluster: Cluster, region: str) -> str:
    """URL of the issuer of the cluster's service accounts' tokens (`authenticator.issuers`)."""
    name = issuer_name(installation, region)
    return f"https://{name}:{installation.tls_port}/id/{cluster.id}"


def home(installation: Installation, cluster: Cluster) -> Path:
    """Where the cluster's files are on its host."""
    return installation.data_dir / "eks" / cluster.id


def service_name(account: str, cluster: str) -> str:
    """The ECS service of this account's cluster; `cluster_of` undoes it."""
    return f"{account}-{cluster}"


def service_record(account: str, cluster: str) -> str:
    """The name that ECS keeps this service under."""
    return f"{ECS_CLUSTER}/{service_name(account, cluster)}"


def cluster_of(service: str) -> tuple[str, str]:
    """(account, name) of the cluster that this service is of."""
    account, _, name = service.partition("-")
    return account, name


def control_plane(
    installation: Installation,
    cluster: Cluster,
    region: str,
    webhook: Webhook,
    addresses: Sequence[str],
) -> ControlPlane:
    """The cluster's processes, as they are told in their containers; `addresses` are those in the
    user's subnets, the first of which the Service `kubernetes` leads to."""
    return ControlPlane(
        cluster=cluster.name,
        directory=FILES,
        data=DATA,
        address=addresses[0],
        addresses=tuple(addresses[1:]),
        names=(endpoint_name(installation, cluster, region),),
        service_cidr=cluster.service_cidr,
        issuer=issuer(installation, cluster, region),
        webhook=webhook,
    )


def webhook_url(installation: Installation, account: str, region: str, cluster: str) -> str:
    """Where the API server of the cluster asks (`longshore.authenticator`)."""
    base = f"https://{API_ADDRESS}:{installation.tls_port}"
    return f"{base}/_longshore/eks/{account}/{region}/{cluster}"


def image(installation: Installation, region: str, version: str) -> str:
    """The image of Kubernetes' processes."""
    return f"{installation.registry_host(IMAGES_ACCOUNT, region)}/{REPOSITORY}:{version}"


def document(
    installation: Installation,
    cluster: Cluster,
    key: Key,
    plane: ControlPlane,
    reference: str,
    files_made: int,
) -> dict[str, Any]:
    """The task of the control plane, whose containers are of the image `reference`: a task
    definition as ECS keeps it. `files_made` (epoch seconds) has new files be another task's."""
    at = home(installation, cluster)
    return {
        "family": service_name(key.account, cluster.name),
        "executionRoleArn": EXECUTION_ROLE_ARN,
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["EC2"],
        "volumes": [
            {"name": "files", "host": {"sourcePath": str(at / "files")}},
            {"name": "data", "host": {"sourcePath": str(at / "etcd")}},
        ],
        "containerDefinitions": [
            _container(name, command, reference, files_made)
            for name, command in commands(plane).items()
        ],
    }


def definition(key: Key, document: Mapping[str, Any], revision: int, now: float) -> TaskDefinition:
    """The revision of a cluster's task definition that has this document."""
    family = document["family"]
    return TaskDefinition(
        arn=make_arn("ecs", key.region, SYSTEM_ACCOUNT, f"task-definition/{family}:{revision}"),
        family=family,
        revision=revision,
        document=dict(document),
        compatibilities=("EC2",),
        requires_attributes=(),
        registered_at=now,
    )


def _container(name: str, command: list[str], reference: str, files_made: int) -> Mapping[str, Any]:
    """etcd alone writes; who speaks to the API server waits for it, and ends where it does not."""
    after = {"etcd": (), API_SERVER: (("etcd", "START"),)}.get(name, ((API_SERVER, "HEALTHY"),))
    mounts = [{"sourceVolume": "files", "containerPath": FILES, "readOnly": True}]
    if name == "etcd":
        mounts.append({"sourceVolume": "data", "containerPath": DATA})
    container: dict[str, Any] = {
        "name": name,
        "image": reference,
        "essential": True,
        "command": command,
        "cpu": SHARES[name],
        "memoryReservation": RESERVED[name],
        "stopTimeout": STOP_SECONDS,
        "dockerLabels": {"files-made": str(files_made)},
        "mountPoints": mounts,
        "dependsOn": [{"containerName": first, "condition": state} for first, state in after],
        "restartPolicy": {"enabled": True, "restartAttemptPeriod": RESTART_SECONDS},
    }
    if name == API_SERVER:
        container["healthCheck"] = _HEALTH_CHECK
    return container


_CLIENT = f"--kubeconfig={FILES}/kube-scheduler.conf"
_HEALTH_CHECK: Mapping[str, Any] = {
    "command": ["CMD", "/kube", "kubectl", _CLIENT, "get", "--raw=/readyz"],
    "interval": PROBE_SECONDS,
    "timeout": PROBE_SECONDS,
    "retries": 3,
    "startPeriod": START_SECONDS,
}


def deployment(
    definition_arn: str, network: TaskNetwork, deployment_id: str, now: float
) -> Deployment:
    """A rollout of this task definition; `deployment_id` in decimal digits."""
    return Deployment(
        id=f"ecs-svc/{deployment_id}",
        definition_arn=definition_arn,
        created_at=now,
        launch_type="EC2",
        network=network,
    )


def service(cluster: Cluster, key: Key, first: Deployment, now: float) -> Service:
    """What keeps one control plane running: never two, which would share etcd's files."""
    name = service_name(key.account, cluster.name)
    return Service(
        name=name,
        arn=make_arn("ecs", key.region, SYSTEM_ACCOUNT, f"service/{ECS_CLUSTER}/{name}"),
        cluster=ECS_CLUSTER,
        cluster_arn=make_arn("ecs", key.region, SYSTEM_ACCOUNT, f"cluster/{ECS_CLUSTER}"),
        desired_count=1,
        created_at=now,
        created_by=root(SYSTEM_ACCOUNT).arn,
        deployments=(first,),
        minimum_percent=0,
        maximum_percent=100,
    )
