"""Users' regular expressions are compiled only where that costs little."""

import re
import subprocess
import sys
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.base.expressions import ExpressionError, compile_expression, written_out

EXPLODING = (
    "(a{1000}){1000}",
    "((((a{100}){100}){100}){100}){100}",
    "(" * 100 + "a" + "{2})" * 100,
    "a{999999999999999999999}",
    "(?x)((a{100}) {100}) {100}",
    "(?ix:((a{100}) {100}) {100})",
    "(?#[)((a{1000}){1000})]",
    "(?V1)[[a]](a{1000}){1000}",
    "((?:[)]{1000})+?){1000}",
)
USUAL = (
    r"^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$",
    r"^arn:aws:iam::\d{12}:role/[\w+=,.@-]{1,64}$",
    r"(\d{1,3}\.){3}\d{1,3}",
    r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}",
    r"[]{}]{2}\{3\}[\]]",
    "a{0,1000000}",
    "",
)


@pytest.mark.parametrize("text", EXPLODING)
def test_expression_that_would_explode_is_refused_at_once(text: str) -> None:
    begun = perf_counter()
    with pytest.raises(ExpressionError):
        compile_expression(text)
    assert perf_counter() - begun < 0.5


@pytest.mark.parametrize("text", USUAL)
def test_usual_expression_is_taken(text: str) -> None:
    assert compile_expression(text).pattern == text


@pytest.mark.parametrize("text", ["(", "[z-a]", "(?<x", "*", r"\L<x>", r"\p{nothing}"])
def test_what_is_no_expression_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError):
        compile_expression(text)


Tree = tuple[str, int]
"""An expression, and its atoms when every repetition is written out."""


def _together(members: list[Tree], between: str) -> Tree:
    text = between.join(text for text, _ in members)
    return f"(?:{text})", sum(atoms for _, atoms in members)


def _repeated(member: Tree, least: int, more: str) -> Tree:
    text, atoms = member
    return f"(?:{text}){{{least}{more}}}", atoms * max(least, 1)


LEAVES = st.sampled_from(["a", r"\)", r"\d", "[(]", "[]}]", "[^])]", ".", r"[\]{9}]"])
TREES = st.recursive(
    LEAVES.map(lambda text: (text, 1)),
    lambda inner: st.one_of(
        st.builds(_together, st.lists(inner, min_size=1, max_size=3), st.sampled_from(["", "|"])),
        st.builds(_repeated, inner, st.integers(0, 9), st.sampled_from(["", ",", ",99"])),
    ),
)


@given(TREES)
def test_what_is_written_out_is_never_told_too_short(tree: Tree) -> None:
    text, atoms = tree
    assert re.compile(text)
    assert written_out(text) >= atoms


def test_largest_expression_that_is_taken_compiles_in_little_memory() -> None:
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (1 << 28, 1 << 28));"
        "from longshore.base.expressions import *;"
        "compile_expression('(?:[ab]|cd){%d}' % (MOST_ATOMS // 5))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
