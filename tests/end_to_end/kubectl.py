"""An EKS cluster as its users have it: AWS's clients, a kubeconfig of theirs, and kubectl."""

import base64
import json
import subprocess
import sys
import time
from pathlib import Path

from end_to_end.cloud import trusting

from longshore.base.processes import command_lines
from longshore.components import locate
from longshore.testing.wait import wait_until

ACTIVE_SECONDS = 120
COMMAND_SECONDS = 60
TOKEN_SECONDS = 300
"""For so long a token is used, which is good for a quarter of an hour."""
ADMIN = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
EDIT = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSEditPolicy"
VIEW = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy"


class Kubernetes:
    """One cluster, and kubectl for it: as the administrator, or as whoever has `key`."""

    def __init__(self, cloud, name, version, mode="API"):
        self.cloud, self.name = cloud, name
        self._token, self._token_ends = "", 0.0
        self.eks = cloud.longshore.client("eks")
        role = cloud.iam.create_role(
            RoleName=f"{name}-cluster", AssumeRolePolicyDocument=trusting("eks")
        )
        self.created = self.eks.create_cluster(
            name=name,
            version=version,
            roleArn=role["Role"]["Arn"],
            resourcesVpcConfig={"subnetIds": cloud.default_subnets()[:2]},
            accessConfig={"authenticationMode": mode},
        )["cluster"]
        wait_until(self.is_active, ACTIVE_SECONDS, "the cluster is ACTIVE")
        self.config = cloud.directory / f"{name}.kubeconfig"
        cloud.longshore.aws(
            "eks", "update-kubeconfig", "--name", name, "--kubeconfig", str(self.config)
        )

    def describe(self):
        return self.eks.describe_cluster(name=self.name)["cluster"]

    def is_active(self):
        return self.describe()["status"] == "ACTIVE"

    def run(self, *arguments, key=None, check=True):
        """`kubectl ARGUMENTS`; `key` is (access key id, secret[, session token]).

        The administrator's token is asked for once in a while, not each time, as kubectl would: to
        start the AWS CLI takes longer than everything else.
        """
        given = [] if key is not None else [f"--token={self.token()}"]
        done = subprocess.run(
            [locate("kube-1.36"), "kubectl", f"--kubeconfig={self.config}", *given, *arguments],
            check=False,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            env=self._environment(key),
        )
        assert done.returncode == 0 or not check, done
        return done

    def run_as_written(self, *arguments):
        """`kubectl ARGUMENTS` as the administrator, with nothing but the kubeconfig."""
        return self.run(*arguments, key=())

    def token(self):
        """The administrator's."""
        now = time.monotonic()
        if now >= self._token_ends:
            given = self.cloud.longshore.aws("eks", "get-token", "--cluster-name", self.name)
            self._token = json.loads(given)["status"]["token"]
            self._token_ends = now + TOKEN_SECONDS
        return self._token

    def with_token(self, token):
        """`kubectl get namespaces` with this token and nothing else."""
        described = self.describe()
        authority = self.config.with_suffix(".crt")
        authority.write_bytes(base64.b64decode(described["certificateAuthority"]["data"]))
        where = [f"--server={described['endpoint']}", f"--certificate-authority={authority}"]
        whole = [locate("kube-1.36"), "kubectl", "--kubeconfig=/dev/null", *where]
        return subprocess.run(
            [*whole, f"--token={token}", "get", "namespaces"],
            check=False,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
        )

    def read(self, *arguments, key=None):
        """What `kubectl ARGUMENTS --output=json` says."""
        return json.loads(self.run(*arguments, "--output=json", key=key).stdout)

    def answers(self):
        """Whether the API server takes calls."""
        done = self.run("get", "namespaces", "--request-timeout=5s", check=False)
        return done.returncode == 0

    def processes(self):
        """Pids of the control plane's processes, by name; those that only ask whether it is well
        come and go."""
        uid = self.describe()["endpoint"].removeprefix("https://").partition(".")[0]
        found = {}
        for pid, words in command_lines():
            if words[0] == "/kube" and words[1] != "kubectl" and uid in _mounts(pid):
                found[words[1]] = pid
        return found

    @property
    def env(self):
        """The environment of a kubectl that a test starts by itself, as the administrator."""
        return self._environment(None)

    def _environment(self, key):
        environment = dict(self.cloud.environment)
        # kubectl runs `aws eks get-token`, which lies beside our Python.
        environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
        if key:
            names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
            environment |= dict(zip(names, key, strict=False))
        return environment


def _mounts(pid):
    try:
        return Path(f"/proc/{pid}/mountinfo").read_text()
    except OSError:
        return ""
