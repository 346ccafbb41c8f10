"""Files are replaced whole or not at all."""

import os

import pytest

from longshore.base.files import have_file, replace_file


def test_file_is_replaced_and_has_the_mode_whatever_the_umask(tmp_path):
    path = tmp_path / "state.json"
    path.write_bytes(b"a longer text from before")
    before = os.umask(0o077)
    try:
        replace_file(path, b"new", 0o644)
    finally:
        os.umask(before)
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o644
    assert [each.name for each in tmp_path.iterdir()] == ["state.json"]


def test_secrets_are_their_owners_alone_without_a_word_about_it(tmp_path):
    replace_file(tmp_path / "key", b"secret")
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600


def test_what_fails_leaves_the_file_and_no_draft(tmp_path):
    path = tmp_path / "taken"
    path.mkdir()
    with pytest.raises(IsADirectoryError):
        replace_file(path, b"new")
    assert [each.name for each in tmp_path.iterdir()] == ["taken"]


def test_file_that_is_so_already_is_left_alone(tmp_path):
    path = tmp_path / "settings"
    have_file(path, b"same")
    first = path.stat().st_ino
    have_file(path, b"same")
    assert path.stat().st_ino == first
    have_file(path, b"other")
    assert path.read_bytes() == b"other"
