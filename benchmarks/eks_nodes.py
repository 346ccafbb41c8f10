"""EKS's nodes and pods: from asking to Ready, and what an empty node takes.

    .venv/bin/python benchmarks/eks_nodes.py [--pods N] [--burst N] [--fargate N]

One cluster. The time of a node is that from a larger node group until the new node is Ready; the
first of an installation also has its machine image made. Then pods of a cached image one by one,
from the call that makes one until a watch tells that it is Ready, beside `docker run`'s equivalent
on the same machine, `ctr run` of the same image in Longshore's own containerd; and many at once. A
Fargate pod has a machine and a kernel of its own: told are the whole, and what comes once it has a
node, which is what Kubernetes counts ("Pod startup latency SLI/SLO details": of schedulable pods).
The client is the Kubernetes project's own for Python, with one token and kept connections, so that
pods are measured and not a client's start.
Needs root, and the components (`longshore components install kubernetes`).
"""

import argparse
import base64
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from kubernetes import client as kubernetes
from kubernetes import config as kubeconfig
from kubernetes import watch
from urllib3.exceptions import HTTPError

from longshore.components import locate
from longshore.components.pins import KUBERNETES_RELEASES
from longshore.testing.images import busybox_files, make_image, push_image
from longshore.testing.longshore import RunningLongshore
from longshore.testing.wait import wait_until

MINOR = max(KUBERNETES_RELEASES)
NAME, GROUP, PROFILE = "bench", "workers", "serverless"
WAIT_SECONDS = 300.0
IDLE_SECONDS = 30.0
AGAIN_SECONDS = 0.1
NODE_POLICIES = (
    "AmazonEKSWorkerNodePolicy",
    "AmazonEKS_CNI_Policy",
    "AmazonEC2ContainerRegistryReadOnly",
)
COMMAND = ["sh", "-c", "trap 'exit 0' TERM; sleep 9999 & wait"]


class Bench:
    """A running Longshore with one cluster, and a client of it."""

    def __init__(self, running: RunningLongshore, directory: Path) -> None:
        self.running = running
        self.iam, self.ec2 = running.client("iam"), running.client("ec2")
        self.eks = running.client("eks")
        self.config = directory / "kubeconfig"
        self.directory = directory
        self.subnets = [each["SubnetId"] for each in self.ec2.describe_subnets()["Subnets"]][:2]
        # What the kubeconfig's `aws eks get-token` runs with.
        programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        os.environ.update({**running.environment(), "PATH": programs})

    def role(self, name: str, service: str, policies: Iterable[str] = ()) -> str:
        """The ARN of a new role that this service may have."""
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": f"{service}.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
        trust = json.dumps({"Version": "2012-10-17", "Statement": statement})
        arn: str = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"][
            "Arn"
        ]
        for policy in policies:
            self.iam.attach_role_policy(
                RoleName=name, PolicyArn=f"arn:aws:iam::aws:policy/{policy}"
            )
        return arn

    def connect(self) -> None:
        """Speak to the cluster from now on."""
        self.core = kubernetes.CoreV1Api(self._client())
        self.pods = Pods(kubernetes.CoreV1Api(self._client()))

    def _client(self) -> Any:
        return kubeconfig.new_client_from_config(str(self.config))

    def nodes(self) -> list[Any]:
        items: list[Any] = self.core.list_node().items
        return items


