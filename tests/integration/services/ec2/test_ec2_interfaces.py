"""Security groups, ENIs and elastic addresses, as boto3 sees them."""

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import Ec2

HTTP = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}


async def rules(ec2: "Ec2", group: str) -> list[Any]:
    of_group = [{"Name": "group-id", "Values": [group]}]
    found = await ec2.call("describe_security_group_rules", Filters=of_group)
    return list(found["SecurityGroupRules"])


async def test_new_group_allows_everything_out_and_nothing_in(ec2: "Ec2") -> None:
    vpc = await ec2.default_vpc()
    group = await ec2.group(vpc)
    (shown,) = (await ec2.call("describe_security_groups", GroupIds=[group]))["SecurityGroups"]
    assert shown["IpPermissions"] == []
    (out,) = shown["IpPermissionsEgress"]
    assert (out["IpProtocol"], out["IpRanges"]) == ("-1", [{"CidrIp": "0.0.0.0/0"}])
    assert "FromPort" not in out
    duplicate = {"GroupName": "web", "Description": "x", "VpcId": vpc}
    assert await ec2.error("create_security_group", **duplicate) == (
        "InvalidGroup.Duplicate",
        f"The security group 'web' already exists for VPC '{vpc}'",
    )


async def test_rules_are_authorized_gathered_and_revoked(ec2: "Ec2") -> None:
    group = await ec2.group(await ec2.default_vpc())
    other = await ec2.group(await ec2.default_vpc(), "clients")
    both = {**HTTP, "UserIdGroupPairs": [{"GroupId": other, "Description": "clients"}]}
    made = await ec2.call("authorize_security_group_ingress", GroupId=group, IpPermissions=[both])
    assert len(made["SecurityGroupRules"]) == 2
    assert all(
        rule["SecurityGroupRuleId"].startswith("sgr-") for rule in made["SecurityGroupRules"]
    )
    (shown,) = (await ec2.call("describe_security_groups", GroupIds=[group]))["SecurityGroups"]
    (permission,) = shown["IpPermissions"]
    assert permission["IpRanges"] == [{"CidrIp": "0.0.0.0/0"}]
    assert permission["UserIdGroupPairs"][0]["GroupId"] == other
    code, _ = await ec2.error(
        "authorize_security_group_ingress", GroupId=group, IpPermissions=[HTTP]
    )
    assert code == "InvalidPermission.Duplicate"
    assert (await ec2.error("delete_security_group", GroupId=other))[0] == "DependencyViolation"
    await ec2.call("revoke_security_group_ingress", GroupId=group, IpPermissions=[both])
    code, _ = await ec2.error("revoke_security_group_ingress", GroupId=group, IpPermissions=[HTTP])
    assert code == "InvalidPermission.NotFound"
    await ec2.call("delete_security_group", GroupId=other)


async def test_flat_form_and_rule_ids_work_too(ec2: "Ec2") -> None:
    await ec2.group(await ec2.default_vpc())
    flat = {"IpProtocol": "udp", "FromPort": 53, "ToPort": 54, "CidrIp": "10.1.2.3/16"}
    await ec2.call("authorize_security_group_ingress", GroupName="web", **flat)
    (group,) = (await ec2.call("describe_security_groups", GroupNames=["web"]))["SecurityGroups"]
    (permission,) = group["IpPermissions"]
    assert permission["IpRanges"] == [{"CidrIp": "10.1.0.0/16"}]
    (rule,) = [r for r in await rules(ec2, group["GroupId"]) if not r["IsEgress"]]
    rule_id = rule["SecurityGroupRuleId"]
    change = {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 2, "CidrIpv4": "10.2.0.0/16"}
    await ec2.call(
        "modify_security_group_rules",
        GroupId=group["GroupId"],
        SecurityGroupRules=[{"SecurityGroupRuleId": rule_id, "SecurityGroupRule": change}],
    )
    (rule,) = [r for r in await rules(ec2, group["GroupId"]) if not r["IsEgress"]]
    assert rule | change == rule and rule["SecurityGroupRuleId"] == rule_id
    await ec2.call(
        "revoke_security_group_ingress",
        GroupId=group["GroupId"],
        SecurityGroupRuleIds=[rule_id],
    )
    assert all(r["IsEgress"] for r in await rules(ec2, group["GroupId"]))


@pytest.mark.parametrize(
    ("permission", "code"),
    [
        ({"IpProtocol": "tcp", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}, "InvalidParameterValue"),
        ({**HTTP, "FromPort": 90}, "InvalidParameterValue"),
        ({**HTTP, "ToPort": 70000}, "InvalidParameterValue"),
        ({**HTTP, "IpProtocol": "quic"}, "InvalidPermission.Malformed"),
        ({**HTTP, "IpRanges": [{"CidrIp": "10.0.0.0/33"}]}, "InvalidParameterValue"),
        ({**HTTP, "UserIdGroupPairs": [{"GroupId": "sg-0"}]}, "InvalidGroup.NotFound"),
    ],
)
async def test_bad_rules_are_refused_whole(ec2: "Ec2", permission: Any, code: str) -> None:
    group = await ec2.group(await ec2.default_vpc())
    request = {"GroupId": group, "IpPermissions": [HTTP, permission]}
    assert (await ec2.error("authorize_security_group_ingress", **request))[0] == code
    assert len(await rules(ec2, group)) == 1


