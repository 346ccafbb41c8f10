"""The containerd process: its configuration is written, and it takes this process's place."""

import os
import sys
from pathlib import Path

from longshore.base.installation import load_installation
from longshore.components import ComponentsDirectory, locate
from longshore.runtime.containerd import daemon


def main() -> None:
    """`python -m longshore.main.containerd DATA_DIR`."""
    installation = load_installation(Path(sys.argv[1]))
    if installation is None:
        raise SystemExit(f"no installation in {sys.argv[1]}")
    programs = ComponentsDirectory.from_environment().bin
    daemon.prepare(installation, programs)
    command = daemon.command(installation, programs)
    os.execve(locate("containerd"), command, daemon.environment(programs))  # noqa: S606


if __name__ == "__main__":
    main()
