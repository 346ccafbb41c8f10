"""What the kubelet shows to the API server and to registries."""

import json
import time
from datetime import datetime

import pytest
from integration.node.node_instance import KEY

from longshore.authenticator import tokens

IMAGE = "111122223333.dkr.ecr.eu-west-1.registry.test:4567/team/app:1"


def request(image: str, version: str = "v1") -> str:
    return json.dumps(
        {
            "apiVersion": f"credentialprovider.kubelet.k8s.io/{version}",
            "kind": "CredentialProviderRequest",
            "image": image,
        }
    )


def test_token_is_taken_for_its_cluster_and_for_no_other(instance):
    told = json.loads(instance.node("token", "--cluster", "shop").out)
    assert told["kind"] == "ExecCredential"
    presigned = tokens.read(told["status"]["token"])
    assert presigned.host == "sts.eu-west-1.amazonaws.com"
    assert presigned.signed.access_key_id == KEY["AccessKeyId"]
    tokens.check(presigned, "shop", KEY["SecretAccessKey"], time.time())
    for cluster, secret in (("other", KEY["SecretAccessKey"]), ("shop", "another")):
        with pytest.raises(tokens.Refused):
            tokens.check(presigned, cluster, secret, time.time())


def test_token_is_asked_for_anew_before_it_ends(instance):
    told = json.loads(instance.node("token", "--cluster", "shop", "--region", "us-east-1").out)
    ends = datetime.fromisoformat(told["status"]["expirationTimestamp"]).timestamp()
    assert 800 < ends - time.time() < tokens.LIFETIME_SECONDS
    assert tokens.read(told["status"]["token"]).host == "sts.us-east-1.amazonaws.com"


def test_instance_without_a_role_has_no_token_and_says_why(instance):
    del instance.metadata["meta-data/iam/security-credentials/"]
    done = instance.node("token", "--cluster", "shop")
    assert (done.code, done.out) == (1, "")
    assert "the instance has no role" in done.err


def test_role_that_cannot_be_had_is_told_as_the_metadata_tell_it(instance):
    refused = {"Code": "AssumeRoleUnauthorizedAccess", "Message": "EC2 cannot assume the role"}
    instance.metadata["meta-data/iam/security-credentials/node-role"] = json.dumps(refused)
    done = instance.node("token", "--cluster", "shop")
    assert done.code == 1
    assert "node-role: AssumeRoleUnauthorizedAccess EC2 cannot assume the role" in done.err


def test_token_without_a_cluster_is_refused(instance):
    done = instance.node("token")
    assert done.code == 1
    assert "--cluster" in done.err


def test_kubelet_gets_a_login_for_the_images_registry(instance):
    done = instance.node("image-credentials", given=request(IMAGE))
    told = json.loads(done.out)
    assert told["kind"] == "CredentialProviderResponse"
    host = IMAGE.partition("/")[0]
    assert told["auth"] == {host: {"username": "AWS", "password": "the-password"}}
    assert instance.calls[0]["registryIds"] == ["111122223333"]


@pytest.mark.parametrize(
    "image", ["docker.io/library/nginx", "1.dkr.ecr.eu-west-1.amazonaws.com/x", "nginx", ""]
)
def test_no_login_is_given_for_other_registries(instance, image):
    done = instance.node("image-credentials", given=request(image))
    assert (done.code, done.out) == (1, "")
    assert "no image of a private registry of ECR" in done.err
    assert instance.calls == []


def test_request_of_another_version_is_refused(instance):
    done = instance.node("image-credentials", given=request(IMAGE, "v2"))
    assert done.code == 1
    assert "credentialprovider.kubelet.k8s.io/v1" in done.err
