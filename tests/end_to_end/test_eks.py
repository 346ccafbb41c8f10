"""EKS as its users have it: a cluster is made, entered, broken, upgraded and deleted."""

import json
import os
import shutil
import signal
import socket
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from end_to_end.insights import statuses
from end_to_end.kills import await_whole
from end_to_end.kubectl import EDIT, VIEW, Kubernetes
from end_to_end.traces import traces

from longshore.controllers.eks_cluster.access import own_address
from longshore.testing.wait import wait_until

BACK_SECONDS = 120
UPDATE_SECONDS = 120


@pytest.fixture(scope="module")
def cluster(cloud):
    return Kubernetes(cloud, "mall", "1.35", "API_AND_CONFIG_MAP")


@pytest.fixture
def user(cloud, request):
    """A user without any permission of IAM's; ARN and key."""
    name = f"kubernetes-{request.node.name[:40].strip('_')}"
    arn = cloud.iam.create_user(UserName=name)["User"]["Arn"]
    key = cloud.iam.create_access_key(UserName=name)["AccessKey"]
    return arn, (key["AccessKeyId"], key["SecretAccessKey"])


def permit(cluster, principal, policy, *namespaces):
    """Have the principal enter the cluster with this access policy."""
    kind = {"type": "namespace", "namespaces": list(namespaces)} if namespaces else None
    cluster.eks.create_access_entry(clusterName=cluster.name, principalArn=principal)
    cluster.eks.associate_access_policy(
        clusterName=cluster.name,
        principalArn=principal,
        policyArn=policy,
        accessScope=kind or {"type": "cluster"},
    )


def test_new_cluster_is_upstream_kubernetes_of_the_version_asked_for(cluster):
    assert cluster.created["status"] == "CREATING"
    assert cluster.describe()["version"] == "1.35"
    told = cluster.run_as_written("version", "--output=json").stdout
    version = json.loads(told)["serverVersion"]
    assert (version["major"], version["minor"]) == ("1", "35")
    namespaces = {each["metadata"]["name"] for each in cluster.read("get", "namespaces")["items"]}
    assert {"default", "kube-system"} <= namespaces


def test_its_controllers_and_its_scheduler_are_at_work(cluster):
    cluster.run("create", "deployment", "web", "--image=web:1", "--replicas=2")

    def waiting():
        pods = cluster.read("get", "pods", "--selector=app=web")["items"]
        reasons = [c.get("reason") for pod in pods for c in pod["status"].get("conditions", ())]
        return reasons.count("Unschedulable") == 2

    assert wait_until(waiting, 60, "the scheduler looked for a node")


def test_who_made_the_cluster_is_its_administrator(cluster):
    me = cluster.read("auth", "whoami")["status"]["userInfo"]
    assert me["username"].endswith(":user/admin")
    assert cluster.run("auth", "can-i", "*", "*").stdout.strip() == "yes"


def test_principal_without_an_access_entry_is_not_let_in(cluster, user):
    refused = cluster.run("get", "namespaces", key=user[1], check=False)
    assert refused.returncode != 0
    assert "provide credentials" in refused.stderr or "Unauthorized" in refused.stderr


def test_view_policy_reads_and_does_not_write(cluster, user):
    permit(cluster, user[0], VIEW)
    cluster.run("get", "deployments", key=user[1])
    for forbidden in (["create", "namespace", "mine"], ["get", "secrets"]):
        refused = cluster.run(*forbidden, key=user[1], check=False)
        assert "Forbidden" in refused.stderr, refused


def test_edit_policy_of_one_namespace_ends_at_its_border(cluster, user):
    cluster.run("create", "namespace", "theirs")
    permit(cluster, user[0], EDIT, "theirs")
    cluster.run("create", "configmap", "a", "--namespace=theirs", key=user[1])
    refused = cluster.run("create", "configmap", "b", key=user[1], check=False)
    assert "is forbidden" in refused.stderr


