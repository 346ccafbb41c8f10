"""Load balancers, target groups and listeners as boto3 makes and finds them."""

import asyncio

import pytest
from integration.services.elbv2.balancing_plane import Balancing
from integration.services.iam.iam_plane import allow

from longshore.model.elbv2 import LOAD_BALANCER
from longshore.model.instances import INSTANCE, Instance


async def stored(balancing: Balancing):
    return balancing.store.reader.scan(LOAD_BALANCER)


async def test_a_load_balancer_is_described_as_it_was_made(balancing: Balancing):
    made = await balancing.balancer(Tags=[{"Key": "team", "Value": "a"}])
    assert made["Type"] == "network"
    assert made["Scheme"] == "internet-facing"
    assert made["State"] == {"Code": "provisioning"}
    assert made["DNSName"].startswith("front-")
    assert made["DNSName"].endswith(".elb.us-east-1.longshore.internal")
    zones = [each["ZoneName"] for each in made["AvailabilityZones"]]
    assert zones == ["us-east-1a", "us-east-1b"]
    found = await balancing.call("describe_load_balancers", Names=["front"])
    assert found["LoadBalancers"] == [made]
    told = await balancing.call("describe_tags", ResourceArns=[made["LoadBalancerArn"]])
    assert told["TagDescriptions"][0]["Tags"] == [{"Key": "team", "Value": "a"}]


async def test_the_same_request_gives_the_same_load_balancer_and_another_one_is_refused(
    balancing: Balancing,
):
    first, second = await balancing.balancer(), await balancing.balancer()
    assert first["LoadBalancerArn"] == second["LoadBalancerArn"]
    code, message = await balancing.balancer_refused(Scheme="internal")
    assert code == "DuplicateLoadBalancerName"
    assert message == (
        "A load balancer with the same name 'front' exists, but with different settings"
    )


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"Type": "application"}, "NotImplemented"),
        ({"Type": None}, "NotImplemented"),
        ({"IpAddressType": "dualstack"}, "NotImplemented"),
        ({"name": "-front"}, "ValidationError"),
        ({"name": "fr_ont"}, "ValidationError"),
        ({"name": "f" * 33}, "ValidationError"),
        ({"Subnets": ["subnet-00000000000000000"]}, "SubnetNotFound"),
        ({"Subnets": None}, "ValidationError"),
        ({"SecurityGroups": ["sg-00000000000000000"]}, "InvalidSecurityGroup"),
        ({"Tags": [{"Key": "a"}, {"Key": "a"}]}, "DuplicateTagKeys"),
        ({"Tags": [{"Key": f"k{n}"} for n in range(51)]}, "TooManyTags"),
    ],
)
async def test_what_cannot_be_made_is_refused_and_leaves_nothing(balancing: Balancing, more, code):
    assert (await balancing.balancer_refused(**more))[0] == code
    assert not await stored(balancing)


async def test_two_subnets_of_one_zone_are_refused(balancing: Balancing):
    vpc = await balancing.ec2("create_vpc", CidrBlock="10.9.0.0/16")
    vpc_id = vpc["Vpc"]["VpcId"]
    ids = []
    for number in range(2):
        made = await balancing.ec2(
            "create_subnet",
            VpcId=vpc_id,
            CidrBlock=f"10.9.{number}.0/24",
            AvailabilityZone="us-east-1a",
        )
        ids.append(made["Subnet"]["SubnetId"])
    code, message = await balancing.balancer_refused(Subnets=ids)
    assert code == "InvalidConfigurationRequest"
    assert "same Availability Zone" in message
    code, message = await balancing.balancer_refused(Subnets=ids[:1])
    assert (code, message) == ("InvalidSubnet", f"VPC {vpc_id} has no internet gateway")
    assert await balancing.balancer(Subnets=ids[:1], Scheme="internal")


async def test_lists_come_in_pages(balancing: Balancing):
    for number in range(5):
        await balancing.group(f"web-{number}")
    client = balancing.plane.admin.client("elbv2")
    pages = client.get_paginator("describe_target_groups").paginate(
        PaginationConfig={"PageSize": 2}
    )
    told = await asyncio.to_thread(list, pages)
    found = [[each["TargetGroupName"] for each in page["TargetGroups"]] for page in told]
    assert [len(each) for each in found] == [2, 2, 1]
    assert len({name for page in found for name in page}) == 5


