"""Fetches a document that a stranger may have named: from public addresses only, over HTTPS only.

Who may register an identity provider names a URL that we then ask for. So that nobody reaches
through us what he does not reach himself, every address of the host must be one that everybody
reaches (`is_public`), the one that was looked at is the one that is connected to, redirects are not
followed, and neither size nor duration is the other side's to choose (docs/decisions/0105).
"""

import _ssl
import asyncio
import hashlib
import ipaddress
import re
import socket
import ssl
from collections.abc import Callable, Collection, Sequence
from functools import cache
from typing import Any
from urllib.parse import SplitResult, urlsplit

from longshore.awsapi.connection import Connection, ConnectionBroken

SECONDS = 5.0
"""For all of it: the name, the connection, the answer."""
MOST_BYTES = 256 * 1024
"""Of an answer, its head included."""
MOST_ADDRESSES = 3
"""Of a host, that are tried one after the other."""
HTTPS = 443
Reach = Callable[[str], bool]
"""Whether an address (text) may be connected to."""
_PLAIN = re.compile(r"[!-~]+")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class Unreachable(Exception):
    """There is no answer, or none that is a document."""


class Untrusted(Exception):
    """The host's certificate is vouched for by nobody, or not for this name."""


def is_public(address: str) -> bool:
    """Whether everybody reaches this address: it is of no private, local or reserved network, and
    no IPv6 address that stands for an IPv4 one."""
    found = ipaddress.ip_address(address)
    if isinstance(found, ipaddress.IPv6Address) and _embeds_ipv4(found):
        return False
    return found.is_global and not found.is_multicast


def _embeds_ipv4(address: ipaddress.IPv6Address) -> bool:
    """Mapped, 6to4, Teredo or NAT64."""
    embedded = address.ipv4_mapped or address.sixtofour or address.teredo
    return embedded is not None or address in _NAT64


async def get(url: str, thumbprints: Collection[str], reach: Reach = is_public) -> bytes:
    """The body of a successful answer; raises `Unreachable` or `Untrusted`.

    The certificate must be one that the system's authorities vouch for or, if it is not, one that
    a certificate with one of these thumbprints (SHA-1, hexadecimal, lower case) does, or is
    ("Obtain the thumbprint for an OpenID Connect identity provider", IAM User Guide).
    """
    try:
        async with asyncio.timeout(SECONDS):
            return await _get(_https(url), thumbprints, reach)
    except ssl.SSLCertVerificationError as error:
        raise Untrusted(str(error)) from error
    except (TimeoutError, OSError, ConnectionBroken) as error:
        raise Unreachable(f"{type(error).__name__}: {error}") from error


def _https(url: str) -> SplitResult:
    try:
        found = urlsplit(url)
        usable = found.scheme == "https" and found.hostname and found.port != 0
    except ValueError:
        usable = ""
    if not usable or found.username is not None or _PLAIN.fullmatch(url) is None:
        raise Unreachable("the URL is not one of HTTPS")
    return found


async def _get(url: SplitResult, thumbprints: Collection[str], reach: Reach) -> bytes:
    connection = await _connected(url, thumbprints, reach)
    target = url._replace(scheme="", netloc="", fragment="").geturl() or "/"
    headers = {"host": url.netloc, "accept": "application/json"}
    try:
        response = await connection.exchange("GET", target, headers, b"", MOST_BYTES)
    finally:
        connection.close()
    if response.status != 200:
        raise Unreachable(f"the answer's status is {response.status}")
    return response.body


async def _connected(url: SplitResult, thumbprints: Collection[str], reach: Reach) -> Connection:
    addresses = await _addresses(url, reach)
    try:
        streams = await _open(url, addresses, system_authorities())
    except ssl.SSLCertVerificationError:
        if not thumbprints:
            raise
        context = await _pinned(url, addresses, thumbprints)
        streams = await _open(url, addresses, context)
    return Connection(*streams)


async def _addresses(url: SplitResult, reach: Reach) -> Sequence[str]:
    """The host's addresses; raises `Unreachable` where one of them may not be connected to."""
    loop = asyncio.get_running_loop()
    assert url.hostname is not None
    found = await loop.getaddrinfo(url.hostname, url.port or HTTPS, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if not addresses or not all(reach(address) for address in addresses):
        raise Unreachable("the host has an address that is not public")
    return addresses[:MOST_ADDRESSES]


Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _open(url: SplitResult, addresses: Sequence[str], context: ssl.SSLContext) -> Streams:
    """A connection to the first address that takes one; raises `OSError`."""
    failure: OSError | None = None
    for address in addresses:
        try:
            return await asyncio.open_connection(
                address, url.port or HTTPS, ssl=context, server_hostname=url.hostname
            )
        except ssl.SSLCertVerificationError:
            raise
        except OSError as error:
            failure = error
    raise failure or OSError("the host has no address")


@cache
def system_authorities() -> ssl.SSLContext:
    """The authorities that this machine trusts."""
    return ssl.create_default_context()


async def _pinned(
    url: SplitResult, addresses: Sequence[str], thumbprints: Collection[str]
) -> ssl.SSLContext:
    """What trusts, of the certificates that the host shows, those with these thumbprints.

    To be shown such a certificate proves nothing, since everybody has it: the next connection must
    be signed for by it. Nothing is sent on this one.
    """
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    _, writer = await _open(url, addresses, context)
    try:
        chain = _chain(writer.get_extra_info("ssl_object"))
    finally:
        writer.close()
    known = [each for each in chain if _thumbprint(each) in thumbprints]
    if not known:
        raise Untrusted("no certificate that the host shows has a thumbprint of the provider's")
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    trusting.load_verify_locations(cadata=b"".join(known))
    return trusting


def _chain(connected: Any) -> list[bytes]:
    """The certificates (DER) that the peer has sent."""
    if hasattr(connected, "get_unverified_chain"):
        return list(connected.get_unverified_chain())
    # Before Python 3.13 only the object below has it.
    chain = connected._sslobj.get_unverified_chain() or ()
    return [each.public_bytes(_ssl.ENCODING_DER) for each in chain]


def _thumbprint(certificate: bytes) -> str:
    return hashlib.sha1(certificate, usedforsecurity=False).hexdigest()
