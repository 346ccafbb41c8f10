"""An API server that is played: nodes and pods, as far as node groups ask for them, over HTTPS."""

import asyncio
import contextlib
import json
import ssl
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from longshore.base.certificates import Subject, issue, new_authority
from longshore.kubernetes.access import Access

NAME = "cluster.test"
Answer = tuple[int, Any]
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class PlayedCluster:
    """`nodes` and `pods` are the objects, by name; what is protected is evicted by nobody, what
    lingers is there after it was asked to leave."""

    def __init__(self) -> None:
        self.nodes: dict[str, dict[str, Any]] = {}
        self.pods: dict[str, dict[str, Any]] = {}
        self.protected: set[str] = set()
        self.lingering: set[str] = set()
        self.answers = True
        self.evicted: list[str] = []
        self.deleted: list[str] = []
        self.access: Access | None = None
        self._revision = 0

    def join(
        self,
        name: str,
        instance_id: str,
        labels: Mapping[str, str],
        taints: tuple[Mapping[str, str], ...] = (),
    ) -> None:
        """A node that is ready."""
        self.nodes[name] = {
            "metadata": {
                "name": name,
                "labels": dict(labels),
                "annotations": {},
                "resourceVersion": self._next(),
            },
            "spec": {
                "providerID": f"aws:///us-east-1a/{instance_id}",
                "taints": [dict(taint) for taint in taints],
            },
        }
        self.become(name, ready=True, since="2020-01-01T00:00:00Z")

    def become(self, name: str, *, ready: bool, since: str) -> None:
        condition = {
            "type": "Ready",
            "status": "True" if ready else "Unknown",
            "lastTransitionTime": since,
        }
        self.nodes[name]["status"] = {"conditions": [condition]}

    def run(
        self, name: str, node: str, *, kind: str = "ReplicaSet", phase: str = "Running"
    ) -> None:
        """A pod on this node, which an object of this kind has made."""
        owner = {"kind": kind, "name": "owner", "controller": True}
        self.pods[name] = {
            "metadata": {
                "name": name,
                "namespace": "default",
                "uid": f"uid-{name}",
                "ownerReferences": [owner],
            },
            "spec": {"nodeName": node},
            "status": {"phase": phase},
        }

    def _next(self) -> str:
        self._revision += 1
        return str(self._revision)

    def answer(self, method: str, target: str, body: Any) -> Answer:
        if not self.answers:
            return 503, {"reason": "ServiceUnavailable", "message": "starting"}
        url = urlsplit(target)
        parts = [unquote(part) for part in url.path.strip("/").split("/")]
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        if parts == ["api", "v1", "nodes"]:
            key, _, value = query["labelSelector"].partition("=")
            nodes = self.nodes.values()
            return _listed(n for n in nodes if n["metadata"]["labels"].get(key) == value)
        if parts == ["api", "v1", "pods"]:
            node = query["fieldSelector"].partition("=")[2]
            return _listed(p for p in self.pods.values() if p["spec"]["nodeName"] == node)
        if parts[2] == "nodes":
            return self._patch(parts[3], body)
        if method == "POST" and parts[-1] == "eviction":
            return self._evict(parts[5])
        assert method == "DELETE"
        return self._delete(parts[5])

    def _patch(self, name: str, body: Any) -> Answer:
        node = self.nodes.get(name)
        if node is None:
            return 404, {"reason": "NotFound", "message": name}
        wanted = body["metadata"].pop("resourceVersion", None)
        if wanted not in {None, node["metadata"]["resourceVersion"]}:
            return 409, {"reason": "Conflict", "message": name}
        _merge(node, body)
        node["metadata"]["resourceVersion"] = self._next()
        return 200, node

    def _evict(self, name: str) -> Answer:
        if name not in self.pods:
            return 404, {"reason": "NotFound", "message": name}
        if name in self.protected:
            return 429, {"reason": "TooManyRequests", "message": "disruption budget"}
        self.evicted.append(name)
        self._leave(name)
        return 201, {}

    def _delete(self, name: str) -> Answer:
        self.deleted.append(name)
        self._leave(name)
        return 200, {}

    def _leave(self, name: str) -> None:
        if name in self.lingering:
            self.pods[name]["metadata"]["deletionTimestamp"] = "2020-01-01T00:00:00Z"
        else:
            del self.pods[name]


def _listed(objects: Any) -> Answer:
    return 200, {"metadata": {}, "items": list(objects)}


def _merge(into: dict[str, Any], patch: Mapping[str, Any]) -> None:
    """RFC 7396."""
    for key, value in patch.items():
        if value is None:
            into.pop(key, None)
        elif isinstance(value, dict):
            _merge(into.setdefault(key, {}), value)
        else:
            into[key] = value


async def _serve(
    cluster: PlayedCluster, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """One connection, until its client hangs up."""
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            first, *lines = head.split("\r\n")
            method, target, _ = first.split(" ")
            headers = dict(line.lower().split(": ", 1) for line in lines if line)
            content = await reader.readexactly(int(headers.get("content-length", 0)))
            status, answer = cluster.answer(method, target, json.loads(content or b"null"))
            body = json.dumps(answer).encode()
            start = f"HTTP/1.1 {status} Said\r\ncontent-length: {len(body)}\r\n\r\n"
            writer.write(start.encode() + body)
            await writer.drain()


@contextlib.asynccontextmanager
async def served(serve: Serve, now: float) -> AsyncIterator[Access]:
    """How clients of an authority of its own reach a server whose connections `serve` answers;
    they hang up before it ends."""
    authority = new_authority("kubernetes", now)
    server = issue(authority, Subject(common_name=NAME, names=(NAME,), server=True), now)
    client = issue(authority, Subject(common_name="tests", client=True), now)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=authority.certificate.decode())
    with tempfile.NamedTemporaryFile() as file:
        Path(file.name).write_bytes(server.key + server.certificate)
        context.load_cert_chain(file.name)
    serving: set[asyncio.Task[None]] = set()

    async def to_its_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await serve(reader, writer)
        writer.close()
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await writer.wait_closed()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.create_task(to_its_end(reader, writer)))

    listening = await asyncio.start_server(begin, "127.0.0.1", 0, ssl=context)
    port = listening.sockets[0].getsockname()[1]
    try:
        yield Access(
            url=f"https://{NAME}:{port}",
            authority_pem=authority.certificate,
            client_cert_pem=client.certificate,
            client_key_pem=client.key,
            address="127.0.0.1",
        )
    finally:
        listening.close()
        await asyncio.gather(*serving)


@contextlib.asynccontextmanager
async def played_cluster(now: float) -> AsyncIterator[PlayedCluster]:
    """One that answers clients of its authority alone."""
    cluster = PlayedCluster()
    async with served(partial(_serve, cluster), now) as cluster.access:
        yield cluster
