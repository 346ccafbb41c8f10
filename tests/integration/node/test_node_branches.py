"""Pods with interfaces of their own: the fabric has them in a node, the plugin connects pods."""

import json
import os
import subprocess
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from integration.fabric.fabric_builder import Builder, make_installation, tcp, traces
from integration.fabric.fabric_traffic import echo_server, is_refused, reaches
from integration.node.node_instance import Run, ip

from longshore.base.installation import Installation
from longshore.components import locate
from longshore.fabric import open_fabric
from longshore.fabric.kernel import KernelFabric
from longshore.fabric.names import namespace_path
from longshore.model.network import Branch, Interface, Network

SERVICE = "172.20.0.10"
ANNOTATIONS = {"io.kubernetes.cri.pod-annotations": {"vpc.amazonaws.com/pod-eni": "[]"}}


class Node:
    """A node's interface, a neighbour's, and those of two of the node's pods."""

    def __init__(self, installation: Installation, fabric: KernelFabric) -> None:
        self.builder = Builder(installation)
        self.fabric = fabric
        self.node = self.builder.eni(11, "sg-node")
        self.neighbour = self.builder.eni(12, "sg-web")
        self.pods = [self._branch(1, "sg-pod"), self._branch(2, "sg-web")]
        self.inside = namespace_path(installation.id, self.node.id)
        self.beside = namespace_path(installation.id, self.neighbour.id)

    def _branch(self, number: int, group: str) -> Interface:
        branch = Branch(trunk=self.node.id, vlan=number, pod=f"uid-{number}")
        return msgspec.structs.replace(self.builder.eni(20 + number, group), branch=branch)

    def network(self, *let_in: str) -> Network:
        """`sg-pod` lets these groups in at port 80, `sg-node` everybody."""
        rules = {
            "sg-pod": tuple(tcp(80, group=group) for group in let_in),
            "sg-web": (),
            "sg-node": (tcp(1, last=65535, cidr="0.0.0.0/0"),),
        }
        return self.builder.network([self.node, self.neighbour, *self.pods], rules)

    def run(self, *command: str, given: str = "", **environment: str) -> Run:
        done = subprocess.run(
            ["nsenter", f"--net={self.inside}", "--", *command],
            check=False,
            capture_output=True,
            text=True,
            input=given,
            timeout=60,
            env={"PATH": os.environ["PATH"], **environment},
        )
        return Run(done.returncode, done.stdout, done.stderr)


class Pod:
    """The namespace of a pod, and what the container runtime asks the plugin for it."""

    def __init__(self, node: Node, number: int, folder: Path) -> None:
        self.node, self.number, self.folder = node, number, folder
        self.container = uuid.uuid4().hex
        self.namespace = Path("/run/netns") / f"pod-{uuid.uuid4().hex[:8]}"
        ip("netns", "add", self.namespace.name)

    def ask(self, command: str) -> Run:
        network = {
            **{"cniVersion": "1.0.0", "name": "longshore", "type": "longshore-cni"},
            "folder": str(self.folder / "ledger"),
            "runtimeConfig": ANNOTATIONS,
        }
        return self.node.run(
            str(locate("longshore-node")),
            given=json.dumps(network),
            CNI_COMMAND=command,
            CNI_CONTAINERID=self.container,
            CNI_NETNS=str(self.namespace),
            CNI_IFNAME="eth0",
            CNI_PATH="/opt/cni/bin",
            CNI_ARGS=f"IgnoreUnknown=1;K8S_POD_NAME=any;K8S_POD_UID=uid-{self.number}",
        )

    def add(self) -> str:
        done = self.ask("ADD")
        assert done.code == 0, done.out + done.err
        return str(json.loads(done.out)["ips"][0]["address"]).partition("/")[0]

    def remove(self) -> None:
        if self.namespace.exists():
            ip("netns", "delete", self.namespace.name)


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    installation = make_installation(tmp_path)
    fabric = await open_fabric(installation)
    made = Node(installation, fabric)
    await fabric.apply(made.network("sg-web"))
    await fabric.attach(made.node)
    await fabric.attach(made.neighbour)
    made.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
    yield made
    await fabric.destroy()
    await fabric.close()
    assert traces(installation) == []