def test_groups_of_an_access_entry_are_bound_by_the_clusters_own_rules(cluster, user):
    cluster.eks.create_access_entry(
        clusterName=cluster.name, principalArn=user[0], kubernetesGroups=["readers"]
    )
    cluster.run("create", "clusterrolebinding", "readers", "--clusterrole=view", "--group=readers")
    wait_until(
        lambda: cluster.run("get", "pods", key=user[1], check=False).returncode == 0,
        20,
        "the group's binding acts",
    )


def test_assumed_role_enters_under_the_name_of_its_session(cluster, cloud):
    account = cloud.longshore.installation.account
    trust = {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Principal": {"AWS": account},
            "Action": "sts:AssumeRole",
        },
    }
    role = cloud.iam.create_role(RoleName="operator", AssumeRolePolicyDocument=json.dumps(trust))[
        "Role"
    ]["Arn"]
    permit(cluster, role, VIEW)
    sts = cloud.longshore.client("sts")
    given = sts.assume_role(RoleArn=role, RoleSessionName="ann")["Credentials"]
    key = (given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
    me = cluster.read("auth", "whoami", key=key)["status"]["userInfo"]
    assert me["username"] == f"arn:aws:sts::{account}:assumed-role/operator/ann"


def test_access_that_is_taken_away_ends_within_seconds(cluster, user):
    permit(cluster, user[0], VIEW)
    cluster.run("get", "pods", key=user[1])
    cluster.eks.delete_access_entry(clusterName=cluster.name, principalArn=user[0])
    wait_until(
        lambda: cluster.run("get", "pods", key=user[1], check=False).returncode != 0,
        30,
        "the user is let in no more",
    )


def test_config_map_aws_auth_lets_in_whom_it_names(cluster, user):
    mapped = [{"userarn": user[0], "username": "carol", "groups": ["auditors"]}]
    named = ["--namespace=kube-system", "configmap", "aws-auth"]
    cluster.run("create", *named, f"--from-literal=mapUsers={json.dumps(mapped)}")

    def enters():
        found = cluster.run("auth", "whoami", "--output=json", key=user[1], check=False)
        return found.returncode == 0 and json.loads(found.stdout)["status"]["userInfo"]

    me = wait_until(enters, 30, "the user is let in")
    assert me["username"] == "carol"
    assert "auditors" in me["groups"]
    cluster.run("delete", *named)


def test_token_is_good_for_its_own_cluster_alone(cluster, cloud):
    own, other = (
        json.loads(cloud.longshore.aws("eks", "get-token", "--cluster-name", name))
        for name in (cluster.name, "elsewhere")
    )
    assert cluster.with_token(own["status"]["token"]).returncode == 0
    for token in (other["status"]["token"], "k8s-aws-v1.bm90aGluZw", "nothing"):
        refused = cluster.with_token(token).stderr
        assert "provide credentials" in refused or "Unauthorized" in refused


def test_service_account_has_the_role_that_trusts_it(cluster, cloud):
    """IAM roles for service accounts: the token of one of them is exchanged by STS."""
    issuer = cluster.describe()["identity"]["oidc"]["issuer"]
    provider = cloud.iam.create_open_id_connect_provider(
        Url=issuer, ClientIDList=["sts.amazonaws.com"]
    )["OpenIDConnectProviderArn"]
    known = issuer.removeprefix("https://")
    trust = {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Principal": {"Federated": provider},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {"StringEquals": {f"{known}:sub": "system:serviceaccount:default:reader"}},
        },
    }
    role = cloud.iam.create_role(
        RoleName="service-account", AssumeRolePolicyDocument=json.dumps(trust)
    )["Role"]["Arn"]
    sts, found = cloud.longshore.client("sts"), {}
    for name in ("reader", "stranger"):
        cluster.run("create", "serviceaccount", name)
        token = cluster.run("create", "token", name, "--audience=sts.amazonaws.com").stdout
        try:
            given = sts.assume_role_with_web_identity(
                RoleArn=role, RoleSessionName=name, WebIdentityToken=token.strip()
            )
            found[name] = given["AssumedRoleUser"]["Arn"].rpartition(":")[2]
        except ClientError as error:
            found[name] = error.response["Error"]["Code"]
    assert found == {
        "reader": "assumed-role/service-account/reader",
        "stranger": "AccessDenied",
    }


