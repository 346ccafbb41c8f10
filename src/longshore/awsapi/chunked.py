"""aws-chunked bodies: signed chunks, signed and unsigned trailers ("Signature calculations for the
authorization header: transferring payload in multiple chunks", Amazon S3 API reference).
"""

import base64
import hashlib
import hmac
import re
import zlib
from collections.abc import Callable
from typing import NamedTuple

from longshore.awsapi.canonical import EMPTY_SHA256, signature, signing_key
from longshore.awsapi.http import HttpRequest
from longshore.awsapi.sigv4 import DOES_NOT_MATCH, Signed
from longshore.model.errors import AwsError

SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SIGNED_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
SIZE = re.compile(rb"[0-9A-Fa-f]{1,8}")
Seed = tuple[Signed, str, str]
"""The request's signature as read, its value, and the caller's secret."""

CHECKSUMS: dict[str, Callable[[bytes], bytes]] = {
    "x-amz-checksum-crc32": lambda body: zlib.crc32(body).to_bytes(4, "big"),
    "x-amz-checksum-sha1": lambda body: hashlib.sha1(body, usedforsecurity=False).digest(),
    "x-amz-checksum-sha256": lambda body: hashlib.sha256(body).digest(),
}


class _Chunk(NamedTuple):
    data: bytes
    signature: str


def is_chunked(request: HttpRequest) -> bool:
    """Whether the body is in chunks of aws-chunked."""
    return request.headers.get("x-amz-content-sha256", "").startswith("STREAMING-")


def open_chunks(request: HttpRequest, seed: Seed | None) -> None:
    """Put the decoded body in place of the chunks, verifying each against `seed` if given.

    Raises `SignatureDoesNotMatch`, `IncompleteBody`, `BadDigest`, `NotImplemented`.
    """
    form = request.headers["x-amz-content-sha256"]
    if form not in {SIGNED, SIGNED_TRAILER, UNSIGNED_TRAILER}:
        raise AwsError("NotImplemented", f"The payload form {form} is not supported.", 501)
    chunks, trailer = _split(request.body)
    if seed is not None and form != UNSIGNED_TRAILER:
        previous = _verify(chunks, seed)
        if form == SIGNED_TRAILER:
            _verify_trailer(trailer, previous, seed)
    body = b"".join([chunk.data for chunk in chunks])
    _check_length(request, body)
    _check_sums(body, trailer)
    request.body = body


def _split(body: bytes) -> tuple[list[_Chunk], dict[str, str]]:
    """The chunks, the last and empty one included, and the trailer's headers."""
    chunks: list[_Chunk] = []
    position = 0
    while not chunks or chunks[-1].data:
        end = body.find(b"\r\n", position)
        size, _, extension = body[position:end].partition(b";")
        if end < 0 or SIZE.fullmatch(size) is None:
            raise _incomplete()
        length = int(size, 16)
        start = end + 2
        data = body[start : start + length]
        mark = extension.decode("latin-1").partition("chunk-signature=")[2]
        if len(data) != length or (length and body[start + length : start + length + 2] != b"\r\n"):
            raise _incomplete()
        chunks.append(_Chunk(data, mark))
        position = start + length + (2 if length else 0)
    return chunks, _trailer(body[position:])


def _trailer(text: bytes) -> dict[str, str]:
    headers = {}
    for line in text.decode("latin-1").replace("\r\n", "\n").split("\n"):
        name, separator, value = line.partition(":")
        if separator:
            headers[name.strip().lower()] = value.strip()
    return headers


def _verify(chunks: list[_Chunk], seed: Seed) -> str:
    """Check each chunk's signature; gives the last one."""
    signed, previous, secret = seed
    key = signing_key(secret, signed.date, signed.region, signed.service)
    place = f"{signed.timestamp}\n{signed.scope}"
    for chunk in chunks:
        digest = hashlib.sha256(chunk.data).hexdigest()
        text = f"AWS4-HMAC-SHA256-PAYLOAD\n{place}\n{previous}\n{EMPTY_SHA256}\n{digest}"
        previous = _expect(key, text, chunk.signature)
    return previous


def _verify_trailer(trailer: dict[str, str], previous: str, seed: Seed) -> None:
    """A trailer that was announced must be there: cut off, its checksum would not be looked at."""
    signed, _, secret = seed
    key = signing_key(secret, signed.date, signed.region, signed.service)
    lines = "".join(
        f"{name}:{value}\n"
        for name, value in sorted(trailer.items())
        if name != "x-amz-trailer-signature"
    )
    digest = hashlib.sha256(lines.encode("latin-1")).hexdigest()
    text = f"AWS4-HMAC-SHA256-TRAILER\n{signed.timestamp}\n{signed.scope}\n{previous}\n{digest}"
    _expect(key, text, trailer.get("x-amz-trailer-signature", ""))


def _expect(key: bytes, text: str, given: str) -> str:
    wanted = signature(key, text)
    if not hmac.compare_digest(wanted.encode(), given.encode("latin-1", "replace")):
        raise AwsError("SignatureDoesNotMatch", DOES_NOT_MATCH, 403)
    return wanted


def _check_length(request: HttpRequest, body: bytes) -> None:
    claimed = request.headers.get("x-amz-decoded-content-length")
    if claimed is not None and claimed != str(len(body)):
        raise _incomplete()


def _check_sums(body: bytes, trailer: dict[str, str]) -> None:
    for name, compute in CHECKSUMS.items():
        if name in trailer and trailer[name] != base64.b64encode(compute(body)).decode():
            raise AwsError(
                "BadDigest", f"The {name} you specified did not match the calculated checksum."
            )


def _incomplete() -> AwsError:
    return AwsError(
        "IncompleteBody",
        "You did not provide the number of bytes specified by the Content-Length HTTP header",
    )
