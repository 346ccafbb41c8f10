"""What a cluster's control plane is: names, processes, and its tasks; pure."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from longshore.base.installation import Installation
from longshore.controllers.eks_cluster.encryption import encrypted
from longshore.controllers.eks_cluster.logging import log_configuration
from longshore.controllers.system_account import EXECUTION_ROLE_ARN
from longshore.kubernetes import ControlPlane, Webhook, commands
from longshore.kubernetes.control_plane import ETCD_PORT, LOOPBACK
from longshore.model.arn import make_arn
from longshore.model.ecs import Deployment, Service, TaskDefinition, TaskNetwork
from longshore.model.eks import SYSTEM_ACCOUNT, Cluster
from longshore.model.link_local import API_ADDRESS
from longshore.model.principal import root
from longshore.store.interface import Key

ECS_CLUSTER = "eks"
"""The ECS cluster, of the system account, that all control planes are in."""
REPOSITORY = "eks/kubernetes"
FILES, DATA, SNAPSHOTS = "/etc/kubernetes", "/var/lib/etcd", "/var/lib/etcd-snapshots"
ETCD, API_SERVER = "etcd", "kube-apiserver"
PROBE_SECONDS, ETCD_PROBE_SECONDS = 5, 15
START_SECONDS = 120
"""For so long an API server, or an etcd, may be unhealthy before it counts."""
RESTART_SECONDS = 60
"""The least that ECS takes: who ends sooner than that ends the task, and another one comes."""
STOP_SECONDS = {API_SERVER: 30}
"""For so long a process may take leave, which else has ten seconds: an API server answers what it
has begun."""
RESERVED = {ETCD: 64, API_SERVER: 256, "kube-controller-manager": 64, "kube-scheduler": 32}
"""MiB that each process is reckoned with; none is held to it."""
SHARES = {ETCD: 512, API_SERVER: 1024, "kube-controller-manager": 256, "kube-scheduler": 256}
"""CPU units: where processors are scarce, nodes and tasks wait rather than control planes."""
ETCD_VERSION = "etcd-version"
"""The label that says which etcd a container of etcd's runs."""
PLATFORM_LABEL = "platform"
"""The label that says which platform version an API server is of (`platforms.label`)."""


class Image(NamedTuple):
    """An image of Kubernetes' processes, and the version of etcd that is in it; the one of the
    provider of encryption, where the cluster has a key; and the platform version's label."""

    reference: str
    etcd: str
    provider: str = ""
    platform: str = ""


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


def files_of(installation: Installation, cluster: Cluster, generation: str) -> Path:
    """What an API server and those beside it read, on its host."""
    return home(installation, cluster) / "control-planes" / generation


def etcd_files_of(installation: Installation, cluster: Cluster) -> Path:
    """What etcd reads."""
    return home(installation, cluster) / "etcd-files"


def etcd_data(installation: Installation, cluster: Cluster) -> Path:
    """What etcd writes."""
    return home(installation, cluster) / "etcd"


def etcd_snapshots(installation: Installation, cluster: Cluster) -> Path:
    """What etcd keeps a second time."""
    return home(installation, cluster) / "etcd-snapshots"


def service_name(account: str, cluster: str) -> str:
    """The ECS service of the API server of this account's cluster."""
    return f"{account}-{cluster}"


def etcd_name(account: str, cluster: str) -> str:
    """The ECS service of its etcd."""
    return f"{ETCD}-{account}-{cluster}"


def service_record(account: str, cluster: str) -> str:
    """The name that ECS keeps the API server's service under."""
    return f"{ECS_CLUSTER}/{service_name(account, cluster)}"


def etcd_record(account: str, cluster: str) -> str:
    """The name that ECS keeps etcd's service under."""
    return f"{ECS_CLUSTER}/{etcd_name(account, cluster)}"


def cluster_of(service: str) -> tuple[str, str]:
    """(account, name) of the cluster that one of these services is of."""
    account, _, name = service.removeprefix(f"{ETCD}-").partition("-")
    return account, name


def control_plane(
    installation: Installation,
    cluster: Cluster,
    region: str,
    etcd_address: str,
    webhook: Webhook | None = None,
) -> ControlPlane:
    """The cluster's processes, as they are told in their containers."""
    return ControlPlane(
        cluster=cluster.name,
        directory=FILES,
        data=DATA,
        snapshots=SNAPSHOTS,
        etcd_address=etcd_address,
        names=(endpoint_name(installation, cluster, region),),
        service_cidr=cluster.service_cidr,
        issuer=issuer(installation, cluster, region),
        webhook=webhook,
        encrypted=bool(cluster.encryption_key),
    )


def webhook_url(installation: Installation, account: str, region: str, cluster: str) -> str:
    """Where the API server of the cluster asks (`longshore.authenticator`)."""
    base = f"https://{API_ADDRESS}:{installation.tls_port}"
    return f"{base}/_longshore/eks/{account}/{region}/{cluster}"


def document(
    installation: Installation,
    cluster: Cluster,
    key: Key,
    plane: ControlPlane,
    image: Image,
    generation: str,
) -> dict[str, Any]:
    """The task of an API server and of those beside it: a task definition as ECS keeps it.
    `generation` is the name of its files."""
    files = files_of(installation, cluster, generation)
    containers = [
        {**_container(name, command, image.reference), **log_configuration(cluster, key, name)}
        for name, command in commands(plane).items()
        if name != ETCD
    ]
    if image.platform:
        containers[0]["dockerLabels"] = {PLATFORM_LABEL: image.platform}
    family = service_name(key.account, cluster.name)
    made = _document(family, containers, {"files": files})
    return encrypted(made, cluster, image.provider) if image.provider else made


