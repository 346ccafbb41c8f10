"""The README's first session, run as it stands there."""

import contextlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from end_to_end.shells import PAGE, shell_image
from end_to_end.software import NGINX_COMMAND, NGINX_PAGE, nginx_files

from longshore.components import locate
from longshore.testing.docker import DockerEngine
from longshore.testing.wait import wait_until

README = Path(__file__).parents[2] / "README.md"
SESSION_SECONDS = 600
LONGSHORE = """#!/bin/sh
[ "$1" = components ] || set -- "$@" --data-dir '{data_dir}'
exec '{python}' -m longshore.main "$@"
"""
AWS = """#!/bin/bash
[[ " $* " == *" --follow "* ]] || exec {aws} "$@"
# As a person who presses Ctrl-C once the request is there.
exec 3< <(exec {aws} "$@")
following=$!
while read -r -t 60 line <&3; do
    echo "$line"
    [[ $line == *'"GET / '* ]] && break
done
kill -INT $following
"""


def _aws():
    """Version 2 of the AWS CLI, which the README asks for and pip does not have."""
    for directory in ("/usr/local/bin", "/usr/bin"):
        program = shutil.which("aws", path=directory)
        if program and "aws-cli/2" in subprocess.check_output([program, "--version"], text=True):
            return program
    return None


needs_programs = pytest.mark.skipif(
    shutil.which("dockerd") is None or _aws() is None,
    reason="packages that the README's session asks for cannot be had here: docker.io, awscli",
)


def _session(heading="A first session"):
    """The first block after the heading."""
    _, _, text = README.read_text().partition(f"\n## {heading}\n")
    found = re.search(r"^```\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert found is not None
    return found[1]


def _typed(session, tree, environment):
    """What the session shows whoever types it in `tree`, with the tree's programs."""
    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", session],
        check=False,
        capture_output=True,
        text=True,
        cwd=tree,
        timeout=SESSION_SECONDS,
        env={**environment, "PATH": f"{tree}/bin:{os.environ['PATH']}"},
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def _program(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


@pytest.fixture
def engine(tmp_path):
    """A Docker engine that has an image `nginx`, as if pulled before."""
    running = DockerEngine(tmp_path / "docker")
    files = {path.removeprefix("/"): _content(file) for path, file in nginx_files().items()}
    running.import_image("nginx", files, NGINX_COMMAND)
    yield running
    running.close()


def _content(file):
    return file.read_bytes() if isinstance(file, Path) else file


@pytest.fixture
def tree(longshore, tmp_path):
    """A folder in which `.venv/bin/longshore` is the tests' Longshore."""
    folder = tmp_path / "tree"
    values = {"python": sys.executable, "data_dir": longshore.data_dir}
    _program(folder / ".venv/bin/longshore", LONGSHORE.format(**values))
    _program(folder / "bin/aws", AWS.format(aws=_aws()))
    return folder


@pytest.fixture
def forget(cloud):
    """What the session makes goes away again, be it there or not."""
    yield
    rule = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "CidrIp": "0.0.0.0/0"}
    for take_back in (
        lambda: cloud.ec2.revoke_security_group_ingress(GroupName="default", **rule),
        lambda: cloud.ecr.delete_repository(repositoryName="hello", force=True),
        lambda: cloud.logs.delete_log_group(logGroupName="/hello"),
    ):
        with contextlib.suppress(ClientError):
            take_back()


@needs_programs
def test_first_session_of_the_readme_works_as_it_stands_there(cloud, engine, tree, forget):
    said = _typed(
        _session(),
        tree,
        {
            **{name: os.environ[name] for name in ("HOME", "LANG") if name in os.environ},
            "PYTHONUNBUFFERED": "1",  # as where a terminal listens
            "DOCKER_HOST": engine.host,
            "DOCKER_CONFIG": str(tree / "docker"),
        },
    )
    assert NGINX_PAGE.decode() in said
    assert '"GET / HTTP/1.1" 200' in said
    tasks = cloud.ecs.list_tasks(family="hello", desiredStatus="STOPPED")["taskArns"]
    stopped = [cloud.await_status(task, "STOPPED") for task in tasks]
    assert [task["stopCode"] for task in stopped] == ["UserInitiated"]


@needs_programs
def test_kubernetes_cluster_of_the_readme_works_as_it_stands_there(cloud, tree):
    beginning = _session().partition("aws sts get-caller-identity")[0]
    beginning += f"image={shell_image(cloud)}\n"
    _program(tree / "bin/kubectl", f'#!/bin/sh\nexec {locate("kube-1.36")} kubectl "$@"\n')
    said = _typed(
        beginning + _session("A Kubernetes cluster"),
        tree,
        {**cloud.longshore.environment(), "KUBECONFIG": str(tree / "kubeconfig")},
    )
    assert re.search(r"^hello-\S+ +1/1 +Running", said, re.MULTILINE)
    assert PAGE.decode() in said
    eks = cloud.longshore.client("eks")
    wait_until(lambda: "shop" not in eks.list_clusters()["clusters"], 60, "the cluster is gone")