def interfaces(cluster, cloud):
    """The control plane's in the user's subnets."""
    filters = [{"Name": "description", "Values": [f"Amazon EKS {cluster.name}"]}]
    return cloud.ec2.describe_network_interfaces(Filters=filters)["NetworkInterfaces"]


def exit_code(cloud, image, group, script):
    """Of a shell script that a task with this security group runs in the cluster's VPC."""
    container = {"name": "shell", "image": image, "command": ["/bin/sh", "-c", script]}
    task = cloud.run(cloud.definition("shell", [container]), groups=[group])[0]
    return cloud.await_status(task, "STOPPED")["containers"][0]["exitCode"]


def test_api_server_is_reached_at_its_interfaces_by_members_of_its_group(
    cluster, cloud, busybox_image
):
    found = interfaces(cluster, cloud)
    assert len({each["AvailabilityZone"] for each in found}) == 2
    assert all(each["RequesterManaged"] and each["Status"] == "in-use" for each in found)
    addresses = {each["PrivateIpAddress"] for each in found}
    endpoints = cluster.read("get", "endpointslices", "kubernetes")["endpoints"]
    assert {address for each in endpoints for address in each["addresses"]} <= addresses
    group = cluster.describe()["resourcesVpcConfig"]["clusterSecurityGroupId"]
    script = " && ".join(f"nc -w 3 {address} 443 </dev/null" for address in sorted(addresses))
    assert exit_code(cloud, busybox_image, group, script) == 0
    stranger = cloud.security_group("stranger")
    assert exit_code(cloud, busybox_image, stranger, script) != 0


def test_private_access_leads_the_endpoints_name_to_the_interfaces_in_the_vpc(
    cluster, cloud, busybox_image
):
    network = cluster.describe()["resourcesVpcConfig"]
    group, name = network["clusterSecurityGroupId"], cluster.describe()["endpoint"][8:]
    address = interfaces(cluster, cloud)[0]["PrivateIpAddress"]
    reach = f"nc -w 3 {name} 443 </dev/null"
    script = f'case "$(nslookup {name})" in *{address}*) {reach};; *) exit 9;; esac'
    assert exit_code(cloud, busybox_image, group, script) == 9
    for private in (True, False):
        cluster.eks.update_cluster_config(
            name=cluster.name, resourcesVpcConfig={"endpointPrivateAccess": private}
        )
        wait_until(cluster.is_active, UPDATE_SECONDS, "the update is through")
        if private:
            assert exit_code(cloud, busybox_image, group, script) == 0
            assert cluster.answers()


def test_addresses_outside_of_public_access_cidrs_reach_nothing(cluster):
    cluster.eks.update_cluster_config(
        name=cluster.name, resourcesVpcConfig={"publicAccessCidrs": ["203.0.113.0/24"]}
    )
    wait_until(lambda: not cluster.answers(), 30, "the endpoint is shut")
    # Longshore's own loops go on.
    endpoint = (cluster.describe()["endpoint"].removeprefix("https://"), 443)
    socket.create_connection(endpoint, 5, source_address=(own_address(), 0)).close()
    wait_until(cluster.is_active, UPDATE_SECONDS, "the update is through")
    update = cluster.eks.update_cluster_config(
        name=cluster.name, resourcesVpcConfig={"publicAccessCidrs": ["0.0.0.0/0"]}
    )["update"]
    wait_until(cluster.answers, 30, "the endpoint is open")
    wait_until(cluster.is_active, UPDATE_SECONDS, "the update is through")
    done = cluster.eks.describe_update(name=cluster.name, updateId=update["id"])["update"]
    assert (done["type"], done["status"]) == ("EndpointAccessUpdate", "Successful")


