"""An instance played in namespaces: its interface, a VPC's router, and what answers it there."""

import base64
import contextlib
import json
import os
import socket
import subprocess
import threading
import time
import urllib.parse
import uuid
from collections.abc import Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec

from longshore.awsapi.http import HttpRequest
from longshore.awsapi.sigv4 import read_signature, verify
from longshore.components import locate
from longshore.fabric.sockets import listen_in
from longshore.model.link_local import API_ADDRESS, METADATA_ADDRESS

MAC = "02:11:22:33:44:55"
PRIMARY = "10.0.1.10"
GATEWAY = "10.0.1.1"
OUTSIDE = "203.0.113.9"
API_PORT = 4566
REGION, ZONE = "eu-west-1", "eu-west-1a"
INSTANCE_ID = "i-0123456789abcdef0"
KEY = {
    "Code": "Success",
    "AccessKeyId": "ASIAEXAMPLE",
    "SecretAccessKey": "secret/of+the/role",
    "Token": "session+token/of=the=role",
    "Expiration": "2100-01-01T00:00:00Z",
}
POD_TOKEN = "header.claims.signature"
"""Of a service account that has a role."""
SECONDS = 30


class Run(msgspec.Struct):
    """How a command ended."""

    code: int
    out: str
    err: str


class Instance:
    """`metadata` are answers by path below /latest/; `calls` what the API was asked."""

    def __init__(self, folder: Path) -> None:
        name = uuid.uuid4().hex[:8]
        self.inside = Path("/run/netns") / f"node-{name}"
        self.router = Path("/run/netns") / f"vpc-{name}"
        self.folder = folder
        self.addresses = [PRIMARY]
        self.free = [f"10.0.1.{number}" for number in range(100, 160)]
        self.refusal: tuple[str, str] | None = None
        self.calls: list[Mapping[str, str]] = []
        card = f"meta-data/network/interfaces/macs/{MAC}"
        self.metadata: dict[str, str] = {
            "meta-data/mac": MAC,
            "meta-data/placement/region": REGION,
            "meta-data/placement/availability-zone-id": "euw1-az1",
            "meta-data/iam/security-credentials/": "node-role",
            "meta-data/iam/security-credentials/node-role": json.dumps(KEY),
            "dynamic/instance-identity/document": json.dumps(
                {
                    "accountId": "111122223333",
                    "instanceId": INSTANCE_ID,
                    "instanceType": "t3.medium",
                    "privateIp": PRIMARY,
                    "region": REGION,
                    "availabilityZone": ZONE,
                }
            ),
            f"{card}/interface-id": "eni-0123456789abcdef0",
            f"{card}/vpc-ipv4-cidr-blocks": "10.0.0.0/16\n100.64.0.0/16",
        }
        self._listed = f"{card}/local-ipv4s"

    def set_up(self) -> None:
        """The instance's namespace, and the router's, which knows its addresses for good."""
        inside, router = self.inside.name, self.router.name
        for each in (inside, router):
            ip("netns", "add", each)
            ip("-n", each, "link", "set", "lo", "up")
        ip("-n", router, "link", "add", "port", "mtu", "9001", "type", "veth", "peer", "eth0",
           "address", MAC, "mtu", "9001", "netns", inside)  # fmt: skip
        for address in (GATEWAY, METADATA_ADDRESS, API_ADDRESS, OUTSIDE):
            ip("-n", router, "address", "add", f"{address}/32", "dev", "port")
        ip("-n", router, "link", "set", "port", "up")
        self.lead(PRIMARY)
        ip("-n", inside, "address", "add", f"{PRIMARY}/24", "dev", "eth0")
        ip("-n", inside, "link", "set", "eth0", "up")
        ip("-n", inside, "route", "add", "default", "via", GATEWAY)

    def tear_down(self) -> None:
        for each in (self.inside, self.router):
            if each.exists():
                ip("netns", "delete", each.name)

    def lead(self, address: str) -> None:
        """As the fabric does with an address of an interface."""
        router = self.router.name
        ip("-n", router, "neigh", "replace", address, "lladdr", MAC, "dev", "port")
        ip("-n", router, "route", "replace", f"{address}/32", "dev", "port")

    def give(self, count: int) -> list[str]:
        """So many more secondary addresses."""
        given = [self.free.pop(0) for _ in range(count)]
        for address in given:
            self.lead(address)
        self.addresses += given
        return given

    def metadata_of(self, path: str) -> str | None:
        if path == self._listed:
            return "\n".join(self.addresses)
        return self.metadata.get(path)

    @contextlib.contextmanager
    def answering(self) -> Iterator[None]:
        """Metadata and the API answer, in the router's namespace."""
        listeners = [
            (listen_in(self.router, METADATA_ADDRESS, 80), Metadata),
            (listen_in(self.router, API_ADDRESS, API_PORT), Api),
        ]
        with contextlib.ExitStack() as stack:
            for listener, handler in listeners:
                stack.enter_context(serve(listener, handler, self))
            yield

    def run(
        self,
        *command: str | Path,
        given: str = "",
        environment: Mapping[str, str] | None = None,
        private: bool = False,
    ) -> Run:
        """In the instance's namespace; `private` with mounts of its own."""
        enter = ["nsenter", f"--net={self.inside}", "--"]
        if private:
            enter += ["unshare", "--mount", "--"]
        done = subprocess.run(
            [*enter, *map(str, command)],
            check=False,
            capture_output=True,
            text=True,
            input=given,
            timeout=SECONDS,
            env={
                "PATH": os.environ["PATH"],
                "AWS_ENDPOINT_URL": f"http://{API_ADDRESS}:{API_PORT}",
                **(environment or {}),
            },
        )
        return Run(done.returncode, done.stdout, done.stderr)

    def node(self, *arguments: str, given: str = "", private: bool = False) -> Run:
        return self.run(locate("longshore-node"), *arguments, given=given, private=private)


