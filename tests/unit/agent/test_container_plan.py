"""What a container's payload becomes in the runtime's words."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.agent.hooks.sandbox import most_processes
from longshore.agent.plan import MIB, Surroundings, arguments, container_spec
from longshore.nodeapi import acs
from longshore.runtime.interface import ContainerSpec, Image, ImageConfig, RuntimeFailure

WORDS = st.lists(st.text(min_size=1, max_size=3), max_size=3).map(tuple)
TASK = acs.Task(arn="arn:aws:ecs:us-east-1:123456789012:task/default/1")


def image(entrypoint: tuple[str, ...] = (), command: tuple[str, ...] = ()) -> Image:
    config = ImageConfig(entrypoint=entrypoint, command=command)
    return Image(reference="image", digest="sha256:0", config=config)


def planned(container: acs.Container) -> ContainerSpec:
    surroundings = Surroundings(
        container_id="1-1", sandbox_id="1", image=image(("run",)), log_directory=Path("/logs")
    )
    return container_spec(TASK, container, surroundings)


@given(WORDS.filter(bool), WORDS, WORDS, WORDS)
def test_an_entry_point_forgets_what_the_image_would_run(
    own: tuple[str, ...],
    command: tuple[str, ...],
    entry: tuple[str, ...],
    of_image: tuple[str, ...],
) -> None:
    container = acs.Container(name="main", image="image", entry_point=own, command=command)
    assert arguments(container, image(entry, of_image)) == (*own, *command)


@given(WORDS.filter(bool), WORDS, WORDS)
def test_a_command_follows_the_entry_point_of_the_image(
    command: tuple[str, ...], entry: tuple[str, ...], of_image: tuple[str, ...]
) -> None:
    container = acs.Container(name="main", image="image", command=command)
    assert arguments(container, image(entry, of_image)) == (*entry, *command)


def test_a_container_without_anything_to_run_cannot_be_created() -> None:
    with pytest.raises(RuntimeFailure, match="no command specified"):
        arguments(acs.Container(name="main", image="image"), image())


@pytest.mark.parametrize(("memory", "processes"), [(0, 0), (4, 128), (128, 1024), (512, 4096)])
def test_a_container_may_have_as_many_processes_as_its_memory_carries(
    memory: int, processes: int
) -> None:
    spec = planned(acs.Container(name="main", image="image", memory=memory))
    assert (spec.limits.memory, spec.limits.pids) == (memory * MIB, processes)


@given(st.integers(min_value=301, max_value=2**22))
def test_no_task_may_have_more_than_a_part_of_the_machines_processes(pid_max: int) -> None:
    assert 0 < most_processes(pid_max) <= pid_max / 4
