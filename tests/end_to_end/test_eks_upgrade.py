"""A cluster with nodes goes to the next version while it serves."""

import pytest
from end_to_end.farm import GROUP, service
from end_to_end.shells import PAGE_PORT

from longshore.testing.wait import wait_until

CONTROL_PLANE_SECONDS = 120
ROLLED_SECONDS = 300


@pytest.fixture(scope="module")
def steady(farm):
    """Two pods, of which a PodDisruptionBudget lets go one at a time."""
    farm.apply(service("steady", 80, PAGE_PORT))
    farm.apply(
        {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": {"name": "steady"},
            "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "steady"}}},
        }
    )
    return farm.deployment("steady", 2)


def await_update(farm, update, seconds):
    def ended():
        told = farm.eks.describe_update(name=farm.name, updateId=update["id"], **update["of"])
        assert told["update"]["status"] != "Failed", told["update"]["errors"]
        return told["update"]["status"] == "Successful"

    wait_until(ended, seconds, "the update is through")


def test_nodes_may_not_be_newer_than_their_control_plane(farm):
    with pytest.raises(farm.eks.exceptions.InvalidParameterException):
        farm.eks.update_nodegroup_version(
            clusterName=farm.name, nodegroupName=GROUP, version="1.36"
        )


def test_nodes_follow_their_control_plane_while_pods_serve(farm, steady):
    asked = farm.eks.update_cluster_version(name=farm.name, version="1.36")["update"]
    await_update(farm, {"id": asked["id"], "of": {}}, CONTROL_PLANE_SECONDS)
    before = set(farm.nodes())
    assert len(before) == 2
    asked = farm.eks.update_nodegroup_version(clusterName=farm.name, nodegroupName=GROUP)["update"]
    of = {"nodegroupName": GROUP}

    def ended():
        # Who is asked at any moment answers: the budget keeps one pod there.
        assert any(pod["status"]["phase"] == "Running" for pod in farm.pods("app=steady"))
        told = farm.eks.describe_update(name=farm.name, updateId=asked["id"], **of)["update"]
        assert told["status"] != "Failed", told["errors"]
        return told["status"] == "Successful"

    wait_until(ended, ROLLED_SECONDS, "the node group is updated")
    after = farm.nodes()
    assert len(after) == 2
    assert not before & set(after)
    versions = {node["status"]["nodeInfo"]["kubeletVersion"] for node in after.values()}
    assert {each.rpartition(".")[0] for each in versions} == {"v1.36"}
    farm.running("app=steady", 2)
    assert farm.group()["version"] == "1.36"