class Pod:
    """A pod's namespace, and what the container runtime asks the plugin for it."""

    def __init__(self, instance: Instance, container: str) -> None:
        self.instance = instance
        self.container = container
        self.namespace = Path("/run/netns") / f"pod-{uuid.uuid4().hex[:8]}"
        ip("netns", "add", self.namespace.name)

    def ask(self, command: str, **further: Any) -> Run:
        network = {
            "cniVersion": "1.0.0",
            "name": "longshore",
            "type": "longshore-cni",
            "folder": str(self.instance.folder / "ledger"),
            **further,
        }
        return self.instance.run(
            locate("longshore-node"),
            given=json.dumps(network),
            environment={
                "CNI_COMMAND": command,
                "CNI_CONTAINERID": self.container,
                "CNI_NETNS": str(self.namespace),
                "CNI_IFNAME": "eth0",
                "CNI_PATH": "/opt/cni/bin",
            },
        )

    def add(self) -> str:
        """The address that it has got."""
        done = self.ask("ADD")
        assert done.code == 0, done.out + done.err
        address, _, length = json.loads(done.out)["ips"][0]["address"].partition("/")
        assert length == "32"
        return str(address)

    def remove(self) -> None:
        if self.namespace.exists():
            ip("netns", "delete", self.namespace.name)


class _Handler(BaseHTTPRequestHandler):
    instance: Instance

    def answer(self, status: int, text: str, kind: str = "text/plain") -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


class Metadata(_Handler):
    """Version 2 alone."""

    def do_PUT(self) -> None:
        given = self.headers["X-aws-ec2-metadata-token-ttl-seconds"]
        ok = self.path == "/latest/api/token" and 0 < int(given) <= 21600
        self.answer(200 if ok else 400, "the-token" if ok else "")

    def do_GET(self) -> None:
        if self.headers["X-aws-ec2-metadata-token"] != "the-token":
            self.answer(401, "")
            return
        found = self.instance.metadata_of(self.path.removeprefix("/latest/"))
        self.answer(404 if found is None else 200, found or "")


