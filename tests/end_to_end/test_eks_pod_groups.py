"""Pods with security groups of their own, on nodes that have others."""

import contextlib
import json

import pytest
from end_to_end.farm import deployment, service
from end_to_end.shells import PAGE_PORT

from longshore.testing.wait import wait_until

ANNOTATION = "vpc.amazonaws.com/pod-eni"
GONE_SECONDS = 60
TOLD_SECONDS = 50
KIND = "SecurityGroupPolicy"


def group(cloud, name):
    vpc = cloud.ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]
    return cloud.ec2.create_security_group(
        GroupName=name, Description=name, VpcId=vpc["VpcId"]
    )["GroupId"]  # fmt: skip


def policy(name, group_id, selector):
    return {
        "apiVersion": "vpcresources.k8s.aws/v1beta1",
        "kind": KIND,
        "metadata": {"name": name},
        "spec": {**selector, "securityGroups": {"groupIds": [group_id]}},
    }


def branch_of(cloud, pod):
    """The interface that the pod says it has, as EC2 tells of it."""
    [told] = json.loads(pod["metadata"]["annotations"][ANNOTATION])
    [eni] = cloud.ec2.describe_network_interfaces(NetworkInterfaceIds=[told["eniId"]])[
        "NetworkInterfaces"
    ]
    return eni


def reads(farm, pod, address, port=PAGE_PORT):
    script = f"timeout 2 wget -q -O - http://{address}:{port}/ || true"
    return "hello" in farm.shell(pod["metadata"]["name"], script)


@pytest.fixture(scope="module")
def switched_on(farm):
    """As the guide has it, with nodes that have heard of it."""
    plugin = ["daemonset", "aws-node", "--namespace=kube-system"]
    farm.run("set", "env", *plugin, "ENABLE_POD_ENI=true")

    def told():
        nodes = farm.nodes().values()
        return all(node["status"]["allocatable"].get(ANNOTATION, "0") != "0" for node in nodes)

    wait_until(told, TOLD_SECONDS, "nodes may have pods with interfaces of their own")
    yield
    farm.run("set", "env", *plugin, "ENABLE_POD_ENI-")


@pytest.fixture(scope="module")
def guarded(farm, cloud, switched_on):
    """`guarded` lets in who has the group of `let-in`; `plain` has its node's groups."""
    guard, let_in = group(cloud, "guard"), group(cloud, "let-in")
    cloud.ec2.authorize_security_group_ingress(
        GroupId=guard,
        IpPermissions=[
            {
                "IpProtocol": "tcp",
                "FromPort": PAGE_PORT,
                "ToPort": PAGE_PORT,
                "UserIdGroupPairs": [{"GroupId": let_in}],
            }
        ],
    )
    account = {"apiVersion": "v1", "kind": "ServiceAccount"}
    farm.apply(
        {**account, "metadata": {"name": "let-in", "labels": {"may": "enter"}}},
        policy("guard", guard, {"podSelector": {"matchLabels": {"app": "guarded"}}}),
        policy("let-in", let_in, {"serviceAccountSelector": {"matchLabels": {"may": "enter"}}}),
    )
    farm.apply(
        deployment("guarded", farm.image),
        deployment("let-in", farm.image, 2, serviceAccountName="let-in"),
        deployment("plain", farm.image),
        service("guarded", 80, PAGE_PORT),
    )
    yield (
        farm.running("app=guarded")[0],
        farm.running("app=let-in", 2),
        farm.running("app=plain")[0],
    )
    for name in ("guarded", "let-in", "plain"):
        farm.run("delete", "deployment", name, "--ignore-not-found")
    farm.run("delete", "securitygrouppolicies", "guard", "let-in")
    farm.run("delete", "service/guarded", "serviceaccount/let-in")


def test_pod_has_an_interface_of_its_own_with_the_policys_groups(farm, cloud, guarded):
    pod, others, plain = guarded
    eni = branch_of(cloud, pod)
    assert eni["InterfaceType"] == "branch"
    assert eni["Status"] == "in-use"
    assert [each["GroupName"] for each in eni["Groups"]] == ["guard"]
    assert eni["PrivateIpAddress"] == pod["status"]["podIP"]
    names = [[each["GroupName"] for each in branch_of(cloud, one)["Groups"]] for one in others]
    assert names == [["let-in"], ["let-in"]]
    assert ANNOTATION not in plain["metadata"].get("annotations", {})
    assert any("Allocated" in each for each in farm.events(pod["metadata"]["name"]))


def test_not_even_the_clusters_administrator_takes_a_pods_interface_away(farm, guarded):
    pod = guarded[0]["metadata"]["name"]
    for change in (f"{ANNOTATION}-", f"{ANNOTATION}=[]"):
        refused = farm.run("annotate", "--overwrite", "pod", pod, change, check=False)
        assert "changed by Amazon EKS alone" in refused.stderr
    farm.run("annotate", "pod", pod, "harbour=north")


def test_pods_groups_let_in_whom_they_name_and_not_the_nodes(farm, guarded):
    pod, others, plain = guarded
    address = pod["status"]["podIP"]
    for one in others:
        assert reads(farm, one, address)
    assert not reads(farm, plain, address)
    # Nobody has let the guarded one in anywhere; its node's groups would have.
    assert not reads(farm, pod, plain["status"]["podIP"])


def test_pods_with_groups_use_services_as_others_do(farm, guarded):
    _, others, plain = guarded
    address = farm.read("get", "service", "guarded")["spec"]["clusterIP"]
    for one in others:
        assert reads(farm, one, address, 80)
    assert not reads(farm, plain, address, 80)


def test_interface_ends_with_its_pod(farm, cloud, guarded):
    eni = branch_of(cloud, guarded[0])["NetworkInterfaceId"]
    farm.run("delete", "deployment", "guarded")

    def gone():
        with contextlib.suppress(cloud.ec2.exceptions.ClientError):
            return not cloud.ec2.describe_network_interfaces(NetworkInterfaceIds=[eni])
        return True

    wait_until(gone, GONE_SECONDS, "the pod's interface is gone")
