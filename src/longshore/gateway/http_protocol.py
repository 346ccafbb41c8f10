"""uvicorn's HTTP protocol with the limits that its parser lacks."""

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

LONGEST_HEAD = 64 * 1024
"""Bytes of request line and headers together."""
MOST_HEADERS = 200


class RefusedRequest(Exception):
    """The request's head breaks a limit, or says its length in two ways."""


class LimitedHttpProtocol(HttpToolsProtocol):
    """Refuses heads that are too long, and Content-Length together with Transfer-Encoding.

    The latter is how requests are smuggled past a proxy ("HTTP/1.1", RFC 9112, section 6.1).
    """

    _head = 0
    _lengths = 0

    def on_message_begin(self) -> None:
        self._head = self._lengths = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value))
        lowered = name.lower()
        if lowered in {b"content-length", b"transfer-encoding"}:
            self._lengths += 1
            if self._lengths > 1:
                raise RefusedRequest("two lengths")
        super().on_header(name, value)
        if len(self.headers) > MOST_HEADERS:
            raise RefusedRequest("too many headers")

    def _count(self, size: int) -> None:
        self._head += size
        if self._head > LONGEST_HEAD:
            raise RefusedRequest("head too long")

    def data_received(self, data: bytes) -> None:
        if not self.transport.is_closing():
            super().data_received(data)

    def send_400_response(self, msg: str) -> None:
        if not self.transport.is_closing():
            super().send_400_response("Bad Request")