class Api(_Handler):
    """The operations that a node calls, by whoever signs as the role."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = HttpRequest("POST", self.path, "", headers, body)
        signed = read_signature(request)
        assert signed is not None
        assert headers["x-amz-security-token"] == KEY["Token"]
        # What it raises ends the connection, which the caller notices.
        verify(signed, request, KEY["SecretAccessKey"], time.time())
        if signed.service == "eks-auth":
            self._eks_auth(json.loads(body)["token"])
        elif signed.service == "ecr":
            self._ecr(json.loads(body))
        else:
            self._ec2(dict(urllib.parse.parse_qsl(body.decode())))

    def _eks_auth(self, token: str) -> None:
        """Credentials for the one token that is good."""
        self.instance.calls.append({"Action": self.path, "token": token})
        if token != POD_TOKEN:
            self.send_response(400)
            self.send_header("X-Amzn-Errortype", "InvalidTokenException:")
            self.send_header("Content-Length", "17")
            self.end_headers()
            self.wfile.write(b'{"message":"bad"}')
            return
        answer = {
            "assumedRoleUser": {"arn": "arn:aws:sts::111122223333:assumed-role/shop/x"},
            "credentials": {
                "accessKeyId": "ASIAPOD",
                "secretAccessKey": "pod-secret",
                "sessionToken": "pod-session",
                "expiration": 4102444800.5,
            },
        }
        self.answer(200, json.dumps(answer), "application/json")

    def _ecr(self, asked: Mapping[str, Any]) -> None:
        self.instance.calls.append({"Action": self.headers["X-Amz-Target"], **asked})
        account = (asked.get("registryIds") or ["111122223333"])[0]
        data = {
            "authorizationToken": base64.b64encode(b"AWS:the-password").decode(),
            "expiresAt": 4102444800,
            "proxyEndpoint": f"https://{account}.dkr.ecr.{REGION}.registry.test:4567",
        }
        answer = json.dumps({"authorizationData": [data]})
        self.answer(200, answer, "application/x-amz-json-1.1")

    def _ec2(self, asked: Mapping[str, str]) -> None:
        instance = self.instance
        instance.calls.append(asked)
        if instance.refusal is not None:
            code, message = instance.refusal
            error = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
            self.answer(400, f"<Response><Errors>{error}</Errors></Response>", "text/xml")
        elif asked["Action"] == "DescribeInstanceTypes":
            limits = (
                "<maximumNetworkInterfaces>3</maximumNetworkInterfaces>"
                "<ipv4AddressesPerInterface>6</ipv4AddressesPerInterface>"
            )
            self._listing("instanceTypeSet", [f"<networkInfo>{limits}</networkInfo>"])
        else:
            assert asked["Action"] == "AssignPrivateIpAddresses"
            given = instance.give(int(asked["SecondaryPrivateIpAddressCount"]))
            items = [f"<privateIpAddress>{each}</privateIpAddress>" for each in given]
            self._listing("assignedPrivateIpAddressesSet", items)

    def _listing(self, name: str, items: Sequence[str]) -> None:
        inner = "".join(f"<item>{item}</item>" for item in items)
        self.answer(200, f"<Response><{name}>{inner}</{name}></Response>", "text/xml")


@contextlib.contextmanager
def serve(listener: socket.socket, handler: type[_Handler], instance: Instance) -> Iterator[None]:
    """Answer on a socket that listens."""
    listener.setblocking(True)
    played = type(handler.__name__, (handler,), {"instance": instance})
    server = ThreadingHTTPServer(("", 0), played, bind_and_activate=False)
    server.socket.close()
    server.socket = listener
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def ip(*arguments: str) -> str:
    done = subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)
    return done.stdout
