"""Verifying signatures: header, presigned query, chunked and unsigned payloads.

Errors carry the codes of "Common Errors" (`SignatureDoesNotMatch`); each protocol turns them into
its own. The wordings are AWS's.
"""

import calendar
import hashlib
import hmac
import re
from email.utils import parsedate_to_datetime
from functools import lru_cache
from time import gmtime, strftime
from urllib.parse import parse_qs

import msgspec

from longshore.awsapi.canonical import (
    ALGORITHM,
    UNSIGNED,
    canonical_headers,
    canonical_path,
    canonical_query,
    signature,
    signing_key,
    string_to_sign,
)
from longshore.awsapi.http import HttpRequest
from longshore.model.errors import AwsError

SKEW_SECONDS = 300
SIGNATURE_DIGITS = 64
LONGEST_KEPT = 1024
"""Characters: what strangers make us remember stays small."""
LONGEST_PRESIGNED_SECONDS = 604_800
TIMESTAMP = re.compile(r"\d{8}T\d{6}Z")
DOES_NOT_MATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS "
    "Secret Access Key and signing method. Consult the service documentation for details."
)


class Signed(msgspec.Struct, frozen=True):
    """What a request says about its signature."""

    access_key_id: str
    date: str
    region: str
    service: str
    signed_headers: str
    signature: str
    timestamp: str
    session_token: str = ""
    expires: int | None = None
    """Seconds that a presigned URL is good for; None for a signed header."""

    @property
    def scope(self) -> str:
        return f"{self.date}/{self.region}/{self.service}/aws4_request"


def read_signature(request: HttpRequest) -> Signed | None:
    """The signature of a request, unverified; None where there is none.

    Raises `IncompleteSignature` where a part is missing.
    """
    header = request.headers.get("authorization")
    if header is not None:
        return _from_header(header, request)
    if "X-Amz-Signature" in request.query or "X-Amz-Algorithm" in request.query:
        return _from_query(request)
    return None


def _from_header(header: str, request: HttpRequest) -> Signed:
    # All before the signature is the same in most requests of one client on one day.
    head, separator, mark = header.rpartition("Signature=")
    if not separator or len(mark) != SIGNATURE_DIGITS or len(head) > LONGEST_KEPT:
        return _read_header(header, request)
    try:
        parts = _kept_parts(head)
    except AwsError:
        return _read_header(header, request)
    timestamp = _header_timestamp(request)
    if not timestamp:
        return _read_header(header, request)
    return Signed(*parts, mark, timestamp, request.headers.get("x-amz-security-token", ""))


@lru_cache(maxsize=4096)
def _kept_parts(head: str) -> tuple[str, str, str, str, str]:
    """Key id, date, region, service and signed headers; raises where the signature is not last."""
    algorithm, _, rest = head.partition(" ")
    fields = dict([_pair(part) for part in rest.split(",")])
    if algorithm != ALGORITHM or not fields.get("SignedHeaders"):
        raise _incomplete("not in the usual order")
    return (*_credential(fields.get("Credential", "")), fields["SignedHeaders"])


def _read_header(header: str, request: HttpRequest) -> Signed:
    """A header in any order, or one that lacks something."""
    algorithm, _, rest = header.partition(" ")
    if algorithm != ALGORITHM:
        raise _incomplete(f"Unsupported AWS 'algorithm': '{algorithm}'")
    fields = dict([_pair(part) for part in rest.split(",")])
    missing = [
        f"Authorization header requires '{name}' parameter."
        for name in ("Credential", "Signature", "SignedHeaders")
        if not fields.get(name)
    ]
    timestamp = _header_timestamp(request)
    if not timestamp:
        missing.append(
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."
        )
    if missing:
        raise _incomplete(f"{' '.join(missing)} Authorization={algorithm}")
    return Signed(
        *_credential(fields["Credential"]),
        fields["SignedHeaders"],
        fields["Signature"],
        timestamp,
        request.headers.get("x-amz-security-token", ""),
    )


