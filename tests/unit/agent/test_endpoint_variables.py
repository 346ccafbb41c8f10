"""What the agent puts into containers' environments."""

from pathlib import Path

from unit.agent.endpoints.agent_host import make_host
from unit.agent.endpoints.endpoint_records import record
from unit.agent.imds.metadata_instance import make_instance

from longshore.agent.hooks.endpoints import Endpoints
from longshore.agent.hooks.interface import Work
from longshore.testing.clock import FakeClock


async def environment(tmp_path: Path, interface_id: str) -> dict[str, str]:
    """Of task 5, whose ENI is `eni-15`, where the host has an instance with this interface."""
    host = make_host(tmp_path, FakeClock())
    host.instances.take((make_instance(interface_id=interface_id),))
    work = Work(host=host, record=record(5, launch_type="EC2"), save=lambda: None)
    await Endpoints().set_up(work)
    return work.environment.get("web", {})


async def test_a_task_is_told_where_its_endpoints_are(tmp_path: Path) -> None:
    told = await environment(tmp_path, "eni-16")
    assert told["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] == "/v2/credentials/credentials-5"
    assert {"AWS_REGION", "AWS_ENDPOINT_URL", "ECS_CONTAINER_METADATA_URI_V4"} <= set(told)


async def test_an_ec2_instance_is_told_nothing_of_ecs(tmp_path: Path) -> None:
    assert await environment(tmp_path, "eni-15") == {}
