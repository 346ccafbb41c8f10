"""How keys come from an issuer on the network, and how they do not."""

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from integration.oidc.foreign_issuer import ForeignIssuer, foreign_issuer, thumbprint

from longshore.base.certificates import KeyPair, Subject, issue
from longshore.base.clock import SystemClock
from longshore.oidc import https
from longshore.oidc.documents import CONFIGURATION, configuration, key_set
from longshore.oidc.https import MOST_BYTES, Unreachable, Untrusted, get
from longshore.oidc.issuers import (
    FAILED_SECONDS,
    KEPT_SECONDS,
    UNKNOWN_SECONDS,
    BadDocument,
    IssuerKeys,
)
from longshore.testing.web_tokens import Signer

SIGNER, NEXT = Signer(0), Signer(1)


def anywhere(address: str) -> bool:
    return True


@pytest.fixture
async def issuer(tmp_path: Path) -> AsyncIterator[ForeignIssuer]:
    async with foreign_issuer(tmp_path, SIGNER) as issuer:
        yield issuer


@pytest.fixture
def keys() -> IssuerKeys:
    return IssuerKeys(anywhere)


async def ids(
    keys: IssuerKeys, issuer: ForeignIssuer, key_id: str = SIGNER.key.id, now: float = 0.0
) -> list[str]:
    found = await keys.of(issuer.url, issuer.thumbprints, key_id, now)
    return [key.id for key in found]


async def test_the_keys_are_where_the_configuration_says(
    issuer: ForeignIssuer, keys: IssuerKeys
) -> None:
    assert await ids(keys, issuer) == [SIGNER.key.id]
    assert issuer.asked == [CONFIGURATION, "/keys"]


async def test_keys_are_kept_and_asked_for_again_after_a_while(
    issuer: ForeignIssuer, keys: IssuerKeys
) -> None:
    await asyncio.gather(*(ids(keys, issuer) for _ in range(5)))
    await ids(keys, issuer, now=KEPT_SECONDS - 1)
    assert len(issuer.asked) == 2
    await ids(keys, issuer, now=KEPT_SECONDS + 1)
    assert len(issuer.asked) == 4


async def test_a_new_key_is_found_and_made_up_names_ask_seldom(
    issuer: ForeignIssuer, keys: IssuerKeys
) -> None:
    await ids(keys, issuer)
    issuer.say("/keys", msgspec.json.encode(key_set(NEXT.key)))
    for number in range(5):
        assert await ids(keys, issuer, f"made up {number}", UNKNOWN_SECONDS - 1) != [NEXT.key.id]
    assert await ids(keys, issuer, NEXT.key.id, UNKNOWN_SECONDS + 1) == [NEXT.key.id]
    assert len(issuer.asked) == 4


async def test_a_failure_is_remembered_for_a_short_while(
    issuer: ForeignIssuer, keys: IssuerKeys
) -> None:
    issuer.say(CONFIGURATION, b"", "503 Later")
    for _ in range(3):
        with pytest.raises(Unreachable):
            await ids(keys, issuer)
    assert len(issuer.asked) == 1
    issuer.publish()
    assert await ids(keys, issuer, now=FAILED_SECONDS + 1) == [SIGNER.key.id]


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"{}",
        b"[]",
        b"\xff",
        b"[" * 5000,
        msgspec.json.encode(configuration("https://other.example")),
        msgspec.json.encode({"issuer": 1, "jwks_uri": 2}),
    ],
)
async def test_a_configuration_that_is_none_gives_no_keys(
    issuer: ForeignIssuer, keys: IssuerKeys, document: bytes
) -> None:
    issuer.say(CONFIGURATION, document)
    with pytest.raises(BadDocument):
        await ids(keys, issuer)


@pytest.mark.parametrize("where", ["http://localhost/keys", "file:///etc/passwd", "/keys", ""])
async def test_keys_come_by_https_alone(
    issuer: ForeignIssuer, keys: IssuerKeys, where: str
) -> None:
    issuer.say(CONFIGURATION, msgspec.json.encode({"issuer": issuer.url, "jwks_uri": where}))
    with pytest.raises(Unreachable):
        await ids(keys, issuer)


@pytest.mark.parametrize(
    "document",
    [
        b"{}",
        b'{"keys": []}',
        b'{"keys": [1]}',
        b'{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}',
        msgspec.json.encode({"keys": key_set(SIGNER.key)["keys"] * 201}),
    ],
    ids=["none", "empty", "no object", "a secret", "too many"],
)
async def test_a_key_set_that_is_none_gives_no_keys(
    issuer: ForeignIssuer, keys: IssuerKeys, document: bytes
) -> None:
    issuer.say("/keys", document)
    with pytest.raises(BadDocument):
        await ids(keys, issuer)


async def test_redirects_are_not_followed(issuer: ForeignIssuer, keys: IssuerKeys) -> None:
    location = f"location: {issuer.url}/keys"
    issuer.say(CONFIGURATION, b"", f"302 Elsewhere\r\n{location}")
    with pytest.raises(Unreachable):
        await ids(keys, issuer)
    assert issuer.asked == [CONFIGURATION]


async def test_an_answer_without_end_is_no_answer(issuer: ForeignIssuer, keys: IssuerKeys) -> None:
    issuer.say(CONFIGURATION, b" " * (MOST_BYTES + 1))
    with pytest.raises(Unreachable):
        await ids(keys, issuer)


