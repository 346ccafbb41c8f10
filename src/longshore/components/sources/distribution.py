"""The distribution's packages, with apt-get."""

import contextlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from longshore.components.component import Component, Distribution, Progress, SourceFailed
from longshore.components.directory import ComponentsDirectory
from longshore.components.sources import on_path

SECONDS = 900.0
POLICY = Path("/usr/sbin/policy-rc.d")
HELD = "#!/bin/sh\n# Made by Longshore while it installs packages.\nexit 101\n"
"""101: the action is forbidden by the policy."""


def provide(
    component: Component, source: Distribution, directory: ComponentsDirectory, progress: Progress
) -> dict[str, Path]:
    """Install the packages and take what they put on the PATH. Raises `SourceFailed`."""
    if shutil.which("apt-get") is None:
        raise SourceFailed("this distribution has no apt-get")
    if os.geteuid() != 0:
        raise SourceFailed("only root installs packages")
    # The version is looked at first: a package that is too old is not worth having.
    for package in source.packages:
        _require_candidate(component, package)
    progress(f"{component.name}: installing {', '.join(source.packages)} with apt-get")
    with _holding_services(source.services):
        _install(source)
    return on_path.provide(component, directory)


def _install(source: Distribution) -> None:
    install = ["apt-get", "install", "--yes", "--no-install-recommends", *source.packages]
    if _run(install).returncode != 0:
        _run(["apt-get", "update"])
        done = _run(install)
        if done.returncode != 0:
            raise SourceFailed(f"apt-get: {_last_line(done.stderr)}")


@contextlib.contextmanager
def _holding_services(services: Sequence[str]) -> Iterator[None]:
    """None of these is started by what is installed inside of the block, nor with the machine.

    A policy that the machine has already stays ("policy-rc.d", Debian Policy Manual 9.3.3), but for
    one of ours that an earlier installation was killed with.
    """
    if not services or (POLICY.exists() and POLICY.read_text(errors="replace") != HELD):
        yield
    else:
        POLICY.write_text(HELD)
        POLICY.chmod(0o755)
        try:
            yield
        finally:
            POLICY.unlink(missing_ok=True)
    if services and shutil.which("systemctl"):
        _run(["systemctl", "--quiet", "disable", *services])


def _require_candidate(component: Component, package: str) -> None:
    candidate = _candidate(package)
    if candidate is None:
        _run(["apt-get", "update"])
        candidate = _candidate(package)
    if candidate is None:
        raise SourceFailed(f"the distribution has no package {package}")
    if not component.accepted.accepts(candidate):
        raise SourceFailed(
            f"the distribution has {package} {candidate}; {component.accepted} is needed"
        )


def _candidate(package: str) -> str | None:
    """The version that would be installed, without its epoch."""
    told = _run(["apt-cache", "policy", package]).stdout
    found = re.search(r"Candidate: (?:\d+:)?(\d\S*)", told)
    return found[1] if found else None


def _run(command: list[str]) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
    return subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=SECONDS, env=environment
    )


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no reason given"])[-1]
