"""Signatures against botocore's own signers, and what is wrong with the wrong ones."""

import calendar
from typing import Any
from urllib.parse import quote

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from longshore.awsapi.http import HttpRequest
from longshore.awsapi.signing import Keys, presign, sign
from longshore.awsapi.sigv4 import read_signature, verify
from longshore.model.errors import AwsError

KEY_ID = "AKIAIOSFODNN7EXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
HOST = "127.0.0.1:4566"
SEGMENT = st.text(min_size=1, max_size=12).filter(lambda text: text not in {".", ".."})
PATHS = st.lists(SEGMENT.map(lambda text: quote(text, safe="~")), max_size=4).map(
    lambda parts: "/" + "/".join(parts)
)
TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
QUERIES = st.lists(st.tuples(TEXT.filter(bool), TEXT), max_size=4).map(
    lambda pairs: "&".join(
        f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in pairs
    )
)
VALUES = st.text(st.sampled_from("abc  XYZ-_.;=,/"), max_size=20).map(str.strip)
HEADERS = st.dictionaries(st.sampled_from(["X-Amz-Target", "Content-Type", "X-One"]), VALUES)


def botocore_request(
    signer: Any, method: str, path: str, query: str, headers: dict[str, str], body: bytes
) -> HttpRequest:
    """A request as botocore's signer sends it."""
    url = f"http://{HOST}{path}" + (f"?{query}" if query else "")
    request = AWSRequest(method=method, url=url, headers=headers, data=body)
    signer.add_auth(request)
    prepared = request.prepare()
    target = prepared.url.removeprefix(f"http://{HOST}")
    path, _, query = target.partition("?")
    sent = {
        name.lower(): value.decode() if isinstance(value, bytes) else str(value)
        for name, value in dict[str, Any](prepared.headers).items()
    }
    return HttpRequest(method, path or "/", query, {**sent, "host": HOST}, body)


def now_of(request: HttpRequest) -> float:
    signed = read_signature(request)
    assert signed is not None
    text = signed.timestamp
    parts = (text[:4], text[4:6], text[6:8], text[9:11], text[11:13], text[13:15])
    return calendar.timegm(tuple(map(int, parts)))


def check(request: HttpRequest, secret: str = SECRET, after: float = 0.0) -> None:
    signed = read_signature(request)
    assert signed is not None
    verify(signed, request, secret, now_of(request) + after)


@given(st.sampled_from(["GET", "POST", "PUT"]), PATHS, QUERIES, HEADERS, st.binary(max_size=50))
def test_what_botocore_signs_in_a_header_verifies(
    method: str, path: str, query: str, headers: dict[str, str], body: bytes
) -> None:
    signer = SigV4Auth(Credentials(KEY_ID, SECRET), "ecs", "us-east-1")
    check(botocore_request(signer, method, path, query, headers, body))


@given(PATHS, QUERIES, st.binary(max_size=50))
def test_what_botocore_signs_for_s3_verifies(path: str, query: str, body: bytes) -> None:
    signer = S3SigV4Auth(Credentials(KEY_ID, SECRET, "token"), "s3", "eu-west-1")
    check(botocore_request(signer, "PUT", path, query, {}, body))


@given(PATHS, QUERIES)
def test_what_botocore_presigns_verifies(path: str, query: str) -> None:
    signer = SigV4QueryAuth(
        Credentials(KEY_ID, SECRET, "a/token+="), "eks", "us-east-1", expires=60
    )
    check(botocore_request(signer, "GET", path, query, {}, b""))


@given(PATHS)
def test_what_botocore_presigns_for_s3_verifies(path: str) -> None:
    signer = S3SigV4QueryAuth(Credentials(KEY_ID, SECRET), "s3", "us-east-1", expires=60)
    check(botocore_request(signer, "GET", path, "", {}, b""))


@given(PATHS, QUERIES, st.binary(max_size=50), st.sampled_from(["", "a-session/token=="]))
def test_what_our_own_client_signs_verifies(path: str, query: str, body: bytes, token: str) -> None:
    url = f"ws://{HOST}{path}" + (f"?{query}" if query else "")
    headers = sign(
        Keys(KEY_ID, SECRET, token),
        method="GET",
        url=url,
        headers={"X-Amz-Target": "A.B"},
        body=body,
        region="us-east-1",
        service="ecs",
        now=1_767_225_600.0,
    )
    check(HttpRequest("GET", path, query, headers, body))


