"""uvicorn's websockets, counted; imported when one is opened, as no API request needs them."""

from collections.abc import Callable
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol


class CountedWebsocket(WebSocketsSansIOProtocol):
    """uvicorn's, which says when its connection ends."""

    def __init__(self, left: Callable[[], None], *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self._left = left

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._left()
