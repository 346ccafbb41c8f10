"""NetworkPolicies on nodes, where the add-on vpc-cni is told to enforce them."""

import contextlib
import json
import os
import signal
from pathlib import Path

import pytest
from end_to_end.machines import first_process, instance_of
from end_to_end.shells import PAGE_PORT

from longshore.testing.wait import wait_until

ADDON_SECONDS = 90
ACTS_SECONDS = 15
"""Policies act within a second; a look, by `kubectl exec`, takes some."""
NAMESPACE = "policies"
ROLES = ("friend", "stranger")
COMM = "network-policy-\n"
"""What the kernel calls the policy agent: fifteen letters of its name."""


class Place:
    """A server, and on each of the two nodes a friend and a stranger of it."""

    def __init__(self, farm):
        self.farm = farm
        self.addon = {"clusterName": farm.name, "addonName": "vpc-cni"}
        nodes = farm.nodes()
        self.nodes = sorted(nodes)[:2]
        ids = {name: instance_of(node) for name, node in nodes.items()}
        self.networks = {
            network_of(first_process(instance)): name for name, instance in ids.items()
        }
        farm.run("create", "namespace", NAMESPACE)
        probe = {"httpGet": {"port": PAGE_PORT, "path": "/"}, "periodSeconds": 1}
        self.clients = {
            f"{role}-{number}": (role, node)
            for number, node in enumerate(self.nodes)
            for role in ROLES
        }
        pods = [self._pod(name, *told) for name, told in self.clients.items()]
        server = self._pod("server", "server", self.nodes[0], readinessProbe=probe)
        farm.apply(server, self._pod("asker", "asker", self.nodes[0]), *pods)
        names = [f"pod/{name}" for name in ("server", "asker", *self.clients)]
        farm.run("wait", *names, f"--namespace={NAMESPACE}", "--for=condition=Ready",
                 "--timeout=50s")  # fmt: skip
        self.address = self.address_of("server")
        self.places = {name: self.address_of(name) for name in self.clients}

    def _pod(self, name, role, node, **container):
        main = {"name": "main", "image": self.farm.image, **container}
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": NAMESPACE, "labels": {"role": role}},
            "spec": {
                "nodeName": node,
                "containers": [main],
                "terminationGracePeriodSeconds": 1,
            },
        }

    def read(self, kind, name, namespace=NAMESPACE):
        return self.farm.read("get", kind, name, f"--namespace={namespace}")

    def address_of(self, pod):
        return self.read("pod", pod)["status"]["podIP"]

    def policy(self, name, role, **spec):
        self.farm.apply(
            {
                "apiVersion": "networking.k8s.io/v1",
                "kind": "NetworkPolicy",
                "metadata": {"name": name, "namespace": NAMESPACE},
                "spec": {"podSelector": {"matchLabels": {"role": role}}, **spec},
            }
        )

    def drop_policy(self, name):
        self.farm.run("delete", "networkpolicy", name, f"--namespace={NAMESPACE}")

    def readers(self, address=None):
        """Clients that the page of the server, or of this address, comes to: one pod asks all."""
        reads = f"timeout 1 wget -q -O - http://{address or self.address}:{PAGE_PORT}/"
        script = "".join(
            f"(case $(timeout 4 wget -q -O - --post-data='{reads}' http://{place}/cgi-bin/run)"
            f" in hello*) echo {name};; esac) & "
            for name, place in self.places.items()
        )
        command = ("exec", "asker", f"--namespace={NAMESPACE}", "--", "/bin/sh", "-c")
        return set(self.farm.run(*command, f"{script} wait").stdout.split())

    def await_readers(self, *wanted, address=None):
        found = set(wanted)
        wait_until(lambda: self.readers(address) == found, ACTS_SECONDS, f"readers: {found}")

    def install(self, **configuration):
        """Have the managed add-on with this configuration."""
        eks, text = self.farm.eks, json.dumps(configuration)
        try:
            eks.update_addon(**self.addon, configurationValues=text)
        except eks.exceptions.ResourceNotFoundException:
            eks.create_addon(**self.addon, configurationValues=text)
        wait_until(self.is_installed, ADDON_SECONDS, "the add-on is ACTIVE")

    def is_installed(self):
        told = self.farm.eks.describe_addon(**self.addon)["addon"]
        assert told["status"] not in {"CREATE_FAILED", "UPDATE_FAILED", "DEGRADED"}, told
        return told["status"] == "ACTIVE"

    def agents(self):
        """Pids of the policy agents, by their nodes' names."""
        found = {}
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError, KeyError):
                if (entry / "comm").read_text() == COMM:
                    found[self.networks[network_of(entry.name)]] = int(entry.name)
        return found

    def close(self):
        with contextlib.suppress(self.farm.eks.exceptions.ResourceNotFoundException):
            self.farm.eks.delete_addon(**self.addon)
        self.farm.run("delete", "namespace", NAMESPACE, "--wait=false")


