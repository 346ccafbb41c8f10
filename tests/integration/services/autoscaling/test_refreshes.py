"""Instance refreshes as boto3 sees them."""

from typing import Any

import pytest
from integration.services.autoscaling.scaling_plane import DEADLINE, Scaling

from longshore.testing.wait import eventually

NAMED = {"AutoScalingGroupName": "web"}
NEWER = {"LaunchTemplate": {"LaunchTemplateName": "web", "Version": "2"}}
REFUSED: list[tuple[Any, str]] = [
    ({"Strategy": "ReplaceRootVolume"}, "NotImplemented"),
    ({"Preferences": {"CheckpointPercentages": [50]}}, "NotImplemented"),
    ({"Preferences": {"BakeTime": 60}}, "NotImplemented"),
    ({"Preferences": {"AutoRollback": True}}, "ValidationError"),
    ({"Preferences": {"MaxHealthyPercentage": 110}}, "ValidationError"),
    (
        {"Preferences": {"MinHealthyPercentage": 0, "MaxHealthyPercentage": 200}},
        "ValidationError",
    ),
    (
        {"DesiredConfiguration": {"LaunchTemplate": {"LaunchTemplateName": "none"}}},
        "ValidationError",
    ),
]
AT_ONCE = {"MinHealthyPercentage": 0, "InstanceWarmup": 0}


async def described(scaling: Scaling) -> Any:
    return (await scaling.call("describe_instance_refreshes", **NAMED))["InstanceRefreshes"][0]


async def until(scaling: Scaling, status: str) -> Any:
    async def reached() -> Any:
        found = await described(scaling)
        return found if found["Status"] == status else None

    return await eventually(reached, DEADLINE, status)


async def versions(scaling: Scaling) -> set[str]:
    return {each["LaunchTemplate"]["Version"] for each in (await scaling.group())["Instances"]}


async def test_a_refresh_brings_every_member_to_the_new_version(scaling: Scaling):
    before = await scaling.running(2)
    made = await scaling.call(
        "start_instance_refresh", **NAMED, DesiredConfiguration=NEWER, Preferences=AT_ONCE
    )
    done = await until(scaling, "Successful")
    assert done["InstanceRefreshId"] == made["InstanceRefreshId"]
    assert (done["PercentageComplete"], done["InstancesToUpdate"]) == (100, 0)
    assert done["Preferences"]["MinHealthyPercentage"] == 0
    assert done["DesiredConfiguration"]["LaunchTemplate"]["LaunchTemplateId"] == scaling.template
    assert done["EndTime"] >= done["StartTime"]
    assert await versions(scaling) == {"2"}
    group = await scaling.group()
    assert group["LaunchTemplate"]["Version"] == "2"
    assert not {each["InstanceId"] for each in group["Instances"]} & set(before)
    causes = [each["Cause"] for each in await scaling.activities(**NAMED)]
    assert any("in response to an instance refresh" in each for each in causes)


async def test_one_refresh_at_a_time_which_can_be_cancelled(scaling: Scaling):
    await scaling.running(1)
    scaling.machines.clear()
    await scaling.call("start_instance_refresh", **NAMED, DesiredConfiguration=NEWER)
    code, _ = await scaling.error("start_instance_refresh", **NAMED)
    assert code == "InstanceRefreshInProgress"
    code, said = await scaling.error("update_auto_scaling_group", **NAMED, **NEWER)
    assert code == "ValidationError"
    assert said.startswith("An active instance refresh with a desired configuration exists.")
    await scaling.call("cancel_instance_refresh", **NAMED)
    scaling.machines.set()
    done = await until(scaling, "Cancelled")
    assert done["StatusReason"] == "Cancelled due to user request."
    assert (await scaling.group())["LaunchTemplate"]["Version"] == "1"
    for operation in ("cancel_instance_refresh", "rollback_instance_refresh"):
        code, _ = await scaling.error(operation, **NAMED)
        assert code == "ActiveInstanceRefreshNotFound"


async def test_a_refresh_is_rolled_back(scaling: Scaling):
    await scaling.running(2)
    slow = {"MinHealthyPercentage": 50, "InstanceWarmup": 600}
    await scaling.call(
        "start_instance_refresh", **NAMED, DesiredConfiguration=NEWER, Preferences=slow
    )

    async def half() -> Any:
        return await versions(scaling) == {"1", "2"} or None

    await eventually(half, DEADLINE)
    await scaling.until("InService", "InService")
    await scaling.call("rollback_instance_refresh", **NAMED)
    found = await until(scaling, "RollbackInProgress")
    assert found["RollbackDetails"]["PercentageCompleteOnRollback"] == 50
    assert "user request" in found["RollbackDetails"]["RollbackReason"]

    async def back() -> Any:
        return await versions(scaling) == {"1"} or None

    await eventually(back, DEADLINE)


@pytest.mark.parametrize(
    ("version", "desired", "code"),
    [("1", {}, "IrreversibleInstanceRefresh"), ("$Latest", NEWER, "IrreversibleInstanceRefresh")],
)
async def test_only_what_is_fixed_can_be_rolled_back_to(
    scaling: Scaling, version: str, desired: Any, code: str
):
    template = {"LaunchTemplateName": "web", "Version": version}
    await scaling.running(1, LaunchTemplate=template)
    scaling.machines.clear()
    await scaling.call("start_instance_refresh", **NAMED, DesiredConfiguration=desired)
    found, _ = await scaling.error("rollback_instance_refresh", **NAMED)
    assert found == code


async def test_a_refresh_that_could_not_work_is_refused(scaling: Scaling):
    await scaling.create()
    for more, code in REFUSED:
        assert (await scaling.error("start_instance_refresh", **NAMED, **more))[0] == code
    assert (await scaling.call("describe_instance_refreshes", **NAMED))["InstanceRefreshes"] == []
