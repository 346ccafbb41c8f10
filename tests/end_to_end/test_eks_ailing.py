"""Nodes of which nothing is heard any more. `test_eks_repair` sees to what becomes of them, which
takes minutes: other tests run meanwhile."""

from end_to_end.farm import GROUP


def test_nodes_that_fall_silent_leave_the_others_alone(farm, patients):
    assert len(farm.nodes(f"eks.amazonaws.com/nodegroup={GROUP}")) == 2
    assert set(patients.ill.values()) == patients.names()