async def test_eni_has_an_address_of_its_subnet_and_holds_its_group(ec2: "Ec2") -> None:
    vpc = await ec2.vpc()
    subnet, group = await ec2.subnet(vpc, "10.0.1.0/28"), await ec2.group(vpc)
    eni = await ec2.eni(subnet, Groups=[group], Description="mine")
    assert eni["PrivateIpAddress"].startswith("10.0.1.")
    assert eni["Groups"] == [{"GroupId": group, "GroupName": "web"}]
    assert (await ec2.error("delete_security_group", GroupId=group))[0] == "DependencyViolation"
    assert (await ec2.error("delete_subnet", SubnetId=subnet))[0] == "DependencyViolation"
    for address, code in (
        ("10.0.1.1", "InvalidParameterValue"),
        ("10.0.2.1", "InvalidParameterValue"),
        (eni["PrivateIpAddress"], "InvalidIPAddress.InUse"),
    ):
        request = {"SubnetId": subnet, "PrivateIpAddress": address}
        assert (await ec2.error("create_network_interface", **request))[0] == code
    found = await ec2.call(
        "describe_network_interfaces", Filters=[{"Name": "group-id", "Values": [group]}]
    )
    assert [e["NetworkInterfaceId"] for e in found["NetworkInterfaces"]] == [
        eni["NetworkInterfaceId"]
    ]
    await ec2.call("delete_network_interface", NetworkInterfaceId=eni["NetworkInterfaceId"])
    (shown,) = (await ec2.call("describe_subnets", SubnetIds=[subnet]))["Subnets"]
    assert shown["AvailableIpAddressCount"] == 11


async def test_eni_whose_specification_has_no_address_gets_one(ec2: "Ec2") -> None:
    subnet = await ec2.subnet(await ec2.vpc())
    eni = await ec2.eni(subnet, PrivateIpAddresses=[{"Primary": True}])
    assert eni["PrivateIpAddress"].startswith("10.0.1.")


async def test_description_of_no_rule_is_refused(ec2: "Ec2") -> None:
    code, _ = await ec2.error(
        "update_security_group_rule_descriptions_ingress",
        GroupId=await ec2.group(await ec2.vpc()),
        SecurityGroupRuleDescriptions=[{"Description": "of none"}],
    )
    assert code == "InvalidSecurityGroupRuleId.NotFound"


async def test_subnet_gives_each_address_once_and_then_says_that_it_is_full(ec2: "Ec2") -> None:
    subnet = await ec2.subnet(await ec2.vpc(), "10.0.1.0/28")
    given = {(await ec2.eni(subnet))["PrivateIpAddress"] for _ in range(11)}
    assert given == {f"10.0.1.{n}" for n in range(4, 15)}
    assert (await ec2.error("create_network_interface", SubnetId=subnet)) == (
        "InsufficientFreeAddressesInSubnet",
        "The specified subnet does not have enough free addresses to satisfy the request.",
    )


async def test_call_repeated_with_its_client_token_makes_one_thing(ec2: "Ec2") -> None:
    subnet = await ec2.subnet(await ec2.vpc())
    made = [await ec2.eni(subnet, ClientToken="once") for _ in range(2)]
    assert made[0]["NetworkInterfaceId"] == made[1]["NetworkInterfaceId"]
    other = {"SubnetId": subnet, "ClientToken": "once", "Description": "another"}
    code, _ = await ec2.error("create_network_interface", **other)
    assert code == "IdempotentParameterMismatch"


async def test_elastic_address_goes_from_eni_to_eni(ec2: "Ec2") -> None:
    subnet = await ec2.subnet(await ec2.vpc())
    one, other = [(await ec2.eni(subnet))["NetworkInterfaceId"] for _ in range(2)]
    elastic = await ec2.call("allocate_address", Domain="vpc")
    allocation = elastic["AllocationId"]
    assert elastic["PublicIp"].startswith("198.19.7.")
    await ec2.call("associate_address", AllocationId=allocation, NetworkInterfaceId=one)
    taken = {"AllocationId": allocation, "NetworkInterfaceId": other}
    code, _ = await ec2.error("associate_address", **taken, AllowReassociation=False)
    assert code == "Resource.AlreadyAssociated"
    moved = await ec2.call("associate_address", **taken, AllowReassociation=True)
    shown = await ec2.call("describe_network_interfaces", NetworkInterfaceIds=[other])
    assert shown["NetworkInterfaces"][0]["Association"]["PublicIp"] == elastic["PublicIp"]
    assert (await ec2.error("release_address", AllocationId=allocation))[0] == (
        "InvalidIPAddress.InUse"
    )
    await ec2.call("disassociate_address", AssociationId=moved["AssociationId"])
    await ec2.call("release_address", AllocationId=allocation)
    assert (await ec2.call("describe_addresses"))["Addresses"] == []


async def test_groups_of_an_eni_are_changed_within_its_vpc_only(ec2: "Ec2") -> None:
    vpc = await ec2.vpc()
    eni = (await ec2.eni(await ec2.subnet(vpc)))["NetworkInterfaceId"]
    group = await ec2.group(vpc)
    request = {"NetworkInterfaceId": eni, "Groups": [group]}
    await ec2.call("modify_network_interface_attribute", **request)
    answer = await ec2.call(
        "describe_network_interface_attribute", NetworkInterfaceId=eni, Attribute="groupSet"
    )
    assert [g["GroupId"] for g in answer["Groups"]] == [group]
    foreign = await ec2.group(await ec2.default_vpc())
    request = {"NetworkInterfaceId": eni, "Groups": [foreign]}
    assert (await ec2.error("modify_network_interface_attribute", **request))[0] == (
        "InvalidParameter"
    )
