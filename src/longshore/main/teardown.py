"""Removes what Longshore made outside of its data directory; its processes have ended."""

import asyncio
import sys
from pathlib import Path

from longshore.agent.volumes.places import release_all
from longshore.base.installation import Installation, load_installation
from longshore.base.locks import held
from longshore.fabric import open_fabric
from longshore.registry import uninstall
from longshore.runtime.bridge import Bridge
from longshore.runtime.containerd import daemon


async def leave_nothing(installation: Installation) -> None:
    """Containers first: they are in the fabric's namespaces, and have volumes mounted."""
    daemon.destroy(installation)
    release_all(installation)
    fabric = await open_fabric(installation)
    await fabric.destroy()
    await fabric.close()
    Bridge(installation).destroy()
    uninstall(installation)


def main() -> None:
    """`python -m longshore.main.teardown DATA_DIR`."""
    installation = load_installation(Path(sys.argv[1]))
    if installation is None:
        return
    # A supervisor that was killed while it ended may have left one of these at work.
    with held(installation.data_dir / "teardown.lock"):
        asyncio.run(leave_nothing(installation))


if __name__ == "__main__":
    main()
