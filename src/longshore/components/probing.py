"""Asking programs for their versions."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from longshore.components.component import Component

SYSTEM_DIRECTORIES = ("/usr/local/sbin", "/usr/sbin", "/sbin")
"""Searched after the PATH: a root shell without a login often lacks them."""
SECONDS = 20.0


def version_of(component: Component, programs: Mapping[str, Path]) -> str | None:
    """What the component's probe prints, or None where it does not run or says nothing of it."""
    probe = component.probe
    if probe is None:
        return None
    try:
        told = subprocess.run(
            [programs[probe.program], *probe.arguments],
            check=False,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            # A Go command in another module's folder would ask for that module's toolchain.
            cwd="/",
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(probe.pattern, told.stdout + told.stderr)
    return found[1] if found else None


def find_on_path(component: Component, leaving_out: Path) -> dict[str, Path] | None:
    """Every program of the component as the PATH has it, apart from one directory."""
    directories = [
        directory
        for directory in (*os.environ.get("PATH", "").split(os.pathsep), *SYSTEM_DIRECTORIES)
        if directory and Path(directory) != leaving_out
    ]
    found: dict[str, Path] = {}
    for program in component.programs:
        path = shutil.which(program, path=os.pathsep.join(directories))
        if path is None:
            return None
        found[program] = Path(path)
    return found
