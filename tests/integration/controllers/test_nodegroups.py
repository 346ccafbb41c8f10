"""What becomes of node groups, look by look: Auto Scaling is real, machines and API server are
played."""

import base64
import datetime
import ipaddress
import time

import msgspec
import pytest
from integration.controllers.played_cluster import played_cluster
from integration.controllers.played_groups import ACCOUNT, PLACE, put_host
from integration.controllers.played_nodegroups import (
    ENDPOINT,
    NAME,
    ROLE,
    Nodegroups,
    image,
    node_config,
    node_name,
    parts,
    release,
    told,
)

from longshore.model import eks, iam
from longshore.model.auto_scaling import ACTIVITY, AUTO_SCALING_GROUP, LIFECYCLE_HOOK, MEMBER
from longshore.model.ec2 import ADDRESS_CLAIM, SUBNET, AddressClaim
from longshore.model.eks_parts import NODEGROUP, NODEGROUP_STATUS, Taint, part_name
from longshore.model.instances import (
    INSTANCE_STATUS,
    LAUNCH_TEMPLATE,
    InstanceStatus,
    LaunchTemplate,
    LaunchTemplateVersion,
)
from longshore.store.interface import Change, Key

MIME = b"""MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="==MINE=="

--==MINE==
Content-Type: text/x-shellscript; charset="us-ascii"

#!/bin/bash
echo "mine -- // --//"

--==MINE==
Content-Type: application/node.eks.aws

kind: NodeConfig

--==MINE==--
"""


@pytest.fixture
async def cluster():
    async with played_cluster(time.time()) as found:
        yield found


@pytest.fixture
async def groups(tmp_path, cluster):
    made = Nodegroups(tmp_path, cluster)
    yield made
    made.close()


