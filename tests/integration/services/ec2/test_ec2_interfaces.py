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


async def interface(ec2: "Ec2", **more: Any) -> Any:
    subnet = (await ec2.call("describe_subnets"))["Subnets"][0]["SubnetId"]
    made = await ec2.call("create_network_interface", SubnetId=subnet, **more)
    return made["NetworkInterface"]


async def private_addresses(ec2: "Ec2", eni: str) -> list[str]:
    """All of them, the primary one first."""
    found = await ec2.call("describe_network_interfaces", NetworkInterfaceIds=[eni])
    shown = found["NetworkInterfaces"][0]["PrivateIpAddresses"]
    assert [each["Primary"] for each in shown] == [True] + [False] * (len(shown) - 1)
    return [each["PrivateIpAddress"] for each in shown]


async def test_interface_is_made_with_the_addresses_that_it_is_asked_for_with(ec2: "Ec2") -> None:
    drawn = await interface(ec2, SecondaryPrivateIpAddressCount=2)
    assert len({each["PrivateIpAddress"] for each in drawn["PrivateIpAddresses"]}) == 3
    free = drawn["PrivateIpAddress"].rpartition(".")[0]
    chosen = [
        {"PrivateIpAddress": f"{free}.201", "Primary": True},
        {"PrivateIpAddress": f"{free}.202", "Primary": False},
    ]
    made = await interface(ec2, PrivateIpAddresses=chosen)
    assert await private_addresses(ec2, made["NetworkInterfaceId"]) == [
        f"{free}.201",
        f"{free}.202",
    ]
    two = [{**each, "Primary": True} for each in chosen]
    subnet = made["SubnetId"]
    code, _ = await ec2.error("create_network_interface", SubnetId=subnet, PrivateIpAddresses=two)
    assert code == "InvalidParameterCombination"


async def test_secondary_addresses_are_assigned_and_unassigned(ec2: "Ec2") -> None:
    made = await interface(ec2)
    eni, primary = made["NetworkInterfaceId"], made["PrivateIpAddress"]
    chosen = f"{primary.rpartition('.')[0]}.203"
    for wanted in ({"SecondaryPrivateIpAddressCount": 2}, {"PrivateIpAddresses": [chosen]}):
        given = await ec2.call("assign_private_ip_addresses", NetworkInterfaceId=eni, **wanted)
        assert len(given["AssignedPrivateIpAddresses"]) in {1, 2}
    shown = await private_addresses(ec2, eni)
    assert (shown[0], shown[-1], len(shown)) == (primary, chosen, 4)
    await ec2.call(
        "unassign_private_ip_addresses", NetworkInterfaceId=eni, PrivateIpAddresses=[chosen]
    )
    assert chosen not in await private_addresses(ec2, eni)
    again = await interface(ec2, PrivateIpAddress=chosen)
    assert again["PrivateIpAddress"] == chosen


async def test_address_of_another_interface_is_taken_only_where_that_is_allowed(
    ec2: "Ec2",
) -> None:
    first, second = await interface(ec2), await interface(ec2)
    given = await ec2.call(
        "assign_private_ip_addresses",
        NetworkInterfaceId=first["NetworkInterfaceId"],
        SecondaryPrivateIpAddressCount=1,
    )
    address = given["AssignedPrivateIpAddresses"][0]["PrivateIpAddress"]
    wanted = {"NetworkInterfaceId": second["NetworkInterfaceId"], "PrivateIpAddresses": [address]}
    assert (await ec2.error("assign_private_ip_addresses", **wanted))[0] == "InvalidIPAddress.InUse"
    await ec2.call("assign_private_ip_addresses", AllowReassignment=True, **wanted)
    assert await private_addresses(ec2, first["NetworkInterfaceId"]) == [first["PrivateIpAddress"]]
    assert address in await private_addresses(ec2, second["NetworkInterfaceId"])
    stolen = {**wanted, "PrivateIpAddresses": [first["PrivateIpAddress"]]}
    code, _ = await ec2.error("assign_private_ip_addresses", AllowReassignment=True, **stolen)
    assert code == "InvalidIPAddress.InUse"


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({}, "MissingParameter"),
        ({"SecondaryPrivateIpAddressCount": 50}, "PrivateIpAddressLimitExceeded"),
        ({"PrivateIpAddresses": ["192.0.2.1"]}, "InvalidParameterValue"),
        (
            {"PrivateIpAddresses": ["172.31.0.9"], "SecondaryPrivateIpAddressCount": 1},
            "InvalidParameterCombination",
        ),
        ({"Ipv4PrefixCount": 1}, "NotImplemented"),
    ],
)
async def test_addresses_that_cannot_be_had_are_refused(
    ec2: "Ec2", request_: dict[str, Any], code: str
) -> None:
    eni = (await interface(ec2))["NetworkInterfaceId"]
    found = await ec2.error("assign_private_ip_addresses", NetworkInterfaceId=eni, **request_)
    assert found[0] == code
    assert len(await private_addresses(ec2, eni)) == 1


async def test_primary_address_cannot_be_unassigned(ec2: "Ec2") -> None:
    made = await interface(ec2)
    code, _ = await ec2.error(
        "unassign_private_ip_addresses",
        NetworkInterfaceId=made["NetworkInterfaceId"],
        PrivateIpAddresses=[made["PrivateIpAddress"]],
    )
    assert code == "InvalidParameterValue"


async def test_each_private_address_may_have_an_elastic_one(ec2: "Ec2") -> None:
    made = await interface(ec2, SecondaryPrivateIpAddressCount=1)
    eni = made["NetworkInterfaceId"]
    pairs = {}
    for each in made["PrivateIpAddresses"]:
        elastic = await ec2.call("allocate_address")
        private = each["PrivateIpAddress"]
        await ec2.call(
            "associate_address",
            AllocationId=elastic["AllocationId"],
            NetworkInterfaceId=eni,
            PrivateIpAddress=private,
        )
        pairs[private] = elastic["PublicIp"]
    found = await ec2.call("describe_network_interfaces", NetworkInterfaceIds=[eni])
    (shown,) = found["NetworkInterfaces"]
    associated = {
        each["PrivateIpAddress"]: each["Association"]["PublicIp"]
        for each in shown["PrivateIpAddresses"]
    }
    assert associated == pairs
    assert shown["Association"]["PublicIp"] == pairs[shown["PrivateIpAddress"]]
    second = made["PrivateIpAddresses"][1]["PrivateIpAddress"]
    await ec2.call(
        "unassign_private_ip_addresses", NetworkInterfaceId=eni, PrivateIpAddresses=[second]
    )
    addresses = (await ec2.call("describe_addresses"))["Addresses"]
    assert [a["PublicIp"] for a in addresses if a.get("NetworkInterfaceId")] == [
        pairs[shown["PrivateIpAddress"]]
    ]
