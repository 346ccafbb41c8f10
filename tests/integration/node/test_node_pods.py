"""Pods' networks: the CNI plugin in the namespaces of a played instance."""

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor

from integration.fabric.fabric_traffic import echo_server, reaches
from integration.node.node_instance import OUTSIDE, PRIMARY, ip

from longshore.model.link_local import METADATA_ADDRESS
from longshore.testing.wait import wait_until


def assigned(instance):
    return [each for each in instance.calls if each["Action"] == "AssignPrivateIpAddresses"]


def test_pod_has_an_address_of_the_vpc_and_is_reached_by_it(instance, pod):
    one, other = pod(), pod()
    first, second = one.add(), other.add()
    assert {first, second} < set(instance.addresses[1:])
    set_forwarding(instance)
    for place in (instance.inside, instance.router, other.namespace):
        with echo_server(one.namespace, first, 80) as peers:
            assert reaches(place, first, 80)
        assert (peers == [second]) == (place == other.namespace)
    with echo_server(instance.inside, PRIMARY, 80) as peers:
        assert reaches(one.namespace, PRIMARY, 80)
    assert peers == [first]
    with echo_server(instance.router, OUTSIDE, 80) as peers:
        assert reaches(one.namespace, OUTSIDE, 80)
    assert peers == [first]


def test_pods_device_is_as_the_nodes(instance, pod):
    one = pod()
    told = json.loads(one.ask("ADD").out)
    address = told["ips"][0]["address"]
    inside = json.loads(ip("-n", one.namespace.name, "-j", "address", "show", "eth0"))[0]
    outside = json.loads(
        ip("-n", instance.inside.name, "-j", "link", "show", told["interfaces"][0]["name"])
    )[0]
    assert inside["mtu"] == outside["mtu"] == 9001
    assert [f"{a['local']}/{a['prefixlen']}" for a in inside["addr_info"]] == [address]
    assert told["interfaces"][1]["mac"] == inside["address"]
    assert told["routes"] == [{"dst": "0.0.0.0/0", "gw": "169.254.1.1"}]


def test_addresses_are_asked_for_a_few_at_a_time_and_before_the_last_is_taken(instance, pod):
    for _ in range(4):
        pod().add()
    assert [each["SecondaryPrivateIpAddressCount"] for each in assigned(instance)] == ["8"]
    assert assigned(instance)[0]["NetworkInterfaceId"] == "eni-0123456789abcdef0"
    pod().add()
    wait_until(lambda: len(assigned(instance)) == 2, 5, "more addresses are asked for")
    later = [pod().add() for _ in range(8)]
    assert len(set(later)) == 8


def test_no_more_addresses_are_taken_than_pods_fit(instance, pod):
    given = instance.give(1)
    one = pod()
    assert one.ask("ADD", most=1).code == 0
    assert pod().ask("ADD", most=1).code != 0
    assert one.ask("DEL").code == 0
    assert json.loads(pod().ask("ADD", most=1).out)["ips"][0]["address"] == f"{given[0]}/32"
    assert assigned(instance) == []


def test_interface_that_has_no_more_addresses_is_not_asked_for_some_by_each_pod(instance, pod):
    instance.give(2)
    instance.refusal = ("PrivateIpAddressLimitExceeded", "Number of private addresses will exceed")
    for _ in range(6):
        one = pod()
        one.add()
        assert one.ask("DEL").code == 0
    assert len(assigned(instance)) == 2


def test_addresses_that_the_interface_has_already_are_used_first(instance, pod):
    given = instance.give(1)
    assert pod().add() == given[0]
    assert assigned(instance) == []


def test_address_that_a_pod_has_left_rests_before_the_next_has_it(instance, pod):
    instance.give(2)
    one = pod()
    first = one.add()
    assert one.ask("DEL").code == 0
    assert pod().add() != first
    assert pod().add() not in {first, *instance.addresses[1:3]}


def test_address_at_rest_is_better_than_none(instance, pod):
    instance.give(1)
    instance.refusal = ("InsufficientFreeAddressesInSubnet", "Not enough free addresses in subnet")
    one = pod()
    first = one.add()
    one.ask("DEL")
    assert pod().add() == first


def test_pods_of_one_moment_have_addresses_of_their_own(instance, pod):
    pods = [pod() for _ in range(8)]
    with ThreadPoolExecutor() as pool:
        addresses = list(pool.map(lambda each: each.add(), pods))
    assert len(set(addresses)) == 8
    wait_until(lambda: len(assigned(instance)) == 2, 5, "more addresses are asked for")


