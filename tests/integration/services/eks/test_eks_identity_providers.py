"""Identity providers of clusters as they are asked for, allowed and shown."""

import json
from typing import Any

import pytest
from integration.services.eks.eks_plane import REGION, Clusters
from integration.services.iam.iam_plane import ACCOUNT, allow

INVALID = "InvalidParameterException"
ISSUER = "https://login.example.com/realms/harbour"
OIDC = {"identityProviderConfigName": "harbour", "issuerUrl": ISSUER, "clientId": "kubernetes"}
NAMED = {"clusterName": "web", "identityProviderConfig": {"type": "oidc", "name": "harbour"}}


@pytest.fixture
async def web(clusters: Clusters) -> Clusters:
    """With the running cluster `web`."""
    await clusters.create("web")
    await clusters.become("web", status="ACTIVE", version="1.36", issuer="https://own.example.com")
    return clusters


async def associate(clusters: Clusters, **oidc: Any) -> Any:
    call = clusters.call("associate_identity_provider_config", **asked(oidc))
    return (await call)["update"]


def asked(oidc: Any) -> dict[str, Any]:
    return {"clusterName": "web", "oidc": {**OIDC, **oidc}}


async def described(clusters: Clusters) -> Any:
    told = await clusters.call("describe_identity_provider_config", **NAMED)
    return told["identityProviderConfig"]["oidc"]


async def listed(clusters: Clusters) -> Any:
    told = await clusters.call("list_identity_provider_configs", clusterName="web")
    return told["identityProviderConfigs"]


async def test_an_identity_provider_comes_by_an_update(web: Clusters) -> None:
    answer = await web.call(
        "associate_identity_provider_config", **asked({"groupsClaim": "groups"}), tags={"a": "b"}
    )
    update = answer["update"]
    assert answer["tags"] == {"a": "b"}
    assert (update["type"], update["status"]) == ("AssociateIdentityProviderConfig", "InProgress")
    (param,) = update["params"]
    shown = [{"type": "oidc", "name": "harbour"}]
    assert (param["type"], json.loads(param["value"])) == ("IdentityProviderConfig", shown)
    assert (await described(web))["status"] == "CREATING"
    await web.end_updates("web")
    found = await described(web)
    arn = f"arn:aws:eks:{REGION}:{ACCOUNT}:identityproviderconfig/web/oidc/harbour/"
    assert found.pop("identityProviderConfigArn").startswith(arn)
    assert found == {
        **OIDC,
        "clusterName": "web",
        "usernameClaim": "sub",
        "groupsClaim": "groups",
        "tags": {"a": "b"},
        "status": "ACTIVE",
    }
    assert await listed(web) == shown


async def test_the_same_call_makes_one(web: Clusters) -> None:
    first = await associate_with_token(web)
    assert (await associate_with_token(web))["id"] == first["id"]
    assert len(await listed(web)) == 1


async def associate_with_token(clusters: Clusters) -> Any:
    call = clusters.call(
        "associate_identity_provider_config", **asked({}), clientRequestToken="once"
    )
    return (await call)["update"]


async def test_a_cluster_has_one_identity_provider(web: Clusters) -> None:
    await associate(web)
    await web.end_updates("web")
    code, _ = await web.error("associate_identity_provider_config", **asked({}))
    assert code == "ResourceInUseException"
    other = asked({"identityProviderConfigName": "other"})
    code, _ = await web.error("associate_identity_provider_config", **other)
    assert code == "InvalidRequestException"


async def test_an_identity_provider_goes_by_an_update(web: Clusters) -> None:
    await associate(web)
    code, _ = await web.error("disassociate_identity_provider_config", **NAMED)
    assert code == "ResourceInUseException", "its update is in progress"
    await web.end_updates("web")
    update = (await web.call("disassociate_identity_provider_config", **NAMED))["update"]
    assert update["type"] == "DisassociateIdentityProviderConfig"
    assert (await described(web))["status"] == "DELETING"


@pytest.mark.parametrize(
    "oidc",
    [
        {"issuerUrl": "http://login.example.com"},
        {"issuerUrl": "https://login.example.com?realm=harbour"},
        {"issuerUrl": "https://login.example.com#harbour"},
        {"issuerUrl": "https://ann:secret@login.example.com"},
        {"issuerUrl": "https://"},
        {"issuerUrl": "https://[::1"},
        {"issuerUrl": "https://own.example.com"},
        {"identityProviderConfigName": "../harbour"},
        {"clientId": ""},
        {"usernamePrefix": "system:"},
        {"groupsPrefix": "my-system:"},
        {"requiredClaims": {"hd": ""}},
        {"requiredClaims": {"c" * 64: "x"}},
    ],
)
async def test_what_cannot_be_an_identity_provider_is_refused_at_once(
    web: Clusters, oidc: Any
) -> None:
    code, _ = await web.error("associate_identity_provider_config", **asked(oidc))
    assert code == INVALID
    assert await listed(web) == []


async def test_what_is_not_there_is_not_found(web: Clusters) -> None:
    for operation in ("describe_identity_provider_config", "disassociate_identity_provider_config"):
        assert (await web.error(operation, **NAMED))[0] == "ResourceNotFoundException"
    saml = {"clusterName": "web", "identityProviderConfig": {"type": "saml", "name": "harbour"}}
    assert (await web.error("describe_identity_provider_config", **saml))[0] == INVALID


async def test_its_tags_are_changed_by_its_arn(web: Clusters) -> None:
    await associate(web)
    arn = (await described(web))["identityProviderConfigArn"]
    await web.call("tag_resource", resourceArn=arn, tags={"team": "harbour"})
    assert (await described(web))["tags"] == {"team": "harbour"}
    await web.call("untag_resource", resourceArn=arn, tagKeys=["team"])
    assert (await web.call("list_tags_for_resource", resourceArn=arn))["tags"] == {}


async def test_policies_say_whose_issuer_may_be_associated(web: Clusters) -> None:
    condition = {"StringEquals": {"eks:issuerUrl": ISSUER, "eks:clientId": "kubernetes"}}
    action = "eks:AssociateIdentityProviderConfig"
    ann = await web.plane.user("ann", allow(action, Condition=condition))
    other = asked({"issuerUrl": "https://elsewhere.example.com"})
    code, _ = await web.error("associate_identity_provider_config", by=ann, **other)
    assert code == "AccessDeniedException"
    await web.call("associate_identity_provider_config", by=ann, **asked({}))
    code, _ = await web.error("describe_identity_provider_config", by=ann, **NAMED)
    assert code == "AccessDeniedException"
