"""Which pods SecurityGroupPolicies mean, and what becomes of such a pod."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.kubernetes.pod_groups import RESOURCE, asking, groups_of, selects, wants

LABELS = st.dictionaries(st.sampled_from("abc"), st.sampled_from("xyz"))


def policy(*groups, **selectors):
    return {"spec": {"securityGroups": {"groupIds": list(groups)}, **selectors}}


def pod(labels=None, **spec):
    return {"metadata": {"labels": labels or {}}, "spec": {"containers": [{"name": "c"}], **spec}}


def matching(**labels):
    return {"matchLabels": labels}


@pytest.mark.parametrize(
    ("selectors", "meant"),
    [
        ({"podSelector": matching(app="web")}, True),
        ({"podSelector": matching(app="db")}, False),
        ({"podSelector": {}}, True),
        ({"serviceAccountSelector": matching(team="one")}, True),
        ({"serviceAccountSelector": matching(team="two")}, False),
        ({"serviceAccountSelector": {}}, True),
        ({"podSelector": {}, "serviceAccountSelector": matching(team="two")}, False),
        ({}, False),
    ],
)
def test_policy_means_the_pods_that_all_its_selectors_select(selectors, meant):
    found = groups_of(pod({"app": "web"}), {"team": "one"}, [policy("sg-1", **selectors)])
    assert found == (("sg-1",) if meant else ())


def test_pod_of_several_policies_has_the_groups_of_all_of_them_once():
    policies = [policy("sg-1", "sg-2", podSelector={}), policy("sg-2", "sg-3", podSelector={})]
    assert groups_of(pod(), {}, policies) == ("sg-1", "sg-2", "sg-3")


def test_pod_of_the_nodes_network_has_no_groups_of_its_own():
    assert groups_of(pod(hostNetwork=True), {}, [policy("sg-1", podSelector={})]) == ()


@pytest.mark.parametrize(
    ("operator", "values", "selected"),
    [
        ("In", ["x", "y"], [True, False]),
        ("NotIn", ["x"], [False, True]),
        ("Exists", [], [True, False]),
        ("DoesNotExist", [], [False, True]),
        ("Gt", ["1"], [False, False]),
        ("NotIn", [], [False, False]),
    ],
)
def test_expressions_select_as_label_selectors_do(operator, values, selected):
    selector = {"matchExpressions": [{"key": "a", "operator": operator, "values": values}]}
    assert [selects(selector, {"a": "x"}), selects(selector, {})] == selected


@given(LABELS, LABELS)
def test_exact_labels_select_what_has_all_of_them(wanted, labels):
    assert selects(matching(**wanted), labels) == (wanted.items() <= labels.items())


def test_pod_asks_for_one_interface_beside_what_it_asks_for_anyway():
    before = pod()
    before["spec"]["containers"] = [
        {"name": "c", "resources": {"limits": {"cpu": "1"}}},
        {"name": "d"},
    ]
    after = asking(before)
    first, second = after["spec"]["containers"]
    assert first["resources"] == {
        "limits": {"cpu": "1", RESOURCE: "1"},
        "requests": {RESOURCE: "1"},
    }
    assert second == {"name": "d"}
    assert after["metadata"]["annotations"] == {RESOURCE: "[]"}
    assert wants(after)
    assert not wants(before)
    assert asking(after) == after


def test_annotation_that_somebody_has_forged_says_nothing():
    forged = pod()
    forged["metadata"]["annotations"] = {RESOURCE: '[{"eniId":"eni-1"}]', "other": "kept"}
    assert asking(forged)["metadata"]["annotations"] == {RESOURCE: "[]", "other": "kept"}
