"""What a router lets through, judged without a kernel."""

import ipaddress
import itertools

from hypothesis import given
from hypothesis import strategies as st

from longshore.fabric.admission import Admission, Flow
from longshore.fabric.router_rules import Box, disjoint_layers, router_ruleset
from longshore.model.network import Group, Interface, Network, Rule, Subnet, Vpc

VPC = Vpc(
    id="vpc-1",
    cidrs=("10.0.0.0/16",),
    resolver="10.0.0.2",
    subnets=(Subnet(id="subnet-1", cidr="10.0.1.0/24"),),
)


def eni(number: int, *groups: str, public: str = "") -> Interface:
    return Interface(
        id=f"eni-{number}",
        vpc_id="vpc-1",
        subnet_id="subnet-1",
        mac=f"02:00:00:00:00:{number:02x}",
        address=f"10.0.1.{number}",
        prefix_length=24,
        gateway="10.0.1.1",
        public_address=public,
        security_groups=groups,
    )


def tcp(source: str, destination: str, port: int) -> Flow:
    return Flow(
        protocol=6,
        source=source,
        destination=destination,
        reply_source=destination,
        reply_destination=source,
        source_port=40000,
        destination_port=port,
        port=port,
    )


boxes = st.builds(
    lambda protocol, low, width, address, length: (
        protocol,
        low,
        min(low + width, 65535),
        ipaddress.IPv4Network((address, length), strict=False),
    ),
    st.sampled_from([6, 17]),
    st.integers(0, 65535),
    st.integers(0, 5000),
    st.integers(0, 2**32 - 1),
    st.sampled_from([0, 8, 16, 24, 32]),
)


@given(st.lists(boxes, max_size=40))
def test_layers_hold_every_range_once_and_none_that_overlap(given_boxes: list[Box]) -> None:
    layers = disjoint_layers(given_boxes)
    assert sorted(box for layer in layers for box in layer) == sorted(set(given_boxes))
    for layer in layers:
        for one, other in itertools.combinations(layer, 2):
            apart = one[2] < other[1] or other[2] < one[1]
            assert one[0] != other[0] or apart or not one[3].overlaps(other[3])


def network(*interfaces: Interface, ingress: tuple[Rule, ...]) -> Network:
    everything = (Rule(protocol=-1, cidr="0.0.0.0/0"),)
    groups = (
        Group(id="sg-a", egress=everything, members=("10.0.1.11",)),
        Group(id="sg-b", ingress=ingress, members=("10.0.1.12",)),
    )
    return Network(vpcs=(VPC,), interfaces=interfaces, groups=groups)


def test_flow_stays_only_while_both_ends_allow_it() -> None:
    one, other = eni(11, "sg-a"), eni(12, "sg-b")
    web = network(
        one, other, ingress=(Rule(protocol=6, from_port=80, to_port=90, cidr=VPC.cidrs[0]),)
    )
    flow = tcp(one.address, other.address, 80)
    assert Admission(web, VPC).allows(flow)
    assert not Admission(web, VPC).allows(tcp(one.address, other.address, 91))
    assert not Admission(web, VPC).allows(tcp(other.address, one.address, 80))
    by_group = network(one, other, ingress=(Rule(protocol=-1, group_id="sg-a"),))
    assert Admission(by_group, VPC).allows(flow)
    assert not Admission(network(one, other, ingress=()), VPC).allows(flow)
    assert not Admission(network(one, ingress=()), VPC).allows(flow)


def test_flow_through_a_public_address_that_has_moved_is_not_kept() -> None:
    rule = Rule(protocol=-1, cidr="0.0.0.0/0")
    holder = eni(12, "sg-b", public="198.18.0.9")
    flow = Flow(
        protocol=6,
        source="198.18.0.1",
        destination="198.18.0.9",
        reply_source="10.0.1.12",
        reply_destination="198.18.0.1",
        source_port=40000,
        destination_port=80,
        port=80,
    )
    assert Admission(network(holder, ingress=(rule,)), VPC).allows(flow)
    assert not Admission(network(eni(12, "sg-b"), ingress=(rule,)), VPC).allows(flow)


def test_services_of_the_vpc_are_never_cut() -> None:
    silent = eni(12, "sg-b")
    judge = Admission(network(silent, ingress=()), VPC)
    for service in ("169.254.170.2", "169.254.169.254", "169.254.170.100", "10.0.0.2"):
        assert judge.allows(tcp(silent.address, service, 80))


def test_same_network_gives_the_same_ruleset() -> None:
    given_network = network(
        eni(11, "sg-a"), ingress=(Rule(protocol=6, from_port=1, to_port=2, cidr="10.0.0.0/8"),)
    )
    first, second = (router_ruleset(given_network, VPC, (1, 2, 3), "169.254.64.0") for _ in "ab")
    assert first == second
