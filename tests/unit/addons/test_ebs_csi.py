"""The add-on aws-ebs-csi-driver: what it is of, and what can be configured of it."""

import json

import pytest

from longshore.addons import ADDONS, Settings
from longshore.addons.configuration import Unsupported, checked
from longshore.addons.ebs_csi import first_class

NAME = "aws-ebs-csi-driver"
SETTINGS = Settings(image="x", endpoint="y", service_cidr="10.100.0.0/16", cluster="shop")


def objects(**configuration):
    found = ADDONS[NAME].objects(SETTINGS, checked_text(configuration))
    return {(each["kind"], each["metadata"]["name"]): each for each in found}


def checked_text(configuration):
    return checked(json.dumps(configuration), SCHEMA)


SCHEMA = ADDONS[NAME].schema


def container(found, kind, name):
    [each] = found[kind, name]["spec"]["template"]["spec"]["containers"]
    return each


def test_what_is_mounted_on_a_node_is_seen_by_the_kubelet_and_by_pods():
    node = container(objects(), "DaemonSet", "ebs-csi-node")
    mounts = {each["mountPath"]: each for each in node["volumeMounts"]}
    assert mounts["/var/lib/kubelet"]["mountPropagation"] == "Bidirectional"
    assert "/dev" in mounts
    assert node["securityContext"]["privileged"]


def test_the_controller_has_no_more_rights_than_it_needs_on_its_node():
    pod = objects()["Deployment", "ebs-csi-controller"]["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"]
    [each] = pod["containers"]
    assert each["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert not each["securityContext"]["allowPrivilegeEscalation"]


def test_volumes_tell_of_which_cluster_they_are_and_what_else_is_asked_for():
    found = objects(controller={"extraVolumeTags": {"team": "a"}})
    [tags] = [
        each
        for each in container(found, "Deployment", "ebs-csi-controller")["args"]
        if each.startswith("--extra-tags=")
    ]
    assert '"KubernetesCluster":"shop"' in tags
    assert '"kubernetes.io/cluster/shop":"owned"' in tags
    assert '"team":"a"' in tags


def test_a_default_storage_class_is_made_where_it_is_asked_for():
    assert ("StorageClass", "ebs-csi-default-sc") not in objects()
    found = objects(defaultStorageClass={"enabled": True})["StorageClass", "ebs-csi-default-sc"]
    assert found["provisioner"] == "ebs.csi.aws.com"
    assert found["metadata"]["annotations"] == {
        "storageclass.kubernetes.io/is-default-class": "true"
    }


def test_new_clusters_have_a_default_storage_class_whose_volumes_come_where_their_pods_are():
    found = first_class()
    assert found["metadata"]["name"] == "gp2"
    assert found["volumeBindingMode"] == "WaitForFirstConsumer"
    assert found["allowVolumeExpansion"]


def test_replicas_limits_and_budget_are_configured_as_asked_for():
    found = objects(controller={"replicaCount": 1}, node={"volumeAttachLimit": 5})
    assert found["Deployment", "ebs-csi-controller"]["spec"]["replicas"] == 1
    assert ("PodDisruptionBudget", "ebs-csi-controller") not in found
    assert "--volume-attach-limit=5" in container(found, "DaemonSet", "ebs-csi-node")["args"]
    off = {"podDisruptionBudget": {"enabled": False}}
    assert ("PodDisruptionBudget", "ebs-csi-controller") not in objects(controller=off)


@pytest.mark.parametrize(
    "configuration",
    [
        {"controller": {"replicaCount": 0}},
        {"controller": {"defaultFsType": "ntfs"}},
        {"node": {"volumeAttachLimit": "many"}},
        {"sidecars": {}},
    ],
)
def test_what_there_is_nothing_behind_is_refused(configuration):
    with pytest.raises(Unsupported):
        checked_text(configuration)
