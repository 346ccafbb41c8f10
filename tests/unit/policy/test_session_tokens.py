"""Sessions sealed into their tokens."""

import base64

from hypothesis import given
from hypothesis import strategies as st
from unit.policy.policy_builder import ACCOUNT, SESSION

from longshore.base.ids import RandomIds
from longshore.policy.key_ids import LONG_LIVED, TEMPORARY, access_key_id, account_of_key
from longshore.policy.session import seal, unseal

KEY = bytes(range(32))
SEALED = seal(KEY, SESSION, 1_767_229_200.0, RandomIds())


def test_a_token_opens_to_the_credentials_it_was_given_with() -> None:
    assert unseal(KEY, SEALED.access_key_id, SEALED.session_token) == SEALED
    assert SEALED.access_key_id.startswith("ASIA")
    assert len(SEALED.secret_access_key) == 40


def test_a_token_tells_nothing_to_who_has_not_the_key() -> None:
    opened = base64.b64decode(SEALED.session_token)
    assert SESSION.arn.encode() not in opened
    assert SEALED.secret_access_key.encode() not in opened


@given(st.integers(0, len(SEALED.session_token) - 1), st.characters(codec="ascii"))
def test_a_token_changed_anywhere_is_none(place: int, character: str) -> None:
    token = SEALED.session_token
    changed = token[:place] + character + token[place + 1 :]
    if changed != token:
        assert unseal(KEY, SEALED.access_key_id, changed) is None


def test_a_token_is_none_of_another_key_id_or_installation() -> None:
    assert unseal(KEY, "ASIAIOSFODNN7EXAMPLE", SEALED.session_token) is None
    assert unseal(bytes(32), SEALED.access_key_id, SEALED.session_token) is None


@given(st.text(max_size=200))
def test_no_text_whatever_is_a_token(text: str) -> None:
    assert unseal(KEY, SEALED.access_key_id, text) is None


@given(st.text("0123456789", min_size=12, max_size=12), st.sampled_from([LONG_LIVED, TEMPORARY]))
def test_a_key_id_tells_its_account(account: str, prefix: str) -> None:
    found = access_key_id(prefix, account, RandomIds())
    assert account_of_key(found) == account
    assert len(found) == 20
    assert account_of_key(SEALED.access_key_id) == ACCOUNT
