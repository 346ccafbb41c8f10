"""IAM for pods: AWS's SDK in a pod, unchanged, speaks as its service account's role."""

import json

import pytest
from end_to_end.farm import RUNNING_SECONDS

from longshore.testing.wait import wait_until

AGENT = "eks-pod-identity-agent"
AGENT_SECONDS = 120
PROGRAM = """
import boto3, json
session = boto3.Session()
credentials = session.get_credentials()
found = {"method": credentials and credentials.method}
if credentials:
    found["arn"] = session.client("sts").get_caller_identity()["Arn"]
print(json.dumps(found))
"""


def trusting(principal, *actions, **condition):
    statement = {"Effect": "Allow", "Principal": principal, "Action": list(actions), **condition}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def role(cloud, name, document):
    return cloud.iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]


@pytest.fixture(scope="module")
def annotated(farm, cloud):
    """A role that the service account `annotated` of the cluster may have, by its tokens."""
    issuer = farm.describe()["identity"]["oidc"]["issuer"]
    provider = cloud.iam.create_open_id_connect_provider(
        Url=issuer, ClientIDList=["sts.amazonaws.com"]
    )["OpenIDConnectProviderArn"]
    url = issuer.removeprefix("https://")
    claims = {
        f"{url}:aud": "sts.amazonaws.com",
        f"{url}:sub": "system:serviceaccount:default:annotated",
    }
    document = trusting(
        {"Federated": provider},
        "sts:AssumeRoleWithWebIdentity",
        Condition={"StringEquals": claims},
    )
    arn = role(cloud, "annotated-pods", document)
    farm.apply(service_account("annotated", {"eks.amazonaws.com/role-arn": arn}))
    return arn


@pytest.fixture(scope="module")
def associated(farm, cloud):
    """A role that the service account `associated` has by an association; the agent runs."""
    farm.eks.create_addon(clusterName=farm.name, addonName=AGENT)
    pods = {"Service": "pods.eks.amazonaws.com"}
    wanted = {"StringEquals": {"aws:RequestTag/kubernetes-service-account": "associated"}}
    document = trusting(pods, "sts:AssumeRole", "sts:TagSession", Condition=wanted)
    arn = role(cloud, "associated-pods", document)
    farm.eks.create_pod_identity_association(
        clusterName=farm.name, namespace="default", serviceAccount="associated", roleArn=arn
    )
    farm.apply(service_account("associated"))

    def active():
        told = farm.eks.describe_addon(clusterName=farm.name, addonName=AGENT)["addon"]
        return told["status"] == "ACTIVE"

    wait_until(active, AGENT_SECONDS, "the agent runs on each node")
    return arn


def service_account(name, annotations=None):
    metadata = {"name": name, "annotations": annotations or {}}
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}


def said(farm, image, account):
    """What the program says in a pod of this service account, and the pod's variables."""
    name = f"who-{account}"
    container = {
        "name": "main",
        "image": image,
        "args": ["-c", PROGRAM],
        # Otherwise a pod without a role would speak as its node.
        "env": [{"name": "AWS_EC2_METADATA_DISABLED", "value": "true"}],
    }
    spec = {"serviceAccountName": account, "restartPolicy": "Never", "containers": [container]}
    farm.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})

    def ended():
        pod = farm.read("get", "pod", name)
        return pod if pod["status"].get("phase") in {"Succeeded", "Failed"} else None

    pod = wait_until(ended, RUNNING_SECONDS, f"the pod {name} has ended")
    log = farm.run("logs", name).stdout
    farm.run("delete", "pod", name, "--wait=false")
    assert pod["status"]["phase"] == "Succeeded", log
    variables = {each["name"] for each in pod["spec"]["containers"][0]["env"]}
    return json.loads(log.strip().splitlines()[-1]), variables


def test_a_pod_of_an_annotated_service_account_speaks_as_its_role(farm, python_image, annotated):
    found, _ = said(farm, python_image, "annotated")
    assert found["method"] == "assume-role-with-web-identity"
    assert f":assumed-role/{annotated.rpartition('/')[2]}/" in found["arn"]


def test_a_pod_of_an_associated_service_account_speaks_as_its_role(farm, python_image, associated):
    found, _ = said(farm, python_image, "associated")
    assert found["method"] == "container-role"
    named = f":assumed-role/{associated.rpartition('/')[2]}/eks-{farm.name}-who-associa-"
    assert named in found["arn"]


def test_a_pod_of_any_other_service_account_is_told_nothing(farm, python_image, associated):
    found, variables = said(farm, python_image, "default")
    assert found == {"method": None}
    assert variables == {"AWS_EC2_METADATA_DISABLED"}