@given(PATHS, QUERIES)
def test_what_our_own_client_presigns_verifies(path: str, query: str) -> None:
    url = presign(
        Keys(KEY_ID, SECRET, "token"),
        method="GET",
        url=f"http://{HOST}{path}" + (f"?{query}" if query else ""),
        region="us-east-1",
        service="sts",
        now=1_767_225_600.0,
        seconds=60,
    )
    path, _, query = url.removeprefix(f"http://{HOST}").partition("?")
    check(HttpRequest("GET", path, query, {"host": HOST}, b""))


def signed_request(**changes: Any) -> HttpRequest:
    signer = SigV4Auth(Credentials(KEY_ID, SECRET), "ecs", "us-east-1")
    headers = {"X-Amz-Target": "T.Op"}
    request = botocore_request(signer, "POST", "/", "", headers, b"{}")
    for name, value in changes.items():
        setattr(request, name, value)
    return request


def refusal(request: HttpRequest, secret: str = SECRET, after: float = 0.0) -> AwsError:
    with pytest.raises(AwsError) as caught:
        check(request, secret, after)
    return caught.value


@pytest.mark.parametrize(
    "change", [{"body": b"{ }"}, {"method": "GET"}, {"path": "/x"}, {"query": "a=b"}]
)
def test_a_changed_request_does_not_match_its_signature(change: dict[str, Any]) -> None:
    error = refusal(signed_request(**change))
    assert error.code == "SignatureDoesNotMatch"
    assert "The Canonical String for this request should have been" in error.message


def test_another_secret_does_not_match() -> None:
    assert refusal(signed_request(), secret="other").code == "SignatureDoesNotMatch"


def test_a_changed_signed_header_does_not_match() -> None:
    request = signed_request()
    request.headers = {**request.headers, "x-amz-target": "T.Other"}
    assert refusal(request).code == "SignatureDoesNotMatch"


def test_an_amz_header_added_after_signing_is_refused() -> None:
    request = signed_request()
    request.headers = {**request.headers, "x-amz-date2": "x"}
    assert "'x-amz-date2' must be a 'SignedHeader'" in refusal(request).message


def test_a_signature_is_good_for_five_minutes_and_no_longer() -> None:
    check(signed_request(), after=299)
    check(signed_request(), after=-299)
    assert refusal(signed_request(), after=301).message.startswith("Signature expired: ")
    assert refusal(signed_request(), after=-302).message.startswith("Signature not yet current: ")


def test_a_presigned_url_is_good_for_as_long_as_it_says() -> None:
    signer = SigV4QueryAuth(Credentials(KEY_ID, SECRET), "ecs", "us-east-1", expires=60)
    request = botocore_request(signer, "GET", "/", "Action=X", {}, b"")
    check(request, after=59)
    assert refusal(request, after=61).message.startswith("Signature expired: ")


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("Basic abc", "Unsupported AWS 'algorithm': 'Basic'"),
        ("AWS4-HMAC-SHA256 Credential=a/b/c/d/aws4_request", "requires 'Signature' parameter"),
        ("AWS4-HMAC-SHA256", "requires 'Credential' parameter"),
        (
            "AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=x",
            "Credential must have exactly 5 slash-delimited elements",
        ),
    ],
)
def test_an_incomplete_signature_says_what_is_missing(header: str, said: str) -> None:
    request = signed_request()
    request.headers = {**request.headers, "authorization": header}
    with pytest.raises(AwsError) as caught:
        read_signature(request)
    assert caught.value.code == "IncompleteSignature"
    assert said in caught.value.message


@given(st.text(), st.text(), st.text())
def test_no_authorization_header_whatever_breaks_the_parser(
    header: str, date: str, query: str
) -> None:
    headers = {"authorization": f"AWS4-HMAC-SHA256 {header}", "x-amz-date": date, "host": HOST}
    for request in (
        HttpRequest("POST", "/", "", headers, b""),
        HttpRequest("POST", "/", "X-Amz-Signature=1&" + query, {"host": HOST}, b""),
    ):
        try:
            signed = read_signature(request)
            if signed is not None:
                verify(signed, request, SECRET, 0.0)
        except AwsError as error:
            assert error.code in {"IncompleteSignature", "SignatureDoesNotMatch"}