@pytest.fixture
def pod(node: Node, tmp_path: Path) -> Iterator[Callable[[int], Pod]]:
    pods: list[Pod] = []

    def make(number: int) -> Pod:
        pods.append(Pod(node, number, tmp_path))
        return pods[-1]

    yield make
    for each in pods:
        each.remove()


async def test_pod_has_its_own_groups_and_not_the_nodes(node, pod):
    one = pod(1)
    address = one.add()
    assert address == node.pods[0].address
    assert one.ask("CHECK").code == 0
    with echo_server(one.namespace, address, 80) as peers:
        assert reaches(node.beside, address, 80)
        assert is_refused(node.inside, address, 80)
        await node.fabric.apply(node.network("sg-node"))
        assert reaches(node.inside, address, 80)
        assert is_refused(node.beside, address, 80)
    assert peers == [node.neighbour.address, node.node.address]


async def test_pod_speaks_from_its_own_address_to_its_node_too(node, pod):
    one = pod(1)
    address = one.add()
    for place, server in ((node.inside, node.node), (node.beside, node.neighbour)):
        with echo_server(place, server.address, 8080) as peers:
            allowed = server is node.node
            assert allowed == reaches(one.namespace, server.address, 8080, 3 if allowed else 0.4)
        assert peers == ([address] if allowed else [])


async def test_node_and_its_pods_reach_one_another_by_a_service(node, pod):
    one, other = pod(1), pod(2)
    address, second = one.add(), other.add()
    await node.fabric.apply(node.network("sg-node", "sg-web"))
    for chain in ("PREROUTING", "OUTPUT"):
        to = ["-d", SERVICE, "-p", "tcp", "-j", "DNAT", "--to-destination", f"{address}:80"]
        assert node.run("iptables", "-t", "nat", "-A", chain, *to).code == 0
    with echo_server(one.namespace, address, 80) as peers:
        assert reaches(node.inside, SERVICE, 80)
        assert reaches(other.namespace, SERVICE, 80)
    assert peers == [node.node.address, second]


async def test_agent_of_the_node_answers_pods_with_interfaces_of_their_own(node, pod):
    node.run("ip", "address", "add", "169.254.170.23/32", "dev", "lo")
    one = pod(1)
    address = one.add()
    with echo_server(node.inside, "169.254.170.23", 80) as peers:
        assert reaches(one.namespace, "169.254.170.23", 80)
    assert peers == [address]


async def test_removed_pod_leaves_its_interface_to_the_next_sandbox(node, pod):
    one, again = pod(1), pod(1)
    address = one.add()
    assert again.add() == address
    assert one.ask("DEL").code == one.ask("DEL").code == 0
    with echo_server(again.namespace, address, 80):
        assert reaches(node.beside, address, 80)
    assert again.ask("DEL").code == 0
    rules = json.loads(node.run("ip", "-j", "rule").out)
    assert [rule for rule in rules if str(rule.get("iif", "")).startswith("eni")] == []
    assert "vlan.eth.1" in node.run("ip", "link").out


async def test_interface_that_is_wanted_no_more_leaves_the_node(node, pod):
    pod(1).add()
    first, second = node.pods
    node.pods = [second]
    await node.fabric.apply(node.network())
    links = node.run("ip", "link").out
    assert "vlan.eth.1" not in links
    assert "vlan.eth.2" in links
    # Another pod's has its number then.
    node.pods = [msgspec.structs.replace(first, id="eni-other", mac="02:00:00:00:07:07")]
    await node.fabric.apply(node.network("sg-web"))
    links = node.run("ip", "link").out
    assert "02:00:00:00:07:07" in links
    assert "vlan.eth.2" not in links


async def test_node_that_is_attached_anew_has_its_pods_interfaces_again(node, pod):
    await node.fabric.detach(node.node.id)
    await node.fabric.attach(node.node)
    node.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
    one = pod(1)
    address = one.add()
    with echo_server(one.namespace, address, 80):
        assert reaches(node.beside, address, 80)
