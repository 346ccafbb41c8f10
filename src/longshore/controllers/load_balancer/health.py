"""How targets are, from what the nodes' HAProxies say of them; pure.

("Health checks for Network Load Balancer target groups", "TargetHealth".)
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from longshore.controllers.load_balancer.scene import Route, Scene, Server
from longshore.model.elbv2 import Health

HEALTHY = Health("healthy")
REGISTERING = Health("initial", "Elb.RegistrationInProgress", "Target registration is in progress")
CHECKING = Health("initial", "Elb.InitialHealthChecking", "Initial health checks in progress")
DRAINING = Health(
    "draining", "Target.DeregistrationInProgress", "Target deregistration is in progress"
)
ELSEWHERE = Health(
    "unused",
    "Target.NotInUse",
    "Target is in an Availability Zone that is not enabled for the load balancer",
)
FAILED = Health("unhealthy", "Target.FailedHealthChecks", "Health checks failed")
PASSED = frozenset({"L4OK", "L6OK", "L7OK", "L7OKC"})
NOT_ASKED = frozenset({"", "INI", "UNK"})


@dataclass(frozen=True, slots=True)
class Check:
    """One line of `show stat`: `status` as `UP`, `DOWN 1/2`; `result` as `L4OK`, empty before there
    was one; `code` of HTTP's."""

    status: str
    result: str
    code: str = ""


Checks = Mapping[tuple[str, str], Check]
"""Of one node, by backend and server."""


def health_of(
    scene: Scene,
    route: Route,
    nodes: Mapping[str, Checks],
    before: Mapping[str, Health],
) -> dict[str, Health]:
    """The health of the route's targets by their keys; `nodes` are the checks by AZ."""
    return {
        server.target.key: _health(scene, route, server, nodes, before.get(server.target.key))
        for server in route.servers
    }


def _health(
    scene: Scene,
    route: Route,
    server: Server,
    nodes: Mapping[str, Checks],
    before: Health | None,
) -> Health:
    if server.is_draining:
        return DRAINING
    if server.dead:
        return Health("unused", "Target.InvalidState", f"Target is in the {server.dead} state")
    if not scene.is_enabled(server):
        return ELSEWHERE
    zones = [zone for zone in nodes if scene.serves(zone, server)]
    known = [nodes[zone].get((route.backend, server.target.key)) for zone in zones]
    checks = [check for check in known if check is not None]
    if not checks:
        return before or REGISTERING
    return best(_of_check(check, before) for check in checks)


def best(found: Iterable[Health]) -> Health:
    """A target is healthy as soon as one node finds it so."""
    order = ("healthy", "initial", "unhealthy")
    return min(found, key=lambda health: order.index(health.state))


def _of_check(check: Check, before: Health | None) -> Health:
    result = check.result.removeprefix("* ")
    if check.status.startswith("UP"):
        return HEALTHY
    if result in NOT_ASKED:
        return CHECKING
    if result in PASSED:
        # On its way up: an unhealthy one is so until it has passed often enough.
        return before if before is not None and before.state == "unhealthy" else CHECKING
    if result == "L7STS":
        said = f"Health checks failed with these codes: [{check.code}]"
        return Health("unhealthy", "Target.ResponseCodeMismatch", said)
    if result in {"L4TOUT", "L6TOUT", "L7TOUT"}:
        return Health("unhealthy", "Target.Timeout", "Request timed out")
    return FAILED


def fit_zones(
    scene: Scene, nodes: Sequence[str], health: Mapping[str, Mapping[str, Health]]
) -> list[str]:
    """The AZs of `nodes` whose addresses the name leads to; `health` is by the ARN of the group.

    Those that have a healthy target for every listener; all of them where none has.
    """
    fit = [
        zone
        for zone in nodes
        if all(_has_healthy(scene, zone, route, health[route.group.arn]) for route in scene.routes)
    ]
    return fit or list(nodes)


def _has_healthy(scene: Scene, zone: str, route: Route, health: Mapping[str, Health]) -> bool:
    return any(
        scene.serves(zone, server) and health[server.target.key].state == "healthy"
        for server in route.servers
    )
