"""Nodes that fell silent (`test_eks_ailing`) are replaced, and one too many is drained.

Meanwhile another Longshore's control plane is patched, which `test_eks_upgrade` looks at."""

import os
import signal

import pytest
from end_to_end.farm import RUNNING_SECONDS
from end_to_end.machines import child, first_process
from end_to_end.patients import GROUP, NODES_SECONDS, OF_GROUP

from longshore.testing.wait import wait_until

BACK_SECONDS = 60
WAITING, SERVING = "Terminating:Wait", "InService"


@pytest.mark.parametrize("kind", ["frozen", "cut"])
def test_a_node_that_is_not_heard_of_is_replaced_by_another_machine(patients, patched, kind):
    patients.await_replaced(kind)
    assert "not ready" in patients.causes()[patients.instances[kind]]


def test_pods_of_nodes_that_fell_ill_run_elsewhere(farm, patients):
    pods = farm.running(f"app={GROUP}", 2)
    assert not {pod["spec"]["nodeName"] for pod in pods} & set(patients.ill.values())
    wait_until(lambda: len(farm.nodes(OF_GROUP)) == 2, NODES_SECONDS, "two nodes are ready")
    wait_until(lambda: farm.group(GROUP)["status"] == "ACTIVE", RUNNING_SECONDS, "all is well")
    assert farm.group(GROUP)["health"]["issues"] == []


def test_a_machine_that_dies_comes_back_as_the_node_that_it_was(farm, patients):
    members, names = patients.members(), patients.names()
    dead = next(iter(members))
    before = first_process(dead)
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: first_process(dead) not in {None, before}, BACK_SECONDS, "another init")
    wait_until(lambda: child(first_process(dead), "kube"), BACK_SECONDS, "its kubelet")
    farm.running(f"app={GROUP}", 2)
    wait_until(lambda: set(farm.nodes(OF_GROUP)) == names, NODES_SECONDS, "both nodes are ready")
    assert patients.members() == members


def test_a_node_that_auto_scaling_ends_waits_until_its_pods_may_leave(farm, patients):
    """As an autoscaler asks: not EKS, but the Auto Scaling group itself."""
    farm.run("create", "pdb", GROUP, f"--selector=app={GROUP}", "--min-available=2")
    patients.protect_all_but_one_with_a_pod()
    patients.scaling.set_desired_capacity(AutoScalingGroupName=patients.group, DesiredCapacity=1)

    def waiting():
        return [name for name, state in patients.members().items() if state == WAITING]

    (going,) = wait_until(waiting, RUNNING_SECONDS, "one is to go")
    assert first_process(going)
    assert len(farm.running(f"app={GROUP}", 2)) == 2
    farm.run("delete", "pdb", GROUP)
    wait_until(lambda: list(patients.members().values()) == [SERVING], NODES_SECONDS, "one is left")
    (left,) = patients.names()
    pods = farm.running(f"app={GROUP}", 2)
    assert {pod["spec"]["nodeName"] for pod in pods} == {left}
    assert going not in patients.members()


def test_the_patients_node_group_is_deleted(farm, patients):
    """What other tests see of the cluster is as it was."""
    farm.run("delete", "deployment", GROUP)
    farm.eks.delete_nodegroup(clusterName=farm.name, nodegroupName=GROUP)

    def gone():
        return GROUP not in farm.eks.list_nodegroups(clusterName=farm.name)["nodegroups"]

    wait_until(gone, NODES_SECONDS, "the node group is deleted")
    wait_until(lambda: not patients.names(), NODES_SECONDS, "its nodes are gone")
