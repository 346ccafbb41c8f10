"""What a Service asks for, and whom its connections go to; pure."""

import hashlib
import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from longshore.controllers.eks_load_balancers import annotations
from longshore.controllers.eks_load_balancers.annotations import Unsupported
from longshore.model.ec2 import Subnet
from longshore.model.elbv2 import HealthCheck

Object = Mapping[str, Any]
FINALIZER = "service.kubernetes.io/load-balancer-cleanup"
CLASSES = frozenset({"", "eks.amazonaws.com/nlb", "service.k8s.aws/nlb"})
"""Load balancer classes whose Services are ours; others are somebody else's."""
EXCLUDED = "node.kubernetes.io/exclude-from-external-load-balancers"
PROVIDER_ID = re.compile("aws:///(?P<zone>[a-z0-9-]+)/(?P<id>i-[0-9a-f]+)")
EVERYWHERE = "0.0.0.0/0"
PUBLIC_ROLE, INTERNAL_ROLE = "kubernetes.io/role/elb", "kubernetes.io/role/internal-elb"


@dataclass(frozen=True, slots=True)
class Port:
    """A port of the load balancer; `target` is that of instances, `name` that of the endpoints."""

    port: int
    name: str
    target: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The load balancer of one Service."""

    service: str
    """`<namespace>/<name>`."""
    name: str
    scheme: str
    target_type: str
    ports: tuple[Port, ...]
    sources: tuple[str, ...]
    check: HealthCheck
    attributes: Mapping[str, str] = field(default_factory=dict)
    group_attributes: Mapping[str, str] = field(default_factory=dict)
    tags: tuple[tuple[str, str], ...] = ()

    def group_name(self, port: Port) -> str:
        """Of the target group behind this port: another one for other kinds of targets."""
        head, tail = self.name.rsplit("-", 1)
        told = f"{tail}/{port.port}/{port.target}/{self.target_type}"
        return f"{head}-{hashlib.sha256(told.encode()).hexdigest()[:10]}"


def is_ours(service: Object) -> bool:
    spec = service["spec"]
    return spec.get("type") == "LoadBalancer" and (spec.get("loadBalancerClass") or "") in CLASSES


def is_kept(service: Object) -> bool:
    """Whether the Service is to have a load balancer."""
    return is_ours(service) and not service["metadata"].get("deletionTimestamp")


def has_finalizer(service: Object) -> bool:
    return FINALIZER in (service["metadata"].get("finalizers") or ())


def identity(service: Object) -> str:
    return f"{service['metadata']['namespace']}/{service['metadata']['name']}"


def wanted_of(service: Object, cluster_tag: str) -> Wanted:
    """Raises `Unsupported`."""
    spec = service["spec"]
    ports = tuple(_port(each) for each in spec.get("ports") or ())
    if not ports:
        raise Unsupported("the Service has no ports")
    target_type = annotations.target_type_of(service)
    if target_type == "instance" and any(not port.target for port in ports):
        raise Unsupported("instances as targets need node ports")
    owner = identity(service)
    extra = annotations.pairs(annotations.read(service, "additional-resource-tags"))
    return Wanted(
        service=owner,
        name=balancer_name(service, cluster_tag),
        scheme=annotations.scheme_of(service),
        target_type=target_type,
        ports=ports,
        sources=_sources(service),
        check=annotations.health_check_of(service),
        attributes=annotations.attributes_of(service),
        group_attributes=annotations.group_attributes_of(service),
        tags=tuple({**extra, **dict(tags_of(cluster_tag, owner))}.items()),
    )


def tags_of(cluster_tag: str, owner: str) -> tuple[tuple[str, str], ...]:
    """By which everything of a Service is found again."""
    return (cluster_tag, "owned"), ("kubernetes.io/service-name", owner)


def _port(given: Object) -> Port:
    if given.get("protocol", "TCP") != "TCP":
        raise Unsupported(f"ports of protocol {given['protocol']} are not supported")
    return Port(int(given["port"]), given.get("name") or "", int(given.get("nodePort") or 0))


def balancer_name(service: Object, cluster_tag: str) -> str:
    metadata = service["metadata"]
    parts = [re.sub("[^a-z0-9]", "", metadata[each].lower())[:8] for each in ("namespace", "name")]
    told = f"{cluster_tag}/{metadata['uid']}"
    digest = hashlib.sha256(told.encode()).hexdigest()[:10]
    return "-".join(["k8s", *parts, digest])


def _sources(service: Object) -> tuple[str, ...]:
    """Who is let in: `loadBalancerSourceRanges`, or the annotation that came before it."""
    stated = service["spec"].get("loadBalancerSourceRanges") or annotations.listed(
        annotations.read(service, "source-ranges")
    )
    found = []
    for each in stated or (EVERYWHERE,):
        try:
            found.append(str(ipaddress.IPv4Network(each.strip(), strict=False)))
        except ValueError:
            raise Unsupported(f"invalid source range: {each}") from None
    return tuple(dict.fromkeys(found))


def subnets_of(
    service: Object, scheme: str, subnets: Iterable[Subnet], of_cluster: Sequence[str]
) -> list[Subnet]:
    """One in each AZ of the VPC's `subnets`: those that the annotation names, or that have the tag
    of the scheme's role, or the cluster's own. Raises `Unsupported` where there is none."""
    known = list(subnets)
    named = annotations.listed(annotations.read(service, "subnets"))
    if named:
        chosen = [
            each for each in known if each.id in named or dict(each.tags).get("Name") in named
        ]
        if len(chosen) < len(named):
            raise Unsupported(f"not all subnets are in the VPC: {', '.join(named)}")
    else:
        role = PUBLIC_ROLE if scheme == "internet-facing" else INTERNAL_ROLE
        chosen = [each for each in known if dict(each.tags).get(role) in {"", "1"}] or [
            each for each in known if each.id in of_cluster
        ]
    by_zone: dict[str, Subnet] = {}
    for each in sorted(chosen, key=lambda subnet: subnet.id):
        by_zone.setdefault(each.zone, each)
    if not by_zone:
        raise Unsupported("no subnet was found for the load balancer")
    return [by_zone[zone] for zone in sorted(by_zone)]


def instances_of(nodes: Iterable[Object]) -> list[str]:
    """Ids of the instances whose nodes take connections from outside."""
    found = []
    for node in nodes:
        metadata = node["metadata"]
        match = PROVIDER_ID.fullmatch(str(node.get("spec", {}).get("providerID", "")))
        excluded = EXCLUDED in (metadata.get("labels") or {})
        if match is not None and not excluded and not metadata.get("deletionTimestamp"):
            found.append(match["id"])
    return sorted(found)


def addresses_of(slices: Iterable[Object], port: Port) -> set[tuple[str, int]]:
    """Addresses and ports of the pods behind a port that are ready."""
    found = set()
    for each in slices:
        numbers = [
            int(given["port"])
            for given in each.get("ports") or ()
            if (given.get("name") or "") == port.name and given.get("port")
        ]
        for endpoint in each.get("endpoints") or ():
            if (endpoint.get("conditions") or {}).get("ready") is not False:
                found |= {
                    (a, number) for a in endpoint.get("addresses") or () for number in numbers
                }
    return found
