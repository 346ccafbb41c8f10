"""IMDSv1 and IMDSv2: who is answered, with what status, and how far it gets."""

import string
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.agent.endpoints.agent_host import make_host
from unit.agent.imds.metadata_instance import INTERFACE, make_instance

from longshore.agent.endpoints.callers import Caller
from longshore.agent.endpoints.http import Request, Response
from longshore.agent.imds.service import Metadata, respond
from longshore.agent.imds.tokens import Tokens
from longshore.model.network import Network
from longshore.testing.clock import FakeClock

NOW = 1_800_000_000.0
TOKENS = Tokens(b"k" * 32)
TOKEN = "x-aws-ec2-metadata-token"
SECONDS = "x-aws-ec2-metadata-token-ttl-seconds"
PAGE_404 = b"""<?xml version="1.0" encoding="iso-8859-1"?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN"
\t"http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">
<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en" lang="en">
 <head>
  <title>404 - Not Found</title>
 </head>
 <body>
  <h1>404 - Not Found</h1>
 </body>
</html>
"""


def ask(
    path: str,
    headers: dict[str, str] | None = None,
    method: str = "GET",
    now: float = NOW,
    **changes: Any,
) -> Response:
    request = Request(method, path, headers=headers or {})
    return respond(make_instance(**changes), INTERFACE, request, TOKENS, now)


def token(seconds: int = 60, **changes: Any) -> str:
    response = ask("/latest/api/token", {SECONDS: str(seconds)}, "PUT", **changes)
    assert response.status == 200
    return response.body.decode()


def test_a_token_is_given_for_as_long_as_was_asked() -> None:
    response = ask("/latest/api/token", {SECONDS: "21600"}, "PUT")
    assert (response.status, response.content_type) == (200, "text/plain")
    assert dict(response.headers)[SECONDS] == "21600"


def test_with_a_token_metadata_are_answered_and_its_rest_is_told() -> None:
    response = ask("/latest/meta-data/instance-id", {TOKEN: token(60)}, now=NOW + 20)
    assert (response.status, response.body) == (200, b"i-0123456789abcdef5")
    assert response.content_type == "text/plain"
    assert dict(response.headers) == {"server": "EC2ws", SECONDS: "40"}


@pytest.mark.parametrize("path", ["/", "/latest/", "/latest/meta-data/mac", "/latest/nothing"])
def test_without_a_token_everything_is_unauthorized_where_tokens_are_required(path: str) -> None:
    assert ask(path).status == 401


def test_without_a_token_metadata_are_answered_where_tokens_are_optional() -> None:
    response = ask("/latest/meta-data/mac", tokens_required=False)
    assert (response.status, response.body) == (200, b"02:00:00:00:01:05")


@pytest.mark.parametrize("required", [True, False])
@pytest.mark.parametrize("shown", ["", "nonsense", "expired", "another's"])
def test_a_bad_token_is_unauthorized_even_where_none_is_needed(required: bool, shown: str) -> None:
    if shown == "expired":
        shown = TOKENS.issue("i-0123456789abcdef5", 1, NOW - 2)
    elif shown == "another's":
        shown = TOKENS.issue("i-0123456789abcdef6", 60, NOW)
    response = ask("/latest/meta-data/mac", {TOKEN: shown}, tokens_required=required)
    assert response.status == 401


@pytest.mark.parametrize("seconds", [None, "", "0", "21601", "-1", "1.5", "ten", "60,60", "٦٠"])
def test_a_token_for_no_proper_time_is_a_bad_request(seconds: str | None) -> None:
    headers = {SECONDS: seconds} if seconds is not None else {}
    assert ask("/latest/api/token", headers, "PUT").status == 400


def test_a_forwarded_request_gets_no_token() -> None:
    headers = {SECONDS: "60", "x-forwarded-for": "10.0.1.5"}
    assert ask("/latest/api/token", headers, "PUT").status == 403


