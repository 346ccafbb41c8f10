"""NetworkPolicies as the image of the add-on enforces them, beside a real API server."""

import contextlib
import json
import socket
import subprocess

import pytest
from integration.kubernetes.cloud_beside import Cloud
from integration.kubernetes.image_root import SYSTEM, give_credentials, running, unpack
from integration.kubernetes.played_node import NODE, OUTSIDE, PORTS, Node

from longshore.addons import ADDONS, Settings
from longshore.addons.objects import path_of
from longshore.addons.vpc_cni import LEDGER
from longshore.fabric.namespaces import within
from longshore.fabric.sockets import listen_in
from longshore.testing.wait import wait_until

ACTS_SECONDS = 5
"""Policies act within a second; the machine may be busy."""
OTHER = "others"


@pytest.fixture(scope="module")
def image(shared_plane, tmp_path_factory):
    root = tmp_path_factory.mktemp("vpc-cni")
    unpack("vpc-cni", shared_plane.minor, root)
    ledger(root).mkdir(parents=True)
    return root


def ledger(root):
    return root / LEDGER.lstrip("/")


class Agent:
    """The add-on's objects in the cluster, and its container, which a test starts."""

    def __init__(self, plane, image, directory):
        self.plane, self.image, self.directory = plane, image, directory
        self.cloud = Cloud(plane, directory)
        self.apply({"enableNetworkPolicy": "true"})
        give_credentials(plane, image, "aws-node")

    def objects(self, configuration):
        settings = Settings(
            image="x",
            endpoint=self.plane.access.url,
            service_cidr=self.plane.plane.service_cidr,
        )
        return ADDONS["vpc-cni"].objects(settings, configuration)

    def apply(self, configuration):
        self.made = self.objects(configuration)
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": self.made})
        self.plane.run("apply", "--filename=-", stdin=text)

    @contextlib.contextmanager
    def running(self, **configuration):
        """The container, once it is ready."""
        made = self.objects({"enableNetworkPolicy": "true", **configuration})
        container = made[-1]["spec"]["template"]["spec"]["containers"][0]
        environment = [f"{each['name']}={each.get('value', NODE)}" for each in container["env"]]
        command = ["/network-policy-agent", *container["args"]]
        log = self.directory / "log"
        with running(self.plane, self.image, command, log, environment) as process:
            wait_until(lambda: self.is_ready(process), 30, "the agent is ready")
            yield process

    def is_ready(self, process):
        assert process.poll() is None, process.log.read_text()
        probe = ["busybox", "wget", "-q", "-O", "-", "http://127.0.0.1:8163/readyz"]
        done = subprocess.run(self.plane.in_namespace(*probe), capture_output=True, check=False)
        return done.returncode == 0

    def table(self):
        """What nft shows of it; empty where there is none."""
        show = ["nft", "list", "table", "ip", "aws-network-policy"]
        done = subprocess.run(
            self.plane.in_namespace(*show), capture_output=True, text=True, check=False
        )
        return done.stdout

    def close(self):
        remove = ["nft", "delete", "table", "ip", "aws-network-policy"]
        subprocess.run(self.plane.in_namespace(*remove), capture_output=True, check=False)
        self.cloud.delete_paths(map(path_of, self.made))
        self.cloud.close()


@pytest.fixture
def agent(shared_plane, image, tmp_path):
    found = Agent(shared_plane, image, tmp_path)
    yield found
    found.close()


@pytest.fixture(scope="module")
def node(shared_plane):
    """A server, and who speaks to it: a friend, a stranger, one of another namespace."""
    shared_plane.run("create", "namespace", OTHER)
    found = Node(shared_plane)
    found.server = found.pod("server", app="server")
    found.friend = found.pod("friend", role="friend")
    found.stranger = found.pod("stranger", role="stranger")
    found.other = found.pod("other", OTHER, role="friend")
    yield found
    found.close()
    shared_plane.run("delete", "namespace", OTHER, "--wait=false")


@pytest.fixture
def policies(shared_plane):
    """Makes policies of the namespace `default`, for pods of `app=server`."""

    def have(**spec):
        chosen = {"podSelector": {"matchLabels": {"app": "server"}}, **spec}
        made = {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": "policy"},
            "spec": chosen,
        }
        shared_plane.run("apply", "--filename=-", stdin=json.dumps(made))

    yield have
    shared_plane.run("delete", "networkpolicies", "--all", "--wait=true")