async def test_what_is_not_there_is_not_found(balancing: Balancing):
    missing = "arn:aws:elasticloadbalancing:us-east-1:123456789012:{}/{}/0123456789abcdef"
    balancer = missing.format("loadbalancer", "net/gone")
    group, listener = missing.format("targetgroup", "gone"), missing.format("listener", "net/gone")
    for operation, request, code in (
        ("describe_load_balancers", {"Names": ["gone"]}, "LoadBalancerNotFound"),
        ("describe_load_balancers", {"LoadBalancerArns": [balancer]}, "LoadBalancerNotFound"),
        ("describe_target_groups", {"Names": ["gone"]}, "TargetGroupNotFound"),
        ("describe_target_health", {"TargetGroupArn": group}, "TargetGroupNotFound"),
        ("describe_listeners", {"ListenerArns": [listener]}, "ListenerNotFound"),
        ("delete_listener", {"ListenerArn": listener}, "ListenerNotFound"),
        ("add_tags", {"ResourceArns": ["x"], "Tags": [{"Key": "a"}]}, "ValidationError"),
    ):
        assert (await balancing.error(operation, **request))[0] == code
    await balancing.call("delete_load_balancer", LoadBalancerArn=balancer)
    await balancing.call("delete_target_group", TargetGroupArn=group)


async def test_a_listener_forwards_to_a_group_which_is_in_use_then(balancing: Balancing):
    balancer, group = await balancing.balancer(), await balancing.group()
    listener = await balancing.listener(balancer, group)
    assert listener["DefaultActions"][0]["TargetGroupArn"] == group["TargetGroupArn"]
    code, message = await balancing.error(
        "delete_target_group", TargetGroupArn=group["TargetGroupArn"]
    )
    assert code == "ResourceInUse"
    assert message == (
        f"Target group '{group['TargetGroupArn']}' is currently in use by a listener or a rule"
    )
    told = await balancing.call(
        "describe_target_groups", LoadBalancerArn=balancer["LoadBalancerArn"]
    )
    assert told["TargetGroups"][0]["LoadBalancerArns"] == [balancer["LoadBalancerArn"]]
    await balancing.call("delete_load_balancer", LoadBalancerArn=balancer["LoadBalancerArn"])
    await balancing.call("delete_target_group", TargetGroupArn=group["TargetGroupArn"])


async def test_listeners_that_cannot_be_are_refused(balancing: Balancing):
    balancer, group = await balancing.balancer(), await balancing.group()
    other = await balancing.balancer("other")
    await balancing.listener(balancer, group)
    second = await balancing.group("second")
    for request, code in (
        ({}, "DuplicateListener"),
        ({"Protocol": "UDP", "Port": 53}, "NotImplemented"),
        ({"Protocol": "HTTP", "Port": 81}, "UnsupportedProtocol"),
        ({"Port": None}, "ValidationError"),
        ({"Port": 81, "DefaultActions": []}, "TooManyActions"),
        ({"Port": 81, "DefaultActions": [{"Type": "redirect"}]}, "InvalidLoadBalancerAction"),
    ):
        assert (await balancing.listener_refused(balancer, second, **request))[0] == code
    assert (await balancing.listener_refused(other, group))[0] == "TargetGroupAssociationLimit"
    listeners = await balancing.call(
        "describe_listeners", LoadBalancerArn=balancer["LoadBalancerArn"]
    )
    assert [each["Port"] for each in listeners["Listeners"]] == [80]


async def test_a_listener_moves_to_another_port_and_group(balancing: Balancing):
    balancer, group = await balancing.balancer(), await balancing.group()
    listener, other = await balancing.listener(balancer, group), await balancing.group("other")
    action = {"Type": "forward", "TargetGroupArn": other["TargetGroupArn"]}
    changed = await balancing.call(
        "modify_listener",
        ListenerArn=listener["ListenerArn"],
        Port=81,
        DefaultActions=[action],
    )
    assert changed["Listeners"][0]["Port"] == 81
    await balancing.call("delete_target_group", TargetGroupArn=group["TargetGroupArn"])


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"Protocol": "UDP"}, "NotImplemented"),
        ({"TargetType": "lambda"}, "NotImplemented"),
        ({"VpcId": "vpc-00000000000000000"}, "ValidationError"),
        ({"Port": None}, "ValidationError"),
        ({"HealthCheckPort": "http"}, "ValidationError"),
        ({"HealthCheckPath": "/x"}, "InvalidConfigurationRequest"),
        ({"HealthCheckProtocol": "HTTP", "HealthCheckPath": "x"}, "ValidationError"),
        ({"HealthCheckProtocol": "HTTP", "HealthCheckPath": "/'\n"}, "ValidationError"),
        ({"HealthCheckProtocol": "HTTP", "Matcher": {"HttpCode": "20"}}, "ValidationError"),
        ({"HealthCheckIntervalSeconds": 5, "HealthCheckTimeoutSeconds": 6}, "ValidationError"),
    ],
)
async def test_target_groups_that_cannot_be_are_refused(balancing: Balancing, more, code):
    assert (await balancing.group_refused(**more))[0] == code


