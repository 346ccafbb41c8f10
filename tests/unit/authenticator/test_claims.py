"""What an ID token's claims make of its bearer, whatever they are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.authenticator.identity_providers import check_claims, claimed_user
from longshore.authenticator.tokens import Refused
from longshore.model.eks_parts import IdentityProvider

ISSUER = "https://login.example.com"
NOW = 1000.0
GOOD = {"iss": ISSUER, "aud": "kubernetes", "exp": NOW + 1, "sub": "ann"}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda each: st.lists(each) | st.dictionaries(st.text(), each),
)
NAMES = st.sampled_from(["iss", "aud", "exp", "nbf", "sub", "email", "email_verified", "groups"])


def provider(**fields):
    return IdentityProvider(
        **{
            "cluster": "web",
            "name": "harbour",
            "arn": "",
            "id": "",
            "issuer": ISSUER,
            "client_id": "kubernetes",
            **fields,
        }
    )


def user(claims, **fields):
    """Whom claims that hold now are of; None where they are refused."""
    asked = provider(**fields)
    try:
        check_claims(asked, claims, NOW)
        return claimed_user(asked, claims)
    except Refused:
        return None


@given(st.dictionaries(NAMES, JSON), st.sampled_from(["sub", "email"]))
def test_claims_of_any_shape_are_a_users_or_refused(changed, claim):
    found = user({**GOOD, **changed}, username_claim=claim, groups_claim="groups")
    if found is not None:
        assert isinstance(found.username, str)
        assert found.username
        assert all(isinstance(group, str) for group in found.groups)


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({}, f"{ISSUER}#ann"),
        ({"username_prefix": "-"}, "ann"),
        ({"username_prefix": "oidc:"}, "oidc:ann"),
        ({"username_claim": "email"}, "ann@example.com"),
        ({"username_claim": "email", "username_prefix": "mail:"}, "mail:ann@example.com"),
    ],
)
def test_names_have_the_prefix_that_an_api_server_would_give_them(fields, name):
    assert user({**GOOD, "email": "ann@example.com"}, **fields).username == name


def test_a_token_that_is_good_soon_is_taken_and_one_that_ends_now_is_not():
    assert user({**GOOD, "nbf": NOW + 300})
    assert not user({**GOOD, "nbf": NOW + 301})
    assert not user({**GOOD, "exp": NOW})