def await_reach(node, **wanted):
    """Wait until exactly these of the clients reach the server, each as it is said."""

    def reach():
        clients = {name: getattr(node, name) for name in wanted}
        return {name: client.reaches(node.server) for name, client in clients.items()}

    wait_until(lambda: reach() == wanted, ACTS_SECONDS, f"who reaches the server: {wanted}")


def test_nothing_is_enforced_until_it_is_asked_for(agent, node, policies):
    policies(ingress=[])
    agent.apply({})
    with agent.running():
        assert node.stranger.reaches(node.server)
        agent.apply({"enableNetworkPolicy": "true"})
        await_reach(node, friend=False, stranger=False, outside=False)
        agent.apply({})
        await_reach(node, stranger=True)
    agent.apply({"enableNetworkPolicy": "true"})
    with agent.running(enableNetworkPolicy="false"):
        assert node.stranger.reaches(node.server)
        assert agent.table() == ""


def test_ingress_is_closed_but_for_whom_a_policy_names(agent, node, policies):
    with agent.running():
        await_reach(node, friend=True, stranger=True, other=True, outside=True)
        policies(ingress=[])
        await_reach(node, friend=False, stranger=False, other=False, outside=False)
        assert node.reads(node.server), "its kubelet reaches it always"
        assert node.server.reaches(node.friend), "what it begins itself is not closed"
        policies(ingress=[{"from": [{"podSelector": {"matchLabels": {"role": "friend"}}}]}])
        await_reach(node, friend=True, stranger=False, other=False, outside=False)
        named = {"matchLabels": {"kubernetes.io/metadata.name": OTHER}}
        policies(ingress=[{"from": [{"namespaceSelector": named, "podSelector": {}}]}])
        await_reach(node, friend=False, stranger=False, other=True, outside=False)
        policies(ingress=[{}])
        await_reach(node, friend=True, stranger=True, other=True, outside=True)


def test_blocks_of_addresses_are_let_in_without_their_exceptions(agent, node, policies):
    block = {"cidr": "10.123.9.0/24", "except": [f"{node.friend.address}/32", f"{OUTSIDE}/30"]}
    with agent.running():
        policies(ingress=[{"from": [{"ipBlock": block}]}])
        await_reach(node, friend=False, stranger=True, other=True, outside=False)


def test_ports_are_numbers_ranges_or_names(agent, node, policies):
    first, second = PORTS

    def reached():
        return [node.stranger.reaches(node.server, port) for port in PORTS]

    with agent.running():
        for port, wanted in (
            ({"port": first}, [True, False]),
            ({"port": second, "protocol": "TCP"}, [False, True]),
            ({"port": first, "protocol": "UDP"}, [False, False]),
            ({"port": first - 80, "endPort": first}, [True, False]),
            ({"port": f"port-{second}"}, [False, True]),
            ({"port": "unknown"}, [False, False]),
            ({}, [True, True]),
        ):
            policies(ingress=[{"ports": [port]}])
            wait_until(lambda wanted=wanted: reached() == wanted, ACTS_SECONDS, str(port))


def test_egress_is_closed_but_for_where_a_policy_leads(agent, node, policies):
    def reached():
        return [node.server.reaches(each) for each in (node.friend, node.other, node.outside)]

    egress = {"policyTypes": ["Egress"]}
    with agent.running():
        policies(**egress)
        wait_until(lambda: reached() == [False] * 3, ACTS_SECONDS, "it reaches nobody")
        assert node.stranger.reaches(node.server), "ingress stays open"
        block = {"ipBlock": {"cidr": f"{OUTSIDE}/32"}}
        policies(**egress, egress=[{"to": [block]}])
        wait_until(lambda: reached() == [False, False, True], ACTS_SECONDS, "it goes outside")
        named = {"port": f"port-{PORTS[0]}", "protocol": "TCP"}
        friend = {"podSelector": {"matchLabels": {"role": "friend"}}}
        policies(**egress, egress=[{"to": [friend], "ports": [named]}])
        wait_until(lambda: reached() == [True, False, False], ACTS_SECONDS, "it goes to a friend")
        assert not node.server.reaches(node.friend, PORTS[1])


def test_answers_pass_and_what_is_forbidden_ends_also_if_it_began_before(agent, node, policies):
    with agent.running(), node.stranger.connection(node.server) as (client, server):
        policies(ingress=[{}], policyTypes=["Ingress", "Egress"])
        wait_until(lambda: not node.server.reaches(node.friend), ACTS_SECONDS, "it is enforced")
        assert exchanged(client, server)
        assert exchanged(server, client)
        policies(ingress=[])
        wait_until(lambda: not exchanged(client, server), ACTS_SECONDS, "the connection is closed")


