"""Persistent volumes: a database whose rows outlive its node, in a volume that grows, is copied and
goes with its claim."""

import contextlib
import json
from pathlib import Path

import pytest
from end_to_end.farm import GROUP
from end_to_end.machines import instance_of
from end_to_end.software import postgres_image

from longshore.components.doctor.facts import CAP_SYS_RESOURCE, capabilities
from longshore.testing.wait import wait_until

AGENT = "eks-pod-identity-agent"
DRIVER, SNAPSHOTS = "aws-ebs-csi-driver", "snapshot-controller"
POLICY = "arn:aws:iam::aws:policy/service-role/AmazonEBSCSIDriverPolicy"
ADDON_SECONDS, NODES_SECONDS = 120, 120
SLOW_SECONDS = 120
CLAIM = "data-database-0"
ZONE = "topology.kubernetes.io/zone"
CLASS = {
    "apiVersion": "snapshot.storage.k8s.io/v1",
    "kind": "VolumeSnapshotClass",
    "metadata": {"name": "ebs"},
    "driver": "ebs.csi.aws.com",
    "deletionPolicy": "Delete",
}


@pytest.fixture(scope="module")
def storage(farm, cloud):
    """The add-ons, ACTIVE, of which the driver has a role of its own; a zone with two nodes."""
    with contextlib.suppress(farm.eks.exceptions.ResourceInUseException):
        farm.eks.create_addon(clusterName=farm.name, addonName=AGENT)
    roles = [{"serviceAccount": "ebs-csi-controller-sa", "roleArn": driver_role(cloud)}]
    farm.eks.create_addon(clusterName=farm.name, addonName=DRIVER, podIdentityAssociations=roles)
    farm.eks.create_addon(clusterName=farm.name, addonName=SNAPSHOTS)
    resize(farm, 3)
    for name in (AGENT, DRIVER, SNAPSHOTS):

        def active(name=name):
            found = farm.eks.describe_addon(clusterName=farm.name, addonName=name)["addon"]
            assert found["status"] != "CREATE_FAILED", found["health"]
            return found["status"] == "ACTIVE"

        wait_until(active, ADDON_SECONDS, f"the add-on {name} is ACTIVE")
    wait_until(lambda: len(farm.nodes()) == 3, NODES_SECONDS, "three nodes are Ready")
    zones = [node["metadata"]["labels"][ZONE] for node in farm.nodes().values()]
    [zone] = [each for each in set(zones) if zones.count(each) == 2]
    yield zone
    farm.run("delete", "statefulset,volumesnapshot,pod", "--selector=app", "--ignore-not-found")
    for name in (DRIVER, SNAPSHOTS):
        farm.eks.delete_addon(clusterName=farm.name, addonName=name)
    resize(farm, 2)
    wait_until(lambda: len(farm.nodes()) == 2, NODES_SECONDS, "two nodes are left")
    farm.await_group()


def resize(farm, size):
    farm.eks.update_nodegroup_config(
        clusterName=farm.name,
        nodegroupName=GROUP,
        scalingConfig={"minSize": 1, "maxSize": 3, "desiredSize": size},
    )


def driver_role(cloud):
    """A role of AWS's own policy, for the driver's pods; its ARN."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "pods.eks.amazonaws.com"},
        "Action": ["sts:AssumeRole", "sts:TagSession"],
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    role = cloud.iam.create_role(RoleName="ebs-csi", AssumeRolePolicyDocument=document)["Role"]
    cloud.iam.attach_role_policy(RoleName="ebs-csi", PolicyArn=POLICY)
    return role["Arn"]


class Database:
    """A StatefulSet of one PostgreSQL, in the zone that has two nodes."""

    def __init__(self, farm, cloud, zone):
        self.farm, self.ec2 = farm, cloud.ec2
        farm.apply(stateful_set("database", postgres_image(cloud), zone))
        self.await_ready()

    def await_ready(self):
        [pod] = self.farm.running("app=database")
        wait_until(lambda: self.query("select 1") == "1", SLOW_SECONDS, "the database answers")
        return pod

    def query(self, statement):
        """What it answers; nothing while it does not."""
        psql = ["psql", "-h", "127.0.0.1", "-U", "postgres", "-tAc", statement]
        done = self.farm.run("exec", "database-0", "--", *psql, check=False)
        return done.stdout.strip() if done.returncode == 0 else ""

    def shell(self, script):
        return self.farm.run("exec", "database-0", "--", "/bin/sh", "-c", script).stdout

    def volume(self):
        """As EC2 tells of the volume of the database's claim."""
        name = self.farm.read("get", "pvc", CLAIM)["spec"]["volumeName"]
        handle = self.farm.read("get", "pv", name)["spec"]["csi"]["volumeHandle"]
        found = self.ec2.describe_volumes(VolumeIds=[handle])
        return found["Volumes"][0]

    def node(self):
        pod = self.farm.read("get", "pod", "database-0")
        return self.farm.read("get", "node", pod["spec"]["nodeName"])


def stateful_set(name, image, zone):
    container = {
        "name": "main",
        "image": image,
        "env": [{"name": "PATH", "value": "/usr/lib/postgresql/15/bin:/bin"}],
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    }
    claim = {
        "metadata": {"name": "data"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
        },
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "serviceName": name,
            "replicas": 1,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {
                    "containers": [container],
                    "nodeSelector": {ZONE: zone},
                    "terminationGracePeriodSeconds": 1,
                },
            },
            "volumeClaimTemplates": [claim],
        },
    }


