"""OCI specs of containers, and who they run as."""

from pathlib import Path

import pytest

from longshore.runtime.containerd.pulling import chain_id, normalised, pull_failure
from longshore.runtime.containerd.spec import (
    ALL_CAPABILITIES,
    INIT,
    NAMESPACE_FLAGS,
    Host,
    capabilities,
    container_spec,
)
from longshore.runtime.containerd.users import ids_of
from longshore.runtime.interface import ContainerSpec, Limits, RuntimeFailure, SandboxSpec

HOST = Host(init=Path("/init"), capabilities=frozenset(ALL_CAPABILITIES) - {"SYS_RESOURCE"})
SANDBOX = SandboxSpec(id="s", isolation="runc", namespace=Path("/run/netns/one"))


def spec(**further):
    return ContainerSpec(
        id="c", sandbox_id="s", image="i", arguments=("/a",), log_directory=Path("/l"), **further
    )


def oci(container, sandbox=SANDBOX):
    return container_spec(container, sandbox, "/c", (0, 0, ()), {}, HOST)


def test_privileged_container_has_every_capability_that_the_host_can_give():
    assert len(capabilities(spec(privileged=True), True, HOST.capabilities)) == 40
    assert "CAP_SYS_RESOURCE" not in capabilities(spec(privileged=True), True, HOST.capabilities)


def test_capabilities_are_added_to_none_where_all_are_dropped():
    wanted = spec(capabilities_drop=("ALL",), capabilities_add=("NET_ADMIN",))
    assert capabilities(wanted, False, HOST.capabilities) == ["CAP_NET_ADMIN"]


def test_each_namespace_is_refused_to_clone_but_not_where_sys_admin_is_added():
    calls = oci(spec())["linux"]["seccomp"]["syscalls"]
    flags = {rule["args"][0]["value"] for rule in calls if rule["names"] == ["clone"]}
    assert flags == set(NAMESPACE_FLAGS)
    trusted = oci(spec(capabilities_add=("SYS_ADMIN",)))["linux"]["seccomp"]["syscalls"]
    assert not [rule for rule in trusted if "clone" in rule["names"]]


def test_init_process_comes_before_the_program():
    made = oci(spec(init=True))
    assert made["process"]["args"] == [INIT, "--", "/a"]
    assert {m["destination"]: m["source"] for m in made["mounts"]}[INIT] == "/init"


def test_gvisor_container_is_never_privileged():
    sandbox = SandboxSpec(id="s", isolation="gvisor", namespace=None)
    made = oci(spec(privileged=True), sandbox)
    assert made["linux"]["maskedPaths"]
    assert "CAP_SYS_ADMIN" not in made["process"]["capabilities"]["bounding"]


def test_limits_of_nothing_are_left_out():
    assert set(oci(spec())["linux"]["resources"]) == {"devices"}
    limited = oci(spec(limits=Limits(memory=1024, cpu_quota=0.5, cpu_shares=1)))
    assert limited["linux"]["resources"]["memory"] == {"limit": 1024}
    assert limited["linux"]["resources"]["cpu"] == {"quota": 50000, "period": 100000, "shares": 2}


def test_passwd_that_is_a_link_out_of_the_image_is_not_read(tmp_path):
    (tmp_path / "image" / "etc").mkdir(parents=True)
    (tmp_path / "passwd").write_text("eve:x:7:7::/:/bin/sh\n")
    (tmp_path / "image" / "etc" / "passwd").symlink_to(tmp_path / "passwd")
    with pytest.raises(RuntimeFailure, match="unable to find user eve"):
        ids_of("eve", tmp_path / "image")


@pytest.mark.parametrize(
    ("given", "whole"),
    [
        ("box", "docker.io/library/box:latest"),
        ("me/box:1", "docker.io/me/box:1"),
        ("localhost:5000/box", "localhost:5000/box:latest"),
        ("host.example/a/b@sha256:0", "host.example/a/b@sha256:0"),
    ],
)
def test_reference_has_dockers_defaults(given, whole):
    assert normalised(given) == whole


def test_missing_image_is_told_in_the_words_of_ecs():
    code, message = pull_failure("host/a:b", "host/a:b: not found")
    assert code == "CannotPullContainerError"
    assert message.endswith("failed to resolve ref host/a:b: host/a:b: not found")


def test_snapshot_of_one_layer_has_the_layers_name():
    assert chain_id(["sha256:1"]) == "sha256:1"
    assert chain_id(["sha256:1", "sha256:2"]) != chain_id(["sha256:2", "sha256:1"])