class Pods:
    """What a watch tells of the cluster's pods, as it comes: who has a node since when, and who is
    Ready, by uid."""

    def __init__(self, core: Any) -> None:
        self._core = core
        self._told = threading.Condition()
        self.placed: dict[str, float] = {}
        self._ready: dict[str, float] = {}
        self._gone: set[str] = set()
        threading.Thread(target=self._follow, daemon=True).start()

    def _follow(self) -> None:
        while True:
            # A watch may end with its API server, as it does with the cluster.
            with contextlib.suppress(HTTPError):
                self._watch()
            time.sleep(AGAIN_SECONDS)

    def _watch(self) -> None:
        listed = self._core.list_pod_for_all_namespaces()
        since = {"resource_version": listed.metadata.resource_version}
        for event in watch.Watch().stream(self._core.list_pod_for_all_namespaces, **since):
            self._note(event["type"], event["object"], time.monotonic())

    def _note(self, kind: str, seen: Any, now: float) -> None:
        with self._told:
            if kind == "DELETED":
                self._gone.add(seen.metadata.uid)
            else:
                if seen.spec.node_name:
                    self.placed.setdefault(seen.metadata.uid, now)
                if is_ready(seen):
                    self._ready.setdefault(seen.metadata.uid, now)
            self._told.notify_all()

    def ready(self, uids: Iterable[str]) -> list[float]:
        """When each of these became Ready, once all have."""
        wanted = list(uids)
        with self._told:
            if not self._told.wait_for(lambda: self._ready.keys() >= set(wanted), WAIT_SECONDS):
                raise TimeoutError(f"of {len(wanted)} pods some are not Ready")
            return [self._ready[uid] for uid in wanted]

    def gone(self, uids: Iterable[str]) -> None:
        """Return when none of these is there."""
        wanted = set(uids)
        with self._told:
            if not self._told.wait_for(lambda: wanted <= self._gone, WAIT_SECONDS):
                raise TimeoutError(f"of {len(wanted)} pods some are still there")


def main() -> None:
    """Run everything and print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--pods", type=int, default=100)
    parser.add_argument("--burst", type=int, default=20)
    parser.add_argument("--fargate", type=int, default=100)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="longshore-bench-") as directory:
        running = RunningLongshore(Path(directory) / "data")
        try:
            bench = Bench(running, Path(directory))
            report(bench, options.pods, options.burst, options.fargate)
        finally:
            running.end()


def report(bench: Bench, pods: int, burst: int, apart: int) -> None:
    """Make the cluster, time nodes and pods, and say what came of it."""
    make_cluster(bench)
    image = push(bench)
    print(f"first node Ready, its image made first          {first_node(bench):6.1f} s")
    print(f"another node Ready                              {timed(bench, another_node):6.1f} s")
    # Before any pod: its kubelet has those that were to clear away.
    time.sleep(IDLE_SECONDS)
    print(f"empty node                                      {node_memory(bench):6.0f} MiB (PSS)")
    print(f"empty node, of a processor                      {node_processors(bench):6.1f} %")
    time_pods(bench, image, pods, burst)
    fargate(bench)
    # The host has the machines' image then.
    one_pod(bench, image, "apart", "serverless")
    starts = [one_pod(bench, image, f"apart-{n}", "serverless") for n in range(apart)]
    tell_times("pod on Fargate Ready, machine and all", [start.whole for start in starts])
    tell_times("the same once it has a node", [start.placed for start in starts])


def time_pods(bench: Bench, image: str, pods: int, burst: int) -> None:
    """Pods one by one and at once, beside the reference."""
    for number in range(2 * len(bench.nodes())):
        # Each node has the image then.
        one_pod(bench, image, f"warm-{number}")
    times = [one_pod(bench, image, f"pod-{number}").whole for number in range(pods)]
    bare = [by_ctr(bench, image, number) for number in range(5)]
    usual, reference = statistics.median(times), statistics.median(bare)
    tell_times("pod Ready, one by one", times)
    print(f"ctr run of the same image (median)              {reference:6.2f} s")
    print(f"times the reference                             {usual / reference:6.1f}")
    rate = at_once(bench, image, burst)
    print(f"pods a second, {burst:<3} at once                     {rate:6.1f}")


def tell_times(what: str, times: list[float]) -> None:
    print(f"{what + ', p50':<47} {statistics.median(times):6.2f} s")
    print(f"{f'{what}, p99 of {len(times)}':<47} {percentile(times, 99):6.2f} s")


def make_cluster(bench: Bench) -> None:
    bench.eks.create_cluster(
        name=NAME,
        version=MINOR,
        roleArn=bench.role("bench-cluster", "eks"),
        resourcesVpcConfig={"subnetIds": bench.subnets, "endpointPrivateAccess": True},
        accessConfig={"authenticationMode": "API"},
    )
    wait_until(
        lambda: bench.eks.describe_cluster(name=NAME)["cluster"]["status"] == "ACTIVE",
        WAIT_SECONDS,
        "the cluster is ACTIVE",
    )
    where = ["--name", NAME, "--kubeconfig", str(bench.config)]
    bench.running.aws("eks", "update-kubeconfig", *where)
    bench.connect()


def push(bench: Bench) -> str:
    """A small image in the account's registry; its reference."""
    ecr = bench.running.client("ecr")
    uri: str = ecr.create_repository(repositoryName="bench")["repository"]["repositoryUri"]
    layout = bench.directory / "image"
    make_image(layout, busybox_files("sh", "sleep"), {"Cmd": COMMAND})
    token = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    push_image(layout, f"{uri}:1", base64.b64decode(token).decode())
    return f"{uri}:1"


