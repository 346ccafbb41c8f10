"""Pods on Fargate as their users have them: each with a kernel and a node of its own."""

import contextlib
from pathlib import Path

import pytest
from end_to_end.cloud import trusting
from end_to_end.farm import deployment, service
from end_to_end.shells import PAGE_PORT

from longshore.base.processes import command_lines
from longshore.testing.wait import wait_until

PROFILE, APP = "serverless", "serverless"
POLICY = "arn:aws:iam::aws:policy/AmazonEKSFargatePodExecutionRolePolicy"
PROFILE_SECONDS = 60
GONE_SECONDS = 90
BOUND_SECONDS = 10
FARGATE = "eks.amazonaws.com/compute-type=fargate"


@pytest.fixture(scope="module")
def subnet(cloud, farm):
    """A subnet of the cluster's VPC without a way to the internet; its nodes reach the API server
    inside the VPC."""
    vpc = farm.describe()["resourcesVpcConfig"]["vpcId"]
    made = cloud.ec2.create_subnet(VpcId=vpc, CidrBlock="172.31.240.0/24")["Subnet"]["SubnetId"]
    table = cloud.ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    cloud.ec2.associate_route_table(RouteTableId=table, SubnetId=made)
    farm.eks.update_cluster_config(
        name=farm.name, resourcesVpcConfig={"endpointPrivateAccess": True}
    )
    wait_until(farm.is_active, PROFILE_SECONDS, "the endpoint is private, too")
    return made


@pytest.fixture(scope="module")
def profile(cloud, farm, subnet):
    """A Fargate profile of the pods `app=serverless` and `app=refused`."""
    role = cloud.iam.create_role(
        RoleName="farm-pods", AssumeRolePolicyDocument=trusting("eks-fargate-pods")
    )["Role"]["Arn"]
    cloud.iam.attach_role_policy(RoleName="farm-pods", PolicyArn=POLICY)
    selectors = [{"namespace": "default", "labels": {"app": app}} for app in (APP, "refused")]
    farm.eks.create_fargate_profile(
        clusterName=farm.name,
        fargateProfileName=PROFILE,
        podExecutionRoleArn=role,
        subnets=[subnet],
        selectors=selectors,
    )
    named = {"clusterName": farm.name, "fargateProfileName": PROFILE}

    def active():
        told = farm.eks.describe_fargate_profile(**named)["fargateProfile"]
        return told["status"] == "ACTIVE"

    wait_until(active, PROFILE_SECONDS, "the Fargate profile is ACTIVE")
    yield PROFILE
    with contextlib.suppress(farm.eks.exceptions.ResourceNotFoundException):
        farm.eks.delete_fargate_profile(**named)


@pytest.fixture(scope="module")
def pod(farm, profile):
    """A pod on Fargate that answers with a page, and a Service before it."""
    farm.apply(service(APP, 80, PAGE_PORT))
    return farm.deployment(APP)[0]


@pytest.fixture(scope="module")
def name(pod):
    return pod["metadata"]["name"]


def interfaces(cloud, subnet):
    filters = [{"Name": "subnet-id", "Values": [subnet]}]
    return cloud.ec2.describe_network_interfaces(Filters=filters)["NetworkInterfaces"]


def quotas(uid):
    """What the kernel lets the processes of this pod have of each period of 100 ms, in
    microseconds: of the cgroup of all pods on their machine."""
    found = set()
    for pid, _ in command_lines():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
                _, controllers, path = line.split(":", 2)
                if uid in path and ("cpu" in controllers.split(",") or not controllers):
                    found.add(quota(controllers, path.partition("/kubepods/")[0] + "/kubepods"))
    return found


def quota(controllers, path):
    if controllers:
        return int(Path(f"/sys/fs/cgroup/cpu{path}/cpu.cfs_quota_us").read_text())
    return int(Path(f"/sys/fs/cgroup{path}/cpu.max").read_text().split()[0])


def reach(host, port):
    """A script that says whether somebody takes connections there."""
    return f"nc -w 5 {host} {port} </dev/null >/dev/null && echo reached || echo refused"


def test_a_pod_on_fargate_has_a_node_of_its_own_in_the_profiles_subnet(farm, cloud, subnet, pod):
    (eni,) = interfaces(cloud, subnet)
    (node,) = farm.nodes(FARGATE)
    assert node == pod["spec"]["nodeName"]
    assert node.startswith(f"fargate-ip-{eni['PrivateIpAddress'].replace('.', '-')}.")
    assert pod["status"]["podIP"] in {
        each["PrivateIpAddress"] for each in eni["PrivateIpAddresses"]
    }
    annotations = pod["metadata"]["annotations"]
    assert annotations["CapacityProvisioned"] == "0.25vCPU 0.5GB"
    found = cloud.ec2.describe_instances()["Reservations"]
    shown = {each["SubnetId"] for one in found for each in one["Instances"] if "SubnetId" in each}
    assert subnet not in shown


def test_it_has_a_kernel_of_its_own(farm, name):
    assert "gvisor" in farm.shell(name, "cat /proc/version").lower()


def test_it_may_use_the_cpu_of_its_size_once_it_runs(pod):
    wait_until(lambda: quotas(pod["metadata"]["uid"]) == {25_000}, BOUND_SECONDS, "it is bound")


def test_it_reaches_services_by_their_names_and_is_reached_by_its_own(farm, name):
    own = f"wget -q -O - http://{APP}/"
    assert "hello" in farm.shell(name, own)
    assert farm.shell(name, reach("kubernetes.default", 443)) == "reached\n"
    (other,) = farm.deployment("beside-fargate")
    assert "hello" in farm.shell(other["metadata"]["name"], own)
    farm.run("delete", "deployment", "beside-fargate")


def test_it_is_not_told_what_its_machine_may(farm, name):
    assert farm.shell(name, reach("169.254.169.254", 80)) == "refused\n"


def test_its_log_is_read(farm, name):
    farm.shell(name, "echo said >/proc/1/fd/1")
    wait_until(lambda: "said" in farm.run("logs", name).stdout, PROFILE_SECONDS, "the log has it")


def test_a_pod_that_fargate_does_not_run_says_why(farm, profile):
    farm.apply(deployment("refused", farm.image, hostNetwork=True))
    message = "Pod not supported on Fargate: fields not supported: HostNetwork"

    def told():
        found = farm.pods("app=refused")
        return any(message in farm.events(each["metadata"]["name"]) for each in found)

    wait_until(told, PROFILE_SECONDS, "the pod says why it waits")
    assert {each["status"]["phase"] for each in farm.pods("app=refused")} == {"Pending"}
    farm.run("delete", "deployment", "refused")


def test_a_pods_node_and_interface_go_with_it(farm, cloud, subnet, pod):
    farm.run("delete", "deployment", APP)
    wait_until(lambda: not interfaces(cloud, subnet), GONE_SECONDS, "the interface is gone")
    wait_until(lambda: not farm.nodes(FARGATE), GONE_SECONDS, "the node is gone")


def test_a_deleted_profile_is_gone_and_its_pods_with_it(farm, cloud, subnet, profile):
    farm.deployment(APP)
    farm.eks.delete_fargate_profile(clusterName=farm.name, fargateProfileName=PROFILE)

    def gone():
        return (
            PROFILE
            not in (farm.eks.list_fargate_profiles(clusterName=farm.name)["fargateProfileNames"])
        )

    wait_until(gone, GONE_SECONDS, "the Fargate profile is deleted")
    assert (interfaces(cloud, subnet), farm.nodes(FARGATE)) == ([], {})
    farm.running(f"app={APP}")
    farm.run("delete", "deployment,service", APP)
