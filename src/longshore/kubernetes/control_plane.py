"""The processes of one cluster's control plane: etcd, API server, controller manager, scheduler.

The last three run side by side on one loopback, where the API server is spoken to from outside as
well; etcd is there too, or at an address of its own. Each client has a certificate of its own.
There are three authorities, since who may speak to one of them may not
speak to the others: the cluster's (clients, kubelets), etcd's, and the aggregation layer's, whose
clients may say who they speak for ("Configure the Aggregation Layer").
"""

import ipaddress
from collections.abc import Mapping

import msgspec
from cryptography.hazmat.primitives.asymmetric import rsa

from longshore.base.certificates import KeyPair, Subject, issue, key_pem, new_authority
from longshore.kubernetes.audit import POLICY, audit_flags, audit_policy
from longshore.kubernetes.encryption import (
    CONFIGURATION,
    encryption_configuration,
    encryption_flags,
)
from longshore.kubernetes.kubeconfig import certificate, kubeconfig, token

SERVICE_NAMES = (
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)
SIGNING_KEY_BITS = 2048
"""RS256 is what IAM takes of an OIDC issuer."""
ADMINISTRATORS = "system:masters"
FRONT_PROXY = "front-proxy-client"
WEBHOOK_CACHE = "5s"
"""For so long an answer is good: what is taken away from somebody is so after this time."""
ANYBODY_SEES = ("/healthz", "/livez", "/readyz")
"""All that is told to who does not say who they are, as on EKS since 1.32."""
VERBOSITY = 2
"""As on EKS, whose logs of control planes begin with the flags of each process."""
ETCD_PORT = 2379
ETCD_REQUEST_BYTES = 1_572_864
"""EKS's limit of an object, etcd's own default."""
LOOPBACK = "127.0.0.1"
SNAPSHOT_MINUTES, SNAPSHOTS = 60, 24
"""How often etcd takes a snapshot of itself, and how many are kept."""
LEAVING_SECONDS = 3
"""For so long an API server that is told to end serves as before: it has left the Service
`kubernetes`, and nodes learn of that. Then it ends watches, and sends its clients elsewhere."""


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """Whom the API server asks who a token is of (`<url>/authenticate`) and, where its own rules do
    not allow something, whether it is allowed all the same (`<url>/authorize`)."""

    url: str
    authority: bytes
    """The certificate (PEM) that the server's own is checked by."""
    token: str
    """What the API server shows."""


class ControlPlane(msgspec.Struct, frozen=True, kw_only=True):
    """What the processes are told. `directory` is where they find `files`, `data` is etcd's."""

    cluster: str
    directory: str
    data: str
    snapshots: str = ""
    """Where etcd's snapshots are; empty for none."""
    address: str = ""
    """The API server's own, as nodes and pods reach it; empty for that of its default interface."""
    names: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    """Further names and addresses that clients know it by."""
    etcd_address: str = LOOPBACK
    """Where etcd is reached by API servers."""
    service_cidr: str
    issuer: str
    """URL of the cluster's OIDC issuer."""
    webhook: Webhook | None = None
    encrypted: bool = False
    """Whether secrets are encrypted, with a key of KMS."""
    port: int = 443
    etcd_port: int = ETCD_PORT
    peer_port: int = 2380
    controllers_port: int = 10257
    scheduler_port: int = 10259

    @property
    def local_url(self) -> str:
        """The API server, for the processes beside it."""
        return f"https://{LOOPBACK}:{self.port}"

    @property
    def etcd(self) -> Subject:
        """What etcd's certificate says of it."""
        addresses = tuple(dict.fromkeys((LOOPBACK, self.etcd_address)))
        return Subject(common_name="etcd", addresses=addresses, server=True, client=True)

    @property
    def service_address(self) -> str:
        """Of the Service `kubernetes`: the first of the range."""
        return str(ipaddress.ip_network(self.service_cidr)[1])

    @property
    def server(self) -> Subject:
        """What the API server's certificate says of it."""
        own = (LOOPBACK, self.address, self.service_address)
        return Subject(
            common_name="kube-apiserver",
            names=(*SERVICE_NAMES, "localhost", *self.names),
            addresses=tuple(filter(None, (*own, *self.addresses))),
            server=True,
        )


class Keys(msgspec.Struct, frozen=True, kw_only=True):
    """What a cluster keeps for its whole life; everything else is issued from it."""

    cluster: KeyPair
    etcd: KeyPair
    front_proxy: KeyPair
    service_accounts: bytes
    """An RSA key (PEM), which signs service accounts' tokens."""