def _pair(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name.strip(), value.strip()


def _header_timestamp(request: HttpRequest) -> str:
    text = request.headers.get("x-amz-date", "")
    if text:
        if not TIMESTAMP.fullmatch(text):
            raise _incomplete(
                f"Date must be in ISO-8601 'basic format'. Got '{text}'. "
                "See http://en.wikipedia.org/wiki/ISO_8601"
            )
        return text
    text = request.headers.get("date", "")
    if TIMESTAMP.fullmatch(text) or not text:
        return text
    try:
        return strftime("%Y%m%dT%H%M%SZ", parsedate_to_datetime(text).utctimetuple())
    except (ValueError, OverflowError):
        raise _incomplete(f"Date header is not in a valid format: '{text}'.") from None


def _from_query(request: HttpRequest) -> Signed:
    fields = {name: values[0] for name, values in parse_qs(request.query).items()}
    if fields.get("X-Amz-Algorithm") != ALGORITHM:
        raise _incomplete(f"Unsupported AWS 'algorithm': '{fields.get('X-Amz-Algorithm', '')}'")
    names = ("Credential", "Signature", "SignedHeaders", "Date")
    missing = [
        f"AWS query-string parameters must include 'X-Amz-{name}'."
        for name in names
        if not fields.get(f"X-Amz-{name}")
    ]
    if missing:
        raise _incomplete(f"{' '.join(missing)} Re-examine the query-string parameters.")
    if not TIMESTAMP.fullmatch(fields["X-Amz-Date"]):
        raise _incomplete(f"Date must be in ISO-8601 'basic format'. Got '{fields['X-Amz-Date']}'.")
    key_id, date, region, service = _credential(fields["X-Amz-Credential"])
    return Signed(
        key_id,
        date,
        region,
        service,
        fields["X-Amz-SignedHeaders"],
        fields["X-Amz-Signature"],
        fields["X-Amz-Date"],
        fields.get("X-Amz-Security-Token", ""),
        _expires(fields.get("X-Amz-Expires", "300")),
    )


def _expires(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise _incomplete("X-Amz-Expires should be a number")
    seconds = int(text)
    if seconds > LONGEST_PRESIGNED_SECONDS:
        raise _incomplete(
            "X-Amz-Expires must be less than a week (in seconds); that is, the given "
            f"X-Amz-Expires must be less than {LONGEST_PRESIGNED_SECONDS} seconds"
        )
    return seconds


def _credential(text: str) -> tuple[str, str, str, str]:
    parts = text.split("/")
    if len(parts) < 5 or parts[-1] != "aws4_request":
        raise _incomplete(
            f"Credential must have exactly 5 slash-delimited elements, e.g. "
            f"keyid/date/region/service/term, got '{text}'"
        )
    return "/".join(parts[:-4]), parts[-4], parts[-3], parts[-2]


def verify(signed: Signed, request: HttpRequest, secret: str, now: float) -> str:
    """Check that the holder of `secret` made this request about now; gives the signature.

    Raises `SignatureDoesNotMatch`.
    """
    _check_date(signed, now)
    names = signed.signed_headers.split(";")
    _check_signed_headers(signed, request, names)
    query = canonical_query(request.query, "X-Amz-Signature" if signed.expires is not None else "")
    canonical = (
        f"{request.method}\n{canonical_path(request.path, signed.service)}\n{query}\n"
        f"{canonical_headers(request.headers, names)}\n{signed.signed_headers}\n"
        f"{payload_hash(signed, request)}"
    )
    text = string_to_sign(signed.timestamp, signed.scope, canonical)
    key = signing_key(secret, signed.date, signed.region, signed.service)
    wanted = signature(key, text)
    if not hmac.compare_digest(wanted.encode(), signed.signature.encode()):
        raise _mismatch(
            f"{DOES_NOT_MATCH}\n\nThe Canonical String for this request should have been\n"
            f"'{canonical}'\n\nThe String-to-Sign should have been\n'{text}'\n"
        )
    return wanted


def payload_hash(signed: Signed, request: HttpRequest) -> str:
    """The last line of the canonical request, checked against the body where it is a digest."""
    claimed = request.headers.get("x-amz-content-sha256", "")
    if not claimed:
        if signed.service == "s3" and signed.expires is not None:
            return UNSIGNED
        return hashlib.sha256(request.body).hexdigest()
    if claimed == UNSIGNED or claimed.startswith("STREAMING-"):
        return claimed
    actual = hashlib.sha256(request.body).hexdigest()
    if claimed != actual:
        raise AwsError(
            "XAmzContentSHA256Mismatch",
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
        )
    return actual


def _check_date(signed: Signed, now: float) -> None:
    if signed.timestamp[:8] != signed.date:
        raise _mismatch(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from "
            f"HTTP: '{signed.date}' != '{signed.timestamp[:8]}', from '{signed.timestamp}'."
        )
    try:
        made = _epoch(signed.timestamp)
    except ValueError:
        raise _incomplete(
            f"Date must be in ISO-8601 'basic format'. Got '{signed.timestamp}'."
        ) from None
    earliest = now - (SKEW_SECONDS if signed.expires is None else signed.expires)
    if made < earliest:
        raise _mismatch(
            f"Signature expired: {signed.timestamp} is now earlier than {_basic(earliest)} "
            f"({_basic(now)} - {(now - earliest) / 60:.0f} min.)"
        )
    if made > now + SKEW_SECONDS:
        raise _mismatch(
            f"Signature not yet current: {signed.timestamp} is still later than "
            f"{_basic(now + SKEW_SECONDS)} ({_basic(now)} + {SKEW_SECONDS // 60} min.)"
        )


@lru_cache(maxsize=256)
def _epoch(text: str) -> int:
    year, month, day = int(text[:4]), int(text[4:6]), int(text[6:8])
    hour, minute, second = int(text[9:11]), int(text[11:13]), int(text[13:15])
    return calendar.timegm((year, month, day, hour, minute, second))


def _basic(seconds: float) -> str:
    return strftime("%Y%m%dT%H%M%SZ", gmtime(seconds))


def _check_signed_headers(signed: Signed, request: HttpRequest, names: list[str]) -> None:
    """Host and every `x-amz-` header must be covered, or a thief could change them."""
    if "host" not in names and ":authority" not in names:
        raise _mismatch("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
    ours = [name for name in request.headers if name[:6] == "x-amz-"]
    for name in ours:
        if name not in names and name != "x-amz-security-token":
            raise _mismatch(f"'{name}' must be a 'SignedHeader' in the AWS Authorization.")


def _incomplete(message: str) -> AwsError:
    return AwsError("IncompleteSignature", message)


def _mismatch(message: str) -> AwsError:
    return AwsError("SignatureDoesNotMatch", message, 403)
