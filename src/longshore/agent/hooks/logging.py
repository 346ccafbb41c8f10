"""Has each container's log stream there before the container writes to it."""

import asyncio

from longshore.agent.hooks.interface import HookFailure, Work
from longshore.agent.logs.options import InvalidOption
from longshore.agent.logs.streams import open_stream
from longshore.model.errors import AwsError
from longshore.nodeapi import acs

INVALID = "ResourceInitializationError: failed to validate logger args: "
RETRIED = f"{INVALID}create stream has been retried 1 times: failed to create Cloudwatch log stream"


class Logging:
    """Streams stay when the task ends; `logs.shipping` removes the files."""

    async def set_up(self, work: Work) -> None:
        """See `interface.Hook`."""
        await asyncio.gather(*(_open(work, container) for container in work.task.containers))

    async def tear_down(self, work: Work) -> None:
        """See `interface.Hook`."""


async def _open(work: Work, container: acs.Container) -> None:
    try:
        await open_stream(work, container)
    except InvalidOption as error:
        raise HookFailure(f"{INVALID}{error}") from error
    except AwsError as error:
        raise HookFailure(f"{RETRIED}: {error}") from error
