"""Form parameters as nested values."""

from hypothesis import given
from hypothesis import strategies as st

from longshore.awsapi.form import form_tree

NAMES = st.text("Aa1.", max_size=8)


def test_names_are_split_at_their_dots():
    tree = form_tree({"Filter.1.Name": "tag", "Filter.1.Value.1": "x", "Filter": "whole"})
    assert tree == {
        "Filter": {"": "whole", "1": {"Name": {"": "tag"}, "Value": {"1": {"": "x"}}}},
    }


def test_names_with_nothing_between_dots_are_left_out():
    assert form_tree({"": "a", ".": "b", "A..B": "c", "A": "d"}) == {"A": {"": "d"}}


@given(st.dictionaries(NAMES, st.text(max_size=3)))
def test_every_other_parameter_is_found_at_its_name(fields):
    tree = form_tree(fields)
    for name, value in fields.items():
        parts = name.split(".")
        if "" not in parts:
            node = tree
            for part in parts:
                node = node[part]
            assert node[""] == value
