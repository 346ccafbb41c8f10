"""VPCs, subnets, route tables and gateways, as boto3 sees them."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import Ec2


def tag_filter(**tags: str) -> list[dict[str, Any]]:
    return [{"Name": f"tag:{key}", "Values": [value]} for key, value in tags.items()]


async def test_default_vpc_has_a_public_subnet_in_each_of_three_zones(ec2: "Ec2") -> None:
    vpc_id = await ec2.default_vpc()
    of_vpc = [{"Name": "vpc-id", "Values": [vpc_id]}]
    subnets = (await ec2.call("describe_subnets", Filters=of_vpc))["Subnets"]
    assert {s["AvailabilityZone"] for s in subnets} == {"us-east-1a", "us-east-1b", "us-east-1c"}
    assert all(s["MapPublicIpOnLaunch"] and s["DefaultForAz"] for s in subnets)
    assert all(s["AvailableIpAddressCount"] == 4091 for s in subnets)
    (table,) = (await ec2.call("describe_route_tables", Filters=of_vpc))["RouteTables"]
    assert table["Associations"][0]["Main"]
    routes = {r["DestinationCidrBlock"]: r for r in table["Routes"]}
    assert routes["0.0.0.0/0"]["GatewayId"].startswith("igw-")
    assert routes["172.31.0.0/16"]["GatewayId"] == "local"
    assert {r["State"] for r in table["Routes"]} == {"active"}
    (acl,) = (await ec2.call("describe_network_acls", Filters=of_vpc))["NetworkAcls"]
    assert len(acl["Associations"]) == 3
    (options,) = (await ec2.call("describe_dhcp_options"))["DhcpOptions"]
    values = {c["Key"]: c["Values"][0]["Value"] for c in options["DhcpConfigurations"]}
    assert values == {"domain-name": "ec2.internal", "domain-name-servers": "AmazonProvidedDNS"}
    code, _ = await ec2.error("create_default_vpc")
    assert code == "DefaultVpcAlreadyExists"


async def test_vpc_with_everything_in_it_is_made_routed_and_taken_down(ec2: "Ec2") -> None:
    vpc = await ec2.vpc()
    subnet = await ec2.subnet(vpc)
    made = await ec2.call("create_internet_gateway")
    gateway = made["InternetGateway"]["InternetGatewayId"]
    table = (await ec2.call("create_route_table", VpcId=vpc))["RouteTable"]["RouteTableId"]
    to_gateway = {"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": gateway}
    code, message = await ec2.error("create_route", RouteTableId=table, **to_gateway)
    assert (code, "belong to different networks" in message) == ("InvalidParameterValue", True)
    await ec2.call("attach_internet_gateway", InternetGatewayId=gateway, VpcId=vpc)
    await ec2.call("create_route", RouteTableId=table, **to_gateway)
    assert await ec2.error("create_route", RouteTableId=table, **to_gateway) == (
        "RouteAlreadyExists",
        "The route identified by 0.0.0.0/0 already exists.",
    )
    association = (await ec2.call("associate_route_table", RouteTableId=table, SubnetId=subnet))[
        "AssociationId"
    ]
    by_subnet = [{"Name": "association.subnet-id", "Values": [subnet]}]
    (found,) = (await ec2.call("describe_route_tables", Filters=by_subnet))["RouteTables"]
    assert found["RouteTableId"] == table
    for operation, request in (
        ("delete_vpc", {"VpcId": vpc}),
        ("delete_route_table", {"RouteTableId": table}),
        ("delete_internet_gateway", {"InternetGatewayId": gateway}),
    ):
        assert (await ec2.error(operation, **request))[0] == "DependencyViolation"
    await ec2.call("disassociate_route_table", AssociationId=association)
    await ec2.call("delete_route", RouteTableId=table, DestinationCidrBlock="0.0.0.0/0")
    await ec2.call("delete_route_table", RouteTableId=table)
    await ec2.call("detach_internet_gateway", InternetGatewayId=gateway, VpcId=vpc)
    await ec2.call("delete_internet_gateway", InternetGatewayId=gateway)
    await ec2.call("delete_subnet", SubnetId=subnet)
    await ec2.call("delete_vpc", VpcId=vpc)
    assert await ec2.error("describe_vpcs", VpcIds=[vpc]) == (
        "InvalidVpcID.NotFound",
        f"The vpc ID '{vpc}' does not exist",
    )


@pytest.mark.parametrize(
    ("operation", "request_", "code"),
    [
        ("create_vpc", {"CidrBlock": "10.0.0.0"}, "InvalidParameterValue"),
        ("create_vpc", {"CidrBlock": "10.0.0.0/8"}, "InvalidVpc.Range"),
        ("create_vpc", {"CidrBlock": "169.254.16.0/20"}, "InvalidVpc.Range"),
        ("create_vpc", {"CidrBlock": "300.0.0.0/16"}, "InvalidParameterValue"),
        ("create_subnet", {"VpcId": "vpc-0", "CidrBlock": "10.0.0.0/24"}, "InvalidVpcID.NotFound"),
        ("delete_subnet", {"SubnetId": "subnet-0"}, "InvalidSubnetID.NotFound"),
        ("describe_subnets", {"SubnetIds": ["subnet-0"]}, "InvalidSubnetID.NotFound"),
        (
            "describe_vpcs",
            {"Filters": [{"Name": "colour", "Values": ["red"]}]},
            "InvalidParameterValue",
        ),
        ("describe_vpcs", {"MaxResults": 6, "VpcIds": ["vpc-0"]}, "InvalidParameterCombination"),
        ("describe_vpcs", {"NextToken": "x"}, "InvalidNextToken"),
        ("create_vpc", {"CidrBlock": "10.0.0.0/16", "DryRun": True}, "DryRunOperation"),
        ("run_instances", {"MinCount": 1, "MaxCount": 1}, "MissingParameter"),
        ("create_nat_gateway", {"SubnetId": "subnet-0"}, "NotImplemented"),
    ],
)
async def test_bad_calls_get_the_errors_of_aws(
    ec2: "Ec2", operation: str, request_: dict[str, Any], code: str
) -> None:
    assert (await ec2.error(operation, **request_))[0] == code


async def test_subnets_stay_within_their_vpc_and_off_each_other(ec2: "Ec2") -> None:
    vpc = await ec2.vpc()
    await ec2.subnet(vpc, "10.0.0.0/24")
    for cidr, code in (
        ("10.0.0.128/25", "InvalidSubnet.Conflict"),
        ("10.1.0.0/24", "InvalidSubnet.Range"),
        ("10.0.1.0/29", "InvalidSubnet.Range"),
    ):
        assert (await ec2.error("create_subnet", VpcId=vpc, CidrBlock=cidr))[0] == code
    wrong_zone = {"VpcId": vpc, "CidrBlock": "10.0.9.0/24", "AvailabilityZone": "us-east-1z"}
    assert (await ec2.error("create_subnet", **wrong_zone))[0] == "InvalidParameterValue"
    await ec2.call("associate_vpc_cidr_block", VpcId=vpc, CidrBlock="10.1.0.0/16")
    await ec2.subnet(vpc, "10.1.0.0/24")
    (table,) = (
        await ec2.call("describe_route_tables", Filters=[{"Name": "vpc-id", "Values": [vpc]}])
    )["RouteTables"]
    assert {r["DestinationCidrBlock"] for r in table["Routes"]} == {"10.0.0.0/16", "10.1.0.0/16"}


def pages(answer: Any) -> Iterator[str]:
    return (vpc["VpcId"] for vpc in answer["Vpcs"])


async def test_pages_give_every_vpc_once_and_filters_take_wildcards(ec2: "Ec2") -> None:
    made = {
        (
            await ec2.call(
                "create_vpc",
                CidrBlock=f"10.{n}.0.0/16",
                TagSpecifications=[
                    {"ResourceType": "vpc", "Tags": [{"Key": "stage", "Value": f"test-{n}"}]}
                ],
            )
        )["Vpc"]["VpcId"]
        for n in range(11)
    }
    seen: list[str] = []
    token: dict[str, str] = {}
    while True:
        page = await ec2.call(
            "describe_vpcs",
            MaxResults=5,
            Filters=[{"Name": "tag:stage", "Values": ["test-*"]}],
            **token,
        )
        seen += pages(page)
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    assert sorted(seen) == sorted(made)
    single = await ec2.call("describe_vpcs", Filters=tag_filter(stage="test-?"))
    assert len(single["Vpcs"]) == 10
    literal = await ec2.call("describe_vpcs", Filters=tag_filter(stage="test-\\*"))
    assert literal["Vpcs"] == []


async def test_tags_are_added_changed_listed_and_removed(ec2: "Ec2") -> None:
    vpc = await ec2.vpc()
    tags = [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]
    await ec2.call("create_tags", Resources=[vpc], Tags=tags)
    await ec2.call("create_tags", Resources=[vpc], Tags=[{"Key": "a", "Value": "3"}])
    await ec2.call("delete_tags", Resources=[vpc], Tags=[{"Key": "b", "Value": "other"}])
    of_vpc = [{"Name": "resource-id", "Values": [vpc]}]
    listed = (await ec2.call("describe_tags", Filters=of_vpc))["Tags"]
    assert {(t["Key"], t["Value"]) for t in listed} == {("a", "3"), ("b", "2")}
    await ec2.call("delete_tags", Resources=[vpc])
    assert (await ec2.call("describe_tags", Filters=of_vpc))["Tags"] == []
    reserved = {"Resources": [vpc], "Tags": [{"Key": "aws:x", "Value": ""}]}
    assert (await ec2.error("create_tags", **reserved))[0] == "InvalidParameterValue"


async def test_iam_is_asked_for_each_resource_with_its_tags(ec2: "Ec2") -> None:
    tags = [{"ResourceType": "vpc", "Tags": [{"Key": "stage", "Value": "test"}]}]
    made = await ec2.call("create_vpc", CidrBlock="10.0.0.0/16", TagSpecifications=tags)
    ec2.identity.asked.clear()
    await ec2.subnet(made["Vpc"]["VpcId"])
    asked = {arn: conditions for _, arn, conditions in ec2.identity.asked}
    prefix = "arn:aws:ec2:us-east-1:123456789012"
    assert asked.keys() == {f"{prefix}:subnet/*", f"{prefix}:vpc/{made['Vpc']['VpcId']}"}
    assert {action for action, _, _ in ec2.identity.asked} == {"ec2:CreateSubnet"}


async def test_attributes_of_vpcs_and_subnets_are_changed(ec2: "Ec2") -> None:
    vpc = await ec2.vpc()
    subnet = await ec2.subnet(vpc)
    await ec2.call("modify_vpc_attribute", VpcId=vpc, EnableDnsHostnames={"Value": True})
    answer = await ec2.call("describe_vpc_attribute", VpcId=vpc, Attribute="enableDnsHostnames")
    assert answer["EnableDnsHostnames"] == {"Value": True}
    await ec2.call("modify_subnet_attribute", SubnetId=subnet, MapPublicIpOnLaunch={"Value": True})
    (found,) = (await ec2.call("describe_subnets", SubnetIds=[subnet]))["Subnets"]
    assert found["MapPublicIpOnLaunch"]


async def test_regions_zones_types_and_attributes_are_told(ec2: "Ec2") -> None:
    regions = (await ec2.call("describe_regions"))["Regions"]
    assert "eu-west-1" in {region["RegionName"] for region in regions}
    zones = (await ec2.call("describe_availability_zones"))["AvailabilityZones"]
    assert [zone["ZoneId"] for zone in zones] == ["use1-az1", "use1-az2", "use1-az3"]
    (kind,) = (await ec2.call("describe_instance_types", InstanceTypes=["m5.large"]))[
        "InstanceTypes"
    ]
    assert (kind["VCpuInfo"]["DefaultVCpus"], kind["MemoryInfo"]["SizeInMiB"]) == (2, 8192)
    assert kind["NetworkInfo"]["MaximumNetworkInterfaces"] == 3
    code, _ = await ec2.error("describe_instance_types", InstanceTypes=["p5.48xlarge"])
    assert code == "InvalidInstanceType"
    attributes = (await ec2.call("describe_account_attributes"))["AccountAttributes"]
    named = {a["AttributeName"]: a["AttributeValues"][0]["AttributeValue"] for a in attributes}
    assert named["default-vpc"] == await ec2.default_vpc()


async def test_key_pairs_are_made_listed_and_deleted(ec2: "Ec2") -> None:
    made = await ec2.call("create_key_pair", KeyName="mine", KeyType="ed25519")
    assert "PRIVATE KEY" in made["KeyMaterial"]
    assert (await ec2.error("create_key_pair", KeyName="mine"))[0] == "InvalidKeyPair.Duplicate"
    shown = await ec2.call("describe_key_pairs", KeyNames=["mine"], IncludePublicKey=True)
    public = shown["KeyPairs"][0]["PublicKey"]
    imported = await ec2.call("import_key_pair", KeyName="same", PublicKeyMaterial=public.encode())
    assert imported["KeyFingerprint"] == made["KeyFingerprint"]
    await ec2.call("delete_key_pair", KeyName="mine")
    assert (await ec2.error("describe_key_pairs", KeyNames=["mine"]))[
        0
    ] == "InvalidKeyPair.NotFound"