def new_keys(cluster: str, now: float) -> Keys:
    """New authorities of this cluster; `now` in epoch seconds."""
    signing = rsa.generate_private_key(public_exponent=65537, key_size=SIGNING_KEY_BITS)
    return Keys(
        cluster=new_authority("kubernetes", now),
        etcd=new_authority(f"etcd of {cluster}", now),
        front_proxy=new_authority(f"front proxy of {cluster}", now),
        service_accounts=key_pem(signing),
    )


def administrator(keys: Keys, now: float, name: str = "longshore") -> KeyPair:
    """A client that may do everything, whatever the cluster's own rules say."""
    subject = Subject(common_name=name, organizations=(ADMINISTRATORS,), client=True)
    return issue(keys.cluster, subject, now)


def files(plane: ControlPlane, keys: Keys, now: float) -> Mapping[str, bytes]:
    """What all but etcd read, by name in `directory`; certificates are new each time."""
    kubelets = Subject(
        common_name="kube-apiserver-kubelet-client", organizations=(ADMINISTRATORS,), client=True
    )
    pairs = {
        "cluster-ca": keys.cluster,
        "server": issue(keys.cluster, plane.server, now),
        "kubelet-client": issue(keys.cluster, kubelets, now),
        "front-proxy": issue(keys.front_proxy, _client(FRONT_PROXY), now),
        "etcd-client": issue(keys.etcd, _client("kube-apiserver"), now),
    }
    found = {
        "etcd-ca.crt": keys.etcd.certificate,
        "front-proxy-ca.crt": keys.front_proxy.certificate,
        "service-accounts.key": keys.service_accounts,
        POLICY: audit_policy(),
        **({CONFIGURATION: encryption_configuration()} if plane.encrypted else {}),
    }
    for name, pair in pairs.items():
        found |= {f"{name}.crt": pair.certificate, f"{name}.key": pair.key}
    for name in ("kube-controller-manager", "kube-scheduler"):
        client = issue(keys.cluster, _client(f"system:{name}"), now)
        config = kubeconfig(plane.local_url, keys.cluster.certificate, certificate(client))
        found[f"{name}.conf"] = config
    return found | _webhook_files(plane.webhook)


def etcd_files(plane: ControlPlane, keys: Keys, now: float) -> Mapping[str, bytes]:
    """What etcd reads, which reads it anew for each connection."""
    own = issue(keys.etcd, plane.etcd, now)
    return {
        "etcd-ca.crt": keys.etcd.certificate,
        "etcd.crt": own.certificate,
        "etcd.key": own.key,
    }


def _webhook_files(webhook: Webhook | None) -> dict[str, bytes]:
    if webhook is None:
        return {}
    conditions = [{"path": path} for path in ANYBODY_SEES]
    document = {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "AuthenticationConfiguration",
        "anonymous": {"enabled": True, "conditions": conditions},
    }
    configs = {
        f"{name}.conf": kubeconfig(f"{webhook.url}/{name}", webhook.authority, token(webhook.token))
        for name in ("authenticate", "authorize")
    }
    return {"authentication.yaml": msgspec.json.encode(document), **configs}


def _client(name: str) -> Subject:
    return Subject(common_name=name, client=True)


def commands(plane: ControlPlane) -> Mapping[str, list[str]]:
    """Command lines of `kube`, by process, in the order in which one needs the other."""
    return {
        "etcd": ["etcd", *_flags(_etcd(plane))],
        "kube-apiserver": ["kube-apiserver", *_flags(_api_server(plane))],
        "kube-controller-manager": ["kube-controller-manager", *_flags(_controllers(plane))],
        "kube-scheduler": ["kube-scheduler", *_flags(_scheduler(plane))],
    }


def _flags(settings: Mapping[str, object]) -> list[str]:
    return [f"--{name}={value}" for name, value in settings.items()]


def _etcd(plane: ControlPlane) -> Mapping[str, object]:
    at, peers = plane.directory, f"https://{LOOPBACK}:{plane.peer_port}"
    clients = ",".join(f"https://{each}:{plane.etcd_port}" for each in plane.etcd.addresses)
    return {
        **(_snapshots(plane.snapshots) if plane.snapshots else {}),
        "name": "etcd",
        "data-dir": plane.data,
        "listen-client-urls": clients,
        "advertise-client-urls": clients,
        "listen-peer-urls": peers,
        "initial-advertise-peer-urls": peers,
        "initial-cluster": f"etcd={peers}",
        "cert-file": f"{at}/etcd.crt",
        "key-file": f"{at}/etcd.key",
        "client-cert-auth": "true",
        "trusted-ca-file": f"{at}/etcd-ca.crt",
        "peer-cert-file": f"{at}/etcd.crt",
        "peer-key-file": f"{at}/etcd.key",
        "peer-client-cert-auth": "true",
        "peer-trusted-ca-file": f"{at}/etcd-ca.crt",
        "max-request-bytes": ETCD_REQUEST_BYTES,
        "auto-compaction-mode": "periodic",
        "auto-compaction-retention": "1h",
    }


