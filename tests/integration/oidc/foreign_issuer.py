"""An issuer of somebody else's, on this machine: HTTPS, a certificate of its own, two documents."""

import asyncio
import contextlib
import hashlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from longshore.base.certificates import KeyPair, Subject, issue, new_authority
from longshore.base.clock import SystemClock
from longshore.oidc.documents import CONFIGURATION, configuration, key_set
from longshore.testing.web_tokens import Signer

NAME = "localhost"


def thumbprint(pem: bytes) -> str:
    der = x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)
    return hashlib.sha1(der, usedforsecurity=False).hexdigest()


class ForeignIssuer:
    """`answers` are what it says, by path; a test may change them, and what it waits before."""

    def __init__(self, signer: Signer, name: str = NAME) -> None:
        now = SystemClock().now()
        self.signer = signer
        self.authority = new_authority("somebody's authority", now)
        subject = Subject(common_name=name, names=(name,), server=True)
        self.pair = issue(self.authority, subject, now)
        self.answers: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.silent = False
        self.url = ""

    @property
    def thumbprints(self) -> tuple[str, ...]:
        """Of its authority, whose certificate it sends behind its own."""
        return (thumbprint(self.authority.certificate),)

    def publish(self) -> None:
        """What an issuer should publish."""
        self.say(CONFIGURATION, msgspec.json.encode(configuration(self.url)))
        self.say("/keys", msgspec.json.encode(key_set(self.signer.key)))

    def say(self, path: str, body: bytes, head: str = "200 OK") -> None:
        length = f"content-length: {len(body)}\r\n"
        self.answers[path] = f"HTTP/1.1 {head}\r\n{length}\r\n".encode() + body

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            path = head.split(b" ")[1].decode()
            self.asked.append(path)
            if self.silent:
                await reader.read()
            writer.write(self.answers.get(path, b"HTTP/1.1 404 No\r\ncontent-length: 0\r\n\r\n"))
            await writer.drain()
        writer.close()

    def context(self, directory: Path, sent: KeyPair) -> ssl.SSLContext:
        for name, content in (("issuer.crt", sent.certificate), ("issuer.key", sent.key)):
            (directory / name).write_bytes(content)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(directory / "issuer.crt", directory / "issuer.key")
        return context


@contextlib.asynccontextmanager
async def foreign_issuer(
    directory: Path, signer: Signer, name: str = NAME, sent: KeyPair | None = None
) -> AsyncIterator[ForeignIssuer]:
    """One that is up; `sent` is what it shows instead of its own certificate."""
    issuer = ForeignIssuer(signer, name)
    context = issuer.context(directory, sent or issuer.pair)
    server = await asyncio.start_server(issuer.answer, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    issuer.url = f"https://{NAME}:{port}"
    issuer.publish()
    try:
        yield issuer
    finally:
        server.close()
        await server.wait_closed()
