import errno

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.components import COMPONENTS, State
from longshore.components.doctor import Finding, Level, judgement, render
from longshore.components.doctor import facts as looking
from longshore.components.doctor.facts import (
    CAP_SYS_RESOURCE,
    Machine,
    can_hand_down,
    capabilities,
    cgroups,
)
from longshore.components.doctor.kernel import FEATURES, Attempt

HYBRID = """\
tmpfs /sys/fs/cgroup tmpfs rw 0 0
cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0
cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,cpu,cpuacct 0 0
cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0
cgroup /sys/fs/cgroup/pids cgroup rw,pids 0 0
"""


def levels(findings):
    return {finding.name: finding.level for finding in findings}


def examine(**facts):
    machine = Machine(**facts)
    rules = (
        judgement.rights,
        judgement.processor,
        judgement.cgroups,
        judgement.ports,
        judgement.space,
        judgement.clock,
    )
    return [finding for rule in rules for finding in rule(machine)]


def test_good_machine_has_nothing_to_mend():
    assert {finding.level for finding in examine()} == {Level.OK}


@pytest.mark.parametrize(
    ("facts", "name", "level"),
    [
        ({"root": False}, "root", Level.FAIL),
        ({"capabilities": frozenset()}, "root", Level.FAIL),
        ({"architecture": "riscv64"}, "machine", Level.FAIL),
        ({"cgroup_version": 0, "controllers": frozenset()}, "cgroups", Level.FAIL),
        ({"controllers": frozenset({"cpu", "pids"})}, "cgroups", Level.FAIL),
        ({"cgroup_writable": False}, "cgroups", Level.FAIL),
        ({"cgroup_busy": True}, "cgroups", Level.FAIL),
        ({"ports_taken": (4567,)}, "ports", Level.FAIL),
        ({"ports_taken": (4567,), "running_here": True}, "ports", Level.OK),
        ({"disk_free": 5 << 30}, "disk", Level.WARN),
        ({"disk_free": 1 << 30}, "disk", Level.FAIL),
        ({"memory": 1 << 30}, "memory", Level.WARN),
        ({"clock_synchronised": False}, "clock", Level.WARN),
        ({"clock_synchronised": None}, "clock", Level.OK),
        ({"now": 1.0, "newest_file": 2.0}, "clock", Level.FAIL),
    ],
)
def test_each_lack_is_told_at_its_level(facts, name, level):
    assert levels(examine(**facts))[name] is level


def test_root_without_cap_sys_resource_may_go_on():
    findings = examine(capabilities=Machine().capabilities - {CAP_SYS_RESOURCE})
    assert levels(findings)["oom score"] is Level.INFO
    assert Level.FAIL not in levels(findings).values()


def test_missing_feature_says_what_it_is_for_and_what_mends_it():
    feature = FEATURES[1]
    [finding] = judgement.features([Attempt(feature, "unknown filesystem type")])
    assert finding.level is Level.FAIL
    assert feature.use in finding.meaning
    assert "unknown filesystem type" in finding.meaning
    assert finding.mend == feature.mend


def test_features_are_not_judged_where_they_could_not_be_tried():
    assert [finding.level for finding in judgement.features(None)] == [Level.WARN]


def test_missing_component_is_mended_by_installing_it():
    states = [State(pin) for pin in COMPONENTS.values()]
    findings = {finding.name: finding for finding in judgement.components(states)}
    assert findings["runsc"].mend == "longshore components install runsc"
    assert "go" not in findings  # only wanted where something is built


def test_controllers_of_the_hybrid_layout_are_version_one():
    assert cgroups(HYBRID) == (1, frozenset({"cpu", "memory", "pids"}))


def test_machine_without_cgroups_has_none():
    assert cgroups("proc /proc proc rw 0 0\n") == (0, frozenset())


def test_controllers_tried_are_off_again_and_those_that_were_on_stay(tmp_path, monkeypatch):
    (tmp_path / "cgroup.subtree_control").write_text("cpuset cpu")
    written = []
    monkeypatch.setattr(looking, "_switch", lambda _, sign, names: written.append((sign, names)))
    assert can_hand_down(tmp_path)
    assert written == [("+", ["memory", "pids"]), ("-", ["memory", "pids"])]


def test_top_cgroup_with_processes_is_found_by_the_kernels_refusal(tmp_path, monkeypatch):
    (tmp_path / "cgroup.subtree_control").write_text("")

    def refuse(*_):
        raise OSError(errno.EBUSY, "Device or resource busy")

    monkeypatch.setattr(looking, "_switch", refuse)
    assert not can_hand_down(tmp_path)


def test_capabilities_are_the_effective_ones():
    status = "Name:\tx\nCapPrm:\t0000000000000000\nCapEff:\t0000000001000001\n"
    assert capabilities(status) == {0, 24}


@given(st.lists(st.builds(Finding, st.text(), st.sampled_from(Level), st.text(), st.text())))
def test_rendering_counts_what_is_to_mend(findings):
    failures = sum(finding.level is Level.FAIL for finding in findings)
    assert render(findings).splitlines()[-1].startswith(f"{failures} to mend")
