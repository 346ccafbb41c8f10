"""A cluster with nodes goes to the next version while it serves."""

import json

import pytest
from end_to_end.farm import GROUP, service
from end_to_end.insights import statuses
from end_to_end.shells import PAGE_PORT
from end_to_end.steady_client import SteadyClient

from longshore.testing.wait import wait_until

ANSWER_SECONDS = 60
CONTROL_PLANE_SECONDS = 120
ROLLED_SECONDS = 300
SHORT_SECONDS = 1.0
"""For so long the API server may refuse, all in all, single requests that they are."""
HUNG_SECONDS = 5.0
"""No write may take as long as that, on a machine that is busy with the upgrade."""


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


def test_control_plane_is_patched_while_it_answers(patched):
    done = patched.result()
    versions = [each["cluster"]["platformVersion"] for each in (done.before, done.after)]
    assert versions == ["eks.1", "eks.2"]
    before, after = done.before["processes"], done.after["processes"]
    assert before.keys() == after.keys()
    assert {name for name in before if before[name] == after[name]} == {"etcd"}
    assert_unbroken(done.client)


def assert_unbroken(client):
    """Its server refused single requests at most, shortly, and lost nothing."""
    assert len(client.acknowledged) > 20
    for method in ("PATCH", "GET"):
        refused = client.refusals[method]
        assert sum(each.ended - each.began for each in refused) < SHORT_SECONDS, refused
        numbers = {each.number for each in refused}
        assert not numbers & {number + 1 for number in numbers}, refused
    assert client.longest < HUNG_SECONDS
    assert client.lost == []
    assert set(client.acknowledged) <= set(client.kept)


def test_nodes_may_not_be_newer_than_their_control_plane(farm):
    with pytest.raises(farm.eks.exceptions.InvalidParameterException):
        farm.eks.update_nodegroup_version(
            clusterName=farm.name, nodegroupName=GROUP, version="1.36"
        )


def test_nodes_of_their_clusters_version_stand_in_the_way_of_no_upgrade(farm):
    ready = statuses(farm.eks, farm.name, "UPGRADE_READINESS")
    assert ready["Kubelet version skew"] == ready["kube-proxy version skew"] == "PASSING"
    assert "ERROR" not in ready.values()


def ready_since(farm):
    """When each node became Ready."""
    conditions = {name: each["status"]["conditions"] for name, each in farm.nodes().items()}
    return {
        name: next(each["lastTransitionTime"] for each in found if each["type"] == "Ready")
        for name, found in conditions.items()
    }


@pytest.fixture(scope="module")
def upgrade(farm, steady):
    """A client that was at work during the whole upgrade of the control plane."""
    before, etcd = ready_since(farm), farm.processes()["etcd"]
    with SteadyClient(farm) as client:
        asked = farm.eks.update_cluster_version(name=farm.name, version="1.36")["update"]
        await_update(farm, {"id": asked["id"], "of": {}}, CONTROL_PLANE_SECONDS)
    client.nodes, client.etcd = before, etcd
    assert farm.read("version")["serverVersion"]["minor"] == "36"
    return client


def test_api_server_answers_throughout_an_upgrade_and_keeps_what_it_acknowledged(upgrade):
    assert_unbroken(upgrade)


def test_watch_that_an_upgrade_ends_goes_on_where_it_was_and_misses_nothing(upgrade):
    assert upgrade.watches > 1
    assert upgrade.skipped == []
    assert set(upgrade.acknowledged) <= set(upgrade.seen)


def test_nodes_stay_ready_and_etcd_runs_on_while_the_control_plane_is_upgraded(farm, upgrade):
    assert ready_since(farm) == upgrade.nodes
    assert farm.processes()["etcd"] == upgrade.etcd


def test_new_api_server_reaches_webhooks_and_aggregated_servers(farm, upgrade):
    role = "arn:aws:iam::123456789012:role/switched"
    metadata = {"name": "switched", "annotations": {"eks.amazonaws.com/role-arn": role}}
    farm.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
    spec = json.dumps({"spec": {"serviceAccountName": "switched"}})
    asked = ["run", "told", "--image=none", f"--overrides={spec}", "--dry-run=server"]
    (container,) = farm.read(*asked)["spec"]["containers"]
    assert {"name": "AWS_ROLE_ARN", "value": role} in container["env"]
    wait_until(
        lambda: "ip-" in farm.run("top", "nodes", check=False).stdout,
        ANSWER_SECONDS,
        "the metrics server answers through it",
    )


def test_nodes_follow_their_control_plane_while_pods_serve(farm, upgrade):
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
    wait_until(lambda: len(farm.nodes()) == 2, ANSWER_SECONDS, "no node is left over")
    after = farm.nodes()
    assert not before & set(after)
    versions = {node["status"]["nodeInfo"]["kubeletVersion"] for node in after.values()}
    assert {each.rpartition(".")[0] for each in versions} == {"v1.36"}
    farm.running("app=steady", 2)
    assert farm.group()["version"] == "1.36"


def test_nodes_that_are_newer_than_the_version_before_stand_in_the_way_of_a_rollback(farm, upgrade):
    ready = statuses(farm.eks, farm.name, "UPGRADE_READINESS")
    # What a cluster begins with is of the version it began with.
    assert (ready["Kubelet version skew"], ready["kube-proxy version skew"]) == (
        "PASSING",
        "WARNING",
    )
    back = statuses(farm.eks, farm.name, "ROLLBACK_READINESS")
    assert (back["Kubelet version skew"], back["kube-proxy version skew"]) == ("ERROR", "PASSING")
    with pytest.raises(farm.eks.exceptions.InvalidStateException, match="readiness issues"):
        farm.eks.update_cluster_version(name=farm.name, version="1.35")