def network_of(pid):
    """The network namespace of a process."""
    return Path(f"/proc/{pid}/ns/net").stat().st_ino


@pytest.fixture(scope="module")
def place(farm):
    found = Place(farm)
    yield found
    found.close()


@pytest.fixture(scope="module")
def enforced(place):
    """The server is closed to all, and the add-on is told to heed that."""
    place.policy("closed", "server", ingress=[])
    # Policies are not heeded as clusters begin.
    place.await_readers(*place.clients)
    place.install(enableNetworkPolicy="true")
    place.await_readers()
    return place


def test_clusters_begin_with_the_add_on_which_enforces_nothing(place):
    switch = place.read("configmap", "amazon-vpc-cni", "kube-system")
    assert switch["data"]["enable-network-policy-controller"] == "false"
    chosen = ("--selector=k8s-app=aws-node", "--namespace=kube-system")

    def runs_everywhere():
        plugins = place.farm.read("get", "pods", *chosen)["items"]
        running = [pod["spec"] for pod in plugins if pod["status"]["phase"] == "Running"]
        return {each["nodeName"] for each in running} >= set(place.nodes)

    wait_until(runs_everywhere, ADDON_SECONDS, "the plugin runs on each node")


def test_pods_are_let_in_by_their_labels_on_whatever_node_they_are(enforced):
    friends = [{"podSelector": {"matchLabels": {"role": "friend"}}}]
    enforced.policy("friends", "server", ingress=[{"from": friends}])
    enforced.await_readers("friend-0", "friend-1")
    conditions = enforced.read("pod", "server")["status"]["conditions"]
    ready = {each["type"]: each["status"] for each in conditions}["Ready"]
    assert ready == "True", "its kubelet's probes come through"


def test_pods_go_where_egress_policies_lead_them(enforced):
    enforced.drop_policy("closed")
    enforced.policy("friends", "server", ingress=[{}])
    enforced.await_readers(*enforced.clients)
    other = enforced.address_of("asker")
    block = {"cidr": "0.0.0.0/0", "except": [f"{other}/32"]}
    enforced.policy("leaves", "friend", egress=[{"to": [{"ipBlock": block}]}],
                    policyTypes=["Egress"])  # fmt: skip
    enforced.await_readers("stranger-0", "stranger-1", address=other)
    assert enforced.readers() == set(enforced.clients)
    enforced.drop_policy("leaves")


def test_policies_hold_when_their_agents_are_killed_and_new_ones_go_on(enforced):
    enforced.policy("friends", "server", ingress=[])
    enforced.await_readers()
    before = enforced.agents()
    assert set(before) == set(enforced.nodes)
    for pid in before.values():
        os.kill(pid, signal.SIGKILL)
    assert enforced.readers() == set()

    def back():
        now = enforced.agents()
        return now.keys() == before.keys() and not set(now.values()) & set(before.values())

    wait_until(back, ADDON_SECONDS, "the agents are back")
    assert enforced.readers() == set()
    enforced.policy("friends", "server", ingress=[{}])
    enforced.await_readers(*enforced.clients)


def test_nothing_is_enforced_any_more_once_the_add_on_is_gone(enforced):
    enforced.policy("friends", "server", ingress=[])
    enforced.await_readers()
    enforced.farm.eks.delete_addon(**enforced.addon)
    wait_until(
        lambda: enforced.readers() == set(enforced.clients), ADDON_SECONDS, "the server is open"
    )
