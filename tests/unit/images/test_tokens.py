import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.base.ids import SeededIds
from longshore.images import tokens
from longshore.model.principal import Principal, root

KEY = bytes(range(32))
NOW = 1_700_000_000.0


def sealed(principal: Principal, seconds: float = 60.0) -> str:
    return tokens.seal(KEY, principal, NOW + seconds, SeededIds(1))


def test_a_token_speaks_for_the_whole_principal() -> None:
    principal = Principal(
        account="123456789012",
        arn="arn:aws:sts::123456789012:assumed-role/deploy/ci",
        user_id="AROA:ci",
        kind="assumed-role",
        session_policies=('{"Version":"2012-10-17"}' * 100,),
        session_tags=(("a", "b"),),
        issued_at=NOW,
    )
    assert tokens.unseal(KEY, sealed(principal), NOW) == principal


def test_a_token_ends() -> None:
    with pytest.raises(tokens.TokenExpired):
        tokens.unseal(KEY, sealed(root("123456789012")), NOW + 60)


@given(position=st.integers(0, 10_000), bit=st.integers(0, 5))
def test_a_changed_token_is_none(position: int, bit: int) -> None:
    token = bytearray(sealed(root("123456789012")).encode())
    token[position % len(token)] ^= 1 << bit
    changed = token.decode("latin-1")
    with pytest.raises(tokens.TokenInvalid):
        tokens.unseal(KEY, changed, NOW)


@given(password=st.text())
def test_any_other_text_is_no_token(password: str) -> None:
    with pytest.raises(tokens.TokenInvalid):
        tokens.unseal(KEY, password, NOW)


@given(expires=st.text(), signature=st.text())
def test_a_download_needs_its_own_signature(expires: str, signature: str) -> None:
    with pytest.raises(tokens.TokenInvalid):
        tokens.check_download(KEY, "a/b/c", "sha256:x", expires, signature, NOW)


def test_a_signed_download_is_for_one_layer_and_a_while() -> None:
    until = int(NOW) + 60
    signature = tokens.sign_download(KEY, "a/b/c", "sha256:x", until)
    tokens.check_download(KEY, "a/b/c", "sha256:x", str(until), signature, NOW)
    for place, digest, time in (
        ("a/b/d", "sha256:x", until),
        ("a/b/c", "sha256:y", until),
        ("a/b/c", "sha256:x", until + 1),
    ):
        with pytest.raises(tokens.TokenInvalid):
            tokens.check_download(KEY, place, digest, str(time), signature, NOW)
    with pytest.raises(tokens.TokenExpired):
        tokens.check_download(KEY, "a/b/c", "sha256:x", str(until), signature, NOW + 60)
