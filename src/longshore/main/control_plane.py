"""The control plane's process: opens the store, and serves everything over it."""

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path

import uvloop

from longshore.base.authority import Authority
from longshore.base.clock import SystemClock
from longshore.base.ids import RandomIds
from longshore.base.installation import Installation, load_installation
from longshore.base.logs import configure_logs, logger
from longshore.controllers.interface import Surroundings
from longshore.controllers.loop import run_controllers
from longshore.controllers.registry import controllers
from longshore.gateway.gateway import Gateway
from longshore.gateway.server import Certificate
from longshore.main.first_start import prepare
from longshore.main.services import Offer, open_offer
from longshore.model.kinds import KINDS
from longshore.services.iam.identity import IamIdentity
from longshore.store import open_store
from longshore.store.interface import Store

log = logger(__name__)


async def serve(installation: Installation, stopping: asyncio.Event) -> None:
    """Serve until `stopping`; everything that was started has ended when this returns."""
    clock, ids = SystemClock(), RandomIds()
    store = await open_store(store_url(installation), KINDS, clock)
    surroundings = Surroundings(store=store, clock=clock, ids=ids, installation=installation)
    await prepare(surroundings)
    identity = IamIdentity(ids)
    authority = Authority.load_or_create(installation.data_dir / "ca", "Longshore CA")
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(store.close)
        offer = await open_offer(surroundings, identity, authority, stack)
        gateway = Gateway(
            services=offer.services,
            store=store,
            clock=clock,
            ids=ids,
            installation=installation,
            identity=identity,
            certificate=_certificate(installation, authority),
            routes=offer.routes,
            reset=lambda: reset(store, surroundings),
        )
        await gateway.start()
        stack.push_async_callback(gateway.stop)
        log.info("the control plane serves", port=installation.port)
        await _until(stopping, surroundings, offer)


async def reset(store: Store, surroundings: Surroundings) -> None:
    """Forget every record, and begin again as at first start."""
    await store.reset()
    await prepare(surroundings)


async def _until(stopping: asyncio.Event, surroundings: Surroundings, offer: Offer) -> None:
    """Run the controllers until told to stop; if one of the loops ends by itself, so does this."""
    loops = asyncio.create_task(_run_loops(surroundings, offer))
    stop = asyncio.create_task(stopping.wait())
    everything = [loops, stop]
    done, _ = await asyncio.wait(everything, return_when=asyncio.FIRST_COMPLETED)
    for task in everything:
        task.cancel()
    await asyncio.gather(*everything, return_exceptions=True)
    for task in done - {stop}:
        await task


async def _run_loops(surroundings: Surroundings, offer: Offer) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(offer.sessions.run())
        group.create_task(
            run_controllers(
                controllers(surroundings, offer.log_store),
                surroundings,
                holder=f"{os.uname().nodename}/{os.getpid()}",
                shared=bool(surroundings.installation.store),
            )
        )


def store_url(installation: Installation) -> str:
    """Where the installation keeps its records."""
    return installation.store or f"sqlite://{installation.data_dir}/state.db"


def _certificate(installation: Installation, authority: Authority) -> Certificate:
    names = ["localhost", f"*.{installation.region}.{installation.domain}"]
    certificate, key = authority.certificate(names, ["127.0.0.1", "169.254.170.100"])
    return Certificate(certificate, key)


def main() -> None:
    """`python -m longshore.main.control_plane DATA_DIR`."""
    configure_logs()
    installation = load_installation(Path(sys.argv[1]))
    if installation is None:
        raise SystemExit(f"no installation in {sys.argv[1]}")
    uvloop.run(_run(installation))


async def _run(installation: Installation) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    await serve(installation, stopping)


if __name__ == "__main__":
    main()
