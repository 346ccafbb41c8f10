"""What a signature must cover, and how long it is good: as who would change it or use it late."""

import hashlib
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth, SigV4QueryAuth
from botocore.credentials import Credentials
from unit.awsapi.test_sigv4 import KEY_ID, SECRET, botocore_request, check, refusal

from longshore.awsapi.http import HttpRequest
from longshore.awsapi.sigv4 import read_signature
from longshore.model.errors import AwsError

UNSIGNED = "UNSIGNED-PAYLOAD"
TOKEN = "a/session+token=="


def signed(body: bytes = b"{}", token: str = "", **headers: str) -> HttpRequest:
    signer = SigV4Auth(Credentials(KEY_ID, SECRET, token or None), "ecs", "us-east-1")
    return botocore_request(signer, "POST", "/", "", {"X-Amz-Target": "T.Op", **headers}, body)


def presigned(seconds: int = 60, token: str = "", query: str = "Action=X") -> HttpRequest:
    signer = SigV4QueryAuth(
        Credentials(KEY_ID, SECRET, token or None), "sts", "us-east-1", expires=seconds
    )
    return botocore_request(signer, "GET", "/", query, {}, b"")


def with_query(request: HttpRequest, **changes: str | None) -> HttpRequest:
    """The same with other parameters; None takes one away."""
    pairs = dict(parse_qsl(request.query)) | {
        f"X-Amz-{name.replace('_', '-')}": value for name, value in changes.items()
    }
    query = urlencode({name: value for name, value in pairs.items() if value is not None})
    return HttpRequest(request.method, request.path, query, request.headers, request.body)


def with_headers(request: HttpRequest, **changes: str) -> HttpRequest:
    headers = {**request.headers, **{k.replace("_", "-"): v for k, v in changes.items()}}
    return HttpRequest(request.method, request.path, request.query, headers, request.body)


def incomplete(request: HttpRequest) -> str:
    with pytest.raises(AwsError) as caught:
        read_signature(request)
    assert caught.value.code == "IncompleteSignature"
    return caught.value.message


def test_a_session_token_is_part_of_what_is_signed() -> None:
    request = signed(token=TOKEN)
    found = read_signature(request)
    assert found is not None
    assert found.session_token == TOKEN
    check(request)
    changed = with_headers(request, x_amz_security_token="another")
    assert refusal(changed).code == "SignatureDoesNotMatch"


def test_a_session_token_in_a_presigned_url_is_part_of_what_is_signed() -> None:
    request = presigned(token=TOKEN)
    found = read_signature(request)
    assert found is not None
    assert found.session_token == TOKEN
    check(request)
    for token in ("another", None):
        changed = with_query(request, Security_Token=token)
        assert refusal(changed).code == "SignatureDoesNotMatch"


@pytest.mark.parametrize(
    "changes",
    [
        {"Expires": "604800"},
        {"Expires": None},
        {"SignedHeaders": "host;x-other"},
        {"Credential": f"{KEY_ID}/20260101/us-east-1/sts/aws4_request"},
        {"Credential": "AKIAI44QH8DHBEXAMPLE/%D/us-east-1/sts/aws4_request"},
        {"Credential": f"{KEY_ID}/%D/eu-west-1/sts/aws4_request"},
        {"Credential": f"{KEY_ID}/%D/us-east-1/iam/aws4_request"},
        {"Signature": "0" * 64},
        {"Extra": "1"},
    ],
)
def test_nothing_of_a_presigned_url_can_be_changed(changes: dict[str, str | None]) -> None:
    request = presigned()
    found = read_signature(request)
    assert found is not None
    filled = {name: value and value.replace("%D", found.date) for name, value in changes.items()}
    assert refusal(with_query(request, **filled)).code == "SignatureDoesNotMatch"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"Expires": "604801"}, "X-Amz-Expires must be less than a week (in seconds)"),
        ({"Expires": "-1"}, "X-Amz-Expires should be a number"),
        ({"Expires": "soon"}, "X-Amz-Expires should be a number"),
        ({"Date": "today"}, "Date must be in ISO-8601 'basic format'"),
        ({"Date": None}, "must include 'X-Amz-Date'"),
        ({"Signature": None}, "must include 'X-Amz-Signature'"),
        ({"SignedHeaders": None}, "must include 'X-Amz-SignedHeaders'"),
        ({"Credential": KEY_ID}, "Credential must have exactly 5 slash-delimited elements"),
        ({"Algorithm": "AWS4-HMAC-SHA1"}, "Unsupported AWS 'algorithm': 'AWS4-HMAC-SHA1'"),
    ],
)
def test_a_presigned_url_that_lacks_something_says_what(changes: Any, said: str) -> None:
    assert said in incomplete(with_query(presigned(), **changes))


