"""Tokens of `aws eks get-token`: a presigned call of GetCallerIdentity that nobody makes.

The format is that of AWS IAM Authenticator for Kubernetes ("API Authorization from Outside a
Cluster", and what its `pkg/token` refuses): the call's URL in base64, signed along with the name of
the cluster in a header of its own. Where the authenticator makes the call, the signature is
verified here as the call's would be. Any host will do: it is one's own endpoint's.
"""

import base64
import re
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from longshore.awsapi.http import HttpRequest
from longshore.awsapi.sigv4 import Signed, read_signature, verify
from longshore.model.errors import AwsError

PREFIX = "k8s-aws-v1."
CLUSTER_HEADER = "x-k8s-aws-id"
LONGEST = 16_384
"""Characters. The authenticator takes 4096, but AWS's session tokens are packed: ours have the
session's policies in them as they are."""
LIFETIME_SECONDS = 900
"""From X-Amz-Date on, whatever X-Amz-Expires says (60 in all of AWS's clients): STS does so too."""
PARAMETERS = frozenset(
    {
        "Action",
        "Version",
        "X-Amz-Algorithm",
        "X-Amz-Credential",
        "X-Amz-Date",
        "X-Amz-Expires",
        "X-Amz-Security-Token",
        "X-Amz-Signature",
        "X-Amz-SignedHeaders",
    }
)
"""All that the URL may have; the authenticator's list."""
_ENCODED = re.compile(r"[A-Za-z0-9_-]+")
_URL = re.compile(r"(?P<scheme>https?)://(?P<host>[A-Za-z0-9.:\[\]-]+)/?\?(?P<query>[!-~]+)")
_KEY_ID = re.compile(r"\w{1,128}", re.ASCII)
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


class Refused(Exception):
    """A token is not taken. `reason` is for the log, as is the principal's `arn`, where known."""

    def __init__(self, reason: str, arn: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.arn = arn


class Presigned(NamedTuple):
    """What a token says, unverified. `host` is the value of the signed header."""

    host: str
    query: str
    signed: Signed


def read(token: str) -> Presigned:
    """The parts of a well-formed token; raises `Refused`."""
    url = _URL.fullmatch(_decoded(token))
    if url is None or "#" in url["query"]:
        raise Refused("the token is not a URL of STS")
    _check_parameters(_parameters(url["query"]))
    try:
        signed = read_signature(HttpRequest("GET", "/", url["query"], {}, b""))
    except AwsError as error:
        raise refused(error) from None
    if signed is None:
        raise Refused("the URL is not signed")
    _check_signed(signed)
    host = url["host"].lower().removesuffix(_DEFAULT_PORTS[url["scheme"]])
    return Presigned(host, url["query"], signed)


def check(presigned: Presigned, cluster: str, secret: str, now: float) -> None:
    """Raise `Refused` unless the holder of `secret` signed it for this cluster, lately."""
    headers = {"host": presigned.host, CLUSTER_HEADER: cluster}
    request = HttpRequest("GET", "/", presigned.query, headers, b"")
    signed = msgspec.structs.replace(presigned.signed, expires=LIFETIME_SECONDS)
    try:
        verify(signed, request, secret, now)
    except AwsError as error:
        raise refused(error) from None


def refused(error: AwsError) -> Refused:
    """AWS's error as a refusal: its first line, since what follows repeats parts of the token."""
    return Refused(f"{error.code}: {error.message.partition(chr(10))[0]}")


def _decoded(token: str) -> str:
    if len(token) > LONGEST:
        raise Refused("the token is too long")
    encoded = token.removeprefix(PREFIX)
    if encoded == token or not _ENCODED.fullmatch(encoded):
        raise Refused("the token is not one of EKS")
    try:
        return base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode("ascii")
    except ValueError:
        raise Refused("the token is not base64 of a URL") from None


def _parameters(query: str) -> Mapping[str, str]:
    """The parameters as they were sent, each known, with a value, and only once."""
    found: dict[str, str] = {}
    for part in query.split("&"):
        name, _, value = part.partition("=")
        if name not in PARAMETERS or name in found or not value:
            raise Refused("the URL has parameters that it should not have")
        found[name] = value
    return found


def _check_parameters(parameters: Mapping[str, str]) -> None:
    if parameters.get("Action") != "GetCallerIdentity":
        raise Refused("the URL is of another action")
    if parameters.get("Version") != "2011-06-15":
        raise Refused("the URL is of another version of STS")
    expires = parameters.get("X-Amz-Expires", "")
    if not re.fullmatch("[0-9]{1,3}", expires) or int(expires) > LIFETIME_SECONDS:
        raise Refused("X-Amz-Expires is not within 15 minutes")


def _check_signed(signed: Signed) -> None:
    if signed.service != "sts" or not _KEY_ID.fullmatch(signed.access_key_id):
        raise Refused("the credential is not one for STS")
    if not {"host", CLUSTER_HEADER} <= set(signed.signed_headers.split(";")):
        raise Refused("the cluster's name is not signed")
