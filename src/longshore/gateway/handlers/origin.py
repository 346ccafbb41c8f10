"""Tells web pages of other sites from programs: a browser sends anyone's requests to localhost."""

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

FROM_OTHERS = frozenset({"cross-site", "same-site"})
"""Values of Sec-Fetch-Site ("Fetch Metadata Request Headers", W3C); ports are one site."""


def is_foreign(headers: Mapping[str, str]) -> bool:
    """Whether a browser sent this for a page that is not the endpoint's own.

    Programs send neither header. A page whose name only resolves to this machine (DNS rebinding)
    is foreign too: our own are reached by address, or as localhost.
    """
    if headers.get("sec-fetch-site") in FROM_OTHERS:
        return True
    origin = headers.get("origin")
    if origin is None:
        return False
    try:
        found = urlsplit(origin)
        host = found.hostname or ""
    except ValueError:
        return True
    return found.netloc != headers.get("host") or not _is_this_machine(host)


def _is_this_machine(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
