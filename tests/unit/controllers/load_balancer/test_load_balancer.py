"""What HAProxy is told, and what is made of what it says."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.controllers.load_balancer.configuration import (
    beginning,
    configuration,
    server_states,
    version_of,
    with_version,
)
from longshore.controllers.load_balancer.health import Check, fit_zones, health_of
from longshore.controllers.load_balancer.scene import Route, Scene, Server
from longshore.model.elbv2 import Health, HealthCheck, Listener, Target, TargetGroup

A, B, C = "us-east-1a", "us-east-1b", "us-east-1c"
LISTENER = Listener(arn="l", id="1", load_balancer="net/x/1", port=80, target_group="web/1")
GROUP = TargetGroup(arn="g", name="web", id="1", port=8080, vpc_id="vpc-1", target_type="ip")


def server(address, zone=A, port=8080, gone=0.0, dead=""):
    target = Target(id=address, port=port, registered_at=1.0, deregistered_at=gone)
    return Server(target, address, zone, dead)


def scene(*servers, zones=(A, B), cross_zone=False, listener=LISTENER, **group):
    route = Route(listener, msgspec.structs.replace(GROUP, **group), tuple(servers))
    return Scene((route,), frozenset(zones), cross_zone)


def told(state, reason=""):
    return lambda health: (health.state, health.reason) == (state, reason)


def health(given, checks, before=None, zones=(A,)):
    """Of the only target, whose check in each zone is this."""
    nodes = {zone: {("port-80", "10.0.0.1:8080"): check} for zone, check in checks.items()}
    nodes |= {zone: {} for zone in zones if zone not in nodes}
    found = health_of(given, given.routes[0], nodes, before or {})
    return found["10.0.0.1:8080"]


def test_a_node_sends_to_targets_of_its_own_zone():
    found = configuration(scene(server("10.0.0.1"), server("10.0.1.1", B)), A)
    assert "server 10.0.0.1:8080 10.0.0.1:8080 check" in found
    assert "10.0.1.1" not in found


def test_with_cross_zone_load_balancing_it_sends_to_all_enabled_zones():
    everywhere = scene(server("10.0.0.1"), server("10.0.1.1", B), server("10.0.2.1", C))
    crossing = Scene(everywhere.routes, everywhere.zones, cross_zone=True)
    found = configuration(crossing, A)
    assert "10.0.1.1:8080 check" in found
    assert "10.0.2.1" not in found


def test_a_target_outside_of_the_vpc_is_every_nodes():
    given = scene(server("192.168.7.7", "all"))
    assert all("192.168.7.7:8080 check" in configuration(given, zone) for zone in (A, B))


@pytest.mark.parametrize("away", [{"gone": 5.0}, {"dead": "stopped"}])
def test_what_drains_or_is_stopped_gets_no_new_connections(away):
    assert "10.0.0.1" not in configuration(scene(server("10.0.0.1", **away)), A)


def test_health_checks_are_as_the_target_group_says():
    check = HealthCheck(
        protocol="HTTPS",
        port="9443",
        interval=5,
        timeout=2,
        healthy_threshold=3,
        unhealthy_threshold=4,
        path="/ok?deep=1",
        codes="200,300-399",
    )
    found = configuration(scene(server("10.0.0.1"), health_check=check), A)
    assert "default-server inter 5s rise 3 fall 4 port 9443 check-ssl verify none" in found
    assert "timeout check 2s" in found
    assert "uri '/ok?deep=1'" in found
    assert "expect status 200,300-399" in found


def test_attributes_of_target_groups_and_listeners_are_obeyed():
    listener = msgspec.structs.replace(LISTENER, attributes={"tcp.idle_timeout.seconds": "60"})
    attributes = {"proxy_protocol_v2.enabled": "true", "stickiness.enabled": "true"}
    found = configuration(scene(server("10.0.0.1"), listener=listener, attributes=attributes), A)
    assert "timeout client 60s" in found
    assert "10.0.0.1:8080 send-proxy-v2 check" in found
    assert "balance source" in found


def test_another_configuration_has_another_version_and_says_so():
    one, other = (configuration(scene(server(each)), A) for each in ("10.0.0.1", "10.0.0.2"))
    assert version_of(one) != version_of(other)
    assert f"description {version_of(one)}\n" in with_version(one)


def test_what_is_known_of_targets_goes_on_and_new_ones_are_down():
    given = scene(server("10.0.0.1"), server("10.0.0.2"))
    known = ("2", "0", "1", "1", "40", "6", "3", "4", "6")
    text = beginning(given, A, {("port-80", "10.0.0.1:8080"): known})
    states = server_states(text)
    assert states["port-80", "10.0.0.1:8080"] == known
    assert states["port-80", "10.0.0.2:8080"][0] == "0"


@pytest.mark.parametrize(
    ("check", "before", "expected"),
    [
        (Check("UP", "L4OK"), None, ("healthy", "")),
        (Check("UP 1/2", "* L4CON"), None, ("healthy", "")),
        (Check("DOWN", "INI"), None, ("initial", "Elb.InitialHealthChecking")),
        (Check("DOWN 1/2", "L4OK"), None, ("initial", "Elb.InitialHealthChecking")),
        (Check("DOWN", "L4CON"), None, ("unhealthy", "Target.FailedHealthChecks")),
        (Check("DOWN", "L7TOUT"), None, ("unhealthy", "Target.Timeout")),
        (Check("DOWN", "L7STS", "503"), None, ("unhealthy", "Target.ResponseCodeMismatch")),
        (Check("DOWN 1/2", "L7OK", "200"), Health("unhealthy", "X"), ("unhealthy", "X")),
    ],
)
def test_a_targets_health_is_what_its_checks_say(check, before, expected):
    known = {"10.0.0.1:8080": before} if before else {}
    assert told(*expected)(health(scene(server("10.0.0.1")), {A: check}, known))


def test_the_wrong_answer_is_named():
    found = health(scene(server("10.0.0.1")), {A: Check("DOWN", "L7STS", "404")})
    assert found.description == "Health checks failed with these codes: [404]"


def test_one_node_that_reaches_the_target_is_enough():
    given = scene(server("192.168.7.7", "all"))
    nodes = {
        A: {("port-80", "192.168.7.7:8080"): Check("DOWN", "L4CON")},
        B: {("port-80", "192.168.7.7:8080"): Check("UP", "L4OK")},
    }
    found = health_of(given, given.routes[0], nodes, {})
    assert told("healthy")(found["192.168.7.7:8080"])


def test_a_target_in_a_zone_without_the_load_balancer_is_unused():
    found = health(scene(server("10.0.0.1", C)), {})
    assert told("unused", "Target.NotInUse")(found)


def test_a_target_that_nobody_has_asked_keeps_its_health():
    given = scene(server("10.0.0.1"))
    assert told("initial", "Elb.RegistrationInProgress")(health(given, {}))
    assert told("healthy")(health(given, {}, {"10.0.0.1:8080": Health("healthy")}))


def test_a_stopped_instance_is_not_called_unhealthy():
    found = health(scene(server("10.0.0.1", dead="stopped")), {A: Check("DOWN", "L4TOUT")})
    assert (found.state, found.reason) == ("unused", "Target.InvalidState")
    assert found.description == "Target is in the stopped state"


@given(st.lists(st.tuples(st.sampled_from([A, B]), st.booleans()), max_size=6))
def test_names_lead_to_zones_with_a_healthy_target_or_else_to_all(targets):
    servers = [server(f"10.0.0.{n}", zone) for n, (zone, _) in enumerate(targets)]
    given_scene = scene(*servers)
    states = {
        each.target.key: Health("healthy" if well else "unhealthy")
        for each, (_, well) in zip(servers, targets, strict=True)
    }
    fit = fit_zones(given_scene, [A, B], {"g": states})
    well = {zone for zone, is_well in targets if is_well}
    assert set(fit) == (well or {A, B})
