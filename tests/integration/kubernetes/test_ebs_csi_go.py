"""The CSI driver's own tests, which Go runs."""

import os
import subprocess

from longshore.components import component, locate
from longshore.components.sources.go_module import module_folder


def test_ebs_csi_drivers_own_tests_pass():
    [source] = component("ebs-csi").sources
    environment = {**os.environ, "CGO_ENABLED": "0", "GOWORK": "off", "GOFLAGS": "-mod=readonly"}
    for command in ("vet", "test"):
        done = subprocess.run(
            [locate("go"), command, "./ebs-csi/..."],
            check=False,
            capture_output=True,
            text=True,
            cwd=module_folder(source),
            env=environment,
        )
        assert done.returncode == 0, done.stdout + done.stderr
