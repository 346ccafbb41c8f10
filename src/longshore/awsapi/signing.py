"""Making signatures, for Longshore's own clients: HTTP requests, websocket GETs, presigned URLs."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from time import gmtime, strftime
from urllib.parse import quote, urlsplit

from longshore.awsapi.canonical import (
    ALGORITHM,
    EMPTY_SHA256,
    UNSIGNED,
    canonical_headers,
    canonical_path,
    canonical_query,
    signature,
    signing_key,
    string_to_sign,
)


@dataclass(frozen=True, slots=True)
class Keys:
    """An access key as its holder has it; `session_token` only with temporary credentials."""

    access_key_id: str
    secret_access_key: str
    session_token: str = ""


def sign(
    keys: Keys,
    *,
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    region: str,
    service: str,
    now: float,
) -> dict[str, str]:
    """The headers to send: `headers`, all signed, with Host, X-Amz-Date and Authorization added.

    `url` is as it will be sent (percent-encoded); a websocket's `ws://…` does as well. `now` is in
    epoch seconds. Names come back in lower case.
    """
    parts = urlsplit(url)
    timestamp = strftime("%Y%m%dT%H%M%SZ", gmtime(now))
    signed = {name.lower(): value for name, value in headers.items()}
    signed["host"] = parts.netloc
    signed["x-amz-date"] = timestamp
    if keys.session_token:
        signed["x-amz-security-token"] = keys.session_token
    names = sorted(signed)
    digest = hashlib.sha256(body).hexdigest() if body else EMPTY_SHA256
    canonical = "\n".join(
        (
            method,
            canonical_path(parts.path, service),
            canonical_query(parts.query),
            canonical_headers(signed, names),
            ";".join(names),
            signed.get("x-amz-content-sha256", digest),
        )
    )
    scope = f"{timestamp[:8]}/{region}/{service}/aws4_request"
    key = signing_key(keys.secret_access_key, timestamp[:8], region, service)
    mark = signature(key, string_to_sign(timestamp, scope, canonical))
    signed["authorization"] = (
        f"{ALGORITHM} Credential={keys.access_key_id}/{scope}, "
        f"SignedHeaders={';'.join(names)}, Signature={mark}"
    )
    return signed


def presign(
    keys: Keys, *, method: str, url: str, region: str, service: str, now: float, seconds: int
) -> str:
    """`url` with a signature in its query, good for `seconds` from `now`."""
    parts = urlsplit(url)
    timestamp = strftime("%Y%m%dT%H%M%SZ", gmtime(now))
    scope = f"{timestamp[:8]}/{region}/{service}/aws4_request"
    fields = {
        "X-Amz-Algorithm": ALGORITHM,
        "X-Amz-Credential": f"{keys.access_key_id}/{scope}",
        "X-Amz-Date": timestamp,
        "X-Amz-Expires": str(seconds),
        "X-Amz-SignedHeaders": "host",
    }
    if keys.session_token:
        fields["X-Amz-Security-Token"] = keys.session_token
    added = "&".join(f"{name}={quote(value, safe='')}" for name, value in fields.items())
    query = f"{parts.query}&{added}" if parts.query else added
    canonical = "\n".join(
        (
            method,
            canonical_path(parts.path, service),
            canonical_query(query),
            f"host:{parts.netloc}\n",
            "host",
            UNSIGNED if service == "s3" else EMPTY_SHA256,
        )
    )
    key = signing_key(keys.secret_access_key, timestamp[:8], region, service)
    mark = signature(key, string_to_sign(timestamp, scope, canonical))
    return f"{parts.scheme}://{parts.netloc}{parts.path or '/'}?{query}&X-Amz-Signature={mark}"