@pytest.fixture(scope="module")
def database(farm, cloud, storage):
    """With a table of three rows."""
    found = Database(farm, cloud, storage)
    found.query("create table ships as select * from generate_series(1, 3) as number")
    return found


def rows(database):
    return database.query("select sum(number) from ships")


def test_a_claim_that_names_no_class_gets_an_ebs_volume_where_its_pod_is(database, farm, storage):
    volume = database.volume()
    assert volume["AvailabilityZone"] == storage
    assert (volume["Size"], volume["VolumeType"], volume["State"]) == (1, "gp2", "in-use")
    tags = {each["Key"]: each["Value"] for each in volume["Tags"]}
    assert tags["kubernetes.io/created-for/pvc/name"] == CLAIM
    assert tags["KubernetesCluster"] == "farm"
    [attachment] = volume["Attachments"]
    assert database.node()["spec"]["providerID"].endswith(attachment["InstanceId"])
    assert rows(database) == "6"
    # It grows while the next test runs: a kubelet looks at its pods' claims once a minute.
    more = {"spec": {"resources": {"requests": {"storage": "2Gi"}}}}
    farm.run("patch", "pvc", CLAIM, f"--patch={json.dumps(more)}")


def test_a_snapshot_is_what_another_claim_begins_with(database, farm, cloud, storage):
    database.query("checkpoint")
    snapshot = {
        "apiVersion": CLASS["apiVersion"],
        "kind": "VolumeSnapshot",
        "metadata": {"name": "morning", "labels": {"app": "copy"}},
        "spec": {
            "volumeSnapshotClassName": "ebs",
            "source": {"persistentVolumeClaimName": CLAIM},
        },
    }
    farm.apply(CLASS, snapshot)
    farm.run("wait", "volumesnapshot/morning", "--for=jsonpath={.status.readyToUse}=true",
             "--timeout=50s")  # fmt: skip
    database.query("insert into ships values (100)")
    copy = stateful_set("copy", postgres_image(cloud), storage)
    [claim] = copy["spec"]["volumeClaimTemplates"]
    claim["spec"]["resources"]["requests"]["storage"] = "2Gi"
    claim["spec"]["dataSource"] = {
        "apiGroup": "snapshot.storage.k8s.io",
        "kind": "VolumeSnapshot",
        "name": "morning",
    }
    farm.apply(copy)
    farm.running("app=copy")
    psql = ["psql", "-h", "127.0.0.1", "-U", "postgres", "-tAc", "select sum(number) from ships"]

    def copied():
        return farm.run("exec", "copy-0", "--", *psql, check=False).stdout.strip() == "6"

    wait_until(copied, SLOW_SECONDS, "the copy has what there was in the morning")
    database.query("delete from ships where number = 100")
    farm.run("delete", "statefulset/copy", "volumesnapshot/morning")
    farm.run("delete", "pvc", "data-copy-0")
    found = [{"Name": "tag-key", "Values": ["CSIVolumeSnapshotName"]}]
    wait_until(
        lambda: not cloud.ec2.describe_snapshots(Filters=found, OwnerIds=["self"])["Snapshots"],
        SLOW_SECONDS,
        "the snapshot is gone from EC2 too",
    )


def grows_while_mounted():
    """Whether the kernel lets file systems do so: it asks for CAP_SYS_RESOURCE."""
    return CAP_SYS_RESOURCE in capabilities(Path("/proc/self/status").read_text())


def test_a_claim_that_asked_for_more_has_more(database, farm):
    if not grows_while_mounted():
        farm.run("delete", "pod", "database-0")
        database.await_ready()

    def larger():
        found = farm.read("get", "pvc", CLAIM)["status"]["capacity"]["storage"]
        return found == "2Gi"

    wait_until(larger, SLOW_SECONDS, "the claim has 2 GiB")
    assert database.volume()["Size"] == 2
    kib = int(database.shell("df -k /data").split("\n")[1].split()[1])
    assert kib > 1.8 * 2**20
    assert rows(database) == "6"


def test_rows_outlive_the_node_of_their_database(database, farm, cloud, storage):
    before = database.node()
    instance = instance_of(before)
    cloud.ec2.terminate_instances(InstanceIds=[instance])

    def elsewhere():
        pods = farm.pods("app=database")
        nodes = {each["spec"].get("nodeName") for each in pods}
        return bool(nodes) and before["metadata"]["name"] not in nodes

    wait_until(elsewhere, SLOW_SECONDS, "the database is on another node")
    database.await_ready()
    assert rows(database) == "6"
    assert database.node()["metadata"]["labels"][ZONE] == storage


def test_a_deleted_claim_leaves_no_volume(database, farm, cloud):
    volume = database.volume()["VolumeId"]
    farm.run("delete", "statefulset/database")
    farm.run("delete", "pvc", CLAIM)

    def gone():
        filters = [{"Name": "volume-id", "Values": [volume]}]
        return not cloud.ec2.describe_volumes(Filters=filters)["Volumes"]

    wait_until(gone, SLOW_SECONDS, "the volume is gone")
