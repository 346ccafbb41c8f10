"""Session tokens of IMDSv2: for one instance, for a time, and from nobody else."""

import base64
import errno
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.agent.imds import tokens as module
from longshore.agent.imds.tokens import LONGEST_SECONDS, Tokens, kept_key, parse_seconds

NOW = 1_800_000_000.25
OWN = "i-0123456789abcdef5"
TOKENS = Tokens(b"k" * 32)


@given(st.integers(1, LONGEST_SECONDS), st.floats(0, 30_000))
def test_a_token_is_good_for_its_seconds_and_no_longer(seconds: int, later: float) -> None:
    token = TOKENS.issue(OWN, seconds, NOW)
    remaining = TOKENS.remaining(token, OWN, NOW + later)
    assert remaining == pytest.approx(max(0.0, seconds - later), abs=0.002)


def test_a_token_is_as_long_as_awss_and_fits_a_header() -> None:
    token = TOKENS.issue(OWN, 60, NOW)
    assert len(token) == 56
    assert set(token) <= set(string.ascii_letters + string.digits + "-_=")


def test_a_token_of_another_instance_is_none() -> None:
    token = TOKENS.issue("i-0123456789abcdef6", 60, NOW)
    assert TOKENS.remaining(token, OWN, NOW) == 0.0


def test_a_token_of_another_host_is_none() -> None:
    token = Tokens(b"o" * 32).issue(OWN, 60, NOW)
    assert TOKENS.remaining(token, OWN, NOW) == 0.0


@given(st.integers(0, 39), st.integers(1, 255))
def test_a_token_that_was_changed_is_none(place: int, change: int) -> None:
    content = bytearray(base64.urlsafe_b64decode(TOKENS.issue(OWN, 60, NOW)))
    content[place] ^= change
    forged = base64.urlsafe_b64encode(bytes(content)).decode()
    assert TOKENS.remaining(forged, OWN, NOW) == 0.0


def test_an_old_token_cannot_be_made_longer() -> None:
    content = base64.urlsafe_b64decode(TOKENS.issue(OWN, 1, NOW))
    late = int((NOW + 21600) * 1000).to_bytes(8, "big")
    forged = base64.urlsafe_b64encode(late + content[8:]).decode()
    assert TOKENS.remaining(forged, OWN, NOW) == 0.0


@given(st.text(max_size=100) | st.binary(max_size=80).map(lambda b: base64.b64encode(b).decode()))
def test_what_was_never_issued_is_none(token: str) -> None:
    assert TOKENS.remaining(token, OWN, NOW) == 0.0


@given(st.text(max_size=8) | st.integers(-9, 99_999).map(str))
def test_seconds_are_one_to_six_hours_in_plain_digits(value: str) -> None:
    parsed = parse_seconds(value)
    plain = bool(value) and set(value) <= set(string.digits) and len(value) <= 5
    assert parsed == (int(value) if plain and 1 <= int(value) <= 21600 else None)


def test_without_seconds_there_are_none() -> None:
    assert parse_seconds(None) is None


def test_the_key_is_roots_alone_and_the_next_agents_too(tmp_path: Path) -> None:
    path = tmp_path / "agent" / "imds.key"
    key = kept_key(path)
    assert len(key) == 32
    assert path.stat().st_mode & 0o777 == 0o600
    assert kept_key(path) == key


def test_a_key_that_was_cut_short_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "imds.key"
    path.write_bytes(b"short")
    assert len(kept_key(path)) == 32
    assert path.read_bytes() == kept_key(path)


def test_a_full_disk_keeps_nobody_from_having_tokens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module, "replace_file", full)
    assert len(kept_key(tmp_path / "imds.key")) == 32
