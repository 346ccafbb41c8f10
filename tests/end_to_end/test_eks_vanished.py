"""The end of a cluster with nodes: nothing of it is left."""

import pytest
from botocore.exceptions import ClientError
from end_to_end.farm import GROUP
from end_to_end.machines import first_process

from longshore.testing.wait import wait_until

GONE_SECONDS = 120


def test_a_deleted_node_group_leaves_no_machine(farm, cloud):
    group = farm.group()["resources"]["autoScalingGroups"][0]["name"]
    filters = [{"Name": "tag:eks:nodegroup-name", "Values": [GROUP]}]
    found = cloud.ec2.describe_instances(Filters=filters)["Reservations"]
    ids = [each["InstanceId"] for one in found for each in one["Instances"]]
    farm.eks.delete_nodegroup(clusterName=farm.name, nodegroupName=GROUP)

    def gone():
        try:
            farm.group()
        except farm.eks.exceptions.ResourceNotFoundException:
            return True
        return False

    wait_until(gone, GONE_SECONDS, "the node group is deleted")
    assert all(first_process(each) is None for each in ids)
    groups = cloud.longshore.client("autoscaling").describe_auto_scaling_groups(
        AutoScalingGroupNames=[group]
    )
    assert not groups["AutoScalingGroups"]
    templates = cloud.ec2.describe_launch_templates()["LaunchTemplates"]
    assert not [each for each in templates if each["LaunchTemplateName"].startswith("eks-")]


def test_a_deleted_cluster_leaves_no_interface_in_the_users_subnets(farm, cloud):
    filters = [{"Name": "description", "Values": [f"Amazon EKS {farm.name}"]}]
    assert cloud.ec2.describe_network_interfaces(Filters=filters)["NetworkInterfaces"]
    farm.eks.delete_cluster(name=farm.name)

    def gone():
        try:
            farm.describe()
        except ClientError:
            return True
        return False

    wait_until(gone, GONE_SECONDS, "the cluster is deleted")
    assert not cloud.ec2.describe_network_interfaces(Filters=filters)["NetworkInterfaces"]
    with pytest.raises(ClientError):
        farm.eks.list_nodegroups(clusterName=farm.name)
