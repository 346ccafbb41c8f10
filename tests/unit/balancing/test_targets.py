"""Targets that are registered and deregistered."""

from hypothesis import given
from hypothesis import strategies as st

from longshore.balancing import deregister, register
from longshore.model.elbv2 import Target, TargetGroup, record_of

GROUP = TargetGroup(arn="g", name="web", id="1", port=80, vpc_id="vpc-1", target_type="ip")
ADDRESSES = st.sampled_from(["10.0.0.1", "10.0.0.2", "10.0.0.3"])
STEPS = st.lists(st.tuples(st.booleans(), ADDRESSES), max_size=20)


def target(address, at=1.0):
    return Target(id=address, port=80, registered_at=at)


@given(STEPS)
def test_a_target_takes_connections_as_it_was_last_asked_to(steps):
    group = GROUP
    last = {}
    for number, (wanted, address) in enumerate(steps, 1):
        last[address] = wanted
        if wanted:
            group = register(group, [target(address, number)])
        else:
            group = deregister(group, {f"{address}:80"}, number, used=True)
    found = {each.id: not each.deregistered_at for each in group.targets}
    assert {address for address, takes in found.items() if takes} == {
        address for address, wanted in last.items() if wanted
    }
    assert len(group.targets) == len(found)


def test_registering_again_changes_nothing():
    once = register(GROUP, [target("10.0.0.1")])
    assert register(once, [target("10.0.0.1", 5.0)]) == once


def test_draining_begins_once():
    group = register(GROUP, [target("10.0.0.1")])
    first = deregister(group, {"10.0.0.1:80"}, 5.0, used=True)
    assert deregister(first, {"10.0.0.1:80"}, 9.0, used=True) == first


def test_nothing_drains_that_no_load_balancer_sends_to():
    group = register(GROUP, [target("10.0.0.1"), target("10.0.0.2")])
    left = deregister(group, {"10.0.0.1:80"}, 5.0, used=False)
    assert [each.id for each in left.targets] == ["10.0.0.2"]


def test_arns_of_other_things_name_no_record():
    head = "arn:aws:elasticloadbalancing:us-east-1:123456789012:"
    assert record_of(f"{head}targetgroup/web/1") == ("targetgroup", "web/1")
    assert record_of(f"{head}listener-rule/net/a/1/2/3") == ("", "")
    assert record_of("web") == ("", "")
