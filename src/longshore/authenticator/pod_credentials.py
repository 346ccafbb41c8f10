"""How pods come by the credentials of their IAM role: what their containers are told; pure.

A service account has its role by an association of EKS Pod Identity, or else by its annotation
`eks.amazonaws.com/role-arn` ("IAM roles for service accounts"). The names and rules are those of
the Amazon EKS Pod Identity Webhook's README. Beside what EKS sets, such containers are told where
this installation's APIs are, so that AWS's SDKs find them as they are.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from longshore.authenticator.pods import Asked, Pod
from longshore.model.eks_parts import POD_IDENTITY, part_name, pod_identity_name

PREFIX = "eks.amazonaws.com/"
SKIP_LABEL = f"{PREFIX}skip-pod-identity-webhook"
ROLE, AUDIENCE, REGIONAL = (
    f"{PREFIX}role-arn",
    f"{PREFIX}audience",
    f"{PREFIX}sts-regional-endpoints",
)
SKIPPED_CONTAINERS, EXPIRATION = f"{PREFIX}skip-containers", f"{PREFIX}token-expiration"
LONGEST_SECONDS, SHORTEST_SECONDS = 86_400, 3_600
STS = "sts.amazonaws.com"
POD_IDENTITY_AUDIENCE = "pods.eks.amazonaws.com"
AGENT = "http://169.254.170.23/v1/credentials"
"""Where the EKS Pod Identity Agent answers on each node."""
MOUNTS = "/var/run/secrets/"
KINDS_OF_CONTAINERS = ("initContainers", "containers")
Container = dict[str, Any]


class Way(NamedTuple):
    """A way to credentials: a token in a file, and variables that name it."""

    volume: str
    mount: str
    file: str
    audience: str
    seconds: int
    variables: tuple[tuple[str, str], ...]
    """What says where credentials come from: a container that has any of them keeps its own."""

    @property
    def token(self) -> str:
        return f"{self.mount}/{self.file}"


def mutate(pod: Pod, asked: Asked) -> Pod:
    """The pod with what its service account has; unchanged where that is nothing."""
    metadata, spec = pod.get("metadata") or {}, pod.get("spec") or {}
    if SKIP_LABEL in (metadata.get("labels") or {}):
        return pod
    annotations = metadata.get("annotations") or {}
    way = _way(spec, annotations, asked)
    volumes = spec.get("volumes") or []
    if way is None or any(volume.get("name") == way.volume for volume in volumes):
        return pod
    skipped = {name.strip() for name in str(annotations.get(SKIPPED_CONTAINERS, "")).split(",")}
    common = _common(asked)
    changed = {
        kind: [
            each if each.get("name") in skipped else _container(each, way, common)
            for each in spec[kind]
        ]
        for kind in KINDS_OF_CONTAINERS
        if spec.get(kind)
    }
    return {**pod, "spec": {**spec, **changed, "volumes": [*volumes, _volume(way)]}}


def _way(spec: Mapping[str, Any], annotations: Mapping[str, str], asked: Asked) -> Way | None:
    """An association is asked for first, as EKS does."""
    service_account = spec.get("serviceAccountName")
    if not service_account:
        return None
    name = pod_identity_name(asked.namespace, service_account)
    place = (asked.account, asked.region, part_name(asked.cluster.name, name))
    if asked.reader.get(POD_IDENTITY, *place) is not None:
        return _of_agent(annotations)
    role = asked.annotations.get(ROLE)
    return _of_web_identity(role, annotations, asked) if role else None


def _of_agent(annotations: Mapping[str, str]) -> Way:
    mount, file = f"{MOUNTS}pods.eks.amazonaws.com/serviceaccount", "eks-pod-identity-token"
    return Way(
        volume=file,
        mount=mount,
        file=file,
        audience=POD_IDENTITY_AUDIENCE,
        seconds=seconds(annotations.get(EXPIRATION)),
        variables=(
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", AGENT),
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", f"{mount}/{file}"),
        ),
    )


def _of_web_identity(role: str, annotations: Mapping[str, str], asked: Asked) -> Way:
    mount, file = f"{MOUNTS}eks.amazonaws.com/serviceaccount", "token"
    return Way(
        volume="aws-iam-token",
        mount=mount,
        file=file,
        audience=asked.annotations.get(AUDIENCE) or STS,
        seconds=seconds(annotations.get(EXPIRATION) or asked.annotations.get(EXPIRATION)),
        variables=(
            ("AWS_ROLE_ARN", role),
            ("AWS_WEB_IDENTITY_TOKEN_FILE", f"{mount}/{file}"),
        ),
    )


def seconds(asked: str | None) -> int:
    """For how long a token is good: within an hour and a day; a day where nothing sensible is
    asked for."""
    if not asked or not asked.isascii() or not asked.isdigit():
        return LONGEST_SECONDS
    return min(max(int(asked[:12]), SHORTEST_SECONDS), LONGEST_SECONDS)


def _common(asked: Asked) -> tuple[tuple[str, str], ...]:
    """Variables of either way; a container's own win."""
    regional = asked.annotations.get(REGIONAL, "true").lower() != "false"
    return (
        *((("AWS_STS_REGIONAL_ENDPOINTS", "regional"),) if regional else ()),
        ("AWS_DEFAULT_REGION", asked.region),
        ("AWS_REGION", asked.region),
        ("AWS_ENDPOINT_URL", asked.api),
    )


def _container(container: Container, way: Way, common: Iterable[tuple[str, str]]) -> Container:
    """The container with the variables that it has not, and the token."""
    own = container.get("env") or []
    names = {each.get("name") for each in own}
    given = () if names & {name for name, _ in way.variables} else way.variables
    added = [
        {"name": name, "value": value} for name, value in (*common, *given) if name not in names
    ]
    mounts = container.get("volumeMounts") or []
    if given and all(
        way.volume != each.get("name") and way.mount != each.get("mountPath") for each in mounts
    ):
        mounts = [*mounts, {"name": way.volume, "readOnly": True, "mountPath": way.mount}]
    changed = {**container, "env": [*own, *added]}
    return {**changed, "volumeMounts": mounts} if mounts else changed


def _volume(way: Way) -> dict[str, Any]:
    token = {"audience": way.audience, "expirationSeconds": way.seconds, "path": way.file}
    return {"name": way.volume, "projected": {"sources": [{"serviceAccountToken": token}]}}