def test_a_presigned_url_of_the_future_is_refused() -> None:
    assert refusal(presigned(), after=-302).message.startswith("Signature not yet current: ")


@pytest.mark.parametrize("seconds", [1, 60, 604_800])
def test_a_presigned_url_ends_to_the_second(seconds: int) -> None:
    check(presigned(seconds), after=seconds)
    assert refusal(presigned(seconds), after=seconds + 1).code == "SignatureDoesNotMatch"


@pytest.mark.parametrize("after", [300, -300])
def test_five_minutes_exactly_are_good(after: int) -> None:
    check(signed(), after=after)
    assert refusal(signed(), after=after * 1.01).code == "SignatureDoesNotMatch"


def resigned(request: HttpRequest, **replaced: str) -> HttpRequest:
    """The same with parts of the Authorization header replaced."""
    header = request.headers["authorization"]
    for old, new in replaced.items():
        start = header.index(f"{old}=") + len(old) + 1
        end = header.find(",", start)
        header = header[:start] + new + (header[end:] if end >= 0 else "")
    return with_headers(request, authorization=header)


@pytest.mark.parametrize("host", ["", "content-type;", ":host;"])
def test_a_signature_that_does_not_cover_the_host_is_refused(host: str) -> None:
    request = resigned(signed(), SignedHeaders=f"{host}x-amz-date;x-amz-target")
    assert "'Host' or ':authority' must be a 'SignedHeader'" in refusal(request).message


def test_the_target_and_the_digest_of_the_body_must_be_covered() -> None:
    request = signed()
    for name in ("x-amz-target", "x-amz-date"):
        names = ";".join({"host", "x-amz-date", "x-amz-target"} - {name})
        found = refusal(resigned(request, SignedHeaders=names))
        assert found.message == f"'{name}' must be a 'SignedHeader' in the AWS Authorization."
    added = with_headers(request, x_amz_content_sha256=UNSIGNED)
    assert "'x-amz-content-sha256' must be" in refusal(added).message


def test_another_host_does_not_match() -> None:
    assert refusal(with_headers(signed(), host="example.com")).code == "SignatureDoesNotMatch"


def test_a_header_sent_twice_does_not_match_its_one_signature() -> None:
    twice = with_headers(signed(), x_amz_target="T.Op,T.Other")
    assert refusal(twice).code == "SignatureDoesNotMatch"


@pytest.mark.parametrize("place", ["eu-west-1/ecs", "us-east-1/ecr"])
def test_a_signature_for_another_region_or_service_does_not_match(place: str) -> None:
    request = signed()
    found = read_signature(request)
    assert found is not None
    credential = f"{KEY_ID}/{found.date}/{place}/aws4_request"
    assert refusal(resigned(request, Credential=credential)).code == "SignatureDoesNotMatch"


@pytest.mark.parametrize("cut", [0, 4, 7])
def test_the_scope_has_the_whole_date_of_the_request(cut: int) -> None:
    request = signed()
    found = read_signature(request)
    assert found is not None
    credential = f"{KEY_ID}/{found.date[:cut]}/us-east-1/ecs/aws4_request"
    message = refusal(resigned(request, Credential=credential)).message
    assert message.startswith("Date in Credential scope does not match YYYYMMDD")


def test_a_scope_that_ends_otherwise_is_incomplete() -> None:
    request = signed()
    header = request.headers["authorization"].replace("aws4_request", "aws5_request")
    assert "Credential must have exactly 5" in incomplete(
        with_headers(request, authorization=header)
    )


def test_an_unsigned_payload_is_taken_where_the_signature_says_so() -> None:
    signer = S3SigV4Auth(Credentials(KEY_ID, SECRET), "s3", "us-east-1")
    headers = {"X-Amz-Content-SHA256": UNSIGNED}
    request = botocore_request(signer, "PUT", "/b/k", "", headers, b"anything")
    request.headers = {**request.headers, "x-amz-content-sha256": UNSIGNED}
    assert refusal(request).code == "SignatureDoesNotMatch"
    own = SigV4Auth(Credentials(KEY_ID, SECRET), "ecs", "us-east-1")
    free = botocore_request(own, "POST", "/", "", headers, b"anything")
    check(free)
    free.body = b"something else"
    check(free)


def test_a_digest_that_is_not_the_bodys_is_refused() -> None:
    digest = hashlib.sha256(b"{}").hexdigest()
    request = signed(b"{}", **{"X-Amz-Content-SHA256": digest})
    check(request)
    request.body = b"{ }"
    assert refusal(request).code == "XAmzContentSHA256Mismatch"
