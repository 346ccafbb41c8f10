import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.components.versions import Range, compare, parse

VERSIONS = st.lists(st.integers(0, 9999), min_size=1, max_size=4).map(tuple)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("1.1.5+ds1-1+deb12u1", (1, 1, 5)),
        ("v2.4.2-rc.1", (2, 4, 2)),
        ("20260905.0", (20260905, 0)),
        ("go1.26.8", (1, 26, 8)),
    ],
)
def test_version_is_read_however_a_program_writes_it(text, version):
    assert parse(text) == version


def test_text_without_a_number_is_no_version():
    with pytest.raises(ValueError, match="unknown"):
        parse("unknown")


@given(VERSIONS, VERSIONS)
def test_of_two_versions_one_is_older_or_both_are_the_same(one, other):
    assert compare(one, other) == -compare(other, one)


@given(VERSIONS)
def test_trailing_zeros_make_no_other_version(version):
    assert compare(version, (*version, 0)) == 0


def test_range_takes_its_first_version_and_not_its_last():
    accepted = Range("2.2", "3")
    assert [accepted.accepts(v) for v in ("1.6.20", "2.2", "2.2.0", "2.99.1", "3.0.0", "3")] == [
        False,
        True,
        True,
        True,
        False,
        False,
    ]
