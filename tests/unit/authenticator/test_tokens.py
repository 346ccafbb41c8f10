"""What is a token for a cluster, and what is not."""

import base64
import itertools
import time
from collections.abc import Callable
from typing import Any

import botocore.session
import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.authenticator import tokens
from longshore.authenticator.tokens import Refused
from longshore.testing.eks_tokens import STSClientFactory, TokenGenerator

KEY_ID, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
CLUSTER = "demo"


def made(cluster: str = CLUSTER, token: str | None = None, endpoint: str = "") -> str:
    """As `aws eks get-token` makes it."""
    session = botocore.session.Session()
    session.set_credentials(KEY_ID, SECRET, token)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", endpoint or "http://127.0.0.1:4566")
        client = STSClientFactory(session).get_sts_client("eu-west-1")
    try:
        return str(TokenGenerator(client).get_token(cluster))
    finally:
        client.close()


def encoded(url: str) -> str:
    return tokens.PREFIX + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")


def url_of(token: str) -> str:
    text = token.removeprefix(tokens.PREFIX)
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()


TOKEN = made()
URL = url_of(TOKEN)
NOW = time.time()
"""When the token above was made; tests run long after."""


def refusal(call: Callable[..., object], *arguments: Any) -> str:
    with pytest.raises(Refused) as caught:
        call(*arguments)
    return caught.value.reason


def test_a_token_of_the_aws_cli_tells_whose_key_signed_it_and_where_it_leads() -> None:
    presigned = tokens.read(TOKEN)
    assert presigned.host == "127.0.0.1:4566"
    assert (presigned.signed.access_key_id, presigned.signed.region) == (KEY_ID, "eu-west-1")
    tokens.check(presigned, CLUSTER, SECRET, NOW)


@pytest.mark.parametrize(
    ("endpoint", "host"),
    [
        ("https://sts.eu-west-1.amazonaws.com", "sts.eu-west-1.amazonaws.com"),
        ("https://localhost:4567", "localhost:4567"),
        ("https://STS.example:443/", "sts.example"),
        ("http://sts.example:80", "sts.example"),
        ("http://[::1]:4566", "[::1]:4566"),
    ],
)
def test_a_token_for_any_endpoint_is_good_with_the_host_that_sdks_sign(
    endpoint: str, host: str
) -> None:
    presigned = tokens.read(made(endpoint=endpoint))
    assert presigned.host == host
    tokens.check(presigned, CLUSTER, SECRET, time.time())


def test_a_sessions_token_comes_out_as_it_went_in() -> None:
    presigned = tokens.read(made(token="se+ss/ion=="))
    assert presigned.signed.session_token == "se+ss/ion=="
    tokens.check(presigned, CLUSTER, SECRET, time.time())


def test_a_token_is_good_for_15_minutes_though_its_url_says_one() -> None:
    assert "X-Amz-Expires=60&" in URL
    tokens.check(tokens.read(TOKEN), CLUSTER, SECRET, NOW + 890)
    reason = refusal(tokens.check, tokens.read(TOKEN), CLUSTER, SECRET, NOW + 910)
    assert reason.startswith("SignatureDoesNotMatch: Signature expired: ")


def test_a_token_of_more_than_5_minutes_in_the_future_is_refused() -> None:
    tokens.check(tokens.read(TOKEN), CLUSTER, SECRET, NOW - 290)
    reason = refusal(tokens.check, tokens.read(TOKEN), CLUSTER, SECRET, NOW - 310)
    assert reason.startswith("SignatureDoesNotMatch: Signature not yet current: ")


@pytest.mark.parametrize(("cluster", "secret"), [("prod", SECRET), (CLUSTER, "another")])
def test_a_token_is_no_other_clusters_and_of_no_other_secret(cluster: str, secret: str) -> None:
    reason = refusal(tokens.check, tokens.read(TOKEN), cluster, secret, NOW)
    assert reason.startswith("SignatureDoesNotMatch: The request signature we calculated")


