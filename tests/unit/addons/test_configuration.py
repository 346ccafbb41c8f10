"""How add-ons can be configured, and what is told of what they cannot."""

import contextlib
import json
import time

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from longshore.addons import ADDONS
from longshore.addons.configuration import LONGEST, Unsupported, checked, parsed

COREDNS = ADDONS["coredns"].schema
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=10,
)


def refusal(text, schema=COREDNS):
    with pytest.raises(Unsupported) as caught:
        checked(text, schema)
    return str(caught.value)


def test_a_configuration_is_json_or_yaml():
    wanted = {"replicaCount": 3, "resources": {"limits": {"memory": "200Mi"}}}
    assert checked(json.dumps(wanted), COREDNS) == wanted
    assert checked(yaml.safe_dump(wanted), COREDNS) == wanted
    assert checked("", COREDNS) == {}
    assert checked("{}", COREDNS) == {}


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ('{"replicas": 3}', "$.replicas: is not defined in the schema and the schema does not"),
        ('{"replicaCount": "3"}', "$.replicaCount: string found, integer expected"),
        ('{"replicaCount": true}', "$.replicaCount: boolean found, integer expected"),
        ('{"replicaCount": -1}', "$.replicaCount: must have a minimum value of 0"),
        ('{"replicaCount": 1001}', "$.replicaCount: must have a maximum value of 1000"),
        ('{"resources": {"limits": {"cpu": 1}}}', "$.resources.limits.cpu: integer found, string"),
        ('{"tolerations": [1]}', "$.tolerations[0]: integer found, object expected"),
        ("null", "$: null found, object expected"),
        ("replicas", "$: string found, object expected"),
        ("- 1", "$: array found, object expected"),
    ],
)
def test_what_the_schema_does_not_describe_is_refused_in_eks_words(text, wrong):
    told = refusal(text)
    assert told.startswith(f"Json schema validation failed with error: [{wrong}")


def test_kube_proxy_has_the_one_mode_that_nodes_have():
    schema = ADDONS["kube-proxy"].schema
    assert checked('{"mode": "iptables"}', schema) == {"mode": "iptables"}
    wrong = "$.mode: does not have a value in the enumeration [iptables]"
    assert wrong in refusal('{"mode": "ipvs"}', schema)


def test_every_objection_is_told():
    told = refusal('{"replicaCount": -1, "corefile": 1}')
    assert "$.replicaCount: must" in told
    assert "$.corefile: integer found, string expected" in told


NONE = {
    "brackets": "[" * 10_000,
    "braces": "{" * 10_000,
    "dashes": "- " * 5_000,
    "questions": "? " * 5_000,
    "colons": "a: " * 5_000,
    "anchors": "&a " * 5_000,
    "tags": "!a " * 5_000,
    "keys in brackets": "[a: " * 4_000,
    "lines": "\n".join(" " * deep + "a:" for deep in range(150)),
    "deep JSON": "[" * 40 + "]" * 40,
    "quotes": '"' * 10_001,
    "long": " " * LONGEST + "{}",
    "aliases": "a: &a [1]\nb: [*a, *a]",
}


@pytest.mark.parametrize("text", NONE.values(), ids=NONE)
def test_a_text_that_is_hard_to_read_is_refused_at_once(text):
    began = time.process_time()
    with pytest.raises(Unsupported):
        parsed(text)
    assert time.process_time() - began < 2


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "a: b: c",
        "\x00",
        "a: 2026-01-01",
        "1: 2",
        "? [a]\n: b",
        "a: !!binary AAAA",
        "a: !!python/object:os.system {}",
    ],
)
def test_what_is_no_configuration_at_all_is_refused_in_peace(text):
    with pytest.raises(Unsupported):
        parsed(text)


@given(VALUES)
def test_json_is_read_as_it_is(value):
    assert parsed(json.dumps(value)) == value


@given(st.text(max_size=50))
def test_any_text_is_read_or_refused(text):
    with contextlib.suppress(Unsupported):
        checked(text, COREDNS)
