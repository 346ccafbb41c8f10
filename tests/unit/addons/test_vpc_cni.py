"""VPC CNI: its objects, and how it can be configured."""

import pytest

from longshore.addons import ADDONS, Settings
from longshore.addons.configuration import Unsupported, checked

ADDON = ADDONS["vpc-cni"]
SETTINGS = Settings(
    image="602401143452.dkr.ecr.us-east-1.longshore.internal:4568/eks/vpc-cni:v1",
    endpoint="https://0123.gr7.us-east-1.eks.longshore.internal",
    service_cidr="10.100.0.0/16",
    cluster="shop",
)
MODE = "NETWORK_POLICY_ENFORCING_MODE"


def objects(text=""):
    found = ADDON.objects(SETTINGS, checked(text, ADDON.schema))
    return {(each["kind"], each["metadata"]["name"]): each for each in found}


def pod(text=""):
    return objects(text)["DaemonSet", "aws-node"]["spec"]["template"]["spec"]


def container(text=""):
    (found,) = pod(text)["containers"]
    return found


def environment(text=""):
    return {each["name"]: each.get("value") for each in container(text)["env"]}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "false"),
        ('{"enableNetworkPolicy": "false"}', "false"),
        ('{"enableNetworkPolicy": "true"}', "true"),
        ('enableNetworkPolicy: "true"', "true"),
    ],
)
def test_policies_are_enforced_only_where_that_is_asked_for(text, told):
    data = objects(text)["ConfigMap", "amazon-vpc-cni"]["data"]
    assert data == {"enable-network-policy-controller": told}
    assert f"--enable-network-policy={told}" in container(text)["args"]


def test_new_clusters_begin_with_it():
    assert ADDON.bootstrapped
    assert ADDON.kind == "networking"


def test_every_node_has_it_but_those_of_fargate():
    affinity = pod()["affinity"]["nodeAffinity"]
    (term,) = affinity["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    fargate = {
        "key": "eks.amazonaws.com/compute-type",
        "operator": "NotIn",
        "values": ["fargate"],
    }
    assert fargate in term["matchExpressions"]
    assert pod()["tolerations"] == [{"operator": "Exists"}]
    assert pod()["hostNetwork"]


def test_it_may_change_the_nodes_network_and_nothing_else():
    security = container()["securityContext"]
    assert security["capabilities"] == {"add": ["NET_ADMIN"], "drop": ["ALL"]}
    assert "privileged" not in security
    assert [each["readOnly"] for each in container()["volumeMounts"]] == [True]
    rules = objects()["ClusterRole", "aws-node"]["rules"]
    assert {verb for rule in rules for verb in rule["verbs"]} == {"list", "watch"}
    (maps,) = (rule for rule in rules if rule["resources"] == ["configmaps"])
    assert maps["resourceNames"] == ["amazon-vpc-cni"]


def test_modes_are_aws_own():
    assert environment()[MODE] == "standard"
    assert environment(f'{{"env": {{"{MODE}": "strict"}}}}')[MODE] == "strict"
    assert environment()["CLUSTER_ENDPOINT"] == SETTINGS.endpoint


def test_pods_are_configured_as_asked_for():
    text = """
        podLabels: {team: a, k8s-app: other}
        podAnnotations: {note: b}
        nodeSelector: {pool: c}
        tolerations: [{key: d, operator: Exists}]
        readinessProbeTimeoutSeconds: 3
        nodeAgent: {resources: {limits: {memory: 100Mi}}}
    """
    template = objects(text)["DaemonSet", "aws-node"]["spec"]["template"]
    labels = {"team": "a", "k8s-app": "aws-node", "app.kubernetes.io/name": "aws-node"}
    assert labels.items() <= template["metadata"]["labels"].items()
    assert template["metadata"]["annotations"] == {"note": "b"}
    assert template["spec"]["nodeSelector"] == {"pool": "c"}
    assert template["spec"]["tolerations"] == [{"key": "d", "operator": "Exists"}]
    assert container(text)["resources"] == {"limits": {"memory": "100Mi"}}
    assert container(text)["readinessProbe"]["timeoutSeconds"] == 3
    assert container(text)["livenessProbe"]["timeoutSeconds"] == 10


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ('{"enableNetworkPolicy": true}', "$.enableNetworkPolicy: boolean found, string expected"),
        ('{"enableNetworkPolicy": "yes"}', "$.enableNetworkPolicy: does not have a value in the"),
        (f'{{"env": {{"{MODE}": "lax"}}}}', f"$.env.{MODE}: does not have a value in the"),
        ('{"env": {"WARM_IP_TARGET": "1"}}', "$.env.WARM_IP_TARGET: is not defined in the schema"),
        ('{"nodeAgent": {"enablePolicyEventLogs": "true"}}', "$.nodeAgent.enablePolicyEventLogs:"),
        ('{"nodeAgent": []}', "$.nodeAgent: array found, object expected"),
        ('{"readinessProbeTimeoutSeconds": 0}', "must have a minimum value of 1"),
        ('{"eniConfig": {}}', "$.eniConfig: is not defined in the schema"),
    ],
)
def test_what_means_nothing_here_is_refused(text, wrong):
    with pytest.raises(Unsupported) as caught:
        checked(text, ADDON.schema)
    assert wrong in str(caught.value)
