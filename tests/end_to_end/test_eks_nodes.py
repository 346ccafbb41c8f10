"""Nodes and pods as their users have them: images run, are reached, and survive their nodes."""

import ipaddress
import json
import os
import signal
import subprocess

import pytest
from end_to_end.cloud import trusting
from end_to_end.farm import GROUP, deployment, service
from end_to_end.kills import await_whole, kill
from end_to_end.machines import child, first_process, instance_of
from end_to_end.shells import PAGE_PORT, shell_image

from longshore.components import locate
from longshore.testing.ports import free_ports
from longshore.testing.wait import wait_until

REPLACED_SECONDS = 120
BACK_SECONDS = 60
SCALED_SECONDS = 150
TOP_SECONDS = 60


@pytest.fixture(scope="module")
def web(farm):
    """Two pods that answer with a page, and a Service before them."""
    farm.apply(service("web", 80, PAGE_PORT))
    return farm.deployment("web", 2)


@pytest.fixture(scope="module")
def pod(web):
    return web[0]["metadata"]["name"]


def test_a_node_group_is_nodes_of_the_clusters_version_in_the_users_subnets(farm, cloud):
    nodes = farm.nodes(f"eks.amazonaws.com/nodegroup={GROUP}")
    assert len(nodes) == 2
    for name, node in nodes.items():
        assert node["status"]["nodeInfo"]["kubeletVersion"].startswith("v1.35.")
        found = cloud.ec2.describe_instances(InstanceIds=[instance_of(node)])
        instance = found["Reservations"][0]["Instances"][0]
        assert instance["PrivateDnsName"] == name
        assert instance["SubnetId"] in farm.subnets
        assert (
            node["metadata"]["labels"]["topology.kubernetes.io/zone"]
            == (instance["Placement"]["AvailabilityZone"])
        )


def test_pods_have_addresses_of_their_nodes_subnets(farm, cloud, web):
    subnets = cloud.ec2.describe_subnets(SubnetIds=farm.subnets)["Subnets"]
    ranges = [ipaddress.ip_network(subnet["CidrBlock"]) for subnet in subnets]
    for each in web:
        address = ipaddress.ip_address(each["status"]["podIP"])
        assert any(address in each for each in ranges)


def test_pods_are_reached_by_the_name_of_their_service(farm, pod):
    assert "hello" in farm.shell(pod, "wget -q -O - http://web.default.svc.cluster.local/")
    assert "hello" in farm.shell(pod, "wget -q -O - http://web/")


def test_pods_reach_the_api_server_as_kubernetes(farm, pod):
    told = farm.shell(pod, "nc -w 5 kubernetes.default 443 </dev/null && echo reached")
    assert told == "reached\n"


def test_pods_reach_each_other_across_nodes(farm, web):
    farm.run("scale", "deployment/web", "--replicas=4")
    pods = farm.running("app=web", 4)
    assert len({each["spec"]["nodeName"] for each in pods}) == 2
    first = pods[0]["metadata"]["name"]
    for other in pods:
        address = other["status"]["podIP"]
        assert "hello" in farm.shell(first, f"wget -q -O - http://{address}:{PAGE_PORT}/")
    farm.run("scale", "deployment/web", "--replicas=2")


def test_tasks_of_ecs_reach_pods_as_their_groups_say(farm, cloud, web):
    group = farm.describe()["resourcesVpcConfig"]["clusterSecurityGroupId"]
    address = web[0]["status"]["podIP"]
    image = shell_image(cloud)
    script = f"timeout 3 wget -q -O - http://{address}:{PAGE_PORT}/"
    definition = cloud.definition(
        "reads-pod", [{"name": "main", "image": image, "command": ["sh", "-c", script]}]
    )
    for groups, code in (([group], 0), ([cloud.security_group("strangers")], 143)):
        (task,) = cloud.run(definition, groups=groups)
        ended = cloud.await_status(task, "STOPPED")
        assert ended["containers"][0]["exitCode"] == code


def test_logs_and_port_forward_work(farm, pod):
    farm.shell(pod, "echo said >/proc/1/fd/1")
    wait_until(lambda: "said" in farm.run("logs", pod).stdout, BACK_SECONDS, "the log has it")
    port = free_ports(1)
    command = [locate("kube-1.36"), "kubectl", f"--kubeconfig={farm.config}", "port-forward"]
    forwarding = subprocess.Popen([*command, f"pod/{pod}", f"{port}:{PAGE_PORT}"], env=farm.env)
    try:
        page = ["curl", "--silent", "--max-time", "5", f"http://127.0.0.1:{port}/"]

        def answers():
            return subprocess.run(page, check=False, capture_output=True).stdout == b"hello\n"

        wait_until(answers, BACK_SECONDS, "the forwarded port answers")
    finally:
        forwarding.kill()
        forwarding.wait()


def test_a_job_runs_to_its_end(farm):
    farm.run("create", "job", "once", f"--image={farm.image}", "--", "/bin/sh", "-c", "exit 0")
    farm.run("wait", "job/once", "--for=condition=complete", "--timeout=60s")


