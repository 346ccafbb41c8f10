"""Fields of objects by the paths in which API servers name them."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.controllers.eks_addons.fields import without

FOUND = {
    "metadata": {"labels": {"k8s-app": "kube-dns", "eks.amazonaws.com/component": "coredns"}},
    "data": {"Corefile": ".:53", "Corefile.old": ""},
    "spec": {
        "replicas": 2,
        "finalizers": ["a", "b"],
        "containers": [
            {"name": "coredns", "image": "x:1", "resources": {"limits": {"memory": "170Mi"}}},
            {"name": "side]car", "image": "y:1"},
        ],
        "ports": [{"port": 53, "protocol": "UDP"}, {"port": 53}, {"port": 9153, "name": "m"}],
        "args": ["-conf", "/etc"],
    },
}


def changed(path):
    return without(FOUND, [path])


@pytest.mark.parametrize(
    ("path", "left"),
    [
        (".spec.replicas", lambda d: d["spec"].pop("replicas")),
        (".data.Corefile", lambda d: d["data"].pop("Corefile")),
        (".data.Corefile.old", lambda d: d["data"].pop("Corefile.old")),
        (
            ".metadata.labels.eks.amazonaws.com/component",
            lambda d: d["metadata"]["labels"].pop("eks.amazonaws.com/component"),
        ),
        (
            '.spec.containers[name="coredns"].image',
            lambda d: d["spec"]["containers"][0].pop("image"),
        ),
        (
            '.spec.containers[name="coredns"].resources.limits.memory',
            lambda d: d["spec"]["containers"][0]["resources"]["limits"].pop("memory"),
        ),
        ('.spec.containers[name="side]car"]', lambda d: d["spec"]["containers"].pop(1)),
        ('.spec.ports[port=53,protocol="TCP"]', lambda d: d["spec"]["ports"].pop(1)),
        ('.spec.ports[port=53,protocol="UDP"]', lambda d: d["spec"]["ports"].pop(0)),
        ('.spec.finalizers[="b"]', lambda d: d["spec"]["finalizers"].pop(1)),
        (".spec.args[1]", lambda d: d["spec"]["args"].pop(1)),
        (".spec", lambda d: d.pop("spec")),
    ],
)
def test_the_field_that_a_path_names_is_left_out_and_nothing_else(path, left):
    wanted = msgspec.json.decode(msgspec.json.encode(FOUND))
    left(wanted)
    assert changed(path) == wanted


@pytest.mark.parametrize(
    "path",
    [
        "",
        ".",
        ".spec.nothing",
        ".spec.replicas.more",
        '.spec.containers[name="other"].image',
        ".spec.containers[7]",
        ".spec.containers[",
        ".data.Core",
        "spec",
        '.spec.ports[port=54,protocol="TCP"]',
    ],
)
def test_a_path_to_what_is_not_there_changes_nothing(path):
    assert changed(path) == FOUND


def test_a_parent_and_its_child_may_both_be_named():
    paths = [
        '.spec.containers[name="coredns"].resources',
        '.spec.containers[name="coredns"].resources.limits.memory',
    ]
    for order in (paths, paths[::-1]):
        assert "resources" not in without(FOUND, order)["spec"]["containers"][0]


NAMES = st.text("ab.-/", min_size=1, max_size=4)
DOCUMENTS = st.recursive(
    st.integers(0, 9),
    lambda inner: st.dictionaries(NAMES, inner, min_size=1, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(NAMES, DOCUMENTS, min_size=1, max_size=3), st.data())
def test_any_field_can_be_left_out_by_its_path(document, data):
    path, at = "", document
    while isinstance(at, dict):
        key = data.draw(st.sampled_from(sorted(at)))
        path, at = f"{path}.{key}", at[key]
        if data.draw(st.booleans()):
            break
    before = msgspec.json.encode(document)
    left = without(document, [path])
    assert msgspec.json.encode(document) == before
    assert count(left) == count(document) - 1 - count(at) or "." in path.replace(".", "", 1)
    assert count(left) < count(document)


def count(value):
    """Members, of members too."""
    if not isinstance(value, dict):
        return 0
    return len(value) + sum(count(each) for each in value.values())
