"""The gateway as `main` sees it: made of its parts, started, stopped."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping

from longshore.base.admission import share_of_files
from longshore.base.clock import Clock
from longshore.base.ids import Ids
from longshore.base.installation import Installation
from longshore.gateway.app import ApiPath, Offered
from longshore.gateway.asgi import Application, AsgiApp
from longshore.gateway.exchange import Reset
from longshore.gateway.server import Certificate, Listener, Visitors
from longshore.services.interface import Identity
from longshore.store.interface import Store

NO_ROUTES: Mapping[str, AsgiApp] = {}


class Gateway:
    """The API endpoint of one control plane.

        gateway = Gateway(services=[ecs.service()], store=store, clock=clock, ids=ids,
                          installation=installation, identity=identity, certificate=certificate,
                          routes={"/ws": acs})
        await gateway.start()       # HTTP on installation.port, HTTPS on installation.tls_port
        ...
        await gateway.stop()

    Without a certificate there is no HTTPS; it is asked for when HTTP is served. `routes` maps
    path prefixes to ASGI applications (see `asgi.Application`); `reset` is what POST
    /_longshore/reset calls where `auth` is open.
    """

    def __init__(
        self,
        *,
        services: Offered,
        store: Store,
        clock: Clock,
        ids: Ids,
        installation: Installation,
        identity: Identity,
        certificate: Callable[[], Certificate] | None = None,
        routes: Mapping[str, AsgiApp] = NO_ROUTES,
        reset: Reset | None = None,
        throttling: bool = False,
    ) -> None:
        path = ApiPath(
            services=services,
            store=store,
            clock=clock,
            ids=ids,
            installation=installation,
            identity=identity,
            throttling=throttling,
        )
        self.app = Application(
            path,
            clock=clock,
            installation=installation,
            routes=routes,
            reset=reset,
        )
        visitors = Visitors(share_of_files())
        self._listeners = [Listener(self.app, installation.listen, installation.port, visitors)]
        if certificate is not None:
            self._listeners.append(
                Listener(
                    self.app, installation.listen, installation.tls_port, visitors, certificate
                )
            )

    async def start(self) -> None:
        """Listen; raises OSError where a port is in use, having opened none."""
        with contextlib.ExitStack() as bound:
            for listener in self._listeners:
                listener.bind()
                bound.callback(listener.unbind)
            bound.pop_all()
        for listener in self._listeners:
            await listener.start()

    async def stop(self) -> None:
        """Close the ports and let running requests end."""
        async with asyncio.TaskGroup() as group:
            for listener in self._listeners:
                group.create_task(listener.stop())
