"""EKS clusters: from CreateCluster to ACTIVE, and what a control plane takes at rest.

    .venv/bin/python benchmarks/eks.py [--rounds N]

Beside each cluster, as a reference, the same four processes of upstream's started by hand in a
network namespace: until the API server is ready and its controllers have made what namespaces have,
which a cluster that is ACTIVE may still lack for some seconds. The first cluster of an installation
also has the image of its processes made and pushed. Needs root, and the components
(`longshore components install kubernetes`).
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from longshore.components.pins import KUBERNETES_RELEASES
from longshore.testing.kubernetes import running_control_plane
from longshore.testing.longshore import RunningLongshore
from longshore.testing.wait import wait_until

MINOR = max(KUBERNETES_RELEASES)
ACTIVE_SECONDS = 300.0
REST_SECONDS = 30.0
TRUST = {
    "Version": "2012-10-17",
    "Statement": {
        "Effect": "Allow",
        "Principal": {"Service": "eks.amazonaws.com"},
        "Action": "sts:AssumeRole",
    },
}


def main() -> None:
    """Run everything and print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory(prefix="longshore-bench-") as directory:
        running = RunningLongshore(Path(directory) / "data")
        try:
            report(running, rounds, Path(directory))
        finally:
            running.end()


def report(running: RunningLongshore, rounds: int, directory: Path) -> None:
    """Time clusters and bare processes in turns."""
    request = prepare(running)
    eks = running.client("eks")
    clusters, bare = [], []
    for number in range(rounds):
        clusters.append(timed_cluster(eks, {**request, "name": f"bench-{number}"}))
        if number == 0:
            time.sleep(REST_SECONDS)
            memory = resident(str(running.data_dir))
        eks.delete_cluster(name=f"bench-{number}")
        wait_until(lambda: not eks.list_clusters()["clusters"], ACTIVE_SECONDS, "deleted")
        bare.append(timed_processes(directory / f"bare-{number}", number))
    usual, reference = statistics.median(clusters[1:] or clusters), statistics.median(bare)
    print(f"CreateCluster to ACTIVE, first of its version   {clusters[0]:6.1f} s")
    print(f"CreateCluster to ACTIVE, later ones (median)    {usual:6.1f} s")
    print(f"the same processes by hand (median)             {reference:6.1f} s")
    print(f"times the reference                             {usual / reference:6.2f}")
    for name, size in {**memory, "together": sum(memory.values())}.items():
        print(f"{name:<30} {size / 2**20:6.0f} MiB (PSS, {REST_SECONDS:.0f} s after ACTIVE)")


def prepare(running: RunningLongshore) -> dict[str, Any]:
    """A role; what every CreateCluster is asked with."""
    iam, ec2 = running.client("iam"), running.client("ec2")
    role = iam.create_role(RoleName="bench", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]
    subnets = [each["SubnetId"] for each in ec2.describe_subnets()["Subnets"]][:2]
    return {
        "version": MINOR,
        "roleArn": role["Arn"],
        "resourcesVpcConfig": {"subnetIds": subnets},
        "accessConfig": {"authenticationMode": "API"},
    }


def timed_cluster(eks: Any, request: dict[str, Any]) -> float:
    """Seconds from the call until the cluster is ACTIVE."""
    began = time.monotonic()
    eks.create_cluster(**request)
    wait_until(
        lambda: eks.describe_cluster(name=request["name"])["cluster"]["status"] == "ACTIVE",
        ACTIVE_SECONDS,
        "ACTIVE",
    )
    return time.monotonic() - began


def timed_processes(directory: Path, number: int) -> float:
    """Seconds until the processes alone, with files made before, serve and control."""
    directory.mkdir()
    began = time.monotonic()
    with running_control_plane(MINOR, directory, f"ls-bench-{os.getpid()}-{number}"):
        return time.monotonic() - began


def resident(mark: str) -> dict[str, int]:
    """Bytes of each process of the control plane, what is shared counted in parts (PSS)."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            if words[0] != "/kube" or mark not in (entry / "mountinfo").read_text():
                continue
            lines = (entry / "smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        pss = next(line for line in lines if line.startswith("Pss:"))
        found[words[1]] = int(pss.split()[1]) * 1024
    return found


if __name__ == "__main__":
    main()
