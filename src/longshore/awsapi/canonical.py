"""Canonical requests ("Create a signed AWS API request", IAM user guide), for both directions."""

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from functools import lru_cache
from urllib.parse import quote, unquote

ALGORITHM = "AWS4-HMAC-SHA256"
UNSIGNED = "UNSIGNED-PAYLOAD"
EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
KEPT_KEYS = 4096

_keys: dict[tuple[str, str, str, str], bytes] = {}


def canonical_query(query: str, leave_out: str = "") -> str:
    """The query string's parameters, encoded anew and sorted, without the one to leave out."""
    if not query:
        return ""
    pairs = []
    for part in query.split("&"):
        if not part:
            continue
        name, _, value = part.partition("=")
        name = quote(unquote(name), safe="-_.~")
        if name != leave_out:
            pairs.append((name, quote(unquote(value), safe="-_.~")))
    pairs.sort()
    return "&".join([f"{name}={value}" for name, value in pairs])


def canonical_path(path: str, service: str) -> str:
    """The path as it is signed: as sent for S3, normalised and encoded twice for the rest."""
    if path in {"/", ""}:
        return "/"
    if service == "s3":
        return quote(path, safe="/~%")
    return quote(_normalised(path), safe="/~")


def _normalised(path: str) -> str:
    """The path without empty, `.` and `..` segments (RFC 3986, section 5.2.4)."""
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            if kept:
                kept.pop()
        elif segment and segment != ".":
            kept.append(segment)
    tail = "/" if path[-1] == "/" and kept else ""
    return "/" + "/".join(kept) + tail


def canonical_headers(headers: Mapping[str, str], names: Iterable[str]) -> str:
    """The signed headers, a line each; runs of blanks inside values count as one."""
    text = "".join([f"{name}:{headers.get(name, '').strip()}\n" for name in names])
    if "  " not in text:
        return text
    return "".join([f"{name}:{_single_spaced(headers.get(name, ''))}\n" for name in names])


def _single_spaced(value: str) -> str:
    return " ".join(value.split()) if "  " in value else value.strip()


def string_to_sign(timestamp: str, scope: str, canonical_request: str) -> str:
    """What the signature is made over."""
    digest = hashlib.sha256(canonical_request.encode("utf-8", "surrogateescape")).hexdigest()
    return f"{ALGORITHM}\n{timestamp}\n{scope}\n{digest}"


def signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    """The key derived for one day, region and service; kept, since deriving costs as verifying."""
    lookup = (secret, date, region, service)
    key = _keys.get(lookup)
    if key is None:
        key = f"AWS4{secret}".encode()
        for part in (date, region, service, "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        if len(_keys) >= KEPT_KEYS:
            _keys.clear()
        _keys[lookup] = key
    return key


def signature(key: bytes, text: str) -> str:
    """The signature of `text` (HMAC-SHA256), in hexadecimal digits; `key` is a derived one."""
    began, ending = _keyed(key)
    inner, outer = began.copy(), ending.copy()
    inner.update(text.encode("utf-8", "surrogateescape"))
    outer.update(inner.digest())
    return outer.hexdigest()


@lru_cache(maxsize=KEPT_KEYS)
def _keyed(key: bytes) -> "tuple[hashlib._Hash, hashlib._Hash]":
    """HMAC's two hashes with the key taken in (RFC 2104), which is half of the work."""
    padded = key.ljust(64, b"\0")
    return (
        hashlib.sha256(bytes([byte ^ 0x36 for byte in padded])),
        hashlib.sha256(bytes([byte ^ 0x5C for byte in padded])),
    )
