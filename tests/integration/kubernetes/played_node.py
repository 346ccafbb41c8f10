"""A node and its pods, played: network namespaces as the CNI plugin makes them, beside an API
server that is told of them. No kubelet runs."""

import contextlib
import json
import os
import socket
import subprocess
from pathlib import Path

from longshore.fabric.namespaces import within
from longshore.fabric.sockets import listen_in

NODE = "ip-10-123-0-2.ec2.internal"
OUTSIDE = "10.123.9.100"
GATEWAY = "169.254.1.1"
ANSWER_SECONDS = 0.25
PORTS = (8080, 8081)


class Node:
    """Pods in namespaces of the cluster that end with the node, and one client outside of it."""

    def __init__(self, plane):
        self.plane = plane
        self._stack = contextlib.ExitStack()
        self._count = 0
        self.pods = {}
        self._write("/proc/sys/net/ipv4/ip_forward", "1")
        # Pods of a node that there is not are deleted after a while.
        made = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}}
        plane.run("create", "--filename=-", stdin=json.dumps(made))
        self._stack.callback(plane.run, "delete", "node", NODE, "--wait=false")
        self.outside = self._connected("up", OUTSIDE)

    def pod(self, name, namespace="default", *, at="", **labels):
        """A pod of these labels that listens at `PORTS`, which `ports` of it name first and second;
        at an address of its own, unless it is to have that one."""
        address = at or f"10.123.9.{len(self.pods) + 1}"
        self.pods[namespace, name] = found = self._connected("eni", address)
        found.api = (f"--namespace={namespace}", name)
        self.create(name, namespace, labels)
        self.tell(found, address)
        return found

    def create(self, name, namespace="default", labels=None, node=NODE):
        """A pod for the API server, without an address yet."""
        ports = [{"name": f"port-{number}", "containerPort": number} for number in PORTS]
        container = {"name": "main", "image": "none", "ports": ports}
        made = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": namespace, "labels": labels or {}},
            "spec": {
                "nodeName": node,
                "containers": [container],
                "terminationGracePeriodSeconds": 0,
            },
        }
        self.plane.run("create", "--filename=-", stdin=json.dumps(made))
        self._stack.callback(self._delete, f"--namespace={namespace}", name)

    def tell(self, pod, address):
        """As a kubelet does, once a pod has its address."""
        status = {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]}
        patch = f"--patch={json.dumps({'status': status})}"
        self.plane.run("patch", "pod", *pod.api, "--subresource=status", patch)

    def connect(self, address):
        """A pod's network alone, of which the API server knows nothing."""
        return self._connected("eni", address)

    def reads(self, pod, port=PORTS[0]):
        """Whether the node itself reaches a pod, as its kubelet does."""
        return reaches(self.plane.namespace, pod.address, port)

    def close(self):
        self._stack.close()

    def _connected(self, prefix, address):
        self._count += 1
        found = Member(f"{self.plane.namespace.name}-{self._count}", address)
        self._stack.callback(found.close)
        found.connect(self.plane.namespace.name, f"{prefix}{self._count}")
        return found

    def _delete(self, *pod):
        self.plane.run("delete", "pod", *pod, "--force", "--ignore-not-found", "--wait=false")

    def _write(self, path, text):
        inside = self.plane.in_namespace("sh", "-c", f"echo {text} >{path}")
        subprocess.run(inside, check=True)


class Member:
    """A network namespace with one address, led to by a pair of devices."""

    api = ()

    def __init__(self, name, address):
        self.namespace, self.address = Path("/run/netns") / name, address
        self._listeners = []

    def connect(self, node, device):
        name, own = self.namespace.name, "02:00:00:00:00:01"
        ip("netns", "add", name)
        ip("-n", name, "link", "set", "lo", "up")
        ip("-n", node, "link", "add", device, "address", own, "type", "veth", "peer", "eth0",
           "netns", name)  # fmt: skip
        ip("-n", name, "address", "add", f"{self.address}/32", "dev", "eth0")
        ip("-n", name, "link", "set", "eth0", "up")
        ip("-n", name, "route", "add", GATEWAY, "dev", "eth0", "scope", "link")
        ip("-n", name, "route", "add", "default", "via", GATEWAY)
        ip("-n", name, "neigh", "add", GATEWAY, "lladdr", own, "dev", "eth0")
        ip("-n", node, "link", "set", device, "up")
        ip("-n", node, "route", "replace", f"{self.address}/32", "dev", device)
        self._listeners = [listen_in(self.namespace, self.address, port) for port in PORTS]

    def reaches(self, other, port=PORTS[0]):
        return reaches(self.namespace, other.address, port)

    @contextlib.contextmanager
    def connection(self, other, port=PORTS[0]):
        """Both ends of a connection to another member: the client's, the server's."""
        listener = other._listeners[PORTS.index(port)]
        drain(listener)
        with within(self.namespace):
            client = socket.create_connection((other.address, port), timeout=2)
        listener.settimeout(2)
        server, _ = listener.accept()
        with client, server:
            yield client, server

    def pretend(self, address):
        """Speak from another address too."""
        ip("-n", self.namespace.name, "address", "add", f"{address}/32", "dev", "eth0")
        ip("-n", self.namespace.name, "route", "replace", "default", "via", GATEWAY,
           "src", address)  # fmt: skip

    def close(self):
        for each in self._listeners:
            each.close()
        if self.namespace.exists():
            ip("netns", "delete", self.namespace.name)


def reaches(namespace, address, port):
    """Whether a connection comes about within a quarter of a second."""
    with within(namespace), socket.socket() as client:
        client.settimeout(ANSWER_SECONDS)
        return client.connect_ex((address, port)) == 0


def drain(listener):
    """Nobody waits to be accepted any more."""
    listener.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            listener.accept()[0].close()


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True, capture_output=True, env=os.environ)
