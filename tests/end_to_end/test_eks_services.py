"""Services of type LoadBalancer: an address outside of the cluster that leads to its pods."""

import contextlib
from pathlib import Path

import pytest
from end_to_end.farm import service
from end_to_end.shells import PAGE_PORT, fetch

from longshore.testing.wait import wait_until

NAME_SECONDS = 60
ANSWER_SECONDS = 60
GONE_SECONDS = 60
ANNOTATION = "service.beta.kubernetes.io/aws-load-balancer-"
SLOW = 8
"""Seconds that one answer may take, through the load balancer, a node and a pod."""


@pytest.fixture(scope="module")
def balanced(farm):
    """Two pods that answer with a page."""
    yield farm.deployment("balanced", 2)
    farm.run("delete", "deployment", "balanced")


def exposed(name, annotations=None, **spec):
    """A Service of type LoadBalancer before the pods of `balanced`."""
    made = service(name, 80, PAGE_PORT)
    made["metadata"]["annotations"] = annotations or {}
    made["spec"] |= {"type": "LoadBalancer", "selector": {"app": "balanced"}, **spec}
    return made


def hostname(farm, name):
    """Of the Service's load balancer, once it has one."""

    def told():
        status = farm.read("get", "service", name)["status"]
        ingress = status.get("loadBalancer", {}).get("ingress") or [{}]
        return ingress[0].get("hostname")

    return wait_until(told, NAME_SECONDS, f"{name} has a hostname")


def answers(host, seconds=SLOW):
    with contextlib.suppress(OSError):
        return fetch(f"http://{host}/", seconds=seconds) == "hello\n"
    return False


def balancers(cloud, farm):
    """(name of the Service, load balancer) of the cluster's load balancers."""
    elb = cloud.longshore.client("elbv2")
    found = {
        each["LoadBalancerArn"]: each for each in elb.describe_load_balancers()["LoadBalancers"]
    }
    if not found:
        return {}
    told = elb.describe_tags(ResourceArns=list(found))["TagDescriptions"]
    tags = {each["ResourceArn"]: {t["Key"]: t["Value"] for t in each["Tags"]} for each in told}
    return {
        own["kubernetes.io/service-name"]: found[arn]
        for arn, own in tags.items()
        if own.get(f"kubernetes.io/cluster/{farm.name}") == "owned"
    }


def test_a_service_is_reached_from_outside_by_the_name_in_its_status(farm, cloud, balanced):
    farm.apply(exposed("public"))
    host = hostname(farm, "public")
    wait_until(lambda: answers(host), ANSWER_SECONDS, "the page comes")
    made = balancers(cloud, farm)["default/public"]
    assert (made["Type"], made["Scheme"], made["DNSName"]) == ("network", "internet-facing", host)
    assert "Ensured load balancer" in farm.events("public")


def test_a_service_of_pods_that_few_may_reach(farm, cloud, balanced):
    ip = {f"{ANNOTATION}nlb-target-type": "ip", f"{ANNOTATION}scheme": "internet-facing"}
    farm.apply(exposed("narrow", ip, loadBalancerSourceRanges=["192.0.2.0/24"]))
    host = hostname(farm, "narrow")
    elb = cloud.longshore.client("elbv2")
    made = balancers(cloud, farm)["default/narrow"]
    (group,) = elb.describe_target_groups(LoadBalancerArn=made["LoadBalancerArn"])["TargetGroups"]

    def targets():
        told = elb.describe_target_health(TargetGroupArn=group["TargetGroupArn"])
        return {each["Target"]["Id"] for each in told["TargetHealthDescriptions"]}

    assert targets() == {pod["status"]["podIP"] for pod in balanced}
    assert not answers(host, seconds=2)
    farm.apply(exposed("narrow", ip))
    wait_until(lambda: answers(host), ANSWER_SECONDS, "everybody is let in")


def test_what_cannot_be_balanced_says_so(farm):
    wrong = exposed("datagrams")
    wrong["spec"]["ports"][0]["protocol"] = "UDP"
    farm.apply(wrong)

    def said():
        return any("UDP" in each for each in farm.events("datagrams"))

    wait_until(said, NAME_SECONDS, "an event says why there is no load balancer")
    farm.run("delete", "service", "datagrams", "--timeout=30s")


def test_deleted_services_leave_no_load_balancer(farm, cloud, balanced):
    before = balancers(cloud, farm)
    assert before
    farm.run("delete", "service", "public", "narrow", "--timeout=50s")
    assert balancers(cloud, farm) == {}
    named = [{"Name": "description", "Values": ["ELB net/k8s-*"]}]
    found = cloud.ec2.describe_network_interfaces(Filters=named)["NetworkInterfaces"]
    assert found == []
    groups = [{"Name": "group-name", "Values": ["k8s-elb-*"]}]
    assert cloud.ec2.describe_security_groups(Filters=groups)["SecurityGroups"] == []
    hosts = Path("/etc/hosts").read_text()
    assert not any(each["DNSName"] in hosts for each in before.values())
