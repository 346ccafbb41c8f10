"""aws-chunked bodies, made by a signer written here from S3's documentation."""

import base64
import hashlib
import hmac
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.awsapi.chunked import SIGNED, SIGNED_TRAILER, UNSIGNED_TRAILER, open_chunks
from longshore.awsapi.http import HttpRequest
from longshore.awsapi.sigv4 import Signed
from longshore.model.errors import AwsError

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
SEED = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"
WHEN = Signed("AKIA", "20130524", "us-east-1", "s3", "host", SEED, "20130524T000000Z")


def key() -> bytes:
    made = f"AWS4{SECRET}".encode()
    for part in ("20130524", "us-east-1", "s3", "aws4_request"):
        made = hmac.new(made, part.encode(), "sha256").digest()
    return made


def mark(kind: str, previous: str, *digests: str) -> str:
    text = "\n".join((kind, WHEN.timestamp, WHEN.scope, previous, *digests))
    return hmac.new(key(), text.encode(), "sha256").hexdigest()


def chunked(parts: list[bytes], trailer: str = "") -> bytes:
    body, previous, empty = b"", SEED, hashlib.sha256(b"").hexdigest()
    for part in [*parts, b""]:
        digest = hashlib.sha256(part).hexdigest()
        previous = mark("AWS4-HMAC-SHA256-PAYLOAD", previous, empty, digest)
        body += f"{len(part):x};chunk-signature={previous}\r\n".encode() + part
        body += b"\r\n" if part or not trailer else b""
    if trailer:
        digest = hashlib.sha256(f"{trailer}\n".encode()).hexdigest()
        final = mark("AWS4-HMAC-SHA256-TRAILER", previous, digest)
        body += f"{trailer}\r\nx-amz-trailer-signature:{final}\r\n\r\n".encode()
    return body


def opened(form: str, body: bytes, length: int | None = None) -> bytes:
    headers = {"x-amz-content-sha256": form}
    if length is not None:
        headers["x-amz-decoded-content-length"] = str(length)
    request = HttpRequest("PUT", "/b/k", "", headers, body)
    open_chunks(request, (WHEN, SEED, SECRET))
    return request.body


def test_the_example_of_amazon_s3_has_the_signatures_it_shows() -> None:
    body = chunked([b"a" * 65536, b"a" * 1024])
    assert b"ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648" in body
    assert opened(SIGNED, body, 66560) == b"a" * 66560


@given(st.lists(st.binary(min_size=1, max_size=80), max_size=5))
def test_signed_chunks_give_the_body_back(parts: list[bytes]) -> None:
    assert opened(SIGNED, chunked(parts)) == b"".join(parts)


@given(st.lists(st.binary(min_size=1, max_size=80), max_size=5))
def test_a_signed_trailer_is_verified_with_its_checksum(parts: list[bytes]) -> None:
    total = base64.b64encode(zlib.crc32(b"".join(parts)).to_bytes(4, "big")).decode()
    body = chunked(parts, f"x-amz-checksum-crc32:{total}")
    assert opened(SIGNED_TRAILER, body) == b"".join(parts)


@pytest.mark.parametrize("kept", [b"", b"x-amz-checksum-crc32:AAAAAA==\r\n\r\n"])
def test_a_signed_trailer_cannot_be_cut_off_or_replaced(kept: bytes) -> None:
    total = base64.b64encode(zlib.crc32(b"abc").to_bytes(4, "big")).decode()
    body = chunked([b"abc"], f"x-amz-checksum-crc32:{total}")
    cut = body[: body.index(b"x-amz-checksum")] + kept
    with pytest.raises(AwsError, match="SignatureDoesNotMatch"):
        opened(SIGNED_TRAILER, cut)


@pytest.mark.parametrize("size", [b"+3", b"-1", b"0x3", b"1_0", b" 3", b"", b"000000003"])
def test_a_chunk_of_no_size_is_incomplete(size: bytes) -> None:
    body = size + b"\r\nabc\r\n0\r\n\r\n"
    with pytest.raises(AwsError, match="IncompleteBody"):
        opened(UNSIGNED_TRAILER, body)


def test_an_unsigned_trailer_with_a_wrong_checksum_is_refused() -> None:
    body = b"3\r\nabc\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n"
    with pytest.raises(AwsError, match="BadDigest"):
        opened(UNSIGNED_TRAILER, body)


@pytest.mark.parametrize(
    ("old", "new"), [(b"one", b"won"), (b"chunk-signature=", b"chunk-signature=0")]
)
def test_a_changed_chunk_does_not_match(old: bytes, new: bytes) -> None:
    with pytest.raises(AwsError, match="SignatureDoesNotMatch"):
        opened(SIGNED, chunked([b"one", b"two"]).replace(old, new))


def test_a_truncated_body_is_incomplete() -> None:
    with pytest.raises(AwsError, match="IncompleteBody"):
        opened(SIGNED, chunked([b"one", b"two"])[:-120])


def test_a_body_of_another_length_than_it_says_is_incomplete() -> None:
    with pytest.raises(AwsError, match="IncompleteBody"):
        opened(SIGNED, chunked([b"one"]), 4)


@given(st.binary(max_size=200))
def test_no_body_whatever_breaks_the_parser(body: bytes) -> None:
    for form in (SIGNED, SIGNED_TRAILER, UNSIGNED_TRAILER):
        try:
            opened(form, body)
        except AwsError as error:
            assert error.code in {"IncompleteBody", "SignatureDoesNotMatch", "BadDigest"}
