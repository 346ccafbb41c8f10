"""What is written to and read from version 2 of the kernel's interface, in a tree like its own."""

import errno
import os
from pathlib import Path

import pytest

from longshore.runtime.containerd import cgroups
from longshore.runtime.containerd.cgroups import Cgroups
from longshore.runtime.interface import Limits, RuntimeFailure

MIB = 2**20
SANDBOX = "/longshore-abc123/task"
CONTROL = "cgroup.subtree_control"
FILES = {
    "cgroup.controllers": "cpuset cpu io memory pids\n",
    CONTROL: "",
    "cgroup.procs": "",
    "cpu.max": "max 100000\n",
    "cpu.stat": "usage_usec 0\n",
    "cpu.weight": "100\n",
    "memory.current": "0\n",
    "memory.events": "low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\n",
    "memory.max": "max\n",
    "memory.stat": "inactive_file 0\n",
    "memory.swap.max": "max\n",
    "pids.current": "0\n",
    "pids.max": "max\n",
}


class Tree:
    """The files of a top cgroup, of Longshore's and of one sandbox; every write is noted."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sandbox = root / SANDBOX.strip("/")
        self.sandbox.mkdir(parents=True)
        self.root, self.writes = root, []
        for directory in (root, self.sandbox.parent, self.sandbox):
            for name, content in FILES.items():
                (directory / name).write_text(content)
        self.cgroups = Cgroups("abc123", root)
        self._require = cgroups._require
        monkeypatch.setattr(cgroups, "_require", self._write)

    def _write(self, path, value):
        """As the kernel: a cgroup that has processes gives those below it no controllers."""
        if path.name == CONTROL:
            available = (path.parent / "cgroup.controllers").read_text().split()
            if not {name.removeprefix("+") for name in value.split()} <= {*available}:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
            if (path.parent / "cgroup.procs").read_text():
                raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        self._require(path, value)
        self.writes.append((path.parent, path.name, value))

    def put(self, name, content):
        (self.sandbox / name).write_text(content)

    def read(self, name):
        return (self.sandbox / name).read_text()

    def handed_down(self):
        return [(where, value) for where, name, value in self.writes if name == CONTROL]


@pytest.fixture
def tree(tmp_path, monkeypatch):
    return Tree(tmp_path, monkeypatch)


def test_limits_are_written_in_the_words_of_version_2(tree):
    limits = Limits(memory=64 * MIB, cpu_shares=1024, cpu_quota=0.25, pids=100)
    tree.cgroups.make(SANDBOX, limits)
    assert tree.cgroups.version == 2
    assert tree.read("memory.max") == str(64 * MIB)
    assert tree.read("memory.swap.max") == "0"
    assert tree.read("cpu.max") == "25000 100000"
    assert tree.read("cpu.weight") == "39"
    assert tree.read("pids.max") == "100"


def test_cpu_of_a_sandbox_is_counted_in_short_periods_once_its_containers_run(tree):
    tree.sandbox.mkdir(parents=True, exist_ok=True)
    (tree.sandbox / "cpu.max").write_text("250000 1000000")
    tree.cgroups.limit_cpu(SANDBOX, 0.25)
    assert tree.read("cpu.max") == "25000 100000"


def test_controllers_are_handed_down_from_the_top_before_limits_are_written(tree):
    tree.cgroups.make(SANDBOX, Limits(memory=MIB))
    levels = [tree.root, tree.sandbox.parent, tree.sandbox]
    wanted = ("+cpu +memory +pids", "+io")
    assert tree.handed_down() == [(level, value) for level in levels for value in wanted]
    assert tree.writes[-1][1] == "memory.swap.max"


def test_machine_without_counters_of_block_devices_has_limits_nevertheless(tree):
    for directory in (tree.root, tree.sandbox.parent, tree.sandbox):
        (directory / "cgroup.controllers").write_text("cpu memory pids\n")
    tree.cgroups.make(SANDBOX, Limits(memory=MIB))
    assert tree.read("memory.max") == str(MIB)


def test_kernel_without_accounting_of_swap_limits_memory_nevertheless(tree):
    (tree.sandbox / "memory.swap.max").unlink()
    tree.cgroups.make(SANDBOX, Limits(memory=MIB, pids=5))
    assert tree.read("memory.max") == str(MIB)
    assert tree.read("pids.max") == "5"
    assert not (tree.sandbox / "memory.swap.max").exists()


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        ("cgroup.procs", "1\n23\n", "Device or resource busy"),
        ("cgroup.controllers", "cpu pids\n", "No such file or directory"),
    ],
)
def test_top_cgroup_that_hands_nothing_down_fails_the_task_and_says_what_to_do(
    tree, file, content, reason
):
    (tree.root / file).write_text(content)
    with pytest.raises(RuntimeFailure) as failure:
        tree.cgroups.make(SANDBOX, Limits(memory=MIB))
    assert failure.value.code == "ResourceInitializationError"
    assert str(tree.root) in failure.value.message
    assert reason in failure.value.message
    assert "longshore doctor" in failure.value.message
    assert tree.writes == []


def test_statistics_are_nanoseconds_and_bytes_without_the_cache_that_can_be_dropped(tree):
    tree.put("cpu.stat", "usage_usec 1500\nuser_usec 1000\nsystem_usec 500\n")
    tree.put("memory.current", f"{10 * MIB}\n")
    tree.put("memory.stat", f"anon 1\ninactive_file {4 * MIB}\nactive_file 7\n")
    tree.put("memory.max", f"{64 * MIB}\n")
    tree.put("pids.current", "3\n")
    tree.put("io.stat", "8:0 rbytes=100 wbytes=20 rios=3 dbytes=9\n253:1 \n8:16 rbytes=1\n")
    found = tree.cgroups.statistics(SANDBOX)
    assert found is not None
    assert (found.cpu_nanoseconds, found.memory_bytes) == (1_500_000, 6 * MIB)
    assert (found.memory_limit_bytes, found.pids) == (64 * MIB, 3)
    assert (found.read_bytes, found.written_bytes) == (101, 20)


def test_statistics_without_limit_and_without_block_devices_are_zeros_there(tree):
    found = tree.cgroups.statistics(SANDBOX)
    assert found is not None
    assert (found.memory_limit_bytes, found.read_bytes, found.written_bytes) == (0, 0, 0)


def test_statistics_of_a_cgroup_that_is_gone_are_none(tree):
    assert tree.cgroups.statistics("/longshore-abc123/gone") is None
    assert tree.cgroups.memory("/longshore-abc123/gone") == (0, 0)


def test_only_a_kill_counts_as_out_of_memory(tree):
    tree.put("memory.events", "low 0\nhigh 0\nmax 12\noom 1\noom_kill 0\n")
    assert not tree.cgroups.out_of_memory(SANDBOX)
    tree.put("memory.events", "low 0\nhigh 0\nmax 12\noom 1\noom_kill 1\noom_group_kill 0\n")
    assert tree.cgroups.out_of_memory(SANDBOX)
    assert not tree.cgroups.out_of_memory("/longshore-abc123/gone")


def test_limit_of_the_processor_is_lifted_for_what_is_to_die(tree):
    tree.put("cpu.max", "25000 100000\n")
    tree.cgroups.lift_cpu_limit(SANDBOX)
    assert tree.read("cpu.max") == "max"
    tree.cgroups.lift_cpu_limit("/longshore-abc123/gone")
