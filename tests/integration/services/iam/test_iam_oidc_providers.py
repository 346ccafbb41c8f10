"""OpenID Connect providers, as boto3 sees them."""

from typing import Any

import pytest
from integration.services.iam.iam_plane import ACCOUNT, Caller, Plane, allow, document

URL = "https://oidc.eks.us-east-1.longshore.internal:4567/id/0123456789ABCDEF0123456789ABCDEF"
ARN = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{URL.removeprefix('https://')}"
PRINT = "990F4193972F2BECF12DDEDA5237F9C952F20D9E"
ON = {"OpenIDConnectProviderArn": ARN}
MISSING = ("NoSuchEntity", f"OpenIDConnect Provider not found for arn {ARN}", 404)


async def create(admin: Caller, url: str = URL, **more: Any) -> Any:
    return await admin.call("create_open_id_connect_provider", Url=url, **more)


async def got(admin: Caller) -> Any:
    return await admin.call("get_open_id_connect_provider", **ON)


async def clients(admin: Caller) -> list[str]:
    return list((await got(admin))["ClientIDList"])


async def test_a_provider_is_told_as_it_was_made(admin: Caller) -> None:
    tags = [{"Key": "stage", "Value": "prod"}]
    made = await create(
        admin, ClientIDList=["sts.amazonaws.com"], ThumbprintList=[PRINT], Tags=tags
    )
    assert made == {"OpenIDConnectProviderArn": ARN, "Tags": tags}
    told = await got(admin)
    assert told.pop("CreateDate")
    assert told == {
        "Url": URL.removeprefix("https://"),
        "ClientIDList": ["sts.amazonaws.com"],
        "ThumbprintList": [PRINT.lower()],
        "Tags": tags,
    }


async def test_providers_are_listed_by_arn(admin: Caller) -> None:
    listed = "list_open_id_connect_providers"
    assert (await admin.call(listed))["OpenIDConnectProviderList"] == []
    await create(admin)
    await create(admin, "https://example.com")
    arns = [each["Arn"] for each in (await admin.call(listed))["OpenIDConnectProviderList"]]
    assert sorted(arns) == sorted([ARN, f"arn:aws:iam::{ACCOUNT}:oidc-provider/example.com"])
    assert (await admin.call("get_account_summary"))["SummaryMap"]["Providers"] == 2


async def test_a_url_is_a_provider_once_and_to_the_letter(admin: Caller) -> None:
    await create(admin)
    assert await admin.error("create_open_id_connect_provider", Url=URL) == (
        "EntityAlreadyExists",
        f"Provider with url {URL} already exists.",
        409,
    )
    await create(admin, f"{URL}/")
    await create(admin, URL.lower())


@pytest.mark.parametrize("url", ["example.com", "example", "https://", "https:///id", "//a"])
async def test_what_is_no_url_is_refused(admin: Caller, url: str) -> None:
    assert await admin.error("create_open_id_connect_provider", Url=url) == (
        "ValidationError",
        "Invalid Open ID Connect Provider URL",
        400,
    )


@pytest.mark.parametrize("url", ["http://example.com", "ftp://example.com", "HTTPS://example.com"])
async def test_a_url_begins_with_https(admin: Caller, url: str) -> None:
    assert await admin.error("create_open_id_connect_provider", Url=url) == (
        "InvalidInput",
        "Invalid Open ID Connect Provider URL. The URL must begin with https://.",
        400,
    )


@pytest.mark.parametrize(
    "rest",
    [
        *("example.com?a=1", "example.com#a", "example.com?", "example.com/#", "a:b@example.com"),
        *("exa_mple.com", "-example.com", "example..com", "example.com:", "example.com:0"),
        *("example.com/a b", "example.com/ä", "ex\tample.com", "example.com/\n"),
    ],
)
async def test_a_url_is_a_host_and_a_path(admin: Caller, rest: str) -> None:
    code, message, _ = await admin.error("create_open_id_connect_provider", Url=f"https://{rest}")
    assert (code, message) == ("InvalidInput", "Invalid Open ID Connect Provider URL.")


async def test_limits_are_aws_s(admin: Caller) -> None:
    async def refused(url: str = URL, **more: Any) -> Any:
        return await admin.error("create_open_id_connect_provider", Url=url, **more)

    assert (await refused(f"https://{'a.' * 130}com"))[0] == "ValidationError"
    assert (await refused(ThumbprintList=["a" * 39]))[0] == "ValidationError"
    assert (await refused(ClientIDList=["a" * 256]))[0] == "ValidationError"
    assert await refused(ThumbprintList=[f"{number}" * 40 for number in range(6)]) == (
        "InvalidInput",
        "Thumbprint list must contain fewer than 5 entries.",
        400,
    )
    many = [f"client-{number}" for number in range(101)]
    over = ("LimitExceeded", "Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: 100", 409)
    assert await refused(ClientIDList=many) == over
    await create(admin, ClientIDList=many[:100])
    added = await admin.error("add_client_id_to_open_id_connect_provider", **ON, ClientID="more")
    assert added == over


async def test_an_account_has_a_hundred_providers(admin: Caller) -> None:
    for number in range(100):
        await create(admin, f"https://example.com/{number}")
    assert await admin.error("create_open_id_connect_provider", Url=URL) == (
        "LimitExceeded",
        "Cannot exceed quota for OpenIdConnectProvidersPerAccount: 100",
        409,
    )