async def test_a_head_without_end_is_no_answer(issuer: ForeignIssuer, keys: IssuerKeys) -> None:
    issuer.answers[CONFIGURATION] = b"HTTP/1.1 200 OK\r\na: " + b"b" * MOST_BYTES
    with pytest.raises(Unreachable):
        await ids(keys, issuer)


@pytest.mark.parametrize("answer", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\n"])
async def test_what_is_not_http_is_no_answer(
    issuer: ForeignIssuer, keys: IssuerKeys, answer: bytes
) -> None:
    issuer.answers[CONFIGURATION] = answer
    with pytest.raises(Unreachable):
        await ids(keys, issuer)


async def test_an_issuer_that_says_nothing_is_not_waited_for(
    issuer: ForeignIssuer, keys: IssuerKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(https, "SECONDS", 0.2)
    issuer.silent = True
    with pytest.raises(Unreachable):
        await ids(keys, issuer)


async def test_local_addresses_are_not_even_connected_to(issuer: ForeignIssuer) -> None:
    with pytest.raises(Unreachable, match="not public"):
        await ids(IssuerKeys(), issuer)
    port = issuer.url.rpartition(":")[2]
    for host in ("127.0.0.1", "127.1", "2130706433", "0x7f000001", "[::1]", "[::ffff:127.0.0.1]"):
        with pytest.raises(Unreachable):
            await get(f"https://{host}:{port}/", issuer.thumbprints)
    assert issuer.asked == []


async def test_keys_elsewhere_are_held_to_the_same_addresses(issuer: ForeignIssuer) -> None:
    """The configuration is read, and leads to where nobody may be led."""
    allowed = iter([True])
    issuer.say(
        CONFIGURATION,
        msgspec.json.encode({"issuer": issuer.url, "jwks_uri": f"{issuer.url}/keys"}),
    )
    keys = IssuerKeys(lambda address: next(allowed, False))
    with pytest.raises(Unreachable):
        await ids(keys, issuer)
    assert issuer.asked == [CONFIGURATION]


@pytest.mark.parametrize(
    "url",
    [
        *("http://localhost/", "https:///a", "ftp://localhost", "https://", "localhost", ""),
        *("https://a:b@localhost/", "https://localhost:0/", "https://localhost:99999/"),
        *("https://localhost/a b", "https://localhost/\r\nx: y", "https://[::1"),
    ],
)
async def test_urls_that_are_not_plain_https_are_not_asked(url: str) -> None:
    with pytest.raises(Unreachable):
        await get(url, (), anywhere)


async def test_nobody_there_is_unreachable() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"https://localhost:{taken.getsockname()[1]}/"
        with pytest.raises(Unreachable):
            await get(url, (), anywhere)


async def test_a_certificate_that_nobody_vouches_for_is_untrusted(issuer: ForeignIssuer) -> None:
    for thumbprints in ((), ("0" * 40,)):
        with pytest.raises(Untrusted):
            await get(issuer.url + CONFIGURATION, thumbprints, anywhere)
    assert issuer.asked == []


async def test_a_thumbprint_of_the_certificate_itself_will_do(issuer: ForeignIssuer) -> None:
    own = thumbprint(issuer.pair.certificate)
    assert await get(issuer.url + CONFIGURATION, ("1" * 40, own), anywhere)


async def test_to_show_the_pinned_certificate_is_not_to_be_signed_by_it(tmp_path: Path) -> None:
    """Everybody has the authority's certificate and can send it behind one of his own."""
    async with foreign_issuer(tmp_path, SIGNER) as real:
        pinned = real.thumbprints
        authority = real.authority.certificate
    async with foreign_issuer(tmp_path, NEXT) as thief:
        leaf = thief.pair.certificate.split(b"-----END CERTIFICATE-----\n")[0]
        shown = leaf + b"-----END CERTIFICATE-----\n" + authority
    async with foreign_issuer(tmp_path, NEXT, sent=KeyPair(shown, thief.pair.key)) as thief:
        with pytest.raises(Untrusted):
            await get(thief.url + CONFIGURATION, pinned, anywhere)
        assert thief.asked == []


async def test_a_pinned_authority_vouches_for_the_name_asked_for_alone(tmp_path: Path) -> None:
    async with foreign_issuer(tmp_path, SIGNER) as real:
        subject = Subject(common_name="other", names=("other.example",), server=True)
        other = issue(real.authority, subject, SystemClock().now())
        pinned = real.thumbprints
    async with foreign_issuer(tmp_path, NEXT, sent=other) as thief:
        with pytest.raises(Untrusted):
            await get(thief.url + CONFIGURATION, pinned, anywhere)
        assert thief.asked == []


async def test_one_local_address_among_public_ones_is_one_too_many(
    issuer: ForeignIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever owns a name lets it lead to both, and hopes for the second try."""
    found = [
        (socket.AF_INET, socket.SOCK_STREAM, 0, "", (address, 0))
        for address in ("8.8.8.8", "127.0.0.1")
    ]

    async def names(*asked: object, **more: object) -> list[object]:
        return [*found]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", names)
    with pytest.raises(Unreachable, match="not public"):
        await get(issuer.url + CONFIGURATION, issuer.thumbprints)
    assert issuer.asked == []
