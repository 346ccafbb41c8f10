"""How long a Node whose instance has ended is kept for its volumes."""

import pytest

from longshore.controllers.eks_nodes.leaving import (
    LONGEST_SECONDS,
    has_volumes,
    is_out_of_service,
    is_overdue,
    taint,
)

NOW = 1_796_061_996.0


def node(*taints):
    return {"metadata": {"name": "a"}, "spec": {"taints": list(taints)} if taints else {}}


def test_a_node_is_out_of_service_once_it_says_so():
    other = {"key": "node.kubernetes.io/unreachable", "effect": "NoExecute"}
    assert not is_out_of_service(node())
    assert not is_out_of_service(node(other))
    assert is_out_of_service(node(other, taint(NOW)))


def test_volumes_are_waited_for_no_longer_than_kubernetes_itself_would():
    marked = node(taint(NOW))
    assert not is_overdue(node(), NOW)
    assert not is_overdue(marked, NOW + LONGEST_SECONDS)
    assert is_overdue(marked, NOW + LONGEST_SECONDS + 1)


@pytest.mark.parametrize("added", [None, "", "yesterday"])
def test_a_taint_of_nobody_knows_when_holds_nothing_up(added):
    assert is_overdue(node({**taint(NOW), "timeAdded": added}), NOW)


def test_volumes_of_other_nodes_do_not_count():
    attachments = [{"spec": {"nodeName": "b"}}]
    assert not has_volumes("a", attachments)
    assert has_volumes("b", attachments)
