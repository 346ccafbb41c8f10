"""The tests of programs that are written here in Go, which Go runs."""

import os
import subprocess

import pytest

from longshore.components import component, locate
from longshore.components.sources.go_module import module_folder


@pytest.mark.parametrize(
    ("name", "program"),
    [
        ("ebs-csi", "ebs-csi"),
        ("network-policy", "network-policy-agent"),
        ("node", "longshore-node"),
    ],
)
def test_programs_own_tests_pass(name, program):
    [source] = component(name).sources
    environment = {**os.environ, "CGO_ENABLED": "0", "GOWORK": "off", "GOFLAGS": "-mod=readonly"}
    for command in ("vet", "test"):
        done = subprocess.run(
            [locate("go"), command, f"./{program}/..."],
            check=False,
            capture_output=True,
            text=True,
            cwd=module_folder(source),
            env=environment,
        )
        assert done.returncode == 0, done.stdout + done.stderr
