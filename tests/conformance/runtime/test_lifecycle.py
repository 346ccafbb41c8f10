"""What every runtime promises of a container's life, also one that runs nothing."""

import signal

import pytest

from longshore.runtime.interface import RuntimeFailure


async def test_container_is_created_then_running_then_stopped(box):
    container_id = await box.create("/bin/sleep", "100")
    assert (await box.state(container_id)).status == "created"
    await box.runtime.start(container_id)
    assert (await box.state(container_id)).status == "running"
    assert (await box.kill(container_id)).code == 137
    assert (await box.state(container_id)).status == "stopped"


async def test_container_that_never_started_is_removed(box):
    container_id = await box.create("/bin/sleep", "100")
    await box.runtime.remove_container(container_id)
    assert await box.state(container_id) is None


async def test_starting_twice_starts_once(box):
    container_id = await box.start("/bin/sleep", "100")
    first = await box.state(container_id)
    await box.runtime.start(container_id)
    assert await box.state(container_id) == first


async def test_creating_twice_makes_one_container(box):
    spec = box.spec("/bin/sleep", "100")
    box.made.append(spec.id)
    await box.runtime.create_container(spec)
    await box.runtime.create_container(spec)
    await box.runtime.start(spec.id)
    assert (await box.state(spec.id)).status == "running"


async def test_wait_for_what_ended_long_ago_gives_the_same_exit_every_time(box):
    container_id = await box.start("/bin/sleep", "100")
    first = await box.kill(container_id)
    assert await box.runtime.wait(container_id) == first
    assert (await box.state(container_id)).exit.code == first.code


async def test_signal_to_what_has_ended_does_nothing(box):
    container_id = await box.start("/bin/sleep", "100")
    await box.kill(container_id)
    await box.runtime.signal(container_id, signal.SIGTERM)
    await box.runtime.signal("no-such-container", signal.SIGTERM)


async def test_removed_container_is_gone_and_removing_it_again_does_nothing(box):
    container_id = await box.start("/bin/sleep", "100")
    await box.runtime.remove_container(container_id)
    assert await box.state(container_id) is None
    await box.runtime.remove_container(container_id)


async def test_id_of_a_removed_container_can_be_used_again(box):
    container_id = await box.start("/bin/sleep", "100")
    await box.runtime.remove_container(container_id)
    await box.start("/bin/sleep", "100", id=container_id)
    assert (await box.state(container_id)).status == "running"


async def test_waiting_for_a_container_that_is_not_there_returns(box):
    assert (await box.runtime.wait("no-such-container")).code == 255


async def test_container_that_is_not_there_cannot_be_started(box):
    with pytest.raises(RuntimeFailure) as refused:
        await box.runtime.start("no-such-container")
    assert refused.value.code == "CannotStartContainerError"


async def test_container_in_a_sandbox_that_is_not_there_is_refused(box):
    with pytest.raises(RuntimeFailure) as refused:
        await box.runtime.create_container(box.spec("/bin/true", sandbox_id="no-such-sandbox"))
    assert refused.value.code == "CannotCreateContainerError"


async def test_container_of_an_image_that_is_not_here_is_refused(box):
    with pytest.raises(RuntimeFailure) as refused:
        await box.runtime.create_container(box.spec("/bin/true", image="no/such"))
    assert refused.value.code == "CannotCreateContainerError"


async def test_labels_and_sandbox_are_told_of_a_container(box):
    container_id = await box.create("/bin/sleep", "100", labels={"task": "one"})
    state = await box.state(container_id)
    assert state.labels["task"] == "one"
    assert state.sandbox_id == box.id


async def test_removed_sandbox_takes_its_containers_along(box):
    if box.isolation == "simulated":
        container_id = await box.start("/bin/sleep", "100")
        await box.runtime.remove_sandbox(box.id)
    else:
        async with box.sandbox() as other:
            container_id = await other.start("/bin/sleep", "100")
    assert await box.state(container_id) is None
    await box.runtime.remove_sandbox("no-such-sandbox")


async def test_sandbox_whose_kernel_never_started_is_removed_without_a_trace(real):
    async with real.sandbox() as box:
        await box.create("/bin/sleep", "100")
        await box.runtime.remove_sandbox(box.id)
        assert not [s for s in await box.runtime.containers() if s.sandbox_id == box.id]
