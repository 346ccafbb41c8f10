"""Encryption of clusters' secrets as it is asked for, allowed and shown."""

import json
from typing import Any

import pytest
from integration.services.eks.eks_plane import REGION, Clusters
from integration.services.iam.iam_plane import ACCOUNT, allow

VIA = {"StringEquals": {"kms:ViaService": f"eks.{REGION}.amazonaws.com"}}
INVALID = "InvalidParameterException"


def of(key: str, *resources: str) -> list[dict[str, Any]]:
    """An `encryptionConfig`."""
    return [{"resources": list(resources or ("secrets",)), "provider": {"keyArn": key}}]


async def kms(clusters: Clusters, operation: str, **request: Any) -> Any:
    return await clusters.plane.admin.call(operation, service="kms", **request)


async def new_key(clusters: Clusters) -> str:
    return str((await kms(clusters, "create_key"))["KeyMetadata"]["Arn"])


async def running(clusters: Clusters, **asked: Any) -> Any:
    made = await clusters.create("web", **asked)
    await clusters.become("web", status="ACTIVE", version=made["version"])
    return made


async def associate(clusters: Clusters, key: str, **more: Any) -> Any:
    asked = {"clusterName": "web", "encryptionConfig": of(key), **more}
    return (await clusters.call("associate_encryption_config", **asked))["update"]


async def test_a_cluster_may_be_made_with_a_key_which_its_role_may_use_then(
    clusters: Clusters,
) -> None:
    key = await new_key(clusters)
    made = await running(clusters, encryptionConfig=of(key))
    assert made["encryptionConfig"] == of(key)
    (grant,) = (await kms(clusters, "list_grants", KeyId=key))["Grants"]
    assert grant["GranteePrincipal"] == clusters.role
    assert grant["Operations"] == ["Decrypt", "DescribeKey", "Encrypt"]
    assert grant["Constraints"]["EncryptionContextEquals"] == {"aws:eks:cluster-arn": made["arn"]}


async def test_a_cluster_without_a_key_says_nothing_of_one(clusters: Clusters) -> None:
    assert "encryptionConfig" not in await running(clusters)


async def test_a_running_cluster_gets_a_key_by_an_update_once(clusters: Clusters) -> None:
    await running(clusters)
    key = await new_key(clusters)
    update = await associate(clusters, key, clientRequestToken="a")
    assert (update["type"], update["status"]) == ("AssociateEncryptionConfig", "InProgress")
    (param,) = update["params"]
    assert (param["type"], json.loads(param["value"])) == ("EncryptionConfig", of(key))
    assert (await associate(clusters, key, clientRequestToken="a"))["id"] == update["id"]
    assert (await clusters.describe("web"))["encryptionConfig"] == of(key)


async def test_a_key_is_not_changed_for_another(clusters: Clusters) -> None:
    await running(clusters, encryptionConfig=of(await new_key(clusters)))
    asked = {"clusterName": "web", "encryptionConfig": of(await new_key(clusters))}
    code, _ = await clusters.error("associate_encryption_config", **asked)
    assert code == "InvalidRequestException"


async def test_an_alias_stands_for_the_key_that_it_has_now(clusters: Clusters) -> None:
    key = await new_key(clusters)
    await kms(clusters, "create_alias", AliasName="alias/eks", TargetKeyId=key)
    alias = f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/eks"
    assert (await running(clusters, encryptionConfig=of(alias)))["encryptionConfig"] == of(key)


@pytest.mark.parametrize(
    "configuration",
    [
        of("1234"),
        of(f"arn:aws:kms:{REGION}:{ACCOUNT}:key/00000000-0000-4000-8000-000000000000"),
        of(f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/00000000-0000-4000-8000-000000000000"),
        of("arn:aws:s3:::bucket"),
    ],
)
async def test_what_is_no_key_makes_no_cluster(clusters: Clusters, configuration: Any) -> None:
    code, _ = await clusters.refused(encryptionConfig=configuration)
    assert code == INVALID
    assert (await clusters.call("list_clusters"))["clusters"] == []


async def test_secrets_alone_are_encrypted(clusters: Clusters) -> None:
    key = await new_key(clusters)
    for configuration in (of(key, "configmaps"), of(key, "secrets", "pods"), of(key) * 2):
        code, _ = await clusters.refused(encryptionConfig=configuration)
        assert code == INVALID


async def test_a_key_that_is_of_no_use_makes_no_cluster(clusters: Clusters) -> None:
    key = await new_key(clusters)
    await kms(clusters, "disable_key", KeyId=key)
    assert (await clusters.refused(encryptionConfig=of(key)))[0] == INVALID
    assert (await kms(clusters, "list_grants", KeyId=key))["Grants"] == []


async def test_who_makes_the_cluster_must_be_allowed_to_make_the_grant(clusters: Clusters) -> None:
    key = await new_key(clusters)
    everything = allow("eks:*", "ec2:*", "iam:*")
    rights = [allow("kms:DescribeKey"), allow("kms:CreateGrant", Condition=VIA)]
    for name, statements, allowed in (
        ("ann", [], False),
        ("bob", rights[:1], False),
        ("cyd", rights, True),
    ):
        who = await clusters.plane.user(name, everything, *statements)
        asked = clusters.request(name, encryptionConfig=of(key))
        assert await who.may("create_cluster", service="eks", **asked) is allowed
        granted = {"KeyId": key, "GranteePrincipal": clusters.role, "Operations": ["Encrypt"]}
        assert not await who.may("create_grant", service="kms", **granted)
    assert (await clusters.call("list_clusters"))["clusters"] == ["cyd"]