def test_a_refusal_for_the_log_repeats_nothing_of_a_sessions_token() -> None:
    presigned = tokens.read(made(token="SESSIONTOKEN"))
    assert "SESSIONTOKEN" not in refusal(tokens.check, presigned, "prod", SECRET, time.time())


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("127.0.0.1:4566", "127.0.0.1:4567"),
        ("X-Amz-Expires=60", "X-Amz-Expires=61"),
        ("eu-west-1", "eu-west-2"),
    ],
)
def test_a_token_whose_url_was_changed_is_refused(before: str, after: str) -> None:
    assert before in URL
    changed = tokens.read(encoded(URL.replace(before, after)))
    reason = refusal(tokens.check, changed, CLUSTER, SECRET, NOW)
    assert reason.startswith("SignatureDoesNotMatch: The request signature we calculated")


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        ("", "the token is not one of EKS"),
        (tokens.PREFIX, "the token is not one of EKS"),
        (TOKEN.removeprefix(tokens.PREFIX), "the token is not one of EKS"),
        (TOKEN.replace("k8s-aws-v1.", "k8s-aws-v2."), "the token is not one of EKS"),
        (f"{TOKEN}=", "the token is not one of EKS"),
        (f"{TOKEN} ", "the token is not one of EKS"),
        (f"{tokens.PREFIX}a", "the token is not base64 of a URL"),
        (encoded("https://sts.exämple/?Action=GetCallerIdentity"), "the token is not base64"),
        (TOKEN + "A" * tokens.LONGEST, "the token is too long"),
        (encoded("nothing of the kind"), "the token is not a URL of STS"),
    ],
    ids=map(str, itertools.count()),  # both workers' the same: some have the time in them
)
def test_what_is_no_token_is_refused(token: str, reason: str) -> None:
    assert refusal(tokens.read, token).startswith(reason)


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ("http://", "ftp://", "the token is not a URL of STS"),
        ("http://", "http://me@", "the token is not a URL of STS"),
        ("4566/?", "4566/sts?", "the token is not a URL of STS"),
        ("4566/?", "4566//?", "the token is not a URL of STS"),
        ("60&", "60#&", "the token is not a URL of STS"),
        ("60&", "60 &", "the token is not a URL of STS"),
        ("60&", "60\n&", "the token is not a URL of STS"),
        ("=GetCallerIdentity", "=AssumeRole", "the URL is of another action"),
        ("Action=GetCallerIdentity&", "", "the URL is of another action"),
        ("2011-06-15", "2010-05-08", "the URL is of another version of STS"),
        ("Version=2011-06-15&", "", "the URL is of another version of STS"),
        ("Action=", "action=", "the URL has parameters that it should not have"),
        ("Action=", "Ac%74ion=", "the URL has parameters that it should not have"),
        ("60&", "60&RoleArn=x&", "the URL has parameters that it should not have"),
        ("60&", "60&x-k8s-aws-id=demo&", "the URL has parameters that it should not have"),
        ("60&", "60&X-Amz-Expires=60&", "the URL has parameters that it should not have"),
        ("60&", "60&&", "the URL has parameters that it should not have"),
        ("=60&", "=&", "the URL has parameters that it should not have"),
        ("X-Amz-Expires=60&", "", "X-Amz-Expires is not within 15 minutes"),
        ("=60&", "=901&", "X-Amz-Expires is not within 15 minutes"),
        ("=60&", "=-1&", "X-Amz-Expires is not within 15 minutes"),
        ("=60&", "=1.5&", "X-Amz-Expires is not within 15 minutes"),
        ("AWS4-HMAC-SHA256", "AWS3", "IncompleteSignature: Unsupported AWS 'algorithm'"),
        ("X-Amz-Signature=", "X-Amz-Security-Token=", "IncompleteSignature: AWS query-string"),
        ("%2Fsts%2F", "%2Fs3%2F", "the credential is not one for STS"),
        ("AKIA", "AKIA%2F", "the credential is not one for STS"),
        ("AKIA", "AK%00A", "the credential is not one for STS"),
        ("%2Faws4_request", "", "IncompleteSignature: Credential must have"),
        ("host%3B", "", "the cluster's name is not signed"),
        ("%3Bx-k8s-aws-id", "", "the cluster's name is not signed"),
    ],
)
def test_a_url_that_is_not_just_what_get_token_presigns_is_refused(
    before: str, after: str, reason: str
) -> None:
    assert before in URL
    assert refusal(tokens.read, encoded(URL.replace(before, after, 1))).startswith(reason)


def _taken(token: str) -> bool:
    try:
        tokens.check(tokens.read(token), CLUSTER, SECRET, NOW)
    except Refused:
        return False
    return True


@given(st.text(max_size=300), st.sampled_from(["", tokens.PREFIX]))
def test_no_text_whatever_is_a_token(text: str, prefix: str) -> None:
    assert not _taken(prefix + text)
    assert not _taken(encoded(text))


@given(st.integers(0, len(URL)), st.integers(0, 5), st.text(max_size=5))
def test_a_url_with_anything_changed_is_refused_unless_it_says_the_same(
    place: int, removed: int, put: str
) -> None:
    changed = encoded(URL[:place] + put + URL[place + removed :])
    if _taken(changed):
        found, own = tokens.read(changed), tokens.read(TOKEN)
        assert (found.host, found.signed) == (own.host, own.signed)


@given(st.sampled_from(sorted(tokens.PARAMETERS)), st.text(max_size=20))
def test_any_value_of_a_parameter_gives_a_refusal_and_no_other_exception(
    name: str, value: str
) -> None:
    parts = [part for part in URL.split("&") if not part.startswith(f"{name}=")]
    _taken(encoded("&".join([*parts, f"{name}={value}"])))
    quoted = "".join(f"%{byte:02X}" for byte in value.encode())
    _taken(encoded("&".join([*parts, f"{name}={quoted}"])))
