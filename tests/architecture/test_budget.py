"""How long functions and files may be, and what every room says of itself."""

import ast
import statistics
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "longshore"
GENERATED = ("generated",)


def _files():
    return [
        path for path in SOURCE.rglob("*.py") if not any(part in GENERATED for part in path.parts)
    ]


def _functions():
    for path in _files():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{path.relative_to(SOURCE)}:{node.name}", node


def _lines(node):
    return node.end_lineno - node.lineno + 1


def _percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def test_functions_are_short():
    lengths = {name: _lines(node) for name, node in _functions()}
    assert {name: length for name, length in lengths.items() if length > 80} == {}
    assert statistics.median(lengths.values()) <= 10
    assert _percentile(lengths.values(), 0.95) <= 50


def test_files_are_short():
    lengths = {
        str(path.relative_to(SOURCE)): len(path.read_text().splitlines()) for path in _files()
    }
    assert {name: length for name, length in lengths.items() if length > 800} == {}
    assert statistics.median(lengths.values()) <= 150
    assert _percentile(lengths.values(), 0.95) <= 600


def test_every_room_says_what_it_is_for():
    silent = []
    for path in SOURCE.glob("*/__init__.py"):
        told = ast.get_docstring(ast.parse(path.read_text())) or ""
        if len(told.splitlines()) < 2 and path.parent.name != "testing":
            silent.append(path.parent.name)
    assert silent == []


@pytest.mark.parametrize("word", ["utils", "helpers", "common", "manager", "misc"])
def test_no_module_is_named_for_nothing_in_particular(word):
    assert [path for path in SOURCE.rglob("*") if path.stem == word] == []


def test_no_test_sleeps():
    tests = Path(__file__).parents[1]
    sleeping = []
    for path in tests.rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            module = getattr(node.func.value, "id", "")
            waits = getattr(node.args[0], "value", None) != 0 if node.args else True
            if node.func.attr == "sleep" and module in {"time", "asyncio"} and waits:
                sleeping.append(f"{path.relative_to(tests)}:{node.lineno}")
    assert sleeping == []
