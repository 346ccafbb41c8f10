import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.registry.ranges import Unsatisfiable, download_range, upload_start


@given(size=st.integers(0, 1000), start=st.integers(0, 1200), end=st.integers(0, 1200))
def test_a_range_is_inside_the_content_or_refused(size: int, start: int, end: int) -> None:
    try:
        found = download_range(f"bytes={start}-{end}", size)
    except Unsatisfiable:
        assert start >= size
        return
    if found is None:
        assert end < start
        return
    assert found[0] == start
    assert start < found[1] == min(end + 1, size)


@given(size=st.integers(0, 1000), length=st.integers(0, 2000))
def test_a_suffix_is_the_end_of_the_content(size: int, length: int) -> None:
    try:
        found = download_range(f"bytes=-{length}", size)
    except Unsatisfiable:
        assert size == 0 or length == 0
        return
    assert found == (max(0, size - length), size)


@given(header=st.text())
def test_any_text_is_a_range_or_counts_as_none(header: str) -> None:
    try:
        found = download_range(header, 100)
    except Unsatisfiable:
        return
    assert found is None or 0 <= found[0] < found[1] <= 100


@pytest.mark.parametrize(
    "header", [None, "", "bytes=", "bytes=-", "bytes=0-1,3-4", "items=0-1", "bytes=5-4", "0-5"]
)
def test_what_is_not_one_range_gives_the_whole(header: str | None) -> None:
    assert download_range(header, 100) is None


@given(header=st.text(), length=st.none() | st.integers(0, 100))
def test_any_content_range_is_understood_or_refused(header: str, length: int | None) -> None:
    try:
        start = upload_start(header, length)
    except ValueError:
        return
    assert start is not None
    assert start >= 0


@given(start=st.integers(0, 10**15), length=st.integers(1, 10**9))
def test_a_content_range_tells_where_a_chunk_begins(start: int, length: int) -> None:
    header = f"{start}-{start + length - 1}"
    assert upload_start(header, length) == start
    assert upload_start(f"bytes {header}/*", None) == start
    with pytest.raises(ValueError, match="does not fit"):
        upload_start(header, length + 1)