def exchanged(one, other):
    """Whether what one end says comes to the other at once."""
    other.settimeout(0.25)
    one.sendall(b"x")
    try:
        return other.recv(100) != b""
    except TimeoutError:
        return False


def test_rules_outlive_their_agent_and_the_next_one_goes_on_from_them(agent, node, policies):
    policies(ingress=[])
    with agent.running() as process:
        await_reach(node, friend=False)
        process.kill()
        process.wait()
    assert not node.friend.reaches(node.server)
    with agent.running():
        assert not node.friend.reaches(node.server)
        policies(ingress=[{}])
        await_reach(node, friend=True)


def test_an_agent_that_ends_leaves_rules_unless_its_add_on_is_removed(agent, node, policies):
    policies(ingress=[])
    for removed in (False, True):
        with agent.running() as process:
            await_reach(node, friend=False)
            if removed:
                agent.plane.run("delete", "daemonset", "aws-node", SYSTEM)
            process.terminate()
            process.wait()
            assert node.friend.reaches(node.server) == removed


def test_a_table_that_somebody_takes_away_is_back_with_the_next_change(agent, node, policies):
    policies(ingress=[])
    with agent.running():
        await_reach(node, friend=False)
        remove = ["nft", "delete", "table", "ip", "aws-network-policy"]
        subprocess.run(agent.plane.in_namespace(*remove), check=True)
        policies(ingress=[{"ports": [{"port": 1}]}])
        await_reach(node, friend=False)


def test_a_new_pod_is_closed_before_its_address_is_known_if_policies_select_it(
    agent, node, policies
):
    policies(ingress=[], podSelector={"matchLabels": {"app": "late"}})
    late = node.connect("10.123.9.50")
    with agent.running():
        assert node.friend.reaches(late)
        node.create("late", labels={"app": "late"})
        late.api = ("--namespace=default", "late")
        wait_until(lambda: not node.friend.reaches(late), ACTS_SECONDS, "it waits, closed")
        assert node.friend.reaches(node.stranger), "known ones are as they were"
        node.tell(late, late.address)
        wait_until(lambda: late.reaches(node.friend), ACTS_SECONDS, "its own way is open")
        assert not node.friend.reaches(late)


def test_a_new_pods_address_is_known_from_the_nodes_own_books(agent, node, policies, image):
    policies(ingress=[], podSelector={"matchLabels": {"app": "early"}})
    node.create("early", labels={"app": "early"})
    uid = agent.plane.kubectl("get", "pod", "early")["metadata"]["uid"]
    early = node.connect("10.123.9.40")
    with agent.running():
        assert not early.reaches(node.friend), "it waits, closed"
        draft = ledger(image) / "new"
        draft.write_text(json.dumps({"held": {early.address: {"pod": uid}}}))
        draft.rename(ledger(image) / "addresses.json")
        wait_until(lambda: early.reaches(node.friend), ACTS_SECONDS, "its own way is open")
        assert not node.friend.reaches(early)


def test_strictly_a_pod_is_closed_until_a_policy_selects_it(agent, node, policies):
    unknown = node.connect("10.123.9.60")
    policies(ingress=[{}])
    with agent.running(env={"NETWORK_POLICY_ENFORCING_MODE": "strict"}):
        assert not node.friend.reaches(node.stranger)
        assert not node.friend.reaches(node.server), "it may not leave"
        assert not node.outside.reaches(unknown)
        assert node.outside.reaches(node.server)
        assert node.reads(node.stranger)


def test_a_pod_that_pretends_to_be_another_is_not_heard(agent, node, policies):
    with agent.running():
        policies(ingress=[{"from": [{"podSelector": {"matchLabels": {"role": "friend"}}}]}])
        await_reach(node, friend=True, stranger=False)
        assert hears(node.server, node.friend)
        cheat = node.connect("10.123.9.70")
        assert cheat.reaches(node.stranger)
        cheat.pretend(node.friend.address)
        assert not hears(node.server, cheat)


def hears(server, client):
    """Whether a datagram without an answer arrives."""
    with listen_in(server.namespace, server.address, 5000, socket.SOCK_DGRAM) as listener:
        with within(client.namespace), socket.socket(type=socket.SOCK_DGRAM) as speaker:
            speaker.sendto(b"x", (server.address, 5000))
        listener.settimeout(0.25)
        try:
            return listener.recv(10) != b""
        except TimeoutError:
            return False