def test_an_image_that_the_node_role_may_not_pull_says_so(farm, cloud):
    image = cloud.image("forbidden", {"bin/true": b"#!"}, {"Cmd": ["/bin/true"]})
    denial = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Deny", "Principal": "*", "Action": "ecr:BatchGetImage"}],
    }
    cloud.ecr.set_repository_policy(repositoryName="forbidden", policyText=json.dumps(denial))
    farm.apply(deployment("forbidden", image))

    def refused():
        pods = farm.pods("app=forbidden")
        told = [" ".join(farm.events(each["metadata"]["name"])) for each in pods]
        return any("ImagePullBackOff" in each and "403" in each for each in told)

    wait_until(refused, BACK_SECONDS, "the pod says why it does not run")
    farm.run("delete", "deployment", "forbidden")


def test_metrics_and_an_autoscaler_act_on_real_load(farm):
    farm.eks.create_addon(clusterName=farm.name, addonName="metrics-server")
    busy = {"command": ["/bin/sh", "-c", "while :; do :; done"]}
    busy["resources"] = {"requests": {"cpu": "100m"}, "limits": {"cpu": "300m"}}
    farm.deployment("busy", 1, container=busy)
    farm.run("autoscale", "deployment", "busy", "--cpu=50%", "--min=1", "--max=2")

    def told():
        return "ip-" in farm.run("top", "nodes", check=False).stdout

    wait_until(told, SCALED_SECONDS, "kubectl top nodes")

    def scaled():
        return farm.read("get", "deployment", "busy")["spec"]["replicas"] == 2

    wait_until(scaled, SCALED_SECONDS, "the deployment was scaled")
    farm.run("delete", "deployment,hpa", "busy")


def test_a_killed_kubelet_comes_back(farm):
    name, node = next(iter(farm.nodes().items()))
    init = first_process(instance_of(node))
    kubelet = child(init, "kube")
    os.kill(kubelet, signal.SIGKILL)
    wait_until(lambda: child(init, "kube") not in {None, kubelet}, BACK_SECONDS, "a new kubelet")
    wait_until(lambda: name in farm.nodes(), BACK_SECONDS, "the node is Ready")


def test_labels_and_sizes_of_a_node_group_are_changed_in_place(farm):
    before = set(farm.nodes())
    farm.eks.update_nodegroup_config(
        clusterName=farm.name,
        nodegroupName=GROUP,
        labels={"addOrUpdateLabels": {"stage": "test"}},
        scalingConfig={"minSize": 1, "maxSize": 3, "desiredSize": 3},
    )
    wait_until(lambda: len(farm.nodes("stage=test")) == 3, REPLACED_SECONDS, "three nodes")
    assert before < set(farm.nodes())
    farm.eks.update_nodegroup_config(
        clusterName=farm.name,
        nodegroupName=GROUP,
        scalingConfig={"minSize": 1, "maxSize": 3, "desiredSize": 2},
    )
    wait_until(lambda: len(farm.nodes()) == 2, REPLACED_SECONDS, "two nodes")
    farm.await_group()


def test_a_node_that_is_gone_is_replaced_and_its_pods_run_elsewhere(farm, cloud, web):
    lost, node = next(iter(farm.nodes().items()))
    cloud.ec2.terminate_instances(InstanceIds=[instance_of(node)])
    wait_until(lambda: lost not in farm.nodes(), REPLACED_SECONDS, "the node is gone")
    wait_until(lambda: len(farm.nodes()) == 2, REPLACED_SECONDS, "another node is Ready")

    def elsewhere():
        return lost not in {each["spec"]["nodeName"] for each in farm.running("app=web", 2)}

    wait_until(elsewhere, REPLACED_SECONDS, "its pods run elsewhere")


def test_nodes_and_pods_outlive_longshores_own_processes(farm, cloud, web):
    before = {pod["metadata"]["uid"]: _restarts(pod) for pod in farm.running("app=web", 2)}
    for process in ("agent", "containerd", "control-plane"):
        kill(cloud.longshore, process)
    await_whole(cloud)
    wait_until(farm.answers, BACK_SECONDS, "the API server answers")
    assert {pod["metadata"]["uid"]: _restarts(pod) for pod in farm.running("app=web", 2)} == before


def test_a_role_that_no_machine_may_have_is_refused(farm, cloud):
    cloud.iam.create_role(RoleName="no-machine", AssumeRolePolicyDocument=trusting("lambda"))
    arn = cloud.iam.get_role(RoleName="no-machine")["Role"]["Arn"]
    with pytest.raises(farm.eks.exceptions.InvalidParameterException):
        farm.eks.create_nodegroup(
            clusterName=farm.name, nodegroupName="bad", nodeRole=arn, subnets=farm.subnets
        )
    assert "bad" not in farm.eks.list_nodegroups(clusterName=farm.name)["nodegroups"]


def test_a_cluster_with_node_groups_is_not_deleted(farm):
    with pytest.raises(farm.eks.exceptions.ResourceInUseException):
        farm.eks.delete_cluster(name=farm.name)


def _restarts(pod):
    return sum(each["restartCount"] for each in pod["status"]["containerStatuses"])
