"""`python -m longshore.main.supervision DATA_DIR`: what `longshore up --detach` leaves running.

Apart from `command`, so that it starts without what the command line needs (click).
"""

import subprocess
import sys
from pathlib import Path

from longshore.base.installation import Installation, load_installation
from longshore.main.supervisor import Process, Supervisor

SMALL = {"MALLOC_TRIM_THRESHOLD_": str(128 * 1024)}
"""Bytes; glibc raises it with what is freed, and would keep 5 MiB of what the agent starts with."""


def supervise(installation: Installation) -> None:
    """Run every process until told to end, then take everything down.

    Raises `AlreadyRunning` where another supervisor holds the data directory.
    """
    supervisor = Supervisor(_processes(installation), installation.run_dir, installation.log_dir)
    supervisor.run(ended=lambda: leave_nothing(installation))


def _processes(installation: Installation) -> list[Process]:
    data_dir = str(installation.data_dir)
    python = [sys.executable, "-m"]
    processes = [
        Process("control-plane", [*python, "longshore.main.control_plane", data_dir]),
        Process("agent", [*python, "longshore.main.host_agent", data_dir], SMALL, waits=True),
    ]
    if installation.runtime == "containerd":
        processes.insert(1, Process("containerd", [*python, "longshore.main.containerd", data_dir]))
    return processes


def leave_nothing(installation: Installation) -> None:
    """Remove what Longshore made outside of its data directory, in a process of its own."""
    subprocess.run(
        [sys.executable, "-m", "longshore.main.teardown", str(installation.data_dir)],
        check=True,
    )


def main() -> None:
    """`python -m longshore.main.supervision DATA_DIR`."""
    installation = load_installation(Path(sys.argv[1]))
    if installation is None:
        raise SystemExit(f"no installation in {sys.argv[1]}")
    supervise(installation)


if __name__ == "__main__":
    main()
