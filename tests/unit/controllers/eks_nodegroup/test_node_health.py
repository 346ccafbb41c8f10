"""When a node group is active, degraded or failed, and which of its nodes are repaired."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.controllers.eks_nodegroup.health import judge
from longshore.controllers.eks_nodegroup.repair import repair
from longshore.controllers.eks_nodegroup.scene import Node, Scene, Seat, last_failure
from longshore.model.auto_scaling import Activity
from longshore.model.eks import Issue
from longshore.model.eks_parts import Drain, Nodegroup

NOW = 100_000.0


def nodegroup(**fields):
    return Nodegroup(
        **{
            "cluster": "web",
            "name": "ng",
            "arn": "arn",
            "id": "1",
            "version": "1.36",
            "release_version": "1.36.3-1",
            "created_at": 0.0,
            "modified_at": 0.0,
            "node_role": "arn:aws:iam::123456789012:role/node",
            "subnets": ("subnet-1",),
            "min_size": 0,
            "max_size": 50,
            "desired_size": 3,
            **fields,
        }
    )


def seat(number, *, ready=True, since=0.0, joined=True, leaving=False):
    name, reason = f"i-{number}", "KubeletReady" if ready else "NodeStatusUnknown"
    node = Node(name=f"n-{number}", instance_id=name, ready=ready, since=since, reason=reason)
    return Seat(instance_id=name, node=node if joined else None, leaving=leaving)


def scene(*seats, **fields):
    return Scene(**{"now": NOW, "desired": len(seats), "maximum": 50, "seats": seats, **fields})


def launch(number, status, message="", start="Launching a new EC2 instance"):
    return Activity(
        id=str(number),
        group="g",
        description=f"{start}: i-{number}",
        cause="",
        started_at=float(number),
        ended_at=float(number),
        status=status,
        message=message,
    )


def test_the_last_launch_that_failed_counts_until_another_one_came_about():
    failed = launch(2, "Failed", "No room.")
    assert last_failure([launch(1, "Successful"), failed]) == "No room."
    assert last_failure([failed, launch(2, "Successful")]) == "No room."
    assert last_failure([failed, launch(3, "Successful")]) == ""
    ended = launch(3, "Successful", start="Terminating EC2 instance")
    assert last_failure([failed, ended]) == "No room."
    assert last_failure([]) == ""


def test_a_failed_launch_matters_only_while_instances_are_missing():
    failing = {"failure": "No room. Launching EC2 instance failed."}
    missing = judge(nodegroup(), "ACTIVE", scene(seat(1), desired=2, **failing), (), 0.0)
    assert (missing.status, missing.issues[0].code) == ("DEGRADED", "AsgInstanceLaunchFailures")
    enough = judge(nodegroup(), "DEGRADED", scene(seat(1), **failing), (), 0.0)
    assert (enough.status, enough.issues) == ("ACTIVE", ())


def test_full_subnets_are_told_as_such():
    said = (
        "There are not enough free addresses in subnet 'subnet-1' to satisfy the requested number"
    )
    health = judge(nodegroup(), "CREATING", scene(desired=1, failure=said), (), NOW)
    (issue,) = health.issues
    assert (issue.code, issue.resources) == ("InsufficientFreeAddresses", ("subnet-1",))


def test_a_trouble_fails_a_creation_and_degrades_what_is_there():
    trouble = Issue("Ec2SubnetNotFound", "It is gone.", ("subnet-1",))
    assert judge(nodegroup(), "CREATING", scene(seat(1)), [trouble], NOW).status == "CREATE_FAILED"
    degraded = judge(nodegroup(), "ACTIVE", scene(seat(1)), [trouble], NOW)
    assert (degraded.status, degraded.issues) == ("DEGRADED", (trouble,))


def test_an_instance_that_is_no_node_degrades_the_group_once_it_has_had_its_time():
    young = Seat(instance_id="i-1", joined_at=NOW - 899)
    old = Seat(instance_id="i-2", joined_at=NOW - 900)
    health = judge(nodegroup(), "ACTIVE", scene(young, old), (), 0.0)
    assert health.status == "DEGRADED"
    assert [issue.resources for issue in health.issues] == [("i-2",)]
    unseen = judge(nodegroup(), "ACTIVE", scene(young, old, reached=False), (), 0.0)
    assert unseen.status == "ACTIVE"


def ill(number, seconds=1800):
    return seat(number, ready=False, since=NOW - seconds)


def repaired(*seats, drains=(), left=(), **config):
    group = nodegroup(repair={"enabled": True, **config})
    return repair(group, drains, scene(*seats), dict(left))


def test_a_node_is_ill_after_half_an_hour():
    assert repaired(seat(1), ill(2, 1799)).drains == ()
    assert [drain.node for drain in repaired(seat(1), ill(2)).drains] == ["n-2"]


def test_nothing_is_repaired_unless_that_is_asked_for():
    assert repair(nodegroup(), (), scene(ill(1)), {}).drains == ()
    off = nodegroup(repair={"enabled": False})
    assert repair(off, (), scene(ill(1)), {}).drains == ()


def override(action, minutes, reason="NodeStatusUnknown"):
    return {
        "nodeMonitoringCondition": "Ready",
        "nodeUnhealthyReason": reason,
        "minRepairWaitTimeMins": minutes,
        "repairAction": action,
    }


def test_the_time_to_wait_may_be_another():
    sooner = [override("Replace", 5)]
    assert repaired(ill(1, 300), nodeRepairConfigOverrides=sooner).drains
    assert not repaired(ill(1, 299), nodeRepairConfigOverrides=sooner).drains
    another = [override("Replace", 5, "KubeletNotReady")]
    assert not repaired(ill(1, 300), nodeRepairConfigOverrides=another).drains
    never = [override("NoAction", 5)]
    assert not repaired(ill(1, 10_000), nodeRepairConfigOverrides=never).drains


@pytest.mark.parametrize(
    ("total", "sick", "config", "begun"),
    [
        (5, 5, {}, 5),
        (10, 2, {}, 2),
        (10, 3, {}, 0),
        (10, 3, {"maxUnhealthyNodeThresholdPercentage": 30}, 3),
        (10, 3, {"maxUnhealthyNodeThresholdCount": 2}, 0),
        (5, 3, {"maxParallelNodesRepairedCount": 2}, 2),
        (5, 4, {"maxParallelNodesRepairedPercentage": 50}, 2),
        (5, 1, {"maxParallelNodesRepairedPercentage": 1}, 1),
    ],
)
def test_no_more_nodes_are_repaired_than_may_be(total, sick, config, begun):
    seats = [ill(n) if n < sick else seat(n) for n in range(total)]
    assert len(repaired(*seats, **config).drains) == begun


def test_a_node_is_replaced_once_its_pods_have_left_or_had_their_time():
    drain = Drain(instance_id="i-1", node="n-1", since=NOW - 299)
    waits = repaired(ill(1), drains=[drain], left={"n-1": 1})
    assert (waits.drains, waits.terminate) == ((drain,), ())
    empty = repaired(ill(1), drains=[drain], left={"n-1": 0})
    assert (empty.drains, empty.terminate) == ((), ("i-1",))
    late = Drain(instance_id="i-1", node="n-1", since=NOW - 300)
    assert repaired(ill(1), drains=[late], left={"n-1": 1}).terminate == ("i-1",)


def test_a_node_that_got_well_is_let_be():
    drain = Drain(instance_id="i-1", node="n-1", since=NOW - 299)
    assert repaired(seat(1), drains=[drain], left={"n-1": 0}) == ((), ())


@given(sick=st.integers(0, 12), leaving=st.integers(0, 4), most=st.integers(1, 6))
def test_what_is_on_its_way_out_counts_too(sick, leaving, most):
    seats = [
        *(ill(n) for n in range(sick)),
        *(seat(100 + n, leaving=True) for n in range(leaving)),
    ]
    config = {"maxParallelNodesRepairedCount": most, "maxUnhealthyNodeThresholdCount": 99}
    assert len(repaired(*seats, **config).drains) <= max(0, most - leaving)
