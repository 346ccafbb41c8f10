"""Filters and pages of Describe operations."""

import fnmatch

from hypothesis import given
from hypothesis import strategies as st

from longshore.services.ec2.describing import Item, Listing, describe, texts, wildcard

LISTING = Listing(
    member="Things", ids="ThingIds", id="Id", absent=("No", "{}"), filters={"colour": "Colours[]"}
)


@given(st.text("ab*?", max_size=6), st.text("ab", max_size=6))
def test_wildcards_match_as_a_shells_do(pattern: str, value: str) -> None:
    assert bool(wildcard(pattern).fullmatch(value)) == fnmatch.fnmatchcase(value, pattern)


@given(st.text(max_size=8))
def test_escaped_text_matches_itself_alone(text: str) -> None:
    escaped = "".join("\\" + letter for letter in text)
    assert wildcard(escaped).fullmatch(text)


@given(st.sets(st.text("abc", min_size=1, max_size=4), max_size=30), st.integers(5, 10))
def test_pages_together_are_the_whole(ids: set[str], size: int) -> None:
    items = [{"Id": name} for name in ids]
    seen: list[str] = []
    request: dict[str, object] = {"MaxResults": size}
    while True:
        answer = describe(LISTING, items, request)
        assert len(answer["Things"]) <= size
        seen += [item["Id"] for item in answer["Things"]]
        if "NextToken" not in answer:
            break
        request["NextToken"] = answer["NextToken"]
    assert seen == sorted(ids)


def test_filters_join_by_and_their_values_by_or() -> None:
    items: list[Item] = [
        {"Id": "1", "Colours": ["red", "blue"], "Tags": [{"Key": "a", "Value": "x"}]},
        {"Id": "2", "Colours": ["green"], "Tags": [{"Key": "a", "Value": "y"}]},
        {"Id": "3", "Colours": ["red"], "Tags": []},
    ]
    colours = {"Name": "colour", "Values": ["re*", "green"]}
    tagged = {"Name": "tag-key", "Values": ["a"]}
    answer = describe(LISTING, items, {"Filters": [colours, tagged]})
    assert [item["Id"] for item in answer["Things"]] == ["1", "2"]


def test_path_goes_into_lists_and_spells_booleans_as_filters_do() -> None:
    item = {"A": [{"B": True}, {"B": 7}, {"C": 1}]}
    assert texts(item, "A[].B") == ["true", "7"]