@pytest.mark.parametrize(
    "process", ["kube-scheduler", "kube-controller-manager", "etcd", "kube-apiserver"]
)
def test_process_that_is_killed_comes_back_and_nothing_is_lost(cluster, process):
    cluster.run("create", "configmap", f"before-{process}", "--from-literal=kept=yes")
    before = cluster.processes()[process]
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: cluster.processes().get(process, before) != before, BACK_SECONDS, process)
    wait_until(cluster.answers, BACK_SECONDS, "the API server answers")
    kept = cluster.read("get", "configmap", f"before-{process}")
    assert kept["data"] == {"kept": "yes"}
    assert cluster.is_active()


def test_cluster_outlives_a_killed_control_plane_and_agent_of_longshores(cluster, cloud):
    before = cluster.processes()
    for process in ("control-plane", "agent"):
        os.kill(cloud.longshore.pid(process), signal.SIGKILL)
    await_whole(cloud)
    wait_until(cluster.answers, BACK_SECONDS, "tokens are told of again")
    assert cluster.processes() == before


def test_nothing_stands_in_the_way_of_an_upgrade_of_a_well_cluster(cluster):
    wait_until(lambda: not cluster.describe()["health"]["issues"], BACK_SECONDS, "it is well again")
    assert statuses(cluster.eks, cluster.name, "UPGRADE_READINESS") == {
        "Cluster health issues": "PASSING",
        "Deprecated APIs removed in Kubernetes v1.36": "PASSING",
        "EKS add-on version compatibility": "PASSING",
        "Kubelet version skew": "PASSING",
        "kube-proxy version skew": "PASSING",
    }


def test_upgrade_to_the_next_minor_version_keeps_every_object(cluster, cloud):
    names = [f"kept-{number}" for number in range(10)]
    for name in names:
        cluster.run("create", "configmap", name, f"--from-literal=name={name}")
    update = cluster.eks.update_cluster_version(name=cluster.name, version="1.36")["update"]
    assert update["status"] == "InProgress"
    assert cluster.describe()["status"] == "UPDATING"
    wait_until(cluster.is_active, UPDATE_SECONDS, "the upgrade is through")
    assert len(interfaces(cluster, cloud)) == 2
    done = cluster.eks.describe_update(name=cluster.name, updateId=update["id"])["update"]
    assert (done["type"], done["status"]) == ("VersionUpdate", "Successful")
    assert cluster.describe()["version"] == "1.36"
    wait_until(cluster.answers, BACK_SECONDS, "the API server answers")
    assert cluster.read("version")["serverVersion"]["minor"] == "36"
    for name in names:
        assert cluster.read("get", "configmap", name)["data"] == {"name": name}


def test_upgraded_cluster_goes_back_once_to_where_it_came_from(cluster):
    ready = statuses(cluster.eks, cluster.name, "ROLLBACK_READINESS")
    assert set(ready.values()) == {"PASSING"}
    update = cluster.eks.update_cluster_version(name=cluster.name, version="1.35")["update"]
    assert update["type"] == "VersionRollback"
    wait_until(cluster.is_active, UPDATE_SECONDS, "the rollback is through")
    wait_until(cluster.answers, BACK_SECONDS, "the API server answers")
    assert cluster.read("version")["serverVersion"]["minor"] == "35"
    assert cluster.read("get", "configmap", "kept-0")["data"] == {"name": "kept-0"}
    assert statuses(cluster.eks, cluster.name, "ROLLBACK_READINESS") == {}


