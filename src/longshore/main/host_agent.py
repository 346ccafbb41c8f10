"""The agent's process: opens this host's runtime and fabric, and runs the agent over them."""

import asyncio
import contextlib
import json
from pathlib import Path

from longshore.agent.agent import run_agent
from longshore.agent.endpoints import choose_local_port
from longshore.agent.host import Host
from longshore.awsapi.signing import Keys
from longshore.base.clock import SystemClock
from longshore.base.ids import RandomIds
from longshore.base.installation import Installation
from longshore.base.logs import configure_logs, logger
from longshore.fabric import open_fabric
from longshore.fabric.interface import Fabric
from longshore.main.process import run_until, stopping_at_signals, told_installation
from longshore.runtime.bridge import Bridge
from longshore.runtime.containerd.runtime import open_containerd
from longshore.runtime.interface import Runtime
from longshore.runtime.simulated import SimulatedRuntime

CONTAINERD_HOSTS = Path("/etc/containerd/certs.d")
KEY_POLL_SECONDS = 0.1

log = logger(__name__)


async def serve(installation: Installation, stopping: asyncio.Event) -> None:
    """Run the agent until `stopping`; its tasks run on."""
    keys = HostKeys(installation.host_key_file)
    await keys.available()
    home = installation.data_dir / "agent"
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    local_port = choose_local_port(home)
    async with contextlib.AsyncExitStack() as stack:
        runtime, fabric = await open_parts(installation)
        stack.push_async_callback(runtime.close)
        if fabric is not None:
            stack.push_async_callback(fabric.close)
        host = Host(
            installation=installation,
            runtime=runtime,
            fabric=fabric,
            bridge=Bridge(installation, local_port),
            clock=SystemClock(),
            ids=RandomIds(),
            keys=keys,
            local_port=local_port,
        )
        await run_until(stopping, run_agent(host))


async def open_parts(installation: Installation) -> tuple[Runtime, Fabric | None]:
    """Containers and network of this host, or neither of them, where it is simulated."""
    if installation.runtime == "simulated":
        return SimulatedRuntime(SystemClock()), None
    return open_containerd(installation, CONTAINERD_HOSTS), await open_fabric(installation)


class HostKeys:
    """The host's access key, read again when the file has changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read: tuple[int, Keys] | None = None

    async def available(self) -> None:
        """Return when first start has written the key."""
        while not self._path.exists():  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(KEY_POLL_SECONDS)

    def __call__(self) -> Keys:
        written = self._path.stat().st_mtime_ns
        if self._read is None or self._read[0] != written:
            found = json.loads(self._path.read_text())
            self._read = (written, Keys(found["access_key_id"], found["secret_access_key"]))
        return self._read[1]


def main() -> None:
    """`python -m longshore.main.host_agent DATA_DIR`."""
    configure_logs()
    # Not uvloop: the agent moves few bytes itself, and it would take 2 MiB more.
    asyncio.run(_run(told_installation()))


async def _run(installation: Installation) -> None:
    await serve(installation, stopping_at_signals())


if __name__ == "__main__":
    main()
