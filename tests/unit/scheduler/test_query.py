"""The cluster query language."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.scheduler.columns import Columns, Row
from longshore.scheduler.query import QueryError, parse_query

COLUMNS = Columns(
    [
        Row(
            arn="1",
            cpu=1,
            memory=1,
            groups={"service:web": 2},
            attributes={"ecs.instance-type": "t3.micro", "stack": "prod", "rank": "9"},
        ),
        Row(
            arn="2",
            cpu=1,
            memory=1,
            connected=False,
            attributes={"ecs.instance-type": "c5.large", "rank": "10", "gpu": None},
        ),
    ]
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("attribute:stack == prod", [True, False]),
        ("attribute:stack equals 'prod'", [True, False]),
        ("attribute:stack != prod", [False, True]),
        ("attribute:ecs.instance-type =~ t3.*", [True, False]),
        ('attribute:ecs.instance-type matches "c5[.]large"', [False, True]),
        ("attribute:ecs.instance-type !~ t3.*", [False, True]),
        ("attribute:stack in [prod, test]", [True, False]),
        ("attribute:stack !in [prod]", [False, True]),
        ("attribute:stack not_in ['prod']", [False, True]),
        ("attribute:gpu exists", [False, True]),
        ("attribute:stack !exists", [False, True]),
        ("attribute:rank > 9", [False, True]),
        ("attribute:rank less_than_equal 9", [True, False]),
        ("not attribute:stack == prod", [False, True]),
        ("!(attribute:stack == prod)", [False, True]),
        ("attribute:stack == prod and attribute:rank == 10", [False, False]),
        ("attribute:stack == prod || attribute:rank == 10", [True, True]),
        ("attribute:rank == 9 && (attribute:stack == x or attribute:stack == prod)", [True, False]),
        ("task:group == service:web", [True, False]),
        ("agentConnected == false", [False, True]),
    ],
)
def test_expression_selects(text: str, expected: list[bool]) -> None:
    assert parse_query(text)(COLUMNS).tolist() == expected


@pytest.mark.parametrize(
    "text",
    ["", "a", "a ==", "== a", "a == b c", "(a == b", "a in b", "a in [b", "a =~ '('", "a & b", "!"],
)
def test_what_is_no_expression_is_refused(text: str) -> None:
    with pytest.raises(QueryError):
        parse_query(text)


words = st.sampled_from(
    (
        *("and", "or", "not", "!", "(", ")", "[", "]", ",", "==", "!=", "=~", "!~", ">", "in"),
        *("exists", "!in", "a", "attribute:x", "'q'", '"r"', "&&", "||"),
    )
)


@given(st.one_of(st.text(max_size=40), st.lists(words, max_size=14).map(" ".join)))
def test_any_text_is_an_expression_or_refused(text: str) -> None:
    try:
        query = parse_query(text)
    except QueryError:
        return
    assert len(query(COLUMNS)) == 2


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(QueryError):
        parse_query("(" * 5000 + "a == b" + ")" * 5000)
    with pytest.raises(QueryError):
        parse_query("not " * 5000 + "a == b")