def timed(bench: Bench, work: Callable[[Bench], None]) -> float:
    began = time.monotonic()
    work(bench)
    return time.monotonic() - began


def first_node(bench: Bench) -> float:
    role = bench.role("bench-nodes", "ec2", NODE_POLICIES)
    began = time.monotonic()
    bench.eks.create_nodegroup(
        clusterName=NAME,
        nodegroupName=GROUP,
        nodeRole=role,
        subnets=bench.subnets[:1],
        instanceTypes=["t3.medium"],
        scalingConfig={"minSize": 1, "maxSize": 3, "desiredSize": 1},
    )
    await_nodes(bench, 1)
    took = time.monotonic() - began
    named = {"clusterName": NAME, "nodegroupName": GROUP}
    wait_until(
        lambda: bench.eks.describe_nodegroup(**named)["nodegroup"]["status"] == "ACTIVE",
        WAIT_SECONDS,
        "the node group is ACTIVE",
    )
    return took


def another_node(bench: Bench) -> None:
    sizes = {"minSize": 1, "maxSize": 3, "desiredSize": 2}
    bench.eks.update_nodegroup_config(clusterName=NAME, nodegroupName=GROUP, scalingConfig=sizes)
    await_nodes(bench, 2)


def await_nodes(bench: Bench, count: int) -> None:
    def ready() -> bool:
        return sum(is_ready(node) for node in bench.nodes()) == count

    wait_until(ready, WAIT_SECONDS, f"{count} nodes are Ready")


def is_ready(thing: Any) -> bool:
    conditions = thing.status.conditions or ()
    return any(each.type == "Ready" and each.status == "True" for each in conditions)


def pod(name: str, image: str, namespace: str = "default") -> dict[str, Any]:
    container = {"name": "main", "image": image, "command": COMMAND}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 0},
    }


class Start(NamedTuple):
    """Seconds until a pod is Ready, from its creation and from when it has a node."""

    whole: float
    placed: float


def one_pod(bench: Bench, image: str, name: str, namespace: str = "default") -> Start:
    """How long a pod takes to be Ready; it is deleted again."""
    began = time.monotonic()
    uid = make_pod(bench, image, name, namespace)
    ready = bench.pods.ready([uid])[0]
    start = Start(ready - began, ready - bench.pods.placed[uid])
    bench.core.delete_namespaced_pod(name, namespace)
    bench.pods.gone([uid])
    return start


def make_pod(bench: Bench, image: str, name: str, namespace: str) -> str:
    """The uid of a new pod."""
    made = bench.core.create_namespaced_pod(namespace, pod(name, image, namespace))
    uid: str = made.metadata.uid
    return uid


