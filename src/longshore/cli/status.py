"""`longshore status`: what runs, and whether it answers.

urllib and psutil are imported where they are used: `longshore up` should not wait for them.
"""

import sys
from pathlib import Path

import click

from longshore.base.installation import Installation
from longshore.cli.installation import data_dir_option, require_installation

PROCESSES = ("supervisor", "control-plane", "containerd", "agent")


def answers(installation: Installation, seconds: float = 2.0) -> bool:
    """Whether the API says that it is ready."""
    import urllib.error
    import urllib.request

    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{installation.endpoint_url}/_longshore/health", timeout=seconds) as got:
            return bool(got.status == 200)
    except (urllib.error.URLError, OSError):
        return False


@click.command("status")
@data_dir_option
def show(data_dir: Path) -> None:
    """Tell what runs here; exit status 1 if the API does not answer."""
    installation = require_installation(data_dir)
    ready = answers(installation)
    lines = [
        f"endpoint   {installation.endpoint_url}  {'ready' if ready else 'does not answer'}",
        f"data       {installation.data_dir}",
        f"account    {installation.account}  region {installation.region}",
        f"auth       {installation.auth}",
        f"store      {'PostgreSQL' if installation.store else 'SQLite'}",
        f"runtime    {_runtime(installation)}",
    ]
    lines += [f"{name:<14} {_process(installation, name)}" for name in PROCESSES]
    sys.stdout.write("\n".join(lines) + "\n")
    if not ready:
        sys.exit(1)


def _runtime(installation: Installation) -> str:
    if installation.runtime == "simulated":
        return "simulated: tasks are shown as running, but NO CONTAINER RUNS"
    return installation.runtime


def _process(installation: Installation, name: str) -> str:
    """`pid 123, 45 MiB` or `not running`, from the supervisor's pid files."""
    import psutil

    try:
        pid = int((installation.run_dir / f"{name}.pid").read_text().split()[0])
        memory = psutil.Process(pid).memory_info().rss
    except (FileNotFoundError, ValueError, IndexError, psutil.NoSuchProcess):
        return "not running"
    return f"pid {pid}, {memory / 2**20:.0f} MiB"
