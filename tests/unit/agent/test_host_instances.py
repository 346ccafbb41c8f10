"""What an agent keeps of its host's EC2 instances."""

import errno
from pathlib import Path

import pytest
from unit.agent.imds.metadata_instance import make_instance

from longshore.agent import instances as module
from longshore.agent.instances import Instances


def test_an_agent_that_comes_back_knows_its_instances_without_a_control_plane(
    tmp_path: Path,
) -> None:
    path = tmp_path / "agent" / "instances.json"
    told = (make_instance(tags=(("a", "b"),)), make_instance(interface_id="eni-16", profile=None))
    Instances(path).take(told)
    again = Instances(path)
    assert (again.of("eni-15"), again.of("eni-16")) == told
    assert again.of("eni-17") is None


def test_nobody_but_root_reads_credentials_and_user_data(tmp_path: Path) -> None:
    path = tmp_path / "agent" / "instances.json"
    Instances(path).take((make_instance(),))
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_an_instance_that_went_is_forgotten(tmp_path: Path) -> None:
    instances = Instances(tmp_path / "instances.json")
    instances.take((make_instance(),))
    instances.take(())
    assert instances.of("eni-15") is None
    assert Instances(tmp_path / "instances.json").of("eni-15") is None


@pytest.mark.parametrize("content", [b"", b"{", b"[{}]", b'{"a": 1}'])
def test_a_file_that_is_no_list_of_instances_is_as_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "instances.json"
    path.write_bytes(content)
    assert Instances(path).of("eni-15") is None


def test_on_a_full_disk_the_instances_are_known_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module, "replace_file", full)
    instances = Instances(tmp_path / "instances.json")
    instances.take((make_instance(),))
    assert instances.of("eni-15") == make_instance()
