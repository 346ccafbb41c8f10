"""The control plane's process: opens the store, and serves everything over it."""

import asyncio
import contextlib
import gc
import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping
from socket import socket
from typing import Any

import uvloop

from longshore.base.admission import allow_many_files
from longshore.base.clock import SystemClock
from longshore.base.ids import RandomIds
from longshore.base.installation import Installation
from longshore.base.listening import listening_socket
from longshore.base.logs import configure_logs, logger
from longshore.controllers.interface import Surroundings
from longshore.gateway.asgi import Later
from longshore.gateway.gateway import Gateway
from longshore.gateway.server import Certificate
from longshore.main.first_start import prepare
from longshore.main.process import run_until, stopping_at_signals, told_installation
from longshore.main.services import Offer, open_offer
from longshore.main.serving import tell_serving
from longshore.model.kinds import KINDS
from longshore.services.iam.identity import IamIdentity
from longshore.services.interface import Identity
from longshore.store import open_store
from longshore.store.interface import Store

SHORT_TURN_SECONDS = 0.0005
"""How long one thread may keep Python from another that waits for it; 5 ms is Python's own."""
COLLECT_AFTER = (20_000, 20, 50)
"""Objects made and not freed, and younger collections, before each generation is collected."""
ACS, TCS, EKS, ISSUERS = "/ws", "/tcs", "/_longshore/eks", "/id"
ROUTES = (ACS, TCS, EKS, ISSUERS)
"""Paths of the gateway's that are not AWS's APIs: agents' two, and those that EKS's API servers ask
and that who verifies their tokens asks."""
log = logger(__name__)


async def serve(installation: Installation, stopping: asyncio.Event) -> None:
    """Serve until `stopping`; everything that was started has ended when this returns.

    The API comes first, the rest once it answers; ports are taken at once, so that who comes
    earlier waits and is not refused.
    """
    clock, ids = SystemClock(), RandomIds()
    async with contextlib.AsyncExitStack() as stack:
        registry = stack.enter_context(
            listening_socket(installation.listen, installation.registry_port)
        )
        store = await open_store(store_url(installation), KINDS, clock)
        stack.push_async_callback(store.close)
        surroundings = Surroundings(store=store, clock=clock, ids=ids, installation=installation)
        await prepare(surroundings)
        identity = IamIdentity(ids)
        offer = open_offer(surroundings, stack)
        routes = {path: Later() for path in ROUTES}
        gateway = Gateway(
            services=offer.services,
            store=store,
            clock=clock,
            ids=ids,
            installation=installation,
            identity=identity,
            certificate=lambda: _certificate(installation),
            routes=routes,
            reset=lambda: reset(store, surroundings),
            throttling=installation.throttling,
        )
        with _short_turns():
            await gateway.start()
        stack.push_async_callback(gateway.stop)
        tell_serving()
        log.info("the control plane serves", port=installation.port)
        behind = _run_background(surroundings, identity, offer, registry, routes)
        await run_until(stopping, behind)


def _spare_collections() -> None:
    """Let the garbage collector look more seldom, and no more at what start-up has made.

    Records are acyclic and die by their counts: at the default a burst of writes would have it walk
    all of them again and again, a quarter of the CPU of a write (docs/decisions/0080).
    """
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


async def reset(store: Store, surroundings: Surroundings) -> None:
    """Forget every record, and begin again as at first start."""
    await store.reset()
    await prepare(surroundings)


async def _run_background(
    surroundings: Surroundings,
    identity: Identity,
    offer: Offer,
    registry: socket,
    routes: Mapping[str, Later],
) -> None:
    with _short_turns():
        run = await asyncio.to_thread(_load_background, offer)
    _spare_collections()
    await run(surroundings, identity, offer, registry, routes)


def _load_background(
    offer: Offer,
) -> Callable[
    [Surroundings, Identity, Offer, socket, Mapping[str, Later]], Coroutine[Any, Any, None]
]:
    from longshore.main.background import run

    offer.services.load()
    return run


@contextlib.contextmanager
def _short_turns() -> Iterator[None]:
    """Let requests be answered while a thread imports what they do not need."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(SHORT_TURN_SECONDS)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)


def _certificate(installation: Installation) -> Certificate:
    from longshore.main.background import endpoint_certificate

    return endpoint_certificate(installation)


def store_url(installation: Installation) -> str:
    """Where the installation keeps its records."""
    return installation.store or f"sqlite://{installation.data_dir}/state.db"


def main() -> None:
    """`python -m longshore.main.control_plane DATA_DIR`."""
    configure_logs()
    allow_many_files()
    uvloop.run(_run(told_installation()))


async def _run(installation: Installation) -> None:
    await serve(installation, stopping_at_signals())


if __name__ == "__main__":
    main()