async def test_health_checks_have_awss_defaults_and_can_be_changed(balancing: Balancing):
    group = await balancing.group()
    expected = {
        "HealthCheckProtocol": "TCP",
        "HealthCheckPort": "traffic-port",
        "HealthCheckIntervalSeconds": 30,
        "HealthCheckTimeoutSeconds": 10,
        "HealthyThresholdCount": 5,
        "UnhealthyThresholdCount": 2,
    }
    assert {name: group[name] for name in expected} == expected
    changed = await balancing.call(
        "modify_target_group",
        TargetGroupArn=group["TargetGroupArn"],
        HealthCheckProtocol="HTTP",
        HealthCheckPath="/ok",
    )
    found = changed["TargetGroups"][0]
    assert (found["HealthCheckPath"], found["Matcher"]) == ("/ok", {"HttpCode": "200-399"})
    assert (await balancing.group_refused())[0] == "DuplicateTargetGroupName"


async def test_targets_are_registered_and_unused_until_there_is_a_listener(balancing: Balancing):
    group, address = await balancing.group(), await balancing.address()
    arn = {"TargetGroupArn": group["TargetGroupArn"]}
    await balancing.call("register_targets", **arn, Targets=[{"Id": address}, {"Id": address}])
    (told,) = await balancing.health(group)
    assert told["Target"] == {"Id": address, "Port": 8080, "AvailabilityZone": "us-east-1a"}
    assert told["TargetHealth"]["State"] == "unused"
    assert told["TargetHealth"]["Reason"] == "Target.NotInUse"
    await balancing.listener(await balancing.balancer(), group)
    (told,) = await balancing.health(group)
    assert told["TargetHealth"]["Reason"] == "Elb.RegistrationInProgress"
    (other,) = await balancing.health(group, Targets=[{"Id": "10.0.0.9"}])
    assert other["TargetHealth"]["Reason"] == "Target.NotRegistered"


async def test_a_target_of_a_group_without_a_listener_is_gone_at_once(balancing: Balancing):
    group, address = await balancing.group(), await balancing.address()
    arn = {"TargetGroupArn": group["TargetGroupArn"]}
    await balancing.call("register_targets", **arn, Targets=[{"Id": address, "Port": 81}])
    await balancing.call("deregister_targets", **arn, Targets=[{"Id": address}])
    assert await balancing.health(group) == []


async def test_targets_that_cannot_be_are_refused(balancing: Balancing):
    group = await balancing.group()
    machines = await balancing.group("machines", TargetType="instance")
    for found, target, code in (
        (group, {"Id": "web"}, "ValidationError"),
        (group, {"Id": "192.0.2.1"}, "ValidationError"),
        (group, {"Id": "8.8.8.8", "AvailabilityZone": "all"}, "ValidationError"),
        (machines, {"Id": "i-00000000000000000"}, "InvalidTarget"),
    ):
        arn = found["TargetGroupArn"]
        refused = await balancing.error("register_targets", TargetGroupArn=arn, Targets=[target])
        assert refused[0] == code
    outside = {"Id": "192.168.7.7", "AvailabilityZone": "all"}
    await balancing.call(
        "register_targets", TargetGroupArn=group["TargetGroupArn"], Targets=[outside]
    )
    (told,) = await balancing.health(group)
    assert told["Target"]["AvailabilityZone"] == "all"


async def test_an_instance_that_does_not_run_is_no_target(balancing: Balancing):
    instance = Instance(
        id="i-00000000000000001",
        reservation_id="r-1",
        image_id="ami-1",
        instance_type="t3.micro",
        vcpus=2,
        memory=1024,
        vpc_id=balancing.vpc,
        subnet_id=balancing.subnets[0],
        zone="us-east-1a",
        interface_id="eni-1",
        private_address="10.0.0.7",
        launched_at=1.0,
    )
    place = ("123456789012", "us-east-1", instance.id)
    await balancing.store.transact(lambda tx: tx.put(INSTANCE, *place, instance))
    group = await balancing.group(TargetType="instance")
    code, message = await balancing.error(
        "register_targets", TargetGroupArn=group["TargetGroupArn"], Targets=[{"Id": instance.id}]
    )
    assert code == "InvalidTarget"
    assert "not in a running state" in message