def _snapshots(directory: str) -> Mapping[str, object]:
    """Options of our own (components/kubernetes/kube/snapshots)."""
    return {
        "snapshots": directory,
        "snapshots-every": f"{SNAPSHOT_MINUTES}m",
        "snapshots-kept": SNAPSHOTS,
    }


def _api_server(plane: ControlPlane) -> Mapping[str, object]:
    at = plane.directory
    return {
        **({"advertise-address": plane.address} if plane.address else {}),
        **(_webhook(at) if plane.webhook else {}),
        **audit_flags(at),
        **(encryption_flags(at) if plane.encrypted else {}),
        "bind-address": "0.0.0.0",  # noqa: S104 - security groups say who reaches it
        "secure-port": plane.port,
        "allow-privileged": "true",
        "api-audiences": "https://kubernetes.default.svc",
        "authorization-mode": "Node,RBAC,Webhook" if plane.webhook else "Node,RBAC",
        "client-ca-file": f"{at}/cluster-ca.crt",
        "enable-admission-plugins": "NodeRestriction",
        "enable-aggregator-routing": "true",
        "etcd-servers": f"https://{plane.etcd_address}:{plane.etcd_port}",
        "etcd-cafile": f"{at}/etcd-ca.crt",
        "etcd-certfile": f"{at}/etcd-client.crt",
        "etcd-keyfile": f"{at}/etcd-client.key",
        "kubelet-certificate-authority": f"{at}/cluster-ca.crt",
        "kubelet-client-certificate": f"{at}/kubelet-client.crt",
        "kubelet-client-key": f"{at}/kubelet-client.key",
        "kubelet-preferred-address-types": "InternalIP,Hostname",
        "profiling": "false",
        "proxy-client-cert-file": f"{at}/front-proxy.crt",
        "proxy-client-key-file": f"{at}/front-proxy.key",
        "requestheader-allowed-names": FRONT_PROXY,
        "requestheader-client-ca-file": f"{at}/front-proxy-ca.crt",
        "requestheader-extra-headers-prefix": "X-Remote-Extra-",
        "requestheader-group-headers": "X-Remote-Group",
        "requestheader-username-headers": "X-Remote-User",
        "service-account-issuer": plane.issuer,
        "service-account-key-file": f"{at}/service-accounts.key",
        "service-account-signing-key-file": f"{at}/service-accounts.key",
        "service-cluster-ip-range": plane.service_cidr,
        "shutdown-delay-duration": f"{LEAVING_SECONDS}s",
        "shutdown-send-retry-after": "true",
        "shutdown-watch-termination-grace-period": f"{LEAVING_SECONDS}s",
        "tls-cert-file": f"{at}/server.crt",
        "tls-private-key-file": f"{at}/server.key",
        "v": VERBOSITY,
    }


def _webhook(at: str) -> Mapping[str, object]:
    return {
        "authentication-config": f"{at}/authentication.yaml",
        "authentication-token-webhook-config-file": f"{at}/authenticate.conf",
        "authentication-token-webhook-version": "v1",
        "authentication-token-webhook-cache-ttl": WEBHOOK_CACHE,
        "authorization-webhook-config-file": f"{at}/authorize.conf",
        "authorization-webhook-version": "v1",
        "authorization-webhook-cache-authorized-ttl": WEBHOOK_CACHE,
        "authorization-webhook-cache-unauthorized-ttl": WEBHOOK_CACHE,
    }


def _controllers(plane: ControlPlane) -> Mapping[str, object]:
    at = plane.directory
    return {
        **_beside_the_api_server(plane, "kube-controller-manager", plane.controllers_port),
        "cluster-name": plane.cluster,
        "cluster-signing-cert-file": f"{at}/cluster-ca.crt",
        "cluster-signing-key-file": f"{at}/cluster-ca.key",
        "root-ca-file": f"{at}/cluster-ca.crt",
        "service-account-private-key-file": f"{at}/service-accounts.key",
        "use-service-account-credentials": "true",
    }


def _scheduler(plane: ControlPlane) -> Mapping[str, object]:
    return _beside_the_api_server(plane, "kube-scheduler", plane.scheduler_port)


def _beside_the_api_server(plane: ControlPlane, name: str, port: int) -> Mapping[str, object]:
    config = f"{plane.directory}/{name}.conf"
    return {
        "kubeconfig": config,
        "authentication-kubeconfig": config,
        "authorization-kubeconfig": config,
        "bind-address": LOOPBACK,
        "secure-port": port,
        "profiling": "false",
        "v": VERBOSITY,
    }