def etcd_document(
    installation: Installation, cluster: Cluster, key: Key, plane: ControlPlane, image: Image
) -> dict[str, Any]:
    """The task of etcd, which alone writes."""
    container = {
        **_container(ETCD, commands(plane)[ETCD], image.reference),
        "dockerLabels": {ETCD_VERSION: image.etcd},
    }
    container["mountPoints"] += [
        {"sourceVolume": "data", "containerPath": DATA},
        {"sourceVolume": "snapshots", "containerPath": SNAPSHOTS},
    ]
    volumes = {
        "files": etcd_files_of(installation, cluster),
        "data": etcd_data(installation, cluster),
        "snapshots": etcd_snapshots(installation, cluster),
    }
    return _document(etcd_name(key.account, cluster.name), [container], volumes)


def etcd_image(
    etcd: Mapping[str, Any] | None,
    api_server: Mapping[str, Any] | None,
    wanted: Image,
    command: list[str],
) -> Image:
    """What etcd is to run of, where it and the API server have run as these documents say (None
    where they have not).

    It stays at what it runs of while its `command` stays: another etcd is away for a moment. A
    patch of etcd's comes with a patch of Kubernetes, not with the next minor version; another minor
    version of etcd's at once.
    """
    if etcd is None:
        return wanted
    container = _container_of(etcd, ETCD)
    runs = Image(container["image"], container["dockerLabels"][ETCD_VERSION])
    if container["command"] != command or _minor(runs.etcd) != _minor(wanted.etcd):
        return wanted
    if runs.etcd == wanted.etcd or api_server is None:
        return runs
    before = _container_of(api_server, API_SERVER)["image"]
    is_patch = before != wanted.reference and _minor(before) == _minor(wanted.reference)
    return wanted if is_patch else runs


def _container_of(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = next(
        each for each in document["containerDefinitions"] if each["name"] == name
    )
    return found


def _minor(version: str) -> str:
    """The minor version that a version, or an image's tag, is of."""
    return ".".join(version.rpartition(":")[2].split(".")[:2])


def has_etcd_inside(document: Mapping[str, Any]) -> bool:
    """Whether it is of the API servers that had etcd in the same task."""
    return any(each["name"] == ETCD for each in document["containerDefinitions"])


def _document(
    family: str, containers: list[dict[str, Any]], volumes: Mapping[str, Path]
) -> dict[str, Any]:
    return {
        "family": family,
        "executionRoleArn": EXECUTION_ROLE_ARN,
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["EC2"],
        "volumes": [
            {"name": name, "host": {"sourcePath": str(path)}} for name, path in volumes.items()
        ],
        "containerDefinitions": containers,
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


def _container(name: str, command: list[str], reference: str) -> dict[str, Any]:
    """Who speaks to the API server beside it waits for it, and ends where it does not come."""
    after = () if name in HEALTH_CHECKS else ((API_SERVER, "HEALTHY"),)
    container: dict[str, Any] = {
        "name": name,
        "image": reference,
        "essential": True,
        "command": command,
        "cpu": SHARES[name],
        "memoryReservation": RESERVED[name],
        "stopTimeout": STOP_SECONDS.get(name, 10),
        "mountPoints": [{"sourceVolume": "files", "containerPath": FILES, "readOnly": True}],
        "dependsOn": [{"containerName": first, "condition": state} for first, state in after],
        "restartPolicy": {"enabled": True, "restartAttemptPeriod": RESTART_SECONDS},
    }
    if name in HEALTH_CHECKS:
        container["healthCheck"] = HEALTH_CHECKS[name]
    return container


def _health_check(client: Sequence[str], path: str, seconds: int) -> Mapping[str, Any]:
    """`seconds` from one look to the next."""
    return {
        "command": ["CMD", "/kube", "kubectl", *client, "get", f"--raw={path}"],
        "interval": seconds,
        "timeout": PROBE_SECONDS,
        "retries": 3,
        "startPeriod": START_SECONDS,
    }


_ETCD_CLIENT = (
    f"--server=https://{LOOPBACK}:{ETCD_PORT}",
    f"--certificate-authority={FILES}/etcd-ca.crt",
    f"--client-certificate={FILES}/etcd.crt",
    f"--client-key={FILES}/etcd.key",
)
HEALTH_CHECKS: Mapping[str, Mapping[str, Any]] = {
    ETCD: _health_check(_ETCD_CLIENT, "/health", ETCD_PROBE_SECONDS),
    API_SERVER: _health_check(
        [f"--kubeconfig={FILES}/kube-scheduler.conf"], "/readyz", PROBE_SECONDS
    ),
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


def service(key: Key, name: str, first: Deployment, minimum: int, now: float) -> Service:
    """What keeps one task running. With a `minimum` of 100 % another one takes over from it; with
    0 % it ends first: etcd's, which would share its files."""
    return Service(
        name=name,
        arn=make_arn("ecs", key.region, SYSTEM_ACCOUNT, f"service/{ECS_CLUSTER}/{name}"),
        cluster=ECS_CLUSTER,
        cluster_arn=make_arn("ecs", key.region, SYSTEM_ACCOUNT, f"cluster/{ECS_CLUSTER}"),
        desired_count=1,
        created_at=now,
        created_by=root(SYSTEM_ACCOUNT).arn,
        deployments=(first,),
        minimum_percent=minimum,
        maximum_percent=minimum + 100,
    )
