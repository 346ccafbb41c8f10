"""The add-ons that there are, and what they consist of."""

import pytest

from longshore.addons import ADDONS, Settings
from longshore.addons.objects import path_of
from longshore.components.pins import KUBERNETES_RELEASES

SETTINGS = Settings(
    image="602401143452.dkr.ecr.us-east-1.longshore.internal:4568/eks/x:v1",
    endpoint="https://0123.gr7.us-east-1.eks.longshore.internal",
    service_cidr="10.100.0.0/16",
)
ROLE = "arn:aws:iam::123456789012:role/dns"


def objects(name, configuration=None, settings=SETTINGS):
    found = ADDONS[name].objects(settings, configuration or {})
    return {(each["kind"], each["metadata"]["name"]): each for each in found}


def with_pod_labels(name, labels):
    """A configuration by which the pods of the add-on's workload have these labels too."""
    configuration = {"podLabels": labels}
    return {"controller": configuration} if name == "aws-ebs-csi-driver" else configuration


def pod_of(name, configuration=None):
    found = objects(name, configuration)[ADDONS[name].workload]
    return found["spec"]["template"]["spec"]


@pytest.mark.parametrize("minor", KUBERNETES_RELEASES)
@pytest.mark.parametrize("name", ADDONS)
def test_every_add_on_has_a_version_for_every_cluster(name, minor):
    version = ADDONS[name].version_for(minor)
    assert ADDONS[name].version_named(version.name) == version
    assert version.name.startswith("v")


def test_kube_proxy_is_of_its_clusters_own_version():
    for minor, patch in KUBERNETES_RELEASES.items():
        version = ADDONS["kube-proxy"].version_for(minor)
        assert (version.name, version.upstream) == (f"v{patch}-eksbuild.1", patch)


@pytest.mark.parametrize("name", ADDONS)
def test_objects_of_an_add_on_are_each_at_a_path_of_their_own(name):
    found = ADDONS[name].objects(SETTINGS, {})
    paths = [path_of(each) for each in found]
    assert len(set(paths)) == len(found)
    assert ADDONS[name].workload in objects(name)


@pytest.mark.parametrize("name", ADDONS)
def test_pods_are_selected_by_what_they_belong_to(name):
    workload = objects(name, with_pod_labels(name, {"team": "a"}))[ADDONS[name].workload]
    labels = workload["spec"]["template"]["metadata"]["labels"]
    assert workload["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert labels["team"] == "a"


@pytest.mark.parametrize("name", ADDONS)
def test_what_pods_are_selected_by_cannot_be_configured_away(name):
    plain = objects(name)[ADDONS[name].workload]["spec"]["selector"]["matchLabels"]
    labels = dict.fromkeys(plain, "other")
    workload = objects(name, with_pod_labels(name, labels))[ADDONS[name].workload]
    assert plain.items() <= workload["spec"]["template"]["metadata"]["labels"].items()


@pytest.mark.parametrize("name", ADDONS)
def test_a_role_is_the_service_accounts(name):
    account = ("ServiceAccount", ADDONS[name].service_account)
    assert "annotations" not in objects(name)[account]["metadata"]
    settings = Settings(
        image="", endpoint=SETTINGS.endpoint, service_cidr="10.100.0.0/16", role_arn=ROLE
    )
    annotations = objects(name, settings=settings)[account]["metadata"]["annotations"]
    assert annotations == {"eks.amazonaws.com/role-arn": ROLE}


def test_names_are_asked_of_the_tenth_address_of_the_services():
    service = objects("coredns")["Service", "kube-dns"]
    assert service["spec"]["clusterIP"] == "10.100.0.10"


def test_coredns_is_configured_as_asked_for():
    configuration = {
        "corefile": ".:53 { errors }",
        "replicaCount": 3,
        "nodeSelector": {"pool": "system"},
        "tolerations": [{"operator": "Exists"}],
        "podDisruptionBudget": {"enabled": True, "minAvailable": 2},
    }
    found = objects("coredns", configuration)
    assert found["ConfigMap", "coredns"]["data"]["Corefile"] == ".:53 { errors }"
    assert found["Deployment", "coredns"]["spec"]["replicas"] == 3
    budget = found["PodDisruptionBudget", "coredns"]["spec"]
    assert budget["minAvailable"] == 2
    assert "maxUnavailable" not in budget
    pod = pod_of("coredns", configuration)
    assert pod["nodeSelector"] == {"pool": "system"}
    assert pod["tolerations"] == [{"operator": "Exists"}]
    unwanted = {"podDisruptionBudget": {"enabled": False}}
    assert ("PodDisruptionBudget", "coredns") not in objects("coredns", unwanted)


def test_kube_proxy_speaks_to_the_endpoint_since_no_service_leads_there_without_it():
    kubeconfig = objects("kube-proxy")["ConfigMap", "kube-proxy"]["data"]["kubeconfig"]
    assert SETTINGS.endpoint in kubeconfig
    pod = pod_of("kube-proxy")
    assert pod["hostNetwork"]
    assert pod["containers"][0]["securityContext"] == {"privileged": True}
    assert pod["tolerations"] == [{"operator": "Exists"}]