def test_removed_pod_leaves_nothing_and_may_be_removed_again(instance, pod):
    one = pod()
    one.add()
    assert one.ask("DEL").code == one.ask("DEL").code == 0
    links = json.loads(ip("-n", instance.inside.name, "-j", "link"))
    assert {each["ifname"] for each in links} == {"lo", "eth0"}
    routes = json.loads(ip("-n", instance.inside.name, "-j", "route"))
    assert [each["dst"] for each in routes if each["dev"].startswith("eni")] == []
    assert "eth0" not in ip("-n", one.namespace.name, "link")


def test_pod_is_removed_whose_namespace_is_gone(instance, pod):
    one = pod()
    one.add()
    one.remove()
    assert one.ask("DEL").code == 0


def test_pod_that_ended_while_nobody_told_has_its_address_taken_back(instance, pod):
    instance.give(1)
    instance.refusal = ("InsufficientFreeAddressesInSubnet", "Not enough free addresses in subnet")
    one = pod()
    first = one.add()
    one.remove()
    # The kernel takes a namespace's devices away a moment after it.
    assert wait_until(lambda: "eni" not in ip("-n", instance.inside.name, "link"), 5)
    assert pod().add() == first


def test_pods_that_the_runtime_no_longer_knows_are_collected(instance, pod):
    kept, gone = pod(), pod()
    address = kept.add()
    gone.add()
    valid = [{"containerID": kept.container, "ifname": "eth0"}]
    done = kept.ask("GC", cniVersion="1.1.0", **{"cni.dev/valid-attachments": valid})
    assert done.code == 0, done.out
    assert kept.ask("CHECK", prevResult={"cniVersion": "1.0.0"}).code == 0
    assert gone.ask("CHECK", prevResult={"cniVersion": "1.0.0"}).code != 0
    assert address in ip("-n", instance.inside.name, "route")


def test_check_notices_a_route_that_is_gone(instance, pod):
    one = pod()
    address = one.add()
    assert one.ask("CHECK", prevResult={"cniVersion": "1.0.0"}).code == 0
    ip("-n", instance.inside.name, "route", "delete", f"{address}/32")
    told = one.ask("CHECK", prevResult={"cniVersion": "1.0.0"})
    assert told.code != 0
    assert f"does not lead {address}" in json.loads(told.out)["msg"]


def test_pod_for_which_there_is_no_address_is_told_why(instance, pod):
    instance.refusal = ("UnauthorizedOperation", "You are not authorized to perform this operation")
    told = pod().ask("ADD")
    assert told.code != 0
    message = json.loads(told.out)["msg"]
    assert "eni-0123456789abcdef0" in message
    assert "UnauthorizedOperation: You are not authorized" in message
    del instance.metadata["meta-data/iam/security-credentials/"]
    assert "no role" in json.loads(pod().ask("ADD").out)["msg"]


def test_fewer_addresses_are_taken_where_the_interface_has_hardly_any_left(instance, pod):
    held = {
        address: {"container": address, "interface": "eth0", "device": "lo"}
        for address in instance.give(48)
    }
    ledger = instance.folder / "ledger"
    ledger.mkdir()
    (ledger / "addresses.json").write_text(json.dumps({"held": held, "left": {}}))
    assert pod().add() == instance.addresses[-1]
    assert [each["SecondaryPrivateIpAddressCount"] for each in assigned(instance)] == ["1"]
    told = pod().ask("ADD")
    assert "it is to have 49 at most" in json.loads(told.out)["msg"]


def test_runtime_is_told_which_versions_are_spoken(instance, pod):
    told = json.loads(pod().ask("VERSION").out)
    assert {"0.4.0", "1.0.0", "1.1.0"} <= set(told["supportedVersions"])


def test_pod_reaches_the_metadata_of_its_node_by_way_of_the_node(instance, pod):
    one = pod()
    one.add()
    set_forwarding(instance)
    with echo_server(instance.router, METADATA_ADDRESS, 81):
        assert reaches(one.namespace, METADATA_ADDRESS, 81)


def set_forwarding(instance):
    """As bootstrap does."""
    command = ["nsenter", f"--net={instance.inside}", "sysctl", "-q", "-w", "net.ipv4.ip_forward=1"]
    subprocess.run(command, check=True)
