"""Whose signature a token has, and what is no token."""

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from longshore.oidc.keys import Key
from longshore.oidc.tokens import ALGORITHMS, LONGEST, Malformed, is_signed, read
from longshore.testing.web_tokens import Signer, ec_token, unsigned

CLAIMS = {"iss": "https://example.com", "sub": "system:serviceaccount:default:web", "exp": 1}
SIGNER, OTHER = Signer(0), Signer(1)
KEYS = (SIGNER.key, OTHER.key)


def trusted(text: str, *keys: Key) -> bool:
    """Whether anybody would believe the text."""
    try:
        token = read(text)
    except Malformed:
        return False
    return is_signed(token, keys or KEYS)


def test_a_token_says_what_was_signed() -> None:
    token = read(SIGNER.token(CLAIMS))
    assert token.claims == CLAIMS
    assert (token.algorithm, token.key_id) == ("RS256", SIGNER.key.id)
    assert is_signed(token, KEYS)


@pytest.mark.parametrize("algorithm", ["RS384", "RS512"])
def test_rsa_signs_with_every_hash_where_the_key_set_leaves_it_open(algorithm: str) -> None:
    key = Key(id=SIGNER.key.id, public=SIGNER.key.public)
    assert trusted(SIGNER.token(CLAIMS, algorithm), key)
    assert not trusted(SIGNER.token(CLAIMS, algorithm), SIGNER.key)


@pytest.mark.parametrize(
    ("curve", "algorithm"),
    [(ec.SECP256R1(), "ES256"), (ec.SECP384R1(), "ES384"), (ec.SECP521R1(), "ES512")],
)
def test_ecdsa_is_taken_with_the_curve_of_its_algorithm(
    curve: ec.EllipticCurve, algorithm: str
) -> None:
    private = ec.generate_private_key(curve)
    key = Key(id="", public=private.public_key())
    assert trusted(ec_token(private, CLAIMS, algorithm), key)
    other = next(name for name in ("ES256", "ES512") if name != algorithm)
    assert not trusted(ec_token(private, CLAIMS, other), key)
    assert not trusted(ec_token(private, CLAIMS, algorithm), SIGNER.key)


def test_another_issuers_key_signs_nothing_in_this_ones_name() -> None:
    assert not trusted(OTHER.token(CLAIMS), SIGNER.key)
    assert not trusted(OTHER.token(CLAIMS, kid=SIGNER.key.id))
    assert not trusted(OTHER.token(CLAIMS, kid="nobody"))


def test_without_a_keys_name_only_a_single_key_is_meant() -> None:
    text = SIGNER.token(CLAIMS, kid="")
    assert trusted(text, SIGNER.key)
    assert not trusted(text, SIGNER.key, OTHER.key)


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE", "", "HS256", "PS256", "XX"])
def test_no_other_algorithm_is_believed_whatever_its_signature(algorithm: str) -> None:
    start = unsigned(CLAIMS, {"alg": algorithm, "kid": SIGNER.key.id})
    real = SIGNER.token(CLAIMS).rpartition(".")[2]
    for signature in ("", "AA", real):
        assert not trusted(f"{start}.{signature}")
    assert not trusted(SIGNER.token(CLAIMS, "RS256", alg=algorithm))


def test_the_public_key_is_nobodys_secret() -> None:
    for algorithm in ("HS256", *ALGORITHMS):
        assert not trusted(SIGNER.confused(CLAIMS, algorithm))


def test_keys_that_a_token_brings_along_are_not_used() -> None:
    jwk = {"kty": "RSA", "kid": "mine"}
    for header in ({"jwk": jwk}, {"jku": "https://evil.example"}, {"x5u": "https://evil.example"}):
        assert not trusted(OTHER.token(CLAIMS, **header), SIGNER.key)


def test_a_header_that_must_be_understood_is_not() -> None:
    with pytest.raises(Malformed):
        read(SIGNER.token(CLAIMS, crit=["exp"]))


@pytest.mark.parametrize(
    "text",
    [
        *("", ".", "..", "...", "a.b", "a.b.c.d", " . . ", "e30.e30.e30\n", "e30=.e30.e30"),
        f"{base64.urlsafe_b64encode(b'[]').decode().rstrip('=')}.e30.AA",
        "x" * (LONGEST + 1),
        "bm90anNvbg.e30.AA",
        "e30.e30.AA",
        "A.e30.AA",
    ],
)
def test_what_is_no_signed_token_is_malformed(text: str) -> None:
    with pytest.raises(Malformed):
        read(text)


@pytest.mark.parametrize(
    "claims", ['{"sub": "a", "sub": "b"}', '{"exp": NaN}', '{"a": ' * 5000, "[1]", '"a"', "1"]
)
def test_claims_that_could_be_read_in_two_ways_are_malformed(claims: str) -> None:
    header = base64.urlsafe_b64encode(b'{"alg":"RS256"}').decode().rstrip("=")
    body = base64.urlsafe_b64encode(claims.encode()).decode().rstrip("=")
    with pytest.raises(Malformed):
        read(f"{header}.{body}.AA"[:LONGEST])


@given(st.text(max_size=300) | st.from_regex(r"[A-Za-z0-9_.-]{0,300}", fullmatch=True))
def test_any_text_is_a_token_or_malformed(text: str) -> None:
    assert not trusted(text)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=10,
)


@given(
    header=st.dictionaries(st.sampled_from(["alg", "kid", "typ", "jwk", "crit", "x5c"]), JSON),
    claims=st.dictionaries(st.text(max_size=5), JSON, max_size=4),
    signature=st.binary(max_size=300),
)
def test_nothing_is_believed_that_was_not_signed(
    header: dict[str, Any], claims: dict[str, Any], signature: bytes
) -> None:
    end = base64.urlsafe_b64encode(signature).decode().rstrip("=")
    for algorithm in ("none", "HS256", *ALGORITHMS):
        assert not trusted(f"{unsigned(claims, {'alg': algorithm, **header})}.{end}")
        named = {"kid": SIGNER.key.id, **header, "alg": algorithm}
        assert not trusted(f"{unsigned(claims, named)}.{end}")


VALID = SIGNER.token(CLAIMS)
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


@settings(max_examples=300)
@given(place=st.integers(0, len(VALID) - 1), by=st.sampled_from(ALPHABET + ".="))
def test_a_changed_token_says_nothing_else_that_is_believed(place: int, by: str) -> None:
    changed = VALID[:place] + by + VALID[place + 1 :]
    if trusted(changed):
        # The last character of base64 has bits that stand for nothing.
        assert read(changed).claims == CLAIMS
        assert changed.rpartition(".")[0] == VALID.rpartition(".")[0]


@given(claims=st.dictionaries(st.text(max_size=5), JSON, max_size=4))
def test_whatever_was_signed_is_read_as_it_was_meant(claims: dict[str, Any]) -> None:
    text = SIGNER.token(claims)
    assert trusted(text)
    assert read(text).claims == json.loads(json.dumps(claims))
    assert not trusted(text, OTHER.key)