def test_only_the_token_goes_no_further_than_the_hop_limit() -> None:
    assert ask("/latest/api/token", {SECONDS: "60"}, "PUT", hop_limit=3).hops == 3
    assert ask("/latest/meta-data/mac", {TOKEN: token()}, hop_limit=3).hops == 0


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("GET", "/latest/api/token", "PUT"), ("PUT", "/latest/meta-data/mac", "GET")],
)
def test_a_path_has_its_method_only(method: str, path: str, allowed: str) -> None:
    response = ask(path, {TOKEN: token(), SECONDS: "60"}, method)
    assert (response.status, response.allow) == (405, (allowed,))


@pytest.mark.parametrize(("method", "path"), [("PUT", "/latest/api/token"), ("GET", "/latest/")])
def test_an_endpoint_that_is_off_forbids_everything(method: str, path: str) -> None:
    headers = {SECONDS: "60", TOKEN: token()}
    response = ask(path, headers, method, endpoint=False, tokens_required=False)
    assert response.status == 403


def test_what_there_is_not_is_answered_with_awss_page() -> None:
    response = ask("/latest/meta-data/nothing", {TOKEN: token()})
    assert (response.status, response.content_type) == (404, "text/html")
    assert response.body == PAGE_404


@pytest.mark.parametrize("path", ["/latest/meta-data", "/latest/meta-data/mac"])
def test_a_slash_at_the_end_makes_no_difference(path: str) -> None:
    shown = {TOKEN: token()}
    assert ask(path, shown) == ask(f"{path}/", shown)


def test_the_names_of_tags_may_be_quoted() -> None:
    path = "/latest/meta-data/tags/instance/a%20b"
    assert ask(path, {TOKEN: token()}, tags=(("a b", "c"),)).body == b"c"


PATHS = st.lists(
    st.sampled_from(["latest", "meta-data", "iam", "..", "%2e", "%00", "%ff", "", "api", "token"])
    | st.text(string.printable, max_size=5),
    max_size=6,
).map("/".join)


@given(
    PATHS,
    st.dictionaries(st.sampled_from([TOKEN, SECONDS, "x-forwarded-for"]), st.text(max_size=9)),
    st.sampled_from(["GET", "PUT"]),
)
def test_whatever_is_asked_without_a_token_tells_nothing(
    path: str, headers: dict[str, str], method: str
) -> None:
    response = ask(f"/{path}", headers, method)
    assert response.status in {200, 400, 401, 403, 405}
    if response.status == 200:
        assert method == "PUT"
        assert path.rstrip("/").endswith("api/token")


class _Fabric:
    """Only a network."""

    def __init__(self, network: Network) -> None:
        self.network = network


async def test_only_the_instances_own_addresses_in_its_own_vpc_are_answered(
    tmp_path: Path,
) -> None:
    neighbour = msgspec.structs.replace(INTERFACE, id="eni-9", address="10.0.1.9", secondary=())
    twin = msgspec.structs.replace(INTERFACE, id="eni-25", vpc_id="vpc-2")
    host = make_host(tmp_path, FakeClock(NOW))
    host.fabric = _Fabric(Network(interfaces=(INTERFACE, neighbour, twin)))
    host.instances.take((make_instance(tokens_required=False),))
    metadata = Metadata(host, TOKENS)
    request = Request("GET", "/latest/meta-data/instance-id")
    for address in ("10.0.1.5", "10.0.1.60", "10.0.1.61"):
        response = await metadata.answer(Caller(address, "vpc-1"), request)
        assert response is not None and response.status == 200
    for caller in (
        Caller("10.0.1.9", "vpc-1"),
        Caller("10.0.1.5", "vpc-2"),
        Caller("10.0.1.77", "vpc-1"),
        Caller("198.18.7.5", "vpc-1"),
        Caller("10.0.1.5"),
    ):
        assert await metadata.answer(caller, request) is None
