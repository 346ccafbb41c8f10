"""Less travelled changes: replacing, revoking, describing anew."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from conftest import Ec2

OUTSIDE = "0.0.0.0/0"


async def gateway(ec2: "Ec2", vpc: str) -> str:
    made = (await ec2.call("create_internet_gateway"))["InternetGateway"]["InternetGatewayId"]
    await ec2.call("attach_internet_gateway", InternetGatewayId=made, VpcId=vpc)
    return str(made)


async def tables(ec2: "Ec2", vpc: str) -> list[Any]:
    of_vpc = [{"Name": "vpc-id", "Values": [vpc]}]
    return list((await ec2.call("describe_route_tables", Filters=of_vpc))["RouteTables"])


async def test_route_is_replaced_and_gone_gateway_is_a_black_hole(ec2: "Ec2") -> None:
    vpc = await ec2.vpc()
    igw = await gateway(ec2, vpc)
    (main,) = await tables(ec2, vpc)
    route = {"RouteTableId": main["RouteTableId"], "DestinationCidrBlock": OUTSIDE}
    assert (await ec2.error("replace_route", **route, GatewayId=igw))[0] == "InvalidRoute.NotFound"
    await ec2.call("create_route", **route, GatewayId=igw)
    await ec2.call("replace_route", **route, GatewayId=igw)
    local = {**route, "DestinationCidrBlock": "10.0.0.0/16"}
    assert (await ec2.error("delete_route", **local))[0] == "InvalidParameterValue"
    within = {**route, "DestinationCidrBlock": "10.0.5.0/24", "GatewayId": igw}
    assert (await ec2.error("create_route", **within))[0] == "InvalidParameterValue"
    await ec2.call("detach_internet_gateway", InternetGatewayId=igw, VpcId=vpc)
    (main,) = await tables(ec2, vpc)
    states = {r["DestinationCidrBlock"]: r["State"] for r in main["Routes"]}
    assert states == {"10.0.0.0/16": "active", OUTSIDE: "blackhole"}
    again = {"InternetGatewayId": igw, "VpcId": vpc}
    assert (await ec2.error("detach_internet_gateway", **again))[0] == "Gateway.NotAttached"


async def test_vpc_has_one_internet_gateway(ec2: "Ec2") -> None:
    vpc, other = await ec2.vpc(), await ec2.vpc()
    igw = await gateway(ec2, vpc)
    elsewhere = {"InternetGatewayId": igw, "VpcId": other}
    assert (await ec2.error("attach_internet_gateway", **elsewhere))[0] == (
        "Resource.AlreadyAssociated"
    )
    second = (await ec2.call("create_internet_gateway"))["InternetGateway"]["InternetGatewayId"]
    assert await ec2.error("attach_internet_gateway", InternetGatewayId=second, VpcId=vpc) == (
        "InvalidParameterValue",
        f"Network {vpc} already has an internet gateway attached",
    )


async def test_main_table_and_a_subnets_table_are_replaced(ec2: "Ec2") -> None:
    vpc = await ec2.vpc()
    subnet = await ec2.subnet(vpc)
    (main,) = await tables(ec2, vpc)
    other = (await ec2.call("create_route_table", VpcId=vpc))["RouteTable"]["RouteTableId"]
    association = main["Associations"][0]["RouteTableAssociationId"]
    change = {"AssociationId": association, "RouteTableId": other}
    await ec2.call("replace_route_table_association", **change)
    mains = {
        t["RouteTableId"]: [a["Main"] for a in t["Associations"]] for t in await tables(ec2, vpc)
    }
    assert mains == {main["RouteTableId"]: [], other: [True]}
    made = await ec2.call(
        "associate_route_table", RouteTableId=main["RouteTableId"], SubnetId=subnet
    )
    moved = await ec2.call(
        "replace_route_table_association",
        AssociationId=made["AssociationId"],
        RouteTableId=other,
    )
    again = {"RouteTableId": main["RouteTableId"], "SubnetId": subnet}
    assert (await ec2.error("associate_route_table", **again))[0] == "Resource.AlreadyAssociated"
    await ec2.call("disassociate_route_table", AssociationId=moved["NewAssociationId"])


async def test_further_range_is_given_up_when_no_subnet_is_in_it(ec2: "Ec2") -> None:
    vpc = await ec2.vpc()
    added = await ec2.call("associate_vpc_cidr_block", VpcId=vpc, CidrBlock="10.9.0.0/16")
    association = added["CidrBlockAssociation"]["AssociationId"]
    subnet = await ec2.subnet(vpc, "10.9.1.0/24")
    request = {"AssociationId": association}
    assert (await ec2.error("disassociate_vpc_cidr_block", **request))[0] == "DependencyViolation"
    await ec2.call("delete_subnet", SubnetId=subnet)
    await ec2.call("disassociate_vpc_cidr_block", **request)
    (shown,) = (await ec2.call("describe_vpcs", VpcIds=[vpc]))["Vpcs"]
    assert [a["CidrBlock"] for a in shown["CidrBlockAssociationSet"]] == ["10.0.0.0/16"]
    (table,) = await tables(ec2, vpc)
    assert len(table["Routes"]) == 1
    first = {"AssociationId": shown["CidrBlockAssociationSet"][0]["AssociationId"]}
    assert (await ec2.error("disassociate_vpc_cidr_block", **first))[0] == "OperationNotPermitted"


async def test_egress_is_narrowed_and_rules_get_descriptions(ec2: "Ec2") -> None:
    group = await ec2.group(await ec2.default_vpc())
    everything = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": OUTSIDE}]}
    await ec2.call("revoke_security_group_egress", GroupId=group, IpPermissions=[everything])
    https = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443}
    ranges = {"IpRanges": [{"CidrIp": OUTSIDE}], "Ipv6Ranges": [{"CidrIpv6": "::/0"}]}
    permission = {**https, **ranges}
    await ec2.call("authorize_security_group_egress", GroupId=group, IpPermissions=[permission])
    told = {**https, "IpRanges": [{"CidrIp": OUTSIDE, "Description": "the web"}]}
    await ec2.call(
        "update_security_group_rule_descriptions_egress", GroupId=group, IpPermissions=[told]
    )
    (shown,) = (await ec2.call("describe_security_groups", GroupIds=[group]))["SecurityGroups"]
    (out,) = shown["IpPermissionsEgress"]
    assert out["IpRanges"] == [{"CidrIp": OUTSIDE, "Description": "the web"}]
    assert out["Ipv6Ranges"] == [{"CidrIpv6": "::/0"}]


async def test_what_there_is_none_of_is_listed_empty(ec2: "Ec2") -> None:
    assert (await ec2.call("describe_prefix_lists"))["PrefixLists"] == []
    assert (await ec2.call("describe_managed_prefix_lists"))["PrefixLists"] == []
    assert (await ec2.call("describe_addresses_attribute"))["Addresses"] == []


async def test_types_are_offered_in_every_zone(ec2: "Ec2") -> None:
    offered = await ec2.call(
        "describe_instance_type_offerings",
        LocationType="availability-zone",
        Filters=[{"Name": "instance-type", "Values": ["m5.large"]}],
    )
    places = {offer["Location"] for offer in offered["InstanceTypeOfferings"]}
    assert places == {"us-east-1a", "us-east-1b", "us-east-1c"}


async def test_attributes_of_an_eni_are_changed_and_told(ec2: "Ec2") -> None:
    eni = (await ec2.eni(await ec2.subnet(await ec2.vpc())))["NetworkInterfaceId"]
    changes: tuple[tuple[str, str, dict[str, Any]], ...] = (
        ("Description", "description", {"Value": "mine"}),
        ("SourceDestCheck", "sourceDestCheck", {"Value": False}),
    )
    for member, attribute, value in changes:
        request = {"NetworkInterfaceId": eni, member: value}
        await ec2.call("modify_network_interface_attribute", **request)
        told = await ec2.call(
            "describe_network_interface_attribute", NetworkInterfaceId=eni, Attribute=attribute
        )
        assert told[member] == value