async def test_clients_come_and_go_as_often_as_one_says(admin: Caller) -> None:
    await create(admin)
    for _ in range(2):
        await admin.call("add_client_id_to_open_id_connect_provider", **ON, ClientID="a")
        assert await clients(admin) == ["a"]
    for _ in range(2):
        await admin.call("remove_client_id_from_open_id_connect_provider", **ON, ClientID="a")
        assert await clients(admin) == []


async def test_thumbprints_are_replaced(admin: Caller) -> None:
    await create(admin, ThumbprintList=[PRINT])
    update = "update_open_id_connect_provider_thumbprint"
    await admin.call(update, **ON, ThumbprintList=["B" * 40, "a" * 40])
    assert (await got(admin))["ThumbprintList"] == ["b" * 40, "a" * 40]
    code, message, _ = await admin.error(update, **ON, ThumbprintList=["1" * 40] * 6)
    assert (code, message) == (
        "InvalidInput",
        "Thumbprint list must contain fewer than 5 entries.",
    )


async def test_tags_are_kept_listed_and_taken_away(admin: Caller) -> None:
    await create(admin)
    tags = [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]
    await admin.call("tag_open_id_connect_provider", **ON, Tags=tags)
    listed = await admin.call("list_open_id_connect_provider_tags", **ON, MaxItems=1)
    assert (listed["Tags"], listed["IsTruncated"]) == (tags[:1], True)
    await admin.call("untag_open_id_connect_provider", **ON, TagKeys=["A"])
    assert (await got(admin))["Tags"] == tags[1:]


async def test_deletion_is_complete_and_may_be_repeated(admin: Caller) -> None:
    await create(admin)
    for _ in range(2):
        await admin.call("delete_open_id_connect_provider", **ON)
    assert await admin.error("get_open_id_connect_provider", **ON) == MISSING


@pytest.mark.parametrize(
    ("operation", "more"),
    [
        ("get_open_id_connect_provider", {}),
        ("add_client_id_to_open_id_connect_provider", {"ClientID": "a"}),
        ("remove_client_id_from_open_id_connect_provider", {"ClientID": "a"}),
        ("update_open_id_connect_provider_thumbprint", {"ThumbprintList": ["a" * 40]}),
        ("tag_open_id_connect_provider", {"Tags": [{"Key": "a", "Value": "b"}]}),
        ("untag_open_id_connect_provider", {"TagKeys": ["a"]}),
        ("list_open_id_connect_provider_tags", {}),
    ],
)
async def test_what_is_not_there_is_said_to_be_missing(
    admin: Caller, operation: str, more: dict[str, Any]
) -> None:
    assert await admin.error(operation, **ON, **more) == MISSING


@pytest.mark.parametrize(
    ("arn", "said"),
    [
        ("not an ARN but long enough", "Invalid ARN: not an ARN but long enough"),
        (f"arn:aws:iam::{ACCOUNT}:role/example.com", "Invalid resource type in ARN"),
    ],
)
async def test_an_arn_is_a_providers(admin: Caller, arn: str, said: str) -> None:
    for operation in ("get_open_id_connect_provider", "delete_open_id_connect_provider"):
        code, message, _ = await admin.error(operation, OpenIDConnectProviderArn=arn)
        assert (code, message) == ("ValidationError", said)


async def test_identity_propagation_is_not_built(admin: Caller) -> None:
    code, _, status = await admin.error(
        "create_open_id_connect_provider", Url=URL, ContextProvider={"SubjectSourceKey": "sub"}
    )
    assert (code, status) == ("NotImplemented", 501)


async def test_policies_name_providers_by_arn_and_by_tag(plane: Plane) -> None:
    await create(plane.admin, Tags=[{"Key": "team", "Value": "a"}])
    other = "arn:aws:iam::*:oidc-provider/example.com"
    ann = await plane.user("ann", allow("iam:*OpenIDConnect*", resource=ARN))
    bob = await plane.user("bob", allow("iam:*OpenIDConnect*", resource=other))
    condition = {"StringEquals": {"aws:ResourceTag/team": "a"}}
    eve = await plane.user("eve", allow("iam:GetOpenIDConnectProvider", Condition=condition))
    for who, may in ((ann, True), (bob, False), (eve, True)):
        assert await who.may("get_open_id_connect_provider", **ON) is may
    assert await bob.may("create_open_id_connect_provider", Url="https://example.com")
    assert not await ann.may("create_open_id_connect_provider", Url="https://example.org")
    assert not await ann.may("list_open_id_connect_providers")
    stranger = ARN.replace(ACCOUNT, "210987654321")
    assert not await plane.admin.may(
        "get_open_id_connect_provider", OpenIDConnectProviderArn=stranger
    )


@pytest.mark.parametrize("name", ["*", "example.com", f"arn:aws:iam::{ACCOUNT}:role/web", ""])
async def test_roles_trust_providers_and_nothing_like_them(admin: Caller, name: str) -> None:
    statement = {"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity"}

    def trusting(provider: str) -> str:
        return document({**statement, "Principal": {"Federated": provider}})

    await admin.call("create_role", RoleName="ok", AssumeRolePolicyDocument=trusting(ARN))
    code, message, _ = await admin.error(
        "create_role", RoleName="web", AssumeRolePolicyDocument=trusting(name)
    )
    assert (code, message) == (
        "MalformedPolicyDocument",
        f'Invalid principal in policy: "FEDERATED":"{name}"',
    )