def at(now):
    return datetime.datetime.fromtimestamp(now, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


async def test_a_node_group_is_active_once_its_instances_are_nodes(groups):
    groups.joins = False
    await groups.begin()
    assert len(groups.running) == 2
    assert (groups.status.status, groups.status.issues) == ("CREATING", ())
    groups.joins = True
    await groups.settle()
    assert groups.status.status == "ACTIVE"
    assert (groups.status.version, groups.status.release_version) == ("1.35", release("1.35"))


async def test_a_node_group_without_nodes_is_active_at_once(groups):
    await groups.begin(desired_size=0)
    assert (groups.status.status, groups.running) == ("ACTIVE", [])


async def test_instances_are_told_all_that_a_node_needs(groups):
    await groups.begin(
        labels=(("tier", "web"),),
        taints=(Taint("only", "web", "NO_SCHEDULE"), Taint("x", "", "NO_EXECUTE")),
    )
    instance = groups.running[0]
    config = node_config(instance.user_data)
    assert config["apiVersion"] == "node.eks.aws/v1alpha1"
    assert config["spec"]["cluster"] == {
        "name": "web",
        "apiServerEndpoint": ENDPOINT,
        "certificateAuthority": base64.b64encode(b"CERTIFICATE").decode(),
        "cidr": "10.100.0.0/16",
    }
    # Three interfaces of six addresses each: 3 x 5 + 2.
    assert config["spec"]["kubelet"]["config"] == {"maxPods": 17, "clusterDNS": ["10.100.0.10"]}
    labels, taints = told(instance.user_data)
    assert labels == {
        "eks.amazonaws.com/nodegroup": "ng",
        "eks.amazonaws.com/nodegroup-image": image("1.35").id,
        "eks.amazonaws.com/capacityType": "ON_DEMAND",
        "tier": "web",
    }
    assert taints == (
        {"key": "only", "effect": "NoSchedule", "value": "web"},
        {"key": "x", "effect": "NoExecute"},
    )
    assert (instance.instance_type, instance.image_id) == ("t3.medium", image("1.35").id)
    assert (instance.metadata.hop_limit, instance.root_volume_gib) == (2, 20)
    tags = dict(instance.tags)
    assert tags["eks:nodegroup-name"] == "ng"
    assert tags["kubernetes.io/cluster/web"] == "owned"
    assert instance.profile_arn.endswith(f"instance-profile/eks-{groups.asked.id}")


async def test_the_auto_scaling_group_is_as_eks_makes_it(groups):
    await groups.begin(capacity_type="SPOT", instance_types=("m5.large", "m6i.large"))
    group = groups.group
    assert group.name == f"eks-ng-{groups.asked.id}"
    assert (group.min_size, group.max_size, group.desired) == (0, 5, 2)
    assert group.subnets == groups.subnets
    mixed = group.mixed_instances
    overrides = mixed["LaunchTemplate"]["Overrides"]
    assert [each["InstanceType"] for each in overrides] == ["m5.large", "m6i.large"]
    named = mixed["LaunchTemplate"]["LaunchTemplateSpecification"]
    assert named["LaunchTemplateId"] == groups.template.id
    assert groups.template.name == f"eks-{groups.asked.id}"
    assert all(each.spot for each in groups.running)


async def test_nodes_are_let_into_the_cluster_by_an_access_entry(groups):
    await groups.begin()
    entry = groups.get(eks.ACCESS_ENTRY, eks.entry_name("web", ROLE))
    assert (entry.type, entry.principal_id) == ("EC2_LINUX", "AROANODE")
    assert entry.username == "system:node:{{EC2PrivateDNSName}}"


async def test_a_cluster_without_access_entries_gets_none(groups):
    await groups.begin(mode="CONFIG_MAP")
    assert not groups.store.reader.scan(eks.ACCESS_ENTRY)
    assert groups.status.status == "ACTIVE"


async def test_looking_again_changes_nothing(groups):
    await groups.begin()
    before = groups.store.revision
    groups.restart()
    await groups.wait(3600)
    assert groups.store.revision == before


async def test_instances_that_never_join_fail_the_creation(groups):
    groups.joins = False
    await groups.begin()
    await groups.wait(899)
    assert groups.status.status == "CREATING"
    await groups.wait(1)
    (issue,) = groups.status.issues
    assert (groups.status.status, issue.code) == ("CREATE_FAILED", "NodeCreationFailure")
    assert issue.message == "Instances failed to join the kubernetes cluster"
    assert set(issue.resources) == {each.id for each in groups.running}
    groups.joins = True
    await groups.wait(60)
    assert groups.status.status == "CREATE_FAILED"


async def test_instances_have_their_time_again_after_longshore_was_away(groups):
    groups.joins = False
    await groups.begin()
    groups.clock.advance(5000)
    groups.restart()
    await groups.settle()
    assert groups.status.status == "CREATING"
    groups.joins = True
    await groups.settle()
    assert groups.status.status == "ACTIVE"


async def test_a_group_that_no_host_has_room_for_says_so(groups):
    groups.memory = 6 * 1024
    await groups.begin()
    assert len(groups.running) == 1
    (issue,) = groups.status.issues
    assert (groups.status.status, issue.code) == ("CREATING", "AsgInstanceLaunchFailures")
    assert issue.message.startswith("Could not launch On-Demand Instances. We currently do not")
    assert issue.message.endswith("Launching EC2 instance failed.")
    assert issue.resources == (groups.status.group,)
    await groups.wait(299)
    assert groups.status.status == "CREATING"
    await groups.wait(1)
    assert (groups.status.status, groups.status.issues) == ("CREATE_FAILED", (issue,))


async def test_a_group_that_finds_room_in_time_is_created(groups):
    groups.memory = 6 * 1024
    await groups.begin()
    await groups.store.transact(lambda tx: put_host(tx, 64 * 1024))
    await groups.wait(200)
    assert (groups.status.status, len(groups.running)) == ("ACTIVE", 2)


async def test_a_group_whose_instances_can_never_start_fails_at_once(groups):
    data = {"KeyName": "none"}
    await groups.store.transact(lambda tx: put_template(tx, data))
    await groups.begin(launch_template=OWN)
    (issue,) = groups.status.issues
    assert (groups.status.status, issue.code) == ("CREATE_FAILED", "AsgInstanceLaunchFailures")
    assert "The key pair 'none' does not exist" in issue.message


async def test_a_group_in_subnets_without_free_addresses_fails_at_once(groups):
    def fill(tx, subnet_id):
        subnet = tx.get(SUBNET, *PLACE, subnet_id).value
        for address in list(ipaddress.IPv4Network(subnet.cidr))[4:-1]:
            name = f"{subnet_id}/{address}"
            tx.put(ADDRESS_CLAIM, *PLACE, name, AddressClaim(owner="somebody"))

    def shrink(tx):
        for subnet_id in groups.subnets:
            subnet = tx.get(SUBNET, *PLACE, subnet_id).value
            small = msgspec.structs.replace(subnet, cidr=subnet.cidr.replace("/20", "/28"))
            tx.put(SUBNET, *PLACE, subnet_id, small)
            fill(tx, subnet_id)

    await groups.begin(desired_size=0)
    await groups.store.transact(shrink)
    await groups.ask(name="other")
    other = groups.get(NODEGROUP_STATUS, part_name("web", "other"))
    (issue,) = other.issues
    assert (other.status, issue.code) == ("CREATE_FAILED", "InsufficientFreeAddresses")
    assert issue.resources == groups.subnets


async def test_a_cluster_that_does_not_answer_fails_the_creation(groups, cluster):
    cluster.answers = False
    await groups.begin()
    await groups.wait(900)
    (issue,) = groups.status.issues
    assert (groups.status.status, issue.code) == ("CREATE_FAILED", "ClusterUnreachable")


async def test_what_somebody_takes_away_degrades_the_node_group(groups):
    await groups.begin()

    def take(tx):
        tx.delete(iam.ROLE, ACCOUNT, "", "node")
        tx.delete(SUBNET, *PLACE, groups.subnets[0])
        tx.delete(LAUNCH_TEMPLATE, *PLACE, groups.status.launch_template_id)

    await groups.store.transact(take)
    await groups.settle()
    assert groups.status.status == "DEGRADED"
    assert {issue.code for issue in groups.status.issues} == {
        "IamNodeRoleNotFound",
        "Ec2SubnetNotFound",
        "Ec2LaunchTemplateNotFound",
    }
    assert len(groups.running) == 2
    assert not groups.store.reader.scan(LAUNCH_TEMPLATE)


def put_template(tx, *versions):
    made = tuple(
        LaunchTemplateVersion(number=number, data=data, created_at=0.0, created_by="")
        for number, data in enumerate(versions, 1)
    )
    template = LaunchTemplate(
        id="lt-1", name="mine", created_at=0.0, created_by="", versions=made, latest=len(made)
    )
    tx.put(LAUNCH_TEMPLATE, *PLACE, "lt-1", template)


OWN = {"id": "lt-1", "name": "mine", "version": "1"}


async def test_the_users_template_is_kept_and_its_user_data_comes_first(groups):
    data = {
        "UserData": base64.b64encode(MIME).decode(),
        "InstanceType": "m5.large",
        "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 33}}],
        "TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "own", "Value": "1"}]}],
    }
    await groups.store.transact(lambda tx: put_template(tx, data))
    await groups.begin(launch_template=OWN, instance_types=(), disk_size=0)
    instance = groups.running[0]
    assert (instance.instance_type, instance.root_volume_gib) == ("m5.large", 33)
    assert dict(instance.tags)["own"] == "1"
    found = parts(instance.user_data)
    assert [kind for kind, _ in found] == [
        "text/x-shellscript",
        "application/node.eks.aws",
        "application/node.eks.aws",
    ]
    assert 'echo "mine -- // --//"' in found[0][1]
    labels, _ = told(instance.user_data)
    assert labels["eks.amazonaws.com/sourceLaunchTemplateId"] == "lt-1"
    assert labels["eks.amazonaws.com/sourceLaunchTemplateVersion"] == "1"
    assert groups.data["SecurityGroupIds"] == ["sg-cluster"]


async def test_the_users_security_groups_stay_alone(groups):
    await groups.store.transact(lambda tx: put_template(tx, {"SecurityGroupIds": ["sg-own"]}))
    await groups.begin(launch_template=OWN, desired_size=0)
    assert groups.data["SecurityGroupIds"] == ["sg-own"]


async def test_user_data_that_is_no_archive_fails_the_creation(groups):
    data = {"UserData": base64.b64encode(b"#!/bin/sh\necho hello\n").decode()}
    await groups.store.transact(lambda tx: put_template(tx, data))
    await groups.begin(launch_template=OWN)
    (issue,) = groups.status.issues
    assert groups.status.status == "CREATE_FAILED"
    assert issue.code == "Ec2LaunchTemplateInvalidConfiguration"
    assert issue.message == "User data was not in the MIME multipart format."
    assert not groups.store.reader.scan(AUTO_SCALING_GROUP)


async def test_of_a_custom_image_the_users_data_is_left_as_it_is(groups):
    own = base64.b64encode(b"#!/bin/sh\n").decode()
    data = {"UserData": own, "ImageId": image("1.35").id}
    await groups.store.transact(lambda tx: put_template(tx, data))
    await groups.begin(
        launch_template=OWN, ami_type="CUSTOM", version="", release_version="", desired_size=0
    )
    assert groups.data["UserData"] == own


async def test_deletion_ends_the_instances_and_leaves_nothing(groups):
    await groups.begin()
    group, template = groups.status.group, groups.status.launch_template_id
    await groups.change(deleted_at=groups.clock.now())
    await groups.turn()
    assert groups.get(NODEGROUP, NAME) is not None
    await groups.settle()
    assert groups.running == []
    assert groups.get(NODEGROUP, NAME) is None
    assert groups.get(AUTO_SCALING_GROUP, group) is None
    assert groups.get(LAUNCH_TEMPLATE, template) is None
    assert not groups.store.reader.scan(iam.INSTANCE_PROFILE)
    assert not groups.store.reader.scan(eks.ACCESS_ENTRY)
    assert groups.cluster.nodes == {}


async def test_an_access_entry_stays_while_another_node_group_needs_it(groups):
    await groups.begin()
    await groups.ask(name="other")
    await groups.change(deleted_at=groups.clock.now())
    await groups.settle()
    assert groups.get(NODEGROUP, NAME) is None
    assert len(groups.store.reader.scan(eks.ACCESS_ENTRY)) == 1
    other = groups.get(NODEGROUP, part_name("web", "other"))
    gone = msgspec.structs.replace(other, deleted_at=1.0)
    await groups.store.transact(
        lambda tx: tx.put(NODEGROUP, *PLACE, part_name("web", "other"), gone)
    )
    await groups.settle()
    assert not groups.store.reader.scan(eks.ACCESS_ENTRY)


async def test_an_access_entry_of_the_users_own_is_left_to_them(groups):
    entry = eks.AccessEntry(
        cluster="web",
        principal_arn=ROLE,
        principal_id="AROANODE",
        arn="arn:own",
        type="EC2_LINUX",
        username="system:node:{{EC2PrivateDNSName}}",
        created_at=0.0,
        modified_at=0.0,
    )
    name = eks.entry_name("web", ROLE)
    await groups.store.transact(lambda tx: tx.put(eks.ACCESS_ENTRY, *PLACE, name, entry))
    await groups.begin()
    await groups.change(deleted_at=groups.clock.now())
    await groups.settle()
    assert groups.get(eks.ACCESS_ENTRY, name) == entry


async def test_an_update_of_sizes_is_auto_scalings_to_follow(groups):
    await groups.begin()
    update = await groups.update(
        "ConfigUpdate", ("DesiredSize", "3"), min_size=1, max_size=6, desired_size=3
    )
    await groups.settle()
    assert groups.updated(update).status == "Successful"
    assert (groups.group.min_size, groups.group.max_size, groups.group.desired) == (1, 6, 3)
    assert len(groups.running) == 3


async def test_nodes_that_are_too_many_are_drained_before_they_go(groups):
    await groups.begin(desired_size=3)
    for each in groups.running:
        groups.cluster.run(f"web-{each.id}", node_name(each))
        groups.cluster.protected.add(f"web-{each.id}")
    update = await groups.update("ConfigUpdate", ("DesiredSize", "1"), desired_size=1)
    await groups.settle()
    assert groups.updated(update).status == "InProgress"
    assert len(groups.running) == 3
    cordoned = [n for n, each in groups.cluster.nodes.items() if each["spec"].get("unschedulable")]
    assert len(cordoned) == 2
    groups.cluster.protected.clear()
    await groups.settle()
    assert groups.updated(update).status == "Successful"
    assert (len(groups.running), groups.group.desired, groups.status.shrinking) == (1, 1, ())
    assert node_name(groups.running[0]) not in cordoned
    assert len(groups.cluster.evicted) == 2


async def test_a_node_that_is_wanted_again_takes_pods_again(groups, cluster):
    await groups.begin(desired_size=3)
    for each in groups.running:
        cluster.run(f"web-{each.id}", node_name(each))
        cluster.protected.add(f"web-{each.id}")
    first = await groups.update("ConfigUpdate", ("DesiredSize", "1"), desired_size=1)
    await groups.settle()
    cluster.answers = False
    await groups.wait(900)
    assert groups.updated(first).errors[0].code == "ClusterUnreachable"
    cluster.answers = True
    again = await groups.update("ConfigUpdate", ("DesiredSize", "3"), desired_size=3)
    await groups.settle()
    assert groups.updated(again).status == "Successful"
    assert not any(n["spec"].get("unschedulable") for n in cluster.nodes.values())
    assert len(groups.running) == 3


async def test_sizes_that_others_changed_stay(groups):
    await groups.begin()
    bigger = msgspec.structs.replace(groups.group, desired=4)
    await groups.store.transact(lambda tx: tx.put(AUTO_SCALING_GROUP, *PLACE, bigger.name, bigger))
    await groups.settle()
    update = await groups.update("ConfigUpdate", ("MaxUnavailable", "2"), max_unavailable=2)
    await groups.settle()
    assert groups.updated(update).status == "Successful"
    assert len(groups.running) == 4


async def test_labels_and_taints_change_on_the_nodes_that_there_are_and_on_new_ones(groups):
    await groups.begin(
        labels=(("tier", "web"), ("old", "1")), taints=(Taint("a", "1", "NO_SCHEDULE"),)
    )
    before = {each.id for each in groups.running}
    node = groups.cluster.nodes[node_name(groups.running[0])]
    node["metadata"]["labels"]["mine"] = "stays"
    node["spec"]["taints"].append({"key": "mine", "effect": "NoSchedule"})
    update = await groups.update(
        "ConfigUpdate",
        ("LabelsToAdd", '{"tier":"db"}'),
        ("LabelsToRemove", '["old"]'),
        ("TaintsToAdd", '[{"key":"b","value":"2","effect":"NO_EXECUTE"}]'),
        ("TaintsToRemove", '[{"key":"a","value":"1","effect":"NO_SCHEDULE"}]'),
        labels=(("tier", "db"),),
        taints=(Taint("b", "2", "NO_EXECUTE"),),
    )
    await groups.settle()
    assert groups.updated(update).status == "Successful"
    assert {each.id for each in groups.running} == before
    for each in groups.cluster.nodes.values():
        assert each["metadata"]["labels"]["tier"] == "db"
        assert "old" not in each["metadata"]["labels"]
    assert node["metadata"]["labels"]["mine"] == "stays"
    assert node["spec"]["taints"] == [
        {"key": "mine", "effect": "NoSchedule"},
        {"key": "b", "value": "2", "effect": "NoExecute"},
    ]
    labels, taints = told(groups.data["UserData"])
    assert (labels["tier"], len(taints)) == ("db", 1)
    assert "old" not in labels


async def test_a_node_that_is_still_booting_gets_new_labels_too(groups):
    groups.joins = False
    await groups.begin(desired_size=1)
    groups.joins = True
    await groups.settle()
    groups.joins = False
    bigger = msgspec.structs.replace(groups.group, desired=2)
    await groups.store.transact(lambda tx: tx.put(AUTO_SCALING_GROUP, *PLACE, bigger.name, bigger))
    await groups.settle()
    update = await groups.update("ConfigUpdate", ("LabelsToAdd", '{"a":"1"}'), labels=(("a", "1"),))
    await groups.settle()
    assert groups.updated(update).status == "InProgress"
    groups.joins = True
    await groups.settle()
    assert groups.updated(update).status == "Successful"
    labels = [each["metadata"]["labels"] for each in groups.cluster.nodes.values()]
    assert [each["a"] for each in labels] == ["1", "1"]


async def test_an_upgrade_replaces_every_node_and_evicts_its_pods(groups):
    await groups.begin()
    old = groups.running
    for number, each in enumerate(old):
        groups.cluster.run(f"web-{number}", node_name(each))
        groups.cluster.run(f"proxy-{number}", node_name(each), kind="DaemonSet")
        groups.cluster.run(f"done-{number}", node_name(each), phase="Succeeded")
    update = await groups.upgrade()
    await groups.settle()
    assert groups.updated(update).status == "Successful"
    assert {each.image_id for each in groups.running} == {image("1.36").id}
    assert not {each.id for each in old} & {each.id for each in groups.running}
    assert (groups.group.desired, groups.group.max_size, len(groups.running)) == (2, 5, 2)
    assert sorted(groups.cluster.evicted) == ["web-0", "web-1"]
    assert groups.cluster.deleted == []
    assert (groups.status.version, groups.status.rollout) == ("1.36", None)
    assert groups.status.status == "ACTIVE"


async def test_an_upgrade_that_is_interrupted_at_any_time_comes_to_its_end(groups):
    await groups.begin(desired_size=3)
    for number, each in enumerate(groups.running):
        groups.cluster.run(f"web-{number}", node_name(each))
    update = await groups.upgrade()
    for _ in range(60):
        groups.restart()
        await groups.turn()
        assert len([m for m in groups.members if m.lifecycle == "InService"]) >= 2
    assert groups.updated(update).status == "Successful"
    assert {each.image_id for each in groups.running} == {image("1.36").id}


async def test_pods_that_a_budget_protects_fail_an_upgrade_and_a_forced_one_deletes_them(groups):
    await groups.begin()
    for each in groups.running:
        groups.cluster.run(f"web-{each.id}", node_name(each))
        groups.cluster.protected.add(f"web-{each.id}")
    update = await groups.upgrade()
    await groups.settle()
    assert groups.updated(update).status == "InProgress"
    await groups.wait(900)
    failed = groups.updated(update)
    assert (failed.status, failed.errors[0].code) == ("Failed", "PodEvictionFailure")
    assert failed.errors[0].resources[0] in groups.cluster.nodes
    assert groups.status.version == "1.35"
    assert not any(n["spec"].get("unschedulable") for n in groups.cluster.nodes.values())
    forced = await groups.upgrade(force_update=True)
    await groups.settle()
    await groups.wait(900)
    await groups.wait(900)
    assert groups.updated(forced).status == "Successful"
    assert len(groups.cluster.deleted) == 2
    assert {each.image_id for each in groups.running} == {image("1.36").id}
    assert groups.group.desired == 2


async def test_an_upgrade_whose_nodes_do_not_join_fails_and_leaves_the_others(groups):
    await groups.begin()
    old = {each.id for each in groups.running}
    groups.joins = False
    update = await groups.upgrade()
    await groups.settle()
    await groups.wait(900)
    failed = groups.updated(update)
    assert (failed.status, failed.errors[0].code) == ("Failed", "NodeCreationFailure")
    assert {each.id for each in groups.running} == old
    assert (groups.group.desired, groups.status.status) == (2, "ACTIVE")


async def test_a_cluster_that_is_away_for_a_while_does_not_end_a_long_upgrade(groups, cluster):
    await groups.begin()
    for each in groups.running:
        cluster.run(f"web-{each.id}", node_name(each))
        cluster.protected.add(f"web-{each.id}")
    update = await groups.upgrade()
    await groups.settle()
    for _ in range(2):
        await groups.wait(800)
        cluster.answers = False
        await groups.settle()
        assert groups.updated(update).status == "InProgress"
        cluster.answers = True
        (drain,) = groups.status.rollout.drains
        cluster.protected.discard(f"web-{drain.instance_id}")
        await groups.settle()
    cluster.protected.clear()
    await groups.settle()
    assert groups.updated(update).status == "Successful"
    assert {each.image_id for each in groups.running} == {image("1.36").id}


async def test_another_version_of_the_users_template_is_rolled_out(groups):
    await groups.store.transact(lambda tx: put_template(tx, {}, {"KeyName": ""}))
    await groups.begin(launch_template=OWN)
    old = {each.id for each in groups.running}
    update = await groups.update("VersionUpdate", launch_template={**OWN, "version": "2"})
    await groups.settle()
    assert groups.updated(update).status == "Successful"
    assert not old & {each.id for each in groups.running}
    labels, _ = told(groups.running[0].user_data)
    assert labels["eks.amazonaws.com/sourceLaunchTemplateVersion"] == "2"


async def test_an_update_to_what_the_nodes_run_replaces_none(groups):
    await groups.begin()
    old = {each.id for each in groups.running}
    update = await groups.update("VersionUpdate")
    await groups.settle()
    assert groups.updated(update).status == "Successful"
    assert {each.id for each in groups.running} == old


async def test_an_update_without_an_auto_scaling_group_fails(groups):
    await groups.begin()
    name = groups.status.group
    await groups.store.transact(lambda tx: tx.delete(AUTO_SCALING_GROUP, *PLACE, name))
    update = await groups.upgrade()
    await groups.turn()
    failed = groups.updated(update)
    assert failed.status == "Failed"
    assert name in failed.errors[0].message
    assert groups.status.status == "DEGRADED"


async def test_a_node_that_is_long_not_ready_is_replaced_where_that_is_asked_for(groups):
    await groups.begin(repair={"enabled": True})
    ill, well = groups.running
    groups.cluster.run("web", node_name(ill))
    groups.cluster.become(node_name(ill), ready=False, since=at(groups.clock.now()))
    await groups.wait(1700)
    assert {each.id for each in groups.running} == {ill.id, well.id}
    await groups.wait(200)
    assert groups.cluster.evicted == ["web"]
    assert ill.id not in {each.id for each in groups.running}
    assert (len(groups.running), groups.status.repairs) == (2, ())


async def test_a_node_that_is_not_ready_is_left_where_no_repair_is_asked_for(groups):
    await groups.begin()
    ill = groups.running[0]
    groups.cluster.become(node_name(ill), ready=False, since=at(groups.clock.now()))
    await groups.wait(7200)
    assert ill.id in {each.id for each in groups.running}


async def test_changes_of_its_parts_have_the_node_group_looked_at(groups):
    await groups.begin()
    reader, key = groups.store.reader, Key(NODEGROUP.name, *PLACE, NAME)
    update = await groups.upgrade()
    parts_of_it = [
        (AUTO_SCALING_GROUP, groups.status.group),
        (eks.CLUSTER_STATUS, "web"),
        (eks.UPDATE, eks.update_name("web", update)),
        (NODEGROUP, NAME),
    ]
    for kind, name in parts_of_it:
        record = reader.get(kind, *PLACE, name)
        change = Change(1, record.key, None, record)
        assert list(groups.controller.keys(change, reader)) == [key]
    for record in (*reader.scan(MEMBER), *reader.scan(ACTIVITY)):
        assert list(groups.controller.keys(Change(1, record.key, None, record), reader)) == [key]


async def shrink_group(groups, desired):
    """What an autoscaler, or the user, asks of the Auto Scaling group itself."""
    smaller = msgspec.structs.replace(groups.group, desired=desired)
    name = smaller.name
    await groups.store.transact(lambda tx: tx.put(AUTO_SCALING_GROUP, *PLACE, name, smaller))


async def test_the_group_has_the_hook_by_which_eks_drains_its_nodes(groups):
    await groups.begin()
    (record,) = groups.store.reader.scan(LIFECYCLE_HOOK, *PLACE)
    hook = record.value
    assert (hook.name, hook.transition) == (
        "Terminate-LC-Hook",
        "autoscaling:EC2_INSTANCE_TERMINATING",
    )
    assert (hook.heartbeat_seconds, hook.default_result) == (1800, "CONTINUE")


async def test_a_node_that_auto_scaling_ends_by_itself_is_drained_first(groups, cluster):
    await groups.begin()
    for each in groups.running:
        cluster.run(f"web-{each.id}", node_name(each))
        cluster.protected.add(f"web-{each.id}")
    await shrink_group(groups, 1)
    await groups.settle()
    assert len(groups.running) == 2
    (going,) = (each for each in groups.members if each.lifecycle == "Terminating:Wait")
    cordoned = [name for name, n in cluster.nodes.items() if n["spec"].get("unschedulable")]
    assert len(cordoned) == 1
    groups.restart()
    cluster.protected.clear()
    await groups.settle()
    assert cluster.evicted == [f"web-{going.instance_id}"]
    assert len(groups.running) == 1
    assert groups.status.status == "ACTIVE"


async def test_a_budget_holds_an_instance_that_is_to_go_for_a_quarter_of_an_hour(groups, cluster):
    await groups.begin()
    for each in groups.running:
        cluster.run(f"web-{each.id}", node_name(each))
        cluster.protected.add(f"web-{each.id}")
    await shrink_group(groups, 1)
    await groups.settle()
    await groups.wait(899)
    assert len(groups.running) == 2
    await groups.wait(1)
    assert len(groups.running) == 1


async def test_a_machine_that_died_is_let_go_at_once(groups, cluster):
    await groups.begin()
    dead = groups.running[0]
    cluster.run("web", node_name(dead))
    status = InstanceStatus(state="terminated", changed_at=groups.clock.now())
    await groups.store.transact(lambda tx: tx.put(INSTANCE_STATUS, *PLACE, dead.id, status))
    await groups.settle()
    assert dead.id not in {each.id for each in groups.running}
    assert (len(groups.running), cluster.evicted) == (2, [])


async def test_nodes_that_eks_has_drained_itself_are_not_waited_for_again(groups, cluster):
    await groups.begin(desired_size=2, force_update=True)
    await groups.upgrade(force_update=True)
    for _ in range(60):
        await groups.turn()
        assert not any(each.lifecycle == "Terminating:Wait" for each in groups.members)
    assert {each.image_id for each in groups.running} == {image("1.36").id}


async def test_pods_of_a_silent_node_are_waited_for_only_as_long_as_they_may_take(groups, cluster):
    """Nobody says of them that they have ended; 2020, when they should have, is long ago."""
    await groups.begin(repair={"enabled": True})
    ill = groups.running[0]
    cluster.run("web", node_name(ill))
    cluster.lingering.add("web")
    cluster.become(node_name(ill), ready=False, since=at(groups.clock.now()))
    await groups.wait(1900)
    assert cluster.evicted == ["web"]
    assert ill.id not in {each.id for each in groups.running}
