"""Which source is used, on machines that have this or that on the PATH."""

from pathlib import Path

import msgspec
import pytest

from longshore.components import (
    Component,
    ComponentMissing,
    ComponentsDirectory,
    InstallFailed,
    install,
    locate,
)
from longshore.components.component import Distribution, OnPath, Probe
from longshore.components.sources import distribution
from longshore.components.versions import Range

CRANE = Component(
    name="crane",
    purpose="lifts",
    programs=("crane",),
    probe=Probe("crane", ("--version",), r"crane v(\S+)"),
    accepted=Range("1.1", "2"),
    sources=(OnPath(),),
)


@pytest.fixture
def directory(tmp_path) -> ComponentsDirectory:
    return ComponentsDirectory(tmp_path / "components")


def put(folder: Path, program: str, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / program
    path.write_text(f"#!/bin/sh\necho '{text}'\n")
    path.chmod(0o755)
    return path


def ignore(line: str) -> None:
    """Progress that nobody looks at."""


def test_program_on_the_path_at_a_good_version_is_linked(tmp_path, directory, monkeypatch):
    path = put(tmp_path / "bin", "crane", "crane v1.2.0")
    monkeypatch.setenv("PATH", f"{path.parent}:/usr/bin:/bin")
    state = install(CRANE, ignore, directory)
    assert (state.version, state.source) == ("1.2.0", "system")
    assert (directory.bin / "crane").readlink() == path


@pytest.mark.parametrize("told", ["crane v1.0.9", "crane v2.0", "a crane"])
def test_program_at_another_version_is_not_taken(told, tmp_path, directory, monkeypatch):
    monkeypatch.setenv("PATH", f"{put(tmp_path / 'bin', 'crane', told).parent}:/usr/bin:/bin")
    with pytest.raises(InstallFailed, match=r"1\.1 or later, before 2 is needed"):
        install(CRANE, ignore, directory)


def test_link_is_renewed_when_the_program_has_moved(tmp_path, directory, monkeypatch):
    monkeypatch.setenv("PATH", f"{tmp_path / 'old'}:{tmp_path / 'new'}:/usr/bin:/bin")
    old = put(tmp_path / "old", "crane", "crane v1.2.0")
    install(CRANE, ignore, directory)
    old.unlink()
    put(tmp_path / "new", "crane", "crane v1.3.0")
    assert install(CRANE, ignore, directory).version == "1.3.0"


def test_directory_on_the_path_does_not_take_its_own_links_for_the_system(
    tmp_path, directory, monkeypatch
):
    monkeypatch.setenv("PATH", f"{directory.bin}:/usr/bin:/bin")
    directory.link({"crane": put(tmp_path / "elsewhere", "crane", "crane v0.1")})
    with pytest.raises(InstallFailed, match="the PATH has no crane"):
        install(CRANE, ignore, directory)


def test_missing_program_is_told_with_the_command_that_mends_it(directory):
    with pytest.raises(ComponentMissing, match="longshore components install runsc-shim"):
        locate("containerd-shim-runsc-v1", directory)


def test_what_the_system_has_is_located_without_an_install(directory):
    assert locate("ip", directory).name == "ip"


APT = """#!/bin/sh
echo "$0 $*" >>{log}
case "$1" in
install) {policy} && echo allowed >>{log} || echo "policy: $?" >>{log}; cp {program} {bin}/crane ;;
policy) echo "  Candidate: 1.2.3-1" ;;
esac
"""


@pytest.mark.parametrize(
    ("theirs", "code", "left"),
    [
        (None, 101, None),
        ("#!/bin/sh\nexit 104\n", 104, "#!/bin/sh\nexit 104\n"),
        # Of an installation that was killed.
        (distribution.HELD, 101, None),
    ],
)
def test_services_of_packages_are_neither_started_now_nor_with_the_machine(
    theirs, code, left, tmp_path, directory, monkeypatch
):
    policy, log, programs = tmp_path / "policy-rc.d", tmp_path / "log", tmp_path / "bin"
    if theirs:
        policy.write_text(theirs)
        policy.chmod(0o755)
    said = {"log": log, "policy": policy, "bin": programs}
    program = put(tmp_path / "package", "crane", "crane v1.2.3")
    for name in ("apt-get", "apt-cache", "systemctl"):
        place = put(programs, name, "")
        place.write_text(APT.format(program=program, **said))
    monkeypatch.setattr(distribution, "POLICY", policy)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    source = Distribution(("crane-tools",), services=("crane.service",))
    state = install(msgspec.structs.replace(CRANE, sources=(source,)), ignore, directory)
    assert (state.version, state.source) == ("1.2.3", "system")
    lines = [line.rpartition("/")[2] for line in log.read_text().splitlines()]
    assert lines == [
        "apt-cache policy crane-tools",
        "apt-get install --yes --no-install-recommends crane-tools",
        f"policy: {code}",
        "systemctl --quiet disable crane.service",
    ]
    assert (policy.read_text() if policy.exists() else None) == left
