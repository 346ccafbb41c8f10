"""The processes of one cluster's control plane: etcd, API server, controller manager, scheduler.

All run side by side on one loopback; only the API server is spoken to from outside. Each client has
a certificate of its own. There are three authorities, since who may speak to one of them may not
speak to the others: the cluster's (clients, kubelets), etcd's, and the aggregation layer's, whose
clients may say who they speak for ("Configure the Aggregation Layer").
"""

import ipaddress
from collections.abc import Mapping

import msgspec
from cryptography.hazmat.primitives.asymmetric import rsa

from longshore.base.certificates import KeyPair, Subject, issue, key_pem, new_authority
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
ETCD_REQUEST_BYTES = 1_572_864
"""EKS's limit of an object, etcd's own default."""


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
    address: str = ""
    """The API server's own, as nodes and pods reach it; empty for that of its default interface."""
    names: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    """Further names and addresses that clients know it by."""
    service_cidr: str
    issuer: str
    """URL of the cluster's OIDC issuer."""
    webhook: Webhook | None = None
    port: int = 443
    etcd_port: int = 2379
    peer_port: int = 2380
    controllers_port: int = 10257
    scheduler_port: int = 10259

    @property
    def local_url(self) -> str:
        """The API server, for the processes beside it."""
        return f"https://127.0.0.1:{self.port}"

    @property
    def service_address(self) -> str:
        """Of the Service `kubernetes`: the first of the range."""
        return str(ipaddress.ip_network(self.service_cidr)[1])

    @property
    def server(self) -> Subject:
        """What the API server's certificate says of it."""
        own = ("127.0.0.1", self.address, self.service_address)
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
    """What the processes read, by name in `directory`; certificates are new each time."""
    etcd = Subject(common_name="etcd", addresses=("127.0.0.1",), server=True, client=True)
    kubelets = Subject(
        common_name="kube-apiserver-kubelet-client", organizations=(ADMINISTRATORS,), client=True
    )
    pairs = {
        "cluster-ca": keys.cluster,
        "server": issue(keys.cluster, plane.server, now),
        "kubelet-client": issue(keys.cluster, kubelets, now),
        "front-proxy-ca": keys.front_proxy,
        "front-proxy": issue(keys.front_proxy, _client(FRONT_PROXY), now),
        "etcd-ca": keys.etcd,
        "etcd": issue(keys.etcd, etcd, now),
        "etcd-client": issue(keys.etcd, _client("kube-apiserver"), now),
    }
    found = {"service-accounts.key": keys.service_accounts}
    for name, pair in pairs.items():
        found |= {f"{name}.crt": pair.certificate, f"{name}.key": pair.key}
    for name in ("kube-controller-manager", "kube-scheduler"):
        client = issue(keys.cluster, _client(f"system:{name}"), now)
        config = kubeconfig(plane.local_url, keys.cluster.certificate, certificate(client))
        found[f"{name}.conf"] = config
    return found | _webhook_files(plane.webhook)


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
    at, clients = plane.directory, f"https://127.0.0.1:{plane.etcd_port}"
    peers = f"https://127.0.0.1:{plane.peer_port}"
    return {
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


def _api_server(plane: ControlPlane) -> Mapping[str, object]:
    at = plane.directory
    return {
        **({"advertise-address": plane.address} if plane.address else {}),
        **(_webhook(at) if plane.webhook else {}),
        "bind-address": "0.0.0.0",  # noqa: S104 - security groups say who reaches it
        "secure-port": plane.port,
        "allow-privileged": "true",
        "api-audiences": "https://kubernetes.default.svc",
        "authorization-mode": "Node,RBAC,Webhook" if plane.webhook else "Node,RBAC",
        "client-ca-file": f"{at}/cluster-ca.crt",
        "enable-admission-plugins": "NodeRestriction",
        "enable-aggregator-routing": "true",
        "etcd-servers": f"https://127.0.0.1:{plane.etcd_port}",
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
        "tls-cert-file": f"{at}/server.crt",
        "tls-private-key-file": f"{at}/server.key",
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
        "bind-address": "127.0.0.1",
        "secure-port": port,
        "profiling": "false",
    }
