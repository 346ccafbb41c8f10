"""A task's states, step by step."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from longshore.controllers.task.lifecycle.steps import FORGET_SECONDS, START_SECONDS, next_step
from longshore.model.ecs import ContainerStatus, Placement, Reported, Stop, Task

ORDER = (
    "PROVISIONING",
    "PENDING",
    "ACTIVATING",
    "RUNNING",
    "DEACTIVATING",
    "STOPPING",
    "DEPROVISIONING",
    "STOPPED",
)
TASK = Task(
    id="t",
    arn="arn",
    cluster="c",
    cluster_arn="carn",
    definition_arn="darn",
    created_at=100.0,
    launch_type="FARGATE",
    network_mode="awsvpc",
    containers=(ContainerStatus(id="1", name="web", image="web"),),
)
PLACE = Placement(instance_arn="i", zone="a", eni_id="eni-1")
tasks = st.builds(
    lambda last, desired, status, placed, stop: msgspec.structs.replace(
        TASK,
        last_status=last,
        desired_status=desired,
        reported=Reported(status=status),
        placement=PLACE if placed else None,
        stop=Stop(code="UserInitiated", reason="r", at=1.0) if stop else None,
    ),
    st.sampled_from(ORDER[:-1]),
    st.sampled_from(["RUNNING", "STOPPED"]),
    st.sampled_from(["", "PENDING", "RUNNING", "STOPPED"]),
    st.booleans(),
    st.booleans(),
)


@given(tasks)
def test_states_only_go_forward(task):
    after = next_step(task, 200.0).task
    if after is not None:
        assert ORDER.index(after.last_status) >= ORDER.index(task.last_status)


@given(tasks)
def test_task_that_is_to_stop_stops_once_its_agent_says_so(task):
    task = msgspec.structs.replace(
        task, desired_status="STOPPED", reported=Reported(status="STOPPED")
    )
    freed = 0
    for _ in range(4):
        step = next_step(task, 200.0)
        freed += step.free
        assert step.task is not None
        task = step.task
    assert task.last_status == "STOPPED"
    assert task.containers[0].last_status == "STOPPED"
    assert freed <= 1


def test_stopped_task_is_forgotten_after_an_hour():
    stopped = msgspec.structs.replace(TASK, last_status="STOPPED", stopped_at=1000.0)
    assert next_step(stopped, 1000.0 + FORGET_SECONDS - 1).task == stopped
    assert next_step(stopped, 1000.0 + FORGET_SECONDS).task is None


def test_task_that_its_agent_swallowed_ends_with_a_reason():
    swallowed = msgspec.structs.replace(TASK, last_status="PENDING", placement=PLACE)
    assert next_step(swallowed, 101.0).task == swallowed
    step = next_step(swallowed, 100.0 + START_SECONDS)
    assert step.task is not None
    assert step.task.desired_status == "STOPPED"
    assert step.task.stop is not None
    assert step.task.stop.code == "TaskFailedToStart"


def test_task_without_a_place_stops_without_an_agent():
    waiting = msgspec.structs.replace(
        TASK, desired_status="STOPPED", stop=Stop(code="UserInitiated", reason="r", at=1.0)
    )
    first = next_step(waiting, 200.0).task
    assert first is not None
    last = next_step(first, 200.0).task
    assert last is not None
    assert last.last_status == "STOPPED"