def test_cluster_whose_etcd_lost_its_data_comes_back_from_its_newest_snapshot(cluster, cloud):
    """One is taken before each change of the version: what was there then is there."""
    uid = cluster.describe()["endpoint"].removeprefix("https://").partition(".")[0]
    shutil.rmtree(cloud.longshore.installation.data_dir / "eks" / uid / "etcd" / "member")
    os.kill(cluster.processes()["etcd"], signal.SIGKILL)

    def told():
        issues = cluster.describe()["health"]["issues"]
        return [each["message"] for each in issues if "was restored" in each["message"]]

    wait_until(told, BACK_SECONDS, "the cluster's health tells of it")
    names = [f"kept-{number}" for number in range(10)]

    def kept():
        """Processes that lost their leases begin anew, and may take the API server with them."""
        read = cluster.run("get", "configmaps", *names, "--output=json", check=False)
        return read.returncode == 0 and json.loads(read.stdout)["items"]

    found = wait_until(kept, BACK_SECONDS, "the objects are there")
    assert [each["data"] for each in found] == [{"name": name} for name in names]
    written = ["create", "configmap", "after", "--from-literal=written=yes"]
    wait_until(
        lambda: cluster.run(*written, check=False).returncode == 0, BACK_SECONDS, "it takes writes"
    )
    assert cluster.is_active()


def test_users_of_an_identity_provider_are_whom_its_tokens_say(cluster, farm):
    """The provider is another cluster's: service accounts there are users here."""
    oidc = {
        "identityProviderConfigName": "farm",
        "issuerUrl": farm.describe()["identity"]["oidc"]["issuer"],
        "clientId": "mall",
        "usernamePrefix": "farm:",
    }
    config = {"type": "oidc", "name": "farm"}
    token = farm.run("create", "token", "default", "--audience=mall").stdout.strip()
    assert "Unauthorized" in cluster.with_token(token).stderr
    cluster.eks.associate_identity_provider_config(clusterName=cluster.name, oidc=oidc)
    waiter = {"clusterName": cluster.name, "identityProviderConfig": config}

    def status():
        told = cluster.eks.describe_identity_provider_config(**waiter)
        return told["identityProviderConfig"]["oidc"]["status"]

    wait_until(lambda: status() == "ACTIVE", UPDATE_SECONDS, "it is associated")
    name = "farm:system:serviceaccount:default:default"
    wait_until(lambda: name in cluster.with_token(token).stderr, BACK_SECONDS, "it has a name")
    cluster.run("create", "clusterrolebinding", "farm", "--clusterrole=view", f"--user={name}")
    wait_until(
        lambda: "kube-system" in cluster.with_token(token).stdout, BACK_SECONDS, "it may look"
    )
    cluster.eks.disassociate_identity_provider_config(**waiter)
    wait_until(
        lambda: "Unauthorized" in cluster.with_token(token).stderr, BACK_SECONDS, "it is nobody"
    )
    wait_until(
        lambda: (
            not cluster.eks.list_identity_provider_configs(clusterName=cluster.name)[
                "identityProviderConfigs"
            ]
        ),
        UPDATE_SECONDS,
        "the association is gone",
    )


def test_deleted_cluster_leaves_nothing(cluster, cloud):
    installation = cloud.longshore.installation
    processes = cluster.processes()
    described = cluster.describe()
    cluster.eks.delete_cluster(name=cluster.name)

    def gone():
        return cluster.name not in cluster.eks.list_clusters()["clusters"]

    wait_until(gone, BACK_SECONDS, "the cluster is gone")
    with pytest.raises(ClientError, match="No cluster found"):
        cluster.describe()
    assert not any(Path(f"/proc/{pid}").exists() for pid in processes.values())
    endpoint = described["endpoint"].removeprefix("https://")
    uid = endpoint.partition(".")[0]
    assert endpoint not in Path("/etc/hosts").read_text()
    assert not (installation.data_dir / "eks" / uid).exists()
    assert not [line for line in traces(installation) if uid in line]
    assert interfaces(cluster, cloud) == []
    group = described["resourcesVpcConfig"]["clusterSecurityGroupId"]
    with pytest.raises(ClientError, match="does not exist"):
        cloud.ec2.describe_security_groups(GroupIds=[group])