async def test_attributes_are_kept_and_what_is_not_built_says_so(balancing: Balancing):
    balancer, group = await balancing.balancer(), await balancing.group()
    arn = {"LoadBalancerArn": balancer["LoadBalancerArn"]}
    protected = {"Key": "deletion_protection.enabled", "Value": "true"}
    await balancing.call("modify_load_balancer_attributes", **arn, Attributes=[protected])
    assert (await balancing.error("delete_load_balancer", **arn))[0] == "OperationNotPermitted"
    told = await balancing.call("describe_load_balancer_attributes", **arn)
    assert protected in told["Attributes"]
    target = {"TargetGroupArn": group["TargetGroupArn"]}
    for key, value, code in (
        ("preserve_client_ip.enabled", "true", "NotImplemented"),
        ("deregistration_delay.timeout_seconds", "4000", "ValidationError"),
        ("speed", "high", "ValidationError"),
    ):
        given = [{"Key": key, "Value": value}]
        refused = await balancing.error(
            "modify_target_group_attributes", **target, Attributes=given
        )
        assert refused[0] == code
    delay = {"Key": "deregistration_delay.timeout_seconds", "Value": "0"}
    told = await balancing.call("modify_target_group_attributes", **target, Attributes=[delay])
    assert delay in told["Attributes"]


async def test_security_groups_come_only_to_a_load_balancer_that_began_with_some(
    balancing: Balancing,
):
    made = await balancing.ec2(
        "create_security_group", GroupName="web", Description="web", VpcId=balancing.vpc
    )
    group = made["GroupId"]
    open_one = await balancing.balancer()
    guarded = await balancing.balancer("guarded", SecurityGroups=[group])
    assert guarded["SecurityGroups"] == [group]
    for balancer, groups in ((open_one, [group]), (guarded, [])):
        code, _ = await balancing.error(
            "set_security_groups",
            LoadBalancerArn=balancer["LoadBalancerArn"],
            SecurityGroups=groups,
        )
        assert code == "InvalidConfigurationRequest"


async def test_subnets_are_exchanged(balancing: Balancing):
    balancer = await balancing.balancer()
    told = await balancing.call(
        "set_subnets",
        LoadBalancerArn=balancer["LoadBalancerArn"],
        Subnets=balancing.subnets[1:],
    )
    zones = [each["ZoneName"] for each in told["AvailabilityZones"]]
    assert zones == ["us-east-1b", "us-east-1c"]


async def test_tags_come_and_go(balancing: Balancing):
    group = await balancing.group(Tags=[{"Key": "a", "Value": "1"}])
    arns = {"ResourceArns": [group["TargetGroupArn"]]}
    await balancing.call("add_tags", **arns, Tags=[{"Key": "b", "Value": "2"}])
    await balancing.call("remove_tags", **arns, TagKeys=["a"])
    told = await balancing.call("describe_tags", **arns)
    assert told["TagDescriptions"][0]["Tags"] == [{"Key": "b", "Value": "2"}]


async def test_a_policy_names_load_balancers_by_arn_scheme_and_tag(balancing: Balancing):
    head = "arn:aws:elasticloadbalancing:us-east-1:123456789012"
    internal = {"StringEquals": {"elasticloadbalancing:Scheme": "internal"}}
    own = {"StringEquals": {"aws:ResourceTag/team": "a"}}
    joe = await balancing.plane.user(
        "joe",
        allow(
            "elasticloadbalancing:CreateLoadBalancer",
            resource=f"{head}:loadbalancer/net/joe-*",
            Condition=internal,
        ),
        allow("elasticloadbalancing:DeleteTargetGroup", Condition=own),
    )

    async def may(operation, **request):
        return await joe.may(operation, service="elbv2", **request)

    make = balancing.balancer_request
    assert await may("create_load_balancer", **make("joe-1", Scheme="internal"))
    assert not await may("create_load_balancer", **make("joe-2"))
    assert not await may("create_load_balancer", **make("ann-1", Scheme="internal"))
    tagged = make("joe-3", Scheme="internal", Tags=[{"Key": "a", "Value": "b"}])
    assert not await may("create_load_balancer", **tagged)
    mine = await balancing.group("mine", Tags=[{"Key": "team", "Value": "a"}])
    theirs = await balancing.group("theirs")
    assert not await may("delete_target_group", TargetGroupArn=theirs["TargetGroupArn"])
    assert await may("delete_target_group", TargetGroupArn=mine["TargetGroupArn"])


async def test_limits_are_told(balancing: Balancing):
    told = await balancing.call("describe_account_limits")
    assert {"Name": "network-load-balancers", "Max": "50"} in told["Limits"]
