"""What one load balancer is to do, read from the records."""

from dataclasses import dataclass

from longshore.balancing.use import (
    EVERYWHERE,
    address_of_target,
    listeners_of,
    zone_of_target,
)
from longshore.model.ec2 import SUBNET
from longshore.model.elbv2 import (
    LISTENER_ATTRIBUTES,
    LOAD_BALANCER_ATTRIBUTES,
    TARGET_GROUP,
    TARGET_GROUP_ATTRIBUTES,
    Listener,
    LoadBalancer,
    Target,
    TargetGroup,
    load_balancer_name,
)
from longshore.model.instances import INSTANCE, INSTANCE_STATUS, state_of
from longshore.store.interface import Key, Reader

DEAD = frozenset({"shutting-down", "stopped", "stopping", "terminated"})


@dataclass(frozen=True, slots=True)
class Server:
    """A target as HAProxy is told of it: `zone` is an AZ's name, `all`, or empty where it is in
    none; `dead` is the state of an instance that cannot answer."""

    target: Target
    address: str
    zone: str
    dead: str = ""

    @property
    def is_draining(self) -> bool:
        return bool(self.target.deregistered_at)


@dataclass(frozen=True, slots=True)
class Route:
    """A listener, the group that it forwards to, and the group's targets."""

    listener: Listener
    group: TargetGroup
    servers: tuple[Server, ...]

    @property
    def backend(self) -> str:
        return f"port-{self.listener.port}"

    @property
    def idle_seconds(self) -> str:
        given = {**LISTENER_ATTRIBUTES, **self.listener.attributes}
        return given["tcp.idle_timeout.seconds"]

    def is_on(self, attribute: str) -> bool:
        given = {**TARGET_GROUP_ATTRIBUTES, **self.group.attributes}
        return given[attribute] == "true"

    @property
    def delay_seconds(self) -> float:
        given = {**TARGET_GROUP_ATTRIBUTES, **self.group.attributes}
        return float(given["deregistration_delay.timeout_seconds"])


@dataclass(frozen=True, slots=True)
class Scene:
    """`zones` are those of the load balancer's subnets."""

    routes: tuple[Route, ...]
    zones: frozenset[str]
    cross_zone: bool

    def is_enabled(self, server: Server) -> bool:
        return server.zone == EVERYWHERE or server.zone in self.zones

    def serves(self, zone: str, server: Server) -> bool:
        """Whether new connections that come in in this AZ may go there ("Cross-zone load
        balancing")."""
        if server.is_draining or server.dead or not server.address:
            return False
        if self.cross_zone:
            return self.is_enabled(server)
        return server.zone in {zone, EVERYWHERE}


def scene_of(reader: Reader, key: Key, balancer: LoadBalancer) -> Scene:
    place = (key.account, key.region)
    name = load_balancer_name(balancer.name, balancer.id)
    routes = []
    for listener in listeners_of(reader, *place, name):
        record = reader.get(TARGET_GROUP, *place, listener.target_group)
        if record is not None:
            group = record.value
            servers = tuple(_server(reader, key, group, each) for each in group.targets)
            routes.append(Route(listener, group, servers))
    subnets = [reader.get(SUBNET, *place, each) for each in balancer.subnets]
    attributes = {**LOAD_BALANCER_ATTRIBUTES, **balancer.attributes}
    return Scene(
        routes=tuple(routes),
        zones=frozenset(record.value.zone for record in subnets if record is not None),
        cross_zone=attributes["load_balancing.cross_zone.enabled"] == "true",
    )


def _server(reader: Reader, key: Key, group: TargetGroup, target: Target) -> Server:
    place = (key.account, key.region)
    address = address_of_target(reader, *place, group, target)
    zone = zone_of_target(reader, *place, group, target)
    dead = _dead(reader, key, target.id) if group.target_type == "instance" else ""
    return Server(target, address, zone, dead)


def _dead(reader: Reader, key: Key, instance_id: str) -> str:
    instance = reader.get(INSTANCE, key.account, key.region, instance_id)
    if instance is None:
        return "terminated"
    status = reader.get(INSTANCE_STATUS, key.account, key.region, instance_id)
    state = state_of(instance.value, status.value if status is not None else None)
    return state if state in DEAD else ""
