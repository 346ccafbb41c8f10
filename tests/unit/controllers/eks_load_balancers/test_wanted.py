"""What Services ask for by their specs and annotations."""

import pytest

from longshore.controllers.eks_load_balancers.annotations import PREFIX, Unsupported
from longshore.controllers.eks_load_balancers.wanted import (
    Port,
    addresses_of,
    instances_of,
    is_kept,
    subnets_of,
    wanted_of,
)
from longshore.model.ec2 import Subnet

TAG = "kubernetes.io/cluster/shop"


def service(annotations=None, **spec):
    return {
        "metadata": {
            "name": "front-end",
            "namespace": "web",
            "uid": "1234",
            "annotations": {PREFIX + name: value for name, value in (annotations or {}).items()},
        },
        "spec": {
            "type": "LoadBalancer",
            "ports": [{"name": "http", "port": 80, "nodePort": 30080}],
            **spec,
        },
    }


def subnet(name, zone, **tags):
    pairs = tuple((key.replace("_", "/"), value) for key, value in tags.items())
    return Subnet(id=name, vpc_id="vpc-1", cidr="10.0.0.0/24", zone=zone, zone_id="", tags=pairs)


def ids(*arguments):
    return [each.id for each in subnets_of(*arguments)]


def test_a_plain_service_has_a_public_load_balancer_before_its_nodes():
    found = wanted_of(service(), TAG)
    assert (found.scheme, found.target_type) == ("internet-facing", "instance")
    assert found.ports == (Port(80, "http", 30080),)
    assert found.sources == ("0.0.0.0/0",)
    assert dict(found.tags) == {TAG: "owned", "kubernetes.io/service-name": "web/front-end"}
    assert found.name.startswith("k8s-web-frontend-")
    assert len(found.name) <= 32


@pytest.mark.parametrize(
    ("annotations", "spec", "expected"),
    [
        ({"internal": "true"}, {}, ("internal", "instance")),
        ({"type": "external"}, {}, ("internal", "instance")),
        ({"type": "nlb-ip"}, {}, ("internal", "ip")),
        ({}, {"loadBalancerClass": "eks.amazonaws.com/nlb"}, ("internal", "instance")),
        (
            {"type": "external", "scheme": "internet-facing", "nlb-target-type": "ip"},
            {},
            ("internet-facing", "ip"),
        ),
    ],
)
def test_annotations_choose_scheme_and_targets(annotations, spec, expected):
    found = wanted_of(service(annotations, **spec), TAG)
    assert (found.scheme, found.target_type) == expected


def test_nodes_say_themselves_whether_they_have_a_pod_under_the_policy_local():
    local = {"externalTrafficPolicy": "Local", "healthCheckNodePort": 31000}
    check = wanted_of(service(**local), TAG).check
    assert (check.protocol, check.port, check.path) == ("HTTP", "31000", "/healthz")


def test_health_checks_and_attributes_are_taken_from_annotations():
    annotations = {
        "healthcheck-interval": "5",
        "healthcheck-healthy-threshold": "2",
        "attributes": "load_balancing.cross_zone.enabled=true",
        "proxy-protocol": "*",
        "additional-resource-tags": "team=a, stage=test",
    }
    found = wanted_of(service(annotations), TAG)
    assert (found.check.interval, found.check.healthy_threshold) == (5, 2)
    assert found.attributes == {"load_balancing.cross_zone.enabled": "true"}
    assert found.group_attributes == {"proxy_protocol_v2.enabled": "true"}
    assert {("team", "a"), ("stage", "test")} < set(found.tags)


@pytest.mark.parametrize(
    ("annotations", "spec", "message"),
    [
        ({}, {"ports": [{"port": 53, "protocol": "UDP", "nodePort": 30053}]}, "UDP"),
        ({}, {"ports": []}, "no ports"),
        ({}, {"ports": [{"port": 80}]}, "node ports"),
        ({}, {"loadBalancerSourceRanges": ["everybody"]}, "everybody"),
        ({"scheme": "secret"}, {}, "secret"),
        ({"nlb-target-type": "pod"}, {}, "pod"),
        ({"healthcheck-interval": "1"}, {}, "healthcheck-interval"),
        ({"attributes": "speed=high"}, {}, "speed=high"),
    ],
)
def test_what_there_is_not_is_named(annotations, spec, message):
    with pytest.raises(Unsupported, match=message):
        wanted_of(service(annotations, **spec), TAG)


def test_services_of_other_load_balancer_classes_are_left_to_others():
    assert is_kept(service())
    assert not is_kept(service(loadBalancerClass="example.com/other"))
    assert not is_kept(service(type="ClusterIP"))


def test_the_load_balancer_is_in_one_subnet_of_each_zone_of_the_clusters():
    known = [subnet("c", "b"), subnet("b", "a"), subnet("a", "a"), subnet("z", "c")]
    assert ids(service(), "internal", known, ["a", "b", "c"]) == ["a", "c"]


def test_tagged_and_named_subnets_come_before_the_clusters():
    role = {"kubernetes.io_role_elb": "1"}
    known = [subnet("a", "a"), subnet("b", "b", **role), subnet("c", "c", Name="front")]
    assert ids(service(), "internet-facing", known, ["a"]) == ["b"]
    assert ids(service(), "internal", known, ["a"]) == ["a"]
    assert ids(service({"subnets": "front,a"}), "internal", known, []) == ["a", "c"]
    with pytest.raises(Unsupported):
        subnets_of(service({"subnets": "other"}), "internal", known, ["a"])


def test_nodes_that_are_excluded_or_go_or_are_no_instances_get_nothing():
    def node(provider, **metadata):
        return {"metadata": metadata, "spec": {"providerID": provider}}

    excluded = {"node.kubernetes.io/exclude-from-external-load-balancers": ""}
    nodes = [
        node("aws:///us-east-1a/i-1"),
        node("aws:///us-east-1a/i-2", labels=excluded),
        node("aws:///us-east-1a/i-3", deletionTimestamp="2026-01-01T00:00:00Z"),
        node("kind://other"),
    ]
    assert instances_of(nodes) == ["i-1"]


def test_pods_behind_a_port_are_those_that_are_ready():
    given = {
        "ports": [{"name": "http", "port": 8080}, {"name": "metrics", "port": 9090}],
        "endpoints": [
            {"addresses": ["10.0.0.7"], "conditions": {"ready": True}},
            {"addresses": ["10.0.0.8"], "conditions": {"ready": False}},
            {"addresses": ["10.0.0.9"]},
        ],
    }
    found = addresses_of([given], Port(80, "http", 30080))
    assert found == {("10.0.0.7", 8080), ("10.0.0.9", 8080)}
