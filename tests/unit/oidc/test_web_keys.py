"""Keys as key sets show them, and which addresses are everybody's."""

import base64
import hashlib
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from longshore.base.certificates import key_pem
from longshore.oidc.documents import configuration, key_set
from longshore.oidc.https import is_public
from longshore.oidc.keys import encoded, key_of_pem, keys_of, public_pem, shown
from longshore.testing.web_tokens import Signer, rsa_key

SIGNER = Signer(0)


def test_a_key_is_named_as_kubernetes_names_it() -> None:
    public = serialization.load_pem_public_key(SIGNER.pem.encode())
    der = public.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    digest = hashlib.sha256(der).digest()
    assert SIGNER.key.id == base64.urlsafe_b64encode(digest).decode().rstrip("=")


def test_a_key_set_has_the_key_and_no_secret() -> None:
    (member,) = key_set(SIGNER.key)["keys"]
    assert sorted(member) == ["alg", "e", "kid", "kty", "n", "use"]
    assert (member["e"], member["alg"]) == ("AQAB", "RS256")
    (read,) = keys_of([member])
    assert (read.id, read.algorithm) == (SIGNER.key.id, "RS256")
    assert shown(read) == member


def test_a_configuration_says_where_the_keys_are() -> None:
    document = configuration("https://oidc.example/id/1")
    assert document["issuer"] == "https://oidc.example/id/1"
    assert document["jwks_uri"] == "https://oidc.example/id/1/keys"
    assert document["id_token_signing_alg_values_supported"] == ["RS256"]


def member(**changes: Any) -> dict[str, Any]:
    return {**shown(SIGNER.key), **changes}


SHORT = rsa_key(9, 1024).public_key().public_numbers().n.to_bytes(128, "big")


@pytest.mark.parametrize(
    "useless",
    [
        {},
        member(use="enc"),
        member(kty="oct", k="c2VjcmV0"),
        member(kty="OKP", crv="Ed25519", x="AA"),
        member(n=encoded(SHORT)),
        member(n=encoded(b"\xff" * 4096)),
        member(n=None),
        member(n=5),
        member(n="!"),
        member(n=""),
        member(e="Ag"),
        member(e=encoded(b"\xff" * 64)),
        member(kid=["a"]),
        member(alg=1),
        {"kty": "EC", "crv": "P-256", "x": "AQ", "y": "AQ"},
        {"kty": "EC", "crv": "secp256k1", "x": "AQ", "y": "AQ"},
        {"kty": "EC", "crv": ["P-256"]},
    ],
)
def test_keys_that_are_of_no_use_are_passed_over(useless: dict[str, Any]) -> None:
    assert [key.id for key in keys_of([useless, member()])] == [SIGNER.key.id]


JSON = st.none() | st.integers() | st.text(max_size=8) | st.lists(st.text(max_size=3), max_size=2)


@given(
    st.dictionaries(
        st.sampled_from(["kty", "use", "alg", "kid", "n", "e", "crv", "x", "y"]),
        JSON | st.sampled_from(["RSA", "EC", "P-256", "sig", "AQAB"]),
    )
)
def test_any_member_is_a_key_or_passed_over(found: dict[str, Any]) -> None:
    assert len(keys_of([found])) <= 1


def test_only_rsa_keys_are_clusters_keys() -> None:
    pem = public_pem(key_pem(ec.generate_private_key(ec.SECP256R1())))
    with pytest.raises(TypeError):
        key_of_pem(pem)


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111"])
def test_public_addresses_may_be_asked(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.1.2.3", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1"),
        *("169.254.169.254", "169.254.170.2", "100.64.0.1", "198.18.0.1", "224.0.0.1"),
        *("255.255.255.255", "240.0.0.1", "192.0.2.1"),
        *("::1", "::", "fe80::1", "fe80::1%lo", "fc00::1", "fd00:ec2::254", "ff02::1"),
        *("::ffff:127.0.0.1", "::ffff:8.8.8.8", "2002:7f00:1::", "64:ff9b::7f00:1"),
        *("2001:0:7f00:1::", "2001:db8::1"),
    ],
)
def test_local_private_and_embedded_addresses_are_not_asked(address: str) -> None:
    assert not is_public(address)
