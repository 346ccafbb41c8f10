"""Parameter Store, as boto3 sees it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from integration.services.served import Served, serving

from longshore.base.sealing import Sealer
from longshore.services.ssm import service


@pytest.fixture
async def ssm(tmp_path: Path) -> AsyncIterator[Served]:
    sealer = Sealer.load_or_create(tmp_path / "sealing.key")
    async with serving(tmp_path, [service(sealer)]) as served:
        yield served


async def test_parameter_reads_back_by_name_version_label_and_arn(ssm: Served):
    put = await ssm.call("put_parameter", Name="/app/db/host", Value="one", Type="String")
    assert put == {"Version": 1, "Tier": "Standard"}
    await ssm.call("put_parameter", Name="/app/db/host", Value="two", Overwrite=True)
    await ssm.call(
        "label_parameter_version", Name="/app/db/host", ParameterVersion=1, Labels=["prod"]
    )
    for name, value in (
        ("/app/db/host", "two"),
        ("/app/db/host:1", "one"),
        ("/app/db/host:prod", "one"),
        ("arn:aws:ssm:us-east-1:123456789012:parameter/app/db/host", "two"),
    ):
        found = (await ssm.call("get_parameter", Name=name))["Parameter"]
        assert (found["Value"], found["Name"]) == (value, "/app/db/host")
    assert found["ARN"] == "arn:aws:ssm:us-east-1:123456789012:parameter/app/db/host"


async def test_secure_string_is_sealed_in_the_store_and_opened_on_demand(
    ssm: Served, tmp_path: Path
):
    secret = "correct horse battery staple"
    await ssm.call("put_parameter", Name="password", Value=secret, Type="SecureString")
    sealed = (await ssm.call("get_parameter", Name="password"))["Parameter"]["Value"]
    opened = await ssm.call("get_parameter", Name="password", WithDecryption=True)
    assert secret not in sealed
    assert opened["Parameter"]["Value"] == secret
    files = [path.read_bytes() for path in tmp_path.iterdir() if path.name.startswith("state.db")]
    assert files and not any(secret.encode() in content for content in files)


async def test_get_parameters_tells_which_names_are_invalid(ssm: Served):
    await ssm.call("put_parameter", Name="a", Value="1", Type="String")
    found = await ssm.call("get_parameters", Names=["a", "b", "a:9"])
    assert [each["Name"] for each in found["Parameters"]] == ["a"]
    assert sorted(found["InvalidParameters"]) == ["a:9", "b"]


async def test_path_is_listed_in_pages_one_level_or_all(ssm: Served):
    for name in ("/a/1", "/a/2", "/a/b/3", "/ab/4", "plain"):
        await ssm.call("put_parameter", Name=name, Value="x", Type="String")

    async def under(path: str, **options: object) -> list[str]:
        names: list[str] = []
        token: dict[str, str] = {}
        while True:
            found = await ssm.call(
                "get_parameters_by_path", Path=path, MaxResults=1, **options, **token
            )
            names += [each["Name"] for each in found["Parameters"]]
            if "NextToken" not in found:
                return names
            token = {"NextToken": found["NextToken"]}

    assert await under("/a") == ["/a/1", "/a/2"]
    assert await under("/a/", Recursive=True) == ["/a/1", "/a/2", "/a/b/3"]
    assert (
        await under(
            "/a", Recursive=True, ParameterFilters=[{"Key": "Type", "Values": ["SecureString"]}]
        )
        == []
    )


async def test_describe_filters_by_name_tag_and_path(ssm: Served):
    tags = [{"Key": "stage", "Value": "prod"}]
    await ssm.call("put_parameter", Name="/x/one", Value="1", Type="String", Tags=tags)
    await ssm.call("put_parameter", Name="/x/two", Value="a,b", Type="StringList")

    async def names(**chosen: object) -> list[str]:
        found = await ssm.call("describe_parameters", ParameterFilters=[chosen])
        return [each["Name"] for each in found["Parameters"]]

    assert await names(Key="tag:stage", Values=["prod"]) == ["/x/one"]
    assert await names(Key="Name", Option="Contains", Values=["tw"]) == ["/x/two"]
    assert await names(Key="Path", Option="Recursive", Values=["/x"]) == ["/x/one", "/x/two"]
    assert await names(Key="Type", Values=["StringList"]) == ["/x/two"]


async def test_history_tells_every_version_with_its_labels(ssm: Served):
    await ssm.call("put_parameter", Name="p", Value="1", Type="String")
    await ssm.call("put_parameter", Name="p", Value="2", Overwrite=True)
    found = await ssm.call(
        "label_parameter_version", Name="p", Labels=["good", "aws-reserved", "1st"]
    )
    assert found == {"InvalidLabels": ["aws-reserved", "1st"], "ParameterVersion": 2}
    history = (await ssm.call("get_parameter_history", Name="p"))["Parameters"]
    assert [(each["Version"], each["Value"], each["Labels"]) for each in history] == [
        (1, "1", []),
        (2, "2", ["good"]),
    ]
    assert history[0]["LastModifiedUser"] == "arn:aws:iam::123456789012:root"


async def test_tags_are_added_listed_and_removed(ssm: Served):
    await ssm.call("put_parameter", Name="p", Value="1", Type="String")
    target = {"ResourceType": "Parameter", "ResourceId": "p"}
    await ssm.call("add_tags_to_resource", **target, Tags=[{"Key": "k", "Value": "v"}])
    assert (await ssm.call("list_tags_for_resource", **target))["TagList"] == [
        {"Key": "k", "Value": "v"}
    ]
    await ssm.call("remove_tags_from_resource", **target, TagKeys=["k"])
    assert (await ssm.call("list_tags_for_resource", **target))["TagList"] == []


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({"Name": "a/b", "Value": "x", "Type": "String"}, "ValidationException"),
        ({"Name": "/a//b", "Value": "x", "Type": "String"}, "ValidationException"),
        ({"Name": "ssm-x", "Value": "x", "Type": "String"}, "ValidationException"),
        ({"Name": "/aws/x", "Value": "x", "Type": "String"}, "AccessDeniedException"),
        ({"Name": "no-type", "Value": "x"}, "ValidationException"),
        ({"Name": "long", "Value": "x" * 4097, "Type": "String"}, "ValidationException"),
        (
            {"Name": "/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16", "Value": "x", "Type": "String"},
            "HierarchyLevelLimitExceededException",
        ),
        (
            {"Name": "p", "Value": "x", "Type": "String", "AllowedPattern": "^[0-9]+$"},
            "ParameterPatternMismatchException",
        ),
        ({"Name": "exists", "Value": "x", "Type": "String"}, "ParameterAlreadyExists"),
        (
            {"Name": "own", "Value": "x", "Type": "SecureString", "KeyId": "alias/mine"},
            "NotImplemented",
        ),
        (
            {"Name": "exists", "Value": "x", "Type": "SecureString", "Overwrite": True},
            "HierarchyTypeMismatchException",
        ),
    ],
)
async def test_wrong_parameter_is_refused_with_aws_code(ssm: Served, request_: dict, code: str):
    await ssm.call("put_parameter", Name="exists", Value="1", Type="String")
    assert (await ssm.error("put_parameter", **request_))[0] == code


async def test_pattern_that_would_never_end_is_given_up_and_nobody_waits(ssm: Served):
    await ssm.call("put_parameter", Name="p", Value="1", Type="String")
    bad = {"Value": "a" * 60 + "!", "Type": "String", "AllowedPattern": "^(a|aa)+$"}
    refused = asyncio.create_task(ssm.error("put_parameter", Name="bad", **bad))
    await asyncio.wait_for(ssm.call("get_parameter", Name="p"), 5)
    assert (await refused)[0] == "ParameterPatternMismatchException"


@pytest.mark.parametrize("pattern", ["(", "[z-a]", "(?<x", "*", "(a{9999}){9999}"])
async def test_pattern_that_is_none_is_refused(ssm: Served, pattern: str):
    request = {"Name": "p", "Value": "1", "Type": "String", "AllowedPattern": pattern}
    assert (await ssm.error("put_parameter", **request))[0] == "InvalidAllowedPatternException"


async def test_missing_parameters_are_told_as_aws_does(ssm: Served):
    assert (await ssm.error("get_parameter", Name="none"))[0] == "ParameterNotFound"
    assert (await ssm.error("delete_parameter", Name="none"))[0] == "ParameterNotFound"
    await ssm.call("put_parameter", Name="p", Value="1", Type="String")
    assert (await ssm.error("get_parameter", Name="p:7"))[0] == "ParameterVersionNotFound"
    deleted = await ssm.call("delete_parameters", Names=["p", "none"])
    assert deleted == {"DeletedParameters": ["p"], "InvalidParameters": ["none"]}


async def test_authorisation_is_asked_for_the_parameters_arn(ssm: Served):
    await ssm.call("put_parameter", Name="/a/b", Value="1", Type="String")
    action, arn, _ = ssm.identity.asked[-1]
    assert (action, arn) == (
        "ssm:PutParameter",
        "arn:aws:ssm:us-east-1:123456789012:parameter/a/b",
    )


async def test_unbuilt_operation_says_so(ssm: Served):
    code, _ = await ssm.error("list_documents")
    assert code == "NotImplemented"


async def test_public_parameters_name_the_machine_images_in_every_account(ssm: Served):
    path = "/aws/service/eks/optimized-ami/1.35/amazon-linux-2023/x86_64/standard/recommended"
    found = (await ssm.call("get_parameter", Name=f"{path}/image_id"))["Parameter"]
    assert found["Value"].startswith("ami-")
    assert found["ARN"] == f"arn:aws:ssm:us-east-1::parameter{path}/image_id"
    by_arn = (await ssm.call("get_parameter", Name=found["ARN"]))["Parameter"]
    assert by_arn["Value"] == found["Value"]
    listed = (await ssm.call("get_parameters_by_path", Path=path))["Parameters"]
    assert [each["Name"].removeprefix(f"{path}/") for each in listed] == [
        "image_id",
        "image_name",
        "release_version",
    ]
    several = await ssm.call("get_parameters", Names=[path, f"{path}/none"])
    assert found["Value"] in several["Parameters"][0]["Value"]
    assert several["InvalidParameters"] == [f"{path}/none"]
    asked = [arn for action, arn, _ in ssm.identity.asked if action == "ssm:GetParameter"]
    assert set(asked) == {found["ARN"]}
    assert (await ssm.call("describe_parameters"))["Parameters"] == []
