"""Tells containers where the metadata and credentials endpoints, and Longshore itself, answer.

An EC2 instance is told nothing: it has the instance metadata service (`agent.imds`).
"""

from longshore.agent.hooks.interface import Work
from longshore.agent.hooks.network import interface_of
from longshore.model.link_local import API_ADDRESS, CREDENTIALS_ADDRESS
from longshore.nodeapi import acs


class Endpoints:
    """Only environment variables; `agent.endpoints` serves for as long as the agent lives."""

    async def set_up(self, work: Work) -> None:
        """See `interface.Hook`."""
        if is_instance(work):
            return
        for container in work.task.containers:
            work.add_environment(container.name, _environment(work, container))

    async def tear_down(self, work: Work) -> None:
        """See `interface.Hook`."""


def is_instance(work: Work) -> bool:
    """Whether the task is an EC2 instance (docs/decisions/0106)."""
    interface = interface_of(work)
    return interface is not None and work.host.instances.of(interface.ec2_id) is not None


def endpoint_id(work: Work, container: acs.Container) -> str:
    """What stands in the container's metadata URI: nobody else's is guessed from it, since a
    task's id is random and never leaves its account."""
    return work.record.containers[container.name].id


def _environment(work: Work, container: acs.Container) -> dict[str, str]:
    installation = work.host.installation
    on_host = work.network_mode == "host"
    base = (
        f"http://127.0.0.1:{work.host.local_port}" if on_host else f"http://{CREDENTIALS_ADDRESS}"
    )
    api = "127.0.0.1" if on_host else API_ADDRESS
    identifier = endpoint_id(work, container)
    fargate = work.task.launch_type == "FARGATE"
    found = {
        "AWS_REGION": installation.region,
        "AWS_DEFAULT_REGION": installation.region,
        "AWS_EXECUTION_ENV": "AWS_ECS_FARGATE" if fargate else "AWS_ECS_EC2",
        "AWS_ENDPOINT_URL": f"http://{api}:{installation.port}",
        "ECS_CONTAINER_METADATA_URI": f"{base}/v3/{identifier}",
        "ECS_CONTAINER_METADATA_URI_V4": f"{base}/v4/{identifier}",
        "ECS_AGENT_URI": f"{base}/api/{identifier}",
    }
    role = work.task.role_credentials
    if role is not None and role.credentials_id:
        path = f"/v2/credentials/{role.credentials_id}"
        # SDKs put 169.254.170.2 before a relative URI; on the host's network that is not ours.
        if on_host:
            found["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = base + path
        else:
            found["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] = path
    return found
