"""OCI specs of containers, and who they run as."""

import os
from pathlib import Path

import pytest

from longshore.runtime.containerd.pulling import UNREACHABLE, chain_id, normalised, pull_failure
from longshore.runtime.containerd.spec import (
    ALL_CAPABILITIES,
    INIT,
    NAMESPACE_FLAGS,
    Host,
    capabilities,
    container_spec,
    pause_spec,
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


def test_io_uring_is_refused_as_docker_refuses_it():
    calls = oci(spec())["linux"]["seccomp"]["syscalls"]
    refused = next(rule for rule in calls if "mount" in rule["names"])
    assert refused["action"] == "SCMP_ACT_ERRNO"
    assert {"io_uring_setup", "io_uring_enter", "io_uring_register"} <= set(refused["names"])


def test_init_process_comes_before_the_program():
    made = oci(spec(init=True))
    assert made["process"]["args"] == [INIT, "--", "/a"]
    assert {m["destination"]: m["source"] for m in made["mounts"]}[INIT] == "/init"


def test_gvisor_container_is_never_privileged():
    sandbox = SandboxSpec(id="s", isolation="gvisor", namespace=None)
    made = oci(spec(privileged=True), sandbox)
    assert made["linux"]["maskedPaths"]
    assert "CAP_SYS_ADMIN" not in made["process"]["capabilities"]["bounding"]


@pytest.mark.parametrize(
    ("isolation", "cpu"),
    [
        ("gvisor", {"quota": 250000, "period": 1000000}),
        ("runc", {"quota": 25000, "period": 100000}),
    ],
)
def test_kernel_of_a_task_has_its_share_of_a_second_at_once_to_start(isolation, cpu):
    limits = Limits(cpu_quota=0.25)
    sandbox = SandboxSpec(id="s", isolation=isolation, namespace=None, limits=limits)
    assert pause_spec(sandbox, "/s")["linux"]["resources"]["cpu"] == cpu


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


def test_passwd_that_is_a_link_to_itself_is_no_file(tmp_path):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "passwd").symlink_to("passwd")
    assert ids_of(":6", tmp_path) == (0, 6, (6,))


def image_with(tmp_path, passwd):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "passwd").write_text(passwd)
    return tmp_path


def test_passwd_larger_than_a_mebibyte_is_refused(tmp_path):
    image = image_with(tmp_path, "eve:x:7:7::/:/bin/sh\n" + "#" * 2**20)
    with pytest.raises(RuntimeFailure, match="/etc/passwd is larger than 1048576 bytes"):
        ids_of("eve", image)


@pytest.mark.parametrize("number", ["²", "-1", "9" * 5000, str(2**31)])
def test_passwd_line_whose_number_is_none_names_nobody(tmp_path, number):
    image = image_with(tmp_path, f"eve:x:{number}:7::/:/bin/sh\nmal:x:8:{number}::/:/bin/sh\n")
    with pytest.raises(RuntimeFailure, match="unable to find user eve"):
        ids_of("eve", image)
    assert ids_of("mal", image)[:2] == (8, 0)
    with pytest.raises(RuntimeFailure, match="unable to find user"):
        ids_of(number, image)


def test_passwd_that_is_a_pipe_is_no_file(tmp_path):
    (tmp_path / "etc").mkdir()
    os.mkfifo(tmp_path / "etc" / "passwd")
    assert ids_of("5:6", tmp_path) == (5, 6, (6,))


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
    code, message = pull_failure("host/a:b", "failed to resolve image: host/a:b: not found")
    assert code == "CannotPullContainerError"
    assert message.endswith("failed to resolve ref host/a:b: host/a:b: not found")


def test_failure_is_told_as_it_is_whatever_digits_its_digests_have():
    details = "failed to write layer-sha256:7404aa0500 : no space left on device"
    assert pull_failure("host/a:b", details)[1].endswith(details)
    assert not UNREACHABLE.search(details)


def test_snapshot_of_one_layer_has_the_layers_name():
    assert chain_id(["sha256:1"]) == "sha256:1"
    assert chain_id(["sha256:1", "sha256:2"]) != chain_id(["sha256:2", "sha256:1"])