def at_once(bench: Bench, image: str, count: int) -> float:
    """Pods that become Ready in a second, of so many."""
    names = [f"burst-{number}" for number in range(count)]
    began = time.monotonic()
    uids = [make_pod(bench, image, name, "default") for name in names]
    took = max(bench.pods.ready(uids)) - began
    for name in names:
        bench.core.delete_namespaced_pod(name, "default")
    bench.pods.gone(uids)
    return count / took


def by_ctr(bench: Bench, image: str, number: int) -> float:
    """Seconds that `ctr run` of the image takes whose command ends at once."""
    address = bench.running.installation.run_dir / "containerd.sock"
    ctr = [str(locate("ctr")), "--address", str(address), "--namespace", "bench"]
    if number == 0:
        layout = bench.directory / "image.tar"
        subprocess.run(["tar", "-C", bench.directory / "image", "-cf", layout, "."], check=True)
        subprocess.run([*ctr, "image", "import", "--index-name", image, layout], check=True)
    began = time.monotonic()
    run = ["run", "--rm", "--runtime", "io.containerd.longshore.v2"]
    subprocess.run([*ctr, *run, image, f"bench-{number}", "sleep", "0"], check=True)
    return time.monotonic() - began


def percentile(values: list[float], part: int) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(len(ordered) * part / 100))]


def node_memory(bench: Bench) -> float:
    """MiB of what runs on the node that was added last, pods of DaemonSets among it (PSS)."""
    return sum(map(_pss, node_processes(bench))) / 2**20


def node_processors(bench: Bench) -> float:
    """Percent of one processor that the same takes while nothing happens."""
    before = sum(map(_ticks, node_processes(bench)))
    time.sleep(IDLE_SECONDS)
    after = sum(map(_ticks, node_processes(bench)))
    return 100 * (after - before) / os.sysconf("SC_CLK_TCK") / IDLE_SECONDS


def node_processes(bench: Bench) -> list[Path]:
    """The folders in /proc of the newest node's processes."""
    newest = max(bench.nodes(), key=lambda node: str(node.metadata.creation_timestamp))
    instance = newest.spec.provider_id.rpartition("/")[2]
    mark = f"/instances/{instance}/"
    return [entry for entry in Path("/proc").iterdir() if _is_of(entry, mark)]


def _ticks(entry: Path) -> int:
    """Ticks of the clock that the process has had, and children of it that have ended."""
    try:
        fields = (entry / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return sum(map(int, fields[11:15]))


def _is_of(entry: Path, mark: str) -> bool:
    try:
        return entry.name.isdigit() and mark in (entry / "mountinfo").read_text()
    except OSError:
        return False


def _pss(entry: Path) -> int:
    try:
        lines = (entry / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    found = next((line for line in lines if line.startswith("Pss:")), "Pss: 0 kB")
    return int(found.split()[1]) * 1024


def fargate(bench: Bench) -> None:
    """A Fargate profile of the namespace `serverless`, in a private subnet."""
    vpc = bench.eks.describe_cluster(name=NAME)["cluster"]["resourcesVpcConfig"]["vpcId"]
    made = bench.ec2.create_subnet(VpcId=vpc, CidrBlock="172.31.240.0/24")["Subnet"]["SubnetId"]
    table = bench.ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    bench.ec2.associate_route_table(RouteTableId=table, SubnetId=made)
    policy = "AmazonEKSFargatePodExecutionRolePolicy"
    bench.core.create_namespace({"metadata": {"name": "serverless"}})
    named = {"clusterName": NAME, "fargateProfileName": PROFILE}
    bench.eks.create_fargate_profile(
        **named,
        podExecutionRoleArn=bench.role("bench-pods", "eks-fargate-pods", [policy]),
        subnets=[made],
        selectors=[{"namespace": "serverless"}],
    )
    wait_until(
        lambda: bench.eks.describe_fargate_profile(**named)["fargateProfile"]["status"] == "ACTIVE",
        WAIT_SECONDS,
        "the profile is ACTIVE",
    )


if __name__ == "__main__":
    main()
